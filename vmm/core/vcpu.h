/* A virtual CPU: what the loop, the handlers and the backend share. Registers that the processor keeps live across exits
 * (FPU, syscall MSRs, CR2, debug registers) are not here: the backend moves them when another vCPU takes the CPU. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/assert.h"
#include "vmm/bus/vclock.h"
#include "vmm/core/exit_ring.h"
#include "vmm/core/mmio_site.h"
#include "vmm/core/verdict.h"
#include "vmm/core/vm_exit.h"

struct vm;
struct cpuid_policy;
struct vlapic;
struct vcpu_hw;
struct vcpu_seat;
struct irq_source;

/* Hardware numbers of the general registers, as instructions encode them. */
enum gpr {
	GPR_RAX,
	GPR_RCX,
	GPR_RDX,
	GPR_RBX,
	GPR_RSP,
	GPR_RBP,
	GPR_RSI,
	GPR_RDI,
	GPR_R8,
	GPR_R9,
	GPR_R10,
	GPR_R11,
	GPR_R12,
	GPR_R13,
	GPR_R14,
	GPR_R15,
	GPR_COUNT
};

enum vcpu_state {
	VCPU_RUNNABLE,
	VCPU_HALTED,   /* HLT: wakes on an interrupt, NMI, INIT */
	VCPU_WAIT_SIPI /* parked after INIT */
};

/* Bits of vcpu->requests: set by anybody, looked at after every exit. One word, so that an exit with nothing to do costs
 * one test. Bit 0 is left to the CPU's attention word, which is tested with it. The CPU that runs the vCPU uses
 * vcpu_request(); everybody else vcpu_notify() (vmm/life/runner.h), which also wakes it or calls it out of its guest. */
enum vcpu_request {
	VCPU_REQ_EVENT = 1u << 1, /* an interrupt or NMI may have become deliverable: ask again; enter.asm knows it */
	VCPU_REQ_PAUSE = 1u << 2, /* leave the loop */
	VCPU_REQ_INIT = 1u << 3,
	VCPU_REQ_SIPI = 1u << 4,
	VCPU_REQ_CLOCK = 1u << 5, /* an alarm of the VM's devices is due: see to it */
	VCPU_REQ_TIMER = 1u << 6, /* the next alarm is another one: reckon anew how long the guest may run */
	/* The backend's own: an event to inject, tables that have changed, the timer, or registers to load. The bit only
	 * ends its inner loop; what there is to do stands elsewhere, so none is lost with it. */
	VCPU_REQ_ENTRY = 1u << 7
};

/* The guest's TSC deadline while the guest has the processor's IA32_TSC_DEADLINE: vmm/exit/timer_pass.h. */
struct timer_pass {
	bool possible; /* on this machine */
	bool on;
	bool live;         /* it is in the processor's MSR now */
	uint8_t vector;    /* what the timer raises */
	uint64_t deadline; /* on and not live: what the MSR is to hold; 0: not armed */
};

struct vcpu {
	/* Before the registers what is asked for most: an offset below 128 makes a short instruction. */
	struct vcpu_hw *hw;     /* the backend's part */
	struct vcpu_seat *seat; /* the scheduler's part: vmm/life/runner.h */
	struct vm *vm;
	const struct cpuid_policy *cpuid; /* the VM's */
	unsigned index;                   /* 0 .. vm->vcpu_count - 1 */
	uint32_t requests;                /* enum vcpu_request; atomic */
	enum vcpu_state state;
	struct event inject;       /* goes in at the next entry: a fault for the guest, or one that an exit cut off */
	struct vm_exit exit;       /* the one that is being handled, or the last one */
	uint64_t gpr[GPR_COUNT];   /* enter.asm knows where; the RSP slot is used only through vcpu_gpr() */
	struct {                   /* the backend's, at hand for its inner loop */
		uint64_t deadline; /* see vcpu_hw_run() */
		uint64_t look_at;  /* host TSC: an exit from then on ends the inner loop */
		/* The guest's timer, when it fires so near to the deadline, asks for another one. */
		uint64_t renew_ticks;
		uint64_t step_watch;  /* bits of RFLAGS that make stepping over an instruction more than moving RIP */
		enum verdict verdict; /* of the last exit, when it was another one than RESUME or SKIP */
	} loop;
	uint32_t no_value; /* always 0: the value of exits that have none */
	bool nmi_pending;
	uint8_t sipi_vector;
	uint8_t next_site; /* mmio_site.c: where the next one that makes room goes */
	struct vlapic *lapic;
	const struct irq_source *irqs; /* where its interrupts come from: vmm/core/inject.h */
	struct timer_pass pass;
	struct vclock clock; /* alarms of the local APIC, in the VM's time; used only by the CPU that runs this vCPU */
	int64_t tsc_offset;  /* guest TSC = host TSC + offset: see vcpu_tsc_changed() */
	uint64_t tsc_adjust; /* IA32_TSC_ADJUST */
	uint64_t exit_counts[EXIT_REASON_COUNT];
	uint64_t unknown_exits;
	uint64_t pic_interrupts;                 /* given by the 8259 pair; the local APIC counts its own */
	uint64_t guest_ticks;                    /* host TSC ticks spent in the guest, exits included */
	uint64_t msr_misc_enable, msr_spec_ctrl; /* emulated MSR values of this vCPU */
	uint64_t msr_mtrr_def_type, msr_mtrr_fixed[11], msr_mtrr_var[16], msr_mcg_status;
	/* Of these two not all is zeroed when the vCPU is made: sites that are free and entries in which nothing has been recorded
	 * say nothing. */
	struct mmio_site sites[MMIO_SITES];
	struct exit_ring ring;
};

static_assert(offsetof(struct vcpu, gpr) == 136, "VCPU_GPR in enter.asm");

/* Exits ever, of any kind. Any CPU may ask. */
uint64_t vcpu_exits(const struct vcpu *v);

/* The guest's memory is not what it was: the VM begins anew, or a control register changed how it is looked at. */
static inline void vcpu_forget_sites(struct vcpu *v)
{
	for (unsigned i = 0; i < MMIO_SITES; i++)
		v->sites[i].code = NULL;
}

static inline void vcpu_request(struct vcpu *v, uint32_t bits)
{
	__atomic_or_fetch(&v->requests, bits, __ATOMIC_RELEASE);
}

/* A handler has written this general register. The last four stay in the processor while an exit is handled: the backend
 * has to load them anew. */
static inline void vcpu_gpr_written(struct vcpu *v, unsigned gpr)
{
	if (unlikely(gpr >= GPR_R12))
		vcpu_request(v, VCPU_REQ_ENTRY);
}

/* Queue a fault or trap for the guest at the next entry, by the rules of SDM 3 "Conditions for Generating a Double Fault"
 * when one is queued already. has_error says whether the vector pushes an error code. */
void vcpu_queue_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);

static inline void vcpu_queue_gp(struct vcpu *v)
{
	vcpu_queue_exception(v, 13, true, 0);
}

static inline void vcpu_queue_ud(struct vcpu *v)
{
	vcpu_queue_exception(v, 6, false, 0);
}
