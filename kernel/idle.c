/* Waiting for interrupts. Privileged by its nature: STI, HLT. */
#include "kernel/idle.h"

#include "arch/x86/insn.h"
#include "arch/x86/nmi.h"
#include "arch/x86/percpu.h"
#include "kernel/lib/assert.h"

static void (*timer_arm)(uint64_t tsc);
static bool (*timer_pending)(void);

void idle_set_timer(void (*arm)(uint64_t tsc), bool (*pending)(void))
{
	timer_arm = arm;
	timer_pending = pending;
}

COLD bool idle_timer_is_deadline(void)
{
	return timer_pending != NULL;
}

/* Between the APIC, where the timer has fired, and the processor there may be a way. */
void idle_timer_settle(void)
{
	do
		idle_window();
	while (timer_pending());
}

void idle_timer_interrupt(void)
{
	this_cpu()->timer_came = true;
}

bool idle_timer_came(void)
{
	struct percpu *cpu = this_cpu();
	bool came = cpu->timer_came;

	cpu->timer_came = false;
	return came;
}

void idle_until(uint64_t tsc)
{
	assert(timer_arm != NULL);
	timer_arm(tsc);
	cpu_sleep();
	if (rdtsc() < tsc)
		timer_arm(UINT64_MAX);
	idle_window(); /* woken by something else, it may have come since */
	this_cpu()->timer_at = UINT64_MAX;
}

void idle_alarm(uint64_t tsc)
{
	struct percpu *cpu = this_cpu();

	if (tsc == cpu->timer_at)
		return;
	timer_arm(tsc);
	cpu->timer_at = tsc;
}

void idle_window(void)
{
	sti_nop_cli();
}
