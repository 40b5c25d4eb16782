/* Memory that is not RAM: the instruction that touched it is decoded and carried out against the devices. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/core/verdict.h"

/* Carry out the instruction at e->rip, whose access to gpa (linear address gva) was not RAM's.
 * Returns RESUME with RIP moved where it was done, or with a fault queued; CRASH with the reason and the bytes. */
enum verdict mmio_emulate(struct vcpu *v, const struct vm_exit *e);
