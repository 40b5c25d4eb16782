/* The audit after a VM exit: what is expected, and that each register is looked at. */
#include "vmm/vmx/audit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct audit_state before, expected;

static int setup(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AUDIT_COUNT; i++)
		before.value[i] = 0x1111 * (i + 1);
	before.has = (1ull << AUDIT_COUNT) - 1;
	audit_expect(&before, &expected);
	return 0;
}

static void test_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < AUDIT_COUNT; i++) {
		assert_non_null(audit_name(i));
		for (unsigned other = 0; other < i; other++)
			assert_string_not_equal(audit_name(i), audit_name(other));
	}
}

/* SDM 3 "Loading Host Control Registers, Debug Registers, MSRs", "Loading Host Segment and Descriptor-Table Registers". */
static void test_what_an_exit_loads(void **state)
{
	(void)state;
	assert_int_equal(expected.value[AUDIT_DR7], 0x400);
	assert_int_equal(expected.value[AUDIT_DEBUGCTL], 0);
	assert_int_equal(expected.value[AUDIT_GDTR_LIMIT], 0xffff);
	assert_int_equal(expected.value[AUDIT_IDTR_LIMIT], 0xffff);
	assert_int_equal(expected.value[AUDIT_LDTR], 0);
	assert_int_equal(expected.value[AUDIT_CS], 0x08);
	assert_int_equal(expected.value[AUDIT_SS], 0x10);
	assert_int_equal(expected.value[AUDIT_FS], 0);
	assert_int_equal(expected.value[AUDIT_TR], 0x18);
}

static void test_what_stays(void **state)
{
	static const enum audit_item same[] = {AUDIT_CR0,     AUDIT_CR3,     AUDIT_CR4,       AUDIT_CR8,
					       AUDIT_EFER,    AUDIT_PAT,     AUDIT_XSS,       AUDIT_PERF_GLOBAL_CTRL,
					       AUDIT_FS_BASE, AUDIT_GS_BASE, AUDIT_GDTR_BASE, AUDIT_IDTR_BASE};

	(void)state;
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_int_equal(expected.value[same[i]], before.value[same[i]]);
}

static void test_each_is_looked_at(void **state)
{
	(void)state;
	assert_int_equal(audit_compare(&expected, &expected, 0, AUDIT_COUNT), AUDIT_COUNT);
	for (unsigned i = 0; i < AUDIT_COUNT; i++) {
		struct audit_state found = expected;

		found.value[i] ^= 1ull << 63;
		assert_int_equal(audit_compare(&expected, &found, 0, AUDIT_COUNT), i);
		assert_int_equal(audit_compare(&expected, &found, i, i + 1), i);
		assert_int_equal(audit_compare(&expected, &found, i + 1, AUDIT_COUNT), AUDIT_COUNT);
	}
}

/* What a processor does not have is not compared, nor is the guest's with the host's. */
static void test_left_out(void **state)
{
	struct audit_state found = expected;

	(void)state;
	expected.has &= ~(1ull << AUDIT_DEBUGCTL);
	found.value[AUDIT_DEBUGCTL] = 1;
	found.value[AUDIT_LSTAR] ^= 1;
	assert_int_equal(audit_compare(&expected, &found, AUDIT_HOST_FIRST, AUDIT_LIVE_FIRST), AUDIT_COUNT);
	assert_int_equal(audit_compare(&expected, &found, AUDIT_LIVE_FIRST, AUDIT_COUNT), AUDIT_LSTAR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_names, setup),      cmocka_unit_test_setup(test_what_an_exit_loads, setup),
		cmocka_unit_test_setup(test_what_stays, setup), cmocka_unit_test_setup(test_each_is_looked_at, setup),
		cmocka_unit_test_setup(test_left_out, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
