/* Ways to break a good VMCS, one field each, for the self-test of the entry checker. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/vmx/vmx_caps.h"

#define DOCTOR_MAX_SETUP 4u

/* New value = (old & ~clear) | set. field 0 (VPID cannot be meant: it is never changed as setup): nothing. */
struct doctor_change {
	uint32_t field;
	uint64_t clear, set;
};

struct doctor_case {
	struct doctor_change broken; /* what breaks the rule; the checker has to name this field */
	/* Controls that the case needs (activated by the setup); where the processor does not have them, it is left out. */
	enum vmx_ctl_word needs_word;
	uint32_t needs;
	struct doctor_change setup[DOCTOR_MAX_SETUP]; /* before: the VMCS stays good */
};

extern const struct doctor_case doctor_cases[];
extern const unsigned doctor_case_count;
