/* Registers that a hypervisor may leave in the processor while somebody else runs: x87, SSE and what XSAVE adds, debug
 * registers, CR2, the MSRs of SYSCALL. Each round sets them all from `seed=N`, sleeps until the 8254's next tick, and looks
 * whether they are still what they were; `rounds=N` of them. Two such guests with different seeds disturb each other when
 * something is not moved. Then the compacted form of the XSAVE area is tried, where CPUID offers it.
 * SDM 1 "Managing State Using the XSAVE Feature Set". */
#include "guests/lib/guest.h"

#include "drivers/regs/pit8254.h"

#define CR4_OSFXSR_OSXMMEXCPT 0x600u
#define CR4_OSXSAVE 0x40000u
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_D1_EAX_XSAVEC (1u << 1)
#define CPUID_EXT1_EDX_SYSCALL_LM (1u << 29)
#define CPUID_EXT1_EDX_RDTSCP (1u << 27)

#define AREA_BYTES 8192u
#define FCW 0u
#define FTW 4u
#define MXCSR 24u
#define ST0 32u
#define XMM0 160u
#define XSTATE_BV 512u
#define EXTENDED 576u

/* What there is to compare outside of 64-bit mode, of each component: its first bytes. */
struct part {
	uint32_t component, bytes;
};

static const struct part parts[] = {
	{2, 128}, /* YMM0 to YMM7, upper halves */
	{5, 64},  /* k0 to k7 */
	{6, 256}, /* ZMM0 to ZMM7, upper halves */
	{9, 4},   /* PKRU */
};

static uint8_t set[AREA_BYTES] ALIGNED(64), got[AREA_BYTES] ALIGNED(64);
static uint64_t components; /* 0: no XSAVE, FXSAVE does it */
static bool has_syscall, has_tsc_aux;
static volatile uint32_t ticks;

static const uint32_t syscall_msrs[] = {0xc0000081, 0xc0000082, 0xc0000083, 0xc0000084, 0xc0000102};
#define MSR_TSC_AUX 0xc0000103u

static uint32_t mixed(uint32_t *seed)
{
	*seed = *seed * 1103515245u + 12345u;
	return *seed >> 8;
}

static void fill(uint8_t *at, uint32_t bytes, uint32_t *seed)
{
	while (bytes--)
		*at++ = (uint8_t)mixed(seed);
}

static uint32_t differences(uint32_t at, uint32_t other, uint32_t bytes)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < bytes; i++)
		count += set[at + i] != got[other + i];
	return count;
}

static void zero(uint8_t *area)
{
	for (uint32_t i = 0; i < AREA_BYTES; i++)
		area[i] = 0;
}

static bool has(uint32_t component)
{
	return (components >> component & 1) != 0;
}

static uint32_t offset_of(uint32_t component)
{
	uint32_t r[4];

	cpuid(0xd, component, r);
	return r[1];
}

static void load(const uint8_t *area)
{
	if (components != 0)
		__asm__ volatile("xrstor (%0)" : : "r"(area), "a"((uint32_t)components), "d"(0) : "memory");
	else
		__asm__ volatile("fxrstor (%0)" : : "r"(area) : "memory");
}

static void store(uint8_t *area)
{
	if (components != 0)
		__asm__ volatile("xsave (%0)" : : "r"(area), "a"((uint32_t)components), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave (%0)" : : "r"(area) : "memory");
}

static void find_out(void)
{
	uint32_t r[4], cr4;

	cpuid(1, 0, r);
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	cr4 |= CR4_OSFXSR_OSXMMEXCPT | (r[2] & CPUID_1_ECX_XSAVE ? CR4_OSXSAVE : 0);
	__asm__ volatile("mov %0, %%cr4; clts; fninit" : : "r"(cr4));
	if (r[2] & CPUID_1_ECX_XSAVE) {
		cpuid(0xd, 0, r);
		components = r[0];
		__asm__ volatile("xsetbv" : : "a"(r[0]), "d"(0), "c"(0));
	}
	cpuid(0x80000001, 0, r);
	has_syscall = (r[3] & CPUID_EXT1_EDX_SYSCALL_LM) != 0;
	has_tsc_aux = (r[3] & CPUID_EXT1_EDX_RDTSCP) != 0;
}

/* An area with a value in every register, that XRSTOR or FXRSTOR takes. */
static void make_area(uint32_t *seed)
{
	zero(set);
	set[FCW] = 0x7f;
	set[FCW + 1] = 0x03;
	set[FTW] = 0xff;
	set[MXCSR] = 0x80;
	set[MXCSR + 1] = (uint8_t)(0x1f | (mixed(seed) & 3) << 5); /* the rounding */
	for (uint32_t i = 0; i < 8; i++)
		fill(set + ST0 + 16 * i, 10, seed);
	fill(set + XMM0, 8 * 16, seed);
	for (uint32_t i = 0; i < ARRAY_LEN(parts); i++)
		if (has(parts[i].component))
			fill(set + offset_of(parts[i].component), parts[i].bytes, seed);
	*(uint32_t *)(uintptr_t)(set + XSTATE_BV) = (uint32_t)components & 0x267;
}

static uint32_t compare_legacy(void)
{
	uint32_t wrong = differences(MXCSR, MXCSR, 4) + differences(FCW, FCW, 2) + differences(XMM0, XMM0, 8 * 16);

	for (uint32_t i = 0; i < 8; i++)
		wrong += differences(ST0 + 16 * i, ST0 + 16 * i, 10);
	return wrong;
}

static uint32_t compare_area(void)
{
	uint32_t wrong = compare_legacy();

	for (uint32_t i = 0; i < ARRAY_LEN(parts); i++)
		if (has(parts[i].component))
			wrong += differences(offset_of(parts[i].component), offset_of(parts[i].component),
					     parts[i].bytes);
	return wrong;
}

#define DEBUG_REGISTER(n)                                                                                              \
	static void set_dr##n(uint32_t v)                                                                              \
	{                                                                                                              \
		__asm__ volatile("mov %0, %%dr" #n : : "r"(v));                                                        \
	}                                                                                                              \
	static uint32_t get_dr##n(void)                                                                                \
	{                                                                                                              \
		uint32_t v;                                                                                            \
                                                                                                                       \
		__asm__ volatile("mov %%dr" #n ", %0" : "=r"(v));                                                      \
		return v;                                                                                              \
	}

/* clang-format off */
DEBUG_REGISTER(0)
DEBUG_REGISTER(1)
DEBUG_REGISTER(2)
DEBUG_REGISTER(3)
/* clang-format on */

static void set_others(uint32_t seed)
{
	set_dr0(mixed(&seed));
	set_dr1(mixed(&seed));
	set_dr2(mixed(&seed));
	set_dr3(mixed(&seed));
	__asm__ volatile("mov %0, %%cr2" : : "r"(mixed(&seed)));
	for (uint32_t i = 0; has_syscall && i < ARRAY_LEN(syscall_msrs); i++)
		wrmsr(syscall_msrs[i], mixed(&seed));
	if (has_tsc_aux)
		wrmsr(MSR_TSC_AUX, mixed(&seed));
}

static uint32_t compare_others(uint32_t seed)
{
	uint32_t wrong = 0, cr2;

	wrong += get_dr0() != mixed(&seed);
	wrong += get_dr1() != mixed(&seed);
	wrong += get_dr2() != mixed(&seed);
	wrong += get_dr3() != mixed(&seed);
	__asm__ volatile("mov %%cr2, %0" : "=r"(cr2));
	wrong += cr2 != mixed(&seed);
	for (uint32_t i = 0; has_syscall && i < ARRAY_LEN(syscall_msrs); i++)
		wrong += rdmsr(syscall_msrs[i]) != mixed(&seed);
	if (has_tsc_aux)
		wrong += rdmsr(MSR_TSC_AUX) != mixed(&seed);
	return wrong;
}

static void on_tick(void)
{
	ticks++;
}

static void ticks_start(void)
{
	uint32_t divisor = PIT_HZ / 200;

	outb(PIT_CONTROL, 0x34); /* counter 0, both bytes, mode 2 */
	outb(PIT_CH0, (uint8_t)divisor);
	outb(PIT_CH0, (uint8_t)(divisor >> 8));
	irq_set(0, on_tick);
}

static uint32_t one_round(uint32_t seed)
{
	uint32_t others = seed, before;

	make_area(&seed);
	load(set);
	set_others(others);
	for (before = ticks; ticks == before;)
		irq_wait();
	store(got);
	return compare_area() + compare_others(others);
}

/* Of the compacted form: each component follows the one before it, at the next multiple of 64 when CPUID says so. */
static uint32_t compare_compacted(void)
{
	uint32_t at = EXTENDED, wrong = compare_legacy(), r[4];

	for (uint32_t n = 2; n < 32; n++) {
		if (!has(n))
			continue;
		cpuid(0xd, n, r);
		if (r[2] & 2)
			at = (at + 63) & ~63u;
		for (uint32_t i = 0; i < ARRAY_LEN(parts); i++)
			if (parts[i].component == n)
				wrong += differences(offset_of(n), at, parts[i].bytes);
		at += r[0];
	}
	return wrong;
}

static void compacted(uint32_t seed)
{
	uint32_t r[4], wrong;

	cpuid(0xd, 1, r);
	if (components == 0 || !(r[0] & CPUID_D1_EAX_XSAVEC)) {
		print("live: XSAVEC is not offered\n");
		return;
	}
	make_area(&seed);
	load(set);
	zero(got);
	__asm__ volatile("xsavec (%0)" : : "r"(got), "a"((uint32_t)components), "d"(0) : "memory");
	wrong = compare_compacted();
	print("live: XSAVEC: %u bytes wrong\n", wrong);
}

void guest_main(void)
{
	uint32_t seed = guest_number("seed", 1), rounds = guest_number("rounds", 50), wrong = 0, r[4] = {0, 0, 512, 0};

	find_out();
	if (components != 0)
		cpuid(0xd, 0, r);
	print("live: components 0x%x in %u bytes\n", (uint32_t)components, r[2]);
	for (uint32_t i = 2; i < 32; i++)
		if (has(i) && offset_of(i) < EXTENDED)
			print("live: component %u has no place\n", i);
	ticks_start();
	for (uint32_t i = 0; i < rounds; i++)
		wrong += one_round(seed + i * 1000);
	irq_off();
	print("live: %u rounds, %u wrong\n", rounds, wrong);
	compacted(seed);
	print("live: done\n");
}
