/* Between the APIC's timer as we keep it and the processor's. */
#include "vmm/exit/timer_pass.h"

#include "arch/x86/insn.h"
#include "vmm/core/vcpu_hw.h"

static void raise(struct vcpu *v)
{
	vlapic_timer_raise(v->lapic, v->pass.vector);
}

/* The MSR is the guest's from here on. Outside of a sleep the host's timer is neither armed nor pending (kernel/idle.h); the note
 * may be of such a sleep, and so may what stands in the MSR, where it does not become 0 by itself (Bochs 2.7). */
void timer_pass_go_live(struct vcpu *v)
{
	uint64_t deadline = v->pass.deadline;

	(void)vcpu_hw_timer_came();
	v->pass.live = true;
	v->pass.deadline = 0;
	if (deadline != 0 && deadline <= rdtsc()) {
		deadline = 0;
		raise(v);
	}
	vcpu_hw_timer_set(deadline);
}

void timer_pass_begin(struct vcpu *v)
{
	if (v->tsc_offset != 0 || !vlapic_timer_can_pass(v->lapic, &v->pass.vector))
		return;
	v->pass.on = true;
	v->pass.deadline = vlapic_timer_hand_over(v->lapic);
	vcpu_hw_timer_pass(v, true);
	timer_pass_go_live(v);
}

/* Out of the MSR. An interrupt may be pending, of the deadline that stands there, of the one that stood there until it fired, or of
 * one before: the guest may have set another meanwhile. What has fired and what is due make one request; a time that is still
 * to come stays. */
void timer_pass_park(struct vcpu *v)
{
	uint64_t deadline;
	bool came;

	vcpu_hw_let_interrupts_in();
	came = vcpu_hw_timer_came();
	deadline = vcpu_hw_timer_get();
	if (deadline != 0)
		vcpu_hw_timer_set(0);
	if (deadline <= rdtsc()) {
		/* It may have fired this moment. */
		vcpu_hw_timer_settle();
		came = vcpu_hw_timer_came() || came || deadline != 0;
		deadline = 0;
	}
	v->pass.live = false;
	v->pass.deadline = deadline;
	if (came) {
		raise(v);
		vcpu_request(v, VCPU_REQ_TIMER);
	}
}

void timer_pass_end(struct vcpu *v)
{
	if (!v->pass.on)
		return;
	timer_pass_out(v);
	v->pass.on = false;
	vcpu_hw_timer_pass(v, false);
	vlapic_timer_take_back(v->lapic, v->pass.deadline);
}

/* The one that fired is 0 in the MSR now. Where it is not (Bochs 2.7), or where another one is due as well, it is one request. */
bool timer_pass_came(struct vcpu *v)
{
	uint64_t deadline;

	if (!v->pass.live || !vcpu_hw_timer_came())
		return false;
	deadline = vcpu_hw_timer_get();
	if (deadline != 0 && deadline <= v->exit.tsc)
		vcpu_hw_timer_set(0);
	raise(v);
	if (v->loop.deadline - v->exit.tsc < v->loop.renew_ticks)
		vcpu_request(v, VCPU_REQ_TIMER);
	return true;
}
