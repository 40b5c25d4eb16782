/* Inside vmm/vmx/ only: which MSRs leave the guest. One page for each kind of vCPU, shared by all VMs. */
#pragma once

#include "vmm/core/vcpu_hw.h"

/* x2APIC: the processor virtualises the x2APIC's MSRs, as vCPUs in that mode have it. */
enum msr_bitmap { MSR_BITMAP_PLAIN, MSR_BITMAP_X2APIC, MSR_BITMAP_KINDS };

/* Fill one page after the policy (vmm/core/msr_policy.h) and what the processor does for the APIC. */
void msr_bitmap_fill(void *page, enum msr_bitmap kind, enum vcpu_apic_help help);
