/* Names for addresses in the image's text, and how far the caller is, for backtraces. The table is made from the linked
 * image (boot/gen_symbols.py). */
#pragma once

#include "kernel/lib/compiler.h"

/* Written by boot/gen_symbols.py: the two must agree. */
struct symbol_table {
	const uint32_t *offsets; /* of each symbol from the table's base, ascending */
	const char *names;       /* in the same order, each ends with 0 */
	uint32_t names_bytes;
	uint32_t count;
	uint32_t frame_count;
	/* From frame_offsets[i] on, ascending, frame_words[i] words lie between RSP and the return address. */
	const uint32_t *frame_offsets;
	const uint16_t *frame_words;
};

#define SYMBOL_FRAME_TRAP 0xfffeu    /* RSP points at a struct trap_frame */
#define SYMBOL_FRAME_UNKNOWN 0xffffu /* RSP alone does not tell */

/* The image's own; its base is image_start. */
extern const struct symbol_table image_symbols;

/* The last symbol at or below an address. addr, base: addresses; *offset: how far behind the symbol addr is.
 * NULL when the table has none there. Pure. */
const char *symbol_lookup(const struct symbol_table *t, uint64_t base, uint64_t addr, uint64_t *offset);

/* Of the instruction at addr: words between RSP, before it is executed, and the function's return address, or one of
 * SYMBOL_FRAME_*. Pure. */
uint32_t symbol_frame(const struct symbol_table *t, uint64_t base, uint64_t addr);
