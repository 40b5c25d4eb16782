/* The exit table: SDM 3 "VMX Basic Exit Reasons" (appendix C) on the left, what we do on the right. Reasons that we do not
 * enable are unhandled; should one come all the same, that is our mistake or the processor's, and the VM stops with a dump. */
#include "vmm/exit/dispatch.h"

#include "vmm/core/vm.h"
#include "vmm/exit/handlers.h"

exit_handler *const exit_handlers[EXIT_REASON_COUNT] = {
	[EXIT_EXCEPTION_NMI] = exit_exception,
	[EXIT_EXTERNAL_INTERRUPT] = exit_external_interrupt,
	[EXIT_TRIPLE_FAULT] = exit_triple_fault,
	[EXIT_INIT] = exit_init_signal,
	[EXIT_INTERRUPT_WINDOW] = exit_interrupt_window,
	[EXIT_NMI_WINDOW] = exit_nmi_window,
	[EXIT_TASK_SWITCH] = exit_task_switch,
	[EXIT_CPUID] = exit_cpuid,
	[EXIT_GETSEC] = exit_invalid_opcode,
	[EXIT_HLT] = exit_hlt,
	[EXIT_INVD] = exit_wbinvd,
	[EXIT_RDPMC] = exit_rdpmc,
	[EXIT_VMCALL] = exit_vmcall,
	[EXIT_VMCLEAR] = exit_invalid_opcode,
	[EXIT_VMLAUNCH] = exit_invalid_opcode,
	[EXIT_VMPTRLD] = exit_invalid_opcode,
	[EXIT_VMPTRST] = exit_invalid_opcode,
	[EXIT_VMREAD] = exit_invalid_opcode,
	[EXIT_VMRESUME] = exit_invalid_opcode,
	[EXIT_VMWRITE] = exit_invalid_opcode,
	[EXIT_VMXOFF] = exit_invalid_opcode,
	[EXIT_VMXON] = exit_invalid_opcode,
	[EXIT_CR_ACCESS] = exit_cr_access,
	[EXIT_IO] = exit_io,
	[EXIT_RDMSR] = exit_rdmsr,
	[EXIT_WRMSR] = exit_wrmsr,
	[EXIT_BAD_GUEST_STATE] = exit_bad_entry,
	[EXIT_BAD_MSR_LOAD] = exit_bad_entry,
	[EXIT_MACHINE_CHECK_ENTRY] = exit_bad_entry,
	[EXIT_MWAIT] = exit_invalid_opcode,
	[EXIT_MONITOR] = exit_invalid_opcode,
	[EXIT_PAUSE] = exit_pause,
	[EXIT_TPR_BELOW_THRESHOLD] = exit_tpr_below_threshold,
	[EXIT_APIC_ACCESS] = exit_apic_access,
	[EXIT_APIC_WRITE] = exit_apic_write,
	[EXIT_VIRTUALIZED_EOI] = exit_virtualized_eoi,
	[EXIT_EPT_VIOLATION] = exit_ept_violation,
	[EXIT_EPT_MISCONFIG] = exit_ept_misconfig,
	[EXIT_INVEPT] = exit_invalid_opcode,
	[EXIT_PREEMPTION_TIMER] = exit_preemption_timer,
	[EXIT_INVVPID] = exit_invalid_opcode,
	[EXIT_WBINVD] = exit_wbinvd,
	[EXIT_XSETBV] = exit_xsetbv,
	[EXIT_VMFUNC] = exit_invalid_opcode,
	[EXIT_ENCLS] = exit_invalid_opcode,
	[EXIT_PCONFIG] = exit_invalid_opcode,

	/* Not enabled, or of no processor that we know: */
	[EXIT_SIPI... EXIT_OTHER_SMI] = exit_unhandled,
	[EXIT_INVLPG] = exit_unhandled,
	[EXIT_RDTSC... EXIT_RSM] = exit_unhandled,
	[EXIT_DR_ACCESS] = exit_unhandled,
	[35] = exit_unhandled,
	[EXIT_MTF... 38] = exit_unhandled,
	[42] = exit_unhandled,
	[EXIT_GDTR_IDTR... EXIT_LDTR_TR] = exit_unhandled,
	[EXIT_RDTSCP] = exit_unhandled,
	[EXIT_RDRAND... EXIT_INVPCID] = exit_unhandled,
	[EXIT_RDSEED... EXIT_XRSTORS] = exit_unhandled,
	[EXIT_SPP... EXIT_LOADIWKEY] = exit_unhandled,
};

enum verdict exit_unhandled(struct vcpu *v, const struct vm_exit *e)
{
	vm_set_crash(v->vm, v, "exit reason %u (%s) has no handler; qualification 0x%llx", e->reason,
		     exit_reason_name(e->reason), (unsigned long long)e->qualification);
	return VERDICT_CRASH;
}
