/* kernel/page_alloc.c over a sparse arena: physical addresses are offsets into a big anonymous mapping, so that all zones
 * and 1 GiB blocks are real although hardly any page is ever touched. */
#include "kernel/lib/errors.h"
#include "kernel/page_alloc.h"
#include "tests/fake/assert_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { ARENA_GIB = 12 };

static uint8_t *arena;
static struct page_alloc pa;

static int map_arena(void **state)
{
	(void)state;
	arena = mmap(NULL, ARENA_GIB * GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return arena == MAP_FAILED;
}

static int unmap_arena(void **state)
{
	(void)state;
	return munmap(arena, ARENA_GIB * GIB);
}

static struct page_alloc_config config(const struct phys_range *ranges, size_t count)
{
	return (struct page_alloc_config){
		.ranges = ranges,
		.count = count,
		.hva_base = (uintptr_t)arena,
		.reach = ARENA_GIB * GIB,
	};
}

static void init(const struct phys_range *ranges, size_t count)
{
	struct page_alloc_config cfg = config(ranges, count);

	assert_int_equal(page_alloc_init(&pa, &cfg), 0);
}

/* A PC with 4 GiB: low memory, RAM up to 3 GiB with a hole, RAM from 4 GiB on. */
static const struct phys_range pc[] = {
	{0x1000, 0x9e000},
	{0x104000, 0xefc000},
	{0x1825000, 3 * GIB - 0x1825000},
	{4 * GIB, 5 * GIB},
};

static void test_start(void **state)
{
	uint64_t sum = 0;

	(void)state;
	init(pc, ARRAY_LEN(pc));
	for (size_t i = 0; i < ARRAY_LEN(pc); i++)
		sum += pc[i].len;
	assert_true(page_alloc_total_bytes(&pa) + pa.meta_bytes == sum);
	assert_true(page_alloc_free_bytes(&pa) == page_alloc_total_bytes(&pa));
	assert_int_equal(page_alloc_largest_order(&pa), PAGE_ORDER_1G);
	assert_int_equal(page_alloc_count(&pa, PAGE_ORDER_1G), 2 + 5);
	/* one byte a page, and the smallest range that holds them gave them */
	assert_true(pa.meta_bytes <= sum / 4096 + 0x20000);
	assert_true(pa.meta_base == 0x104000);
}

/* Every block is aligned to its size and inside the ranges; all together are all the memory; all back is the start. */
static void test_all_pages_of_each_order(void **state)
{
	(void)state;
	init(pc, ARRAY_LEN(pc));
	for (unsigned order = PAGE_ORDERS - 1; order >= 6; order--) {
		uint64_t before = page_alloc_free_bytes(&pa);
		static uint64_t got[1 << 16];
		size_t count = 0;
		uint64_t hpa;

		while ((hpa = page_alloc(&pa, order)) != PAGE_NONE) {
			assert_true(IS_ALIGNED(hpa, PAGE_SIZE << order) && hpa >= MIB);
			assert_true(hpa + (PAGE_SIZE << order) <= 3 * GIB || hpa >= 4 * GIB);
			got[count++] = hpa;
		}
		assert_true(before - page_alloc_free_bytes(&pa) == count * (PAGE_SIZE << order));
		assert_true(page_alloc_largest_order(&pa) < (int)order);
		while (count > 0) { /* in some other order */
			size_t i = (size_t)rand() % count;

			page_free(&pa, got[i], order);
			got[i] = got[--count];
		}
		assert_true(page_alloc_free_bytes(&pa) == before);
		assert_int_equal(page_alloc_count(&pa, PAGE_ORDER_1G), 7);
	}
}

static void test_zones(void **state)
{
	uint64_t hpa, low_bytes = 0;

	(void)state;
	init(pc, ARRAY_LEN(pc));
	assert_true(page_alloc(&pa, 0) >= 4 * GIB);
	hpa = page_alloc_zone(&pa, 0, PAGE_ZONE_DMA32);
	assert_true(hpa >= MIB && hpa < 4 * GIB);
	while ((hpa = page_alloc_zone(&pa, 0, PAGE_ZONE_LOW)) != PAGE_NONE) {
		assert_true(hpa < MIB);
		low_bytes += PAGE_SIZE;
	}
	assert_true(low_bytes == 0x9e000);
	assert_true(page_alloc_zone(&pa, PAGE_ORDER_1G, PAGE_ZONE_DMA32) < 4 * GIB);
	for (unsigned i = 0; i < 4; i++)
		assert_true(page_alloc(&pa, PAGE_ORDER_1G) >= 4 * GIB);
	assert_true(page_alloc(&pa, PAGE_ORDER_1G) < 4 * GIB); /* the fifth is split already: fall back */
	assert_true(page_alloc(&pa, PAGE_ORDER_1G) == PAGE_NONE);
}

/* Nobody gets low memory who did not ask for it. */
static void test_low_is_no_fallback(void **state)
{
	static const struct phys_range ranges[] = {{0x1000, 0x9e000}, {0x100000, 0x3000}};

	(void)state;
	init(ranges, ARRAY_LEN(ranges));
	assert_int_equal(pa.meta_bytes, PAGE_SIZE);
	assert_true(page_alloc(&pa, 0) >= MIB);
	assert_true(page_alloc(&pa, 0) >= MIB);
	assert_true(page_alloc(&pa, 0) == PAGE_NONE);
	assert_int_equal(page_alloc_largest_order(&pa), -1);
	assert_true(page_alloc_free_bytes(&pa) == 0x9e000);
	assert_true(page_alloc_zone(&pa, 6, PAGE_ZONE_LOW) == 0x40000);
}

/* Blocks that touch at 1 MiB and at 4 GiB stay in their zones. */
static void test_zone_borders(void **state)
{
	static const struct phys_range ranges[] = {{0, 0x400000}, {4 * GIB - 0x400000, 0x800000}};

	(void)state;
	init(ranges, ARRAY_LEN(ranges));
	assert_true(pa.meta_base == MIB);
	assert_int_equal(page_alloc_count(&pa, 8), 1); /* 0-1 MiB */
	assert_true(page_alloc_zone(&pa, 8, PAGE_ZONE_LOW) == 0);
	page_free(&pa, 0, 8);
	assert_true(page_alloc_zone(&pa, 9, PAGE_ZONE_LOW) == PAGE_NONE);
	assert_true(page_alloc_zone(&pa, 10, PAGE_ZONE_HIGH) == 4 * GIB);
	assert_true(page_alloc_zone(&pa, 10, PAGE_ZONE_HIGH) == 4 * GIB - 0x400000);
}

static void test_reach(void **state)
{
	struct page_alloc_config cfg = config(pc, ARRAY_LEN(pc));
	uint64_t all;

	(void)state;
	init(pc, ARRAY_LEN(pc));
	all = page_alloc_free_bytes(&pa);
	cfg.reach = 0x2000000;
	assert_int_equal(page_alloc_init(&pa, &cfg), 0);
	assert_true(page_alloc(&pa, PAGE_ORDER_1G) == PAGE_NONE);
	assert_true(page_alloc_total_bytes(&pa) <= 0x2000000);
	page_alloc_extend(&pa, 3 * GIB);
	assert_int_equal(page_alloc_count(&pa, PAGE_ORDER_1G), 2);
	page_alloc_extend(&pa, 3 * GIB);
	page_alloc_extend(&pa, 6 * GIB);
	assert_int_equal(page_alloc_count(&pa, PAGE_ORDER_1G), 4);
	page_alloc_extend(&pa, ARENA_GIB * GIB);
	assert_int_equal(page_alloc_count(&pa, PAGE_ORDER_1G), 7);
	assert_true(page_alloc_free_bytes(&pa) == all);
	assert_true(ASSERT_FAILS(page_alloc_extend(&pa, GIB)));
}

static void test_bad_config(void **state)
{
	static const struct phys_range odd[] = {{0x100800, 0x1000}}, odd_len[] = {{0x100000, 0x1001}};
	static const struct phys_range empty[] = {{0x100000, 0}}, wraps[] = {{UINT64_MAX - 0xfff, 0x2000}};
	static const struct phys_range top[] = {{UINT64_MAX - 0xfff, 0x1000}};
	static const struct phys_range order[] = {{0x200000, 0x1000}, {0x100000, 0x1000}};
	static const struct phys_range only_low[] = {{0x1000, 0x9e000}};
	struct page_alloc_config cfg = config(odd, 1);

	(void)state;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_ALIGN);
	cfg.ranges = odd_len;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_ALIGN);
	cfg.ranges = empty;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_RANGE);
	cfg.ranges = wraps;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_RANGE);
	cfg.ranges = top;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_RANGE);
	cfg.ranges = order;
	cfg.count = 2;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_OVERLAP);
	cfg.ranges = only_low;
	cfg.count = 1;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_NOMEM);
	cfg.count = 0;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_NOMEM);
	cfg = config(pc, ARRAY_LEN(pc));
	cfg.reach = 0x100800;
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_ALIGN);
	cfg.reach = 0x104000; /* nothing above 1 MiB within reach */
	assert_int_equal(page_alloc_init(&pa, &cfg), ERR_NOMEM);
}

static void test_misuse(void **state)
{
	uint64_t hpa, other;

	(void)state;
	init(pc, ARRAY_LEN(pc));
	hpa = page_alloc(&pa, 3);
	other = page_alloc(&pa, 3);
	assert_true(ASSERT_FAILS(page_free(&pa, hpa, 2)));
	assert_true(ASSERT_FAILS(page_free(&pa, hpa, 4)));
	assert_true(ASSERT_FAILS(page_free(&pa, hpa, PAGE_ORDERS)));
	assert_true(ASSERT_FAILS(page_free(&pa, hpa + PAGE_SIZE, 3)));
	assert_true(ASSERT_FAILS(page_free(&pa, hpa + 8, 3)));
	page_free(&pa, hpa, 3);
	assert_true(ASSERT_FAILS(page_free(&pa, hpa, 3)));
	assert_true(ASSERT_FAILS(page_free(&pa, 0, 0)));            /* reserved: before the first range */
	assert_true(ASSERT_FAILS(page_free(&pa, 0xa0000, 0)));      /* a hole inside of a span */
	assert_true(ASSERT_FAILS(page_free(&pa, pa.meta_base, 0))); /* the state bytes themselves */
	assert_true(ASSERT_FAILS(page_free(&pa, 3 * GIB, 0)));      /* a hole between spans */
	assert_true(ASSERT_FAILS(page_free(&pa, 1ull << 50, 0)));
	assert_true(ASSERT_FAILS(page_free(&pa, PAGE_NONE, 0)));
	assert_true(ASSERT_FAILS((void)page_alloc(&pa, PAGE_ORDERS)));
	page_free(&pa, other, 3);
}

static void test_write_after_free(void **state)
{
	uint64_t hpa;

	(void)state;
	init(pc, ARRAY_LEN(pc));
	hpa = page_alloc(&pa, 0);
	page_free(&pa, page_alloc(&pa, 0), 0);
	page_free(&pa, hpa, 0);
	hpa = page_alloc(&pa, 0);
	memset(page_hva(&pa, hpa ^ PAGE_SIZE), 0x41, 16); /* its buddy is free */
	assert_true(ASSERT_FAILS(page_free(&pa, hpa, 0)));
}

static void test_junk(void **state)
{
	struct page_alloc_config cfg = config(pc, ARRAY_LEN(pc));
	uint8_t *p;
	uint64_t hpa;

	(void)state;
	cfg.junk = true;
	assert_int_equal(page_alloc_init(&pa, &cfg), 0);
	hpa = page_alloc(&pa, 1);
	p = page_hva(&pa, hpa);
	memset(p, 0x42, 2 * PAGE_SIZE);
	page_free(&pa, hpa, 1);
	for (size_t i = 24 /* the links */; i < 2 * PAGE_SIZE; i++)
		assert_int_equal(p[i], 0xdb);
}

/* More far-apart ranges than there are spans: the last span takes what is left, and nothing is lost. */
static void test_many_spans(void **state)
{
	static struct phys_range ranges[PAGE_MAX_SPANS + 8];
	uint64_t sum = 0, got = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(ranges); i++) {
		ranges[i] = (struct phys_range){(i + 1) * 256 * MIB, (i + 1) * MIB / 4};
		sum += ranges[i].len;
	}
	init(ranges, ARRAY_LEN(ranges));
	assert_int_equal(pa.span_count, PAGE_MAX_SPANS);
	for (uint64_t hpa; (hpa = page_alloc(&pa, 0)) != PAGE_NONE; got += PAGE_SIZE)
		assert_true(hpa % (256 * MIB) < hpa / (256 * MIB) * MIB / 4);
	assert_true(got + pa.meta_bytes == sum);
}

static void test_order_for(void **state)
{
	(void)state;
	assert_int_equal(page_order_for(1), 0);
	assert_int_equal(page_order_for(4096), 0);
	assert_int_equal(page_order_for(4097), 1);
	assert_int_equal(page_order_for(12288), 2);
	assert_int_equal(page_order_for(2 * MIB), PAGE_ORDER_2M);
	assert_int_equal(page_order_for(GIB), PAGE_ORDER_1G);
	assert_int_equal(page_order_for(GIB + 1), PAGE_ORDERS);
	assert_int_equal(page_order_for(UINT64_MAX), PAGE_ORDERS);
	assert_true(ASSERT_FAILS((void)page_order_for(0)));
}

static void test_source(void **state)
{
	struct page_source s;
	uint64_t before;
	uint8_t *p;

	(void)state;
	init(pc, ARRAY_LEN(pc));
	s = page_alloc_source(&pa);
	before = page_alloc_free_bytes(&pa);
	p = s.alloc(s.ctx, PAGE_ORDER_2M);
	assert_true(p >= arena && p < arena + ARENA_GIB * GIB);
	assert_true(s.hpa_of(s.ctx, p + 5) == (uint64_t)(p + 5 - arena));
	assert_ptr_equal(s.hva_of(s.ctx, 0x1234), arena + 0x1234);
	s.free(s.ctx, p, PAGE_ORDER_2M);
	assert_true(page_alloc_free_bytes(&pa) == before);
	while (s.alloc(s.ctx, PAGE_ORDER_1G))
		;
	assert_null(s.alloc(s.ctx, PAGE_ORDER_1G));
}

static int lock_depth, lock_uses;

static void acquire(void *ctx)
{
	assert_ptr_equal(ctx, &lock_depth);
	assert_int_equal(lock_depth++, 0);
	lock_uses++;
}

static void release(void *ctx)
{
	assert_ptr_equal(ctx, &lock_depth);
	assert_int_equal(--lock_depth, 0);
}

static void test_lock(void **state)
{
	struct page_alloc_config cfg = config(pc, ARRAY_LEN(pc));

	(void)state;
	cfg.lock = (struct alloc_lock){acquire, release, &lock_depth};
	assert_int_equal(page_alloc_init(&pa, &cfg), 0);
	lock_uses = 0;
	page_free(&pa, page_alloc(&pa, 4), 4);
	assert_int_equal(lock_uses, 2);
	(void)page_alloc_free_bytes(&pa); /* of several counts */
	(void)page_alloc_dirty_bytes(&pa);
	assert_int_equal(lock_uses, 4);
	assert_int_equal(lock_depth, 0);
}

static bool all_zero(uint64_t hpa, unsigned order)
{
	const uint8_t *p = arena + hpa;

	return p[0] == 0 && memcmp(p, p + 1, (PAGE_SIZE << order) - 1) == 0;
}

static void forget_contents(uint64_t bytes)
{
	assert_int_equal(madvise(arena, bytes, MADV_DONTNEED), 0);
}

/* Clean memory is given out first to who asks for it, used memory to all others. */
static void test_clean(void **state)
{
	static const struct phys_range ranges[] = {{MIB, 4 * MIB}};
	uint64_t a, b;

	(void)state;
	forget_contents(8 * MIB);
	init(ranges, 1);
	assert_true(page_alloc_dirty_bytes(&pa) == 0);
	assert_true(!page_scrub_step(&pa));
	a = page_alloc_clean(&pa, 2, false);
	assert_true(all_zero(a, 2));
	memset(arena + a, 0x77, PAGE_SIZE << 2);
	page_free(&pa, a, 2);
	assert_true(page_alloc_dirty_bytes(&pa) == PAGE_SIZE << 2);
	assert_true(page_alloc_free_bytes(&pa) == page_alloc_total_bytes(&pa));
	b = page_alloc_clean(&pa, 2, true);
	assert_true(b != a && all_zero(b, 2));
	assert_true(page_alloc(&pa, 2) == a); /* contents undefined: what is used will do */
	page_free(&pa, a, 2);
	assert_true(page_scrub_step(&pa) && !page_scrub_step(&pa));
	assert_true(page_alloc_dirty_bytes(&pa) == 0);
}

/* When only used memory is left, it is scrubbed on the way, and by who asks for that alone. */
static void test_scrub_on_demand(void **state)
{
	static const struct phys_range ranges[] = {{MIB, 3 * MIB}};
	uint64_t all[2];

	(void)state;
	forget_contents(8 * MIB);
	init(ranges, 1);
	for (unsigned i = 0; i < 2; i++) {
		all[i] = page_alloc(&pa, 8);
		memset(arena + all[i], 0x77, MIB);
	}
	while (page_alloc(&pa, 0) != PAGE_NONE) {
	}
	page_free(&pa, all[0], 8);
	assert_true(page_alloc_clean(&pa, 3, false) == PAGE_NONE);
	all[0] = page_alloc_clean(&pa, 3, true);
	assert_true(all[0] != PAGE_NONE && all_zero(all[0], 3));
	assert_true(page_alloc_dirty_bytes(&pa) == MIB - (PAGE_SIZE << 3));
}

/* Buddies of which one is clean and one is not: together they are a block all the same. */
static void test_mixed_buddies(void **state)
{
	static const struct phys_range ranges[] = {{2 * MIB, MIB}, {4 * MIB, 64 * KIB}};
	uint64_t half, whole;

	(void)state;
	forget_contents(8 * MIB);
	init(ranges, ARRAY_LEN(ranges));
	assert_true(pa.meta_base == 4 * MIB);
	half = page_alloc(&pa, 7);
	page_free(&pa, half, 7);
	assert_int_equal(page_alloc_largest_order(&pa), 7);
	assert_true(page_alloc_clean(&pa, 8, true) == PAGE_NONE);
	whole = page_alloc(&pa, 8);
	assert_true(whole == 2 * MIB);
}

/* Any length of a block can be kept; its parts are freed one by one, and all is as before. */
static void test_trim(void **state)
{
	static const struct phys_range ranges[] = {{MIB, 4 * MIB}};

	(void)state;
	init(ranges, 1);
	for (uint64_t pages = 1; pages <= 32; pages++) {
		uint64_t before = page_alloc_free_bytes(&pa);
		unsigned order = page_order_for(pages * PAGE_SIZE);
		uint64_t hpa = page_alloc(&pa, order);

		page_trim(&pa, hpa, order, pages);
		assert_true(before - page_alloc_free_bytes(&pa) == pages * PAGE_SIZE);
		for (unsigned bit = 6; bit-- > 0;) {
			if (!(pages >> bit & 1))
				continue;
			page_free(&pa, hpa, bit);
			hpa += PAGE_SIZE << bit;
		}
		assert_true(page_alloc_free_bytes(&pa) == before);
	}
	while (page_scrub_step(&pa)) {
	}
	assert_true(page_alloc_clean(&pa, 9, false) != PAGE_NONE);
}

static void test_fresh_may_be_dirty(void **state)
{
	static const struct phys_range ranges[] = {{MIB, 4 * MIB}};
	struct page_alloc_config cfg = config(ranges, 1);
	unsigned steps = 0;

	(void)state;
	memset(arena + MIB, 0x55, 4 * MIB);
	cfg.fresh = PAGE_DIRTY;
	assert_int_equal(page_alloc_init(&pa, &cfg), 0);
	assert_true(page_alloc_dirty_bytes(&pa) == page_alloc_total_bytes(&pa));
	assert_true(page_alloc_clean(&pa, 0, false) == PAGE_NONE);
	while (page_scrub_step(&pa)) {
		assert_true(page_alloc_free_bytes(&pa) == page_alloc_total_bytes(&pa));
		steps++;
	}
	assert_in_range(steps, 63, 70); /* 64 KiB each, and what the state bytes' place left over */
	assert_true(page_alloc_dirty_bytes(&pa) == 0);
	assert_true(all_zero(page_alloc_clean(&pa, 9, false), 9));
}

/* --- Random work against a model: one byte a page, owner number or 0. What a free page holds says whether it is clean. */

enum { WORLD_PAGES = 5000, MAX_BLOCKS = 400 };

struct block {
	uint64_t page;
	unsigned order;
};

static uint8_t owner[WORLD_PAGES];

static void own(const struct block *b, uint8_t from, uint8_t to)
{
	for (uint64_t i = 0; i < 1ull << b->order; i++) {
		assert_true(b->page + i < WORLD_PAGES);
		assert_int_equal(owner[b->page + i], from);
		owner[b->page + i] = to;
	}
}

/* In the middle of a page, where no link of a list goes. */
static bool is_dirty(uint64_t page)
{
	return arena[page * PAGE_SIZE + PAGE_SIZE / 2] != 0;
}

/* The bitmap of free pages says what buddy blocks there must be: the largest aligned free ones of the same past, in each
 * zone. */
static bool model_has(uint64_t page, unsigned order)
{
	for (uint64_t i = 0; i < 1ull << order; i++)
		if (page + i >= WORLD_PAGES || owner[page + i] != 1 || is_dirty(page + i) != is_dirty(page))
			return false;
	return (page < 256) == (page + (1ull << order) - 1 < 256);
}

static void check_counts(void)
{
	size_t want[PAGE_ORDERS] = {0}, free_pages = 0, dirty_pages = 0;

	for (uint64_t page = 0; page < WORLD_PAGES;) {
		unsigned order = 0;

		if (owner[page] != 1) {
			page++;
			continue;
		}
		while (order + 1 < PAGE_ORDERS && page % (2ull << order) == 0 && model_has(page, order + 1))
			order++;
		want[order]++;
		dirty_pages += is_dirty(page) ? 1ull << order : 0;
		page += 1ull << order;
		free_pages += 1ull << order;
	}
	for (unsigned order = 0; order < PAGE_ORDERS; order++)
		assert_int_equal(page_alloc_count(&pa, order), want[order]);
	assert_true(page_alloc_free_bytes(&pa) == free_pages * PAGE_SIZE);
	assert_true(page_alloc_dirty_bytes(&pa) == dirty_pages * PAGE_SIZE);
}

static bool possible(unsigned order, bool low, bool clean)
{
	for (uint64_t page = 0; page < WORLD_PAGES; page += 1ull << order)
		if ((page < 256) == low && model_has(page, order) && !(clean && is_dirty(page)))
			return true;
	return false;
}

static void take_random(struct block *blocks, size_t *count)
{
	struct block b = {.order = (unsigned)rand() % 9};
	bool low = rand() % 4 == 0, clean = !low && rand() % 2, scrub = rand() % 2;
	uint64_t hpa;
	bool can;

	if (rand() % 2)
		b.order = 0;
	can = possible(b.order, low, clean && !scrub);
	if (!can && !clean) { /* page_alloc() would scrub until clean and used together make a block */
		while (page_scrub_step(&pa)) {
		}
		can = possible(b.order, low, false);
	}
	if (clean)
		hpa = page_alloc_clean(&pa, b.order, scrub);
	else
		hpa = page_alloc_zone(&pa, b.order, low ? PAGE_ZONE_LOW : PAGE_ZONE_HIGH);
	assert_int_equal(hpa != PAGE_NONE, can);
	if (hpa == PAGE_NONE)
		return;
	assert_true(IS_ALIGNED(hpa, PAGE_SIZE << b.order));
	assert_true(!clean || all_zero(hpa, b.order));
	memset(arena + hpa, 0x77, PAGE_SIZE << b.order);
	b.page = hpa >> PAGE_SHIFT;
	own(&b, 1, 2);
	blocks[(*count)++] = b;
}

static void test_random(void **state)
{
	static const struct phys_range ranges[] = {
		{0x1000, 0x9e000}, {0xc0000, 0x48000}, {0x10b000, 0x400000}, {0x50c000, 0xa5000}, {0x600000, 0xd88000}};
	static struct block blocks[MAX_BLOCKS];

	(void)state;
	for (unsigned run = 0; run < 20; run++) {
		size_t count = 0;
		uint64_t start;

		forget_contents(WORLD_PAGES * PAGE_SIZE);
		init(ranges, ARRAY_LEN(ranges));
		start = page_alloc_free_bytes(&pa);
		memset(owner, 0, sizeof(owner));
		for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
			memset(owner + ranges[i].base / 4096, 1, ranges[i].len / 4096);
		memset(owner + pa.meta_base / 4096, 0, pa.meta_bytes / 4096);
		check_counts();
		for (unsigned step = 0; step < 1500; step++) {
			if (count < MAX_BLOCKS && rand() % 100 < (step / 300 % 2 ? 35 : 65)) {
				take_random(blocks, &count);
			} else if (count > 0) {
				size_t i = (size_t)rand() % count;

				own(&blocks[i], 2, 1);
				page_free(&pa, blocks[i].page << PAGE_SHIFT, blocks[i].order);
				blocks[i] = blocks[--count];
			}
			if (run % 2 && rand() % 3 == 0)
				page_scrub_step(&pa);
			if (step % 10 == 0)
				check_counts();
		}
		while (count-- > 0) {
			own(&blocks[count], 2, 1);
			page_free(&pa, blocks[count].page << PAGE_SHIFT, blocks[count].order);
		}
		check_counts();
		assert_true(page_alloc_free_bytes(&pa) == start);
		while (page_scrub_step(&pa)) {
		}
		check_counts(); /* nothing dirty, and as few blocks as at the start */
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_all_pages_of_each_order),
		cmocka_unit_test(test_zones),
		cmocka_unit_test(test_low_is_no_fallback),
		cmocka_unit_test(test_zone_borders),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_bad_config),
		cmocka_unit_test(test_misuse),
		cmocka_unit_test(test_write_after_free),
		cmocka_unit_test(test_junk),
		cmocka_unit_test(test_many_spans),
		cmocka_unit_test(test_order_for),
		cmocka_unit_test(test_source),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_clean),
		cmocka_unit_test(test_scrub_on_demand),
		cmocka_unit_test(test_mixed_buddies),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_fresh_may_be_dirty),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, map_arena, unmap_arena);
}
