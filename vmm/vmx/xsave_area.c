/* The layout of XSAVE areas: which state components have a place, and how large the area becomes.
 * SDM 1 "Enumeration of CPU Support for XSAVE Instructions and XSAVE-Supported Features". */
#include "vmm/vmx/xsave_area.h"

#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"

enum { EAX, EBX, ECX, EDX };

#define FIRST_EXTENDED 2u
#define COMPONENTS 63u

uint64_t xsave_described(cpuid_fn *cpuid, uint64_t components)
{
	uint32_t whole[4], part[4];

	cpuid(0xd, 0, whole);
	for (uint32_t i = FIRST_EXTENDED; i < COMPONENTS; i++) {
		if (!(components & BIT64(i)))
			continue;
		cpuid(0xd, i, part);
		if (part[EAX] == 0 || part[EBX] < XSAVE_EXTENDED || (uint64_t)part[EBX] + part[EAX] > whole[ECX])
			components &= ~BIT64(i);
	}
	/* A third of AVX-512 is of no use. */
	return (components & XCR0_AVX512) == XCR0_AVX512 ? components : components & ~XCR0_AVX512;
}

uint32_t xsave_area_bytes(cpuid_fn *cpuid, uint64_t components)
{
	uint32_t bytes = XSAVE_EXTENDED, part[4];

	for (uint32_t i = FIRST_EXTENDED; i < COMPONENTS; i++) {
		if (!(components & BIT64(i)))
			continue;
		cpuid(0xd, i, part);
		if (part[EBX] + part[EAX] > bytes)
			bytes = part[EBX] + part[EAX];
	}
	return bytes;
}
