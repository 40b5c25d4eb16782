/* Building page tables: see pagetable.h. One function walks: entry_of() goes down to the entry that decides about an address,
 * be it a page or a hole; everything else steps from one such entry to the next. */
#include "arch/x86/pagetable.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_U BIT64(2)
#define PTE_PWT BIT64(3)
#define PTE_PCD BIT64(4)
#define PTE_A BIT64(5)
#define PTE_D BIT64(6)
#define PTE_PS BIT64(7)     /* a page, at level 1 and 2 */
#define PTE_PAT_4K BIT64(7) /* at level 0 */
#define PTE_G BIT64(8)
#define PTE_PAT_BIG BIT64(12) /* at level 1 and 2 */
#define PTE_NX BIT64(63)
#define PTE_ADDR 0x000ffffffffff000ull

#define ENTRIES 512u
#define LEVELS 4u      /* level 0 holds 4 KiB pages, level 3 is the root */
#define HALF BIT64(47) /* addresses below it, and those that are as far from the top, are canonical */

/* A table's entry restricts nothing: the page's own entry decides. Accessed, so that the processor need not write it. */
#define TABLE_BITS (PTE_P | PTE_W | PTE_A)

static uint64_t level_bytes(unsigned level)
{
	return BIT64(12 + 9 * level);
}

static unsigned index_at(uint64_t va, unsigned level)
{
	return va >> (12 + 9 * level) & (ENTRIES - 1);
}

static bool is_leaf(uint64_t entry, unsigned level)
{
	return level == 0 || (level <= 2 && (entry & PTE_PS) != 0);
}

static uint64_t *table_at(const struct pagetable *pt, uint64_t entry)
{
	return pt->pages->hva_of(pt->pages->ctx, entry & PTE_ADDR);
}

static uint64_t load(const uint64_t *entry)
{
	return __atomic_load_n(entry, __ATOMIC_RELAXED);
}

/* Whole, and after everything that went into what it points to: another CPU may walk these tables. */
static void store(uint64_t *entry, uint64_t v)
{
	__atomic_store_n(entry, v, __ATOMIC_RELEASE);
}

static uint64_t *new_table(struct pagetable *pt)
{
	uint64_t *table = pt->pages->alloc(pt->pages->ctx, 0);

	if (table) {
		memset(table, 0, PAGE_SIZE);
		pt->tables++;
	}
	return table;
}

static void link_table(const struct pagetable *pt, uint64_t *entry, const uint64_t *table)
{
	store(entry, pt->pages->hpa_of(pt->pages->ctx, table) | TABLE_BITS);
}

/* The entry that decides about va: a page's, or an empty one. *level: where it stands. */
static uint64_t *entry_of(const struct pagetable *pt, uint64_t va, unsigned *level)
{
	uint64_t *table = pt->root;

	for (*level = LEVELS - 1;; (*level)--) {
		uint64_t *entry = &table[index_at(va, *level)];
		uint64_t v = load(entry);

		if ((v & PTE_P) == 0 || is_leaf(v, *level))
			return entry;
		table = table_at(pt, v);
	}
}

/* Bytes from va to the end of what its entry covers. */
static uint64_t rest_of(uint64_t va, unsigned level)
{
	return level_bytes(level) - (va & (level_bytes(level) - 1));
}

static uint64_t leaf_bits(unsigned level, unsigned prot, enum pt_cache cache)
{
	/* Accessed and dirty from the start: nobody asks, and the processor need not write them. */
	uint64_t bits = PTE_P | PTE_A | PTE_D | PTE_G;

	bits |= prot & PT_W ? PTE_W : 0;
	bits |= prot & PT_X ? 0 : PTE_NX;
	bits |= cache & 1 ? PTE_PWT : 0;
	bits |= cache & 2 ? PTE_PCD : 0;
	bits |= cache & 4 ? (level == 0 ? PTE_PAT_4K : PTE_PAT_BIG) : 0;
	return bits | (level == 0 ? 0 : PTE_PS);
}

static uint64_t leaf_hpa(uint64_t entry, unsigned level)
{
	return entry & PTE_ADDR & ~(level_bytes(level) - 1);
}

static void describe(uint64_t va, uint64_t entry, unsigned level, struct pt_leaf *out)
{
	uint64_t pat = level == 0 ? PTE_PAT_4K : PTE_PAT_BIG;

	*out = (struct pt_leaf){
		.va = va & ~(level_bytes(level) - 1),
		.hpa = leaf_hpa(entry, level),
		.bytes = level_bytes(level),
		.prot = (entry & PTE_W ? PT_W : 0u) | (entry & PTE_NX ? 0u : PT_X),
		.cache = (entry & PTE_PWT ? 1u : 0u) | (entry & PTE_PCD ? 2u : 0u) | (entry & pat ? 4u : 0u),
		.entry = entry,
	};
}

/* A range that one may map: whole pages, all in one half of the canonical addresses. */
static int check_range(uint64_t va, uint64_t len)
{
	if (!IS_ALIGNED(va | len, PAGE_SIZE))
		return ERR_ALIGN;
	if (range_contains(0, HALF, va, len) || range_contains(-HALF, HALF, va, len))
		return 0;
	return ERR_RANGE;
}

/* Make an empty table of pages. pages: must outlive it. Returns 0 or ERR_NOMEM. */
int pt_init(struct pagetable *pt, const struct page_source *pages, bool pages_1g)
{
	*pt = (struct pagetable){.pages = pages, .pages_1g = pages_1g};
	pt->root = new_table(pt);
	if (!pt->root)
		return ERR_NOMEM;
	pt->root_hpa = pages->hpa_of(pages->ctx, pt->root);
	return 0;
}

static void free_tables(struct pagetable *pt, uint64_t *table, unsigned level)
{
	for (unsigned i = 0; i < ENTRIES && level > 0; i++) {
		if ((table[i] & PTE_P) != 0 && !is_leaf(table[i], level))
			free_tables(pt, table_at(pt, table[i]), level - 1);
	}
	pt->pages->free(pt->pages->ctx, table, 0);
	pt->tables--;
}

/* Give all tables back; what they mapped is not touched. Context: no CPU uses them. */
void pt_destroy(struct pagetable *pt)
{
	free_tables(pt, pt->root, LEVELS - 1);
	pt->root = NULL;
}

static bool leaf_fits(const struct pagetable *pt, unsigned level, uint64_t va, uint64_t hpa, uint64_t len)
{
	unsigned highest = pt->pages_1g ? 2 : 1;

	return level <= highest && IS_ALIGNED(va | hpa, level_bytes(level)) && len >= level_bytes(level);
}

/* Put the largest page that fits at va, where there is a hole. Returns its size, or 0: no memory for a table. */
static uint64_t map_one(struct pagetable *pt, uint64_t va, uint64_t hpa, uint64_t len, unsigned prot,
			enum pt_cache cache)
{
	unsigned level;
	uint64_t *entry = entry_of(pt, va, &level);

	assert((load(entry) & PTE_P) == 0);
	while (!leaf_fits(pt, level, va, hpa, len)) {
		uint64_t *table = new_table(pt);

		if (!table)
			return 0;
		link_table(pt, entry, table);
		level--;
		entry = &table[index_at(va, level)];
	}
	store(entry, hpa | leaf_bits(level, prot, cache));
	return level_bytes(level);
}

static bool is_hole(const struct pagetable *pt, uint64_t va, uint64_t len)
{
	for (uint64_t done = 0; done < len;) {
		unsigned level;

		if ((load(entry_of(pt, va + done, &level)) & PTE_P) != 0)
			return false;
		done += rest_of(va + done, level);
	}
	return true;
}

static void clear(struct pagetable *pt, uint64_t va, uint64_t len)
{
	for (uint64_t done = 0; done < len;) {
		unsigned level;
		uint64_t *entry = entry_of(pt, va + done, &level);

		store(entry, 0);
		done += rest_of(va + done, level);
	}
}

/* Map [va, va + len) to [hpa, hpa + len), by the largest pages that fit.
 * va, hpa, len: multiples of 4 KiB. len 0 maps nothing.
 * Returns 0; ERR_ALIGN; ERR_RANGE (not canonical, or hpa beyond 52 bits); ERR_OVERLAP (something is mapped there);
 * ERR_NOMEM. On an error nothing is mapped that was not before; tables made on the way stay for the next attempt. */
int pt_map(struct pagetable *pt, uint64_t va, uint64_t hpa, uint64_t len, unsigned prot, enum pt_cache cache)
{
	int err = check_range(va, len);

	if (err)
		return err;
	if (!IS_ALIGNED(hpa, PAGE_SIZE))
		return ERR_ALIGN;
	if (!range_below(hpa, len, BIT64(52)))
		return ERR_RANGE;
	if (!is_hole(pt, va, len))
		return ERR_OVERLAP;
	for (uint64_t done = 0; done < len;) {
		uint64_t bytes = map_one(pt, va + done, hpa + done, len - done, prot, cache);

		if (bytes == 0) {
			clear(pt, va, done);
			return ERR_NOMEM;
		}
		done += bytes;
	}
	return 0;
}

/* Map what is not mapped yet; what is already there stays as it is, and must lead to the same memory in the same way.
 * Parameters as pt_map(). Returns 0; ERR_ALIGN, ERR_RANGE; ERR_OVERLAP: something else is mapped there (what stands before
 * it has been mapped); ERR_NOMEM. */
int pt_fill(struct pagetable *pt, uint64_t va, uint64_t hpa, uint64_t len, unsigned prot, enum pt_cache cache)
{
	int err = check_range(va, len);

	for (uint64_t done = 0; err == 0 && done < len;) {
		struct pt_leaf at;
		uint64_t bytes;

		if (pt_lookup(pt, va + done, &at) == 0) {
			if (at.hpa + (va + done - at.va) != hpa + done || at.cache != cache)
				return ERR_OVERLAP;
			done += at.va + at.bytes - (va + done);
			continue;
		}
		/* Holes go up to the end of what their entry covers: join them, so that large pages can be used. */
		for (bytes = 0; bytes < len - done && pt_lookup(pt, va + done + bytes, &at) != 0;)
			bytes += at.va + at.bytes - (va + done + bytes);
		if (bytes > len - done)
			bytes = len - done;
		err = pt_map(pt, va + done, hpa + done, bytes, prot, cache);
		done += bytes;
	}
	return err;
}

/* Divide a page that contains va but does not begin there into those of the next level. */
static int split_once(struct pagetable *pt, uint64_t va, uint64_t *entry, unsigned level)
{
	uint64_t *table = new_table(pt);
	uint64_t old = load(entry);
	struct pt_leaf leaf;

	if (!table)
		return ERR_NOMEM;
	describe(va, old, level, &leaf);
	for (uint64_t i = 0; i < ENTRIES; i++)
		table[i] = (leaf.hpa + i * level_bytes(level - 1)) | leaf_bits(level - 1, leaf.prot, leaf.cache);
	link_table(pt, entry, table);
	return 0;
}

/* No page lies across va afterwards. */
static int split_at(struct pagetable *pt, uint64_t va)
{
	for (;;) {
		unsigned level;
		uint64_t *entry = entry_of(pt, va, &level);

		if ((load(entry) & PTE_P) == 0 || IS_ALIGNED(va, level_bytes(level)))
			return 0;
		if (split_once(pt, va, entry, level) != 0)
			return ERR_NOMEM;
	}
}

static int split_ends(struct pagetable *pt, uint64_t va, uint64_t len)
{
	int err = check_range(va, len);

	if (err)
		return err;
	if (len == 0)
		return 0;
	err = split_at(pt, va);
	/* Where the half ends there is no page to divide, and no canonical address to ask with. */
	if (err == 0 && check_range(va, len + PAGE_SIZE) == 0)
		err = split_at(pt, va + len);
	return err;
}

/* Take away what is mapped in [va, va + len); holes are no error. Large pages are divided where the range ends in them.
 * Returns 0; ERR_ALIGN, ERR_RANGE; ERR_NOMEM: no table to divide a page; nothing is unmapped then. */
int pt_unmap(struct pagetable *pt, uint64_t va, uint64_t len)
{
	int err = split_ends(pt, va, len);

	if (err == 0)
		clear(pt, va, len);
	return err;
}

/* Give what is mapped in [va, va + len) other rights; holes stay holes. Returns as pt_unmap(). */
int pt_protect(struct pagetable *pt, uint64_t va, uint64_t len, unsigned prot)
{
	int err = split_ends(pt, va, len);

	for (uint64_t done = 0; err == 0 && done < len;) {
		unsigned level;
		uint64_t *entry = entry_of(pt, va + done, &level);
		struct pt_leaf leaf;

		if ((load(entry) & PTE_P) != 0) {
			describe(va + done, load(entry), level, &leaf);
			store(entry, leaf.hpa | leaf_bits(level, prot, leaf.cache));
		}
		done += rest_of(va + done, level);
	}
	return err;
}

/* What is mapped at va, any address. Returns 0; ERR_NOENT: nothing; out->va and bytes then tell the hole that was met (the
 * next may be a hole too). */
int pt_lookup(const struct pagetable *pt, uint64_t va, struct pt_leaf *out)
{
	unsigned level;
	uint64_t entry;

	if (!range_has(0, HALF, va) && !range_has(-HALF, HALF, va)) {
		*out = (struct pt_leaf){.va = HALF, .bytes = -HALF - HALF};
		return ERR_NOENT;
	}
	entry = load(entry_of(pt, va, &level));
	describe(va, entry, level, out);
	if ((entry & PTE_P) != 0)
		return 0;
	*out = (struct pt_leaf){.va = out->va, .bytes = out->bytes};
	return ERR_NOENT;
}

/* base: what the table's first entry decides about. */
static int visit_table(const struct pagetable *pt, const uint64_t *table, unsigned level, uint64_t base,
		       pt_visit_fn *visit, void *ctx)
{
	for (uint64_t i = 0; i < ENTRIES; i++) {
		uint64_t entry = load(&table[i]);
		uint64_t va = base + i * level_bytes(level);
		struct pt_leaf leaf;
		int result;

		if ((entry & PTE_P) == 0)
			continue;
		if (level == LEVELS - 1 && va >= HALF)
			va -= 2 * HALF; /* the upper half's addresses end at 2^64 */
		if (is_leaf(entry, level)) {
			describe(va, entry, level, &leaf);
			result = visit(ctx, &leaf);
		} else {
			result = visit_table(pt, table_at(pt, entry), level - 1, va, visit, ctx);
		}
		if (result != 0)
			return result;
	}
	return 0;
}

int pt_for_each(const struct pagetable *pt, pt_visit_fn *visit, void *ctx)
{
	return visit_table(pt, pt->root, LEVELS - 1, 0, visit, ctx);
}

struct wx_check {
	const struct pt_text *text;
	struct pt_leaf *offender;
};

static int check_leaf(void *ctx, const struct pt_leaf *leaf)
{
	const struct wx_check *c = ctx;
	const struct pt_text *text = c->text;
	bool good = (leaf->entry & PTE_U) == 0;

	if ((leaf->prot & PT_X) != 0)
		good &= (leaf->prot & PT_W) == 0 && range_contains(text->va, text->bytes, leaf->va, leaf->bytes);
	if ((leaf->prot & PT_W) != 0)
		good &= !range_overlaps(text->hpa, text->bytes, leaf->hpa, leaf->bytes);
	if (good)
		return 0;
	*c->offender = *leaf;
	return ERR_FAULT;
}

int pt_check_wx(const struct pagetable *pt, const struct pt_text *text, struct pt_leaf *offender)
{
	struct wx_check c = {text, offender};

	return pt_for_each(pt, check_leaf, &c);
}
