/* The answer to one CPUID instruction: what was computed when the VM was made, plus the fields that follow the vCPU. */
#include "vmm/core/cpuid_policy.h"

#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"

#define LEAF1_ECX_OSXSAVE BIT32(27)
#define LEAF1_EDX_APIC BIT32(9)
#define LEAF7_ECX_OSPKE BIT32(4)
#define XSAVE_LEGACY_BYTES 576u                          /* the x87 and SSE part, and the header */
#define XSTATES_BEHIND (BIT64(CPUID_XSTATES) - BIT64(2)) /* components that have a place of their own */

const uint32_t cpuid_word_leaf[CPUID_WORDS] = {0x1, 0x6, 0x7, 0x7, 0xd, 0x80000001, 0x80000007};
const uint8_t cpuid_word_subleaf[CPUID_WORDS] = {0, 0, 0, 1, 1, 0, 0};

/* Sizes of the XSAVE area: SDM 1 "Managing State Using the XSAVE Feature Set". */
uint32_t cpuid_xsave_size(const struct cpuid_policy *p, uint64_t xcr0)
{
	uint32_t size = XSAVE_LEGACY_BYTES;

	for (uint64_t rest = xcr0 & XSTATES_BEHIND; rest != 0; rest &= rest - 1) {
		unsigned i = bits_ffs(rest);

		if (p->xstate[i].offset + p->xstate[i].size > size)
			size = p->xstate[i].offset + p->xstate[i].size;
	}
	return size;
}

static uint32_t xsave_size_compact(const struct cpuid_policy *p, uint64_t xcr0)
{
	uint32_t size = XSAVE_LEGACY_BYTES;

	for (uint64_t rest = xcr0 & XSTATES_BEHIND; rest != 0; rest &= rest - 1) {
		unsigned i = bits_ffs(rest);

		size = (p->xstate[i].align64 ? ALIGN_UP(size, 64u) : size) + p->xstate[i].size;
	}
	return size;
}

const struct cpuid_entry *cpuid_policy_find_other(const struct cpuid_policy *p, uint32_t leaf)
{
	if (leaf - 0x80000000u < CPUID_TABLE)
		return &p->entries[p->extended[leaf - 0x80000000u]];
	/* The hypervisor's range is ours; what we do not define there says nothing. */
	if (leaf - CPUID_HYPERVISOR_BASE < CPUID_TABLE)
		return &p->entries[p->hypervisor[leaf - CPUID_HYPERVISOR_BASE]];
	if (leaf - CPUID_HYPERVISOR_BASE < 0x10000000u)
		return &p->entries[0];
	return &p->entries[p->basic[CPUID_BASIC_MAX]];
}

void cpuid_policy_apply(const struct cpuid_policy *p, const struct cpuid_entry *e, uint32_t subleaf,
			const struct cpuid_inputs *in, uint64_t gpr[GPR_COUNT])
{
	cpuid_answer(e, gpr);
	switch ((enum cpuid_dynamic)e->dynamic) {
	case CPUID_STATIC:
		break;
	case CPUID_DYN_LEAF_1:
		gpr[GPR_RBX] |= in->apic_id << 24;
		if ((in->cr4 & CR4_OSXSAVE) != 0)
			gpr[GPR_RCX] |= LEAF1_ECX_OSXSAVE;
		if (!in->apic_enabled)
			gpr[GPR_RDX] &= ~LEAF1_EDX_APIC;
		break;
	case CPUID_DYN_LEAF_7:
		if ((in->cr4 & CR4_PKE) != 0)
			gpr[GPR_RCX] |= LEAF7_ECX_OSPKE;
		break;
	case CPUID_DYN_TOPOLOGY_END:
		gpr[GPR_RCX] = subleaf & 0xff;
		gpr[GPR_RDX] = in->apic_id;
		break;
	case CPUID_DYN_TOPOLOGY:
		gpr[GPR_RDX] = in->apic_id;
		break;
	case CPUID_DYN_XSAVE:
		gpr[GPR_RBX] = cpuid_xsave_size(p, in->xcr0);
		break;
	case CPUID_DYN_XSAVE_COMPACT:
		gpr[GPR_RBX] = xsave_size_compact(p, in->xcr0);
		break;
	}
}

COLD bool cpuid_policy_has(const struct cpuid_policy *p, unsigned feature)
{
	unsigned word = feature >> 7;
	const struct cpuid_entry *e = cpuid_policy_find(p, cpuid_word_leaf[word], cpuid_word_subleaf[word]);

	return bits_test(e->out[feature >> 5 & 3], feature & 31);
}
