/* A vCPU's time stamp counter: the VM's clock, plus what the host's showed when the VM started, plus IA32_TSC_ADJUST. So it is the
 * host's, until the VM was paused, or the guest wrote to it. */
#pragma once

#include "vmm/core/vcpu.h"

/* The clock's offset or TSC_ADJUST has changed: the processor's TSC offset and the APIC's deadline follow. */
void vcpu_tsc_changed(struct vcpu *v);

/* The guest writes its TSC: by SDM 3 "IA32_TSC_ADJUST MSR" the same as moving TSC_ADJUST by the difference. */
void vcpu_tsc_write(struct vcpu *v, uint64_t tsc);

/* What RDTSC gives the guest now. */
uint64_t vcpu_tsc_read(const struct vcpu *v);
