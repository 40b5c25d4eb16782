/* Control and debug registers with values that the processor, or the hypervisor, must refuse or survive. */
#include "guests/hostile/hostile.h"

#define REGISTER(name)                                                                                                 \
	static void set_##name(void *v)                                                                                \
	{                                                                                                              \
		__asm__ volatile("mov %0, %%" #name : : "r"(*(uint32_t *)v) : "memory");                               \
	}                                                                                                              \
	static uint32_t get_##name(void)                                                                               \
	{                                                                                                              \
		uint32_t v;                                                                                            \
                                                                                                                       \
		__asm__ volatile("mov %%" #name ", %0" : "=r"(v));                                                     \
		return v;                                                                                              \
	}

/* clang-format off */
REGISTER(cr0)
REGISTER(cr3)
REGISTER(cr4)
REGISTER(dr0)
REGISTER(dr6)
REGISTER(dr7)
/* clang-format on */

static uint32_t taken, refused;

static void attempt(void (*set)(void *), uint32_t value)
{
	if (trap_try(set, &value) < 0)
		taken++;
	else
		refused++;
}

/* 4 MiB pages onto themselves, so that turning paging on changes nothing. SDM 3 "32-Bit Paging". */
static void make_identity_map(void)
{
	static uint32_t directory[1024] ALIGNED(4096);
	uint32_t cr3 = (uint32_t)(uintptr_t)directory, cr4 = get_cr4() | 0x10;

	for (uint32_t i = 0; i < 1024; i++)
		directory[i] = i << 22 | 0x83;
	set_cr4(&cr4);
	set_cr3(&cr3);
}

/* Every single bit turned over, and put back. PE stays: this is 32-bit code. */
static void turn_cr0(void)
{
	uint32_t was = get_cr0();

	make_identity_map();
	for (unsigned bit = 1; bit < 32; bit++) {
		attempt(set_cr0, was ^ (1u << bit));
		set_cr0(&was);
	}
	attempt(set_cr0, was | 0x20000000); /* NW without CD */
	set_cr0(&was);
	attempt(set_cr0, (was & ~1u) | 0x80000000); /* PG without PE */
	set_cr0(&was);
}

static void turn_cr4(void)
{
	uint32_t was = get_cr4();

	for (unsigned bit = 0; bit < 32; bit++) {
		attempt(set_cr4, was ^ (1u << bit));
		set_cr4(&was);
	}
	attempt(set_cr4, 0xffffffff);
	set_cr4(&was);
	if (get_cr4() != was)
		print("hostile: CR4 is 0x%x and was 0x%x\n", get_cr4(), was);
}

static void turn_cr3(void)
{
	uint32_t was = get_cr3();

	attempt(set_cr3, 0xffffffff);
	attempt(set_cr3, 0x12345);
	set_cr3(&was);
}

static volatile uint32_t debug_traps, late_traps;
static volatile bool interrupted;

static void on_debug(struct trap_frame *f)
{
	debug_traps++;
	late_traps += interrupted;
	f->eflags &= ~0x100u;
	f->eflags |= 0x10000u;
}

#define APIC_REG(offset) (*(volatile uint32_t *)(0xfee00000u + (offset)))
#define STEPPED_VECTOR 0x60u

static void on_stepped(struct trap_frame *f)
{
	(void)f;
	interrupted = true;
	APIC_REG(0xb0) = 0;
}

/* The step's trap and the interrupt, which is there at once, wait for the same moment; the trap goes first. */
static void step_over_an_ipi(void)
{
	trap_set(STEPPED_VECTOR, on_stepped);
	APIC_REG(0xf0) = 0x1ff;
	__asm__ volatile("sti; nop; pushf; orl $0x100, (%%esp); popf; movl %1, %0; nop; cli"
			 : "=m"(APIC_REG(0x300))
			 : "r"(0x40000 | STEPPED_VECTOR)
			 : "cc", "memory");
	trap_set(STEPPED_VECTOR, NULL);
	if (!interrupted)
		print("hostile: an IPI that was stepped over has not come\n");
	interrupted = false;
}

/* INT1 alone is a trap behind itself. */
static void int1(void)
{
	__asm__ volatile(".byte 0xf1");
}

/* Single steps over instructions that leave the guest: the trap must still come. */
static void step_over_exits(void)
{
	uint32_t a = 0, b, c = 0, d;

	__asm__ volatile("pushf; orl $0x100, (%%esp); popf; cpuid; nop" : "+a"(a), "=b"(b), "+c"(c), "=d"(d) : : "cc");
	__asm__ volatile("pushf; orl $0x100, (%%esp); popf; inb $0x80, %%al; nop" : "=a"(a) : : "cc");
}

static void turn_debug(void)
{
	uint32_t zero = 0, wanted = 0x400;

	trap_set(1, on_debug);
	attempt(set_dr6, 0xffffffff);
	attempt(set_dr7, 0xffffdfff); /* all but GD */
	set_dr7(&zero);
	/* A breakpoint on memory of ours, read and write, 4 bytes. */
	attempt(set_dr0, (uint32_t)(uintptr_t)&taken & ~3u);
	wanted = 0xf0403;
	set_dr7(&wanted);
	taken++;
	set_dr7(&zero);
	step_over_exits();
	step_over_an_ipi();
	int1();
	set_dr6(&zero);
	trap_set(1, NULL);
	print("hostile: debug traps: %u, %u too late, DR0 0x%x, DR6 0x%x, DR7 0x%x\n", debug_traps, late_traps,
	      get_dr0(), get_dr6(), get_dr7());
}

struct xcr {
	uint32_t index, low, high;
};

static void set_xcr(void *arg)
{
	struct xcr *x = arg;

	__asm__ volatile("xsetbv" : : "c"(x->index), "a"(x->low), "d"(x->high));
}

static void try_xcr(uint32_t index, uint32_t low, uint32_t high)
{
	struct xcr x = {index, low, high};

	if (trap_try(set_xcr, &x) < 0)
		taken++;
	else
		refused++;
}

static void turn_xcr0(void)
{
	uint32_t was = get_cr4(), on = was | 0x40000, r[4];

	cpuid(1, 0, r);
	if (!(r[2] & (1u << 26)))
		return;
	set_cr4(&on);
	for (unsigned bit = 0; bit < 32; bit++)
		try_xcr(0, 1u << bit | 1, 0);
	try_xcr(0, 0, 0);
	try_xcr(0, 6, 0);
	try_xcr(0, 5, 0);
	try_xcr(0, 0xffffffff, 0xffffffff);
	try_xcr(0, 1, 0x80000000);
	try_xcr(1, 1, 0);
	try_xcr(0xffffffff, 1, 0);
	try_xcr(0, 1, 0);
	set_cr4(&was);
}

void hostile_registers(void)
{
	turn_cr0();
	turn_cr3();
	turn_cr4();
	turn_xcr0();
	turn_debug();
	print("hostile: registers: %u values taken, %u refused\n", taken, refused);
}
