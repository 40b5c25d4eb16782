/* kernel/lib/parse.c and the texts of errors.c. */
#include "kernel/lib/errors.h"
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

static void test_error_texts(void **state)
{
	(void)state;
	assert_string_equal(err_str(0), "no error");
	assert_string_equal(err_str(ERR_NOMEM), "no memory");
	assert_string_equal(err_str(ERR_TIMEOUT), "timed out");
	assert_string_equal(err_str(1), "unknown error");
	assert_string_equal(err_str(ERR_TIMEOUT - 1), "unknown error");
	assert_string_equal(err_str(-2147483647 - 1), "unknown error");
	for (int e = 0; e >= ERR_TIMEOUT; e--)
		for (int f = 0; f > e; f--)
			assert_string_not_equal(err_str(e), err_str(f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),    cmocka_unit_test(test_bounded),     cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_round_trip), cmocka_unit_test(test_error_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
