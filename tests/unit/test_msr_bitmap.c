/* The MSR bitmaps: bit by bit against the policy's rows, and what of the x2APIC does not leave the guest. */
#include "arch/x86/msr.h"
#include "drivers/regs/lapic.h"
#include "kernel/lib/bits.h"
#include "vmm/core/msr_policy.h"
#include "vmm/devices/vlapic.h"
#include "vmm/vmx/msr_bitmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static uint8_t page[PAGE_SIZE];

/* As the processor looks: SDM 3 "MSR-Bitmap Address". */
static bool leaves(uint32_t msr, bool write)
{
	uint32_t bit = (write ? 0x800u : 0) * 8 + (msr >= 0xc0000000u ? 0x400u * 8 + (msr - 0xc0000000u) : msr);

	return page[bit / 8] >> (bit % 8) & 1;
}

static bool policy_leaves(uint32_t msr, bool write)
{
	const struct msr_row *row = msr_policy_find(msr);

	return row == NULL || !(write ? row->direct_write : row->direct_read);
}

static void check(uint32_t first, bool x2apic)
{
	for (uint32_t msr = first; msr < first + 0x2000u; msr++) {
		if ((x2apic && msr >= 0x800 && msr < 0x840) || msr == MSR_TSC_DEADLINE)
			continue;
		assert_int_equal(leaves(msr, false), policy_leaves(msr, false));
		assert_int_equal(leaves(msr, true), policy_leaves(msr, true));
	}
}

static void test_policy(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < MSR_BITMAP_KINDS; kind++) {
		memset(page, 0, sizeof(page));
		msr_bitmap_fill(page, (enum msr_bitmap)kind, VCPU_APIC_ALL);
		check(0, (kind & MSR_BITMAP_X2APIC) != 0);
		check(0xc0000000u, false);
		assert_int_equal(leaves(MSR_TSC_DEADLINE, false), (kind & MSR_BITMAP_TIMER) == 0);
		assert_int_equal(leaves(MSR_TSC_DEADLINE, true), (kind & MSR_BITMAP_TIMER) == 0);
	}
	assert_false(leaves(MSR_FS_BASE, true));
	assert_true(leaves(MSR_TSC, true));
	assert_false(leaves(MSR_TSC, false));
}

static void test_x2apic(void **state)
{
	const uint32_t tpr = X2APIC_MSR(LAPIC_TPR), eoi = X2APIC_MSR(LAPIC_EOI), self = X2APIC_MSR(LAPIC_SELF_IPI);

	(void)state;
	msr_bitmap_fill(page, MSR_BITMAP_X2APIC, VCPU_APIC_ALL);
	for (uint32_t msr = 0x800; msr < 0x840; msr++) {
		assert_int_equal(leaves(msr, false), msr != tpr && !bits_test(vlapic_page_registers(), msr - 0x800));
		assert_int_equal(leaves(msr, true), msr != tpr && msr != eoi && msr != self);
	}
	msr_bitmap_fill(page, MSR_BITMAP_X2APIC, VCPU_APIC_TPR);
	for (uint32_t msr = 0x800; msr < 0x840; msr++) {
		assert_int_equal(leaves(msr, false), msr != tpr);
		assert_int_equal(leaves(msr, true), msr != tpr);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_policy),
		cmocka_unit_test(test_x2apic),
	};

	msr_policy_make_index();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
