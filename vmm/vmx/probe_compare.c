/* Whether two processors of a machine are alike where guests would notice: a vCPU moves from one to the other. Pure. */
#include "kernel/lib/bits.h"
#include "kernel/lib/format.h"
#include "vmm/vmx/preflight.h"

#define ALL UINT32_MAX
#define OSXSAVE BIT32(27) /* says what CR4 holds, not what the processor can */
#define OSPKE BIT32(4)
#define APIC_ON BIT32(9) /* says what IA32_APIC_BASE holds */

/* What is left out names the processor (APIC ID, cache and core numbers) or is the same wherever these are. */
static const struct {
	const char *name;
	size_t offset;
	uint32_t bits;
} words[] = {
	{"CPUID.1:ECX", offsetof(struct cpu_snapshot, leaf1[2]), ~OSXSAVE},
	{"CPUID.1:EDX", offsetof(struct cpu_snapshot, leaf1[3]), ~APIC_ON},
	{"CPUID.7:EBX", offsetof(struct cpu_snapshot, leaf7[1]), ALL},
	{"CPUID.7:ECX", offsetof(struct cpu_snapshot, leaf7[2]), ~OSPKE},
	{"CPUID.7:EDX", offsetof(struct cpu_snapshot, leaf7[3]), ALL},
	{"CPUID.0DH:EAX", offsetof(struct cpu_snapshot, leaf_d[0]), ALL},
	{"CPUID.0DH.1:EAX", offsetof(struct cpu_snapshot, leaf_d1[0]), ALL},
	{"CPUID.80000001H:ECX", offsetof(struct cpu_snapshot, ext1[2]), ALL},
	{"CPUID.80000001H:EDX", offsetof(struct cpu_snapshot, ext1[3]), ALL},
	{"CPUID.80000008H:EAX", offsetof(struct cpu_snapshot, ext8[0]), ALL}, /* address widths */
};

static void describe(char *why, size_t size, const char *what, uint64_t first, uint64_t here)
{
	fmt_snprintf(why, size, "%s is 0x%llx, on the first CPU 0x%llx", what, (unsigned long long)here,
		     (unsigned long long)first);
}

/* Compare a CPU with the first one. FEATURE_CONTROL may differ: one CPU's is locked by now and another's not yet.
 * why: gets the first difference in words. Returns whether they are alike. */
bool vmx_probe_same(const struct vmx_probe *first, const struct vmx_probe *here, char *why, size_t why_size)
{
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		uint32_t a = *(const uint32_t *)((const char *)&first->cpu + words[i].offset) & words[i].bits;
		uint32_t b = *(const uint32_t *)((const char *)&here->cpu + words[i].offset) & words[i].bits;

		if (a != b) {
			describe(why, why_size, words[i].name, a, b);
			return false;
		}
	}
	for (uint32_t i = 0; i < VMX_RAW_MSRS; i++) {
		char name[16];

		if (first->raw.vmx[i] == here->raw.vmx[i])
			continue;
		fmt_snprintf(name, sizeof(name), "MSR 0x%x", MSR_VMX_BASIC + i);
		describe(why, why_size, name, first->raw.vmx[i], here->raw.vmx[i]);
		return false;
	}
	return true;
}
