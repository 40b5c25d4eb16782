/* Ways to break a good VMCS, one field each, for the self-test of the entry checker. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/vmx/vmx_caps.h"

/* A case is some changes that set it up, after which the VMCS is still good, and the one that breaks the rule; the checker
 * has to name the field of that one. New value = (old & ~clear) | set. A control that a set-up switches on is one that the
 * case needs: where the processor does not have it, the case is left out. */
enum doctor_kind {
	DOCTOR_SETUP = 1,
	DOCTOR_NEEDED = 2,     /* breaks the rule, and is a control that the processor must have */
	DOCTOR_CLEAR_HIGH = 4, /* clear, set: the upper 32 bits are meant */
	DOCTOR_SET_HIGH = 8,
	DOCTOR_CLEAR_ALL = 16
};

struct doctor_change {
	uint16_t field; /* encodings have 15 bits */
	uint16_t kind;
	uint32_t clear, set;
};

extern const struct doctor_change doctor_changes[];
extern const unsigned doctor_change_count;

/* dc: the first change of a case. */
bool doctor_case_possible(const struct doctor_change *dc, const struct vmx_caps *caps);

static inline uint64_t doctor_new_value(const struct doctor_change *c, uint64_t old)
{
	uint64_t clear = c->kind & DOCTOR_CLEAR_HIGH ? (uint64_t)c->clear << 32 : c->clear;
	uint64_t set = c->kind & DOCTOR_SET_HIGH ? (uint64_t)c->set << 32 : c->set;

	return (c->kind & DOCTOR_CLEAR_ALL ? 0 : old & ~clear) | set;
}
