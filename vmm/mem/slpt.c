/* The second-level page-table builder. It knows a radix tree of 512-entry tables and nothing of a vendor: bits come from
 * struct slpt_format. After SDM 3 "EPT Translation Mechanism" (29.3.2).
 *
 * When cached translations must go (SDM 3 "Caching Translation Information", "Guidelines for Use of the INVEPT
 * Instruction", 29.4): processors cache nothing about an entry that is not present, so an entry that appears where none
 * was needs no invalidation; an entry that was present and now differs - or is gone, or now points to a table - may
 * still be used from a cache, and so the generation rises: entry_add() asserts the first, entry_clear() and entry_changed() note
 * the second, and no function begins while one is due. A misconfigured entry is never cached either; this builder
 * makes none, so that an EPT-misconfiguration exit means a bug of ours.
 *
 * No table but the root is ever empty. It makes "unmap" the exact reverse of "map". */
#include "vmm/mem/slpt.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "vmm/mem/slpt_tree.h"

/* A table that is borrowed stands at this level: it maps 1 GiB. */
#define BORROW_LEVEL 2u

/* Where a walk over a range stands; moves on as leaves are written. */
struct map_cursor {
	uint64_t gpa;
	uint64_t end; /* exclusive */
	uint64_t hpa;
	uint64_t bits; /* of each leaf */
};

static bool table_is_empty(const uint64_t *table)
{
	for (unsigned i = 0; i < SLPT_ENTRIES; i++)
		if (table[i])
			return false;
	return true;
}

/* The same for a table of the last level, which most of a small guest's memory goes through. */
static bool leaves_are_free(const struct slpt *s, const uint64_t *table, uint64_t gpa, uint64_t end)
{
	const uint64_t *e = &table[entry_index(gpa, 0)];
	size_t count = (end - gpa) / PAGE_SIZE;
	uint64_t any = 0;

	for (; count >= 8; count -= 8, e += 8)
		any |= e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];
	while (count > 0)
		any |= e[--count];
	return !is_present(s, any);
}

static bool range_is_free(const struct slpt *s, const uint64_t *table, unsigned level, uint64_t gpa, uint64_t end)
{
	if (level == 0)
		return leaves_are_free(s, table, gpa, end);
	while (gpa < end) {
		uint64_t next = step_end(gpa, end, level);
		const uint64_t *at = &table[entry_index(gpa, level)];
		uint64_t entry = *at;

		if (is_present(s, entry)) {
			if (is_leaf(s, entry, level) || at == s->borrowed)
				return false;
			if (!range_is_free(s, entry_table(s, entry), level - 1, gpa, next))
				return false;
		}
		gpa = next;
	}
	return true;
}

static bool leaf_fits(const struct slpt *s, const struct map_cursor *c, unsigned level)
{
	uint64_t size = level_size(level);

	return leaf_allowed(s, level) && IS_ALIGNED(c->gpa | c->hpa, size) && c->end - c->gpa >= size;
}

static void map_leaves(uint64_t *table, struct map_cursor *c, uint64_t end)
{
	uint64_t *entry = &table[entry_index(c->gpa, 0)];
	size_t count = (end - c->gpa) / PAGE_SIZE;
	uint64_t value = c->hpa | c->bits;

	c->hpa += end - c->gpa;
	c->gpa = end;
	for (; count >= 8; count -= 8, entry += 8, value += 8 * PAGE_SIZE) {
#pragma GCC unroll 8
		for (unsigned i = 0; i < 8; i++)
			entry_store(&entry[i], value + i * PAGE_SIZE);
	}
	for (size_t i = 0; i < count; i++)
		entry_store(&entry[i], value + i * PAGE_SIZE);
}

/* Fills the part of the cursor's range that lies under this table. */
static int map_table(struct slpt *s, uint64_t *table, unsigned level, struct map_cursor *c)
{
	uint64_t table_end = step_end(c->gpa, c->end, level + 1);

	if (level == 0) {
		map_leaves(table, c, table_end);
		return 0;
	}
	while (c->gpa < table_end) {
		uint64_t *entry = &table[entry_index(c->gpa, level)];

		if (leaf_fits(s, c, level)) {
			entry_add(s, entry, c->hpa | c->bits | s->format->leaf_bit);
			c->gpa += level_size(level);
			c->hpa += level_size(level);
			continue;
		}
		if (!is_present(s, *entry)) {
			uint64_t *child = table_new(s);

			if (!child)
				return ERR_NOMEM;
			entry_add(s, entry, table_entry(s, child));
		}
		int err = map_table(s, entry_table(s, *entry), level - 1, c);
		if (err)
			return err;
	}
	return 0;
}

/* Clears what is present in a range whose edges cut no leaf, and gives back each table that became empty. */
static void clear_table(struct slpt *s, uint64_t *table, unsigned level, uint64_t gpa, uint64_t end)
{
	while (gpa < end) {
		uint64_t next = step_end(gpa, end, level);
		uint64_t *entry = &table[entry_index(gpa, level)];

		if (is_present(s, *entry) && is_leaf(s, *entry, level)) {
			entry_clear(s, entry);
		} else if (is_present(s, *entry)) {
			uint64_t *child = entry_table(s, *entry);

			assert(entry != s->borrowed);
			clear_table(s, child, level - 1, gpa, next);
			if (next - gpa == level_size(level) || table_is_empty(child)) {
				entry_clear(s, entry);
				table_release(s, child);
			}
		}
		gpa = next;
	}
}

/* Makes an empty tree.
 * format, pages: must outlive the tree; pages gives 4 KiB pages (order 0) below the format's host width.
 * Returns 0; ERR_INVAL when the format contradicts itself; ERR_NOMEM. */
COLD int slpt_init(struct slpt *s, const struct slpt_format *format, const struct page_source *pages)
{
	*s = (struct slpt){.format = format, .pages = pages};
	if (format->levels < 3 || format->levels > SLPT_MAX_LEVELS || format->leaf_levels == 0 ||
	    (format->leaf_levels & (format->leaf_levels + 1)) || format->leaf_levels >= BIT32(format->levels) ||
	    format->gpa_bits > level_shift(format->levels) || format->hpa_bits > 52)
		return ERR_INVAL;
	s->root = table_new(s);
	if (!s->root)
		return ERR_NOMEM;
	s->root_hpa = pages->hpa_of(pages->ctx, s->root);
	return 0;
}

/* The first entry from i on that is not zero, or SLPT_ENTRIES. Tables are mostly empty. */
static unsigned next_used(const uint64_t *table, unsigned i)
{
	while (i < SLPT_ENTRIES) {
		const uint64_t *t = &table[i];

		if (i % 8 == 0 && (t[0] | t[1] | t[2] | t[3] | t[4] | t[5] | t[6] | t[7]) == 0)
			i += 8;
		else if (t[0] == 0)
			i++;
		else
			break;
	}
	return i;
}

static void release_tables(struct slpt *s, uint64_t *table, unsigned level)
{
	if (level > 0)
		for (unsigned i = 0; (i = next_used(table, i)) < SLPT_ENTRIES; i++)
			if (is_present(s, table[i]) && !is_leaf(s, table[i], level) && &table[i] != s->borrowed)
				release_tables(s, entry_table(s, table[i]), level - 1);
	table_release(s, table);
}

/* Gives every table back. What the leaves map is not touched. Harmless on a tree whose init failed.
 * Context: no processor uses the tree, nor will without an invalidation. */
COLD void slpt_destroy(struct slpt *s)
{
	if (!s->root)
		return;
	release_tables(s, s->root, root_level(s));
	assert(s->table_count == 0);
	s->root = NULL;
}

/* Maps guest-physical pages onto host-physical pages, with the largest leaves that alignment and format allow.
 * gpa, hpa: bytes, 4 KiB aligned.  len: bytes, a multiple of 4 KiB, not 0.
 * Returns 0; ERR_ALIGN; ERR_RANGE (beyond the guest's or the host's width, or wrapping); ERR_INVAL (len 0, or rights
 * or type that the format cannot express, such as write without read); ERR_OVERLAP; ERR_NOMEM. On an error nothing is
 * mapped that was not before, though after ERR_NOMEM the generation may have risen.
 * Context: the guest may run; the caller serialises changes of one tree. */
int slpt_map_range(struct slpt *s, uint64_t gpa, uint64_t hpa, uint64_t len, enum slpt_prot prot, enum memtype memtype)
{
	const struct slpt_format *f = s->format;
	int err = check_span(gpa, len, f->gpa_bits);

	if (!err)
		err = check_span(hpa, len, f->hpa_bits);
	if (err)
		return err;
	if (prot == SLPT_NONE || (unsigned)prot >= SLPT_PROT_COUNT || f->prot_bits[prot] == SLPT_UNENCODABLE ||
	    (unsigned)memtype >= MEMTYPE_COUNT || f->memtype_bits[memtype] == SLPT_UNENCODABLE)
		return ERR_INVAL;
	if (!range_is_free(s, s->root, root_level(s), gpa, gpa + len))
		return ERR_OVERLAP;

	struct map_cursor c = {
		.gpa = gpa, .end = gpa + len, .hpa = hpa, .bits = f->prot_bits[prot] | f->memtype_bits[memtype]};
	change_begin(s);
	err = map_table(s, s->root, root_level(s), &c);
	if (err)
		clear_table(s, s->root, root_level(s), gpa, gpa + len); /* it was free: all there is in it is ours */
	change_end(s);
	return err;
}

/* Removes whatever is mapped in a range, splitting leaves that cross its edges; holes are allowed.
 * gpa, len: as for slpt_map_range.
 * Returns 0; ERR_ALIGN, ERR_RANGE, ERR_INVAL, ERR_NOMEM (a leaf had to be split): nothing changed.
 * Context: no processor is inside the guest, since tables are freed at once; each invalidates before it enters again
 * because the generation has risen. */
COLD int slpt_unmap_range(struct slpt *s, uint64_t gpa, uint64_t len)
{
	int err = check_span(gpa, len, s->format->gpa_bits);

	if (err)
		return err;
	change_begin(s);
	err = slpt_split_edges(s, gpa, gpa + len);
	if (!err)
		clear_table(s, s->root, root_level(s), gpa, gpa + len);
	change_end(s);
	return err;
}

/* Hangs a table of another tree into this one: that which maps the 1 GiB around gpa there does so here, too. One at a time.
 * from: stays as it is until the table has been returned and no processor uses s any more. It maps gpa, by a smaller leaf.
 * Returns 0; ERR_OVERLAP: something is mapped there; ERR_NOENT: nothing within 512 GiB of it is.
 * Context: the guest may run; the caller serialises changes of one tree. */
COLD int slpt_borrow(struct slpt *s, const struct slpt *from, uint64_t gpa)
{
	const uint64_t *table = from->root;
	unsigned level;
	uint64_t *entry = find_entry(s, gpa, &level);

	if (is_present(s, *entry) || level < BORROW_LEVEL || s->borrowed != NULL)
		return ERR_OVERLAP;
	if (level > BORROW_LEVEL)
		return ERR_NOENT;
	for (level = root_level(from); level > BORROW_LEVEL; level--)
		table = entry_table(from, table[entry_index(gpa, level)]);
	table = entry_table(from, table[entry_index(gpa, BORROW_LEVEL)]);
	entry_add(s, entry, table_entry(s, table));
	s->borrowed = entry;
	return 0;
}

/* Takes the borrowed table out again. Other processors may use it until they have invalidated.
 * Context: as slpt_borrow(); a table has been borrowed. */
COLD void slpt_return(struct slpt *s)
{
	assert(s->borrowed != NULL);
	change_begin(s);
	entry_clear(s, s->borrowed);
	s->borrowed = NULL;
	change_end(s);
}

static void leaf_decode(const struct slpt *s, uint64_t entry, uint64_t gpa, unsigned level, struct slpt_leaf *leaf)
{
	const struct slpt_format *f = s->format;

	*leaf = (struct slpt_leaf){.gpa = ALIGN_DOWN(gpa, level_size(level)),
				   .hpa = entry_hpa(s, entry, level),
				   .size = level_size(level),
				   .entry = entry};
	for (unsigned prot = 0; prot < SLPT_PROT_COUNT; prot++)
		if (f->prot_bits[prot] != SLPT_UNENCODABLE && (entry & f->prot_mask) == f->prot_bits[prot])
			leaf->prot = (enum slpt_prot)prot;
	for (unsigned type = 0; type < MEMTYPE_COUNT; type++)
		if (f->memtype_bits[type] != SLPT_UNENCODABLE && (entry & f->memtype_mask) == f->memtype_bits[type])
			leaf->memtype = (enum memtype)type;
}

/* What maps an address.
 * gpa: any.  leaf: filled on success; its fields speak of the whole page, so gpa maps to leaf->hpa + (gpa - leaf->gpa).
 * Returns 0; ERR_RANGE beyond the guest's width; ERR_NOENT when nothing maps it. */
int slpt_lookup(const struct slpt *s, uint64_t gpa, struct slpt_leaf *leaf)
{
	unsigned level;

	if (gpa >= BIT64(s->format->gpa_bits))
		return ERR_RANGE;

	uint64_t entry = *find_entry(s, gpa, &level);
	if (!is_present(s, entry))
		return ERR_NOENT;
	leaf_decode(s, entry, gpa, level, leaf);
	return 0;
}

COLD static int visit_table(const struct slpt *s, const uint64_t *table, unsigned level, uint64_t base,
			    slpt_leaf_fn *fn, void *ctx)
{
	for (unsigned i = 0; i < SLPT_ENTRIES; i++) {
		uint64_t gpa = base + i * level_size(level);
		struct slpt_leaf leaf;
		int err;

		if (!is_present(s, table[i]))
			continue;
		if (is_leaf(s, table[i], level)) {
			leaf_decode(s, table[i], gpa, level, &leaf);
			err = fn(ctx, &leaf);
		} else {
			err = visit_table(s, entry_table(s, table[i]), level - 1, gpa, fn, ctx);
		}
		if (err)
			return err;
	}
	return 0;
}

/* Calls fn for each leaf in ascending order until it returns other than 0, and returns that; 0 at the end. */
int slpt_for_each_leaf(const struct slpt *s, slpt_leaf_fn *fn, void *ctx)
{
	return visit_table(s, s->root, root_level(s), 0, fn, ctx);
}
