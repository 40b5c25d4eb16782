/* The CPUID allow-list: one row per leaf, subleaf and register, with the bits that pass, the bits that are always on, and
 * why. What is not here is zero. Bit names after SDM 2 "CPUID - CPU Identification". */
#include "vmm/core/cpuid_policy.h"

#define B(n) (1u << (n))
#define ALL UINT32_MAX

/* clang-format off */
static const struct cpuid_row rows[] = {
	{0x0, 0, CPUID_EAX, 0, 0, "computed: highest basic leaf, always 16H, so that the TSC's frequency can be told"},
	{0x0, 0, CPUID_EBX, ALL, 0, "vendor"},
	{0x0, 0, CPUID_ECX, ALL, 0, "vendor"},
	{0x0, 0, CPUID_EDX, ALL, 0, "vendor"},

	{0x1, 0, CPUID_EAX, ALL, 0, "family, model, stepping: the guest runs on this processor"},
	{0x1, 0, CPUID_EBX, 0x0000ff00, 0, "CLFLUSH line; APIC ID and number of CPUs are computed, there is no brand index"},
	{0x1, 0, CPUID_ECX,
	 B(0) | B(1) | B(9) | B(12) | B(13) | B(17) | B(19) | B(20) | B(22) | B(23) | B(25) | B(26) | B(28) | B(29) | B(30),
	 B(21) | B(24) | B(31),
	 "instructions, PCID and XSAVE; x2APIC and TSC deadline are emulated; hypervisor. Not: MONITOR, VMX, SMX, debug store, "
	 "thermal and power control, PDCM. OSXSAVE mirrors CR4"},
	{0x1, 0, CPUID_EDX,
	 B(0) | B(1) | B(2) | B(3) | B(4) | B(5) | B(6) | B(7) | B(8) | B(9) | B(11) | B(12) | B(13) | B(14) | B(15) | B(16) |
	 B(17) | B(19) | B(23) | B(24) | B(25) | B(26) | B(27), B(9),
	 "the architecture's basics; MTRR and MCA are emulated. Not: serial number, debug store, thermal. HTT is computed"},

	{0x2, 0, CPUID_EAX, ALL, 0, "cache and TLB descriptors"},
	{0x2, 0, CPUID_EBX, ALL, 0, "cache and TLB descriptors"},
	{0x2, 0, CPUID_ECX, ALL, 0, "cache and TLB descriptors"},
	{0x2, 0, CPUID_EDX, ALL, 0, "cache and TLB descriptors"},

	{0x4, CPUID_EACH, CPUID_EAX, 0x000003ff, 0, "type and level of the cache; who shares it is computed"},
	{0x4, CPUID_EACH, CPUID_EBX, ALL, 0, "geometry of the cache"},
	{0x4, CPUID_EACH, CPUID_ECX, ALL, 0, "geometry of the cache"},
	{0x4, CPUID_EACH, CPUID_EDX, 0x00000007, 0, "WBINVD's reach, inclusiveness, indexing"},

	{0x5, 0, CPUID_EAX, 0, 0, "MONITOR/MWAIT is not offered: HLT is how a guest waits"},

	{0x6, 0, CPUID_EAX, 0, B(2), "ARAT: the emulated APIC timer never stops. No thermal or power interface"},

	{0x7, 0, CPUID_EAX, 0, 0, "computed: highest subleaf, 1 when the processor has it"},
	{0x7, 0, CPUID_EBX,
	 B(0) | B(3) | B(5) | B(6) | B(7) | B(8) | B(9) | B(10) | B(13) | B(16) | B(17) | B(18) | B(19) | B(20) | B(21) |
	 B(23) | B(24) | B(26) | B(27) | B(28) | B(29) | B(30) | B(31), B(1),
	 "instructions, SMEP, SMAP; TSC_ADJUST is emulated. Not: SGX, HLE and RTM (they abort at every exit), cache monitoring "
	 "and allocation, MPX, processor trace: their MSRs or states are not virtualised"},
	{0x7, 0, CPUID_ECX,
	 B(0) | B(1) | B(2) | B(3) | B(6) | B(8) | B(9) | B(10) | B(11) | B(12) | B(14) | B(22) | B(25) | B(27) | B(28), 0,
	 "instructions, UMIP, PKU. Not: WAITPKG, shadow stacks, TME, LA57, key locker, bus-lock detection, ENQCMD, SGX, PKS. "
	 "OSPKE mirrors CR4"},
	{0x7, 0, CPUID_EDX, B(2) | B(3) | B(4) | B(8) | B(10) | B(14) | B(23), 0,
	 "instructions, FSRM, VERW's flushing (MD_CLEAR). Not: user interrupts, TSX control, hybrid, PCONFIG, LBR, IBT, AMX; "
	 "nor IBRS, STIBP, SSBD, ARCH_CAPABILITIES: their MSRs would act on the host as well, since nothing switches them"},
	{0x7, 1, CPUID_EAX, B(4) | B(5) | B(10) | B(11) | B(12) | B(23), 0,
	 "AVX-VNNI, BF16, AVX-IFMA, fast short REP forms. Not: LAM, FRED, which need control bits"},
	{0x7, 1, CPUID_EDX, B(4) | B(5), 0, "AVX-VNNI-INT8, AVX-NE-CONVERT"},

	{0xa, 0, CPUID_EAX, 0, 0, "performance counters are not virtualised"},

	{0xb, CPUID_EACH, CPUID_EAX, 0, 0, "computed: one package, one thread a core"},
	{0xb, CPUID_EACH, CPUID_EBX, 0, 0, "computed: CPUs at this level"},
	{0xb, CPUID_EACH, CPUID_ECX, 0, 0, "computed: level"},
	{0xb, CPUID_EACH, CPUID_EDX, 0, 0, "computed: x2APIC ID"},

	{0xd, 0, CPUID_EAX, 0, 0, "computed: bits the guest may set in XCR0: x87, SSE, AVX, AVX-512, PKRU"},
	{0xd, 0, CPUID_EBX, 0, 0, "computed: size of the XSAVE area for the current XCR0"},
	{0xd, 0, CPUID_ECX, 0, 0, "computed: size for all bits allowed"},
	{0xd, 1, CPUID_EAX, B(0) | B(1) | B(2), 0,
	 "XSAVEOPT, XSAVEC, XGETBV with ECX = 1. Not: XSAVES (there is no supervisor state to save), XFD"},
	{0xd, 1, CPUID_EBX, 0, 0, "computed: size of the compacted area for the current XCR0"},
	{0xd, CPUID_EACH, CPUID_EAX, ALL, 0, "size of a component that XCR0 may hold"},
	{0xd, CPUID_EACH, CPUID_EBX, ALL, 0, "its offset"},
	{0xd, CPUID_EACH, CPUID_ECX, B(1), 0, "its alignment in the compacted form"},

	{0x15, 0, CPUID_EAX, 0, 0, "computed: the TSC's ratio to the crystal: 1 or 2, the crystal being the TSC itself"},
	{0x15, 0, CPUID_EBX, 0, 0, "computed: its numerator"},
	{0x15, 0, CPUID_ECX, 0, 0, "computed: Hz as measured, to the nearest kHz; the processor's own figure may be wrong"},
	{0x16, 0, CPUID_EAX, 0, 0, "computed: MHz of the TSC; keeps guests from measuring"},
	{0x16, 0, CPUID_EBX, 0, 0, "computed: the same"},

	{0x40000000, 0, CPUID_EAX, 0, 0, "computed: highest hypervisor leaf"},
	{0x40000000, 0, CPUID_EBX, 0, 0, "computed: signature, with ECX and EDX"},
	{0x40000010, 0, CPUID_EAX, 0, 0, "computed: kHz of the TSC"},
	{0x40000010, 0, CPUID_EBX, 0, 0, "computed: kHz of the APIC timer"},

	{0x80000000, 0, CPUID_EAX, 0, 0, "computed: highest extended leaf"},
	{0x80000001, 0, CPUID_ECX, B(0) | B(5) | B(8), 0, "LAHF in 64-bit mode, LZCNT, PREFETCHW"},
	{0x80000001, 0, CPUID_EDX, B(11) | B(20) | B(26) | B(27) | B(29), 0, "SYSCALL, NX, 1 GiB pages, RDTSCP, long mode"},
	{0x80000002, 0, CPUID_EAX, ALL, 0, "brand string"},
	{0x80000002, 0, CPUID_EBX, ALL, 0, "brand string"},
	{0x80000002, 0, CPUID_ECX, ALL, 0, "brand string"},
	{0x80000002, 0, CPUID_EDX, ALL, 0, "brand string"},
	{0x80000003, 0, CPUID_EAX, ALL, 0, "brand string"},
	{0x80000003, 0, CPUID_EBX, ALL, 0, "brand string"},
	{0x80000003, 0, CPUID_ECX, ALL, 0, "brand string"},
	{0x80000003, 0, CPUID_EDX, ALL, 0, "brand string"},
	{0x80000004, 0, CPUID_EAX, ALL, 0, "brand string"},
	{0x80000004, 0, CPUID_EBX, ALL, 0, "brand string"},
	{0x80000004, 0, CPUID_ECX, ALL, 0, "brand string"},
	{0x80000004, 0, CPUID_EDX, ALL, 0, "brand string"},
	{0x80000006, 0, CPUID_ECX, ALL, 0, "second-level cache"},
	{0x80000007, 0, CPUID_EDX, B(8), 0, "invariant TSC: guests keep the host's rate"},
	{0x80000008, 0, CPUID_EAX, 0x0000ffff, 0, "address widths, at most the 48 bits that four levels of tables translate"},
};
/* clang-format on */

const struct cpuid_row *cpuid_policy_row(size_t i)
{
	return i < ARRAY_LEN(rows) ? &rows[i] : NULL;
}
