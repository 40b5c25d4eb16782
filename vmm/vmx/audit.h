/* What a VM exit has to leave in the processor. Debug builds look after every exit, so that a wrong host field, a control that
 * is missing or a register that somebody forgot shows at once, and by name. This is the pure part: what is looked at, what
 * is right, and the first thing that is wrong; cpu_audit.c reads the registers.
 * Follows SDM 3 "Loading Host State" and "Loading Host Segment and Descriptor-Table Registers". */
#pragma once

#include "kernel/lib/compiler.h"

enum audit_item {
	/* The host's: as before VMXON, or as the manual says. */
	AUDIT_CR0,
	AUDIT_CR3,
	AUDIT_CR4,
	AUDIT_CR8,
	AUDIT_DR7,
	AUDIT_RFLAGS,
	AUDIT_EFER,
	AUDIT_PAT,
	AUDIT_XSS,
	AUDIT_DEBUGCTL,
	AUDIT_PERF_GLOBAL_CTRL,
	AUDIT_SYSENTER_CS,
	AUDIT_SYSENTER_ESP,
	AUDIT_SYSENTER_EIP,
	AUDIT_FS_BASE,
	AUDIT_GS_BASE,
	AUDIT_CS,
	AUDIT_SS,
	AUDIT_DS,
	AUDIT_ES,
	AUDIT_FS,
	AUDIT_GS,
	AUDIT_TR,
	AUDIT_LDTR,
	AUDIT_GDTR_BASE,
	AUDIT_GDTR_LIMIT,
	AUDIT_IDTR_BASE,
	AUDIT_IDTR_LIMIT,
	/* The guest's, which stay in the processor until another vCPU takes the CPU (vcpu_live.c). */
	AUDIT_XCR0,
	AUDIT_CR2,
	AUDIT_DR0,
	AUDIT_DR1,
	AUDIT_DR2,
	AUDIT_DR3,
	AUDIT_DR6,
	AUDIT_STAR,
	AUDIT_LSTAR,
	AUDIT_CSTAR,
	AUDIT_FMASK,
	AUDIT_KERNEL_GS_BASE,
	AUDIT_TSC_AUX,
	AUDIT_COUNT
};

#define AUDIT_HOST_FIRST AUDIT_CR0
#define AUDIT_LIVE_FIRST AUDIT_XCR0

struct audit_state {
	uint64_t value[AUDIT_COUNT];
	uint64_t has; /* bit n: this CPU has item n */
};

/* The item's name as the manual has it. */
const char *audit_name(enum audit_item item);

/* What the host's items are after an exit, when they were `before`. */
void audit_expect(const struct audit_state *before, struct audit_state *expected);

/* The first item of [first, end) that CPUs have and that differs; AUDIT_COUNT: all are alike. */
enum audit_item audit_compare(const struct audit_state *expected, const struct audit_state *found,
			      enum audit_item first, enum audit_item end);
