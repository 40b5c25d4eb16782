/* Sleeps: halted, with a timer of its own (the local APIC's) that is minutes away; with the word `dead` without one, and with
 * interrupts off. Such guests fill the queues of a machine with many VMs. */
#include "guests/lib/guest.h"

#include "drivers/regs/lapic.h"

#define LAPIC_AT 0xfee00000u
#define SVR_ENABLED 0x1ffu
#define VECTOR 0x40u
#define DIVIDE_128 0xau

static void lapic_write(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(LAPIC_AT + reg) = v;
}

static void on_timer(struct trap_frame *f)
{
	(void)f;
	lapic_write(LAPIC_EOI, 0);
}

void guest_main(void)
{
	trap_set(VECTOR, on_timer);
	lapic_write(LAPIC_SVR, SVR_ENABLED);
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_128);
	lapic_write(LAPIC_LVT_TIMER, VECTOR);
	print("sleep: asleep\n");
	if (guest_word("dead"))
		hang();
	for (;;) {
		lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
		irq_wait();
	}
}
