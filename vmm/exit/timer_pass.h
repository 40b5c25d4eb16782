/* The guest's TSC deadline in the processor's own timer: while the guest runs, it reads and writes IA32_TSC_DEADLINE without an
 * exit, and at the deadline the host's timer interrupt leaves the guest, which is given its own timer's. SDM 3 "TSC-Deadline
 * Mode", "External-Interrupt Exiting".
 *
 *	off	the deadline is kept by vlapic_timer.c, each access leaves the guest
 *	parked	the guest does not run; the deadline is in v->pass.deadline, and the CPU's timer is the host's
 *	live	in the processor's MSR; a timer interrupt of this CPU is the guest's
 *
 * off -> live when a deadline is set and all of it holds: the hypervisor keeps its own time without that timer while a guest
 * runs (it has the preemption timer), and it counts by the same MSR; the guest's TSC is the host's; its timer is in TSC-deadline
 * mode and not masked. live <-> parked at the ends of each stay. Back to off when any of that
 * changes; the next deadline that is set looks again. A deadline is in one place at a time. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/devices/vlapic.h"

/* Behind the two that follow. */
void timer_pass_go_live(struct vcpu *v);
void timer_pass_park(struct vcpu *v);

/* A stay in the guest begins, or is over. v is loaded on this CPU.
 * After timer_pass_out() what has fired is in the APIC, and v->requests is not 0. Takes interrupts. Context: no locks. */
static inline void timer_pass_in(struct vcpu *v)
{
	if (v->pass.on)
		timer_pass_go_live(v);
}

static inline void timer_pass_out(struct vcpu *v)
{
	if (v->pass.live)
		timer_pass_park(v);
}

/* From off to live, if it may be. v is loaded on this CPU, in a stay. */
void timer_pass_begin(struct vcpu *v);

/* To off, from wherever it is: what it stands on is about to change, or has. v runs on this CPU, or nowhere. Live: as
 * timer_pass_out(). */
void timer_pass_end(struct vcpu *v);

/* An interrupt of the host's has left the guest, and had its handler. Was it the guest's timer? Then it is in the APIC. */
bool timer_pass_came(struct vcpu *v);

/* The look that is made whenever something else is seen to: most guests that could have set no deadline since. */
static inline void timer_pass_try(struct vcpu *v)
{
	if (unlikely(v->lapic->timer.deadline != 0) && v->pass.possible)
		timer_pass_begin(v);
}

/* Parked: when the timer is due, by the host's TSC; UINT64_MAX: it is not armed, or kept elsewhere. */
static inline uint64_t timer_pass_due(const struct vcpu *v)
{
	return v->pass.on && v->pass.deadline != 0 ? v->pass.deadline : UINT64_MAX;
}
