/* Not items but neighbours with many CPUs: all of them interrupt all others for ever, or all spin with interrupts on. */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define VECTOR_NMI 2u

static void on_storm(struct trap_frame *f)
{
	(void)f;
	apic_eoi();
}

static void on_nmi(struct trap_frame *f)
{
	(void)f;
}

static void storm(void)
{
	irq_on();
	for (;;) {
		apic_icr(0, LAPIC_ICR_TO_OTHERS | LAPIC_ICR_ASSERT | SMP_VECTOR_HIT);
		apic_icr(0, LAPIC_ICR_TO_SELF | LAPIC_ICR_ASSERT | SMP_VECTOR_HIT);
		apic_icr(0, LAPIC_ICR_TO_OTHERS | LAPIC_ICR_ASSERT | LAPIC_ICR_DM_NMI);
	}
}

static void spin(void)
{
	irq_on();
	for (;;)
		__asm__ volatile("");
}

void smp_neighbour(void)
{
	void (*job)(void) = guest_word("do=storm") ? storm : spin;

	trap_set(SMP_VECTOR_HIT, on_storm);
	trap_set(VECTOR_NMI, on_nmi);
	print("smp: %s\n", job == storm ? "storm" : "spin");
	for (unsigned i = 1; i < smp_count; i++)
		smp_give(i, job);
	job();
}
