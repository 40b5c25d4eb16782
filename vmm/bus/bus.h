/* Who owns this port or address. One type, used twice per VM: I/O ports and memory-mapped I/O. A device registers a
 * range with its two functions; an access is given to the owner with the offset into its range. */
#pragma once

#include "kernel/lib/compiler.h"

#define BUS_MAX_RANGES 64u

struct bus_ops {
	/* offset from the range's base; size 1, 2, 4 or 8 bytes, always wholly inside the range.
	 * A read returns the value in the low bytes; what a part does with sizes it does not know is the part's matter. */
	uint64_t (*read)(void *ctx, uint64_t offset, unsigned size);
	void (*write)(void *ctx, uint64_t offset, unsigned size, uint64_t value);
};

struct bus_range {
	uint64_t base;
	uint64_t len;
	const struct bus_ops *ops;
	void *ctx;
	const char *name;
	uint64_t reads, writes; /* counted for `info devices` */
};

struct bus {
	struct bus_range ranges[BUS_MAX_RANGES]; /* sorted by base, no two overlap */
	unsigned count;
	uint64_t unclaimed_reads; /* accesses that nobody owned: reads gave all ones, writes went nowhere */
	uint64_t unclaimed_writes;
	uint64_t last_unclaimed; /* address of the newest one */
	unsigned last_hit;       /* index of the range the last access went to: the first guess for the next */
};

void bus_init(struct bus *b);

/* Give [base, base + len) to a device. Returns 0; ERR_INVAL (zero length, no ops), ERR_RANGE (wraps), ERR_OVERLAP,
 * ERR_FULL; nothing changed then. name must outlive the bus. */
MUST_CHECK int bus_register(struct bus *b, uint64_t base, uint64_t len, const struct bus_ops *ops, void *ctx,
			    const char *name);

/* Take back the range that begins at base. Returns 0 or ERR_NOENT. */
int bus_unregister(struct bus *b, uint64_t base);

/* One access of 1 to 8 bytes. One that is not wholly inside one range is split into bytes, as 8-bit parts on a wider bus
 * see it; bytes nobody owns read as ones, and the access is counted as unclaimed. A read's value and what a device sees
 * of a write have no bits above the access's size. Returns true when every byte had an owner. */
bool bus_read(struct bus *b, uint64_t addr, unsigned size, uint64_t *value);
bool bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value);

/* The owner of an address, or NULL. */
const struct bus_range *bus_find(const struct bus *b, uint64_t addr);
