/* Who is there, INIT and SIPI to one CPU alone, and CPUs that wait in HLT. */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define CPUID_1_EBX_APIC_ID_SHIFT 24u
#define CPUID_B 0xbu
#define APIC_IDS_8BIT 0xffu

/* What CPUID says of an APIC ID is what the APIC says; only the first CPU is the boot processor. */
static void check_identity(void)
{
	unsigned self = smp_self();
	uint32_t id = smp_cpus[self].apic_id, r[4];
	bool bsp = rdmsr(MSR_IA32_APIC_BASE_INDEX) & APIC_BASE_BSP;

	cpuid(1, 0, r);
	smp_check(r[1] >> CPUID_1_EBX_APIC_ID_SHIFT == (id & APIC_IDS_8BIT), "CPUID 1 has another APIC ID", r[1], id);
	cpuid(0, 0, r);
	if (r[0] >= CPUID_B) {
		cpuid(CPUID_B, 0, r);
		smp_check(r[1] == 0 || r[3] == id, "CPUID 0xB has another APIC ID", r[3], id);
	}
	smp_check(bsp == (self == 0), "the boot processor's bit is wrong", bsp, id);
}

void item_start(void)
{
	smp_check(smp_count == guest_number("cpus", 1), "not all came up", smp_count, guest_number("cpus", 1));
	for (unsigned i = 0; i < smp_count; i++) {
		smp_check(i == 0 || smp_cpus[i].online == 1, "came up more than once", i, smp_cpus[i].online);
		for (unsigned j = 0; j < i; j++)
			smp_check(smp_cpus[i].apic_id != smp_cpus[j].apic_id, "two have one APIC ID", i, j);
	}
	smp_on_all(check_identity);
}

static volatile uint32_t heartbeat;

static void beat(void)
{
	irq_on();
	for (;;)
		heartbeat++;
}

static bool stands_still(void *arg)
{
	uint32_t seen = heartbeat;

	(void)arg;
	smp_pause(100000);
	return heartbeat == seen;
}

/* A SIPI is for a CPU that waits for it; one that runs pays no heed. INIT stops a CPU in whatever it does. */
static void restart_one(unsigned cpu)
{
	uint32_t online = smp_cpus[cpu].online, seen;

	heartbeat = 0;
	smp_give(cpu, beat);
	smp_check(smp_reaches(&heartbeat, 1000), "does not run", cpu, 0);
	apic_icr(smp_cpus[cpu].apic_id, LAPIC_ICR_ASSERT | LAPIC_ICR_DM_STARTUP | 7);
	seen = heartbeat;
	smp_check(smp_reaches(&heartbeat, seen + 1000000), "stopped by a SIPI", cpu, 0);
	smp_check(smp_cpus[cpu].online == online, "restarted by a SIPI alone", cpu, 0);
	apic_icr(smp_cpus[cpu].apic_id, LAPIC_ICR_ASSERT | LAPIC_ICR_DM_INIT);
	smp_check(smp_until(stands_still, NULL), "goes on after INIT", cpu, 0);
	smp_cpus[cpu].job = NULL;
	smp_check(smp_restart(cpu), "does not come back by INIT and SIPI", cpu, smp_cpus[cpu].came_by);
	smp_on(cpu, check_identity);
}

void item_restart(void)
{
	for (unsigned i = 1; i < smp_count; i++)
		restart_one(i);
}

#define WAKE_UPS 200u

static volatile uint32_t woken;

static void wake_count(void)
{
	woken++;
}

/* Over and over into HLT and out of it: no wake-up may be lost on the way. */
void item_parked(void)
{
	uint32_t rounds = guest_number("rounds", WAKE_UPS);
	uint64_t begin = rdtsc();

	woken = 0;
	for (uint32_t i = 0; i < rounds; i++)
		for (unsigned cpu = 1; cpu < smp_count; cpu++) {
			smp_give(cpu, wake_count);
			if (!smp_wait(cpu))
				return;
		}
	smp_check(woken == rounds * (smp_count - 1), "wake-ups are missing", woken, rounds);
	if (smp_count > 1)
		smp_figure("wake-up", divide(rdtsc() - begin, rounds * (smp_count - 1)));
}
