/* kernel/lib/string.c under names of its own, against plain byte loops; and str_copy(). */
#define memcpy lib_memcpy
#define memmove lib_memmove
#define memset lib_memset
#define memcmp lib_memcmp
#define memchr lib_memchr
#define strlen lib_strlen
#define strnlen lib_strnlen
#define strcmp lib_strcmp
#define strncmp lib_strncmp
#define strchr lib_strchr
#define strrchr lib_strrchr
#define strstr lib_strstr
#include "kernel/lib/string.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { ARENA = 700 };

static void fill_random(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rand();
}

static void bytes_equal(const uint8_t *a, const uint8_t *b, size_t n)
{
	for (size_t i = 0; i < n; i++)
		assert_int_equal(a[i], b[i]);
}

static void test_copy_and_move(void **state)
{
	static uint8_t arena[ARENA], model[ARENA], copy[ARENA];

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		size_t n = (size_t)rand() % 300;
		size_t from = (size_t)rand() % (ARENA - n);
		size_t to = (size_t)rand() % (ARENA - n);

		fill_random(arena, ARENA);
		for (size_t i = 0; i < ARENA; i++)
			model[i] = copy[i] = arena[i];
		for (size_t i = 0; i < n; i++)
			model[to + i] = arena[from + i];
		assert_ptr_equal(lib_memcpy(copy + to, arena + from, n), copy + to);
		bytes_equal(copy, model, ARENA);
		assert_ptr_equal(lib_memmove(arena + to, arena + from, n), arena + to);
		bytes_equal(arena, model, ARENA);
	}
}

static void test_move_each_distance(void **state)
{
	static uint8_t arena[600];

	(void)state;
	for (int distance = -20; distance <= 20; distance++) {
		for (size_t n = 0; n < 300; n++) {
			for (size_t i = 0; i < sizeof(arena); i++)
				arena[i] = (uint8_t)(i * 7);
			lib_memmove(arena + 100 + distance, arena + 100, n);
			for (size_t i = 0; i < n; i++)
				assert_int_equal(arena[(size_t)(100 + distance) + i], (uint8_t)((100 + i) * 7));
		}
	}
}

static void test_set(void **state)
{
	uint8_t arena[ARENA];

	(void)state;
	for (size_t n = 0; n < 400; n++) {
		for (size_t i = 0; i < ARENA; i++)
			arena[i] = 0x11;
		assert_ptr_equal(lib_memset(arena + 5, 0x1f4, n), arena + 5); /* only the low byte counts */
		for (size_t i = 0; i < ARENA; i++)
			assert_int_equal(arena[i], i >= 5 && i < 5 + n ? 0xf4 : 0x11);
	}
}

static void test_compare(void **state)
{
	uint8_t a[64], b[64];

	(void)state;
	for (size_t n = 0; n <= 64; n++) {
		for (size_t i = 0; i < 64; i++)
			a[i] = b[i] = (uint8_t)(i + 0x70);
		assert_int_equal(lib_memcmp(a, b, n), 0);
		for (size_t i = 0; i < 64; i++) {
			b[i] ^= 0x80; /* signed chars would turn the order */
			assert_int_equal(lib_memcmp(a, b, n), i >= n ? 0 : a[i] < b[i] ? -1 : 1);
			b[i] ^= 0x80;
		}
	}
}

static void test_memchr(void **state)
{
	const char text[] = "abc\0d\xff";

	(void)state;
	assert_ptr_equal(lib_memchr(text, 'd', sizeof(text)), text + 4);
	assert_ptr_equal(lib_memchr(text, 0, sizeof(text)), text + 3);
	assert_ptr_equal(lib_memchr(text, 0xff, sizeof(text)), text + 5);
	assert_null(lib_memchr(text, 'd', 4));
	assert_null(lib_memchr(text, 'a', 0));
	/* At every place of a long one, behind bytes that differ from it in one bit, and not behind its end. */
	for (size_t at = 0; at < 40; at++) {
		uint8_t bytes[40];

		memset(bytes, 0x81, sizeof(bytes));
		bytes[at] = 0x80;
		assert_ptr_equal(lib_memchr(bytes, 0x80, sizeof(bytes)), bytes + at);
		assert_null(lib_memchr(bytes, 0x80, at));
		assert_null(lib_memchr(bytes, 0x00, sizeof(bytes)));
	}
}

static void test_lengths(void **state)
{
	const char open[3] = {'a', 'b', 'c'};

	(void)state;
	assert_int_equal(lib_strlen(""), 0);
	assert_int_equal(lib_strlen("hello"), 5);
	assert_int_equal(lib_strnlen("hello", 3), 3);
	assert_int_equal(lib_strnlen("hello", 30), 5);
	assert_int_equal(lib_strnlen(open, 3), 3);
	assert_int_equal(lib_strnlen(open, 0), 0);
}

static void test_string_order(void **state)
{
	(void)state;
	assert_int_equal(lib_strcmp("", ""), 0);
	assert_true(lib_strcmp("a", "b") < 0);
	assert_true(lib_strcmp("b", "a") > 0);
	assert_true(lib_strcmp("a", "ab") < 0);
	assert_true(lib_strcmp("\x7f", "\x80") < 0);
	assert_int_equal(lib_strncmp("abc", "abd", 2), 0);
	assert_true(lib_strncmp("abc", "abd", 3) < 0);
	assert_int_equal(lib_strncmp("abc", "xyz", 0), 0);
	assert_int_equal(lib_strncmp("ab", "ab", 100), 0);
}

static void test_searches(void **state)
{
	const char text[] = "abcabc";

	(void)state;
	assert_ptr_equal(lib_strchr(text, 'b'), text + 1);
	assert_ptr_equal(lib_strrchr(text, 'b'), text + 4);
	assert_ptr_equal(lib_strchr(text, 0), text + 6);
	assert_ptr_equal(lib_strrchr(text, 0), text + 6);
	assert_null(lib_strchr(text, 'x'));
	assert_null(lib_strrchr(text, 'x'));
	assert_ptr_equal(lib_strstr(text, ""), text);
	assert_ptr_equal(lib_strstr(text, "ca"), text + 2);
	assert_ptr_equal(lib_strstr("aab", "ab") + 0, lib_strstr("aab", "ab"));
	assert_ptr_equal(lib_strstr(text + 1, "abc"), text + 3);
	assert_null(lib_strstr(text, "abcd"));
	assert_null(lib_strstr("", "a"));
	assert_ptr_equal(lib_strstr("", "") != NULL ? text : NULL, text);
}

static void test_str_copy(void **state)
{
	char buf[8] = "xxxxxxx";

	(void)state;
	assert_int_equal(str_copy(buf, "1234567", sizeof(buf)), 0);
	assert_string_equal(buf, "1234567");
	assert_int_equal(str_copy(buf, "12345678", sizeof(buf)), ERR_TRUNC);
	assert_string_equal(buf, "1234567");
	assert_int_equal(str_copy(buf, "", 1), 0);
	assert_string_equal(buf, "");
	assert_int_equal(str_copy(buf, "a", 1), ERR_TRUNC);
	assert_string_equal(buf, "");
	buf[0] = 'q';
	assert_int_equal(str_copy(buf, "a", 0), ERR_TRUNC);
	assert_int_equal(buf[0], 'q');
	assert_true(str_eq("a", "a"));
	assert_false(str_eq("a", "ab"));
	assert_true(str_starts("console=com1", "console="));
	assert_false(str_starts("cons", "console="));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copy_and_move), cmocka_unit_test(test_move_each_distance),
		cmocka_unit_test(test_set),           cmocka_unit_test(test_compare),
		cmocka_unit_test(test_memchr),        cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_string_order),  cmocka_unit_test(test_searches),
		cmocka_unit_test(test_str_copy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
