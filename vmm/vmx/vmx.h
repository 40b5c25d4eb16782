/* VT-x as the roof sees it: look what the machine has, start it once, then on every CPU. The virtual CPUs themselves are
 * used through vmm/core/vcpu_hw.h. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/page_source.h"
#include "vmm/mem/slpt.h"
#include "vmm/vmx/preflight.h"
#include "vmm/vmx/vmx_caps.h"

/* Read CPUID and the capability MSRs of this CPU. Nothing is changed; works on any x86-64 processor. */
void vmx_probe(struct vmx_probe *out);

/* Once, before any CPU: choose the controls for what `probe` found, less what the options take away, and make the pages
 * that all guests share. pages must stay valid.
 * Returns 0; ERR_NOSUP (pre-flight says what is missing); ERR_NOMEM. */
MUST_CHECK int vmx_init(const struct vmx_probe *probe, const struct vmx_options *options,
			const struct page_source *pages);

/* On each CPU: FEATURE_CONTROL, CR0 and CR4, VMXON. The CPU's percpu must be loaded. IF = 0.
 * Returns 0; ERR_NOSUP (VT-x locked off); ERR_INVAL (this CPU can do other things than the first one); ERR_NOMEM; ERR_FAULT
 * (VMXON failed). On an error the CPU is out of VMX operation. */
MUST_CHECK int vmx_cpu_init(void);

/* From the NMI handler: an NMI that came between the last look at the attention word and the entry makes the entry turn back. */
struct trap_frame;
void vmx_nmi_window(struct trap_frame *frame);

/* Leave VMX operation on this CPU; no vCPU may be loaded here. Harmless when it never began. */
void vmx_cpu_exit(void);

/* For the self-test of the audit that builds with DEBUG=1 make at each entry and exit: break a register from the next one on.
 * what: "pat", "dr7", "cr4" after an exit, "lstar" before an entry. False: none of them. */
bool audit_spoil(const char *what);

/* The second-level tables that this processor walks. After vmx_init(). */
MUST_CHECK int vmx_slpt_format(struct slpt_format *out);
