/* Exceptions and NMIs that leave the guest: the host's NMI and machine checks, which are not the guest's; #DB and #AC, which
 * are given back to it at once. Those two leave so that a guest in which delivering one raises the next leaves the processor
 * now and then, and cannot hang it (SDM 3 "Exception Bitmap"; CVE-2015-5307, CVE-2015-8104). */
#include "vmm/exit/handlers.h"

#include "vmm/core/inject.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"

#define VECTOR_MACHINE_CHECK 18

enum verdict exit_exception(struct vcpu *v, const struct vm_exit *e)
{
	if (e->event.type == EVENT_NMI || e->event.vector == VECTOR_MACHINE_CHECK) {
		vcpu_hw_host_event(e);
		return VERDICT_YIELD;
	}
	/* INT1 and INT3 are traps behind an instruction, and delivered as such; a fault joins an event that it cut off. */
	if (e->event.type != EVENT_EXCEPTION)
		vcpu_requeue(v, &e->event);
	else
		vcpu_queue_exception(v, e->event.vector, e->event.has_error, e->event.error);
	return VERDICT_RESUME;
}
