/* Inside the second-level builder only: the geometry of the tree and the handling of single entries, shared by the files
 * slpt*.c. After SDM 3 "EPT Translation Mechanism" (29.3.2).
 *
 *   gpa  | 47..39 | 38..30 | 29..21 | 20..12 | 11..0 |
 *   level    3        2        1        0
 *                   1 GiB    2 MiB    4 KiB  leaves */
#pragma once

#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "vmm/mem/slpt.h"

static inline unsigned level_shift(unsigned level)
{
	return PAGE_SHIFT + 9u * level;
}

static inline uint64_t level_size(unsigned level)
{
	return BIT64(level_shift(level));
}

static inline unsigned root_level(const struct slpt *s)
{
	return s->format->levels - 1;
}

static inline unsigned entry_index(uint64_t gpa, unsigned level)
{
	return (unsigned)(gpa >> level_shift(level)) & (SLPT_ENTRIES - 1);
}

/* The first address after the page or table at this level that holds gpa, but not beyond end. */
static inline uint64_t step_end(uint64_t gpa, uint64_t end, unsigned level)
{
	uint64_t next = ALIGN_DOWN(gpa, level_size(level)) + level_size(level);

	return next < end ? next : end;
}

static inline bool is_present(const struct slpt *s, uint64_t entry)
{
	return (entry & s->format->present_mask) != 0;
}

static inline bool is_leaf(const struct slpt *s, uint64_t entry, unsigned level)
{
	return level == 0 || (entry & s->format->leaf_bit) != 0;
}

static inline bool leaf_allowed(const struct slpt *s, unsigned level)
{
	return (s->format->leaf_levels & BIT32(level)) != 0;
}

static inline uint64_t entry_hpa(const struct slpt *s, uint64_t entry, unsigned level)
{
	return entry & s->format->addr_mask & ~(level_size(level) - 1);
}

static inline uint64_t *entry_table(const struct slpt *s, uint64_t entry)
{
	return s->pages->hva_of(s->pages->ctx, entry & s->format->addr_mask);
}

/* One store: a processor that walks the table meanwhile sees the old entry or the new one, and all of a new table. */
static inline void entry_store(uint64_t *entry, uint64_t value)
{
	__atomic_store_n(entry, value, __ATOMIC_RELEASE);
}

/* Where none was: nobody has cached anything about it. */
static inline void entry_add(const struct slpt *s, uint64_t *entry, uint64_t value)
{
	assert(!is_present(s, *entry));
	entry_store(entry, value);
}

/* An entry that was present is another one, or none, from now on: the invalidation is due. */
static inline void entry_changed(struct slpt *s)
{
	s->due = true;
}

static inline void entry_clear(struct slpt *s, uint64_t *entry)
{
	entry_store(entry, 0);
	entry_changed(s);
}

/* Each function that changes a tree begins and ends so: none leaves an invalidation that is due to the next. */
static inline void change_begin(const struct slpt *s)
{
	assert(!s->due);
}

static inline void change_end(struct slpt *s)
{
	if (!s->due)
		return;
	s->due = false;
	__atomic_store_n(&s->generation, s->generation + 1, __ATOMIC_RELEASE);
	if (s->changed != NULL)
		s->changed(s->ctx);
}

static inline uint64_t *table_new(struct slpt *s)
{
	uint64_t *table = page_source_zeroed(s->pages, 0);

	if (table)
		s->table_count++;
	return table;
}

static inline void table_release(struct slpt *s, uint64_t *table)
{
	s->table_count--;
	s->pages->free(s->pages->ctx, table, 0);
}

static inline uint64_t table_entry(const struct slpt *s, const uint64_t *table)
{
	return s->pages->hpa_of(s->pages->ctx, table) | s->format->table_bits;
}

/* The entry that maps gpa, or the first one on the way that is not present. */
static inline uint64_t *find_entry(const struct slpt *s, uint64_t gpa, unsigned *level)
{
	uint64_t *table = s->root;

	for (*level = root_level(s);; (*level)--) {
		uint64_t *entry = &table[entry_index(gpa, *level)];

		if (!is_present(s, *entry) || is_leaf(s, *entry, *level))
			return entry;
		table = entry_table(s, *entry);
	}
}

/* The checks that every address range of an operation must pass: aligned, not empty, inside a space of so many bits. */
static inline int check_span(uint64_t addr, uint64_t len, unsigned bits)
{
	if (!IS_ALIGNED(addr, PAGE_SIZE) || !IS_ALIGNED(len, PAGE_SIZE))
		return ERR_ALIGN;
	if (len == 0)
		return ERR_INVAL;
	if (addr >= BIT64(bits) || len > BIT64(bits) - addr)
		return ERR_RANGE;
	return 0;
}

int slpt_split_edges(struct slpt *s, uint64_t gpa, uint64_t end);
