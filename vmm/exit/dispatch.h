/* From an exit's reason to the handler. One table, indexed by the basic exit reason. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/core/verdict.h"
#include "vmm/exit/handlers.h"

extern exit_handler *const exit_handlers[EXIT_REASON_COUNT];

/* A reason without a row: the VM stops. */
enum verdict exit_unhandled(struct vcpu *v, const struct vm_exit *e);

/* Handle one exit: count it, call its handler. A reason without a row stops the VM; nothing is skipped.
 * Context: v loaded on this CPU, IF = 0. */
static inline enum verdict exit_dispatch(struct vcpu *v, const struct vm_exit *e)
{
	const uint32_t reason = e->reason;

	if (unlikely(reason >= EXIT_REASON_COUNT || exit_handlers[reason] == NULL))
		return exit_unhandled(v, e);
	v->exit_counts[reason]++;
	return exit_handlers[reason](v, e);
}
