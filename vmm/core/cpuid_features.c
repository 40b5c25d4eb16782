/* CPUID features: what they are called, as Linux prints them in /proc/cpuinfo, for the `cpuid =` line of avatar.conf; and
 * which need which. Features that no guest gets anyway are here too: hiding them is no mistake. */
#include "vmm/core/cpuid_policy.h"

#include "kernel/lib/texts.h"

/* X(word, register, bit, name) */
/* clang-format off */
#define FEATURES(X) \
	X(1, EDX, 0, "fpu") X(1, EDX, 1, "vme") X(1, EDX, 2, "de") X(1, EDX, 3, "pse") X(1, EDX, 4, "tsc") \
	X(1, EDX, 5, "msr") X(1, EDX, 6, "pae") X(1, EDX, 7, "mce") X(1, EDX, 8, "cx8") X(1, EDX, 9, "apic") \
	X(1, EDX, 11, "sep") X(1, EDX, 12, "mtrr") X(1, EDX, 13, "pge") X(1, EDX, 14, "mca") X(1, EDX, 15, "cmov") \
	X(1, EDX, 16, "pat") X(1, EDX, 17, "pse36") X(1, EDX, 18, "pn") X(1, EDX, 19, "clflush") X(1, EDX, 21, "dts") \
	X(1, EDX, 22, "acpi") X(1, EDX, 23, "mmx") X(1, EDX, 24, "fxsr") X(1, EDX, 25, "sse") X(1, EDX, 26, "sse2") \
	X(1, EDX, 27, "ss") X(1, EDX, 28, "ht") X(1, EDX, 29, "tm") X(1, EDX, 31, "pbe") \
	X(1, ECX, 0, "pni") X(1, ECX, 1, "pclmulqdq") X(1, ECX, 2, "dtes64") X(1, ECX, 3, "monitor") \
	X(1, ECX, 4, "ds_cpl") X(1, ECX, 5, "vmx") X(1, ECX, 6, "smx") X(1, ECX, 7, "est") X(1, ECX, 8, "tm2") \
	X(1, ECX, 9, "ssse3") X(1, ECX, 10, "cid") X(1, ECX, 11, "sdbg") X(1, ECX, 12, "fma") X(1, ECX, 13, "cx16") \
	X(1, ECX, 14, "xtpr") X(1, ECX, 15, "pdcm") X(1, ECX, 17, "pcid") X(1, ECX, 18, "dca") \
	X(1, ECX, 19, "sse4_1") X(1, ECX, 20, "sse4_2") X(1, ECX, 21, "x2apic") X(1, ECX, 22, "movbe") \
	X(1, ECX, 23, "popcnt") X(1, ECX, 24, "tsc_deadline_timer") X(1, ECX, 24, "tsc_deadline") \
	X(1, ECX, 25, "aes") X(1, ECX, 26, "xsave") X(1, ECX, 28, "avx") X(1, ECX, 29, "f16c") \
	X(1, ECX, 30, "rdrand") X(1, ECX, 31, "hypervisor") \
	X(6, EAX, 2, "arat") \
	X(7_0, EBX, 0, "fsgsbase") X(7_0, EBX, 1, "tsc_adjust") X(7_0, EBX, 2, "sgx") X(7_0, EBX, 3, "bmi1") \
	X(7_0, EBX, 4, "hle") X(7_0, EBX, 5, "avx2") X(7_0, EBX, 6, "fdp_excptn_only") X(7_0, EBX, 7, "smep") \
	X(7_0, EBX, 8, "bmi2") X(7_0, EBX, 9, "erms") X(7_0, EBX, 10, "invpcid") X(7_0, EBX, 11, "rtm") \
	X(7_0, EBX, 12, "cqm") X(7_0, EBX, 13, "zero_fcs_fds") X(7_0, EBX, 14, "mpx") X(7_0, EBX, 15, "rdt_a") \
	X(7_0, EBX, 16, "avx512f") X(7_0, EBX, 17, "avx512dq") X(7_0, EBX, 18, "rdseed") X(7_0, EBX, 19, "adx") \
	X(7_0, EBX, 20, "smap") X(7_0, EBX, 21, "avx512ifma") X(7_0, EBX, 23, "clflushopt") X(7_0, EBX, 24, "clwb") \
	X(7_0, EBX, 25, "intel_pt") X(7_0, EBX, 26, "avx512pf") X(7_0, EBX, 27, "avx512er") \
	X(7_0, EBX, 28, "avx512cd") X(7_0, EBX, 29, "sha_ni") X(7_0, EBX, 30, "avx512bw") X(7_0, EBX, 31, "avx512vl") \
	X(7_0, ECX, 1, "avx512vbmi") X(7_0, ECX, 2, "umip") X(7_0, ECX, 3, "pku") X(7_0, ECX, 5, "waitpkg") \
	X(7_0, ECX, 6, "avx512_vbmi2") X(7_0, ECX, 8, "gfni") X(7_0, ECX, 9, "vaes") X(7_0, ECX, 10, "vpclmulqdq") \
	X(7_0, ECX, 11, "avx512_vnni") X(7_0, ECX, 12, "avx512_bitalg") X(7_0, ECX, 13, "tme") \
	X(7_0, ECX, 14, "avx512_vpopcntdq") X(7_0, ECX, 16, "la57") X(7_0, ECX, 22, "rdpid") \
	X(7_0, ECX, 24, "bus_lock_detect") X(7_0, ECX, 25, "cldemote") X(7_0, ECX, 27, "movdiri") \
	X(7_0, ECX, 28, "movdir64b") X(7_0, ECX, 29, "enqcmd") X(7_0, ECX, 30, "sgx_lc") \
	X(7_0, EDX, 2, "avx512_4vnniw") X(7_0, EDX, 3, "avx512_4fmaps") X(7_0, EDX, 4, "fsrm") \
	X(7_0, EDX, 8, "avx512_vp2intersect") X(7_0, EDX, 10, "md_clear") X(7_0, EDX, 14, "serialize") \
	X(7_0, EDX, 16, "tsxldtrk") X(7_0, EDX, 18, "pconfig") X(7_0, EDX, 19, "arch_lbr") X(7_0, EDX, 20, "ibt") \
	X(7_0, EDX, 22, "amx_bf16") X(7_0, EDX, 23, "avx512_fp16") X(7_0, EDX, 24, "amx_tile") \
	X(7_0, EDX, 25, "amx_int8") X(7_0, EDX, 26, "spec_ctrl") X(7_0, EDX, 27, "intel_stibp") \
	X(7_0, EDX, 28, "flush_l1d") X(7_0, EDX, 29, "arch_capabilities") X(7_0, EDX, 31, "ssbd") \
	X(7_1, EAX, 4, "avx_vnni") X(7_1, EAX, 5, "avx512_bf16") \
	X(D_1, EAX, 0, "xsaveopt") X(D_1, EAX, 1, "xsavec") X(D_1, EAX, 2, "xgetbv1") X(D_1, EAX, 3, "xsaves") \
	X(80000001, ECX, 0, "lahf_lm") X(80000001, ECX, 5, "abm") X(80000001, ECX, 8, "3dnowprefetch") \
	X(80000001, EDX, 11, "syscall") X(80000001, EDX, 20, "nx") X(80000001, EDX, 26, "pdpe1gb") \
	X(80000001, EDX, 27, "rdtscp") X(80000001, EDX, 29, "lm") \
	X(80000007, EDX, 8, "nonstop_tsc")
/* clang-format on */

#define FEATURE_ID(word, reg, bit, name) CPUID_FEATURE(CPUID_WORD_##word, CPUID_##reg, bit),
static const uint16_t ids[] = {FEATURES(FEATURE_ID)};
#undef FEATURE_ID

#define FEATURE_NAME(word, reg, bit, name) name "\0"
static const char names[] = FEATURES(FEATURE_NAME);
#undef FEATURE_NAME

int cpuid_feature_find(const char *name)
{
	int i = text_find(names, ARRAY_LEN(ids), name);

	return i < 0 ? i : ids[i];
}

/* A feature that makes no sense without another one. Whatever needs AVX-512 is listed by its bits. */
static const struct {
	uint16_t feature, needs;
} dependencies[] = {
	{CPUID_FEATURE(CPUID_WORD_D_1, CPUID_EAX, 0), CPUID_F_XSAVE}, /* XSAVEOPT, XSAVEC, XGETBV1 */
	{CPUID_FEATURE(CPUID_WORD_D_1, CPUID_EAX, 1), CPUID_F_XSAVE},
	{CPUID_FEATURE(CPUID_WORD_D_1, CPUID_EAX, 2), CPUID_F_XSAVE},
	{CPUID_F_AVX, CPUID_F_XSAVE},
	{CPUID_F_PKU, CPUID_F_XSAVE},
	{CPUID_F1(ECX, 12), CPUID_F_AVX}, /* FMA */
	{CPUID_F1(ECX, 29), CPUID_F_AVX}, /* F16C */
	{CPUID_F7(ECX, 9), CPUID_F_AVX},  /* VAES */
	{CPUID_F7(ECX, 10), CPUID_F_AVX}, /* VPCLMULQDQ */
	{CPUID_F_AVX2, CPUID_F_AVX},
	{CPUID_FEATURE(CPUID_WORD_7_1, CPUID_EAX, 4), CPUID_F_AVX2},  /* AVX-VNNI */
	{CPUID_FEATURE(CPUID_WORD_7_1, CPUID_EAX, 23), CPUID_F_AVX2}, /* AVX-IFMA */
	{CPUID_FEATURE(CPUID_WORD_7_1, CPUID_EDX, 4), CPUID_F_AVX2},  /* AVX-VNNI-INT8 */
	{CPUID_FEATURE(CPUID_WORD_7_1, CPUID_EDX, 5), CPUID_F_AVX2},  /* AVX-NE-CONVERT */
	{CPUID_F_AVX512F, CPUID_F_AVX2},
	{CPUID_FEATURE(CPUID_WORD_7_1, CPUID_EAX, 5), CPUID_F_AVX512F}, /* BF16 */
	{CPUID_F7(EBX, 17), CPUID_F_AVX512F},
	{CPUID_F7(EBX, 21), CPUID_F_AVX512F},
	{CPUID_F7(EBX, 26), CPUID_F_AVX512F},
	{CPUID_F7(EBX, 27), CPUID_F_AVX512F},
	{CPUID_F7(EBX, 28), CPUID_F_AVX512F},
	{CPUID_F7(EBX, 30), CPUID_F_AVX512F},
	{CPUID_F7(EBX, 31), CPUID_F_AVX512F},
	{CPUID_F7(ECX, 1), CPUID_F_AVX512F},
	{CPUID_F7(ECX, 6), CPUID_F_AVX512F},
	{CPUID_F7(ECX, 11), CPUID_F_AVX512F},
	{CPUID_F7(ECX, 12), CPUID_F_AVX512F},
	{CPUID_F7(ECX, 14), CPUID_F_AVX512F},
	{CPUID_F7(EDX, 2), CPUID_F_AVX512F},
	{CPUID_F7(EDX, 3), CPUID_F_AVX512F},
	{CPUID_F7(EDX, 8), CPUID_F_AVX512F},
	{CPUID_F7(EDX, 23), CPUID_F_AVX512F},
	{CPUID_F7(EBX, 10), CPUID_F_PCID},   /* INVPCID */
	{CPUID_F7(ECX, 22), CPUID_F_RDTSCP}, /* RDPID */
};

void cpuid_hide(uint32_t hidden[CPUID_WORDS][4], unsigned feature)
{
	uint32_t *word = &hidden[feature >> 7][feature >> 5 & 3];

	if ((*word & BIT32(feature & 31)) != 0)
		return;
	*word |= BIT32(feature & 31);
	for (size_t i = 0; i < ARRAY_LEN(dependencies); i++)
		if (dependencies[i].needs == feature)
			cpuid_hide(hidden, dependencies[i].feature);
}
