/* The capability MSRs of VT-x, parsed: SDM 3 appendix A "VMX Capability Reporting Facility". Pure. */
#include "vmm/vmx/vmx_caps.h"

#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/ept_format.h"
#include "vmm/vmx/vmx_bits.h"

#define BASIC_TRUE_CTLS 55u
#define MISC_STORE_LMA 5u
#define MISC_INJECT_ZERO_LEN 30u

static uint32_t may_bits(const struct vmx_raw_msrs *raw, uint32_t msr)
{
	return (uint32_t)(vmx_raw(raw, msr) >> 32);
}

bool vmx_raw_exists(const struct vmx_raw_msrs *raw, uint32_t msr)
{
	bool has_true = bits_test(vmx_raw(raw, MSR_VMX_BASIC), BASIC_TRUE_CTLS);

	switch (msr) {
	case MSR_VMX_PROCBASED_CTLS2:
		return (may_bits(raw, MSR_VMX_PROCBASED_CTLS) & PROC_SECONDARY) != 0;
	case MSR_VMX_EPT_VPID_CAP:
		return (may_bits(raw, MSR_VMX_PROCBASED_CTLS2) & (PROC2_EPT | PROC2_VPID)) != 0;
	case MSR_VMX_TRUE_PINBASED_CTLS:
	case MSR_VMX_TRUE_PROCBASED_CTLS:
	case MSR_VMX_TRUE_EXIT_CTLS:
	case MSR_VMX_TRUE_ENTRY_CTLS:
		return has_true;
	case MSR_VMX_VMFUNC:
		return (may_bits(raw, MSR_VMX_PROCBASED_CTLS2) & PROC2_VM_FUNCTIONS) != 0;
	case MSR_VMX_PROCBASED_CTLS3:
		return (may_bits(raw, MSR_VMX_PROCBASED_CTLS) & PROC_TERTIARY) != 0;
	case MSR_VMX_EXIT_CTLS2:
		return (may_bits(raw, MSR_VMX_EXIT_CTLS) & EXIT_CTL_SECONDARY) != 0;
	default:
		return msr >= MSR_VMX_BASIC && msr <= MSR_VMX_VMCS_ENUM;
	}
}

/* The low half has a 1 where the control must be 1, the high half a 1 where it may be 1. Where there is a TRUE version,
 * it also tells which of the "default1" controls may be 0. */
static struct vmx_ctl_range ctl_range(const struct vmx_raw_msrs *raw, uint32_t plain, uint32_t true_msr)
{
	uint64_t v = vmx_raw(raw, vmx_raw_exists(raw, true_msr) ? true_msr : plain);

	return (struct vmx_ctl_range){(uint32_t)v, (uint32_t)(v >> 32)};
}

static void parse_basic(uint64_t basic, struct vmx_caps *out)
{
	out->revision = (uint32_t)bits_extract(basic, 30, 0);
	out->region_bytes = (uint32_t)bits_extract(basic, 44, 32);
	out->addr_32bit = bits_test(basic, 48);
	out->vmcs_write_back = bits_extract(basic, 53, 50) == 6;
	out->true_ctls = bits_test(basic, BASIC_TRUE_CTLS);
	out->any_error_code = bits_test(basic, 56);
}

static void parse_misc(uint64_t misc, struct vmx_caps *out)
{
	out->timer_shift = (unsigned)bits_extract(misc, 4, 0);
	out->exits_store_lma = bits_test(misc, MISC_STORE_LMA);
	out->activity = BIT32(ACTIVITY_ACTIVE) | (uint32_t)bits_extract(misc, 8, 6) << ACTIVITY_HLT;
	out->cr3_targets = (unsigned)bits_extract(misc, 24, 16);
	out->max_msr_list = 512 * ((unsigned)bits_extract(misc, 27, 25) + 1);
	out->inject_zero_len = bits_test(misc, MISC_INJECT_ZERO_LEN);
}

/* Turn the raw MSRs into capabilities. Source: SDM 3 appendix A. */
void vmx_caps_parse(const struct vmx_raw_msrs *raw, struct vmx_caps *out)
{
	memset(out, 0, sizeof(*out));
	parse_basic(vmx_raw(raw, MSR_VMX_BASIC), out);
	parse_misc(vmx_raw(raw, MSR_VMX_MISC), out);
	out->ctl[VMX_CTL_PIN] = ctl_range(raw, MSR_VMX_PINBASED_CTLS, MSR_VMX_TRUE_PINBASED_CTLS);
	out->ctl[VMX_CTL_PROC] = ctl_range(raw, MSR_VMX_PROCBASED_CTLS, MSR_VMX_TRUE_PROCBASED_CTLS);
	out->ctl[VMX_CTL_EXIT] = ctl_range(raw, MSR_VMX_EXIT_CTLS, MSR_VMX_TRUE_EXIT_CTLS);
	out->ctl[VMX_CTL_ENTRY] = ctl_range(raw, MSR_VMX_ENTRY_CTLS, MSR_VMX_TRUE_ENTRY_CTLS);
	out->ctl[VMX_CTL_PROC2].may = may_bits(raw, MSR_VMX_PROCBASED_CTLS2);
	out->ctl[VMX_CTL_PROC2].must = (uint32_t)vmx_raw(raw, MSR_VMX_PROCBASED_CTLS2);
	out->proc3_may = vmx_raw(raw, MSR_VMX_PROCBASED_CTLS3);
	out->cr0_fixed0 = vmx_raw(raw, MSR_VMX_CR0_FIXED0);
	out->cr0_fixed1 = vmx_raw(raw, MSR_VMX_CR0_FIXED1);
	out->cr4_fixed0 = vmx_raw(raw, MSR_VMX_CR4_FIXED0);
	out->cr4_fixed1 = vmx_raw(raw, MSR_VMX_CR4_FIXED1);
	out->ept_vpid = vmx_raw(raw, MSR_VMX_EPT_VPID_CAP);
	out->vm_functions = vmx_raw(raw, MSR_VMX_VMFUNC);
}

/* PE and PG are the guest's own with "unrestricted guest". NE must be 1; the guest sees it as it wrote it, so that it
 * counts as allowed both ways. */
uint64_t vmx_guest_cr0_allowed(const struct vmx_caps *caps)
{
	return caps->cr0_fixed1 & 0xffffffffull;
}

/* What a guest may switch on: what the processor has, without what this hypervisor keeps from guests, because it does not
 * switch the state behind it: VMX and SMX, shadow stacks, protection keys for supervisor pages, and (bits 19 and 25 up)
 * key locker, user interrupts and what is to come. */
uint64_t vmx_guest_cr4_allowed(const struct vmx_caps *caps, const struct vmx_options *o)
{
	uint64_t known = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE |
			 CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP | CR4_LA57 | CR4_FSGSBASE | CR4_PCIDE | CR4_SMEP |
			 CR4_SMAP;

	if (!o->no_xsave)
		known |= CR4_OSXSAVE | CR4_PKE;
	return caps->cr4_fixed1 & known;
}
