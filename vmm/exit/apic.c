/* Exits about the local APIC: accesses that the processor could not do by itself when it virtualises the APIC. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"

/* The guest's TPR fell below the threshold: an interrupt may be deliverable now. */
enum verdict exit_tpr_below_threshold(struct vcpu *v, const struct vm_exit *e)
{
	(void)e;
	vcpu_request(v, VCPU_REQ_EVENT);
	return VERDICT_RESUME;
}

/* The processor has stored the register and left the meaning to us (trap-like: RIP stands behind the instruction). */
enum verdict exit_apic_write(struct vcpu *v, const struct vm_exit *e)
{
	vlapic_written(v->lapic, e->apic.offset);
	return VERDICT_RESUME;
}

/* The guest has ended a level-triggered interrupt, and the processor has done the rest (trap-like). */
enum verdict exit_virtualized_eoi(struct vcpu *v, const struct vm_exit *e)
{
	vlapic_eoi_done(v->lapic, e->vector);
	return VERDICT_RESUME;
}
