/* The steps of a VM's life, one function and one file each. A step that is not legal in the VM's state, or that fails,
 * says why in words and changes nothing. Context: the boot CPU's loop or the monitor, never inside a VM's exit. The VM's
 * vCPUs may run on any CPU meanwhile. */
#pragma once

#include "vmm/core/vm.h"
#include "vmm/life/host.h"
#include "vmm/life/run_end.h"

#define LIFE_WHY 256u

/* Make a VM: memory, second-level tables, devices, vCPUs. Nothing is left behind on an error.
 * ERR_EXIST (name), ERR_FULL, ERR_NOMEM, ERR_INVAL (configuration), ERR_STATE (this machine cannot run VMs). */
MUST_CHECK int vm_create(struct vmm_host *host, const struct vm_config *config, struct vm **out, char why[LIFE_WHY]);

/* Put the images into memory and set the start state; devices to power-on. */
MUST_CHECK int vm_load(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY]);

/* Let it run. Loads it first when that is due (created, stopped, crashed). */
MUST_CHECK int vm_start(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY]);

/* The guest's time stands still from pause to resume. */
MUST_CHECK int vm_pause(struct vm *vm, char why[LIFE_WHY]);
MUST_CHECK int vm_resume(struct vm *vm, char why[LIFE_WHY]);

/* A power cycle. */
MUST_CHECK int vm_reset(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY]);

/* Press the power button; the guest's operating system does the rest. */
MUST_CHECK int vm_shutdown(struct vm *vm, char why[LIFE_WHY]);

/* Take it apart and give everything back. */
void vm_destroy(struct vmm_host *host, struct vm *vm);

/* What the boot CPU does after a vCPU has ended the VM (vm_end()): note it in the log, print the post-mortem, and restart the
 * VM when its configuration says so. Context: vCPUs frozen. */
void vm_ended(struct vmm_host *host, struct vm *vm, enum run_end end);

/* If a vCPU has ended the VM: vm_ended(). Afterwards its vCPUs run if the VM does. Context: the boot CPU. */
void vm_see_to_end(struct vmm_host *host, struct vm *vm);

/* Everything about a VM that has crashed (or not): reason, registers, the walk of RIP, code bytes, last exits. One line a call. */
void vm_postmortem(struct vm *vm, struct vcpu *v, void (*line)(void *ctx, const char *text), void *ctx);

/* The error of an illegal step, in words; always ERR_STATE. */
int life_refuse(const struct vm *vm, const char *step, char why[LIFE_WHY]);
