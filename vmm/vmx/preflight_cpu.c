/* The CPUID leaves that decide whether and how guests run. Pure but for the CPUID function handed in.
 * Follows SDM 2 "CPUID". */
#include "kernel/lib/bits.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/preflight.h"

#define EXT_BASE 0x80000000u
#define PHYS_BITS_DEFAULT 36u
#define LINEAR_BITS_DEFAULT 48u

static void take_leaf(cpuid_fn *fn, const struct cpu_snapshot *s, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	uint32_t max = leaf >= EXT_BASE ? s->max_ext_leaf : s->max_leaf;

	if (leaf <= max)
		fn(leaf, subleaf, out);
}

static void take_brand(cpuid_fn *fn, struct cpu_snapshot *s)
{
	char text[sizeof(s->brand)] = {0};
	const char *start = text;

	if (s->max_ext_leaf < EXT_BASE + 4)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		uint32_t regs[4];

		fn(EXT_BASE + 2 + i, 0, regs);
		memcpy(text + 16 * i, regs, 16);
	}
	while (*start == ' ')
		start++;
	(void)str_copy(s->brand, start, sizeof(s->brand)); /* fits: both are as long */
}

void cpu_snapshot_take(cpuid_fn *fn, struct cpu_snapshot *out)
{
	uint32_t regs[4];

	memset(out, 0, sizeof(*out));
	fn(0, 0, regs);
	out->max_leaf = regs[0];
	store_le32(out->vendor, regs[1]);
	store_le32(out->vendor + 4, regs[3]);
	store_le32(out->vendor + 8, regs[2]);
	fn(EXT_BASE, 0, regs);
	/* A processor without extended leaves answers with something else. */
	out->max_ext_leaf = regs[0] >= EXT_BASE ? regs[0] : 0;
	take_leaf(fn, out, 1, 0, out->leaf1);
	take_leaf(fn, out, 7, 0, out->leaf7);
	take_leaf(fn, out, 0xd, 0, out->leaf_d);
	take_leaf(fn, out, 0xd, 1, out->leaf_d1);
	take_leaf(fn, out, EXT_BASE + 1, 0, out->ext1);
	take_leaf(fn, out, EXT_BASE + 7, 0, out->ext7);
	take_leaf(fn, out, EXT_BASE + 8, 0, out->ext8);
	take_brand(fn, out);
}

/* Width of physical addresses, 32..52. */
unsigned cpu_snapshot_phys_bits(const struct cpu_snapshot *s)
{
	unsigned bits = (unsigned)bits_extract(s->ext8[0], 7, 0);

	return bits >= 32 && bits <= 52 ? bits : PHYS_BITS_DEFAULT;
}

unsigned cpu_snapshot_linear_bits(const struct cpu_snapshot *s)
{
	unsigned bits = (unsigned)bits_extract(s->ext8[0], 15, 8);

	return bits == 57 ? bits : LINEAR_BITS_DEFAULT;
}

/* VT-x; other vendors may use the bit for something else. */
bool cpu_snapshot_has_vmx(const struct cpu_snapshot *s)
{
	return !str_eq(s->vendor, "AuthenticAMD") && bits_test(s->leaf1[2], 5);
}

void cpu_snapshot_features(const struct cpu_snapshot *s, const struct vmx_options *o, struct vmx_cpu_features *out)
{
	out->rdtscp = bits_test(s->ext1[3], 27);
	out->invpcid = bits_test(s->leaf7[1], 10);
	out->xsaves = !o->no_xsave && bits_test(s->leaf1[2], 26) && bits_test(s->leaf_d1[0], 3);
}

void cpu_snapshot_apply(const struct vmx_options *o, struct cpu_snapshot *s)
{
	if (o->no_xsave) {
		s->leaf1[2] &= ~BIT32(26);
		memset(s->leaf_d, 0, sizeof(s->leaf_d));
		memset(s->leaf_d1, 0, sizeof(s->leaf_d1));
	}
}
