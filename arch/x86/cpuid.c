/* Reading CPUID's leaves into names: see cpuid.h. Pure, given what CPUID answers. */
#include "arch/x86/cpuid.h"

#include "kernel/lib/bits.h"
#include "kernel/lib/string.h"

#define LEAF_EXTENDED 0x80000000u
#define LEAF_BRAND 0x80000002u /* and the following two */
#define LEAF_ADDRESS_BITS 0x80000008u

/* SDM 2 "CPUID", tables of leaves 01H, 07H and 80000001H. */
#define LEAF1_EDX_MCE 7u
#define LEAF1_EDX_PGE 13u
#define LEAF1_EDX_PAT 16u
#define LEAF1_ECX_HYPERVISOR 31u
#define LEAF7_EBX_SMEP 7u
#define LEAF7_EBX_SMAP 20u
#define LEAF7_ECX_UMIP 2u
#define EXT1_EDX_PAGES_1G 26u

enum { EAX, EBX, ECX, EDX };

static void read_signature(uint32_t signature, struct cpu_info *out)
{
	out->stepping = (unsigned)bits_extract(signature, 3, 0);
	out->model = (unsigned)bits_extract(signature, 7, 4);
	out->family = (unsigned)bits_extract(signature, 11, 8);
	if (out->family == 6 || out->family == 15)
		out->model |= (unsigned)bits_extract(signature, 19, 16) << 4;
	if (out->family == 15)
		out->family += (unsigned)bits_extract(signature, 27, 20);
}

static void read_brand(cpuid_fn *cpuid, char brand[49])
{
	char text[49] = "";
	const char *start = text;

	for (uint32_t i = 0; i < 3; i++) {
		uint32_t r[4];

		cpuid(LEAF_BRAND + i, 0, r);
		memcpy(text + 16 * i, r, sizeof(r));
	}
	while (*start == ' ')
		start++;
	(void)str_copy(brand, start, 49);
}

static void read_extended(cpuid_fn *cpuid, struct cpu_info *out)
{
	uint32_t r[4];
	uint32_t max;

	cpuid(LEAF_EXTENDED, 0, r);
	max = r[EAX];
	if (max >= LEAF_EXTENDED + 1) {
		cpuid(LEAF_EXTENDED + 1, 0, r);
		out->pages_1g = bits_test(r[EDX], EXT1_EDX_PAGES_1G);
	}
	if (max >= LEAF_BRAND + 2)
		read_brand(cpuid, out->brand);
	if (max >= LEAF_ADDRESS_BITS) {
		cpuid(LEAF_ADDRESS_BITS, 0, r);
		out->phys_bits = (unsigned)bits_extract(r[EAX], 7, 0);
		out->linear_bits = (unsigned)bits_extract(r[EAX], 15, 8);
	}
}

/* Fill *out from what the instruction answers.
 * Source: SDM 2 "CPUID"; without leaf 80000008H the address widths are 36 and 48 (SDM 3 "Enumeration of Paging Features"). */
void cpu_info_read(cpuid_fn *cpuid, struct cpu_info *out)
{
	uint32_t r[4];
	uint32_t max;

	memset(out, 0, sizeof(*out));
	out->phys_bits = 36;
	out->linear_bits = 48;

	cpuid(0, 0, r);
	max = r[EAX];
	memcpy(out->vendor, &r[EBX], 4);
	memcpy(out->vendor + 4, &r[EDX], 4);
	memcpy(out->vendor + 8, &r[ECX], 4);

	cpuid(1, 0, r);
	read_signature(r[EAX], out);
	out->mce = bits_test(r[EDX], LEAF1_EDX_MCE);
	out->pge = bits_test(r[EDX], LEAF1_EDX_PGE);
	out->pat = bits_test(r[EDX], LEAF1_EDX_PAT);
	out->hypervisor = bits_test(r[ECX], LEAF1_ECX_HYPERVISOR);

	if (max >= 7) {
		cpuid(7, 0, r);
		out->smep = bits_test(r[EBX], LEAF7_EBX_SMEP);
		out->smap = bits_test(r[EBX], LEAF7_EBX_SMAP);
		out->umip = bits_test(r[ECX], LEAF7_ECX_UMIP);
	}
	read_extended(cpuid, out);
}
