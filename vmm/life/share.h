/* A VM's share of the CPUs: weight, cap and pins changed while it lives, and what its vCPUs have got. */
#pragma once

#include "kernel/sched.h"
#include "vmm/life/life.h"

/* Does one of the CPUs run that the configuration allows? Else ERR_RANGE, and why. Context: any CPU. */
MUST_CHECK int vm_share_check(const struct vmm_host *host, const struct vm_config *wanted, char why[LIFE_WHY]);

/* Change weight, cap and pins to those of `wanted`, a configuration that conf_set() has made. vCPUs that run where they may
 * not any more move at once.
 * Returns 0; ERR_RANGE: none of the pins' CPUs runs, nothing changed.  Context: the boot CPU, the VM in any state. */
MUST_CHECK int vm_share_set(struct vm *vm, const struct vm_config *wanted, char why[LIFE_WHY]);

/* What a vCPU has got since it was made. Context: any CPU. */
void vcpu_share_stats(const struct vcpu *v, struct sched_stats *out);
