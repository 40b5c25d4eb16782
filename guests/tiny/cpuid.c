/* Prints what the processor says of itself: every CPUID leaf, and the MSRs that can be read, with `msrs` on the command
 * line. */
#include "guests/lib/guest.h"

struct msr_read {
	uint32_t msr;
	uint64_t value;
};

static void try_rdmsr(void *arg)
{
	struct msr_read *r = arg;

	r->value = rdmsr(r->msr);
}

static bool has_subleaves(uint32_t leaf)
{
	return leaf == 4 || leaf == 7 || leaf == 0xb || leaf == 0xd || leaf == 0xf || leaf == 0x10 || leaf == 0x12 ||
	       leaf == 0x14 || leaf == 0x17 || leaf == 0x18 || leaf == 0x1f;
}

static void print_leaves(uint32_t first)
{
	uint32_t r[4];
	uint32_t last;

	cpuid(first, 0, r);
	last = r[0];
	if (last < first || last > first + 0x100)
		return;
	for (uint32_t leaf = first; leaf <= last; leaf++)
		for (uint32_t sub = 0; sub < (has_subleaves(leaf) ? 4u : 1u); sub++) {
			cpuid(leaf, sub, r);
			print("cpuid %08x/%u: %08x %08x %08x %08x\n", leaf, sub, r[0], r[1], r[2], r[3]);
		}
}

static void print_msrs(uint32_t first, uint32_t last)
{
	for (uint32_t msr = first; msr <= last; msr++) {
		struct msr_read r = {msr, 0};

		if (trap_try(try_rdmsr, &r) < 0)
			print("msr %08x: %016llx\n", msr, r.value);
	}
}

void guest_main(void)
{
	print_leaves(0);
	print_leaves(0x40000000);
	print_leaves(0x40000100);
	print_leaves(0x80000000);
	if (guest_word("msrs")) {
		print_msrs(0, 0x1fff);
		print_msrs(0x40000000, 0x400000ff);
		print_msrs(0xc0000000, 0xc0001fff);
	}
	print("cpuid: done\n");
}
