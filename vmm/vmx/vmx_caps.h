/* What this processor's VT-x can do: the capability MSRs of SDM 3 appendix A, read once, and what they mean. Everything
 * here is a pure function of the raw values; cpu_caps.c reads them. */
#pragma once

#include "arch/x86/msr.h"
#include "kernel/lib/compiler.h"
#include "vmm/core/vcpu_hw.h"

/* IA32_VMX_BASIC .. IA32_VMX_EXIT_CTLS2 by number. One that the processor does not have is 0. */
#define VMX_RAW_MSRS 20u
#define MSR_VMX_EXIT_CTLS2 0x493u

struct vmx_raw_msrs {
	uint64_t feature_control;
	uint64_t vmx[VMX_RAW_MSRS];
};

static inline uint64_t vmx_raw(const struct vmx_raw_msrs *raw, uint32_t msr)
{
	return raw->vmx[msr - MSR_VMX_BASIC];
}

/* Is msr worth reading, given those with lower numbers? The later ones exist only when earlier ones say so. */
bool vmx_raw_exists(const struct vmx_raw_msrs *raw, uint32_t msr);

/* A word of controls: which bits must be 1, and which may be. */
struct vmx_ctl_range {
	uint32_t must;
	uint32_t may;
};

enum vmx_ctl_word { VMX_CTL_PIN, VMX_CTL_PROC, VMX_CTL_PROC2, VMX_CTL_EXIT, VMX_CTL_ENTRY, VMX_CTL_WORDS };

struct vmx_caps {
	uint32_t revision;     /* VMCS revision identifier */
	uint32_t region_bytes; /* of VMXON region and VMCS: at most 4096 */
	bool addr_32bit;       /* regions must lie below 4 GiB */
	bool vmcs_write_back;  /* the memory type to use for VMCS data */
	bool true_ctls;        /* the TRUE capability MSRs exist */
	bool any_error_code;   /* injection of any exception with or without error code */
	struct vmx_ctl_range ctl[VMX_CTL_WORDS];
	uint64_t proc3_may;   /* tertiary processor-based controls */
	unsigned timer_shift; /* the preemption timer counts down when this bit of the TSC changes */
	bool exits_store_lma; /* exits put EFER.LMA into the entry control "IA-32e mode guest" */
	uint32_t activity;    /* bit n: activity state n is supported (bit 0 always) */
	unsigned cr3_targets;
	unsigned max_msr_list;           /* recommended maximum of entries in an MSR area */
	bool inject_zero_len;            /* software events may be injected with instruction length 0 */
	uint64_t cr0_fixed0, cr0_fixed1; /* bits that must be 1 / that may be 1 in VMX operation */
	uint64_t cr4_fixed0, cr4_fixed1;
	uint64_t ept_vpid; /* IA32_VMX_EPT_VPID_CAP */
	uint64_t vm_functions;
};

void vmx_caps_parse(const struct vmx_raw_msrs *raw, struct vmx_caps *out);

static inline bool vmx_caps_may(const struct vmx_caps *caps, enum vmx_ctl_word word, uint32_t bit)
{
	return (caps->ctl[word].may & bit) == bit;
}

/* The name of a control as the manual has it: "unrestricted guest". "reserved" when it has none. */
const char *vmx_ctl_name(enum vmx_ctl_word word, unsigned bit);
const char *vmx_ctl_word_name(enum vmx_ctl_word word);

/* What the boot line may take away, so that what stands in for it is tested. */
struct vmx_options {
	bool no_apicv;
	bool no_vpid;
	bool no_preempt;
	bool no_ple;
	bool no_1g;
	bool no_ad;    /* accessed and dirty flags in EPT entries */
	bool no_xsave; /* guests get FXSAVE only */
	bool no_ept;
	bool no_unrestricted;
	bool test_featurectl_locked; /* act as if firmware had locked VT-x off */
};

/* True when the boot line's word is one of ours; it is then noted in *o. */
bool vmx_option_set(struct vmx_options *o, const char *word);

/* All words that vmx_option_set() knows; NULL behind the last. */
extern const char *const vmx_option_words[];

/* The raw values as if the processor lacked what the options take away. */
void vmx_options_apply(const struct vmx_options *o, struct vmx_raw_msrs *raw);

/* A bit that is required and not allowed, for the message. */
struct vmx_missing {
	enum vmx_ctl_word word;
	uint32_t bits;
};

/* The words of a guest's VMCS, for as long as the vCPU lives (interrupt and NMI window, IA-32e mode guest apart). */
struct vmx_ctls {
	uint32_t word[VMX_CTL_WORDS];
	bool has_timer;
	bool keeps_timer; /* what is left of the preemption timer is saved at an exit, and goes on at the next entry */
	bool has_vpid;
	enum vcpu_apic_help apic_help;
	bool has_x2apic; /* "virtualize x2APIC mode" may take the place of "virtualize APIC accesses" */
};

/* CPUID bits that decide about controls. */
struct vmx_cpu_features {
	bool rdtscp;
	bool invpcid;
	bool xsaves;
};

uint32_t ctls_fit(uint32_t want, uint32_t require, uint64_t allowed_msr, uint32_t *out);
MUST_CHECK int vmx_ctls_choose(const struct vmx_caps *caps, const struct vmx_cpu_features *cpu, struct vmx_ctls *out,
			       struct vmx_missing *missing);

/* The bits of CR0 and CR4 that a guest may set. */
uint64_t vmx_guest_cr0_allowed(const struct vmx_caps *caps);
uint64_t vmx_guest_cr4_allowed(const struct vmx_caps *caps, const struct vmx_options *o);
