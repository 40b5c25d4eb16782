/* A guest that ends, or does not, in the way that its command line says:
 *	by=triple	triple fault			by=spin		interrupts off, for ever
 *	by=halt		CLI; HLT			by=busy		interrupts on, for ever
 *	by=panic	prints, then triple fault
 *	by=ud		an invalid instruction, without an IDT
 *	by=kbd by=cf9 by=port92			reset
 *	by=off		power off
 *	by=stray	touches an address that is nobody's, gpa=N	by=jump		executes there
 *	by=tables	has its page tables there			by=odd		loads it into the FPU
 * `delay=N` waits about so many milliseconds first, by the 8254. */
#include "guests/lib/guest.h"

#include "drivers/regs/pit8254.h"

static volatile uint32_t ticks;

static void on_tick(void)
{
	ticks++;
}

static void wait_ms(uint32_t ms)
{
	if (ms == 0)
		return;
	outb(PIT_CONTROL, 0x34);
	outb(PIT_CH0, (uint8_t)(PIT_HZ / 1000));
	outb(PIT_CH0, (uint8_t)((PIT_HZ / 1000) >> 8));
	irq_set(0, on_tick);
	while (ticks < ms)
		irq_wait();
	outb(0x21, 0xff);
}

static void no_idt(void)
{
	static const uint16_t empty[3];

	__asm__ volatile("lidt %0" : : "m"(empty));
}

static void triple(void)
{
	no_idt();
	__asm__ volatile("int3");
}

static void invalid(void)
{
	no_idt();
	__asm__ volatile("ud2");
}

static void spin(void)
{
	__asm__ volatile("cli; 1: jmp 1b");
}

/* The same with interrupts on: all are masked at the 8259s, so none comes. */
static void busy(void)
{
	__asm__ volatile("sti");
	for (;;)
		__asm__ volatile("");
}

static void panic(void)
{
	print("Kernel panic - not syncing: as ordered\n");
	triple();
}

static void by_keyboard(void)
{
	outb(0x64, 0xfe);
	hang();
}

static void by_port92(void)
{
	outb(0x92, 1);
	hang();
}

static void off(void)
{
	power_off(guest_number("exit", 0));
}

static void stray(void)
{
	uint32_t gpa = guest_number("gpa", 0xd0000000);

	print("end: read gives 0x%x\n", *(volatile uint32_t *)(uintptr_t)gpa);
	*(volatile uint32_t *)(uintptr_t)gpa = 0x12345678;
	print("end: still here\n");
}

static void jump(void)
{
	((void (*)(void))(uintptr_t)guest_number("gpa", 0xd0000000))();
}

static void tables(void)
{
	uint32_t cr0;

	__asm__ volatile("mov %0, %%cr3" : : "r"(guest_number("gpa", 0xd0000000)));
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | 0x80000000) : "memory");
}

static void odd(void)
{
	__asm__ volatile("fninit; flds (%0)" : : "r"(guest_number("gpa", 0xd0000000)));
}

static const struct {
	const char *word;
	void (*end)(void);
} ways[] = {
	{"by=triple", triple},    {"by=spin", spin},  {"by=busy", busy},       {"by=halt", hang},
	{"by=panic", panic},      {"by=ud", invalid}, {"by=kbd", by_keyboard}, {"by=cf9", reset},
	{"by=port92", by_port92}, {"by=off", off},    {"by=stray", stray},     {"by=jump", jump},
	{"by=tables", tables},    {"by=odd", odd},
};

void guest_main(void)
{
	print("end: started, '%s'\n", guest_cmdline());
	wait_ms(guest_number("delay", 0));
	for (unsigned i = 0; i < ARRAY_LEN(ways); i++)
		if (guest_word(ways[i].word))
			ways[i].end();
	print("end: done\n");
}
