/* kernel/lib/format.c, against the C library's snprintf where that defines the answer. */
#include "kernel/lib/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#pragma GCC diagnostic ignored "-Wformat" /* odd flag combinations are the point here */
#pragma GCC diagnostic ignored "-Wformat-extra-args"
#pragma GCC diagnostic ignored "-Wformat-overflow"

#define SAME(...)                                                                                                      \
	do {                                                                                                           \
		char ours_[256], libc_[256];                                                                           \
		size_t n_ = fmt_snprintf(ours_, sizeof(ours_), __VA_ARGS__);                                           \
		int m_ = snprintf(libc_, sizeof(libc_), __VA_ARGS__);                                                  \
		assert_string_equal(ours_, libc_);                                                                     \
		assert_int_equal((int)n_, m_);                                                                         \
	} while (0)

static void test_integers(void **state)
{
	static const char *const formats[] = {"%d",     "%5d",     "%-5d|",  "%05d",   "%+d", "% d",  "%.3d",
					      "%8.3d",  "%-8.3d|", "%08.3d", "%.0d",   "%u",  "%x",   "%X",
					      "%#x",    "%#X",     "%08x",   "%#010x", "%o",  "%.0x", "%3u",
					      "%-12x|", "%i",      "%+08d",  "%hhd",   "%hd", "%hhx", "%hu"};
	static const int values[] = {0, 1, -1, 7, 42, -42, 255, 256, 65535, 100000, 2147483647, -2147483647 - 1};

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(formats); f++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++)
			SAME(formats[f], values[v]);
}

static void test_long_integers(void **state)
{
	static const char *const formats[] = {"%ld", "%lu",     "%lx",     "%lld", "%llu", "%llx", "%zu",   "%zx",
					      "%jd", "%016llx", "%#018lx", "%td",  "%llX", "%lo",  "%20ld", "%-20lu|"};
	static const uint64_t values[] = {
		0, 1, 0x7fffffffffffffff, 0x8000000000000000, UINT64_MAX, 1000000000000, 0xdeadbeef};

	(void)state;
	for (size_t f = 0; f < ARRAY_LEN(formats); f++)
		for (size_t v = 0; v < ARRAY_LEN(values); v++)
			SAME(formats[f], values[v]);
}

static void test_strings(void **state)
{
	const char open[3] = {'a', 'b', 'c'};

	(void)state;
	SAME("[%s]", "");
	SAME("[%s] [%10s] [%-10s] [%.2s] [%-8.3s] [%8.3s]", "one", "two", "three", "four", "fives", "sixes");
	SAME("[%*s] [%-*s] [%.*s] [%*d]", 8, "x", 8, "y", 2, "abc", -6, 5);
	SAME("[%.*s]", -1, "all of it");
	SAME("%c%c%3c|%-3c|", 'a', 'b', 'c', 'd');
	SAME("100%% of %s", "it");
	SAME("%.3s", open); /* not terminated: the precision bounds the read */
}

static void test_special(void **state)
{
	char buf[64];

	(void)state;
	fmt_snprintf(buf, sizeof(buf), "%s", (const char *)NULL);
	assert_string_equal(buf, "(null)");
	fmt_snprintf(buf, sizeof(buf), "%p", (void *)0x1234abcd);
	assert_string_equal(buf, "0x1234abcd");
	fmt_snprintf(buf, sizeof(buf), "%018p", (void *)0x1234abcd);
	assert_string_equal(buf, "0x000000001234abcd");
	fmt_snprintf(buf, sizeof(buf), "%y %d", 3);
	assert_string_equal(buf, "%y 3");
	fmt_snprintf(buf, sizeof(buf), "50%");
	assert_string_equal(buf, "50%");
	fmt_snprintf(buf, sizeof(buf), "50%-08l");
	assert_string_equal(buf, "50%-08l");
}

static void test_truncation(void **state)
{
	char buf[16];

	(void)state;
	for (size_t size = 0; size <= 12; size++) {
		char model[16];

		memset(buf, 'q', sizeof(buf));
		memset(model, 'q', sizeof(model));
		assert_int_equal(fmt_snprintf(buf, size, "%s-%04d", "hello", 42), 10);
		snprintf(model, size, "%s-%04d", "hello", 42);
		assert_memory_equal(buf, model, sizeof(buf));
	}
	assert_int_equal(fmt_snprintf(NULL, 0, "%5000d", 1), 5000);
}

static void test_append(void **state)
{
	char buf[12];
	size_t len = 0;

	(void)state;
	assert_true(fmt_append(buf, sizeof(buf), &len, "%d", 12345));
	assert_true(fmt_append(buf, sizeof(buf), &len, "%s", "67890a"));
	assert_int_equal(len, 11);
	assert_string_equal(buf, "1234567890a");
	assert_true(fmt_append(buf, sizeof(buf), &len, "%s", ""));
	assert_false(fmt_append(buf, sizeof(buf), &len, "b"));
	assert_string_equal(buf, "1234567890a");
	len = 9;
	assert_false(fmt_append(buf, sizeof(buf), &len, "xyz"));
	assert_int_equal(len, 11);
	assert_string_equal(buf, "123456789xy");
	len = 12;
	assert_false(fmt_append(buf, sizeof(buf), &len, "x"));
}

static void test_random(void **state)
{
	static const char flags[] = "-0+ #";

	(void)state;
	for (unsigned round = 0; round < 50000; round++) {
		char fmt[32] = "<%";
		size_t len = 2;
		uint64_t value;

		for (int i = rand() % 4; i > 0; i--)
			fmt[len++] = flags[rand() % 5];
		if (rand() % 2)
			len += (size_t)sprintf(fmt + len, "%d", rand() % 30 + 1);
		if (rand() % 2)
			len += (size_t)sprintf(fmt + len, ".%d", rand() % 25);
		fmt[len++] = 'l';
		fmt[len++] = "duxX"[rand() % 4];
		fmt[len++] = '>';
		fmt[len] = '\0';
		value = ((uint64_t)rand() << 33 ^ (uint64_t)rand() << 10) >> rand() % 64;
		SAME(fmt, value);
	}
}

static void check_size(uint64_t bytes, const char *text)
{
	char buf[FMT_QUANTITY_BYTES];

	assert_string_equal(fmt_size(buf, bytes), text);
}

static void test_size(void **state)
{
	(void)state;
	check_size(0, "0 B");
	check_size(1023, "1023 B");
	check_size(1024, "1 KiB");
	check_size(1536, "1.5 KiB");
	check_size(4096, "4 KiB");
	check_size(256 * MIB, "256 MiB");
	check_size(256 * MIB - 1, "256 MiB");
	check_size(3 * GIB / 2, "1.5 GiB");
	check_size(MIB + MIB / 32, "1 MiB");
	check_size(MIB + MIB / 16, "1.1 MiB");
	check_size(2048 * GIB, "2 TiB");
	check_size(UINT64_MAX, "16384 PiB");
}

static void check_duration(uint64_t ns, const char *text)
{
	char buf[FMT_QUANTITY_BYTES];

	assert_string_equal(fmt_duration(buf, ns), text);
}

static void test_duration(void **state)
{
	const uint64_t s = 1000000000;

	(void)state;
	check_duration(0, "0 ns");
	check_duration(999, "999 ns");
	check_duration(1000, "1 us");
	check_duration(1234567, "1.2 ms");
	check_duration(1250000, "1.3 ms");
	check_duration(5 * s, "5 s");
	check_duration(59 * s + s / 2, "59.5 s");
	check_duration(60 * s, "1 min");
	check_duration(125 * s, "2 min 5 s");
	check_duration(3 * 3600 * s, "3 h");
	check_duration((3 * 3600 + 12 * 60 + 59) * s, "3 h 12 min");
	check_duration(49 * 3600 * s, "2 d 1 h");
	check_duration(UINT64_MAX, "213503 d 23 h");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers), cmocka_unit_test(test_long_integers), cmocka_unit_test(test_strings),
		cmocka_unit_test(test_special),  cmocka_unit_test(test_truncation),    cmocka_unit_test(test_append),
		cmocka_unit_test(test_random),   cmocka_unit_test(test_size),          cmocka_unit_test(test_duration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
