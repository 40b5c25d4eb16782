/* The handlers, for the table in dispatch.c and for host tests. Each gets the decoded exit and returns what shall happen
 * next; none moves RIP over the instruction. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/core/verdict.h"

typedef enum verdict exit_handler(struct vcpu *v, const struct vm_exit *e);

exit_handler exit_unhandled;          /* dispatch.c */
exit_handler exit_exception;          /* exception.c */
exit_handler exit_external_interrupt; /* event.c */
exit_handler exit_interrupt_window;
exit_handler exit_nmi_window;
exit_handler exit_preemption_timer;
exit_handler exit_triple_fault; /* fatal.c */
exit_handler exit_task_switch;
exit_handler exit_bad_entry;
exit_handler exit_init_signal;
exit_handler exit_cpuid; /* cpuid.c */
exit_handler exit_rdmsr; /* msr.c */
exit_handler exit_wrmsr;
exit_handler exit_io;        /* io.c */
exit_handler exit_io_string; /* io_string.c */
exit_handler exit_cr_access; /* cr.c */
exit_handler exit_xsetbv;
exit_handler exit_hlt; /* insn.c */
exit_handler exit_invalid_opcode;
exit_handler exit_rdpmc;
exit_handler exit_wbinvd;
exit_handler exit_pause;
exit_handler exit_vmcall;
exit_handler exit_ept_violation; /* mmio.c */
exit_handler exit_ept_misconfig;
exit_handler exit_tpr_below_threshold; /* apic.c */
exit_handler exit_apic_access;
exit_handler exit_apic_write;
exit_handler exit_virtualized_eoi;
