/* Names for addresses in the image's text, for backtraces. The table is made from the linked image (boot/gen_symbols.py). */
#pragma once

#include "kernel/lib/compiler.h"

struct symbol_table {
	const uint32_t *offsets; /* of each symbol from the table's base, ascending */
	const char *names;       /* in the same order, each ends with 0 */
	uint32_t names_bytes;
	uint32_t count;
};

/* The image's own; its base is image_start. */
extern const struct symbol_table image_symbols;

/* The last symbol at or below an address. addr, base: addresses; *offset: how far behind the symbol addr is.
 * NULL when the table has none there. Pure. */
const char *symbol_lookup(const struct symbol_table *t, uint64_t base, uint64_t addr, uint64_t *offset);
