/* The owner registry of one address space: a sorted array of ranges, searched by halving, with the range of the last
 * access as the first guess, since a guest talks to one device for a while. Pure: the same code serves I/O ports and
 * memory-mapped I/O. The caller sees to it that registering and accesses do not run at the same time. */
#include "vmm/bus/bus.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"

/* All ones in the low `size` bytes. */
static inline uint64_t size_mask(unsigned size)
{
	return UINT64_MAX >> (64 - 8 * size);
}

/* Is the access wholly inside the range? addr - base wraps to something huge for an address below the base. */
static inline bool range_takes(const struct bus_range *r, uint64_t addr, unsigned size)
{
	uint64_t offset = addr - r->base;

	return offset < r->len && size <= r->len - offset;
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

/* The range that takes the whole access, or NULL. The guess may be written by several CPUs at once: any value is right. */
static inline struct bus_range *lookup_whole(struct bus *b, uint64_t addr, unsigned size)
{
	unsigned guess = __atomic_load_n(&b->last_hit, __ATOMIC_RELAXED);
	struct bus_range *r;

	if (likely(guess < b->count && range_takes(&b->ranges[guess], addr, size)))
		return &b->ranges[guess];
	r = lookup(b, addr);
	if (r == NULL || !range_takes(r, addr, size))
		return NULL;
	__atomic_store_n(&b->last_hit, (unsigned)(r - b->ranges), __ATOMIC_RELAXED);
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
		b->unclaimed_reads++;
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
		b->unclaimed_writes++;
		b->last_unclaimed = unclaimed_at;
	}
	return all_claimed;
}

/* Make a bus without ranges. */
void bus_init(struct bus *b)
{
	*b = (struct bus){0};
}

/* Give [base, base + len) to a device; ops, ctx and name are kept, not copied.
 * Returns 0; ERR_INVAL (zero length, a missing function), ERR_RANGE (wraps), ERR_OVERLAP, ERR_FULL; nothing changed then.
 * Context: no access to this bus at the same time; not from a device's own read or write, unless the owner knows that
 * the bus does not touch a range after its device has returned (it does not). */
int bus_register(struct bus *b, uint64_t base, uint64_t len, const struct bus_ops *ops, void *ctx, const char *name)
{
	unsigned at;

	if (len == 0 || ops == NULL || ops->read == NULL || ops->write == NULL)
		return ERR_INVAL;
	if (range_wraps(base, len))
		return ERR_RANGE;
	at = upper_bound(b, base);
	if (at > 0 && range_overlaps(b->ranges[at - 1].base, b->ranges[at - 1].len, base, len))
		return ERR_OVERLAP;
	if (at < b->count && range_overlaps(b->ranges[at].base, b->ranges[at].len, base, len))
		return ERR_OVERLAP;
	if (b->count == BUS_MAX_RANGES)
		return ERR_FULL;
	for (unsigned i = b->count; i > at; i--)
		b->ranges[i] = b->ranges[i - 1];
	b->ranges[at] = (struct bus_range){.base = base, .len = len, .ops = ops, .ctx = ctx, .name = name};
	b->count++;
	return 0;
}

/* Take back the range that begins at base. Returns 0 or ERR_NOENT. Context: as bus_register(). */
int bus_unregister(struct bus *b, uint64_t base)
{
	unsigned above = upper_bound(b, base);

	if (above == 0 || b->ranges[above - 1].base != base)
		return ERR_NOENT;
	b->count--;
	for (unsigned i = above - 1; i < b->count; i++)
		b->ranges[i] = b->ranges[i + 1];
	return 0;
}

/* Read `size` (1..8) bytes at addr into the low bytes of *value; the rest of it is 0.
 * Returns true when every byte had an owner. */
bool bus_read(struct bus *b, uint64_t addr, unsigned size, uint64_t *value)
{
	struct bus_range *r;

	assert(size - 1 < 8);
	r = lookup_whole(b, addr, size);
	if (unlikely(r == NULL))
		return read_split(b, addr, size, value);
	r->reads++;
	*value = r->ops->read(r->ctx, addr - r->base, size) & size_mask(size);
	return true;
}

/* Write the low `size` (1..8) bytes of value at addr. Returns true when every byte had an owner. */
bool bus_write(struct bus *b, uint64_t addr, unsigned size, uint64_t value)
{
	struct bus_range *r;

	assert(size - 1 < 8);
	r = lookup_whole(b, addr, size);
	if (unlikely(r == NULL))
		return write_split(b, addr, size, value);
	r->writes++;
	r->ops->write(r->ctx, addr - r->base, size, value & size_mask(size));
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
