/* The MSR table: it and its index agree, what has no row does not exist, and each action does what it says, against the fake
 * processor. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "tests/fake/fake_vcpu_hw.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/msr_policy.h"
#include "vmm/core/vm.h"

static struct vm vm;
static struct vcpu v;
static struct cpuid_policy cpuid;

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0xee, sizeof(v));
	memset(&cpuid, 0, sizeof(cpuid));
	cpuid.phys_bits = 40;
	cpuid.efer = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;
	vm.cpuid = &cpuid;
	v.vm = &vm;
	assert_int_equal(vcpu_hw_create(&v), 0);
	msr_policy_reset(&v);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vcpu_hw_destroy(&v);
	return 0;
}

static int rd(uint32_t msr, uint64_t *value)
{
	*value = 0xdeadbeefcafebabe;
	return msr_policy_read(&v, msr_policy_find(msr), msr, value);
}

static int wr(uint32_t msr, uint64_t value)
{
	return msr_policy_write(&v, msr_policy_find(msr), msr, value);
}

static uint64_t get(uint32_t msr)
{
	uint64_t value;

	assert_int_equal(rd(msr, &value), 0);
	return value;
}

static void test_table_and_index_agree(void **state)
{
	const struct msr_row *row, *other;

	(void)state;
	for (size_t i = 0; (row = msr_policy_row(i)) != NULL; i++) {
		assert_non_null(row->name);
		assert_non_null(row->why);
		assert_true(row->first <= row->last);
		for (uint32_t msr = row->first; msr <= row->last; msr++)
			assert_ptr_equal(msr_policy_find(msr), row);
		for (size_t k = 0; (other = msr_policy_row(k)) != NULL; k++)
			assert_true(k == i || other->last < row->first || other->first > row->last);
		if (row->action == MSR_STORE)
			assert_true(row->field + 8 * (row->last - row->first + 1) <= offsetof(struct vcpu, ring));
	}
	for (uint64_t msr = 0; msr < 0x20000; msr++) {
		row = msr_policy_find((uint32_t)msr);
		assert_true(row == NULL || (msr >= row->first && msr <= row->last));
	}
	for (uint64_t msr = 0xc0000000; msr < 0xc0020000; msr++) {
		row = msr_policy_find((uint32_t)msr);
		assert_true(row == NULL || (msr >= row->first && msr <= row->last));
	}
}

static void test_default_deny(void **state)
{
	static const uint32_t unknown[] = {
		0x0,   0x1,   0x11,   0x34,   0x79,       0x9b,       0xc1,       0xe7,       0x140,      0x17b,
		0x186, 0x198, 0x1f2,  0x210,  0x400,      0x570,      0x601,      0x6ff,      0x700,      0x7ff,
		0x900, 0xd90, 0x1000, 0xfffe, 0x4b564cff, 0xc0000085, 0xc0000104, 0xc0010015, 0xc0010114, UINT32_MAX};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(unknown); i++) {
		assert_null(msr_policy_find(unknown[i]));
		assert_int_equal(rd(unknown[i], &value), ERR_FAULT);
		assert_int_equal(wr(unknown[i], 0), ERR_FAULT);
	}
	static const uint32_t denied[] = {0x48, 0x49, 0x10a, 0x10b, 0x38f, 0x480, 0x492, 0xda0, 0x40000000, 0x4b564d00};
	for (size_t i = 0; i < ARRAY_LEN(denied); i++) {
		assert_int_equal(msr_policy_find(denied[i])->action, MSR_DENY);
		assert_int_equal(rd(denied[i], &value), ERR_FAULT);
		assert_int_equal(wr(denied[i], 0), ERR_FAULT);
	}
}

static void test_values(void **state)
{
	(void)state;
	assert_int_equal(get(MSR_FEATURE_CONTROL), 1);
	assert_int_equal(wr(MSR_FEATURE_CONTROL, 5), ERR_FAULT);
	assert_int_equal(get(MSR_MTRR_CAP), 0x508);
	assert_int_equal(wr(MSR_MTRR_CAP, 0x508), ERR_FAULT);
	assert_int_equal(get(MSR_MCG_CAP), 0);
	assert_int_equal(get(MSR_PLATFORM_ID), 0);
	assert_int_equal(get(MSR_PLATFORM_INFO), 0);
	assert_true(get(MSR_BIOS_SIGN_ID) == 1ull << 32);
	assert_int_equal(wr(MSR_BIOS_SIGN_ID, 0), 0);
	assert_true(get(MSR_BIOS_SIGN_ID) == 1ull << 32);
}

static void test_misc_enable(void **state)
{
	(void)state;
	assert_int_equal(get(MSR_MISC_ENABLE), 0x1801);
	assert_int_equal(wr(MSR_MISC_ENABLE, 0x1800), 0);
	assert_int_equal(get(MSR_MISC_ENABLE), 0x1800);
	for (unsigned bit = 1; bit < 64; bit++)
		assert_int_equal(wr(MSR_MISC_ENABLE, 0x1801 ^ BIT64(bit)), ERR_FAULT);
	assert_int_equal(get(MSR_MISC_ENABLE), 0x1800);
	assert_int_equal(get(MSR_MCG_STATUS), 0);
	assert_int_equal(wr(MSR_MCG_STATUS, 0), 0);
	assert_int_equal(wr(MSR_MCG_STATUS, 4), ERR_FAULT);
}

static void test_mtrrs(void **state)
{
	uint64_t value;

	(void)state;
	for (uint32_t msr = 0x200; msr < 0x210; msr++) {
		assert_int_equal(get(msr), 0);
		value = (msr & 1) != 0 ? 0xff00000800 + ((uint64_t)msr << 12) : ((uint64_t)msr << 12) + 6;
		assert_int_equal(wr(msr, value), 0);
	}
	for (uint32_t msr = 0x200; msr < 0x210; msr++) {
		value = (msr & 1) != 0 ? 0xff00000800 + ((uint64_t)msr << 12) : ((uint64_t)msr << 12) + 6;
		assert_true(get(msr) == value);
	}
	assert_int_equal(wr(0x200, 1ull << 40), ERR_FAULT);
	assert_int_equal(wr(0x201, 1ull << 40), ERR_FAULT);
	assert_int_equal(wr(0x200, 0x100), ERR_FAULT);
	assert_int_equal(wr(0x200, 2), ERR_FAULT);
	assert_int_equal(wr(0x200, 7), ERR_FAULT);
	assert_int_equal(wr(0x201, 0x400), ERR_FAULT);
	static const uint32_t fixed[] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a, 0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++)
		assert_int_equal(wr(fixed[i], 0x0506040100060500 + (i & 1)), 0);
	for (size_t i = 0; i < ARRAY_LEN(fixed); i++) {
		assert_true(get(fixed[i]) == 0x0506040100060500 + (i & 1));
		assert_true(v.msr_mtrr_fixed[i] == 0x0506040100060500 + (i & 1));
		assert_int_equal(wr(fixed[i], 0x0300000000000000), ERR_FAULT);
	}
	assert_int_equal(get(0x2ff), 0);
	assert_int_equal(wr(0x2ff, 0xc06), 0);
	assert_int_equal(get(0x2ff), 0xc06);
	assert_int_equal(wr(0x2ff, 0x1c06), ERR_FAULT);
	assert_int_equal(wr(0x2ff, 0xc03), ERR_FAULT);
}

static void test_firmware_mtrrs(void **state)
{
	(void)state;
	msr_policy_set_firmware_mtrrs(&v, 0xc0000000);
	assert_int_equal(get(0x2ff), 0xc06);
	assert_true(get(0x250) == 0x0606060606060606);
	assert_true(get(0x258) == 0x0606060606060606);
	assert_int_equal(get(0x259), 0);
	assert_true(get(0x26f) == 0x0606060606060606);
	assert_int_equal(get(0x200), 0xc0000000);
	assert_true(get(0x201) == 0xffc0000800);
	assert_int_equal(get(0x203), 0);
	/* What we set, a guest may write back. */
	for (uint32_t msr = 0x200; msr < 0x210; msr++)
		assert_int_equal(wr(msr, get(msr)), 0);
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(get(MSR_PAT), 0x0007040600070406);
	assert_int_equal(wr(MSR_PAT, 0x0007010600070106), 0);
	assert_true(vcpu_hw_get(&v, VCPU_PAT) == 0x0007010600070106);
	assert_int_equal(wr(MSR_PAT, 0x0007010600070103), ERR_FAULT);
	assert_int_equal(wr(MSR_PAT, 0x0807010600070106), ERR_FAULT);
	assert_int_equal(wr(MSR_DEBUGCTL, 2), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_DEBUGCTL), 2);
	assert_int_equal(wr(MSR_DEBUGCTL, 1), ERR_FAULT);
	assert_int_equal(wr(MSR_LSTAR, 0x1234), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_LSTAR), 0x1234);
	assert_int_equal(wr(MSR_LSTAR, 0xffff800000000000), 0);
	assert_int_equal(wr(MSR_LSTAR, 0x800000000000), ERR_FAULT);
	assert_int_equal(wr(MSR_CSTAR, 0xffff7fffffffffff), ERR_FAULT);
	assert_int_equal(wr(MSR_CSTAR, 0x7fffffffffff), 0);
	assert_true(vcpu_hw_get(&v, VCPU_LSTAR) == 0xffff800000000000);
	assert_int_equal(wr(MSR_STAR, 0x8000000000000000), 0);
	assert_int_equal(wr(MSR_FMASK, 1ull << 32), ERR_FAULT);
	assert_int_equal(wr(MSR_FMASK, 0x47700), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_FMASK), 0x47700);
	assert_int_equal(wr(MSR_SYSENTER_EIP, 0x55), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_SYSENTER_EIP), 0x55);
	assert_int_equal(wr(MSR_TSC_AUX, 1ull << 32), ERR_FAULT);
}

static void test_efer(void **state)
{
	(void)state;
	assert_int_equal(wr(MSR_EFER, EFER_SCE | EFER_LME | EFER_NXE), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_EFER), EFER_SCE | EFER_LME | EFER_NXE);
	vcpu_hw_set(&v, VCPU_CR0, CR0_PE | CR0_PG);
	vcpu_hw_set(&v, VCPU_EFER, EFER_LME | EFER_LMA);
	/* LMA is not software's: it stays, whatever is written. */
	assert_int_equal(wr(MSR_EFER, EFER_LME | EFER_SCE), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_EFER), EFER_LME | EFER_LMA | EFER_SCE);
	assert_int_equal(wr(MSR_EFER, 0), ERR_FAULT);
	assert_int_equal(wr(MSR_EFER, EFER_LME | EFER_SVME), ERR_FAULT);
	cpuid.efer &= ~EFER_NXE;
	assert_int_equal(wr(MSR_EFER, EFER_LME | EFER_NXE), ERR_FAULT);
}

static void test_owned_by_others(void **state)
{
	static const uint32_t theirs[] = {MSR_TSC, MSR_TSC_ADJUST, MSR_APIC_BASE, MSR_TSC_DEADLINE,
					  0x800,   0x83f,          0x8ff};
	uint64_t value;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++) {
		assert_int_equal(rd(theirs[i], &value), ERR_NOSUP);
		assert_int_equal(wr(theirs[i], 0), ERR_NOSUP);
	}
}

static void test_direct(void **state)
{
	static const uint32_t both[] = {MSR_FS_BASE,     MSR_GS_BASE,      MSR_KERNEL_GS_BASE,
					MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
					MSR_PAT};
	static const uint32_t read_only[] = {MSR_TSC, MSR_EFER, MSR_STAR, MSR_LSTAR, MSR_CSTAR, MSR_FMASK, MSR_TSC_AUX};
	unsigned count = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(both); i++)
		assert_true(msr_policy_find(both[i])->direct_read && msr_policy_find(both[i])->direct_write);
	for (size_t i = 0; i < ARRAY_LEN(read_only); i++) {
		assert_true(msr_policy_find(read_only[i])->direct_read);
		assert_false(msr_policy_find(read_only[i])->direct_write);
	}
	for (size_t i = 0; msr_policy_row(i) != NULL; i++)
		if (msr_policy_row(i)->direct_read || msr_policy_row(i)->direct_write)
			count += msr_policy_row(i)->last - msr_policy_row(i)->first + 1;
	assert_int_equal(count, ARRAY_LEN(both) + ARRAY_LEN(read_only));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_table_and_index_agree, setup, teardown),
		cmocka_unit_test_setup_teardown(test_default_deny, setup, teardown),
		cmocka_unit_test_setup_teardown(test_values, setup, teardown),
		cmocka_unit_test_setup_teardown(test_misc_enable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mtrrs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_firmware_mtrrs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_registers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_efer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_owned_by_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_direct, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
