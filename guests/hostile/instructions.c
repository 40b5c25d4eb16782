/* Instructions that only a hypervisor, or nobody, has any business with. */
#include "guests/hostile/hostile.h"

static uint64_t operand[16] ALIGNED(4096);

#define INSTRUCTION(name, text)                                                                                        \
	static void name(void *arg)                                                                                    \
	{                                                                                                              \
		(void)arg;                                                                                             \
		__asm__ volatile(text : : "a"(operand), "b"(0), "c"(0), "d"(0) : "memory", "cc");                      \
	}

/* clang-format off */
INSTRUCTION(do_vmxon, "vmxon (%%eax)")
INSTRUCTION(do_vmxoff, "vmxoff")
INSTRUCTION(do_vmptrld, "vmptrld (%%eax)")
INSTRUCTION(do_vmptrst, "vmptrst (%%eax)")
INSTRUCTION(do_vmclear, "vmclear (%%eax)")
INSTRUCTION(do_vmread, "vmread %%ebx, %%ecx")
INSTRUCTION(do_vmwrite, "vmwrite %%ebx, %%ecx")
INSTRUCTION(do_vmlaunch, "vmlaunch")
INSTRUCTION(do_vmresume, "vmresume")
INSTRUCTION(do_invept, "invept (%%eax), %%ecx")
INSTRUCTION(do_invvpid, "invvpid (%%eax), %%ecx")
INSTRUCTION(do_vmfunc, "xor %%eax, %%eax; vmfunc")
INSTRUCTION(do_vmcall, "vmcall")
INSTRUCTION(do_vmmcall, ".byte 0x0f, 0x01, 0xd9")
INSTRUCTION(do_vmrun, ".byte 0x0f, 0x01, 0xd8")
INSTRUCTION(do_getsec, "xor %%eax, %%eax; getsec")
INSTRUCTION(do_rsm, "rsm")
INSTRUCTION(do_xsetbv, "xor %%eax, %%eax; xsetbv")
INSTRUCTION(do_xgetbv, "mov $5, %%ecx; xgetbv")
INSTRUCTION(do_rdpmc, "mov $0x7fffffff, %%ecx; rdpmc")
INSTRUCTION(do_rdtscp, "rdtscp")
INSTRUCTION(do_invpcid, "mov $7, %%ecx; invpcid (%%eax), %%ecx")
INSTRUCTION(do_monitor, "mov $1, %%ecx; monitor")
INSTRUCTION(do_mwait, "mov $2, %%ecx; mwait")
INSTRUCTION(do_invd, "invd")
INSTRUCTION(do_wbinvd, "wbinvd")
INSTRUCTION(do_clts, "clts")
INSTRUCTION(do_invlpg, "invlpg (%%eax)")
INSTRUCTION(do_pause, "mov $200000, %%ecx; 1: pause; loop 1b")
INSTRUCTION(do_rdrand, "rdrand %%eax")
INSTRUCTION(do_rdseed, "rdseed %%eax")
INSTRUCTION(do_encls, ".byte 0x0f, 0x01, 0xcf")
INSTRUCTION(do_swapgs, ".byte 0x0f, 0x01, 0xf8")
INSTRUCTION(do_sysenter, ".byte 0x0f, 0x34")
INSTRUCTION(do_segment, "mov $0xfff8, %%eax; mov %%ax, %%es")
INSTRUCTION(do_ltr, "mov $0xfff8, %%eax; ltr %%ax")
INSTRUCTION(do_lldt, "mov $0xfff8, %%eax; lldt %%ax")
INSTRUCTION(do_fpu, "fninit; fld1; fstp %%st(0)")
INSTRUCTION(do_sse, "movups (%%eax), %%xmm0")
INSTRUCTION(do_ud0, ".byte 0x0f, 0xff, 0xc0")
/* clang-format on */

static const struct {
	const char *name;
	void (*run)(void *arg);
} list[] = {
	{"vmxon", do_vmxon},       {"vmxoff", do_vmxoff},     {"vmptrld", do_vmptrld}, {"vmptrst", do_vmptrst},
	{"vmclear", do_vmclear},   {"vmread", do_vmread},     {"vmwrite", do_vmwrite}, {"vmlaunch", do_vmlaunch},
	{"vmresume", do_vmresume}, {"invept", do_invept},     {"invvpid", do_invvpid}, {"vmfunc", do_vmfunc},
	{"vmcall", do_vmcall},     {"vmmcall", do_vmmcall},   {"vmrun", do_vmrun},     {"getsec", do_getsec},
	{"rsm", do_rsm},           {"xsetbv", do_xsetbv},     {"xgetbv", do_xgetbv},   {"rdpmc", do_rdpmc},
	{"rdtscp", do_rdtscp},     {"invpcid", do_invpcid},   {"monitor", do_monitor}, {"mwait", do_mwait},
	{"invd", do_invd},         {"wbinvd", do_wbinvd},     {"clts", do_clts},       {"invlpg", do_invlpg},
	{"pause", do_pause},       {"rdrand", do_rdrand},     {"rdseed", do_rdseed},   {"encls", do_encls},
	{"swapgs", do_swapgs},     {"sysenter", do_sysenter}, {"mov es", do_segment},  {"ltr", do_ltr},
	{"lldt", do_lldt},         {"fpu", do_fpu},           {"sse", do_sse},         {"ud0", do_ud0},
};

/* Some do their work, and that would be the end of this program: MWAIT sleeps for ever where CPUID offers it, as nothing
 * is there to wake it, and INVD on the bare machine throws away what the caches hold of us. */
static bool does_its_work(void (*run)(void *))
{
	uint32_t r[4];

	cpuid(1, 0, r);
	return (run == do_mwait && (r[2] & (1u << 3))) || (run == do_invd && !(r[2] & (1u << 31)));
}

static void wild_cpuid(void)
{
	uint32_t seed = 12345, r[4];

	for (unsigned i = 0; i < 2000; i++) {
		seed = seed * 1103515245u + 12345u;
		cpuid(i < 1000 ? seed : seed & 0xc00000ffu, seed >> 7, r);
	}
}

void hostile_instructions(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(list); i++) {
		int vector;

		if (does_its_work(list[i].run))
			continue;
		vector = trap_try(list[i].run, NULL);
		if (vector < 0)
			print("hostile: %s: passed\n", list[i].name);
		else
			print("hostile: %s: vector %d\n", list[i].name, vector);
	}
	wild_cpuid();
	print("hostile: instructions: %u tried\n", (unsigned)ARRAY_LEN(list));
}
