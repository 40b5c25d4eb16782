/* Inside vmm/vmx/ only: what the backend keeps for the machine, for each CPU and for each virtual CPU. */
#pragma once

#include "arch/x86/percpu.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/vmx/audit.h"
#include "vmm/vmx/msr_bitmap.h"
#include "vmm/vmx/vmx.h"
#include "vmm/vmx/vmx_caps.h"
#include "vmm/vmx/vmx_check.h"
#include "vmm/vmx/vmx_insn.h"

#define VMX_NO_CPU (-1)
/* Never a value of slpt_generation(): forces the invalidation before the next entry. */
#define VMX_GENERATION_NONE UINT64_MAX

/* What of the processor's cached translations must go before the next entry. */
#define STALE_EPT BIT32(0)
#define STALE_VPID BIT32(1)

/* One for all; set by vmx_init(), then read only. */
struct vmx_machine {
	struct vmx_probe probe;
	struct vmx_options options;
	struct vmx_caps caps;
	struct vmx_ctls ctls;
	const struct page_source *pages;
	uint8_t *io_bitmaps; /* two pages of ones: every port leaves the guest */
	uint64_t io_bitmaps_hpa;
	uint64_t msr_bitmap_hpa[MSR_BITMAP_KINDS];
	uint64_t apic_access_hpa;          /* a page of zeros that nobody uses; 0: no APIC virtualisation of any kind */
	uint64_t cr0_allowed, cr4_allowed; /* what guests may set */
	bool has_xsave, has_xsaveopt, has_tsc_aux;
	bool has_xsavec;       /* of use to guests; the first CPU may find that it is not */
	uint64_t xcr0_allowed; /* state components that are switched, so that guests may use them */
	uint32_t fpu_area_bytes;
};

extern struct vmx_machine vmx_machine;

/* For the audit (cpu_audit.c). */
struct vmx_audit {
	struct audit_state expected; /* after each exit */
	struct audit_state now;      /* as seen after the last one */
	uint64_t takes;              /* live_takes at that time; 0: there was none */
};

/* Hangs at percpu slot PERCPU_VMX. Used by its own CPU only. */
struct vmx_cpu {
	bool on;
	void *vmxon;
	struct vcpu_hw *current; /* whose VMCS the instructions work on; NULL: none */
	struct vcpu *live;       /* whose FPU, debug registers and syscall MSRs are in the processor; NULL: nobody's */
	uint64_t live_takes;     /* how often somebody's have moved in, or one was changed */
	struct vmx_audit audit;  /* only with DEBUG=1 */
};

static inline struct vmx_cpu *this_vmx_cpu(void)
{
	return this_cpu()->slot[PERCPU_VMX];
}

/* The MSRs that stay in the processor while the host runs, in the order of struct vcpu_hw.msr. */
enum live_msr { LIVE_STAR, LIVE_LSTAR, LIVE_CSTAR, LIVE_FMASK, LIVE_KERNEL_GS_BASE, LIVE_TSC_AUX, LIVE_MSR_COUNT };

/* The backend's part of a vCPU: one page, with the FPU area behind it. */
struct vcpu_hw {
	uint64_t host_rsp;                /* what the VMCS field holds; offset 0: enter.asm */
	uint8_t launched;                 /* VMRESUME instead of VMLAUNCH; offset 8: enter.asm */
	uint8_t tpr_threshold;            /* as in the VMCS */
	bool passes_x2apic, passes_timer; /* which MSR bitmap it has: see write_msr_bitmap() */
	bool nmi_free;                    /* nothing can block NMIs: see settle_nmi_blocking() */
	uint16_t vpid;
	int cpu;      /* where the VMCS is active, or VMX_NO_CPU; atomic, as any CPU asks */
	int last_cpu; /* where it ran last: elsewhere, cached translations may be stale */
	uint64_t
		slpt_generation; /* what the entry compares: at the last invalidation, or VMX_GENERATION_NONE; atomic */
	uint64_t invalidated_at; /* at the last invalidation */
	uint32_t stale;          /* STALE_*; atomic */
	uint64_t eptp;
	uint32_t proc_ctls; /* as in the VMCS: the windows come and go */
	uint32_t entry_ctls;
	const uint32_t *apic_irr;    /* IRR in the APIC's page, when the processor delivers from it; else NULL */
	uint64_t cr0_mask, cr4_mask; /* bits that leave the guest when it writes them */
	void *vmcs;
	uint64_t vmcs_hpa;
	unsigned area_order; /* of the block that this struct begins */
	/* The guest changes these by exits only: they are valid also while they are in the processor. But for KERNEL_GS_BASE. */
	uint64_t xcr0, msr[LIVE_MSR_COUNT];
	/* Valid while the vCPU is not live on a CPU. */
	uint64_t cr2, dr[4], dr6;
	uint8_t *fpu; /* XSAVE or FXSAVE area, 64-byte aligned */
};

/* enter.asm. In, and after each exit vmx_exit(), as long as that returns 0. Returns what vmx_exit() did, which is bits of
 * enum vcpu_request and VMX_LEAVE or VMX_ENTRY_FAILED, with VMX_ATTENTION when the CPU's attention word is set, too; or one
 * of VMX_FAILED_*, when the processor refused before it had loaded anything of the guest.
 * VMX_ATTENTION alone: everything has been seen to, and the guest was not entered again. */
uint32_t vmx_run_asm(struct vcpu *v, struct vcpu_hw *hw);

#define VMX_ATTENTION BIT32(0)     /* the word is 0 or 1, and no request has this bit */
#define VMX_LEAVE BIT32(27)        /* the verdict is not to enter again: v->loop.verdict */
#define VMX_ENTRY_FAILED BIT32(28) /* the exit was a refusal of the guest's state */
#define VMX_FAILED_INVALID BIT32(29)
#define VMX_FAILED_VALID BIT32(30)

/* After an exit, called by enter.asm: read it, record it, handle it, step over the instruction when it is done.
 * Returns 0: enter again; else see above. */
uint32_t vmx_exit(struct vcpu *v);

/* The same when VCPU_REQ_EVENT alone is asked for: the interrupt that is due goes in with the next entry. Returns 0, or what
 * vmx_exit() would: the loop outside has to see to it. */
uint32_t vmx_event(struct vcpu *v);

void vmx_exit_point(void);
extern const char vmx_window_look[], vmx_window_begin[], vmx_window_end[], vmx_window_out[];

/* The vector is requested, too. v's VMCS is current. (SDM 3 "Guest Interrupt Status": RVI is the lower byte.) */
static inline void raise_rvi(uint8_t vector)
{
	uint64_t status = vmread(VMCS_GUEST_INTERRUPT_STATUS);

	if ((uint8_t)status < vector)
		vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (status & ~0xffull) | vector);
}

/* Make v's VMCS the current one for a few accesses; close puts back what was. Nothing happens when it is current anyway. */
struct vmcs_window {
	struct vcpu_hw *opened; /* NULL: it was current */
	struct vcpu_hw *previous;
};
struct vmcs_window vmcs_open_other(struct vcpu *v);
void vmcs_close_other(const struct vmcs_window *w);

static inline struct vmcs_window vmcs_open(struct vcpu *v)
{
	if (likely(this_vmx_cpu()->current == v->hw))
		return (struct vmcs_window){NULL, NULL};
	return vmcs_open_other(v);
}

static inline void vmcs_close(const struct vmcs_window *w)
{
	if (unlikely(w->opened != NULL))
		vmcs_close_other(w);
}

static inline void vmcs_make_current(struct vmx_cpu *cpu, struct vcpu_hw *hw)
{
	if (cpu->current == hw)
		return;
	vmptrld(&hw->vmcs_hpa);
	cpu->current = hw;
}

void vmcs_activate(struct vcpu *v, int here);
void vmcs_clear(struct vmx_cpu *cpu, struct vcpu_hw *hw);

/* vmcs_setup.c: lists of fields; the VMCS is current. */
void vmcs_write_controls(const struct vcpu *v);
void vmcs_write_host_constants(void);
void vmcs_write_host_cpu(void);
void vmcs_write_guest_constants(struct vcpu_hw *hw);

/* vcpu_live.c. */
void live_reset(struct vcpu *v, bool init);
void live_take(struct vmx_cpu *cpu, struct vcpu *v);
void live_put_back(struct vmx_cpu *cpu);
bool live_register(enum vcpu_reg reg);
uint64_t live_get(struct vcpu *v, enum vcpu_reg reg);
void live_set(struct vcpu *v, enum vcpu_reg reg, uint64_t value);

/* cpu_xsave.c. CR4.OSXSAVE is on, AVX there, and nobody's registers are in this CPU; leaves them in their initial state. */
bool xsavec_works(void);

void vcpu_invalidate_later(struct vcpu *v, uint32_t what);

/* vcpu_explain.c: the current VMCS and this processor, for the checker. */
void vmcs_take_snapshot(struct vmcs_snapshot *out);
void vmcs_check_env(struct vmx_check_env *env);

/* May the processor deliver an interrupt by itself as soon as the guest takes one? */
static inline bool apic_irq_waits(const struct vcpu_hw *hw)
{
	const uint32_t *irr = hw->apic_irr;

	return irr && (irr[0] | irr[4] | irr[8] | irr[12] | irr[16] | irr[20] | irr[24] | irr[28]) != 0;
}

/* Clear the STI and MOV SS shadows when an instruction was stepped over since they were saved. */
void vcpu_settle_shadows(struct vcpu *v);

/* The windows or apic_irr have changed: what a step has to look at. */
void vcpu_watch_steps(struct vcpu *v);
