/* A VM's time: the clock its devices live in is the host's TSC plus an offset, and stands still while the VM does not run.
 * Each vCPU's TSC is that clock plus its own TSC_ADJUST. All clocks of a VM show the same time; each vCPU has one of its
 * own for the alarms of its local APIC, so that no other CPU touches them. */
#pragma once

#include "vmm/core/vm.h"

/* The VM's clock and those of its vCPUs, without alarms. changed: the earliest alarm of the VM's clock is another one. */
void vm_clock_init(struct vm *vm, uint64_t tsc_hz, void (*changed)(void *vm));

/* The clock reads `ticks` now, and goes on from there. */
void vm_clock_set(struct vm *vm, uint64_t ticks);
