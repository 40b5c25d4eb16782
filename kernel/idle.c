/* Waiting for interrupts. Privileged by its nature: STI, HLT. */
#include "kernel/idle.h"

#include "arch/x86/insn.h"
#include "kernel/lib/assert.h"

static void (*timer_arm)(uint64_t tsc);
static uint64_t armed_for = UINT64_MAX;

void idle_set_timer(void (*arm)(uint64_t tsc))
{
	timer_arm = arm;
}

void idle_until(uint64_t tsc)
{
	assert(timer_arm != NULL);
	timer_arm(tsc);
	/* STI takes effect after the next instruction (SDM 2 "STI"): an interrupt cannot slip in before HLT and be slept over. */
	sti_hlt_cli();
	timer_arm(UINT64_MAX);
	armed_for = UINT64_MAX;
}

void idle_alarm(uint64_t tsc)
{
	if (tsc == armed_for)
		return;
	timer_arm(tsc);
	armed_for = tsc;
}

void idle_window(void)
{
	sti_nop_cli();
}
