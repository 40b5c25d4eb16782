/* The seam between the virtual machine and the processor's virtualisation: about two dozen functions. vmm/vmx/ implements
 * them for VT-x, tests/fake/ for the host tests; the linker chooses. Nothing above this line knows a VMCS field.
 *
 * A vCPU is used by one CPU at a time: vcpu_hw_load() takes it (and whatever registers stay live in the processor),
 * vcpu_hw_unload() puts everything back into memory so that another CPU may take it. Functions that read or write guest
 * state work on a loaded vCPU of this CPU, and load it themselves for the call when it is not. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/core/vcpu.h"
#include "vmm/core/verdict.h"

/* A segment register with its hidden part. */
struct segment {
	uint16_t selector;
	uint16_t
		access; /* type 3:0, S 4, DPL 6:5, P 7, AVL 12, L 13, D/B 14, G 15; bit 16 of the VMCS form is `unusable` */
	bool unusable;
	uint32_t limit;
	uint64_t base;
};

/* Bits of access. */
#define SEGMENT_LONG BIT32(13)
#define SEGMENT_BIG BIT32(14)

/* Whole values of it. */
#define SEGMENT_CODE64 0xa09b
#define SEGMENT_CODE32 0xc09b
#define SEGMENT_DATA32 0xc093
#define SEGMENT_CODE16 0x009b
#define SEGMENT_DATA16 0x0093
#define SEGMENT_TSS32_BUSY 0x008b
#define SEGMENT_LDT 0x0082

enum vcpu_reg {
	VCPU_RIP,
	VCPU_RSP,
	VCPU_RFLAGS,
	VCPU_CR0, /* as the guest sees it */
	VCPU_CR2,
	VCPU_CR3,
	VCPU_CR4, /* as the guest sees it */
	VCPU_EFER,
	VCPU_PAT,
	VCPU_DR0,
	VCPU_DR1,
	VCPU_DR2,
	VCPU_DR3,
	VCPU_DR6,
	VCPU_DR7,
	VCPU_XCR0,
	VCPU_SYSENTER_CS,
	VCPU_SYSENTER_ESP,
	VCPU_SYSENTER_EIP,
	VCPU_STAR,
	VCPU_LSTAR,
	VCPU_CSTAR,
	VCPU_FMASK,
	VCPU_KERNEL_GS_BASE,
	VCPU_TSC_AUX,
	VCPU_DEBUGCTL,
	VCPU_REG_COUNT
};

/* Make the backend's part of v (VMCS, register areas). Its registers are undefined until vcpu_hw_reset(). Returns 0 or
 * ERR_NOMEM (nothing is left behind). */
MUST_CHECK int vcpu_hw_create(struct vcpu *v);
void vcpu_hw_destroy(struct vcpu *v);

/* The state after INIT or power-on (SDM 3 "Processor State After Reset"): real mode at F000:FFF0. General registers in v
 * too. init: keep what INIT keeps (FPU, MSRs, TSC). */
void vcpu_hw_reset(struct vcpu *v, bool init);

/* Many accesses in a row to one vCPU, which may be loaded or not: what they have in common is done once. */
struct vcpu_access {
	struct vcpu_hw *opened, *before;
};
struct vcpu_access vcpu_hw_access_begin(struct vcpu *v);
void vcpu_hw_access_end(const struct vcpu_access *a);

void vcpu_hw_load(struct vcpu *v);
void vcpu_hw_unload(struct vcpu *v);

/* The CPU that has v loaded, and has to unload it before another one may load it; -1: none has. */
int vcpu_hw_holder(const struct vcpu *v);

/* Run the guest: inject v->inject (and clear it), enter, read the exit into v->exit and into the ring, handle it by
 * exit_dispatch() and step over the instruction when that says so. Over and over, as long as the verdict is SKIP or RESUME,
 * nothing is asked of v (v->requests) and the deadline has not come. An event whose delivery an exit cut off is queued again
 * before its handler runs.
 * deadline: host TSC at which the guest shall be left at the latest, by the preemption timer where the processor has it.
 * Returns 0: the last exit is in v->exit and *verdict says what is left to do: RESUME nothing, any other one all of it;
 * ERR_AGAIN when it was not entered (again), since the CPU's attention word is set: there is nothing to do but to look at
 * that; ERR_FAULT when the processor refused the entry: v->exit.reason is then EXIT_BAD_GUEST_STATE, EXIT_BAD_MSR_LOAD or
 * EXIT_REASON_COUNT (VMLAUNCH failed; its qualification is the VM-instruction error). v->exit.tsc is always that of the
 * last exit, of turning back, or of the refusal.
 * Context: IF = 0, v loaded on this CPU, no locks. Returns with IF = 0. */
int vcpu_hw_run(struct vcpu *v, uint64_t deadline, enum verdict *verdict);

/* True when a deadline is kept by the processor itself, false when the caller must have an interrupt coming. */
bool vcpu_hw_has_timer(void);

/* After EXIT_EXTERNAL_INTERRUPT or a host NMI: let the host's own handler see the event that the exit took. */
void vcpu_hw_host_event(const struct vm_exit *e);

/* Why the processor refused an entry, in words, one line at a time: the error or reason, then each broken rule that our own
 * checker finds, with field, value and rule. */
void vcpu_hw_explain_failure(struct vcpu *v, const struct vm_exit *e, void (*line)(void *ctx, const char *text),
			     void *ctx);

/* What a recorded exit means, in words: "read of port 0x3fd, 1 byte". */
int vcpu_hw_describe(char *out, size_t size, uint32_t reason, uint64_t qualification, uint64_t value);

uint64_t vcpu_hw_get(struct vcpu *v, enum vcpu_reg reg);
void vcpu_hw_set(struct vcpu *v, enum vcpu_reg reg, uint64_t value);
void vcpu_hw_get_segment(struct vcpu *v, enum vcpu_seg seg, struct segment *out);
void vcpu_hw_set_segment(struct vcpu *v, enum vcpu_seg seg, const struct segment *in);

/* The base alone. Only while an exit of v is handled. */
uint64_t vcpu_hw_segment_base(struct vcpu *v, enum vcpu_seg seg);

/* What decides how the processor fetches and reads the code at RIP, by as few registers as tell. Two equal views mean: the
 * same tables walked in the same way, the same linear address for an RIP, the same defaults for decoding. `how` is made of
 * CS.L and CS.D, long mode, or else CR0.PG, CR4.PSE, CR4.PAE. Not in it is CR4.LA57, which a guest cannot change by itself.
 * Only while an exit of v is handled. */
void vcpu_hw_code_view(struct vcpu *v, struct code_view *out);
bool vcpu_hw_is_code_view(struct vcpu *v, const struct code_view *view);

/* The four page-directory-pointer entries that PAE paging holds in the processor: needed when a handler, not the guest's
 * own MOV, has switched PAE paging on. */
void vcpu_hw_set_pdptes(struct vcpu *v, const uint64_t pdptes[4]);

/* General register by hardware number, RSP included. */
uint64_t vcpu_gpr(struct vcpu *v, unsigned gpr);
void vcpu_set_gpr(struct vcpu *v, unsigned gpr, uint64_t value);

/* Step over an instruction that caused an exit: RIP, RF off, STI and MOV SS shadow off; a pending single-step trap is made
 * pending for the guest. rip, insn_len: of the instruction. */
void vcpu_hw_step_over(struct vcpu *v, uint64_t rip, uint32_t insn_len);

/* The same for the instruction that caused v->exit, whose length the processor knows. */
void vcpu_hw_skip(struct vcpu *v);

/* The same for an HLT with which v goes to sleep. No interrupt waits for the end of the shadows, and before one that comes goes
 * in they are looked at. */
void vcpu_hw_skip_to_sleep(struct vcpu *v);

/* Can the guest take it now (IF, shadows, blocking by NMI, nothing queued)? */
bool vcpu_hw_irq_allowed(struct vcpu *v);
bool vcpu_hw_nmi_allowed(struct vcpu *v);

/* Ask for an exit as soon as the guest can take an interrupt (an NMI), or stop asking. */
void vcpu_hw_irq_window(struct vcpu *v, bool on);
void vcpu_hw_nmi_window(struct vcpu *v, bool on);

/* Guest TSC = host TSC + offset, from now on. */
void vcpu_hw_set_tsc_offset(struct vcpu *v, int64_t offset);

/* Can guests be given IA32_TSC_DEADLINE? The hypervisor must need it for nothing while it is in a guest. */
bool vcpu_hw_timer_can_pass(void);

/* Do reads and writes of IA32_TSC_DEADLINE reach this CPU's MSR (true), or leave the guest (false, as at first)? */
void vcpu_hw_timer_pass(struct vcpu *v, bool on);

/* This CPU's IA32_TSC_DEADLINE; 0: not armed. */
uint64_t vcpu_hw_timer_get(void);
void vcpu_hw_timer_set(uint64_t deadline);

/* Has its interrupt come since the last call, be it by an exit, in a sleep, or in a window? */
bool vcpu_hw_timer_came(void);

/* A window: whatever interrupt is pending has its handler. And the same until that of a timer that has fired has had it.
 * Context: no locks. */
void vcpu_hw_let_interrupts_in(void);
void vcpu_hw_timer_settle(void);

/* --- the local APIC, as far as the processor takes part. SDM 3 "APIC Virtualization and Virtual Interrupts" --- */

enum vcpu_apic_help {
	VCPU_APIC_NONE,
	VCPU_APIC_TPR, /* CR8 and the TPR; an exit when the guest lowers it below a threshold */
	VCPU_APIC_ALL  /* registers, interrupts from IRR through ISR to EOI, and IPIs to oneself */
};

/* What this processor does, the same for all vCPUs. */
enum vcpu_apic_help vcpu_hw_apic_help(void);

/* The page of memory that stands for the APIC's page in the second-level tables, for the processor to recognise accesses by;
 * the same for all guests, nobody ever reads or writes it. 0: the processor does not do this. */
uint64_t vcpu_hw_apic_access_page(void);

/* The APIC's registers, 4 KiB, aligned. Before the first entry; the page outlives the vCPU. */
void vcpu_hw_apic_attach(struct vcpu *v, void *page);

/* The APIC's mode is x2APIC or not; the interrupts of the page, its EOI exits and its threshold are to be told anew. */
void vcpu_hw_apic_mode(struct vcpu *v, bool x2apic);

/* VCPU_APIC_ALL: the highest vectors in IRR and ISR, 0 for none. Call it before an entry when either has been changed. */
void vcpu_hw_apic_vectors(struct vcpu *v, uint8_t requested, uint8_t in_service);

/* VCPU_APIC_ALL: one more vector is in IRR. As vcpu_hw_apic_vectors(), when that was right before. */
void vcpu_hw_apic_request(struct vcpu *v, uint8_t vector);

/* VCPU_APIC_ALL: bit n of vectors is 1 when the EOI of vector 64 * quarter + n shall be an exit. */
void vcpu_hw_apic_eoi_exits(struct vcpu *v, unsigned quarter, uint64_t vectors);

/* VCPU_APIC_TPR: leave the guest when TPR's class falls below this one; at most the class that TPR has now. */
void vcpu_hw_apic_threshold(struct vcpu *v, unsigned class);

/* CPUID as the processor gives it, for the policy. */
void vcpu_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* CR0 and CR4 as the guest may write them: bits that the processor allows to be set in a guest. */
uint64_t vcpu_hw_cr0_allowed(void);
uint64_t vcpu_hw_cr4_allowed(void);

/* Bits of XCR0 that a guest may set; 0 when there is no XSAVE for guests. */
uint64_t vcpu_hw_xcr0_allowed(void);
