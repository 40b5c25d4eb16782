/* Makes the list of free page ranges out of the firmware's memory map (ACPI "System Address Map Interfaces") and our own
 * reservations. Firmware maps overlap, contradict themselves, and have entries of no length or beyond the processor's
 * reach; the rule is that whoever says "reserved" is believed. Pure. */
#include "kernel/memmap.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

static void remove_at(struct memmap *m, size_t i, size_t count)
{
	memmove(&m->ranges[i], &m->ranges[i + count], (m->count - i - count) * sizeof(m->ranges[0]));
	m->count -= count;
}

static int insert_at(struct memmap *m, size_t i, uint64_t base, uint64_t end)
{
	if (m->count == MEMMAP_MAX_RANGES)
		return ERR_FULL;
	memmove(&m->ranges[i + 1], &m->ranges[i], (m->count - i) * sizeof(m->ranges[0]));
	m->ranges[i] = (struct phys_range){.base = base, .len = end - base};
	m->count++;
	return 0;
}

static uint64_t end_of(const struct phys_range *r)
{
	return r->base + r->len;
}

/* Unite [base, end) with the list; ranges that touch become one. */
static int add_range(struct memmap *m, uint64_t base, uint64_t end)
{
	size_t first = 0;
	size_t last;

	while (first < m->count && end_of(&m->ranges[first]) < base)
		first++;
	for (last = first; last < m->count && m->ranges[last].base <= end; last++) {
		if (m->ranges[last].base < base)
			base = m->ranges[last].base;
		if (end_of(&m->ranges[last]) > end)
			end = end_of(&m->ranges[last]);
	}
	remove_at(m, first, last - first);
	return insert_at(m, first, base, end);
}

/* Take [base, end) out of the list. */
static int cut_range(struct memmap *m, uint64_t base, uint64_t end)
{
	for (size_t i = 0; i < m->count;) {
		struct phys_range *r = &m->ranges[i];
		uint64_t r_end = end_of(r);

		if (r_end <= base || r->base >= end) {
			i++;
		} else if (r->base < base) {
			r->len = base - r->base;
			i++;
			if (r_end > end) /* the hole is inside: the rest becomes a range of its own */
				return insert_at(m, i, end, r_end);
		} else if (r_end > end) {
			r->base = end;
			r->len = r_end - end;
			i++;
		} else {
			remove_at(m, i, 1);
		}
	}
	return 0;
}

/* Take the pages out that [base, base + len) touches. A range that wraps reaches up to the top. */
static int cut_pages(struct memmap *m, uint64_t base, uint64_t len, uint64_t limit)
{
	uint64_t last;

	if (len == 0 || base >= limit)
		return 0;
	last = range_last(base, len);
	if (last >= limit)
		last = limit - 1;
	return cut_range(m, ALIGN_DOWN(base, PAGE_SIZE), ALIGN_DOWN(last, PAGE_SIZE) + PAGE_SIZE);
}

/* RAM regions united, what lies at or above limit cut off. A RAM region that wraps is not believed at all. */
static int add_ram(struct memmap *m, const struct mem_region *r, uint64_t limit)
{
	uint64_t end;

	if (r->len == 0 || range_wraps(r->base, r->len))
		return 0;
	if (r->base >= limit) {
		m->clipped_bytes += r->len;
		return 0;
	}
	end = range_last(r->base, r->len) >= limit ? limit : r->base + r->len;
	m->clipped_bytes += r->len - (end - r->base);
	return add_range(m, r->base, end);
}

/* Only whole pages of RAM are any good. */
static void align_inward(struct memmap *m)
{
	size_t kept = 0;

	for (size_t i = 0; i < m->count; i++) {
		uint64_t base = ALIGN_UP(m->ranges[i].base, PAGE_SIZE);
		uint64_t end = ALIGN_DOWN(end_of(&m->ranges[i]), PAGE_SIZE);

		if (base < end)
			m->ranges[kept++] = (struct phys_range){.base = base, .len = end - base};
	}
	m->count = kept;
}

static uint64_t sum_ranges(const struct memmap *m)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < m->count; i++)
		sum += m->ranges[i].len;
	return sum;
}

/* Build the list of free ranges.
 * regions: the firmware's map, any order, any contents.  reserved: what is in use, any order; may overlap.
 * phys_bits: width of a physical address, 32..52 (CPUID 0x80000008).
 * Returns 0; ERR_INVAL for phys_bits; ERR_FULL when the pieces are more than the table holds (it cannot be with up to
 * MEMMAP_MAX_RANGES regions and reservations together); ERR_NOMEM when nothing is free.
 * Context: any, pure.   Source: ACPI "System Address Map Interfaces". */
int memmap_build(struct memmap *map, const struct mem_region *regions, size_t region_count,
		 const struct phys_range *reserved, size_t reserved_count, unsigned phys_bits)
{
	uint64_t limit;
	int err = 0;

	if (phys_bits < 32 || phys_bits > 52)
		return ERR_INVAL;
	limit = 1ull << phys_bits;
	memset(map, 0, sizeof(*map));
	for (size_t i = 0; i < region_count && !err; i++)
		if (regions[i].type == MEM_RAM)
			err = add_ram(map, &regions[i], limit);
	for (size_t i = 0; i < region_count && !err; i++)
		if (regions[i].type != MEM_RAM)
			err = cut_pages(map, regions[i].base, regions[i].len, limit);
	if (err)
		return err;
	align_inward(map);
	map->ram_bytes = sum_ranges(map);
	map->end = map->count > 0 ? end_of(&map->ranges[map->count - 1]) : 0;
	for (size_t i = 0; i < reserved_count && !err; i++)
		err = cut_pages(map, reserved[i].base, reserved[i].len, limit);
	map->free_bytes = sum_ranges(map);
	if (!err && map->count == 0)
		err = ERR_NOMEM;
	return err;
}
