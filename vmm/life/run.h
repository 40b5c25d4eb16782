/* The vCPU loop and, above it, the loop of a CPU: who runs next, until when, and what happens in between. */
#pragma once

#include "vmm/core/vm.h"
#include "vmm/life/host.h"
#include "vmm/life/run_end.h"
#include "vmm/life/runner.h"

/* Run v from now until something ends it, at the latest at slice_end (both host TSC).
 * Context: r's CPU; r->current is v; no other CPU holds registers of v. */
enum run_end vcpu_run(struct runner *r, struct vcpu *v, uint64_t now, uint64_t slice_end);

/* Run VMs for ever, on the boot CPU. step: called between slices, with interrupts handled, after each call home
 * (host->called); returns the host TSC at which it wants to be called again at the latest (UINT64_MAX: only after a call). */
_Noreturn void host_loop(struct vmm_host *host, uint64_t (*step)(void *ctx), void *ctx);

/* One turn of host_loop(). Returns whether a call home has come: the step is due. */
bool host_turn(struct vmm_host *host, uint64_t step_deadline);

/* Run VMs for ever, on any other CPU. */
_Noreturn void runner_loop(struct runner *r);
