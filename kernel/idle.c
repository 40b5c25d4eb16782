/* Waiting for interrupts. Privileged by its nature: STI, HLT. */
#include "kernel/idle.h"

#include "arch/x86/insn.h"
#include "arch/x86/nmi.h"
#include "arch/x86/percpu.h"
#include "kernel/lib/assert.h"

static void (*timer_arm)(uint64_t tsc);

void idle_set_timer(void (*arm)(uint64_t tsc))
{
	timer_arm = arm;
}

void idle_until(uint64_t tsc)
{
	assert(timer_arm != NULL);
	timer_arm(tsc);
	cpu_sleep();
	if (rdtsc() < tsc)
		timer_arm(UINT64_MAX);
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
