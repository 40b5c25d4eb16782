/* The second-level table builder against a flat model: an array that says, page by page, what should be mapped. The format
 * is Intel's, so that entries can also be read bit by bit as the manual draws them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "tests/fake/fake_pages.h"
#include "vmm/mem/slpt.h"
#include "vmm/vmx/ept_format.h"

#define CAP_ALL 0x00000f0106334141ull /* tigerlake as Bochs models it: 2M, 1G, execute-only, A/D */
#define HPA_BASE 0x40000000ull

struct fixture {
	struct fake_pages pages;
	struct slpt_format format;
	struct slpt s;
};

static struct fixture fx;

static void start_with(uint64_t cap, unsigned width, size_t pages)
{
	fake_pages_init(&fx.pages, pages, HPA_BASE);
	assert_int_equal(ept_format_init(&fx.format, cap, width), 0);
	assert_int_equal(slpt_init(&fx.s, &fx.format, &fx.pages.source), 0);
}

static void start(void)
{
	start_with(CAP_ALL, 40, 4096);
}

static void finish(void)
{
	slpt_destroy(&fx.s);
	assert_int_equal(fx.pages.pages_out, 0);
	fake_pages_destroy(&fx.pages);
}

/* The raw walk a processor would make, by the manual's figures and without the builder's help. */
static uint64_t raw_walk(uint64_t gpa, unsigned *level)
{
	uint64_t table = fx.s.root_hpa;

	for (*level = 3;; (*level)--) {
		const uint64_t *t = fx.pages.source.hva_of(&fx.pages, table);
		uint64_t e = t[(gpa >> (12 + 9 * *level)) & 511];

		if (!(e & 7) || *level == 0 || (e & 0x80))
			return e;
		assert_int_equal(e & ~0x000ffffffffff000ull, 7); /* tables carry all rights and nothing else */
		table = e & 0x000ffffffffff000ull;
	}
}

static void test_empty(void **state)
{
	struct slpt_leaf leaf;

	(void)state;
	start();
	assert_int_equal(fx.s.table_count, 1);
	assert_int_equal(slpt_lookup(&fx.s, 0, &leaf), ERR_NOENT);
	assert_int_equal(slpt_lookup(&fx.s, (1ull << 40) - 1, &leaf), ERR_NOENT);
	assert_int_equal(slpt_lookup(&fx.s, 1ull << 40, &leaf), ERR_RANGE);
	assert_int_equal(slpt_lookup(&fx.s, UINT64_MAX, &leaf), ERR_RANGE);
	finish();
}

static void test_entry_bits(void **state)
{
	unsigned level;

	(void)state;
	start();
	assert_int_equal(slpt_map_range(&fx.s, 0x5000, 0x123456000, 0x1000, SLPT_RX, MEMTYPE_WT), 0);
	assert_int_equal(raw_walk(0x5000, &level), 0x123456000 | 5 | 4 << 3);
	assert_int_equal(level, 0);
	assert_int_equal(slpt_map_range(&fx.s, 0x200000, 0x400000, 0x200000, SLPT_RW, MEMTYPE_UC), 0);
	assert_int_equal(raw_walk(0x200000, &level), 0x400000 | 3 | 0x80);
	assert_int_equal(level, 1);
	assert_int_equal(slpt_map_range(&fx.s, 0x40000000, 0x80000000, 0x40000000, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(raw_walk(0x7fffffff, &level), 0x80000000 | 7 | 6 << 3 | 0x80);
	assert_int_equal(level, 2);
	assert_int_equal(slpt_map_range(&fx.s, 0x80000000, 0x1000, 0x1000, SLPT_X, MEMTYPE_WP), 0);
	assert_int_equal(raw_walk(0x80000000, &level), 0x1000 | 4 | 5 << 3);
	assert_int_equal(slpt_map_range(&fx.s, 0x80001000, 0x1000, 0x1000, SLPT_R, MEMTYPE_WC), 0);
	assert_int_equal(raw_walk(0x80001000, &level), 0x1000 | 1 | 1 << 3);
	finish();
}

/* 1 MiB .. 3 GiB + 12 KiB: small pages to 2 MiB, large ones to 1 GiB, two huge ones, and three small ones. */
static void test_leaf_sizes(void **state)
{
	struct slpt_leaf leaf;
	static const struct {
		uint64_t gpa, size;
	} expect[] = {
		{0x100000, 0x1000},       {0x1ff000, 0x1000},       {0x200000, 0x200000}, {0x3fe00000, 0x200000},
		{0x40000000, 0x40000000}, {0x80000000, 0x40000000}, {0xc0002000, 0x1000},
	};

	(void)state;
	start();
	assert_int_equal(slpt_map_range(&fx.s, 0x100000, 0x100000, 0xc0003000 - 0x100000, SLPT_RWX, MEMTYPE_WB), 0);
	for (size_t i = 0; i < ARRAY_LEN(expect); i++) {
		assert_int_equal(slpt_lookup(&fx.s, expect[i].gpa + 0x123, &leaf), 0);
		assert_int_equal(leaf.size, expect[i].size);
		assert_int_equal(leaf.gpa, expect[i].gpa);
		assert_int_equal(leaf.hpa, expect[i].gpa);
		assert_int_equal(leaf.prot, SLPT_RWX);
		assert_int_equal(leaf.memtype, MEMTYPE_WB);
	}
	assert_int_equal(slpt_lookup(&fx.s, 0xc0003000, &leaf), ERR_NOENT);
	assert_int_equal(slpt_lookup(&fx.s, 0xfffff, &leaf), ERR_NOENT);
	/* root, PDPT, PD of the first GiB, PT of the first 2 MiB, PD and PT of the fourth GiB */
	assert_int_equal(fx.s.table_count, 6);
	finish();
}

/* Host and guest address that differ below a leaf's size forbid that leaf. */
static void test_leaf_needs_both_aligned(void **state)
{
	struct slpt_leaf leaf;

	(void)state;
	start();
	assert_int_equal(slpt_map_range(&fx.s, 0x40000000, 0x40200000, 0x40000000, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_lookup(&fx.s, 0x40000000, &leaf), 0);
	assert_int_equal(leaf.size, PAGE_SIZE_2M);
	assert_int_equal(slpt_map_range(&fx.s, 0x80000000, 0x1000, 0x200000, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_lookup(&fx.s, 0x80000000, &leaf), 0);
	assert_int_equal(leaf.size, PAGE_SIZE);
	finish();
}

static void test_caps_limit_leaves(void **state)
{
	struct slpt_leaf leaf;

	(void)state;
	start_with(CAP_ALL & ~EPT_CAP_1G, 40, 4096);
	assert_int_equal(slpt_map_range(&fx.s, 0, 0, PAGE_SIZE_1G, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_lookup(&fx.s, 0, &leaf), 0);
	assert_int_equal(leaf.size, PAGE_SIZE_2M);
	finish();
	/* 1 GiB without 2 MiB is not used either. */
	start_with(CAP_ALL & ~EPT_CAP_2M, 40, 4096);
	assert_int_equal(slpt_map_range(&fx.s, 0, 0, PAGE_SIZE_1G, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_lookup(&fx.s, 0, &leaf), 0);
	assert_int_equal(leaf.size, PAGE_SIZE);
	assert_int_equal(fx.s.table_count, 3 + 512);
	finish();
	start_with(CAP_ALL & ~EPT_CAP_EXEC_ONLY, 40, 64);
	assert_int_equal(slpt_map_range(&fx.s, 0, 0, PAGE_SIZE, SLPT_X, MEMTYPE_WB), ERR_INVAL);
	finish();
}

static void test_refusals(void **state)
{
	struct slpt *s = &fx.s;

	(void)state;
	start();
	assert_int_equal(slpt_map_range(s, 0x800, 0, 0x1000, SLPT_R, MEMTYPE_WB), ERR_ALIGN);
	assert_int_equal(slpt_map_range(s, 0, 0x800, 0x1000, SLPT_R, MEMTYPE_WB), ERR_ALIGN);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1001, SLPT_R, MEMTYPE_WB), ERR_ALIGN);
	assert_int_equal(slpt_map_range(s, 0, 0, 0, SLPT_R, MEMTYPE_WB), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 1ull << 40, 0, 0x1000, SLPT_R, MEMTYPE_WB), ERR_RANGE);
	assert_int_equal(slpt_map_range(s, (1ull << 40) - 0x1000, 0, 0x2000, SLPT_R, MEMTYPE_WB), ERR_RANGE);
	assert_int_equal(slpt_map_range(s, 0, (1ull << 40) - 0x1000, 0x2000, SLPT_R, MEMTYPE_WB), ERR_RANGE);
	assert_int_equal(slpt_map_range(s, 0, 1ull << 63, 0x1000, SLPT_R, MEMTYPE_WB), ERR_RANGE);
	assert_int_equal(slpt_map_range(s, 0x1000, 0, -0x1000ull, SLPT_R, MEMTYPE_WB), ERR_RANGE);
	assert_int_equal(slpt_map_range(s, -0x1000ull, 0, 0x2000, SLPT_R, MEMTYPE_WB), ERR_RANGE);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, SLPT_NONE, MEMTYPE_WB), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, SLPT_W, MEMTYPE_WB), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, SLPT_W | SLPT_X, MEMTYPE_WB), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, (enum slpt_prot)8, MEMTYPE_WB), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, SLPT_R, (enum memtype)2), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, SLPT_R, (enum memtype)3), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, SLPT_R, (enum memtype)7), ERR_INVAL);
	assert_int_equal(slpt_map_range(s, 0, 0, 0x1000, SLPT_R, (enum memtype)8), ERR_INVAL);
	assert_int_equal(slpt_protect_range(s, 0, 0x1000, SLPT_W), ERR_INVAL);
	assert_int_equal(slpt_protect_range(s, 0, 0x1000, SLPT_NONE), ERR_INVAL);
	assert_int_equal(slpt_protect_range(s, 1, 0x1000, SLPT_R), ERR_ALIGN);
	assert_int_equal(slpt_unmap_range(s, 0, 0), ERR_INVAL);
	assert_int_equal(slpt_unmap_range(s, 0, 1ull << 41), ERR_RANGE);
	assert_int_equal(s->table_count, 1);
	/* The last page of either space is usable. */
	assert_int_equal(slpt_map_range(s, (1ull << 40) - 0x1000, (1ull << 40) - 0x1000, 0x1000, SLPT_R, MEMTYPE_WB),
			 0);
	assert_int_equal(slpt_unmap_range(s, 0, 1ull << 40), 0);
	assert_int_equal(s->table_count, 1);
	finish();
}

static void test_overlap_changes_nothing(void **state)
{
	struct slpt_leaf leaf;

	(void)state;
	start();
	assert_int_equal(slpt_map_range(&fx.s, 0x40200000, 0, 0x1000, SLPT_RW, MEMTYPE_WB), 0);
	size_t tables = fx.s.table_count;
	uint64_t generation = slpt_generation(&fx.s);
	assert_int_equal(slpt_map_range(&fx.s, 0, 0x40000000, 0x80000000, SLPT_R, MEMTYPE_UC), ERR_OVERLAP);
	assert_int_equal(slpt_map_range(&fx.s, 0x40200000, 0, 0x1000, SLPT_RW, MEMTYPE_WB), ERR_OVERLAP);
	assert_int_equal(fx.s.table_count, tables);
	assert_int_equal(slpt_generation(&fx.s), generation);
	assert_int_equal(slpt_lookup(&fx.s, 0, &leaf), ERR_NOENT);
	assert_int_equal(slpt_lookup(&fx.s, 0x40200000, &leaf), 0);
	assert_int_equal(leaf.prot, SLPT_RW);
	finish();
}

static void test_split_keeps_flags(void **state)
{
	struct slpt_leaf leaf;
	unsigned level;

	(void)state;
	start();
	assert_int_equal(slpt_map_range(&fx.s, 0x40000000, 0x80000000, 0x40000000, SLPT_RWX, MEMTYPE_WT), 0);
	uint64_t *pdpt = fx.pages.source.hva_of(
		&fx.pages, *(uint64_t *)fx.pages.source.hva_of(&fx.pages, fx.s.root_hpa) & 0x000ffffffffff000ull);
	pdpt[1] |= EPT_ACCESSED | EPT_DIRTY;
	uint64_t generation = slpt_generation(&fx.s);
	assert_int_equal(slpt_protect_range(&fx.s, 0x50003000, 0x1000, SLPT_RX), 0);
	assert_true(slpt_generation(&fx.s) > generation);
	assert_int_equal(raw_walk(0x50003000, &level), 0x90003000 | 5 | 4 << 3 | 0x300);
	assert_int_equal(level, 0);
	assert_int_equal(raw_walk(0x50004000, &level), 0x90004000 | 7 | 4 << 3 | 0x300);
	assert_int_equal(level, 0);
	assert_int_equal(raw_walk(0x50200000, &level), 0x90200000 | 7 | 4 << 3 | 0x80 | 0x300);
	assert_int_equal(level, 1);
	assert_int_equal(slpt_lookup(&fx.s, 0x50003fff, &leaf), 0);
	assert_int_equal(leaf.prot, SLPT_RX);
	assert_int_equal(leaf.memtype, MEMTYPE_WT);
	assert_int_equal(leaf.hpa, 0x90003000);
	finish();
}

static unsigned changes;

/* The generation has risen already: who is told looks at it. */
static void count_change(void *ctx)
{
	assert_ptr_equal(ctx, &changes);
	changes++;
	assert_int_equal(slpt_generation(&fx.s), changes);
}

static void test_generation(void **state)
{
	(void)state;
	start();
	uint64_t g = slpt_generation(&fx.s);
	fx.s.changed = count_change;
	fx.s.ctx = &changes;
	assert_int_equal(g, 0);
	assert_int_equal(slpt_map_range(&fx.s, 0, 0, 0x400000, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_map_range(&fx.s, 0x400000, 0, 0x1000, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_generation(&fx.s), g); /* additions: nothing was cached */
	assert_int_equal(slpt_protect_range(&fx.s, 0, 0x400000, SLPT_RWX), 0);
	assert_int_equal(slpt_unmap_range(&fx.s, 0x80000000, 0x1000), 0);
	assert_int_equal(slpt_generation(&fx.s), g); /* no change */
	assert_int_equal(changes, 0);
	assert_int_equal(slpt_protect_range(&fx.s, 0, 0x400000, SLPT_RX), 0);
	assert_true(slpt_generation(&fx.s) > g);
	g = slpt_generation(&fx.s);
	assert_int_equal(slpt_unmap_range(&fx.s, 0, 0x200000), 0);
	assert_true(slpt_generation(&fx.s) > g);
	assert_true(changes >= 2);
	finish();
}

/* A table of another tree maps here what it maps there, and is neither changed nor given back here. */
static void test_borrowed_table(void **state)
{
	struct slpt from, s;
	struct slpt_leaf leaf;
	size_t tables;
	uint64_t g;

	(void)state;
	start();
	assert_int_equal(slpt_init(&from, &fx.format, &fx.pages.source), 0);
	assert_int_equal(slpt_map_range(&from, 0xfee00000, 0x5000, 0x1000, SLPT_RW, MEMTYPE_WB), 0);
	assert_int_equal(slpt_borrow(&fx.s, &from, 0xfee00000), ERR_NOENT); /* no way there */
	assert_int_equal(slpt_map_range(&fx.s, 0, 0, 0x400000, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_borrow(&fx.s, &from, 0), ERR_OVERLAP);
	tables = fx.s.table_count;
	g = slpt_generation(&fx.s);
	assert_int_equal(slpt_borrow(&fx.s, &from, 0xfee00000), 0);
	assert_int_equal(slpt_borrow(&fx.s, &from, 0xfee00000), ERR_OVERLAP);
	assert_int_equal(slpt_generation(&fx.s), g);
	assert_int_equal(slpt_lookup(&fx.s, 0xfee00000, &leaf), 0);
	assert_true(leaf.hpa == 0x5000 && leaf.prot == SLPT_RW && fx.s.table_count == tables);
	assert_int_equal(slpt_lookup(&fx.s, 0xfee01000, &leaf), ERR_NOENT);
	/* Not through this tree. */
	assert_int_equal(slpt_map_range(&fx.s, 0xfee01000, 0x6000, 0x1000, SLPT_RW, MEMTYPE_WB), ERR_OVERLAP);
	assert_int_equal(slpt_protect_range(&fx.s, 0, 1ull << 32, SLPT_R), 0);
	assert_int_equal(slpt_lookup(&fx.s, 0xfee00000, &leaf), 0);
	assert_int_equal(leaf.prot, SLPT_RW);
	/* Two trees, of which one goes with it and one has returned it. */
	assert_int_equal(slpt_init(&s, &fx.format, &fx.pages.source), 0);
	assert_int_equal(slpt_map_range(&s, 0, 0x400000, 0x1000, SLPT_RWX, MEMTYPE_WB), 0);
	assert_int_equal(slpt_borrow(&s, &from, 0xfee00000), 0);
	slpt_destroy(&s);
	g = slpt_generation(&fx.s);
	slpt_return(&fx.s);
	assert_true(slpt_generation(&fx.s) > g);
	assert_int_equal(slpt_lookup(&fx.s, 0xfee00000, &leaf), ERR_NOENT);
	assert_int_equal(slpt_lookup(&from, 0xfee00000, &leaf), 0);
	assert_int_equal(slpt_borrow(&fx.s, &from, 0xfee00000), 0);
	slpt_return(&fx.s);
	slpt_destroy(&from);
	finish();
}

/* --- random operations against the flat model --- */

#define MODEL_PAGES 4096u /* 16 MiB windows, placed so that each edge of the tree is crossed */

struct model_page {
	uint64_t hpa;
	unsigned prot; /* 0: not mapped */
	unsigned type;
};

static struct model_page model[MODEL_PAGES];
static uint64_t window;

static void model_check(void)
{
	struct slpt_leaf leaf;

	for (unsigned i = 0; i < MODEL_PAGES; i++) {
		uint64_t gpa = window + i * PAGE_SIZE;
		int err = slpt_lookup(&fx.s, gpa, &leaf);

		if (!model[i].prot) {
			assert_int_equal(err, ERR_NOENT);
			continue;
		}
		assert_int_equal(err, 0);
		assert_int_equal(leaf.hpa + (gpa - leaf.gpa), model[i].hpa);
		assert_int_equal(leaf.prot, model[i].prot);
		assert_int_equal(leaf.memtype, model[i].type);
	}
}

static int count_leaf(void *ctx, const struct slpt_leaf *leaf)
{
	*(uint64_t *)ctx += leaf->size / PAGE_SIZE;
	return 0;
}

static void model_count(void)
{
	uint64_t expect = 0;
	uint64_t pages = 0;

	for (unsigned i = 0; i < MODEL_PAGES; i++)
		expect += model[i].prot != 0;
	assert_int_equal(slpt_for_each_leaf(&fx.s, count_leaf, &pages), 0);
	assert_int_equal(pages, expect);
}

static bool model_free(unsigned first, unsigned count)
{
	for (unsigned i = first; i < first + count; i++)
		if (model[i].prot)
			return false;
	return true;
}

static unsigned rnd(unsigned n)
{
	return (unsigned)random() % n;
}

static void random_step(void)
{
	static const unsigned prots[] = {SLPT_R, SLPT_RW, SLPT_RX, SLPT_RWX, SLPT_X};
	static const unsigned types[] = {MEMTYPE_UC, MEMTYPE_WC, MEMTYPE_WT, MEMTYPE_WP, MEMTYPE_WB};
	unsigned first = rnd(3) ? rnd(MODEL_PAGES) : rnd(MODEL_PAGES / 512) * 512;
	unsigned count = rnd(2) ? 1 + rnd(64) : 512 * (1 + rnd(3));
	uint64_t gpa = window + first * PAGE_SIZE;
	unsigned prot = prots[rnd(5)];
	unsigned type = types[rnd(5)];
	uint64_t hpa = rnd(2) ? gpa % (1ull << 39) + 0x10000000 : 0x20000000 + rnd(1 << 16) * PAGE_SIZE;
	int err;

	if (first + count > MODEL_PAGES)
		count = MODEL_PAGES - first;
	/* Now and then pages run out at any point of the operation. */
	fx.pages.fail_after = rnd(3) ? FAKE_PAGES_NEVER : rnd(4);
	size_t tables = fx.s.table_count;
	uint64_t generation = slpt_generation(&fx.s);

	switch (rnd(4)) {
	case 0:
	case 1:
		err = slpt_map_range(&fx.s, gpa, hpa, count * PAGE_SIZE, (enum slpt_prot)prot, (enum memtype)type);
		if (!model_free(first, count))
			assert_int_equal(err, ERR_OVERLAP);
		for (unsigned i = 0; !err && i < count; i++)
			model[first + i] = (struct model_page){hpa + i * PAGE_SIZE, prot, type};
		break;
	case 2:
		err = slpt_unmap_range(&fx.s, gpa, count * PAGE_SIZE);
		if (!err && !model_free(first, count))
			assert_true(slpt_generation(&fx.s) > generation);
		for (unsigned i = 0; !err && i < count; i++)
			model[first + i].prot = 0;
		break;
	default:
		err = slpt_protect_range(&fx.s, gpa, count * PAGE_SIZE, (enum slpt_prot)prot);
		for (unsigned i = 0; !err && i < count; i++) {
			if (model[first + i].prot && model[first + i].prot != prot) {
				assert_true(slpt_generation(&fx.s) > generation);
				model[first + i].prot = prot;
			}
		}
	}
	assert_true(err == 0 || err == ERR_OVERLAP || (err == ERR_NOMEM && fx.pages.fail_after != FAKE_PAGES_NEVER));
	if (err)
		assert_int_equal(fx.s.table_count, tables);
	assert_int_equal(fx.s.table_count, fx.pages.pages_out);
	fx.pages.fail_after = FAKE_PAGES_NEVER;
}

static void test_random(void **state)
{
	/* The start; a GiB border inside a PDPT; a 512 GiB border; the end of the space. */
	static const uint64_t windows[] = {0, 0x3f800000, 0x7fff800000, (1ull << 40) - MODEL_PAGES * PAGE_SIZE};

	(void)state;
	srandom(1);
	for (unsigned w = 0; w < ARRAY_LEN(windows); w++) {
		start();
		window = windows[w];
		memset(model, 0, sizeof(model));
		for (unsigned i = 0; i < 1500; i++) {
			random_step();
			if (i % 10 == 0)
				model_check();
		}
		model_check();
		model_count();
		assert_int_equal(slpt_unmap_range(&fx.s, 0, 1ull << 40), 0);
		assert_int_equal(fx.s.table_count, 1);
		finish();
	}
}

/* Map, split and unmap with the n-th allocation failing, for every n until it succeeds. */
static void test_every_allocation_fails_once(void **state)
{
	struct slpt_leaf leaf;

	(void)state;
	for (unsigned n = 0;; n++) {
		start();
		fx.pages.fail_after = n;
		int err = slpt_map_range(&fx.s, 0x3ffff000, 0x5000, 0x1003000, SLPT_RWX, MEMTYPE_WB);
		fx.pages.fail_after = FAKE_PAGES_NEVER;
		if (err) {
			assert_int_equal(err, ERR_NOMEM);
			assert_int_equal(fx.s.table_count, 1);
			assert_int_equal(slpt_lookup(&fx.s, 0x3ffff000, &leaf), ERR_NOENT);
			assert_int_equal(slpt_lookup(&fx.s, 0x40000000, &leaf), ERR_NOENT);
		}
		finish();
		if (!err)
			break;
		assert_true(n < 2000);
	}
	for (unsigned n = 0; n <= 4; n++) {
		start();
		assert_int_equal(slpt_map_range(&fx.s, 0, 0, 2 * PAGE_SIZE_1G, SLPT_RWX, MEMTYPE_WB), 0);
		size_t tables = fx.s.table_count;
		uint64_t generation = slpt_generation(&fx.s);
		fx.pages.fail_after = n;
		int err = slpt_unmap_range(&fx.s, 0x1000, 0x40001000);
		assert_int_equal(err, n < 4 ? ERR_NOMEM : 0);
		if (err) {
			assert_int_equal(fx.s.table_count, tables);
			assert_int_equal(slpt_generation(&fx.s), generation);
			assert_int_equal(slpt_lookup(&fx.s, 0x1000, &leaf), 0);
			assert_int_equal(leaf.size, PAGE_SIZE_1G);
		}
		finish();
	}
	fake_pages_init(&fx.pages, 16, HPA_BASE);
	fx.pages.fail_after = 0;
	assert_int_equal(slpt_init(&fx.s, &fx.format, &fx.pages.source), ERR_NOMEM);
	finish();
}

static void test_bad_format(void **state)
{
	struct slpt_format bad;

	(void)state;
	start();
	slpt_destroy(&fx.s);
	bad = fx.format;
	bad.leaf_levels = 5;
	assert_int_equal(slpt_init(&fx.s, &bad, &fx.pages.source), ERR_INVAL);
	bad = fx.format;
	bad.levels = 6;
	assert_int_equal(slpt_init(&fx.s, &bad, &fx.pages.source), ERR_INVAL);
	bad = fx.format;
	bad.gpa_bits = 49;
	assert_int_equal(slpt_init(&fx.s, &bad, &fx.pages.source), ERR_INVAL);
	finish();
}

/* Five levels, and an encoding whose execute bit is inverted as in AMD's nested tables. */
static void test_other_format(void **state)
{
	struct slpt_leaf leaf;
	struct slpt_format f;

	(void)state;
	start();
	slpt_destroy(&fx.s);
	f = (struct slpt_format){.levels = 5,
				 .gpa_bits = 57,
				 .hpa_bits = 52,
				 .leaf_levels = 7,
				 .addr_mask = 0x000ffffffffff000ull,
				 .present_mask = 1,
				 .table_bits = 7,
				 .leaf_bit = 0x80,
				 .prot_mask = 1ull << 63 | 7,
				 .memtype_mask = 0x18};
	for (unsigned i = 0; i < SLPT_PROT_COUNT; i++)
		f.prot_bits[i] = !(i & SLPT_R) ? SLPT_UNENCODABLE : 5 | (i & SLPT_W) | (i & SLPT_X ? 0 : 1ull << 63);
	for (unsigned i = 0; i < MEMTYPE_COUNT; i++)
		f.memtype_bits[i] = i == MEMTYPE_WB ? 0 : i == MEMTYPE_UC ? 0x18 : SLPT_UNENCODABLE;
	fx.format = f;
	assert_int_equal(slpt_init(&fx.s, &fx.format, &fx.pages.source), 0);
	assert_int_equal(slpt_map_range(&fx.s, 1ull << 56, 1ull << 51, PAGE_SIZE_1G, SLPT_RW, MEMTYPE_UC), 0);
	assert_int_equal(slpt_protect_range(&fx.s, (1ull << 56) + 0x3000, 0x1000, SLPT_RX), 0);
	assert_int_equal(slpt_lookup(&fx.s, (1ull << 56) + 0x3000, &leaf), 0);
	assert_int_equal(leaf.entry, (1ull << 51) + 0x3000 + 0x18 + 5);
	assert_int_equal(leaf.prot, SLPT_RX);
	assert_int_equal(leaf.memtype, MEMTYPE_UC);
	assert_int_equal(slpt_lookup(&fx.s, (1ull << 56) + 0x2000, &leaf), 0);
	assert_int_equal(leaf.prot, SLPT_RW);
	assert_int_equal(slpt_map_range(&fx.s, 0, 0, 0x1000, SLPT_RW, MEMTYPE_WT), ERR_INVAL);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_entry_bits),
		cmocka_unit_test(test_leaf_sizes),
		cmocka_unit_test(test_leaf_needs_both_aligned),
		cmocka_unit_test(test_caps_limit_leaves),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_overlap_changes_nothing),
		cmocka_unit_test(test_split_keeps_flags),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_borrowed_table),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_every_allocation_fails_once),
		cmocka_unit_test(test_bad_format),
		cmocka_unit_test(test_other_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
