/* The registers of a virtual CPU after power-on, RESET or INIT, written through the seam: the same for every backend.
 * Follows SDM 3 "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT" (10.1.1, table 10-1). */
#pragma once

#include "vmm/core/vcpu.h"

void vcpu_reset_registers(struct vcpu *v, bool init);
