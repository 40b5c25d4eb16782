/* A raw exit becomes a struct vm_exit: inside vmm/vmx/ only. The short way is inline, in the loop that enters and leaves. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"

/* What there is to read beside the reason and RIP. */
enum exit_needs {
	NEEDS_DETAILS, /* see exit_read_details(); also what is not in the table */
	NEEDS_IO,
	NEEDS_EPT,
	NEEDS_NOTHING,
	NEEDS_LENGTH,
	NEEDS_LENGTH_EAX, /* the value that matters is in EAX */
	NEEDS_LENGTH_ECX
};

extern const uint8_t exit_needs[EXIT_REASON_COUNT];

/* e: tsc, reason and rip are set, vectoring is invalid; all else is filled, and the ring written. An event whose delivery
 * the exit cut off is queued again. */
void exit_read_details(struct vcpu *v, struct vm_exit *e);
void exit_read_port(struct vcpu *v, struct vm_exit *e);
void exit_read_memory(struct vcpu *v, struct vm_exit *e);

/* Fill *e (but for e->tsc, which is set) and write the ring. reason: EXIT_REASON as read.
 * Source: SDM 3 "VM-Exit Information Fields". */
static inline void exit_read(struct vcpu *v, struct vm_exit *e, uint32_t reason)
{
	uint64_t rip = vmread(VMCS_GUEST_RIP), value = 0;
	uint32_t insn_len = 0;
	enum exit_needs kind;

	reason &= EXIT_REASON_BASIC;
	kind = reason < EXIT_REASON_COUNT ? (enum exit_needs)exit_needs[reason] : NEEDS_DETAILS;
	e->reason = reason;
	e->rip = rip;
	e->vectoring.valid = false;
	if (kind <= NEEDS_EPT) {
		if (kind == NEEDS_IO)
			exit_read_port(v, e);
		else if (kind == NEEDS_EPT)
			exit_read_memory(v, e);
		else
			exit_read_details(v, e);
		return;
	}
	if (kind >= NEEDS_LENGTH)
		insn_len = vmread32(VMCS_EXIT_INSN_LEN);
	if (kind >= NEEDS_LENGTH_EAX)
		value = (uint32_t)v->gpr[kind == NEEDS_LENGTH_EAX ? GPR_RAX : GPR_RCX];
	e->insn_len = insn_len;
	e->qualification = 0;
	e->value = value;
	exit_ring_put(&v->ring, e->tsc, rip, reason, 0, value);
}
