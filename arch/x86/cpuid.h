/* Who the processor is, and what of it the host itself uses. What VT-x needs is asked in vmm/vmx/, and what guests are shown
 * is decided in vmm/core/. SDM 2 "CPUID". */
#pragma once

#include "kernel/lib/compiler.h"

/* out: EAX, EBX, ECX, EDX. The instruction, or a recording of it. */
typedef void cpuid_fn(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

struct cpu_info {
	char vendor[13]; /* "GenuineIntel" */
	char brand[49];  /* as people know it, without leading blanks; "" when the processor does not say */
	unsigned family; /* with the extended parts, as SDM 2 tells to display them */
	unsigned model;
	unsigned stepping;
	unsigned phys_bits; /* MAXPHYADDR */
	unsigned linear_bits;
	bool pat;
	bool pge;
	bool mce;
	bool pages_1g;
	bool smep;
	bool smap;
	bool umip;
	bool hypervisor; /* somebody runs us */
};

void cpu_info_read(cpuid_fn *cpuid, struct cpu_info *out);
