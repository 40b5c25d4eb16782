/* CPUID: the VM's prepared answers, completed by what changes while the guest runs. */
#include "vmm/exit/handlers.h"

#include "vmm/core/cpuid_policy.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"

static inline enum verdict answer(struct vcpu *v, const struct cpuid_entry *entry)
{
	cpuid_answer(entry, v->gpr);
	return VERDICT_SKIP;
}

/* An answer that depends on more than the leaf. APIC ID, OSXSAVE, the size of the XSAVE area are looked up only for the
 * leaves that show them: a control register costs more than all the rest. */
__attribute__((noinline)) static enum verdict answer_dynamic(struct vcpu *v, const struct cpuid_entry *entry,
							     uint32_t subleaf)
{
	struct cpuid_inputs in = {.apic_id = vlapic_id(v->lapic), .apic_enabled = v->lapic->mode != VLAPIC_DISABLED};

	if (entry->dynamic == CPUID_DYN_LEAF_1 || entry->dynamic == CPUID_DYN_LEAF_7)
		in.cr4 = vcpu_hw_get(v, VCPU_CR4);
	else if (entry->dynamic == CPUID_DYN_XSAVE || entry->dynamic == CPUID_DYN_XSAVE_COMPACT)
		in.xcr0 = vcpu_hw_get(v, VCPU_XCR0);
	cpuid_policy_apply(v->cpuid, entry, subleaf, &in, v->gpr);
	return VERDICT_SKIP;
}

/* A leaf with subleaves, an answer that changes, or a leaf outside of the basic ones. */
__attribute__((noinline)) static enum verdict answer_other(struct vcpu *v)
{
	uint32_t subleaf = (uint32_t)v->gpr[GPR_RCX];
	const struct cpuid_entry *entry = cpuid_policy_find(v->cpuid, (uint32_t)v->gpr[GPR_RAX], subleaf);

	return entry->dynamic == CPUID_STATIC ? answer(v, entry) : answer_dynamic(v, entry, subleaf);
}

enum verdict exit_cpuid(struct vcpu *v, const struct vm_exit *e)
{
	const struct cpuid_policy *p = v->cpuid;
	const uint64_t leaf = *(const uint32_t *)&v->gpr[GPR_RAX]; /* EAX; but an index is 64 bits */

	(void)e;
	if (likely(leaf < CPUID_TABLE && p->plain[leaf] != NULL))
		return answer(v, p->plain[leaf]);
	return answer_other(v);
}
