/* A raw exit becomes a struct vm_exit: inside vmm/vmx/ only. The short ways are inline, in vcpu_enter.c. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/vmx/exit_decode.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"

/* What there is to read beside the reason and RIP. From NEEDS_VALUE on it is an instruction that carries all it has in
 * registers, and the number says where in struct vcpu the low half of the value stands that matters: its offset, plus
 * NEEDS_VALUE. (How long it is, is read when it is stepped over.) */
enum exit_needs {
	NEEDS_DETAILS, /* see exit_read_details(); also what is not in the table */
	NEEDS_NOTHING,
	NEEDS_IRQ, /* see exit_read_irq() */
	NEEDS_EPT, /* see exit_read_memory() */
	NEEDS_IO,  /* see exit_read_port(); a string instruction needs the details */
	NEEDS_VALUE
};

extern const uint16_t exit_needs[EXIT_REASON_COUNT];

/* Fill v->exit, of which reason is set, and write the ring. An event whose delivery the exit cut off is queued again.
 * tsc: of the exit. Source: SDM 3 "VM-Exit Information Fields". */
void exit_read_details(struct vcpu *v, uint64_t tsc);

/* The same by what exit_needs[] says. */
void exit_read_other(struct vcpu *v, unsigned needs, uint64_t tsc);

/* The same for an instruction, that is from NEEDS_VALUE on: of v->exit only rip is filled in, as its operands are in the
 * guest's registers. (The reason is, when the loops outside get to see the exit.) */
static inline void exit_read_insn(struct vcpu *v, uint64_t needs, uint64_t reason, uint64_t tsc)
{
	const uint64_t rip = vmread_known(VMCS_GUEST_RIP);
	const uint32_t *value = (const uint32_t *)((const char *)v + needs - NEEDS_VALUE);

	exit_ring_put_insn(&v->ring, tsc, rip, (uint32_t)reason, *value);
	v->exit.rip = rip;
}

/* The same for IN and OUT: rip and io. qualification: of the exit. */
static inline void exit_read_port(struct vcpu *v, uint64_t qualification, uint64_t tsc)
{
	struct vm_exit *e = &v->exit;

	e->rip = vmread_known(VMCS_GUEST_RIP);
	vmx_decode_io(qualification, e);
	exit_ring_put(&v->ring, tsc, e->rip, EXIT_IO, qualification, (uint32_t)qualification >> QUAL_IO_PORT_SHIFT);
}

/* The same for an interrupt of the host's, which the exit has acknowledged: reason, rip and event. */
static inline void exit_read_irq(struct vcpu *v, uint64_t tsc)
{
	struct vm_exit *e = &v->exit;

	e->reason = EXIT_EXTERNAL_INTERRUPT;
	e->event = (struct event){.valid = true, .vector = (uint8_t)vmread_known(VMCS_EXIT_INTR_INFO)};
	e->rip = vmread_known(VMCS_GUEST_RIP);
	exit_ring_put_insn(&v->ring, tsc, e->rip, EXIT_EXTERNAL_INTERRUPT, e->event.vector);
}

/* The same for an access to memory: rip, vectoring and mem; or false when there is more about it: it has no linear address, or
 * cut off the delivery of an event, or has to do with NMIs. */
static inline bool exit_read_memory(struct vcpu *v, uint64_t tsc)
{
	const uint64_t qualification = vmread_known(VMCS_EXIT_QUALIFICATION);
	struct vm_exit *e = &v->exit;

	if (unlikely((qualification & (QUAL_EPT_GVA_VALID | QUAL_EPT_NMI_UNBLOCKING)) != QUAL_EPT_GVA_VALID ||
		     ((uint32_t)vmread_known(VMCS_VECTORING_INFO) & INTR_VALID)))
		return false;
	e->vectoring.valid = false;
	e->rip = vmread_known(VMCS_GUEST_RIP);
	vmx_decode_ept_violation(qualification, vmread_known(VMCS_GUEST_PHYSICAL_ADDR), e);
	e->mem.gva = vmread_known(VMCS_GUEST_LINEAR_ADDR);
	exit_ring_put(&v->ring, tsc, e->rip, EXIT_EPT_VIOLATION, qualification, e->mem.gpa);
	return true;
}
