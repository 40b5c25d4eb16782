/* Guest RAM: layout, blocks, copies across their borders, failure at every allocation, mapping with host memory types. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "tests/fake/fake_pages.h"
#include "vmm/mem/guest_mem.h"
#include "vmm/vmx/ept_format.h"

#define CAP_ALL 0x00000f0106334141ull
#define HPA_BASE 0x40000000ull

static const struct guest_range pc_layout[] = {{0, 0xa0000}, {0x100000, 0x700000}};

static struct fake_pages pages;
static struct guest_mem mem;

static void start(size_t page_count, unsigned max_order)
{
	fake_pages_init(&pages, page_count, HPA_BASE);
	pages.max_order = max_order;
}

static void finish(void)
{
	guest_mem_destroy(&mem);
	assert_int_equal(pages.pages_out, 0);
	fake_pages_destroy(&pages);
}

static void test_pc_layout(void **state)
{
	/* 512 + 128 KiB; 1 MiB; 2 MiB, 4 MiB: the largest naturally aligned pieces */
	static const uint64_t expect[][2] = {
		{0, 0x80000}, {0x80000, 0x20000}, {0x100000, 0x100000}, {0x200000, 0x200000}, {0x400000, 0x400000}};

	(void)state;
	start(4096, 18);
	assert_int_equal(guest_mem_create(&mem, &pages.source, pc_layout, 2, GUEST_MEM_ZERO), 0);
	assert_int_equal(mem.total_bytes, 0xa0000 + 0x700000);
	assert_int_equal(mem.block_count, ARRAY_LEN(expect));
	for (size_t i = 0; i < mem.block_count; i++) {
		assert_int_equal(mem.blocks[i].gpa, expect[i][0]);
		assert_int_equal(mem.blocks[i].len, expect[i][1]);
	}
	for (uint64_t gpa = 0; gpa < 0xa0000; gpa += 8)
		assert_int_equal(*(uint64_t *)guest_mem_ptr(&mem, gpa, 8), 0);
	finish();
	guest_mem_destroy(&mem); /* twice is harmless */
}

static void test_large_blocks(void **state)
{
	static const struct guest_range big[] = {{0, 0xc0000000}, {0x100000000, 0x40000000}};

	(void)state;
	start((5ull << 30) / PAGE_SIZE, 18);
	assert_int_equal(guest_mem_create(&mem, &pages.source, big, 2, GUEST_MEM_ALREADY_ZERO), 0);
	assert_int_equal(mem.block_count, 4);
	assert_int_equal(mem.blocks[3].gpa, 0x100000000);
	assert_int_equal(mem.blocks[3].len, PAGE_SIZE_1G);
	assert_true(guest_mem_covers(&mem, 0, 0xc0000000));
	assert_false(guest_mem_covers(&mem, 0, 0xc0000001));
	assert_false(guest_mem_covers(&mem, 0, 0x140000000));
	finish();
}

/* A source with small blocks only: the table of blocks has to grow, and copies cross many borders. */
static void test_small_blocks(void **state)
{
	uint8_t *in = malloc(0x700000);
	uint8_t *out = malloc(0x700000);

	(void)state;
	start(4096, 4);
	assert_int_equal(guest_mem_create(&mem, &pages.source, pc_layout, 2, GUEST_MEM_ZERO), 0);
	assert_int_equal(mem.block_count, (0xa0000 + 0x700000) / 0x10000);
	for (size_t i = 0; i < 0x700000; i++)
		in[i] = (uint8_t)random();
	assert_int_equal(guest_mem_write(&mem, 0x100000, in, 0x700000), 0);
	assert_int_equal(guest_mem_read(&mem, 0x100000, out, 0x700000), 0);
	assert_memory_equal(in, out, 0x700000);
	assert_int_equal(guest_mem_fill(&mem, 0x10ffff, 0x77, 0x10002), 0);
	assert_int_equal(guest_mem_read(&mem, 0x100000, out, 0x700000), 0);
	memset(in + 0xffff, 0x77, 0x10002);
	assert_memory_equal(in, out, 0x700000);
	assert_null(guest_mem_ptr(&mem, 0x10ffff, 2)); /* two blocks */
	assert_non_null(guest_mem_ptr(&mem, 0x10fffe, 2));
	finish();
	/* A fragmented source: order 0 only, so that the table needs many pages. It cannot grow here: unwound. */
	start(4096, 0);
	assert_int_equal(guest_mem_create(&mem, &pages.source, pc_layout, 2, GUEST_MEM_ZERO), ERR_NOMEM);
	assert_int_equal(pages.pages_out, 0);
	finish();
	free(in);
	free(out);
}

static void test_ranges_that_are_not_ram(void **state)
{
	static const uint64_t bad[][2] = {
		{0xa0000, 1},
		{0x9ffff, 2},
		{0xfffff, 1},
		{0xfffff, 2},
		{0x7fffff, 2},
		{0x800000, 1},
		{UINT64_MAX, 1},
		{UINT64_MAX, 2},
		{0, UINT64_MAX},
		{1, UINT64_MAX},
		{0x100000, 1ull << 63},
		{0x100000, -0x100000ull},
		{0x200000, UINT64_MAX - 0x1fffff},
	};
	uint8_t buf[4] = {1, 2, 3, 4};
	uint8_t last = 0;

	(void)state;
	start(4096, 18);
	assert_int_equal(guest_mem_create(&mem, &pages.source, pc_layout, 2, GUEST_MEM_ZERO), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_false(guest_mem_covers(&mem, bad[i][0], bad[i][1]));
		assert_int_equal(guest_mem_read(&mem, bad[i][0], buf, bad[i][1]), ERR_RANGE);
		assert_int_equal(guest_mem_write(&mem, bad[i][0], buf, bad[i][1]), ERR_RANGE);
		assert_int_equal(guest_mem_fill(&mem, bad[i][0], 0xff, bad[i][1]), ERR_RANGE);
		assert_null(guest_mem_ptr(&mem, bad[i][0], bad[i][1]));
	}
	assert_int_equal(guest_mem_read(&mem, 0x9ffff, &last, 1), 0);
	assert_int_equal(last, 0); /* a refused write wrote nothing */
	assert_int_equal(guest_mem_read(&mem, 0xa0000, buf, 0), 0);
	assert_int_equal(guest_mem_write(&mem, UINT64_MAX, buf, 0), 0);
	assert_null(guest_mem_ptr(&mem, 0, 0));
	assert_non_null(guest_mem_ptr(&mem, 0x7fffff, 1));
	finish();
}

static void test_bad_layouts(void **state)
{
	static const struct {
		struct guest_range r[2];
		int err;
	} bad[] = {
		{{{0, 0x1000}, {0x800, 0x1000}}, ERR_ALIGN},    {{{0, 0x1001}, {0x8000, 0x1000}}, ERR_ALIGN},
		{{{0, 0}, {0x8000, 0x1000}}, ERR_INVAL},        {{{0, 0x2000}, {0x1000, 0x1000}}, ERR_OVERLAP},
		{{{0x8000, 0x1000}, {0, 0x1000}}, ERR_OVERLAP}, {{{0, 0x1000}, {-0x1000ull, 0x2000}}, ERR_RANGE},
	};

	(void)state;
	start(64, 18);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		assert_int_equal(guest_mem_create(&mem, &pages.source, bad[i].r, 2, GUEST_MEM_ZERO), bad[i].err);
		assert_int_equal(pages.pages_out, 0);
		assert_false(guest_mem_covers(&mem, 0, 1));
	}
	assert_int_equal(guest_mem_create(&mem, &pages.source, bad[0].r, 0, GUEST_MEM_ZERO), ERR_INVAL);
	finish();
}

static void test_every_allocation_fails(void **state)
{
	(void)state;
	for (unsigned n = 0;; n++) {
		start(4096, 4);
		pages.fail_after = n;
		int err = guest_mem_create(&mem, &pages.source, pc_layout, 2, GUEST_MEM_ZERO);
		if (err) {
			assert_int_equal(err, ERR_NOMEM);
			assert_int_equal(pages.pages_out, 0);
		}
		finish();
		if (!err)
			return;
		assert_true(n < 1000);
	}
}

/* More than there is: an error, everything given back. */
static void test_too_much(void **state)
{
	static const struct guest_range huge[] = {{0, 1ull << 40}};

	(void)state;
	start(1024, 18);
	assert_int_equal(guest_mem_create(&mem, &pages.source, huge, 1, GUEST_MEM_ALREADY_ZERO), ERR_NOMEM);
	finish();
}

/* Clean memory comes first, in however small pieces; only where there is none is used memory scrubbed, and in large ones. */
static void test_clean(void **state)
{
	static const struct guest_range range = {0, 16 * PAGE_SIZE};

	(void)state;
	start(64, 18);
	pages.max_clean_order = 1;
	assert_int_equal(guest_mem_create(&mem, &pages.source, &range, 1, GUEST_MEM_CLEAN), 0);
	assert_int_equal(mem.block_count, 8);
	assert_int_equal(pages.scrubbed, 0);
	guest_mem_destroy(&mem);
	pages.clean_left = 3;
	pages.max_clean_order = 0;
	assert_int_equal(guest_mem_create(&mem, &pages.source, &range, 1, GUEST_MEM_CLEAN), 0);
	assert_int_equal(mem.block_count, 3 + 1 + 1 + 1); /* pages 0 1 2, then 3, 4 to 7, 8 to 15 */
	assert_int_equal(pages.scrubbed, 13);
	finish();
}

static struct mtrr_state mtrr_half(void)
{
	/* Default UC; the arena's first 3 MiB write-back, then 1 MiB write-through. */
	struct mtrr_state m = {.def_type = 1 << 11, .variable_count = 3, .maxphyaddr = 40};
	uint64_t top = (1ull << 40) - 1;

	m.variable[0] = (struct mtrr_variable){HPA_BASE | 6, (top & ~0x1fffffull) | 1 << 11};
	m.variable[1] = (struct mtrr_variable){(HPA_BASE + 0x200000) | 6, (top & ~0xfffffull) | 1 << 11};
	m.variable[2] = (struct mtrr_variable){(HPA_BASE + 0x300000) | 4, (top & ~0xfffffull) | 1 << 11};
	return m;
}

static void test_map_into(void **state)
{
	struct slpt_format format;
	struct slpt s;
	struct slpt_leaf leaf;
	struct mtrr_state mtrr = mtrr_half();

	(void)state;
	start(4096, 18);
	assert_int_equal(ept_format_init(&format, CAP_ALL, 40), 0);
	assert_int_equal(slpt_init(&s, &format, &pages.source), 0);
	assert_int_equal(guest_mem_create(&mem, &pages.source, pc_layout, 2, GUEST_MEM_ZERO), 0);
	assert_int_equal(guest_mem_map_into(&mem, &s, &mtrr), 0);
	for (uint64_t gpa = 0; gpa < 0x801000; gpa += 0x1000) {
		int err = slpt_lookup(&s, gpa, &leaf);

		if (!guest_mem_covers(&mem, gpa, 0x1000)) {
			assert_int_equal(err, ERR_NOENT);
			continue;
		}
		assert_int_equal(err, 0);
		uint64_t hpa = leaf.hpa + (gpa - leaf.gpa);
		assert_ptr_equal(pages.source.hva_of(&pages, hpa), guest_mem_ptr(&mem, gpa, 1));
		assert_int_equal(leaf.prot, SLPT_RWX);
		assert_int_equal(leaf.memtype, mtrr_type_at(&mtrr, hpa));
	}
	assert_int_equal(slpt_lookup(&s, 0x400000, &leaf), 0);
	assert_int_equal(leaf.size, PAGE_SIZE_2M);

	/* Something stands in the way: all or nothing. */
	assert_int_equal(slpt_unmap_range(&s, 0, 0x700000), 0);
	size_t tables = s.table_count;
	assert_int_equal(guest_mem_map_into(&mem, &s, NULL), ERR_OVERLAP);
	assert_int_equal(s.table_count, tables);
	assert_int_equal(slpt_lookup(&s, 0, &leaf), ERR_NOENT);
	assert_int_equal(slpt_lookup(&s, 0x400000, &leaf), ERR_NOENT);
	assert_int_equal(slpt_lookup(&s, 0x700000, &leaf), 0);
	assert_int_equal(slpt_unmap_range(&s, 0x700000, 0x100000), 0);
	for (unsigned n = 0; n < 3; n++) {
		pages.fail_after = n;
		assert_int_equal(guest_mem_map_into(&mem, &s, NULL), ERR_NOMEM);
		assert_int_equal(s.table_count, 1);
	}
	pages.fail_after = FAKE_PAGES_NEVER;
	assert_int_equal(guest_mem_map_into(&mem, &s, NULL), 0);
	assert_int_equal(slpt_lookup(&s, 0x7ff000, &leaf), 0);
	assert_int_equal(leaf.memtype, MEMTYPE_WB);
	slpt_destroy(&s);
	finish();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pc_layout),    cmocka_unit_test(test_large_blocks),
		cmocka_unit_test(test_small_blocks), cmocka_unit_test(test_ranges_that_are_not_ram),
		cmocka_unit_test(test_bad_layouts),  cmocka_unit_test(test_every_allocation_fails),
		cmocka_unit_test(test_too_much),     cmocka_unit_test(test_map_into),
		cmocka_unit_test(test_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
