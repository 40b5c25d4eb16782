/* Two processors that are alike, and each way in which they may not be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "kernel/lib/bits.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/preflight.h"

static struct vmx_probe first, here;
static char why[112];

static int setup(void **state)
{
	(void)state;
	memset(&first, 0, sizeof(first));
	memset(why, 0, sizeof(why));
	first.cpu.ext8[0] = 0x3028;
	first.raw.vmx[5] = 0x200401e0;
	here = first;
	return 0;
}

static void test_alike(void **state)
{
	(void)state;
	assert_true(vmx_probe_same(&first, &here, why, sizeof(why)));
	assert_string_equal(why, "");
}

/* What names a CPU, or says how it is set up at the moment, is no difference. */
static void test_own_affairs(void **state)
{
	(void)state;
	here.cpu.leaf1[1] = 0x03000800; /* APIC ID */
	here.cpu.leaf1[2] = BIT32(27);  /* OSXSAVE */
	here.cpu.leaf1[3] = BIT32(9);   /* APIC on */
	here.cpu.leaf7[2] = BIT32(4);   /* OSPKE */
	here.cpu.leaf_d[1] = 0x240;     /* bytes for what XCR0 has on */
	here.raw.feature_control = 5;
	assert_true(vmx_probe_same(&first, &here, why, sizeof(why)));
}

static void test_widths(void **state)
{
	(void)state;
	here.cpu.ext8[0] = 0x3027;
	assert_false(vmx_probe_same(&first, &here, why, sizeof(why)));
	assert_string_equal(why, "CPUID.80000008H:EAX is 0x3027, on the first CPU 0x3028");
}

static void test_msr(void **state)
{
	(void)state;
	here.raw.vmx[5] = 0x600401e0;
	assert_false(vmx_probe_same(&first, &here, why, sizeof(why)));
	assert_string_equal(why, "MSR 0x485 is 0x600401e0, on the first CPU 0x200401e0");
}

static void test_each_feature_word(void **state)
{
	uint32_t *const words[] = {&here.cpu.leaf1[2],   &here.cpu.leaf1[3], &here.cpu.leaf7[1],
				   &here.cpu.leaf7[2],   &here.cpu.leaf7[3], &here.cpu.leaf_d[0],
				   &here.cpu.leaf_d1[0], &here.cpu.ext1[2],  &here.cpu.ext1[3]};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		*words[i] ^= BIT32(3);
		assert_false(vmx_probe_same(&first, &here, why, sizeof(why)));
		*words[i] ^= BIT32(3);
	}
	for (size_t i = 0; i < VMX_RAW_MSRS; i++) {
		here.raw.vmx[i] ^= BIT64(63);
		assert_false(vmx_probe_same(&first, &here, why, sizeof(why)));
		here.raw.vmx[i] ^= BIT64(63);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_alike, setup),
		cmocka_unit_test_setup(test_own_affairs, setup),
		cmocka_unit_test_setup(test_widths, setup),
		cmocka_unit_test_setup(test_msr, setup),
		cmocka_unit_test_setup(test_each_feature_word, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
