/* kernel/lib/parse.c and the texts of errors.c. */
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static void check_u64(const char *text, int err, uint64_t value)
{
	uint64_t v = 0x5a5a;

	assert_int_equal(parse_u64(text, &v), err);
	assert_true(v == (err ? 0x5a5a : value));
}

static void test_numbers(void **state)
{
	(void)state;
	check_u64("0", 0, 0);
	check_u64("42", 0, 42);
	check_u64("007", 0, 7);
	check_u64("0x2a", 0, 42);
	check_u64("0XdeadBEEF", 0, 0xdeadbeef);
	check_u64("18446744073709551615", 0, UINT64_MAX);
	check_u64("0xffffffffffffffff", 0, UINT64_MAX);
	check_u64("00000000000000000000000000018446744073709551615", 0, UINT64_MAX);
	check_u64("18446744073709551616", ERR_RANGE, 0);
	check_u64("0x10000000000000000", ERR_RANGE, 0);
	check_u64("99999999999999999999999999", ERR_RANGE, 0);
	check_u64("99999999999999999999999999x", ERR_INVAL, 0);
	check_u64("", ERR_INVAL, 0);
	check_u64("0x", ERR_INVAL, 0);
	check_u64("x1", ERR_INVAL, 0);
	check_u64("-1", ERR_INVAL, 0);
	check_u64("+1", ERR_INVAL, 0);
	check_u64(" 1", ERR_INVAL, 0);
	check_u64("1 ", ERR_INVAL, 0);
	check_u64("1a", ERR_INVAL, 0);
	check_u64("0x1g", ERR_INVAL, 0);
	check_u64("0x0x1", ERR_INVAL, 0);
}

static void test_bounded(void **state)
{
	const char open[4] = {'1', '2', '0', 'x'};
	uint64_t v = 0;

	(void)state;
	assert_int_equal(parse_u64_n(open, 2, &v), 0);
	assert_int_equal(v, 12);
	assert_int_equal(parse_u64_n(open + 2, 2, &v), ERR_INVAL);
	assert_int_equal(parse_u64_n(open, 0, &v), ERR_INVAL);
	assert_int_equal(parse_size_n("128M rest", 4, &v), 0);
	assert_int_equal(v, 128 * MIB);
}

static void check_size(const char *text, int err, uint64_t value)
{
	uint64_t v = 0x5a5a;

	assert_int_equal(parse_size(text, &v), err);
	assert_true(v == (err ? 0x5a5a : value));
}

static void test_sizes(void **state)
{
	(void)state;
	check_size("0", 0, 0);
	check_size("4096", 0, 4096);
	check_size("0x1000", 0, 4096);
	check_size("4K", 0, 4 * KIB);
	check_size("4k", 0, 4 * KIB);
	check_size("256M", 0, 256 * MIB);
	check_size("256MiB", 0, 256 * MIB);
	check_size("3G", 0, 3 * GIB);
	check_size("2T", 0, 2048 * GIB);
	check_size("0x10M", 0, 16 * MIB);
	check_size("16777215T", 0, 0xffffffull << 40);
	check_size("16777216T", ERR_RANGE, 0);
	check_size("18014398509481984K", ERR_RANGE, 0);
	check_size("18446744073709551616", ERR_RANGE, 0);
	check_size("", ERR_INVAL, 0);
	check_size("M", ERR_INVAL, 0);
	check_size("MiB", ERR_INVAL, 0);
	check_size("4MB", ERR_INVAL, 0);
	check_size("4iB", ERR_INVAL, 0);
	check_size("4KK", ERR_INVAL, 0);
	check_size("4 M", ERR_INVAL, 0);
	check_size("1.5G", ERR_INVAL, 0);
	check_size("-4M", ERR_INVAL, 0);
}

static void test_round_trip(void **state)
{
	char text[32];
	uint64_t out;

	(void)state;
	for (unsigned i = 0; i < 10000; i++) {
		uint64_t v = ((uint64_t)rand() << 33 ^ (uint64_t)rand()) >> rand() % 64;

		snprintf(text, sizeof(text), i % 2 ? "%lu" : "0x%lx", v);
		assert_int_equal(parse_u64(text, &out), 0);
		assert_true(out == v);
	}
}

static void check_cpus(const char *text, int err, uint64_t cpus)
{
	uint64_t v = 0x5a5a;

	assert_int_equal(parse_cpu_list(text, &v), err);
	assert_true(v == (err ? 0x5a5a : cpus));
}

static void test_cpu_lists(void **state)
{
	(void)state;
	check_cpus("all", 0, UINT64_MAX);
	check_cpus("0", 0, 1);
	check_cpus("63", 0, 1ull << 63);
	check_cpus("0,2-3", 0, 0xd);
	check_cpus("3,1,3", 0, 0xa);
	check_cpus("5-5", 0, 0x20);
	check_cpus("0-63", 0, UINT64_MAX);
	check_cpus("007", 0, 0x80);
	check_cpus("64", ERR_RANGE, 0);
	check_cpus("0-64", ERR_RANGE, 0);
	check_cpus("3-2", ERR_RANGE, 0);
	check_cpus("4294967296", ERR_RANGE, 0);
	check_cpus("", ERR_INVAL, 0);
	check_cpus(",", ERR_INVAL, 0);
	check_cpus("0,", ERR_INVAL, 0);
	check_cpus("1-", ERR_INVAL, 0);
	check_cpus("-1", ERR_INVAL, 0);
	check_cpus("1-2-3", ERR_INVAL, 0);
	check_cpus("1 2", ERR_INVAL, 0);
	check_cpus("0x1", ERR_INVAL, 0);
	check_cpus("all,1", ERR_INVAL, 0);
}

/* What fmt_cpu_list() writes is read again, and fits. */
static void test_cpu_lists_round_trip(void **state)
{
	char text[FMT_CPU_LIST_BYTES];
	uint64_t v, cpus = 0xdb6db6db6db6db6bull;

	(void)state;
	assert_string_equal(fmt_cpu_list(text, 0xd), "0,2-3");
	assert_string_equal(fmt_cpu_list(text, 1ull << 63), "63");
	assert_string_equal(fmt_cpu_list(text, UINT64_MAX >> 1), "0-62");
	assert_string_equal(fmt_cpu_list(text, UINT64_MAX), "all");
	assert_string_equal(fmt_cpu_list(text, 0), "none");
	for (unsigned i = 0; i < 10000; i++) {
		assert_int_equal(parse_cpu_list(fmt_cpu_list(text, cpus), &v), 0);
		assert_true(v == cpus);
		cpus = ((uint64_t)rand() << 33 ^ (uint64_t)rand() << 3 ^ (uint64_t)rand() % 8) | 1;
	}
}

static void test_error_texts(void **state)
{
	(void)state;
	assert_string_equal(err_str(0), "no error");
	assert_string_equal(err_str(ERR_NOMEM), "no memory");
	assert_string_equal(err_str(ERR_TIMEOUT), "timed out");
	assert_string_equal(err_str(1), "unknown error");
	assert_string_equal(err_str(ERR_AGAIN - 1), "unknown error");
	assert_string_equal(err_str(-2147483647 - 1), "unknown error");
	for (int e = 0; e >= ERR_AGAIN; e--)
		for (int f = 0; f > e; f--)
			assert_string_not_equal(err_str(e), err_str(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_error_texts),
		cmocka_unit_test(test_cpu_lists),
		cmocka_unit_test(test_cpu_lists_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
