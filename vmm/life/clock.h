/* A VM's time: the clock its devices live in is the host's TSC plus an offset, and stands still while the VM does not run.
 * The vCPUs' TSCs go with it (vmm/exit/tsc.h). All clocks of a VM show the same time; each vCPU has one of its
 * own for the alarms of its local APIC, so that no other CPU touches them. */
#pragma once

#include "vmm/core/vm.h"

/* The VM's clock and those of its vCPUs, without alarms. changed: the earliest alarm of the VM's clock is another one. */
void vm_clock_init(struct vm *vm, uint64_t tsc_hz, void (*changed)(void *vm));

/* The clock is at 0 now, and goes on from there; the TSCs are the host's. */
void vm_clock_start(struct vm *vm);

/* It goes on from where it stood. */
void vm_clock_resume(struct vm *vm);
