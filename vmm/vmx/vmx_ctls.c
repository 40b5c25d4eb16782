/* Which controls a guest's VMCS has: wanted, required, and what the processor allows. Pure.
 * Follows SDM 3 "Algorithms for Determining VMX Capabilities" and the tables of controls in "Virtual Machine Control
 * Structures". */
#include "vmm/vmx/vmx_caps.h"

#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/vmx_bits.h"

struct ctl_wish {
	uint32_t require; /* without these no guest runs */
	uint32_t want;    /* with these it runs better; each has something that stands in for it */
};

static const struct ctl_wish wishes[VMX_CTL_WORDS] = {
	[VMX_CTL_PIN] =
		{
			/* The host's interrupts and NMIs leave the guest; virtual NMIs keep the guest's blocking apart from ours. */
			.require = PIN_EXTERNAL_INTERRUPT | PIN_NMI | PIN_VIRTUAL_NMIS,
			.want = PIN_PREEMPTION_TIMER,
		},
	[VMX_CTL_PROC] =
		{
			.require = PROC_HLT | PROC_MWAIT | PROC_MONITOR | PROC_RDPMC | PROC_IO_BITMAPS |
				   PROC_MSR_BITMAPS | PROC_TSC_OFFSETTING | PROC_SECONDARY,
		},
	[VMX_CTL_PROC2] =
		{
			.require = PROC2_EPT | PROC2_UNRESTRICTED_GUEST,
			/* SGX instructions leave the guest, which is not told of them (all bits of the ENCLS bitmap are 1). */
			.want = PROC2_WBINVD | PROC2_PAUSE_LOOP | PROC2_ENCLS | PROC2_ENCLV,
		},
	[VMX_CTL_EXIT] =
		{
			.require = EXIT_CTL_HOST_64 | EXIT_CTL_ACK_INTERRUPT | EXIT_CTL_SAVE_DEBUG |
				   EXIT_CTL_SAVE_EFER | EXIT_CTL_LOAD_EFER | EXIT_CTL_SAVE_PAT | EXIT_CTL_LOAD_PAT,
		},
	[VMX_CTL_ENTRY] =
		{
			.require = ENTRY_CTL_LOAD_DEBUG | ENTRY_CTL_LOAD_EFER | ENTRY_CTL_LOAD_PAT,
		},
};

/* Fit a word of controls to what the processor allows.
 * allowed_msr: low half = bits that must be 1, high half = bits that may be 1.
 * *out: all of require and of want that may be 1, plus what must be.
 * Returns the required bits that the processor does not allow; 0: *out is good. */
uint32_t ctls_fit(uint32_t want, uint32_t require, uint64_t allowed_msr, uint32_t *out)
{
	uint32_t must = (uint32_t)allowed_msr;
	uint32_t may = (uint32_t)(allowed_msr >> 32);

	*out = ((want | require) & may) | must;
	return require & ~may;
}

/* Instructions that exist natively get their control, so that the guest's CPUID decides, and not a #UD. */
static uint32_t optional_instructions(const struct vmx_cpu_features *cpu)
{
	return (cpu->rdtscp ? PROC2_RDTSCP : 0) | (cpu->invpcid ? PROC2_INVPCID : 0) | (cpu->xsaves ? PROC2_XSAVES : 0);
}

/* Tags are of use only where they can be invalidated. */
static uint32_t usable_vpid(const struct vmx_caps *caps)
{
	bool some_type = (caps->ept_vpid & (VPID_CAP_SINGLE | VPID_CAP_ALL)) != 0;

	return (caps->ept_vpid & VPID_CAP_INVVPID) && some_type ? PROC2_VPID : 0;
}

/* The processor's part in the local APIC is all that it takes part in, or the TPR, or nothing. */
static void choose_apic(const struct vmx_caps *caps, struct vmx_ctls *out)
{
	const uint32_t all = PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS;
	bool accesses = vmx_caps_may(caps, VMX_CTL_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES);

	if (!vmx_caps_may(caps, VMX_CTL_PROC, PROC_TPR_SHADOW))
		return;
	out->apic_help = VCPU_APIC_TPR;
	out->has_x2apic = vmx_caps_may(caps, VMX_CTL_PROC2, PROC2_VIRTUALIZE_X2APIC);
	out->word[VMX_CTL_PROC2] |= accesses ? PROC2_VIRTUALIZE_APIC_ACCESSES : 0;
	if (accesses && out->has_x2apic && vmx_caps_may(caps, VMX_CTL_PROC2, all)) {
		out->apic_help = VCPU_APIC_ALL;
		out->word[VMX_CTL_PROC2] |= all;
	}
}

/* With the TPR shadow CR8 is the processor's; else each use of it leaves the guest. */
static uint32_t tpr_controls(const struct vmx_caps *caps)
{
	return vmx_caps_may(caps, VMX_CTL_PROC, PROC_TPR_SHADOW) ? PROC_TPR_SHADOW : PROC_CR8_LOAD | PROC_CR8_STORE;
}

/* Choose the controls of every guest on this processor.
 * Returns 0; ERR_NOSUP when a required control is not allowed: *missing then says which of the first word with a gap. */
int vmx_ctls_choose(const struct vmx_caps *caps, const struct vmx_cpu_features *cpu, struct vmx_ctls *out,
		    struct vmx_missing *missing)
{
	memset(out, 0, sizeof(*out));
	for (unsigned i = 0; i < VMX_CTL_WORDS; i++) {
		uint32_t more = i == VMX_CTL_PROC2 ? optional_instructions(cpu) | usable_vpid(caps) : 0;
		uint32_t tpr = i == VMX_CTL_PROC ? tpr_controls(caps) : 0;
		uint64_t allowed = (uint64_t)caps->ctl[i].may << 32 | caps->ctl[i].must;
		uint32_t gap = ctls_fit(wishes[i].want | more, wishes[i].require | tpr, allowed, &out->word[i]);

		if (gap != 0) {
			*missing = (struct vmx_missing){(enum vmx_ctl_word)i, gap};
			return ERR_NOSUP;
		}
	}
	choose_apic(caps, out);
	out->has_timer = (out->word[VMX_CTL_PIN] & PIN_PREEMPTION_TIMER) != 0;
	if (out->has_timer && (caps->ctl[VMX_CTL_EXIT].may & EXIT_CTL_SAVE_PREEMPTION_TIMER)) {
		out->word[VMX_CTL_EXIT] |= EXIT_CTL_SAVE_PREEMPTION_TIMER;
		out->keeps_timer = true;
	}
	out->has_vpid = (out->word[VMX_CTL_PROC2] & PROC2_VPID) != 0;
	return 0;
}
