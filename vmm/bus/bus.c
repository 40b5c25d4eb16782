/* The owner registry of one address space: a sorted array of ranges, searched by halving where the guess by the address is
 * wrong. Pure: the same code serves I/O ports and memory-mapped I/O. The caller sees to it that registering and
 * accesses do not run at the same time. */
#include "vmm/bus/bus.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

/* All ones in the low `size` bytes. */
static inline uint64_t size_mask(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

/* The index of the first range whose base is above addr: where a range that begins at addr would go in. */
static unsigned upper_bound(const struct bus *b, uint64_t addr)
{
	unsigned lo = 0, hi = b->count;

	while (lo < hi) {
		unsigned mid = lo + (hi - lo) / 2;

		if (b->ranges[mid].base <= addr)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static struct bus_range *lookup(struct bus *b, uint64_t addr)
{
	unsigned above = upper_bound(b, addr);

	if (above == 0 || addr - b->ranges[above - 1].base >= b->ranges[above - 1].len)
		return NULL;
	return &b->ranges[above - 1];
}

static uint64_t nobodys_read(void *ctx, uint64_t offset, unsigned size)
{
	struct bus *b = ctx;

	(void)size;
	b->last_unclaimed = b->nobodys.base + offset;
	return UINT64_MAX;
}

static void nobodys_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)value;
	(void)nobodys_read(ctx, offset, size);
}

static void nobodys_read_run(void *ctx, uint64_t offset, unsigned size, void *to, size_t count)
{
	memset(to, 0xff, size * count);
	(void)nobodys_read(ctx, offset, size);
}

static void nobodys_write_run(void *ctx, uint64_t offset, unsigned size, const void *from, size_t count)
{
	(void)from;
	(void)count;
	(void)nobodys_read(ctx, offset, size);
}

static const struct bus_ops nobodys_ops = {nobodys_read, nobodys_write, nobodys_read_run, nobodys_write_run};

/* The stretch around an address that nobody owns. (The last address of all is in none.) */
static struct bus_range *nobodys_around(struct bus *b, uint64_t addr)
{
	unsigned above = upper_bound(b, addr);

	b->nobodys.base = above == 0 ? 0 : b->ranges[above - 1].base + b->ranges[above - 1].len;
	b->nobodys.len = (above == b->count ? UINT64_MAX : b->ranges[above].base) - b->nobodys.base;
	return &b->nobodys;
}

struct bus_range *bus_look_up(struct bus *b, uint64_t addr, unsigned size)
{
	struct bus_range *r = lookup(b, addr);

	if (r == NULL)
		r = nobodys_around(b, addr);
	if (!bus_range_takes(r, addr, size))
		return NULL;
	*bus_guess_at(b, addr) = r;
	return r;
}

static bool read_split(struct bus *b, uint64_t addr, unsigned size, uint64_t *value)
{
	uint64_t unclaimed_at = 0;
	bool all_claimed = true;

	*value = 0;
	for (unsigned i = 0; i < size; i++) {
		struct bus_range *r = lookup(b, addr + i);
		uint64_t byte = 0xff;

		if (r != NULL) {
			r->reads++;
			byte = r->ops->read(r->ctx, addr + i - r->base, 1) & 0xff;
		} else if (all_claimed) {
			all_claimed = false;
			unclaimed_at = addr + i;
		}
		*value |= byte << (8 * i);
	}
	if (!all_claimed) {
		b->nobodys.reads++;
		b->last_unclaimed = unclaimed_at;
	}
	return all_claimed;
}

static bool write_split(struct bus *b, uint64_t addr, unsigned size, uint64_t value)
{
	uint64_t unclaimed_at = 0;
	bool all_claimed = true;

	for (unsigned i = 0; i < size; i++) {
		struct bus_range *r = lookup(b, addr + i);

		if (r != NULL) {
			r->writes++;
			r->ops->write(r->ctx, addr + i - r->base, 1, (value >> (8 * i)) & 0xff);
		} else if (all_claimed) {
			all_claimed = false;
			unclaimed_at = addr + i;
		}
	}
	if (!all_claimed) {
		b->nobodys.writes++;
		b->last_unclaimed = unclaimed_at;
	}
	return all_claimed;
}

/* Make a bus without ranges. */
void bus_init(struct bus *b)
{
	b->count = 0;
	b->nobodys = (struct bus_range){.ops = &nobodys_ops, .ctx = b};
	b->last_unclaimed = 0;
	b->ranges[0] = (struct bus_range){0};
#pragma GCC unroll 8
	for (unsigned i = 0; i < BUS_GUESSES; i++)
		b->guesses[i] = &b->ranges[0];
}

/* Give [base, base + len) to a device; ops, ctx and name are kept, not copied.
 * Returns 0; ERR_INVAL (zero length, a missing function), ERR_RANGE (wraps), ERR_OVERLAP, ERR_FULL; nothing changed then.
 * Context: no access to this bus at the same time; not from a device's own read or write, unless the owner knows that
 * the bus does not touch a range after its device has returned (it does not). */
COLD int bus_register(struct bus *b, uint64_t base, uint64_t len, const struct bus_ops *ops, void *ctx,
		      const char *name)
{
	unsigned at;

	if (len == 0 || ops == NULL || ops->read == NULL || ops->write == NULL)
		return ERR_INVAL;
	if (range_wraps(base, len))
		return ERR_RANGE;
	/* From the top: parts register in about the order of their addresses. */
	for (at = b->count; at > 0 && b->ranges[at - 1].base > base; at--)
		;
	if ((at > 0 && base - b->ranges[at - 1].base < b->ranges[at - 1].len) ||
	    (at < b->count && b->ranges[at].base - base < len))
		return ERR_OVERLAP;
	if (b->count == BUS_MAX_RANGES)
		return ERR_FULL;
	for (unsigned i = b->count; i > at; i--)
		b->ranges[i] = b->ranges[i - 1];
	b->ranges[at] = (struct bus_range){.base = base, .len = len, .ops = ops, .ctx = ctx, .name = name};
	b->count++;
	b->nobodys.len = 0;
	return 0;
}

/* Take back the range that begins at base. Returns 0 or ERR_NOENT. Context: as bus_register(). */
COLD int bus_unregister(struct bus *b, uint64_t base)
{
	unsigned above = upper_bound(b, base);

	if (above == 0 || b->ranges[above - 1].base != base)
		return ERR_NOENT;
	b->count--;
	for (unsigned i = above - 1; i < b->count; i++)
		b->ranges[i] = b->ranges[i + 1];
	b->ranges[b->count] = (struct bus_range){0};
	return 0;
}

/* Read `size` (1..8) bytes at addr into the low bytes of *value; the rest of it is 0.
 * Returns true when every byte had an owner. */
bool bus_read(struct bus *b, uint64_t addr, unsigned size, uint64_t *value)
{
	struct bus_range *r;

	assert(size - 1 < 8);
	r = bus_range_for(b, addr, size);
	if (unlikely(r == NULL))
		return read_split(b, addr, size, value);
	r->reads++;
	*value = r->ops->read(r->ctx, addr - r->base, size) & size_mask(size);
	return r != &b->nobodys;
}

/* Write the low `size` (1..8) bytes of value at addr. Returns true when every byte had an owner. */
bool bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value)
{
	struct bus_range *r;

	assert(size - 1 < 8);
	r = bus_range_for(b, addr, size);
	if (unlikely(r == NULL))
		return write_split(b, addr, size, value);
	r->writes++;
	r->ops->write(r->ctx, addr - r->base, size, value & size_mask(size));
	return r != &b->nobodys;
}

bool bus_read_run(struct bus *b, uint64_t addr, unsigned size, void *to, size_t count)
{
	struct bus_range *r = bus_range_for(b, addr, size);

	if (r == NULL || r->ops->read_run == NULL)
		return false;
	r->reads += count;
	r->ops->read_run(r->ctx, addr - r->base, size, to, count);
	return true;
}

bool bus_write_run(struct bus *b, uint64_t addr, unsigned size, const void *from, size_t count)
{
	struct bus_range *r = bus_range_for(b, addr, size);

	if (r == NULL || r->ops->write_run == NULL)
		return false;
	r->writes += count;
	r->ops->write_run(r->ctx, addr - r->base, size, from, count);
	return true;
}

/* The owner of an address, or NULL. */
const struct bus_range *bus_find(const struct bus *b, uint64_t addr)
{
	unsigned above = upper_bound(b, addr);

	if (above == 0 || addr - b->ranges[above - 1].base >= b->ranges[above - 1].len)
		return NULL;
	return &b->ranges[above - 1];
}
