/* CPUID features: what they are called, as Linux prints them in /proc/cpuinfo, for the `cpuid =` line of avatar.conf; and
 * which need which. Features that no guest gets anyway are here too: hiding them is no mistake. */
#include "vmm/core/cpuid_policy.h"

#include "kernel/lib/string.h"

/* clang-format off */
#define F1C(name, bit) {name, CPUID_FEATURE(CPUID_WORD_1, CPUID_ECX, bit)}
#define F1D(name, bit) {name, CPUID_FEATURE(CPUID_WORD_1, CPUID_EDX, bit)}
#define F7B(name, bit) {name, CPUID_FEATURE(CPUID_WORD_7_0, CPUID_EBX, bit)}
#define F7C(name, bit) {name, CPUID_FEATURE(CPUID_WORD_7_0, CPUID_ECX, bit)}
#define F7D(name, bit) {name, CPUID_FEATURE(CPUID_WORD_7_0, CPUID_EDX, bit)}
#define F7A1(name, bit) {name, CPUID_FEATURE(CPUID_WORD_7_1, CPUID_EAX, bit)}
#define FDA(name, bit) {name, CPUID_FEATURE(CPUID_WORD_D_1, CPUID_EAX, bit)}
#define FXC(name, bit) {name, CPUID_FEATURE(CPUID_WORD_80000001, CPUID_ECX, bit)}
#define FXD(name, bit) {name, CPUID_FEATURE(CPUID_WORD_80000001, CPUID_EDX, bit)}

static const struct cpuid_feature features[] = {
	F1D("fpu", 0), F1D("vme", 1), F1D("de", 2), F1D("pse", 3), F1D("tsc", 4), F1D("msr", 5), F1D("pae", 6), F1D("mce", 7),
	F1D("cx8", 8), F1D("apic", 9), F1D("sep", 11), F1D("mtrr", 12), F1D("pge", 13), F1D("mca", 14), F1D("cmov", 15),
	F1D("pat", 16), F1D("pse36", 17), F1D("pn", 18), F1D("clflush", 19), F1D("dts", 21), F1D("acpi", 22), F1D("mmx", 23),
	F1D("fxsr", 24), F1D("sse", 25), F1D("sse2", 26), F1D("ss", 27), F1D("ht", 28), F1D("tm", 29), F1D("pbe", 31),

	F1C("pni", 0), F1C("pclmulqdq", 1), F1C("dtes64", 2), F1C("monitor", 3), F1C("ds_cpl", 4), F1C("vmx", 5), F1C("smx", 6),
	F1C("est", 7), F1C("tm2", 8), F1C("ssse3", 9), F1C("cid", 10), F1C("sdbg", 11), F1C("fma", 12), F1C("cx16", 13),
	F1C("xtpr", 14), F1C("pdcm", 15), F1C("pcid", 17), F1C("dca", 18), F1C("sse4_1", 19), F1C("sse4_2", 20),
	F1C("x2apic", 21), F1C("movbe", 22), F1C("popcnt", 23), F1C("tsc_deadline_timer", 24), F1C("tsc_deadline", 24),
	F1C("aes", 25), F1C("xsave", 26), F1C("avx", 28), F1C("f16c", 29), F1C("rdrand", 30), F1C("hypervisor", 31),

	{"arat", CPUID_FEATURE(CPUID_WORD_6, CPUID_EAX, 2)},

	F7B("fsgsbase", 0), F7B("tsc_adjust", 1), F7B("sgx", 2), F7B("bmi1", 3), F7B("hle", 4), F7B("avx2", 5),
	F7B("fdp_excptn_only", 6), F7B("smep", 7), F7B("bmi2", 8), F7B("erms", 9), F7B("invpcid", 10), F7B("rtm", 11),
	F7B("cqm", 12), F7B("zero_fcs_fds", 13), F7B("mpx", 14), F7B("rdt_a", 15), F7B("avx512f", 16), F7B("avx512dq", 17),
	F7B("rdseed", 18), F7B("adx", 19), F7B("smap", 20), F7B("avx512ifma", 21), F7B("clflushopt", 23), F7B("clwb", 24),
	F7B("intel_pt", 25), F7B("avx512pf", 26), F7B("avx512er", 27), F7B("avx512cd", 28), F7B("sha_ni", 29),
	F7B("avx512bw", 30), F7B("avx512vl", 31),

	F7C("avx512vbmi", 1), F7C("umip", 2), F7C("pku", 3), F7C("waitpkg", 5), F7C("avx512_vbmi2", 6), F7C("gfni", 8),
	F7C("vaes", 9), F7C("vpclmulqdq", 10), F7C("avx512_vnni", 11), F7C("avx512_bitalg", 12), F7C("tme", 13),
	F7C("avx512_vpopcntdq", 14), F7C("la57", 16), F7C("rdpid", 22), F7C("bus_lock_detect", 24), F7C("cldemote", 25),
	F7C("movdiri", 27), F7C("movdir64b", 28), F7C("enqcmd", 29), F7C("sgx_lc", 30),

	F7D("avx512_4vnniw", 2), F7D("avx512_4fmaps", 3), F7D("fsrm", 4), F7D("avx512_vp2intersect", 8), F7D("md_clear", 10),
	F7D("serialize", 14), F7D("tsxldtrk", 16), F7D("pconfig", 18), F7D("arch_lbr", 19), F7D("ibt", 20),
	F7D("amx_bf16", 22), F7D("avx512_fp16", 23), F7D("amx_tile", 24), F7D("amx_int8", 25), F7D("spec_ctrl", 26),
	F7D("intel_stibp", 27), F7D("flush_l1d", 28), F7D("arch_capabilities", 29), F7D("ssbd", 31),

	F7A1("avx_vnni", 4), F7A1("avx512_bf16", 5),

	FDA("xsaveopt", 0), FDA("xsavec", 1), FDA("xgetbv1", 2),
	FDA("xsaves", 3),

	FXC("lahf_lm", 0), FXC("abm", 5), FXC("3dnowprefetch", 8), FXD("syscall", 11), FXD("nx", 20), FXD("pdpe1gb", 26),
	FXD("rdtscp", 27), FXD("lm", 29),

	{"nonstop_tsc", CPUID_FEATURE(CPUID_WORD_80000007, CPUID_EDX, 8)},
};
/* clang-format on */

const struct cpuid_feature *cpuid_feature(size_t i)
{
	return i < ARRAY_LEN(features) ? &features[i] : NULL;
}

const struct cpuid_feature *cpuid_feature_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(features); i++)
		if (str_eq(features[i].name, name))
			return &features[i];
	return NULL;
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
