/* CPUID: the VM's prepared answers, completed by what changes while the guest runs. */
#include "vmm/exit/handlers.h"

#include "vmm/core/cpuid_policy.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"

static void answer(struct vcpu *v, const uint32_t out[4])
{
	v->gpr[GPR_RAX] = out[CPUID_EAX];
	v->gpr[GPR_RBX] = out[CPUID_EBX];
	v->gpr[GPR_RCX] = out[CPUID_ECX];
	v->gpr[GPR_RDX] = out[CPUID_EDX];
}

/* APIC ID, OSXSAVE, the size of the XSAVE area: looked up only for the leaves that show them. Not inlined: what it needs
 * of the stack is not to be paid for by the others. */
__attribute__((noinline)) static void answer_dynamic(struct vcpu *v, const struct cpuid_entry *entry, uint32_t subleaf)
{
	struct cpuid_inputs in = {
		.apic_id = vlapic_id(v->lapic),
		.apic_enabled = v->lapic->mode != VLAPIC_DISABLED,
		.cr4 = vcpu_hw_get(v, VCPU_CR4),
		.xcr0 = vcpu_hw_get(v, VCPU_XCR0),
	};
	uint32_t out[4];

	cpuid_policy_apply(v->vm->cpuid, entry, subleaf, &in, out);
	answer(v, out);
}

enum verdict exit_cpuid(struct vcpu *v, const struct vm_exit *e)
{
	uint32_t subleaf = (uint32_t)v->gpr[GPR_RCX];
	const struct cpuid_entry *entry = cpuid_policy_find(v->vm->cpuid, (uint32_t)v->gpr[GPR_RAX], subleaf);

	(void)e;
	if (likely(entry->dynamic == CPUID_STATIC))
		answer(v, entry->out);
	else
		answer_dynamic(v, entry, subleaf);
	return VERDICT_SKIP;
}
