/* Who owns this port or address. One type, used twice per VM: I/O ports and memory-mapped I/O. A device registers a
 * range with its two functions; an access is given to the owner with the offset into its range. */
#pragma once

#include "kernel/lib/compiler.h"

#define BUS_MAX_RANGES 32u
#define BUS_GUESSES 64u /* a power of two */

struct bus_ops {
	/* offset from the range's base; size 1, 2, 4 or 8 bytes, always wholly inside the range.
	 * A read returns the value in the low bytes; what a part does with sizes it does not know is the part's matter. */
	uint64_t (*read)(void *ctx, uint64_t offset, unsigned size);
	void (*write)(void *ctx, uint64_t offset, unsigned size, uint64_t value);
	/* May be NULL. The same as `count` reads (writes) of `size` bytes one after the other, as a repeated string instruction
	 * makes them; values stand packed in the buffer, little-endian. It is the guest's memory and may change at any time:
	 * each byte is read (written) once. Only for a part that asks nothing of the VM in between, and takes little time. */
	void (*read_run)(void *ctx, uint64_t offset, unsigned size, void *to, size_t count);
	void (*write_run)(void *ctx, uint64_t offset, unsigned size, const void *from, size_t count);
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
	/* The stretch between two ranges in which an access was last, as if it were a device's: reads give all ones, writes go
	 * nowhere. Its counters are those of all accesses of which somebody owned not every byte. Length 0: none yet. */
	struct bus_range nobodys;
	uint64_t last_unclaimed; /* address of the newest one of them */
	/* By the address's eights, the range that took an access there before: the first guess for the next. Any slot of
	 * ranges[] is right, and `nobodys`; one without a range has length 0. */
	struct bus_range *guesses[BUS_GUESSES];
};

/* The bus must not be moved afterwards. */
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

/* `count` (not 0) accesses of `size` bytes at one address, when its owner takes them all at once, or when nobody owns any
 * byte there. Returns false when neither is so: nothing has happened, and the caller makes them one by one. */
MUST_CHECK bool bus_read_run(struct bus *b, uint64_t addr, unsigned size, void *to, size_t count);
MUST_CHECK bool bus_write_run(struct bus *b, uint64_t addr, unsigned size, const void *from, size_t count);

/* The range that takes a whole access, `nobodys` among them, where the guess was wrong or there is none. */
struct bus_range *bus_look_up(struct bus *b, uint64_t addr, unsigned size);

static inline struct bus_range **bus_guess_at(struct bus *b, uint64_t addr)
{
	return &b->guesses[addr / 8 % BUS_GUESSES];
}

/* Is the access wholly inside the range? size: not 0. For an address below the base, addr - base wraps to something huge,
 * which the addition wraps again when the access ends at or above the base. */
static inline bool bus_range_takes(const struct bus_range *r, uint64_t addr, unsigned size)
{
	uint64_t last;

	return !__builtin_add_overflow(addr - r->base, (uint64_t)size - 1, &last) && last < r->len;
}

/* The range that takes the whole access, `nobodys` among them, or NULL: then bus_read() or bus_write() split it. */
static inline struct bus_range *bus_range_for(struct bus *b, uint64_t addr, unsigned size)
{
	struct bus_range *r = *bus_guess_at(b, addr);

	return likely(bus_range_takes(r, addr, size)) ? r : bus_look_up(b, addr, size);
}

/* The owner of an address, or NULL. */
const struct bus_range *bus_find(const struct bus *b, uint64_t addr);
