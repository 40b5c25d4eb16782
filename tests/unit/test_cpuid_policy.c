/* What guests see of CPUID, on three processors: the allow-list, hiding by name, topology, frequencies, XSAVE sizes, leaves
 * that do not exist, and the fields that follow the vCPU. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"
#include "tests/unit/cpuid_dumps.h"
#include "vmm/core/cpuid_policy.h"

#define EAX CPUID_EAX
#define EBX CPUID_EBX
#define ECX CPUID_ECX
#define EDX CPUID_EDX

static const struct cpuid_dump *dump;
static size_t dump_len;
static bool all_ones;         /* a processor that has everything, known and unknown */
static uint32_t reads_beyond; /* leaves asked for above the processor's limits */

static void host(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 16);
	if (all_ones) {
		memset(out, 0xff, 16);
		if (leaf == 0)
			out[EAX] = 0x20;
		else if (leaf == 0x80000000)
			out[EAX] = 0x80000021;
		else if (leaf == 0xd && subleaf >= 2) {
			out[EAX] = 64;
			out[EBX] = 576 + subleaf * 64;
		}
		return;
	}
	if (leaf < 0x80000000 ? leaf > dump[0].out[EAX] : leaf > 0x80000008)
		reads_beyond++;
	for (size_t i = 0; i < dump_len; i++)
		if (dump[i].leaf == leaf && dump[i].subleaf == subleaf)
			memcpy(out, dump[i].out, 16);
}

static struct vm_config config;
static struct cpuid_policy p;
static struct cpuid_inputs in;
static uint32_t r[4];

#define USE(name) (dump = dump_##name, dump_len = ARRAY_LEN(dump_##name))
#define XCR0_ALL (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

static int setup(void **state)
{
	(void)state;
	memset(&config, 0, sizeof(config));
	memset(&in, 0, sizeof(in));
	in.apic_enabled = true;
	config.cpus = 1;
	all_ones = false;
	reads_beyond = 0;
	USE(tigerlake);
	return 0;
}

static void make_at(uint64_t tsc_hz, uint64_t xcr0)
{
	const char *bad = NULL;

	memset(&p, 0xee, sizeof(p));
	assert_int_equal(cpuid_policy_init(&p, &config, host, tsc_hz, xcr0, &bad), 0);
	assert_null(bad);
}

static void make(void)
{
	make_at(2400000000, XCR0_ALL);
}

static uint32_t *ask(uint32_t leaf, uint32_t subleaf)
{
	uint64_t gpr[GPR_COUNT];

	memset(gpr, 0xcc, sizeof(gpr));
	cpuid_policy_apply(&p, cpuid_policy_find(&p, leaf, subleaf), subleaf, &in, gpr);
	r[CPUID_EAX] = (uint32_t)gpr[GPR_RAX];
	r[CPUID_EBX] = (uint32_t)gpr[GPR_RBX];
	r[CPUID_ECX] = (uint32_t)gpr[GPR_RCX];
	r[CPUID_EDX] = (uint32_t)gpr[GPR_RDX];
	return r;
}

static bool has(const char *name)
{
	int feature = cpuid_feature_find(name);

	assert_true(feature >= 0);
	return cpuid_policy_has(&p, (unsigned)feature);
}

static void hide(const char *name)
{
	strcpy(config.cpuid_hide[config.cpuid_hide_count++], name);
}

static void test_rows_are_sane(void **state)
{
	const struct cpuid_row *row, *before = NULL;

	(void)state;
	for (size_t i = 0; (row = cpuid_policy_row(i)) != NULL; i++) {
		assert_true(row->why[0] != '\0');
		assert_in_range(row->reg, EAX, EDX);
		if (before != NULL)
			assert_true(before->leaf < row->leaf ||
				    (before->leaf == row->leaf && before->subleaf <= row->subleaf));
		before = row;
	}
}

static void test_feature_names(void **state)
{
	(void)state;
	assert_int_equal(cpuid_feature_find("fpu"), CPUID_F1(EDX, 0));
	assert_int_equal(cpuid_feature_find("avx512f"), CPUID_F_AVX512F);
	assert_int_equal(cpuid_feature_find("tsc_deadline"), cpuid_feature_find("tsc_deadline_timer"));
	assert_int_equal(cpuid_feature_find("nonstop_tsc"), CPUID_FEATURE(CPUID_WORD_80000007, CPUID_EDX, 8));
	assert_int_equal(cpuid_feature_find("turbo"), -1);
	assert_int_equal(cpuid_feature_find(""), -1);
}

/* A processor with every bit set shows just what the table passes: nothing unknown slips through. */
static void test_default_deny(void **state)
{
	static const char *const never[] = {
		"vmx",
		"smx",
		"monitor",
		"est",
		"tm2",
		"dts",
		"acpi",
		"tm",
		"pbe",
		"pdcm",
		"dtes64",
		"ds_cpl",
		"cid",
		"sdbg",
		"xtpr",
		"dca",
		"pn",
		"sgx",
		"hle",
		"rtm",
		"cqm",
		"mpx",
		"rdt_a",
		"intel_pt",
		"tme",
		"waitpkg",
		"la57",
		"enqcmd",
		"sgx_lc",
		"pconfig",
		"ibt",
		"arch_lbr",
		"amx_tile",
		"amx_int8",
		"amx_bf16",
		"spec_ctrl",
		"intel_stibp",
		"ssbd",
		"flush_l1d",
		"arch_capabilities",
		"bus_lock_detect",
		"xsaves",
		"tsxldtrk",
	};

	(void)state;
	all_ones = true;
	make_at(2400000000, UINT64_MAX);
	for (size_t i = 0; i < ARRAY_LEN(never); i++)
		assert_false(has(never[i]));
	assert_int_equal(ask(1, 0)[ECX], 0xf7fa3203 & ~BIT32(27));
	assert_int_equal(ask(1, 0)[EDX], 0x0f8bfbff);
	assert_int_equal(ask(6, 0)[EAX], 4);
	assert_int_equal(ask(6, 0)[ECX], 0);
	assert_int_equal(ask(7, 0)[EBX], 0xfdbf27eb);
	assert_int_equal(ask(7, 0)[ECX], 0x1a405f4f & ~BIT32(4));
	assert_int_equal(ask(7, 0)[EDX], 0x0080451c);
	assert_int_equal(ask(7, 0)[EAX], 1);
	assert_int_equal(ask(7, 1)[EAX], 0x00801c30);
	assert_int_equal(ask(0xd, 1)[EAX], 7);
	assert_int_equal(ask(0x80000001, 0)[ECX], 0x121);
	assert_int_equal(ask(0x80000001, 0)[EDX], 0x2c100800);
	assert_int_equal(ask(0x80000007, 0)[EDX], 0x100);
	assert_int_equal(ask(0x80000008, 0)[EAX], 0x3030);
	for (unsigned leaf = 0; leaf < 0x17; leaf++) {
		bool known = leaf <= 2 || (leaf >= 4 && leaf <= 7 && leaf != 5) || leaf == 0xb || leaf == 0xd ||
			     leaf == 0x15 || leaf == 0x16;

		ask(leaf, 0);
		if (!known)
			assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	}
	assert_true(p.xcr0 == XCR0_ALL);
	assert_true(p.cr4 == (0x771fff & ~CR4_LA57));
	assert_int_equal(p.cr4 & (CR4_LA57 | CR4_VMXE | CR4_SMXE | CR4_CET | CR4_PKS), 0);
	assert_int_equal(p.efer, EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE);
	assert_int_equal(p.phys_bits, 48);
}

static void test_tigerlake(void **state)
{
	(void)state;
	make();
	assert_int_equal(ask(0, 0)[EAX], 0x16);
	assert_int_equal(r[EBX], 0x756e6547);
	assert_int_equal(ask(1, 0)[EAX], 0x000806c1);
	assert_int_equal(r[EBX], 0x00010800);
	assert_true(has("hypervisor") && has("x2apic") && has("tsc_deadline_timer") && has("arat") &&
		    has("tsc_adjust"));
	assert_true(has("fsrm") && has("avx512f") && has("pku") && has("umip") && has("sha_ni") && has("nonstop_tsc"));
	assert_true(has("pcid") && has("invpcid") && has("rdtscp") && has("rdpid") && has("pdpe1gb") && has("xsavec"));
	assert_false(has("vmx") || has("monitor") || has("xsaves") || has("ht"));
	assert_int_equal(ask(0x80000000, 0)[EAX], 0x80000008);
	assert_int_equal(ask(0x80000002, 0)[EAX], 0x68743131);
	assert_int_equal(ask(0x80000008, 0)[EAX], 0x3028);
	assert_int_equal(p.phys_bits, 40);
	assert_int_equal(ask(5, 0)[EAX], 0);
	assert_int_equal(ask(0xa, 0)[EAX], 0);
	assert_int_equal(reads_beyond, 0);
}

static void test_haswell(void **state)
{
	(void)state;
	USE(haswell);
	make_at(20000000, XCR0_X87 | XCR0_SSE | XCR0_AVX);
	/* Its own leaves end at DH; ours do not, and the processor is not asked for what it has not. */
	assert_int_equal(ask(0, 0)[EAX], 0x16);
	assert_int_equal(reads_beyond, 0);
	assert_int_equal(ask(7, 0)[EAX], 0);
	assert_int_equal(ask(7, 1)[EAX], 0);
	assert_int_equal(p.xcr0, 7);
	assert_int_equal(ask(0xd, 0)[EAX], 7);
	assert_int_equal(ask(0xd, 0)[ECX], 0x340);
	assert_int_equal(ask(0xd, 1)[EAX], 1);
	assert_int_equal(ask(0xd, 1)[EBX], 0);
	assert_int_equal(ask(0xd, 2)[EAX], 0x100);
	assert_int_equal(ask(0xd, 3)[EAX], 0);
	assert_int_equal(p.cr4 & (CR4_SMAP | CR4_UMIP | CR4_PKE), 0);
	assert_true((p.cr4 & (CR4_SMEP | CR4_PCIDE | CR4_OSXSAVE)) == (CR4_SMEP | CR4_PCIDE | CR4_OSXSAVE));
}

static void test_dynamic_fields(void **state)
{
	(void)state;
	make();
	assert_int_equal(ask(1, 0)[ECX] & BIT32(27), 0);
	in.cr4 = CR4_OSXSAVE;
	assert_true((ask(1, 0)[ECX] & BIT32(27)) != 0);
	assert_int_equal(ask(7, 0)[ECX] & BIT32(4), 0);
	in.cr4 = CR4_PKE;
	assert_true((ask(7, 0)[ECX] & BIT32(4)) != 0);
	assert_int_equal(ask(7, 1)[ECX], 0);
	in.apic_id = 0x107;
	assert_int_equal(ask(1, 0)[EBX] >> 24, 0x07);
	assert_int_equal(ask(0xb, 0)[EDX], 0x107);
	assert_int_equal(ask(0xb, 9)[EDX], 0x107);
	assert_true((ask(1, 0)[EDX] & BIT32(9)) != 0);
	in.apic_enabled = false;
	assert_int_equal(ask(1, 0)[EDX] & BIT32(9), 0);
	/* The inputs leave no trace. */
	memset(&in, 0, sizeof(in));
	in.apic_enabled = true;
	assert_int_equal(ask(1, 0)[EBX], 0x00010800);
}

static void test_topology(void **state)
{
	(void)state;
	for (unsigned cpus = 1; cpus <= VM_MAX_VCPUS; cpus++) {
		unsigned shift = 0;

		while ((1u << shift) < cpus)
			shift++;
		config.cpus = cpus;
		make();
		assert_int_equal((ask(1, 0)[EDX] >> 28) & 1, cpus > 1);
		assert_int_equal(r[EBX] >> 16 & 0xff, 1u << shift);
		assert_int_equal(ask(0xb, 0)[EAX], 0);
		assert_int_equal(r[EBX], 1);
		assert_int_equal(r[ECX], 0x100);
		assert_int_equal(ask(0xb, 1)[EAX], shift);
		assert_int_equal(r[EBX], cpus);
		assert_int_equal(r[ECX], 0x201);
		assert_int_equal(ask(0xb, 2)[EAX], 0);
		assert_int_equal(r[EBX], 0);
		assert_int_equal(r[ECX], 2);
		assert_int_equal(ask(0xb, 0xabcd)[ECX], 0xcd);
		/* Caches: the first two levels private, the third shared by all. */
		for (unsigned i = 0; i < 4; i++) {
			ask(4, i);
			assert_int_equal(r[EAX] & 0x1f, i == 0 ? 1 : i == 1 ? 2 : 3);
			assert_int_equal(r[EAX] >> 26, (1u << shift) - 1);
			assert_int_equal(r[EAX] >> 14 & 0xfff, i == 3 ? (1u << shift) - 1 : 0);
			assert_int_equal(r[EBX], i == 0 ? 0x02c0003f : i == 2 ? 0x04c0003f : 0x01c0003f);
		}
		for (unsigned i = 4; i < 12; i++)
			assert_int_equal(ask(4, i)[EAX], 0);
		assert_int_equal(ask(4, UINT32_MAX)[EAX], 0);
	}
}

/* As Linux 6.1 reckons in native_calibrate_tsc(), in kHz and 32 bits. */
static uint32_t linux_tsc_khz(void)
{
	uint32_t crystal_khz;

	ask(0x15, 0);
	crystal_khz = r[ECX] / 1000;
	assert_true((uint64_t)crystal_khz * r[EBX] <= UINT32_MAX);
	return crystal_khz * r[EBX] / r[EAX];
}

static void test_frequencies(void **state)
{
	static const struct {
		uint64_t hz;
		uint32_t khz, mhz;
	} rows[] = {
		{20000000, 20000, 20},       {19999999, 20000, 20},
		{20000499, 20000, 20},       {1000, 1, 1},
		{100000000, 100000, 100},    {2399999671, 2400000, 2400},
		{3500000000, 3500000, 3500}, {4294967295, 4294967, 4295},
		{4294967296, 4294967, 4295}, {5800000000, 5800000, 5800},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		make_at(rows[i].hz, XCR0_ALL);
		assert_in_range(linux_tsc_khz(), rows[i].khz, rows[i].khz + 1);
		assert_int_equal(ask(0x16, 0)[EAX], rows[i].mhz);
		assert_int_equal(ask(0x40000010, 0)[EAX], (rows[i].hz + 500) / 1000);
		assert_int_equal(r[EBX], (cpuid_crystal_hz(rows[i].hz) + 500) / 1000);
	}
	assert_int_equal(cpuid_crystal_hz(2000000000), 2000000000);
	assert_int_equal(cpuid_crystal_hz(6000000000), 3000000000);
}

static void test_hypervisor_leaves(void **state)
{
	char name[13] = {0};

	(void)state;
	make();
	assert_int_equal(ask(0x40000000, 0)[EAX], 0x40000010);
	memcpy(name, &r[EBX], 12);
	assert_string_equal(name, "AvatarVtxVMM");
	for (uint32_t leaf = 0x40000001; leaf < 0x40000010; leaf++) {
		ask(leaf, 0);
		assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
	}
	ask(0x4b4d564b, 0);
	assert_int_equal(r[0] | r[1] | r[2] | r[3], 0);
}

/* SDM: beyond the limits, the data of the highest basic leaf. */
static void test_out_of_range(void **state)
{
	static const uint32_t beyond[] = {0x17,       0x1f,       0x20,       0x100,      0x3fffffff, 0x50000000,
					  0x7fffffff, 0x80000009, 0x8000001f, 0x80000020, 0xc0000000, UINT32_MAX};

	(void)state;
	make();
	for (size_t i = 0; i < ARRAY_LEN(beyond); i++) {
		assert_int_equal(ask(beyond[i], UINT32_MAX)[EAX], 2400);
		assert_int_equal(r[EBX], 2400);
	}
}

static void test_xsave_sizes(void **state)
{
	(void)state;
	make();
	assert_true(p.xcr0 == 0x2e7);
	assert_int_equal(ask(0xd, 0)[EAX], 0x2e7);
	assert_int_equal(r[ECX], 0xa80);
	static const struct {
		uint64_t xcr0;
		uint32_t standard, compact;
	} rows[] = {
		{1, 576, 576},
		{3, 576, 576},
		{7, 0x340, 0x340},
		{0xe7, 0xa80, 0x340 + 0x40 + 0x200 + 0x400},
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		in.xcr0 = rows[i].xcr0;
		assert_int_equal(ask(0xd, 0)[EBX], rows[i].standard);
		assert_int_equal(ask(0xd, 1)[EBX], rows[i].compact);
		assert_int_equal(cpuid_xsave_size(&p, rows[i].xcr0), rows[i].standard);
	}
	assert_int_equal(ask(0xd, 5)[EAX], 0x40);
	assert_int_equal(ask(0xd, 7)[EBX], 0x680);
	assert_int_equal(ask(0xd, 3)[EAX], 0);
	assert_int_equal(ask(0xd, 63)[EAX], 0);
	/* Garbage in XCR0 (it cannot be) reaches nothing out of bounds. */
	in.xcr0 = UINT64_MAX;
	ask(0xd, 0);
	/* Alignment of compacted components. */
	all_ones = true;
	make_at(1000000, UINT64_MAX);
	in.xcr0 = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_PKRU;
	assert_int_equal(ask(0xd, 1)[EBX], 576 + 64 + 64);
}

static void test_host_xcr0_limits(void **state)
{
	(void)state;
	make_at(1000000, XCR0_X87 | XCR0_SSE | XCR0_AVX);
	assert_int_equal(p.xcr0, 7);
	assert_true(has("avx2"));
	assert_false(has("avx512f") || has("avx512vl") || has("avx512_vnni") || has("pku"));
	assert_int_equal(ask(0xd, 5)[EAX], 0);
	make_at(1000000, XCR0_X87 | XCR0_SSE);
	assert_int_equal(p.xcr0, 3);
	assert_false(has("avx") || has("avx2") || has("fma") || has("f16c") || has("vaes"));
	assert_true(has("xsave") && has("sse4_2") && has("aes"));
	make_at(1000000, 0);
	assert_int_equal(p.xcr0, 0);
	assert_false(has("xsave") || has("avx"));
	assert_int_equal(ask(0xd, 0)[EAX], 0);
	assert_int_equal(ask(0xd, 0)[EBX], 0);
	assert_int_equal(p.cr4 & CR4_OSXSAVE, 0);
}

static void test_hide(void **state)
{
	(void)state;
	hide("fsrm");
	hide("-avx2");
	hide("smep");
	make();
	assert_false(has("fsrm") || has("avx2") || has("avx512f") || has("avx512bw") || has("smep"));
	assert_true(has("avx") && has("erms"));
	assert_int_equal(p.xcr0, XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_PKRU);
	assert_int_equal(p.cr4 & CR4_SMEP, 0);
	config.cpuid_hide_count = 0;
	hide("xsave");
	hide("nx");
	hide("tsc_deadline");
	hide("arat");
	hide("nonstop_tsc");
	hide("hypervisor");
	hide("vmx");
	make();
	assert_false(has("xsave") || has("xsaveopt") || has("xsavec") || has("avx") || has("pku") || has("nx"));
	assert_false(has("tsc_deadline_timer") || has("arat") || has("nonstop_tsc") || has("hypervisor"));
	assert_int_equal(p.xcr0, 0);
	assert_int_equal(p.efer & EFER_NXE, 0);
}

static void test_hide_unknown(void **state)
{
	const char *bad = NULL;

	(void)state;
	hide("fsrm");
	hide("warpdrive");
	assert_int_equal(cpuid_policy_init(&p, &config, host, 1000000, XCR0_ALL, &bad), ERR_NOENT);
	assert_string_equal(bad, "warpdrive");
}

/* Every answer of every leaf is inside the processor's own, but for what we emulate or compute. */
static void test_subset_of_host(void **state)
{
	static const uint32_t feature_leaves[] = {1, 7, 0x80000001, 0x80000007};

	(void)state;
	for (unsigned model = 0; model < 3; model++) {
		if (model == 0)
			USE(haswell);
		else if (model == 1)
			USE(skylake_x);
		else
			USE(tigerlake);
		make();
		for (size_t i = 0; i < ARRAY_LEN(feature_leaves); i++) {
			uint32_t leaf = feature_leaves[i], raw[4], forced[4] = {0};

			if (leaf == 1) {
				forced[ECX] = BIT32(21) | BIT32(24) | BIT32(31);
				forced[EBX] = UINT32_MAX;
			}
			if (leaf == 7)
				forced[EBX] = BIT32(1);
			host(leaf, 0, raw);
			ask(leaf, 0);
			for (unsigned reg = 0; reg < 4; reg++)
				assert_int_equal(r[reg] & ~(raw[reg] | forced[reg]), 0);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_rows_are_sane, setup),
		cmocka_unit_test_setup(test_feature_names, setup),
		cmocka_unit_test_setup(test_default_deny, setup),
		cmocka_unit_test_setup(test_tigerlake, setup),
		cmocka_unit_test_setup(test_haswell, setup),
		cmocka_unit_test_setup(test_dynamic_fields, setup),
		cmocka_unit_test_setup(test_topology, setup),
		cmocka_unit_test_setup(test_frequencies, setup),
		cmocka_unit_test_setup(test_hypervisor_leaves, setup),
		cmocka_unit_test_setup(test_out_of_range, setup),
		cmocka_unit_test_setup(test_xsave_sizes, setup),
		cmocka_unit_test_setup(test_host_xcr0_limits, setup),
		cmocka_unit_test_setup(test_hide, setup),
		cmocka_unit_test_setup(test_hide_unknown, setup),
		cmocka_unit_test_setup(test_subset_of_host, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
