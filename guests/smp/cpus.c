/* Starting the other CPUs by INIT and SIPI, and giving them work. An idle CPU halts with interrupts on; the wake-up's handler
 * has nothing to do but end the HLT. */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define TRAMPOLINE 0x7000u
#define TRAMPOLINE_RESTART 0x6000u
#define PATIENCE_SECONDS 10u

struct smp_cpu smp_cpus[SMP_MAX_CPUS];
unsigned smp_count = 1;
uint64_t smp_tsc_hz;
/* The number that the next CPU takes that comes up. */
volatile uint32_t smp_next = 1;
uint8_t smp_stacks[SMP_MAX_CPUS][SMP_STACK_BYTES] ALIGNED(16);

extern const char smp_trampoline[], smp_trampoline_gdt[], smp_trampoline_end[];

static struct PACKED {
	uint16_t limit;
	uint32_t base;
} idt_pointer;

/* The first CPU's stack lies elsewhere. */
unsigned smp_self(void)
{
	uint32_t esp;

	__asm__ volatile("mov %%esp, %0" : "=r"(esp));
	esp -= (uint32_t)(uintptr_t)smp_stacks;
	return esp < sizeof(smp_stacks) ? esp / SMP_STACK_BYTES : 0;
}

bool smp_until(bool (*condition)(void *), void *arg)
{
	uint64_t begin = rdtsc();

	while (!condition(arg)) {
		if (rdtsc() - begin > PATIENCE_SECONDS * smp_tsc_hz)
			return false;
		cpu_relax();
	}
	return true;
}

struct reach {
	volatile uint32_t *counter;
	uint32_t value;
};

static bool reached(void *arg)
{
	const struct reach *r = arg;

	return *r->counter >= r->value;
}

bool smp_reaches(volatile uint32_t *counter, uint32_t value)
{
	struct reach r = {counter, value};

	return smp_until(reached, &r);
}

void smp_pause(uint32_t turns)
{
	while (turns--)
		cpu_relax();
}

static void on_wake(struct trap_frame *f)
{
	(void)f;
	apic_eoi();
}

void smp_ap_main(uint32_t cpu, uint32_t page)
{
	struct smp_cpu *me = &smp_cpus[cpu];

	__asm__ volatile("lidt %0" : : "m"(idt_pointer));
	apic_enable();
	paging_join();
	me->apic_id = apic_id();
	me->came_by = page << 4;
	me->online++;
	for (;;) {
		while (!me->job)
			irq_wait();
		me->job();
		me->job = NULL;
	}
}

static void put_trampoline(uint32_t at)
{
	uint8_t *code = (uint8_t *)(uintptr_t)at;

	for (const char *from = smp_trampoline; from < smp_trampoline_end; from++)
		code[from - smp_trampoline] = (uint8_t)*from;
	__asm__ volatile("sgdt (%0)" : : "r"(code + (smp_trampoline_gdt - smp_trampoline)) : "memory");
}

static bool all_online(void *arg)
{
	unsigned wanted = *(unsigned *)arg, here = 1;

	for (unsigned i = 1; i < SMP_MAX_CPUS; i++)
		here += smp_cpus[i].online != 0;
	smp_count = here;
	return here >= wanted;
}

unsigned smp_start(void)
{
	unsigned wanted = guest_number("cpus", 1);

	trap_set(SMP_VECTOR_WAKE, on_wake);
	__asm__ volatile("sidt %0" : "=m"(idt_pointer));
	put_trampoline(TRAMPOLINE);
	apic_enable();
	smp_cpus[0].apic_id = apic_id();
	apic_icr(0, LAPIC_ICR_TO_OTHERS | LAPIC_ICR_ASSERT | LAPIC_ICR_DM_INIT);
	smp_pause(10000);
	apic_icr(0, LAPIC_ICR_TO_OTHERS | LAPIC_ICR_ASSERT | LAPIC_ICR_DM_STARTUP | TRAMPOLINE >> 12);
	smp_until(all_online, &wanted);
	return smp_count;
}

bool smp_restart(unsigned cpu)
{
	uint32_t before = smp_cpus[cpu].online, keep = smp_next;
	bool back;

	put_trampoline(TRAMPOLINE_RESTART);
	smp_next = cpu;
	apic_icr(smp_cpus[cpu].apic_id, LAPIC_ICR_ASSERT | LAPIC_ICR_DM_STARTUP | TRAMPOLINE_RESTART >> 12);
	back = smp_reaches(&smp_cpus[cpu].online, before + 1) && smp_cpus[cpu].came_by == TRAMPOLINE_RESTART;
	smp_next = keep;
	return back;
}

void smp_give(unsigned cpu, void (*job)(void))
{
	smp_cpus[cpu].job = job;
	apic_icr(smp_cpus[cpu].apic_id, LAPIC_ICR_ASSERT | SMP_VECTOR_WAKE);
}

static bool is_idle(void *arg)
{
	return !((struct smp_cpu *)arg)->job;
}

/* What is done there may need an answer from here. */
bool smp_wait(unsigned cpu)
{
	bool done;

	irq_on();
	done = smp_until(is_idle, &smp_cpus[cpu]);
	irq_off();
	if (!done)
		smp_check(false, "a CPU does not end its work", cpu, 0);
	return done;
}

void smp_on(unsigned cpu, void (*job)(void))
{
	if (cpu == smp_self()) {
		job();
		return;
	}
	smp_give(cpu, job);
	smp_wait(cpu);
}

void smp_on_all(void (*job)(void))
{
	unsigned self = smp_self();

	for (unsigned i = 0; i < smp_count; i++)
		if (i != self)
			smp_give(i, job);
	job();
	for (unsigned i = 0; i < smp_count; i++)
		if (i != self)
			smp_wait(i);
}

void smp_lock(struct smp_lock *l)
{
	uint32_t ticket = fetch_add(&l->next, 1);

	while (l->serving != ticket)
		cpu_relax();
}

void smp_unlock(struct smp_lock *l)
{
	__asm__ volatile("" : : : "memory");
	l->serving++;
}
