/* From an exit's reason to the handler. One table, indexed by the basic exit reason. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/core/verdict.h"
#include "vmm/exit/handlers.h"

extern exit_handler *const exit_handlers[EXIT_REASON_COUNT];

/* Handle one exit: count it, call its handler. A reason that we do not enable stops the VM; nothing is skipped.
 * Context: v loaded on this CPU, IF = 0. exit_dispatch_known(): reason is e->reason and less than EXIT_REASON_COUNT. */
static inline enum verdict exit_dispatch_known(struct vcpu *v, const struct vm_exit *e, uint64_t reason)
{
	v->exit_counts[reason]++;
	return exit_handlers[reason](v, e);
}

static inline enum verdict exit_dispatch(struct vcpu *v, const struct vm_exit *e)
{
	if (likely(e->reason < EXIT_REASON_COUNT))
		return exit_dispatch_known(v, e, e->reason);
	v->unknown_exits++;
	return exit_unhandled(v, e);
}
