/* Instructions of the processor: CPUID, VMCALL, MSRs, control and debug registers. */
#include "guests/bench/bench.h"

#define MSR_TSC_ADJUST 0x3bu
#define MSR_EFER 0xc0000080u
#define CR0_WP (1u << 16)
#define CR4_PGE (1u << 7)

static uint32_t cr0, cr4;

static void nothing(void)
{
}

/* A leaf that is the same for every state of the processor, and three that depend on it. */
static void cpuid_0(void)
{
	uint32_t r[4];

	cpuid(0, 0, r);
}

static void cpuid_1(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
}

static void cpuid_b(void)
{
	uint32_t r[4];

	cpuid(0xb, 0, r);
}

static void cpuid_d(void)
{
	uint32_t r[4];

	cpuid(0xd, 0, r);
}

/* A number that no hypervisor knows: the shortest answer it can give. */
static void vmcall(void)
{
	uint32_t number = 0xffffffff;

	__asm__ volatile("vmcall" : "+a"(number) : : "ebx", "ecx", "edx", "esi", "memory");
}

static void rdmsr_tsc_adjust(void)
{
	rdmsr(MSR_TSC_ADJUST);
}

static void wrmsr_tsc_adjust(void)
{
	wrmsr(MSR_TSC_ADJUST, 0);
}

static void rdmsr_efer(void)
{
	rdmsr(MSR_EFER);
}

static void read_tsc(void)
{
	rdtsc();
}

static void wbinvd(void)
{
	__asm__ volatile("wbinvd" : : : "memory");
}

static void cr0_wp_twice(void)
{
	write_cr0(cr0 ^ CR0_WP);
	write_cr0(cr0);
}

static void cr4_pge_twice(void)
{
	__asm__ volatile("mov %0, %%cr4; mov %1, %%cr4" : : "r"(cr4 ^ CR4_PGE), "r"(cr4) : "memory");
}

static void cr3_write(void)
{
	__asm__ volatile("mov %%cr3, %%eax; mov %%eax, %%cr3" : : : "eax", "memory");
}

static void invlpg(void)
{
	__asm__ volatile("invlpg (%0)" : : "r"(&cr0) : "memory");
}

static void dr7_write(void)
{
	__asm__ volatile("mov %0, %%dr7" : : "r"(0x400));
}

void bench_processor(void)
{
	static const struct bench list[] = {
		{"loop", nothing, 100, 32},
		{"cpuid", cpuid_0, 100, 64},
		{"cpuid_1", cpuid_1, 100, 64},
		{"cpuid_b", cpuid_b, 100, 64},
		{"cpuid_d", cpuid_d, 100, 64},
		{"vmcall", vmcall, 100, 64},
		{"rdmsr_tsc_adjust", rdmsr_tsc_adjust, 100, 64},
		{"wrmsr_tsc_adjust", wrmsr_tsc_adjust, 100, 64},
		{"rdmsr_efer", rdmsr_efer, 100, 32},
		{"rdtsc", read_tsc, 100, 32},
		{"wbinvd", wbinvd, 100, 32},
		{"cr0_wp_twice", cr0_wp_twice, 100, 64},
		{"cr4_pge_twice", cr4_pge_twice, 100, 64},
		{"cr3_write", cr3_write, 100, 32},
		{"invlpg", invlpg, 100, 32},
		{"dr7_write", dr7_write, 100, 32},
	};

	cr0 = read_cr0();
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	bench_run(list, ARRAY_LEN(list));
}
