/* From an exit's reason to the handler. One table, indexed by the basic exit reason. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/core/verdict.h"

/* Handle one exit: count it, call its handler. A reason without a row stops the VM; nothing is skipped.
 * Context: v loaded on this CPU, IF = 0. */
enum verdict exit_dispatch(struct vcpu *v, const struct vm_exit *e);
