/* All vCPUs of a VM off the CPUs and back: what every step of a VM's life, and every look into a vCPU, begins and ends with. */
#pragma once

#include "vmm/core/vm.h"
#include "vmm/life/run_end.h"

/* Take the VM's vCPUs away from the CPUs. Afterwards nobody runs them, their registers are in memory, nothing wakes them, and
 * this CPU may do with them what it wants. Harmless when that is so already. The VM's clock goes on.
 * Context: the boot CPU, outside of a vCPU's loop; no locks. Waits for other CPUs to leave their guests: microseconds. */
void vm_freeze(struct vm *vm);

/* Give them back to the scheduler; those that have something to do run. Context: as above. */
void vm_thaw(struct vm *vm);

/* A vCPU has ended the run of its VM: no vCPU of it is entered again, and the boot CPU is told to see to the rest. The first
 * to say so is heard. Context: any CPU, outside of the vCPU's loop. */
void vm_end(struct vm *vm, enum run_end end);

/* The VM's clock: stops its alarms, starts them. Context: the boot CPU, vCPUs frozen. */
void vm_alarms_stop(struct vm *vm);
void vm_alarms_start(struct vm *vm);

/* What is due in the VM's clock happens. Context: a CPU that runs a vCPU of it; no locks. */
void vm_clock_expire(struct vm *vm);
