/* Exits that are about events: the host's interrupts, the guest's windows, and the timer that ends a slice. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/exit/timer_pass.h"

/* The exit took (acknowledged) a host interrupt: its handler runs now. The guest's own timer is nobody else's business; of all
 * others the loop lets the host look at what they left. */
enum verdict exit_external_interrupt(struct vcpu *v, const struct vm_exit *e)
{
	vcpu_hw_host_event(e);
	return timer_pass_came(v) ? VERDICT_RESUME : VERDICT_YIELD;
}

/* The guest can take an interrupt now: the loop asks the interrupt controllers again before the next entry. */
enum verdict exit_interrupt_window(struct vcpu *v, const struct vm_exit *e)
{
	(void)e;
	vcpu_hw_irq_window(v, false);
	vcpu_request(v, VCPU_REQ_EVENT);
	return VERDICT_RESUME;
}

enum verdict exit_nmi_window(struct vcpu *v, const struct vm_exit *e)
{
	(void)e;
	vcpu_hw_nmi_window(v, false);
	vcpu_request(v, VCPU_REQ_EVENT);
	return VERDICT_RESUME;
}

/* A deadline has come, or nearly so: the loop sees from the clock whose it was, and sets the timer anew. */
enum verdict exit_preemption_timer(struct vcpu *v, const struct vm_exit *e)
{
	(void)e;
	vcpu_request(v, VCPU_REQ_TIMER);
	return VERDICT_RESUME;
}
