/* Boot options that take features away, by editing the raw capabilities: the rest of the program then meets a processor
 * that does not have them, and takes the same path as on one that never had. Pure. */
#include "vmm/vmx/vmx_caps.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/ept_format.h"
#include "vmm/vmx/vmx_bits.h"

struct option {
	const char *word;
	size_t offset;
};

static const struct option options[] = {
	{"noapicv", offsetof(struct vmx_options, no_apicv)},
	{"novpid", offsetof(struct vmx_options, no_vpid)},
	{"nopreempt", offsetof(struct vmx_options, no_preempt)},
	{"nople", offsetof(struct vmx_options, no_ple)},
	{"no1g", offsetof(struct vmx_options, no_1g)},
	{"noeptad", offsetof(struct vmx_options, no_ad)},
	{"noxsave", offsetof(struct vmx_options, no_xsave)},
	{"noept", offsetof(struct vmx_options, no_ept)},
	{"noug", offsetof(struct vmx_options, no_unrestricted)},
	{"test-featurectl-locked", offsetof(struct vmx_options, test_featurectl_locked)},
};

const char *const vmx_option_words[] = {
	"noapicv", "novpid",  "nopreempt", "nople", "no1g",
	"noeptad", "noxsave", "noept",     "noug",  "test-featurectl-locked",
	NULL,
};

static_assert(ARRAY_LEN(vmx_option_words) == ARRAY_LEN(options) + 1, "every option is in both lists");

bool vmx_option_set(struct vmx_options *o, const char *word)
{
	for (size_t i = 0; i < ARRAY_LEN(options); i++) {
		if (str_eq(word, options[i].word)) {
			*(bool *)((char *)o + options[i].offset) = true;
			return true;
		}
	}
	return false;
}

static void forbid(struct vmx_raw_msrs *raw, uint32_t msr, uint32_t bits)
{
	raw->vmx[msr - MSR_VMX_BASIC] &= ~((uint64_t)bits << 32);
}

static void forbid_pin(struct vmx_raw_msrs *raw, uint32_t bits)
{
	forbid(raw, MSR_VMX_PINBASED_CTLS, bits);
	forbid(raw, MSR_VMX_TRUE_PINBASED_CTLS, bits);
}

void vmx_options_apply(const struct vmx_options *o, struct vmx_raw_msrs *raw)
{
	uint64_t *ept_vpid = &raw->vmx[MSR_VMX_EPT_VPID_CAP - MSR_VMX_BASIC];

	if (o->no_apicv) {
		forbid(raw, MSR_VMX_PROCBASED_CTLS2,
		       PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS | PROC2_VIRTUALIZE_X2APIC |
			       PROC2_VIRTUALIZE_APIC_ACCESSES);
		forbid_pin(raw, PIN_POSTED_INTERRUPTS);
	}
	if (o->no_vpid)
		forbid(raw, MSR_VMX_PROCBASED_CTLS2, PROC2_VPID);
	if (o->no_preempt)
		forbid_pin(raw, PIN_PREEMPTION_TIMER);
	if (o->no_ple)
		forbid(raw, MSR_VMX_PROCBASED_CTLS2, PROC2_PAUSE_LOOP);
	if (o->no_1g)
		*ept_vpid &= ~EPT_CAP_1G;
	if (o->no_ad)
		*ept_vpid &= ~EPT_CAP_ACCESSED_DIRTY;
	if (o->no_xsave)
		forbid(raw, MSR_VMX_PROCBASED_CTLS2, PROC2_XSAVES);
	if (o->no_ept)
		forbid(raw, MSR_VMX_PROCBASED_CTLS2, PROC2_EPT | PROC2_UNRESTRICTED_GUEST);
	if (o->no_unrestricted)
		forbid(raw, MSR_VMX_PROCBASED_CTLS2, PROC2_UNRESTRICTED_GUEST);
	if (o->test_featurectl_locked)
		raw->feature_control = FEATURE_CONTROL_LOCK;
}
