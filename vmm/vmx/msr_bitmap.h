/* Inside vmm/vmx/ only: which MSRs leave the guest. One page for each kind of vCPU, shared by all VMs. */
#pragma once

#include "vmm/core/vcpu_hw.h"

/* Made of bits. x2APIC: the processor virtualises the x2APIC's MSRs, as vCPUs in that mode have it. Timer: the guest has the
 * processor's IA32_TSC_DEADLINE (vmm/exit/timer_pass.h). */
enum msr_bitmap { MSR_BITMAP_PLAIN = 0, MSR_BITMAP_X2APIC = 1, MSR_BITMAP_TIMER = 2, MSR_BITMAP_KINDS = 4 };

/* Fill one page after the policy (vmm/core/msr_policy.h) and what the processor does for the APIC. */
void msr_bitmap_fill(void *page, enum msr_bitmap kind, enum vcpu_apic_help help);
