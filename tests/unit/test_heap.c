/* kernel/heap.c over a page source that counts, and can run dry. */
#include "kernel/heap.h"
#include "tests/fake/assert_expect.h"
#include "tests/fake/fake_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static uint64_t pages_out, pages_limit;
static struct heap h;

/* Pages from the C library, so that ASan fences them. */
static void *source_alloc(void *ctx, unsigned order)
{
	void *p;

	(void)ctx;
	if (pages_out + (1ull << order) > pages_limit)
		return NULL;
	pages_out += 1ull << order;
	p = aligned_alloc(PAGE_SIZE << order, PAGE_SIZE << order);
	memset(p, 0x77, PAGE_SIZE << order);
	return p;
}

static void source_free(void *ctx, void *page, unsigned order)
{
	(void)ctx;
	pages_out -= 1ull << order;
	free(page);
}

static void init(bool junk)
{
	static const struct page_source source = {.alloc = source_alloc, .free = source_free};

	pages_limit = 1 << 20;
	heap_init(&h, &source, NULL, junk);
}

static void check_empty(void)
{
	assert_int_equal(h.bytes_used, 0);
	assert_int_equal(h.objects, 0);
	assert_int_equal(h.pages_held, 0);
	assert_int_equal(pages_out, 0);
}

static void check_zero(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(p[i], 0);
}

static void test_each_size(void **state)
{
	(void)state;
	for (unsigned junk = 0; junk < 2; junk++) {
		init(junk);
		for (size_t size = 0; size < 9000; size = size < 2100 ? size + 1 : size + 97) {
			uint8_t *a = heap_alloc(&h, size);
			uint8_t *b = heap_alloc(&h, size);

			assert_true(a && b && a != b);
			assert_true(IS_ALIGNED((uintptr_t)a | (uintptr_t)b, 16));
			assert_true(heap_size_of(&h, a) >= size);
			if (size > 2016)
				assert_true(IS_ALIGNED((uintptr_t)a, PAGE_SIZE));
			check_zero(a, size);
			memset(a, 0xff, heap_size_of(&h, a));
			check_zero(b, heap_size_of(&h, b));
			assert_int_equal(h.objects, 2);
			assert_int_equal(h.bytes_used, 2 * heap_size_of(&h, a));
			assert_int_equal(h.pages_held, pages_out);
			heap_free(&h, a);
			heap_free(&h, b);
			check_empty();
		}
	}
}

/* A slab that is full, then not, then empty. */
static void test_slab_states(void **state)
{
	enum { COUNT = 1000 };
	static void *p[COUNT];

	(void)state;
	init(true);
	for (size_t i = 0; i < COUNT; i++)
		p[i] = heap_alloc(&h, 16);
	assert_int_equal(h.pages_held, 4); /* 252 a page */
	for (size_t i = 0; i < COUNT; i += 2)
		heap_free(&h, p[i]);
	for (size_t i = 0; i < COUNT; i += 2)
		p[i] = heap_alloc(&h, 10);
	assert_int_equal(h.pages_held, 4);
	for (size_t i = 0; i < COUNT; i++)
		heap_free(&h, p[i]);
	check_empty();
}

static void test_large_sizes(void **state)
{
	void *p;

	(void)state;
	init(false);
	p = heap_alloc(&h, 65536);
	assert_int_equal(heap_size_of(&h, p), 65536);
	assert_int_equal(h.bytes_used, 65536);
	assert_int_equal(h.pages_held, 16 + 1); /* the record's slab */
	heap_free(&h, p);
	p = heap_alloc(&h, 65537);
	assert_int_equal(heap_size_of(&h, p), 131072);
	heap_free(&h, p);
	assert_null(heap_alloc(&h, SIZE_MAX));
	assert_null(heap_alloc(&h, GIB + 1));
	assert_null(heap_alloc_array(&h, SIZE_MAX / 2, 3));
	assert_null(heap_alloc_array(&h, 1ull << 32, 1ull << 32));
	p = heap_alloc_array(&h, 10, 100);
	assert_int_equal(heap_size_of(&h, p), 1344);
	heap_free(&h, p);
	heap_free(&h, NULL);
	check_empty();
}

/* A source that takes back what is too much of a block. */
static void test_trimmed_sizes(void **state)
{
	static struct fake_pages pages;
	void *p[40];

	(void)state;
	fake_pages_init(&pages, 4096, 0);
	heap_init(&h, &pages.source, NULL, false);
	for (size_t i = 1; i < ARRAY_LEN(p); i++) {
		p[i] = heap_alloc(&h, i * PAGE_SIZE - 100);
		assert_int_equal(heap_size_of(&h, p[i]), i * PAGE_SIZE);
		check_zero(p[i], i * PAGE_SIZE);
		memset(p[i], 0xff, i * PAGE_SIZE);
	}
	assert_int_equal(pages.pages_out, 39 * 40 / 2 + 1); /* and the records' slab */
	assert_int_equal(h.pages_held, pages.pages_out);
	for (size_t i = 1; i < ARRAY_LEN(p); i++)
		heap_free(&h, p[i]);
	assert_int_equal(h.pages_held, 0);
	assert_int_equal(pages.pages_out, 0);
	fake_pages_destroy(&pages);
}

static void test_raw(void **state)
{
	uint8_t *p;

	(void)state;
	init(false);
	p = heap_alloc_raw(&h, 3 * PAGE_SIZE);
	for (size_t i = 0; i < 3 * PAGE_SIZE; i++)
		assert_int_equal(p[i], 0x77); /* as the source gave it */
	assert_int_equal(heap_size_of(&h, p), 4 * PAGE_SIZE);
	heap_free(&h, p);
	check_empty();
}

static void test_no_memory(void **state)
{
	void *p, *q;

	(void)state;
	init(true);
	pages_limit = 0;
	assert_null(heap_alloc(&h, 1));
	assert_null(heap_alloc(&h, 4096));
	check_empty();
	pages_limit = 1; /* enough for the record of a large block, not for the block: the record goes back */
	assert_null(heap_alloc(&h, 4096));
	check_empty();
	p = heap_alloc(&h, 1);
	assert_non_null(p);
	assert_null(heap_alloc(&h, 100));
	q = heap_alloc(&h, 16);
	assert_non_null(q);
	assert_int_equal(h.objects, 2);
	heap_free(&h, p);
	heap_free(&h, q);
	check_empty();
}

static void test_misuse(void **state)
{
	static uint8_t foreign[2 * 4096] ALIGNED(4096);
	uint8_t *a, *b, *large;

	(void)state;
	init(true);
	a = heap_alloc(&h, 48);
	b = heap_alloc(&h, 48);
	large = heap_alloc(&h, 5000);
	assert_true(ASSERT_FAILS(heap_free(&h, a + 16)));
	assert_true(ASSERT_FAILS(heap_free(&h, a + 1)));
	assert_true(ASSERT_FAILS(heap_free(&h, a - 16))); /* inside of the header */
	assert_true(ASSERT_FAILS(heap_free(&h, foreign + 64)));
	assert_true(ASSERT_FAILS(heap_free(&h, foreign + 4096)));
	assert_true(ASSERT_FAILS(heap_free(&h, large + 4096)));
	heap_free(&h, a);
	assert_true(ASSERT_FAILS(heap_free(&h, a)));
	heap_free(&h, large);
	assert_true(ASSERT_FAILS(heap_free(&h, large)));
	a[3] = 1; /* written after it was freed: the next user finds out */
	assert_true(ASSERT_FAILS((void)heap_alloc(&h, 48)));
	a[3] = 0xdb;
	heap_free(&h, b);
	check_empty();
}

static void test_junk_on_free(void **state)
{
	uint8_t *a, *b;

	(void)state;
	init(true);
	a = heap_alloc(&h, 64);
	b = heap_alloc(&h, 64);
	memset(a, 1, 64);
	heap_free(&h, a);
	for (size_t i = 0; i < 64; i++)
		assert_int_equal(a[i], 0xdb);
	heap_free(&h, b); /* and with it the page */
	check_empty();
}

static int lock_depth, lock_uses;

static void acquire(void *ctx)
{
	(void)ctx;
	assert_int_equal(lock_depth++, 0);
	lock_uses++;
}

static void release(void *ctx)
{
	(void)ctx;
	assert_int_equal(--lock_depth, 0);
}

static void test_lock(void **state)
{
	static const struct page_source source = {.alloc = source_alloc, .free = source_free};
	static const struct alloc_lock lock = {acquire, release, NULL};
	void *p;

	(void)state;
	pages_limit = 1 << 20;
	heap_init(&h, &source, &lock, false);
	p = heap_alloc(&h, 5000);
	(void)heap_size_of(&h, p);
	heap_free(&h, p);
	assert_int_equal(lock_uses, 3);
	assert_int_equal(lock_depth, 0);
	check_empty();
}

static size_t random_size(void)
{
	switch (rand() % 8) {
	case 0:
		return (size_t)rand() % 20000;
	case 1:
		return (size_t)rand() % 2100;
	default:
		return (size_t)rand() % 200;
	}
}

/* Each object is full of a byte of its own, so an overlap shows. */
static void test_random(void **state)
{
	enum { SLOTS = 500 };
	static struct {
		uint8_t *p;
		size_t size;
		uint8_t fill;
	} slots[SLOTS];

	(void)state;
	init(true);
	for (unsigned step = 0; step < 100000; step++) {
		size_t i = (size_t)rand() % SLOTS;

		if (slots[i].p) {
			for (size_t k = 0; k < slots[i].size; k++)
				assert_int_equal(slots[i].p[k], slots[i].fill);
			heap_free(&h, slots[i].p);
			slots[i].p = NULL;
		} else {
			slots[i].size = random_size();
			slots[i].fill = (uint8_t)rand();
			slots[i].p = heap_alloc(&h, slots[i].size);
			check_zero(slots[i].p, slots[i].size);
			memset(slots[i].p, slots[i].fill, slots[i].size);
		}
		assert_true(h.pages_held == pages_out);
	}
	for (size_t i = 0; i < SLOTS; i++)
		heap_free(&h, slots[i].p);
	check_empty();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_size),   cmocka_unit_test(test_slab_states),
		cmocka_unit_test(test_large_sizes), cmocka_unit_test(test_trimmed_sizes),
		cmocka_unit_test(test_raw),         cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_misuse),      cmocka_unit_test(test_junk_on_free),
		cmocka_unit_test(test_lock),        cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
