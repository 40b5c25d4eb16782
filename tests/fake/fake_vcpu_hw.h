/* The seam vmm/core/vcpu_hw.h in plain memory, for the tests of whatever stands above it. A test looks into struct
 * vcpu_hw to see what was asked of the processor, sets what the guest "has", and feeds the exits that vcpu_hw_run()
 * shall return. */
#pragma once

#include "vmm/core/vcpu_hw.h"

#define FAKE_SEGMENTS 10u
#define FAKE_MAX_EXITS 64u

#define FAKE_INSN_BYTES 2u /* every instruction that leaves is as long as CPUID */

struct vcpu_hw {
	uint64_t regs[VCPU_REG_COUNT]; /* RSP too */
	struct segment segs[FAKE_SEGMENTS];
	uint64_t pdptes[4];
	bool loaded;
	bool shadow;      /* in the shadow of STI or MOV SS */
	bool nmi_blocked; /* an NMI was delivered and IRET has not come */
	void *apic_page;
	bool x2apic;
	uint8_t apic_requested, apic_in_service;
	uint64_t apic_eoi_exits[4];
	unsigned tpr_threshold;
	bool irq_window, nmi_window;
	bool single_step_pending;
	int64_t tsc_offset;
	bool passes_timer;
	unsigned loads, unloads, enters, skips, resets, inits;
	/* What the next calls of vcpu_hw_run() return, in order; it is our bug when there are no more. */
	struct vm_exit exits[FAKE_MAX_EXITS];
	int exit_results[FAKE_MAX_EXITS];
	unsigned exit_count, exit_next;
	void (*on_enter)(struct vcpu *v); /* may be NULL: called inside vcpu_hw_run(), as the guest */
	struct event last_inject;         /* what the last vcpu_hw_run() injected */
	uint64_t last_deadline;
};

/* What the fake processor can do; a test may change it. */
struct fake_machine {
	bool has_timer;
	enum vcpu_apic_help apic_help;
	uint64_t apic_access_page;
	uint64_t cr0_allowed, cr4_allowed, xcr0_allowed;
	/* NULL: all leaves are zero. */
	void (*cpuid)(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);
	bool out_of_memory;   /* vcpu_hw_create() fails */
	unsigned host_events; /* calls of vcpu_hw_host_event() */
	bool timer_can_pass;
	uint64_t timer_deadline; /* IA32_TSC_DEADLINE of the CPU */
	bool timer_came;
	bool timer_pending;            /* comes in the next window, or with an exit for an external interrupt */
	void (*on_timer_access)(void); /* may be NULL: called before each read and write of that MSR, and each window */
};

extern struct fake_machine fake_machine;

/* Append an exit for vcpu_hw_run() to return with `result` (0 or ERR_FAULT). */
void fake_vcpu_add_exit(struct vcpu *v, const struct vm_exit *e, int result);
