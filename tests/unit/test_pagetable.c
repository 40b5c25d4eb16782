/* The host's page tables, against SDM 3 "4-Level Paging": entries bit by bit, a random workload against a flat model,
 * failing allocations, and the W^X proof on tables that break it. */
#include "arch/x86/pagetable.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "tests/fake/fake_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#define KERNEL 0xffffffff80000000ull
#define DIRECT 0xffff800000000000ull
#define NX (1ull << 63)

struct fixture {
	struct fake_pages pages;
	struct pagetable pt;
};

static int setup_with(void **state, bool pages_1g)
{
	struct fixture *f = calloc(1, sizeof(*f));

	fake_pages_init(&f->pages, 256, 0x40000000);
	assert_int_equal(pt_init(&f->pt, &f->pages.source, pages_1g), 0);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_with(state, true);
}

static int setup_no_1g(void **state)
{
	return setup_with(state, false);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(f->pt.tables, f->pages.pages_out);
	pt_destroy(&f->pt);
	assert_int_equal(f->pages.pages_out, 0);
	fake_pages_destroy(&f->pages);
	free(f);
	return 0;
}

static uint64_t entry_at(struct pagetable *pt, uint64_t va)
{
	struct pt_leaf leaf;

	return pt_lookup(pt, va, &leaf) == 0 ? leaf.entry : 0;
}

/* P 0, W 1, U 2, PWT 3, PCD 4, A 5, D 6, PS or PAT 7, G 8, PAT of large pages 12, NX 63. */
static void entries_have_the_manuals_bits(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;

	assert_int_equal(pt_map(pt, KERNEL, 0x201000, 0x1000, PT_R, PT_WB), 0);
	assert_int_equal(entry_at(pt, KERNEL), 0x201000 | NX | 0x161);
	assert_int_equal(pt_map(pt, KERNEL + 0x1000, 0x202000, 0x1000, PT_X, PT_WB), 0);
	assert_int_equal(entry_at(pt, KERNEL + 0x1000), 0x202000 | 0x161);
	assert_int_equal(pt_map(pt, KERNEL + 0x2000, 0x203000, 0x1000, PT_W, PT_UC), 0);
	assert_int_equal(entry_at(pt, KERNEL + 0x2000), 0x203000 | NX | 0x163 | 0x18);
	assert_int_equal(pt_map(pt, KERNEL + 0x3000, 0x204000, 0x1000, PT_W, PT_WC), 0);
	assert_int_equal(entry_at(pt, KERNEL + 0x3000), 0x204000 | NX | 0x163 | 0x98);
	assert_int_equal(pt_map(pt, KERNEL + 0x200000, 0xe0000000, 0x200000, PT_W, PT_WC), 0);
	assert_int_equal(entry_at(pt, KERNEL + 0x200000), 0xe0000000 | NX | 0x163 | 0x80 | 0x1018);
	assert_int_equal(pt_map(pt, DIRECT + 0x40000000, 0x40000000, 0x40000000, PT_W, PT_WT), 0);
	assert_int_equal(entry_at(pt, DIRECT + 0x40000000), 0x40000000 | NX | 0x163 | 0x80 | 0x8);
}

static void the_largest_pages_are_used(void **state)
{
	struct fixture *f = *state;
	struct pt_leaf leaf;

	/* 4 KiB up to 2 MiB, 2 MiB up to 1 GiB, one of 1 GiB, 2 MiB, 4 KiB. */
	assert_int_equal(pt_map(&f->pt, DIRECT + 0x1ff000, 0x1ff000, 0x80402000, PT_W, PT_WB), 0);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x1ff123, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE);
	assert_int_equal(leaf.hpa, 0x1ff000);
	assert_int_equal(leaf.va, DIRECT + 0x1ff000);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x3fffffff, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE_2M);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x40000000, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE_1G);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x80200000, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE_2M);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x80600000, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x80601000, &leaf), ERR_NOENT);
	/* Root, one PDPT, two PDs, two PTs. */
	assert_int_equal(f->pt.tables, 6);
}

static void without_1g_pages_2m_serve(void **state)
{
	struct fixture *f = *state;
	struct pt_leaf leaf;

	assert_int_equal(pt_map(&f->pt, DIRECT, 0, 4 * GIB, PT_W, PT_WB), 0);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 3 * GIB, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE_2M);
	assert_int_equal(f->pt.tables, 6);
}

static void hpa_alignment_limits_the_page(void **state)
{
	struct fixture *f = *state;
	struct pt_leaf leaf;

	assert_int_equal(pt_map(&f->pt, DIRECT, 0x1000, PAGE_SIZE_2M, PT_W, PT_WB), 0);
	assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x5000, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE);
	assert_int_equal(leaf.hpa, 0x6000);
}

static void bad_ranges_are_refused(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;

	assert_int_equal(pt_map(pt, 1, 0, PAGE_SIZE, PT_R, PT_WB), ERR_ALIGN);
	assert_int_equal(pt_map(pt, 0, 1, PAGE_SIZE, PT_R, PT_WB), ERR_ALIGN);
	assert_int_equal(pt_map(pt, 0, 0, 1, PT_R, PT_WB), ERR_ALIGN);
	assert_int_equal(pt_map(pt, 0x800000000000ull, 0, PAGE_SIZE, PT_R, PT_WB), ERR_RANGE);
	assert_int_equal(pt_map(pt, 0x7ffffffff000ull, 0, 2 * PAGE_SIZE, PT_R, PT_WB), ERR_RANGE);
	assert_int_equal(pt_map(pt, DIRECT - PAGE_SIZE, 0, 2 * PAGE_SIZE, PT_R, PT_WB), ERR_RANGE);
	assert_int_equal(pt_map(pt, -PAGE_SIZE, 0, 2 * PAGE_SIZE, PT_R, PT_WB), ERR_RANGE);
	assert_int_equal(pt_map(pt, 0, 0, -PAGE_SIZE, PT_R, PT_WB), ERR_RANGE);
	assert_int_equal(pt_map(pt, 0, 1ull << 52, PAGE_SIZE, PT_R, PT_WB), ERR_RANGE);
	assert_int_equal(pt_map(pt, 0, -PAGE_SIZE, 2 * PAGE_SIZE, PT_R, PT_WB), ERR_RANGE);
	assert_int_equal(pt_map(pt, 0, 0, 0, PT_R, PT_WB), 0);
	assert_int_equal(pt_unmap(pt, 0x800000000000ull, PAGE_SIZE), ERR_RANGE);
	assert_int_equal(pt_unmap(pt, 1, PAGE_SIZE), ERR_ALIGN);
	assert_int_equal(pt_protect(pt, -PAGE_SIZE, 2 * PAGE_SIZE, PT_R), ERR_RANGE);
	assert_int_equal(pt->tables, 1);
}

static void the_edges_of_the_halves_can_be_mapped(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	struct pt_leaf leaf;

	assert_int_equal(pt_map(pt, 0x7ffffffff000ull, 0x1000, PAGE_SIZE, PT_R, PT_WB), 0);
	assert_int_equal(pt_map(pt, DIRECT, 0x2000, PAGE_SIZE, PT_R, PT_WB), 0);
	assert_int_equal(pt_map(pt, -PAGE_SIZE, 0x3000, PAGE_SIZE, PT_R, PT_WB), 0);
	assert_int_equal(pt_map(pt, 0, 0x4000, PAGE_SIZE, PT_R, PT_WB), 0);
	assert_int_equal(pt_lookup(pt, -1ull, &leaf), 0);
	assert_int_equal(leaf.hpa, 0x3000);
	assert_int_equal(pt_lookup(pt, 0x7fffffffffffull, &leaf), 0);
	assert_int_equal(pt_lookup(pt, 0x800000000000ull, &leaf), ERR_NOENT);
	assert_int_equal(pt_lookup(pt, DIRECT - 1, &leaf), ERR_NOENT);
	assert_int_equal(leaf.va, 0x800000000000ull);
	assert_int_equal(leaf.va + leaf.bytes, DIRECT);
	assert_int_equal(pt_unmap(pt, -PAGE_SIZE, PAGE_SIZE), 0);
	assert_int_equal(pt_lookup(pt, -1ull, &leaf), ERR_NOENT);
	assert_int_equal(pt_unmap(pt, 0x7ffffffff000ull, PAGE_SIZE), 0);
}

static void overlap_changes_nothing(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	struct pt_leaf leaf;

	assert_int_equal(pt_map(pt, DIRECT + 0x400000, 0x400000, PAGE_SIZE_2M, PT_W, PT_WB), 0);
	assert_int_equal(pt_map(pt, DIRECT, 0, 8 * MIB, PT_W, PT_WB), ERR_OVERLAP);
	assert_int_equal(pt_map(pt, DIRECT + 0x5ff000, 0, 2 * PAGE_SIZE, PT_W, PT_WB), ERR_OVERLAP);
	assert_int_equal(pt_map(pt, DIRECT, 0, PAGE_SIZE_1G, PT_W, PT_WB), ERR_OVERLAP);
	assert_int_equal(pt_lookup(pt, DIRECT, &leaf), ERR_NOENT);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x600000, &leaf), ERR_NOENT);
	assert_int_equal(pt_map(pt, DIRECT, 0, 4 * MIB, PT_W, PT_WB), 0);
}

static void fill_maps_what_is_missing(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	struct pt_leaf leaf;

	assert_int_equal(pt_map(pt, DIRECT + 0x400000, 0x400000, PAGE_SIZE, PT_W, PT_WB), 0);
	assert_int_equal(pt_fill(pt, DIRECT, 0, 8 * MIB, PT_R, PT_WB), 0);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x200000, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE_2M);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x400000, &leaf), 0);
	assert_int_equal(leaf.prot, PT_W);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x401000, &leaf), 0);
	assert_int_equal(leaf.prot, PT_R);
	assert_int_equal(leaf.hpa, 0x401000);
	assert_int_equal(pt_fill(pt, DIRECT, 0, 8 * MIB, PT_W, PT_WB), 0);
	assert_int_equal(pt_fill(pt, DIRECT, 0x1000, PAGE_SIZE, PT_R, PT_WB), ERR_OVERLAP);
	assert_int_equal(pt_fill(pt, DIRECT, 0, PAGE_SIZE, PT_R, PT_UC), ERR_OVERLAP);
	assert_int_equal(pt_fill(pt, DIRECT + 0x700123, 0, PAGE_SIZE, PT_R, PT_UC), ERR_ALIGN);
	assert_int_equal(pt_fill(pt, -PAGE_SIZE, 0, PAGE_SIZE, PT_R, PT_UC), 0);
	assert_int_equal(pt_fill(pt, -PAGE_SIZE, 0, PAGE_SIZE, PT_R, PT_UC), 0);
}

static void unmapping_divides_large_pages(void **state)
{
	struct fixture *f = *state;
	struct pagetable *pt = &f->pt;
	struct pt_leaf leaf;

	assert_int_equal(pt_map(pt, DIRECT, 0, PAGE_SIZE_1G, PT_W, PT_WT), 0);
	assert_int_equal(pt->tables, 2);
	assert_int_equal(pt_unmap(pt, DIRECT + 0x201000, 0x1000), 0);
	assert_int_equal(pt->tables, 4);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x201000, &leaf), ERR_NOENT);
	assert_int_equal(leaf.va, DIRECT + 0x201000);
	assert_int_equal(leaf.bytes, PAGE_SIZE);
	for (uint64_t va = 0x200000; va < 0x400000; va += 0x1000) {
		if (va == 0x201000)
			continue;
		assert_int_equal(pt_lookup(pt, DIRECT + va, &leaf), 0);
		assert_int_equal(leaf.hpa, va);
		assert_int_equal(leaf.bytes, PAGE_SIZE);
		assert_int_equal(leaf.prot, PT_W);
		assert_int_equal(leaf.cache, PT_WT);
	}
	assert_int_equal(pt_lookup(pt, DIRECT + 0x400000, &leaf), 0);
	assert_int_equal(leaf.bytes, PAGE_SIZE_2M);
	assert_int_equal(pt_unmap(pt, DIRECT, PAGE_SIZE_1G), 0);
	assert_int_equal(pt_lookup(pt, DIRECT, &leaf), ERR_NOENT);
}

static void protect_keeps_address_and_type(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	struct pt_leaf leaf;

	assert_int_equal(pt_map(pt, DIRECT + 0x200000, 0xe0000000, 2 * PAGE_SIZE_2M, PT_W, PT_WC), 0);
	assert_int_equal(pt_protect(pt, DIRECT + 0x300000, 0x200000, PT_X), 0);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x2ff000, &leaf), 0);
	assert_int_equal(leaf.prot, PT_W);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x300000, &leaf), 0);
	assert_int_equal(leaf.prot, PT_X);
	assert_int_equal(leaf.cache, PT_WC);
	assert_int_equal(leaf.hpa, 0xe0100000);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x4ff000, &leaf), 0);
	assert_int_equal(leaf.prot, PT_X);
	assert_int_equal(leaf.hpa, 0xe02ff000);
	assert_int_equal(pt_lookup(pt, DIRECT + 0x500000, &leaf), 0);
	assert_int_equal(leaf.prot, PT_W);
}

static void no_memory_leaves_nothing_behind(void **state)
{
	struct fixture *f = *state;
	struct pt_leaf leaf;

	/* The range needs a PDPT, a PD and two PTs. */
	for (unsigned n = 0; n < 4; n++) {
		f->pages.fail_after = n;
		assert_int_equal(pt_map(&f->pt, DIRECT + 0x1ff000, 0, 2 * PAGE_SIZE, PT_R, PT_WB), ERR_NOMEM);
		assert_int_equal(pt_lookup(&f->pt, DIRECT + 0x1ff000, &leaf), ERR_NOENT);
		f->pages.fail_after = FAKE_PAGES_NEVER;
		pt_destroy(&f->pt);
		assert_int_equal(pt_init(&f->pt, &f->pages.source, true), 0);
	}
	assert_int_equal(pt_map(&f->pt, DIRECT, 0, PAGE_SIZE_1G, PT_R, PT_WB), 0);
	for (unsigned n = 0; n < 3; n++) {
		/* Two levels at the first end, one more at the second. */
		f->pages.fail_after = n;
		assert_int_equal(pt_unmap(&f->pt, DIRECT + 0x1000, PAGE_SIZE_2M), ERR_NOMEM);
		f->pages.fail_after = FAKE_PAGES_NEVER;
		for (uint64_t va = 0; va < 0x400000; va += 0x1000) {
			assert_int_equal(pt_lookup(&f->pt, DIRECT + va, &leaf), 0);
			assert_int_equal(leaf.hpa + (DIRECT + va - leaf.va), va);
		}
		pt_destroy(&f->pt);
		assert_int_equal(pt_init(&f->pt, &f->pages.source, true), 0);
		assert_int_equal(pt_map(&f->pt, DIRECT, 0, PAGE_SIZE_1G, PT_R, PT_WB), 0);
	}
	f->pages.fail_after = 0;
	struct pagetable other;
	assert_int_equal(pt_init(&other, &f->pages.source, true), ERR_NOMEM);
	f->pages.fail_after = FAKE_PAGES_NEVER;
}

/* 8 MiB of addresses, one model cell a page. */
#define CELLS 2048
struct cell {
	uint64_t hpa;
	unsigned prot;
	bool present;
};

static void check_model(struct pagetable *pt, const struct cell *model, uint64_t base)
{
	for (unsigned i = 0; i < CELLS; i++) {
		struct pt_leaf leaf;
		uint64_t va = base + i * PAGE_SIZE;
		int err = pt_lookup(pt, va, &leaf);

		assert_int_equal(err == 0, model[i].present);
		if (err == 0) {
			assert_int_equal(leaf.hpa + (va - leaf.va), model[i].hpa);
			assert_int_equal(leaf.prot, model[i].prot);
		}
	}
}

static void random_work_agrees_with_a_flat_model(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	static struct cell model[CELLS];
	uint64_t base = DIRECT + 0x3fc00000; /* across a border of 1 GiB */

	srand(7);
	memset(model, 0, sizeof(model));
	for (unsigned round = 0; round < 3000; round++) {
		unsigned at = (unsigned)rand() % CELLS;
		unsigned n = 1 + (unsigned)rand() % (rand() % 3 ? 40 : CELLS);
		unsigned prot = (unsigned)rand() % 4;
		uint64_t hpa = ((uint64_t)(rand() % 2 ? at : (unsigned)rand() % CELLS)) * PAGE_SIZE + 0x10000000;
		bool hole = true;

		if (n > CELLS - at)
			n = CELLS - at;
		for (unsigned i = at; i < at + n; i++)
			hole = hole && !model[i].present;
		switch (rand() % 3) {
		case 0:
			assert_int_equal(pt_map(pt, base + at * PAGE_SIZE, hpa, n * PAGE_SIZE, prot, PT_WB),
					 hole ? 0 : ERR_OVERLAP);
			for (unsigned i = 0; i < n && hole; i++)
				model[at + i] = (struct cell){hpa + i * PAGE_SIZE, prot, true};
			break;
		case 1:
			assert_int_equal(pt_unmap(pt, base + at * PAGE_SIZE, n * PAGE_SIZE), 0);
			memset(model + at, 0, n * sizeof(model[0]));
			break;
		default:
			assert_int_equal(pt_protect(pt, base + at * PAGE_SIZE, n * PAGE_SIZE, prot), 0);
			for (unsigned i = at; i < at + n; i++)
				model[i].prot = model[i].present ? prot : 0;
		}
		if (round % 50 == 0)
			check_model(pt, model, base);
	}
	check_model(pt, model, base);
}

static int count_leaf(void *ctx, const struct pt_leaf *leaf)
{
	uint64_t *last = ctx;

	assert_true(last[0] == 0 || leaf->va > last[1]);
	last[0]++;
	last[1] = leaf->va;
	return leaf->va == KERNEL + PAGE_SIZE ? 42 : 0;
}

static void the_walk_sees_each_page_once_in_order(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	uint64_t seen[2] = {0};

	assert_int_equal(pt_for_each(pt, count_leaf, seen), 0);
	assert_int_equal(seen[0], 0);
	assert_int_equal(pt_map(pt, 0, 0, PAGE_SIZE, PT_R, PT_WB), 0);
	assert_int_equal(pt_map(pt, DIRECT, 0, PAGE_SIZE_1G + PAGE_SIZE_2M, PT_W, PT_WB), 0);
	assert_int_equal(pt_map(pt, -PAGE_SIZE, 0, PAGE_SIZE, PT_R, PT_WB), 0);
	assert_int_equal(pt_for_each(pt, count_leaf, seen), 0);
	assert_int_equal(seen[0], 4);
	memset(seen, 0, sizeof(seen));
	assert_int_equal(pt_map(pt, KERNEL, 0x200000, 3 * PAGE_SIZE, PT_R, PT_WB), 0);
	assert_int_equal(pt_for_each(pt, count_leaf, seen), 42);
	assert_int_equal(seen[0], 5);
}

static const struct pt_text text = {.va = KERNEL + 0x1000, .hpa = 0x201000, .bytes = 0x2000};

static void map_image(struct pagetable *pt)
{
	assert_int_equal(pt_map(pt, KERNEL, 0x200000, 0x1000, PT_R, PT_WB), 0);
	assert_int_equal(pt_map(pt, KERNEL + 0x1000, 0x201000, 0x2000, PT_X, PT_WB), 0);
	assert_int_equal(pt_map(pt, KERNEL + 0x3000, 0x203000, 0x1000, PT_W, PT_WB), 0);
}

static void wx_holds_for_a_proper_image(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	struct pt_leaf bad;

	map_image(pt);
	assert_int_equal(pt_map(pt, DIRECT + 0x400000, 0x400000, PAGE_SIZE_1G, PT_W, PT_WB), 0);
	assert_int_equal(pt_check_wx(pt, &text, &bad), 0);
}

static void wx_finds_each_breach(void **state)
{
	struct pagetable *pt = &((struct fixture *)*state)->pt;
	struct pt_leaf bad;

	map_image(pt);
	assert_int_equal(pt_protect(pt, KERNEL + 0x2000, 0x1000, PT_W | PT_X), 0);
	assert_int_equal(pt_check_wx(pt, &text, &bad), ERR_FAULT);
	assert_int_equal(bad.va, KERNEL + 0x2000);
	assert_int_equal(pt_protect(pt, KERNEL + 0x2000, 0x1000, PT_W), 0);
	assert_int_equal(pt_check_wx(pt, &text, &bad), ERR_FAULT);
	assert_int_equal(pt_protect(pt, KERNEL + 0x2000, 0x1000, PT_X), 0);
	assert_int_equal(pt_check_wx(pt, &text, &bad), 0);
	/* Executable elsewhere. */
	assert_int_equal(pt_protect(pt, KERNEL + 0x3000, 0x1000, PT_X), 0);
	assert_int_equal(pt_check_wx(pt, &text, &bad), ERR_FAULT);
	assert_int_equal(bad.va, KERNEL + 0x3000);
	assert_int_equal(pt_protect(pt, KERNEL + 0x3000, 0x1000, PT_W), 0);
	/* The text, writable through another address, with what lies around it. */
	assert_int_equal(pt_map(pt, DIRECT + 0x200000, 0x200000, PAGE_SIZE_2M, PT_W, PT_WB), 0);
	assert_int_equal(pt_check_wx(pt, &text, &bad), ERR_FAULT);
	assert_int_equal(bad.va, DIRECT + 0x200000);
	assert_int_equal(pt_protect(pt, DIRECT + 0x200000, PAGE_SIZE_2M, PT_R), 0);
	assert_int_equal(pt_check_wx(pt, &text, &bad), 0);
	/* A user page. */
	pt->root[256] |= 4;
	((uint64_t *)pt->pages->hva_of(pt->pages->ctx, pt->root[256] & 0xffffffffff000ull))[0] |= 4;
	uint64_t *pd = pt->pages->hva_of(
		pt->pages->ctx, ((uint64_t *)pt->pages->hva_of(pt->pages->ctx, pt->root[256] & 0xffffffffff000ull))[0] &
					0xffffffffff000ull);
	pd[1] |= 4;
	assert_int_equal(pt_check_wx(pt, &text, &bad), ERR_FAULT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(entries_have_the_manuals_bits),
		T(the_largest_pages_are_used),
		cmocka_unit_test_setup_teardown(without_1g_pages_2m_serve, setup_no_1g, teardown),
		T(hpa_alignment_limits_the_page),
		T(bad_ranges_are_refused),
		T(the_edges_of_the_halves_can_be_mapped),
		T(overlap_changes_nothing),
		T(fill_maps_what_is_missing),
		T(unmapping_divides_large_pages),
		T(protect_keeps_address_and_type),
		T(no_memory_leaves_nothing_behind),
		T(random_work_agrees_with_a_flat_model),
		T(the_walk_sees_each_page_once_in_order),
		T(wx_holds_for_a_proper_image),
		T(wx_finds_each_breach),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
