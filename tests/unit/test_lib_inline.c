/* The headers of kernel/lib that are all inline: bits, bitmap, range, bytes, list, muldiv. */
#include "kernel/lib/bitmap.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/list.h"
#include "kernel/lib/muldiv.h"
#include "kernel/lib/range.h"
#include "tests/fake/assert_expect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static uint64_t random64(void)
{
	return ((uint64_t)rand() << 42 ^ (uint64_t)rand() << 21 ^ (uint64_t)rand()) >> rand() % 64;
}

static void test_fields(void **state)
{
	(void)state;
	assert_true(bits_mask(7, 4) == 0xf0);
	assert_true(bits_mask(63, 0) == UINT64_MAX);
	assert_true(bits_mask(63, 63) == 1ull << 63);
	assert_true(bits_extract(0x123456789abcdef0, 15, 8) == 0xde);
	assert_true(bits_extract(UINT64_MAX, 63, 0) == UINT64_MAX);
	assert_true(bits_insert(0xffff, 11, 4, 0x1ab) == 0xfabf);
	assert_true(bits_insert(0, 63, 0, UINT64_MAX) == UINT64_MAX);
	assert_true(bits_test(0x8000000000000000, 63));
	assert_false(bits_test(0x8000000000000000, 62));
	assert_true(bits_sign_extend(0x80, 8) == -128);
	assert_true(bits_sign_extend(0x17f, 8) == 127);
	assert_true(bits_sign_extend(0xffffffff, 32) == -1);
	assert_true(bits_sign_extend(UINT64_MAX, 64) == -1);
	assert_true(bits_sign_extend(1, 1) == -1);
}

static void test_powers(void **state)
{
	(void)state;
	assert_false(is_pow2(0));
	for (unsigned i = 0; i < 64; i++) {
		uint64_t v = 1ull << i;

		assert_true(is_pow2(v));
		assert_int_equal(bits_ffs(v), i);
		assert_int_equal(bits_fls(v), i);
		assert_int_equal(log2_floor(v), i);
		assert_int_equal(log2_ceil(v), i);
		assert_int_equal(bits_count(v), 1);
		assert_int_equal(bits_count(~v), 63);
		if (i >= 2) {
			assert_false(is_pow2(v - 1));
			assert_int_equal(log2_floor(v - 1), i - 1);
			assert_int_equal(log2_ceil(v - 1), i);
			assert_int_equal(log2_ceil(v + 1), i + 1);
		}
	}
	assert_true(ASSERT_FAILS((void)bits_ffs(0)));
	assert_true(ASSERT_FAILS((void)bits_fls(0)));
	for (unsigned i = 0; i < 1000; i++) {
		uint64_t v = random64();

		assert_int_equal(bits_count(v), __builtin_popcountll(v));
	}
}

static void test_bitmap(void **state)
{
	enum { BITS = 200 };
	uint64_t map[BITMAP_WORDS(BITS)] = {0};
	bool model[BITS] = {false};

	(void)state;
	assert_int_equal(BITMAP_WORDS(64), 1);
	assert_int_equal(BITMAP_WORDS(65), 2);
	map[3] = 0xff00ull << 48; /* above bit 199: nobody may see it */
	for (unsigned round = 0; round < 20000; round++) {
		size_t bit = (size_t)rand() % BITS;
		size_t set = BITMAP_NONE, clear = BITMAP_NONE, count = 0;

		model[bit] = rand() % 2;
		bitmap_assign(map, bit, model[bit]);
		bit = (size_t)rand() % (BITS + 5);
		for (size_t i = BITS; i-- > 0;) {
			assert_int_equal(bitmap_test(map, i), model[i]);
			count += model[i];
			if (i >= bit && model[i])
				set = i;
			if (i >= bit && !model[i])
				clear = i;
		}
		assert_true(bitmap_next_set(map, BITS, bit) == set);
		assert_true(bitmap_next_clear(map, BITS, bit) == clear);
		assert_int_equal(bitmap_count(map, BITS), count);
	}
	bitmap_clear_range(map, 0, BITS);
	assert_true(bitmap_next_set(map, BITS, 0) == BITMAP_NONE);
	bitmap_set_range(map, 60, 80);
	assert_int_equal(bitmap_next_set(map, BITS, 0), 60);
	assert_int_equal(bitmap_next_clear(map, BITS, 60), 140);
	assert_int_equal(bitmap_count(map, BITS), 80);
}

static void test_range_edges(void **state)
{
	const uint64_t top = UINT64_MAX;

	(void)state;
	assert_false(range_wraps(top, 1)); /* ends at 2^64 exactly */
	assert_true(range_wraps(top, 2));
	assert_false(range_wraps(0, top));
	assert_false(range_wraps(top, 0));
	assert_true(range_wraps(1, top) == false);
	assert_true(range_wraps(2, top));
	assert_true(range_below(0x1000, 0x1000, 0x2000));
	assert_false(range_below(0x1000, 0x1001, 0x2000));
	assert_false(range_below(0x3000, 0, 0x2000));
	assert_false(range_below(0x1000, top, 0x2000));
	assert_true(range_has(top, 1, top));
	assert_false(range_has(top, 2, top)); /* wraps */
	assert_false(range_has(5, 0, 5));
	assert_true(range_contains(0x1000, 0x1000, 0x1fff, 1));
	assert_false(range_contains(0x1000, 0x1000, 0x1fff, 2));
	assert_false(range_contains(0x1000, 0x1000, 0x1fff, top));
	assert_true(range_contains(0x1000, 0x1000, 0x2000, 0));
	assert_false(range_contains(0x1000, 0x1000, 0x2001, 0));
	assert_false(range_contains(0x1000, 0x1000, 0xfff, 1));
	assert_true(range_overlaps(top, 1, 0x1000, top));
	assert_false(range_overlaps(0x1000, 0x1000, 0x2000, 0x1000));
	assert_false(range_overlaps(0x1000, 0, 0x1000, 1));
	assert_false(range_overlaps(0x1800, 0, 0x1000, 0x1000));
	assert_true(range_last(0x1000, 0x1000) == 0x1fff);
	assert_true(range_last(0x1000, top) == top);
}

/* All ranges of a small world, against sets of addresses. */
static void test_range_model(void **state)
{
	(void)state;
	for (uint64_t a = 0; a < 7; a++)
		for (uint64_t a_len = 0; a_len < 7; a_len++)
			for (uint64_t b = 0; b < 7; b++)
				for (uint64_t b_len = 0; b_len < 7; b_len++) {
					bool overlap = false, inside = true;

					for (uint64_t x = 0; x < 16; x++) {
						bool in_a = x >= a && x < a + a_len;
						bool in_b = x >= b && x < b + b_len;

						overlap |= in_a && in_b;
						inside &= !in_b || in_a;
						assert_int_equal(range_has(a, a_len, x), in_a);
					}
					assert_int_equal(range_overlaps(a, a_len, b, b_len), overlap);
					if (b_len > 0)
						assert_int_equal(range_contains(a, a_len, b, b_len), inside);
				}
}

static void test_bytes(void **state)
{
	uint8_t b[9] = {0xff, 1, 2, 3, 4, 5, 6, 7, 8};

	(void)state;
	assert_int_equal(load_le16(b + 1), 0x0201);
	assert_int_equal(load_le32(b + 1), 0x04030201);
	assert_true(load_le64(b + 1) == 0x0807060504030201);
	store_le16(b + 1, 0xaabb);
	store_le32(b + 3, 0x11223344);
	assert_int_equal(b[1], 0xbb);
	assert_int_equal(b[2], 0xaa);
	assert_int_equal(b[3], 0x44);
	assert_int_equal(b[6], 0x11);
	store_le64(b + 1, 0x1122334455667788);
	assert_true(load_le64(b + 1) == 0x1122334455667788);
	assert_int_equal(b[0], 0xff);
	assert_int_equal(checksum8("\x01\x02\xfd", 3), 0);
	assert_int_equal(checksum8("", 0), 0);
	assert_int_equal(checksum8("\x80\x81", 2), 1);
}

static void test_checksum(void **state)
{
	uint8_t bytes[70];

	(void)state;
	srand(3);
	for (unsigned round = 0; round < 2000; round++) {
		size_t len = (size_t)rand() % sizeof(bytes);
		uint8_t sum = 0;

		for (size_t i = 0; i < len; i++) {
			bytes[i] = rand() % 3 == 0 ? 0xff : (uint8_t)rand();
			sum = (uint8_t)(sum + bytes[i]);
		}
		assert_int_equal(checksum8(bytes, len), sum);
	}
}

struct item {
	int value;
	struct list link;
};

static void check_list(struct list *head, const char *text)
{
	LIST_FOR_EACH(link, head)
	{
		assert_int_equal(container_of(link, struct item, link)->value, *text++);
		assert_ptr_equal(link->next->prev, link);
	}
	assert_int_equal(*text, 0);
}

static void test_list(void **state)
{
	struct item items[4] = {{.value = 'a'}, {.value = 'b'}, {.value = 'c'}, {.value = 'd'}};
	struct list head;

	(void)state;
	list_init(&head);
	assert_true(list_empty(&head));
	assert_null(list_first(&head));
	list_add_back(&head, &items[1].link);
	list_add_front(&head, &items[0].link);
	list_add_back(&head, &items[3].link);
	list_add_after(&items[1].link, &items[2].link);
	check_list(&head, "abcd");
	assert_ptr_equal(list_first(&head), &items[0].link);
	list_remove(&items[2].link);
	list_remove(&items[2].link); /* in no list any more: harmless */
	check_list(&head, "abd");
	LIST_FOR_EACH_SAFE(link, next, &head)
	list_remove(link);
	assert_true(list_empty(&head));
}

static void check_muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 exact = c ? (unsigned __int128)a * b / c : (unsigned __int128)UINT64_MAX + 1;

	assert_true(muldiv_u64(a, b, c) == (exact > UINT64_MAX ? UINT64_MAX : (uint64_t)exact));
}

static void test_muldiv(void **state)
{
	static const uint64_t edges[] = {
		0, 1, 2, 1000000000, 1ull << 32, (1ull << 63) - 1, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		for (size_t j = 0; j < ARRAY_LEN(edges); j++)
			for (size_t k = 0; k < ARRAY_LEN(edges); k++)
				check_muldiv(edges[i], edges[j], edges[k]);
	for (unsigned i = 0; i < 100000; i++)
		check_muldiv(random64(), random64(), random64());
	assert_true(muldiv_u64(3000000000ull * 86400, 1000000000, 3000000000) == 86400ull * 1000000000);
}

static void check_fraction(uint64_t a, uint64_t c)
{
	unsigned __int128 exact = c ? (((unsigned __int128)a << 64) + c - 1) / c : UINT64_MAX;

	assert_true(fraction_u64(a, c) == (a >= c ? UINT64_MAX : (uint64_t)exact));
	assert_true(mulfraction_u64(a, c) == (uint64_t)((unsigned __int128)a * c >> 64));
}

static void test_fraction(void **state)
{
	static const uint64_t edges[] = {
		0, 1, 2, 3, 1000000000, 1ull << 32, (1ull << 63) - 1, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(edges); i++)
		for (size_t j = 0; j < ARRAY_LEN(edges); j++)
			check_fraction(edges[i], edges[j]);
	for (unsigned i = 0; i < 100000; i++)
		check_fraction(random64(), random64());
	assert_true(fraction_u64(1, 2) == 1ull << 63);
	assert_true(fraction_u64(1, 3) == UINT64_MAX / 3 + 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_checksum), cmocka_unit_test(test_fields),      cmocka_unit_test(test_powers),
		cmocka_unit_test(test_bitmap),   cmocka_unit_test(test_range_edges), cmocka_unit_test(test_range_model),
		cmocka_unit_test(test_bytes),    cmocka_unit_test(test_list),        cmocka_unit_test(test_muldiv),
		cmocka_unit_test(test_fraction),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
