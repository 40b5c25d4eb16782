/* Exceptions and NMIs that leave the guest. The guest's own exceptions stay in it (the exception bitmap is all but empty):
 * what comes here is the host's NMI, and #MC, which is the machine's, not the guest's. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"

enum verdict exit_exception(struct vcpu *v, const struct vm_exit *e)
{
	if (e->event.type == EVENT_NMI || e->event.vector == 18) {
		vcpu_hw_host_event(e);
		return VERDICT_YIELD;
	}
	/* Nothing else is asked for; should it come, the guest shall see what it did. */
	vcpu_queue_exception(v, e->event.vector, e->event.has_error, e->event.error);
	return VERDICT_RESUME;
}
