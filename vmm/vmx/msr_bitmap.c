/* The MSR bitmaps: a 1 leaves the guest, and so does every MSR outside of the two ranges. Pure. SDM 3 "MSR-Bitmap Address". */
#include "vmm/vmx/msr_bitmap.h"

#include "drivers/regs/lapic.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/string.h"
#include "vmm/core/msr_policy.h"
#include "vmm/devices/vlapic.h"
#include "vmm/vmx/vmx_bits.h"

#define X2APIC_REGISTERS 64u

static void pass(uint8_t *map, uint32_t msr, bool read, bool write)
{
	bool high = msr >= MSR_BITMAP_HIGH_BASE;
	uint32_t bit = high ? msr - MSR_BITMAP_HIGH_BASE : msr;

	if (bit >= MSR_BITMAP_RANGE)
		return;
	bitmap_assign((uint64_t *)(map + (high ? MSR_BITMAP_READ_HIGH : MSR_BITMAP_READ_LOW)), bit, !read);
	bitmap_assign((uint64_t *)(map + (high ? MSR_BITMAP_WRITE_HIGH : MSR_BITMAP_WRITE_LOW)), bit, !write);
}

/* Only while the processor virtualises the x2APIC's MSRs may any of them not leave the guest: it would reach the host's own
 * APIC. Without register virtualization that is the TPR alone; with virtual-interrupt delivery EOI and SELF_IPI can be
 * written too (SDM 3 "Virtualizing MSR-Based APIC Accesses"). */
static void pass_x2apic(uint8_t *map, bool all)
{
	for (unsigned n = 0; n < X2APIC_REGISTERS; n++) {
		uint32_t msr = X2APIC_MSR_BASE + n;
		bool tpr = msr == X2APIC_MSR(LAPIC_TPR);
		bool read = tpr || (all && bits_test(vlapic_page_registers(), n));
		bool write = tpr || (all && (msr == X2APIC_MSR(LAPIC_EOI) || msr == X2APIC_MSR(LAPIC_SELF_IPI)));

		pass(map, msr, read, write);
	}
}

void msr_bitmap_fill(void *page, enum msr_bitmap kind, enum vcpu_apic_help help)
{
	const struct msr_row *row;

	memset(page, 0xff, PAGE_SIZE);
	for (size_t i = 0; (row = msr_policy_row(i)) != NULL; i++) {
		for (uint32_t msr = row->first; row->direct_read || row->direct_write; msr++) {
			pass(page, msr, row->direct_read, row->direct_write);
			if (msr == row->last)
				break;
		}
	}
	if (kind & MSR_BITMAP_X2APIC)
		pass_x2apic(page, help == VCPU_APIC_ALL);
	if (kind & MSR_BITMAP_TIMER)
		pass(page, MSR_IA32_TSC_DEADLINE_INDEX, true, true);
}
