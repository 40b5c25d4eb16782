/* Timer interrupts: `count=N` lines (0: for ever), each after `every=N` ticks at `hz=N`, from the 8254 through the 8259s,
 * or, with the word lapic, from the local APIC, whose rate is measured against the 8254. Halts in between. */
#include "guests/lib/guest.h"

#include "drivers/regs/lapic.h"
#include "drivers/regs/pit8254.h"

#define LAPIC_AT 0xfee00000u
#define LAPIC_VECTOR 0x40u
#define LAPIC_DIVIDE_1 0xbu

static volatile uint32_t ticks;

static void on_tick(void)
{
	ticks++;
}

static void lapic_write(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(LAPIC_AT + reg) = v;
}

static uint32_t lapic_read(uint32_t reg)
{
	return *(volatile uint32_t *)(LAPIC_AT + reg);
}

static void on_lapic(struct trap_frame *f)
{
	(void)f;
	ticks++;
	lapic_write(LAPIC_EOI, 0);
}

static void pit_start(uint32_t hz)
{
	uint32_t divisor = PIT_HZ / hz;

	outb(PIT_CONTROL, 0x34); /* counter 0, both bytes, mode 2 */
	outb(PIT_CH0, (uint8_t)divisor);
	outb(PIT_CH0, (uint8_t)(divisor >> 8));
	irq_set(0, on_tick);
}

/* Counts of the local APIC's timer in 10 ticks of the 8254 at 100 Hz. */
static uint32_t lapic_counts_per_100ms(void)
{
	uint32_t begin;

	pit_start(100);
	lapic_write(LAPIC_SVR, 0x1ff);
	lapic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_1);
	lapic_write(LAPIC_LVT_TIMER, 0x10000 | LAPIC_VECTOR);
	/* What was done to start the guest may hold up the first ticks. */
	for (begin = ticks; ticks < begin + 3;)
		irq_wait();
	lapic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
	for (begin = ticks; ticks < begin + 10;)
		irq_wait();
	outb(0x21, 0xff);
	return 0xffffffffu - lapic_read(LAPIC_TIMER_CURRENT);
}

static void lapic_start(uint32_t hz)
{
	uint32_t counts = lapic_counts_per_100ms();

	print("tick: local APIC timer at %u kHz\n", counts / 100);
	trap_set(LAPIC_VECTOR, on_lapic);
	lapic_write(LAPIC_LVT_TIMER, 0x20000 | LAPIC_VECTOR);
	lapic_write(LAPIC_TIMER_INITIAL, counts / hz * 10);
}

void guest_main(void)
{
	uint32_t count = guest_number("count", 0);
	uint32_t every = guest_number("every", 100);
	uint32_t hz = guest_number("hz", 100);
	uint64_t begin;

	if (guest_word("lapic"))
		lapic_start(hz);
	else
		pit_start(hz);
	ticks = 0;
	begin = rdtsc();
	for (uint32_t line = 1; count == 0 || line <= count; line++) {
		while (ticks < line * every)
			irq_wait();
		print("tick %u, TSC %llu\n", ticks, rdtsc() - begin);
	}
	print("tick: done\n");
}
