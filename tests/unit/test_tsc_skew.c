/* Bounds of a skew out of ordered readings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "arch/x86/tsc_skew.h"

/* One round of a machine in which the way there takes `out` ticks, the way back `in`, and the other CPU is ahead by d. */
static void exchange(struct tsc_skew *s, uint64_t t0, uint64_t out, uint64_t in, int64_t d)
{
	tsc_skew_add(s, t0, t0 + out + (uint64_t)d, t0 + out + in);
}

static void test_alike(void **state)
{
	struct tsc_skew s;

	(void)state;
	tsc_skew_begin(&s);
	exchange(&s, 1000, 40, 60, 0);
	assert_int_equal(tsc_skew_value(&s), 0);
	assert_int_equal(tsc_skew_error(&s), 50);
	exchange(&s, 2000, 500, 3, 0); /* slow there, quick back: bounds one side */
	exchange(&s, 3000, 2, 900, 0);
	assert_int_equal(tsc_skew_value(&s), 0);
	assert_int_equal(tsc_skew_error(&s), 2);
}

static void test_off(void **state)
{
	static const int64_t skews[] = {1000, -1000, INT64_C(1) << 62, -(INT64_C(1) << 62), 101, -101};
	struct tsc_skew s;

	(void)state;
	for (size_t i = 0; i < sizeof(skews) / sizeof(skews[0]); i++) {
		tsc_skew_begin(&s);
		exchange(&s, 5000, 50, 50, skews[i]);
		assert_int_equal(tsc_skew_value(&s), skews[i]);
		assert_int_equal(tsc_skew_error(&s), 50);
	}
}

/* What lies within the bounds is no skew. */
static void test_small(void **state)
{
	struct tsc_skew s;

	(void)state;
	tsc_skew_begin(&s);
	exchange(&s, 5000, 50, 50, 49);
	assert_int_equal(tsc_skew_value(&s), 0);
	tsc_skew_begin(&s);
	exchange(&s, 5000, 50, 50, -49);
	assert_int_equal(tsc_skew_value(&s), 0);
}

static void test_wrap(void **state)
{
	struct tsc_skew s;

	(void)state;
	tsc_skew_begin(&s);
	exchange(&s, UINT64_MAX - 20, 50, 50, 0);
	assert_int_equal(tsc_skew_value(&s), 0);
	tsc_skew_begin(&s);
	exchange(&s, 10, 50, 50, -5000);
	assert_int_equal(tsc_skew_value(&s), -5000);
}

/* Counters of different rates contradict themselves sooner or later. */
static void test_drift(void **state)
{
	struct tsc_skew s;

	(void)state;
	tsc_skew_begin(&s);
	for (int i = 0; i < 10; i++)
		exchange(&s, 5000, 50, 50, i * 100);
	assert_true(tsc_skew_error(&s) == UINT64_MAX);
}

/* Whatever the delays are, the true value lies within value +- error. */
static void test_random(void **state)
{
	(void)state;
	srand(1);
	for (int i = 0; i < 2000; i++) {
		int64_t d = rand() % 20001 - 10000;
		struct tsc_skew s;
		int64_t off;

		tsc_skew_begin(&s);
		for (int k = rand() % 8; k >= 0; k--)
			exchange(&s, (uint64_t)rand(), (uint64_t)(rand() % 3000), (uint64_t)(rand() % 3000), d);
		assert_true(s.low <= d && d <= s.high);
		off = tsc_skew_value(&s) - d;
		if (tsc_skew_value(&s) != 0)
			assert_true((uint64_t)llabs(off) <= tsc_skew_error(&s) + 1);
		else
			assert_true(s.low <= 0 && s.high >= 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alike), cmocka_unit_test(test_off),   cmocka_unit_test(test_small),
		cmocka_unit_test(test_wrap),  cmocka_unit_test(test_drift), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
