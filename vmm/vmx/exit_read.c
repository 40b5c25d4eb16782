/* A raw exit becomes a struct vm_exit. VMREADs are made only for what the reason needs: each may be an exit of its own when
 * we run under another hypervisor. Privileged. Follows SDM 3 "VM Exits" and "VM-Exit Information Fields". */
#include "arch/x86/insn.h"
#include "arch/x86/regs.h"
#include "vmm/core/inject.h"
#include "vmm/vmx/exit_decode.h"
#include "vmm/vmx/exit_read.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"

#define DR7_GD BIT64(13)
#define DR6_RTM BIT64(16)

COLD static void set_nmi_blocking(bool on)
{
	uint32_t blocking = vmread32(VMCS_GUEST_INTERRUPTIBILITY);

	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, on ? blocking | BLOCKING_NMI : blocking & ~BLOCKING_NMI);
}

/* An exit may have cut off the delivery of an event, which has to be delivered again. For an NMI, the entry that does so
 * wants blocking by NMI off (it sets it again). */
COLD static void read_vectoring(struct vm_exit *e)
{
	uint32_t info = vmread32(VMCS_VECTORING_INFO);

	if (likely(!(info & INTR_VALID)))
		return;
	vmx_decode_event(info, info & INTR_ERROR_CODE ? vmread32(VMCS_VECTORING_ERROR) : 0,
			 vmread32(VMCS_EXIT_INSN_LEN), &e->vectoring);
	if (e->vectoring.type == EVENT_NMI)
		set_nmi_blocking(false);
}

/* #DB left the guest before its delivery: DR6 and DR7.GD have not been changed yet (SDM 3 "Debug Exceptions"), so that is
 * done here, and the event can be injected as it is. A guest that single-steps in the shadow of STI or MOV SS is in a
 * state that an entry refuses unless a pending single step says the same (SDM 3 "Checks on Guest Non-Register State"). */
static void read_debug_exception(struct vm_exit *e)
{
	uint64_t dr6 = read_dr6() & ~QUAL_DEBUG_BREAKPOINTS;
	uint64_t dr7 = vmread(VMCS_GUEST_DR7);
	bool shadowed_step;

	e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	e->value = e->event.vector;
	if (e->event.type == EVENT_EXCEPTION) {
		dr6 |= DR6_RTM | (e->qualification & (QUAL_DEBUG_BREAKPOINTS | QUAL_DEBUG_BD | QUAL_DEBUG_BS));
		if (e->qualification & QUAL_DEBUG_RTM)
			dr6 &= ~DR6_RTM; /* in DR6 the bit is inverted */
		write_dr6(dr6);
		this_vmx_cpu()->live_takes++; /* the audit knows the value from before */
		if (dr7 & DR7_GD)
			vmwrite(VMCS_GUEST_DR7, dr7 & ~DR7_GD);
	}
	shadowed_step =
		(vmread(VMCS_GUEST_RFLAGS) & RFLAGS_TF) && (vmread32(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_SHADOWS);
	/* Otherwise nothing is pending any more; the exit should have said so, but not every implementation does. */
	vmwrite(VMCS_GUEST_PENDING_DEBUG, shadowed_step ? PENDING_DEBUG_BS : 0);
}

COLD static void read_exception(struct vm_exit *e)
{
	uint32_t info = vmread32(VMCS_EXIT_INTR_INFO);

	vmx_decode_event(info, info & INTR_ERROR_CODE ? vmread32(VMCS_EXIT_INTR_ERROR) : 0,
			 vmread32(VMCS_EXIT_INSN_LEN), &e->event);
	e->value = e->event.vector;
	read_vectoring(e);
	if (e->event.vector == VECTOR_DB && e->event.type != EVENT_NMI)
		read_debug_exception(e);
}

static void read_io(struct vm_exit *e)
{
	e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	vmx_decode_io(e->qualification, e);
	e->value = e->io.port;
	if (e->io.access & EXIT_IO_STRING)
		vmx_decode_io_string(vmread32(VMCS_EXIT_INSN_INFO), vmread(VMCS_GUEST_LINEAR_ADDR), e);
}

/* When the IRET of an NMI handler faults here, it has ended blocking by NMI already and will do so again when it runs again:
 * until then blocking has to be on (SDM 3 "Exit Qualification for EPT Violations", bit 12). */
static void read_ept_violation(struct vm_exit *e)
{
	e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	vmx_decode_ept_violation(e->qualification, vmread(VMCS_GUEST_PHYSICAL_ADDR), e);
	e->value = e->mem.gpa;
	if (e->mem.access & EXIT_MEM_GVA)
		e->mem.gva = vmread(VMCS_GUEST_LINEAR_ADDR);
	read_vectoring(e);
	if ((e->qualification & QUAL_EPT_NMI_UNBLOCKING) && !e->vectoring.valid)
		set_nmi_blocking(true);
}

static void read_ept_misconfig(struct vm_exit *e)
{
	vmx_decode_ept_violation(0, vmread(VMCS_GUEST_PHYSICAL_ADDR), e);
	e->value = e->mem.gpa;
	read_vectoring(e);
}

static void read_apic(struct vm_exit *e)
{
	e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	vmx_decode_apic_access(e->qualification, e);
	if (e->reason == EXIT_APIC_WRITE)
		e->apic.write = true;
	else
		read_vectoring(e);
}

/* The reasons that have more than an instruction and a register. e: reason, rip set; qualification, value 0, vectoring
 * invalid. */
static void read_details(struct vm_exit *e)
{
	switch (e->reason) {
	case EXIT_EXCEPTION_NMI:
		read_exception(e);
		break;
	case EXIT_IO:
		read_io(e);
		break;
	case EXIT_EPT_VIOLATION:
		read_ept_violation(e);
		break;
	case EXIT_CR_ACCESS:
		e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
		vmx_decode_cr(e->qualification, e);
		break;
	case EXIT_DR_ACCESS:
		e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
		vmx_decode_dr(e->qualification, e);
		break;
	case EXIT_EPT_MISCONFIG:
		read_ept_misconfig(e);
		break;
	case EXIT_APIC_ACCESS:
	case EXIT_APIC_WRITE:
		read_apic(e);
		break;
	case EXIT_VIRTUALIZED_EOI:
		e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
		e->value = e->vector = (uint8_t)e->qualification;
		break;
	case EXIT_TASK_SWITCH:
		e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
		e->value = (uint16_t)e->qualification;
		read_vectoring(e);
		break;
	default:
		e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
		break;
	}
}

#define INSN_WITH(field) (NEEDS_VALUE + offsetof(struct vcpu, field))
#define INSN INSN_WITH(no_value)
#define INSN_EAX INSN_WITH(gpr[GPR_RAX])
#define INSN_ECX INSN_WITH(gpr[GPR_RCX])

const uint16_t exit_needs[EXIT_REASON_COUNT] = {
	[EXIT_TRIPLE_FAULT] = NEEDS_NOTHING,
	[EXIT_INIT] = NEEDS_NOTHING,
	[EXIT_INTERRUPT_WINDOW] = NEEDS_NOTHING,
	[EXIT_NMI_WINDOW] = NEEDS_NOTHING,
	[EXIT_PREEMPTION_TIMER] = NEEDS_NOTHING,
	[EXIT_TPR_BELOW_THRESHOLD] = NEEDS_NOTHING,
	[EXIT_MTF] = NEEDS_NOTHING,
	[EXIT_HLT] = INSN,
	[EXIT_PAUSE] = INSN,
	[EXIT_WBINVD] = INSN,
	[EXIT_INVD] = INSN,
	[EXIT_MWAIT] = INSN,
	[EXIT_MONITOR] = INSN,
	[EXIT_CPUID] = INSN_EAX,
	[EXIT_VMCALL] = INSN_EAX,
	[EXIT_XSETBV] = INSN_EAX,
	[EXIT_RDMSR] = INSN_ECX,
	[EXIT_WRMSR] = INSN_ECX,
	[EXIT_RDPMC] = INSN_ECX,
	[EXIT_EXTERNAL_INTERRUPT] = NEEDS_IRQ,
	[EXIT_IO] = NEEDS_IO,
	[EXIT_EPT_VIOLATION] = NEEDS_EPT,
};

static void clear(struct vm_exit *e)
{
	e->qualification = 0;
	e->value = 0;
	e->vectoring.valid = false;
}

static void record(struct vcpu *v, uint64_t tsc)
{
	const struct vm_exit *e = &v->exit;

	exit_ring_put(&v->ring, tsc, e->rip, e->reason, e->qualification, e->value);
}

__attribute__((noinline)) void exit_read_details(struct vcpu *v, uint64_t tsc)
{
	struct vm_exit *e = &v->exit;

	clear(e);
	e->rip = vmread_known(VMCS_GUEST_RIP);
	read_details(e);
	if (e->vectoring.valid)
		vcpu_requeue(v, &e->vectoring);
	record(v, tsc);
}

void exit_read_other(struct vcpu *v, unsigned needs, uint64_t tsc)
{
	if (needs == NEEDS_NOTHING) {
		clear(&v->exit);
		v->exit.rip = vmread_known(VMCS_GUEST_RIP);
		record(v, tsc);
	} else {
		exit_read_details(v, tsc);
	}
}
