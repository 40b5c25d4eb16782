/* A neighbour that takes what it can, for ever, as its command line says:
 *	do=fair		spins with interrupts on: what the others are measured against
 *	do=spin		spins with interrupts off
 *	do=flood	fills its serial port as fast as it drains
 *	do=deaf		has interrupts of all timers pending and never takes one
 *	do=unthankful	takes an interrupt and never says that it is over
 *	do=ticks	its APIC's timer interrupts it every `every=N` counts
 *	do=naps		the same, and halts in between
 *	do=ports do=mmio do=cpuid do=msr	leave as often as they can
 *	do=self		interrupts itself over and over
 *	do=again	works for `delay=N` milliseconds of `tsc=N` ticks a second, then triple-faults
 *	do=memory	touches its memory in large strides */
#include "guests/lib/guest.h"

#include "drivers/regs/lapic.h"
#include "drivers/regs/pit8254.h"

#define LAPIC_AT 0xfee00000u
#define VECTOR 0x40u
#define STRIDE (4096u + 64u)

static void apic_write(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(LAPIC_AT + reg) = v;
}

static void on_apic(struct trap_frame *f)
{
	(void)f;
	apic_write(LAPIC_EOI, 0);
}

static void no_eoi(struct trap_frame *f)
{
	(void)f;
}

static void timer_on(void)
{
	apic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	apic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	apic_write(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_PERIODIC | VECTOR);
	apic_write(LAPIC_TIMER_INITIAL, guest_number("every", 1000));
}

static void on_pit(void)
{
}

static void pit_on(void)
{
	outb(PIT_CONTROL, 0x34);
	outb(PIT_CH0, 100);
	outb(PIT_CH0, 0);
	irq_set(0, on_pit);
}

static void do_fair(void)
{
	__asm__ volatile("sti; 1: jmp 1b");
}

static void do_spin(void)
{
	__asm__ volatile("cli; 1: jmp 1b");
}

static void do_flood(void)
{
	for (;;)
		print("rogue: 0123456789 abcdefghijklmnopqrstuvwxyz\n");
}

static void do_deaf(void)
{
	pit_on();
	timer_on();
	do_spin();
}

static void do_unthankful(void)
{
	trap_set(VECTOR, no_eoi);
	timer_on();
	do_fair();
}

static void do_ticks(void)
{
	trap_set(VECTOR, on_apic);
	timer_on();
	do_fair();
}

static void do_naps(void)
{
	trap_set(VECTOR, on_apic);
	timer_on();
	for (;;)
		irq_wait();
}

static void do_ports(void)
{
	for (;;) {
		inb(PIT_CH0);
		outb(0x80, 0);
		inb(0x3fd);
	}
}

static void do_mmio(void)
{
	for (;;) {
		*(volatile uint32_t *)0xfec00000 = 1;
		*(volatile uint32_t *)0xfec00010;
		*(volatile uint32_t *)(LAPIC_AT + LAPIC_VERSION);
	}
}

static void do_cpuid(void)
{
	uint32_t r[4];

	for (;;)
		cpuid(0, 0, r);
}

static void do_msr(void)
{
	for (;;)
		rdmsr(MSR_IA32_APIC_BASE_INDEX);
}

static void do_self(void)
{
	trap_set(VECTOR, on_apic);
	apic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	irq_on();
	for (;;)
		apic_write(LAPIC_ICR_LOW, LAPIC_ICR_TO_SELF | LAPIC_ICR_ASSERT | VECTOR);
}

static void do_again(void)
{
	static const uint16_t empty[3];
	uint64_t end = rdtsc() + (uint64_t)(guest_number("tsc", 20000000) / 1000) * guest_number("delay", 0);

	while (rdtsc() < end)
		;
	__asm__ volatile("lidt %0; int3" : : "m"(empty));
}

extern char guest_end[];

static void do_memory(void)
{
	for (;;)
		for (uint32_t at = (uint32_t)(uintptr_t)guest_end; at < guest_ram_end() - 4; at += STRIDE)
			++*(volatile uint32_t *)(uintptr_t)at;
}

static const struct {
	const char *word;
	void (*run)(void);
} ways[] = {
	{"do=fair", do_fair},
	{"do=spin", do_spin},
	{"do=flood", do_flood},
	{"do=deaf", do_deaf},
	{"do=unthankful", do_unthankful},
	{"do=ticks", do_ticks},
	{"do=naps", do_naps},
	{"do=ports", do_ports},
	{"do=mmio", do_mmio},
	{"do=cpuid", do_cpuid},
	{"do=msr", do_msr},
	{"do=self", do_self},
	{"do=again", do_again},
	{"do=memory", do_memory},
};

void guest_main(void)
{
	for (unsigned i = 0; i < ARRAY_LEN(ways); i++)
		if (guest_word(ways[i].word)) {
			print("rogue: %s\n", ways[i].word);
			ways[i].run();
		}
	print("rogue: nothing of this is known: '%s'\n", guest_cmdline());
}
