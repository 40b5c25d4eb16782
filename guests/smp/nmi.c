/* NMIs from CPU to CPU: to one that halts with interrupts off, to one that spins so, to all others; a second one while the
 * handler runs waits for its IRET (SDM 3 "Nonmaskable Interrupt (NMI)"). */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define NMI (LAPIC_ICR_ASSERT | LAPIC_ICR_DM_NMI)
#define VECTOR_NMI 2u
#define SETTLE 2000u

/* The next NMI on this CPU sends itself another one. */
static volatile bool nest[SMP_MAX_CPUS];
static volatile bool go_on, there;

static void on_nmi(struct trap_frame *f)
{
	unsigned self = smp_self();
	uint32_t now = ++smp_cpus[self].nmis;

	(void)f;
	if (!nest[self])
		return;
	nest[self] = false;
	apic_icr(smp_cpus[self].apic_id, NMI);
	smp_pause(SETTLE);
	smp_check(smp_cpus[self].nmis == now, "an NMI came inside of an NMI's handler", self, now);
}

static void deaf_spin(void)
{
	there = true;
	while (!go_on)
		cpu_relax();
}

static void deaf_halt(void)
{
	there = true;
	while (!go_on)
		__asm__ volatile("hlt" : : : "memory");
}

static bool is_there(void *arg)
{
	(void)arg;
	return there;
}

/* `times`: how many have to come of the one that is sent. */
static void to_one(unsigned cpu, void (*how)(void), uint32_t times)
{
	uint32_t before = smp_cpus[cpu].nmis;

	go_on = false;
	there = false;
	smp_give(cpu, how);
	smp_check(smp_until(is_there, NULL), "does not run", cpu, 0);
	smp_pause(SETTLE);
	go_on = how == deaf_halt;
	apic_icr(smp_cpus[cpu].apic_id, NMI);
	smp_check(smp_reaches(&smp_cpus[cpu].nmis, before + times), "an NMI did not come", cpu, times);
	go_on = true;
	smp_wait(cpu);
	smp_check(smp_cpus[cpu].nmis == before + times, "not as many NMIs as sent", smp_cpus[cpu].nmis - before, times);
}

static void to_others(void)
{
	uint32_t before[SMP_MAX_CPUS] = {0};

	for (unsigned i = 0; i < smp_count; i++)
		before[i] = smp_cpus[i].nmis;
	apic_icr(0, NMI | LAPIC_ICR_TO_OTHERS);
	for (unsigned i = 1; i < smp_count; i++)
		smp_check(smp_reaches(&smp_cpus[i].nmis, before[i] + 1), "no NMI by shorthand", i, 0);
	smp_pause(SETTLE);
	for (unsigned i = 0; i < smp_count; i++)
		smp_check(smp_cpus[i].nmis == before[i] + (i != 0), "NMIs by shorthand", i,
			  smp_cpus[i].nmis - before[i]);
}

void item_nmi(void)
{
	trap_set(VECTOR_NMI, on_nmi);
	for (unsigned i = 1; i < smp_count; i++) {
		to_one(i, deaf_spin, 1);
		to_one(i, deaf_halt, 1);
		nest[i] = true;
		to_one(i, deaf_spin, 2);
	}
	to_others();
}
