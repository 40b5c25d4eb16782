/* The processor's part in the local APIC: which controls, which MSRs, what it is told. Privileged.
 * Follows SDM 3 "APIC Virtualization and Virtual Interrupts". What the page means is vmm/devices/vlapic*.c's to know. */
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "drivers/regs/lapic.h"
#include "kernel/idle.h"
#include "kernel/lib/bits.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"

#define SVI_SHIFT 8u

enum vcpu_apic_help vcpu_hw_apic_help(void)
{
	return vmx_machine.ctls.apic_help;
}

uint64_t vcpu_hw_apic_access_page(void)
{
	bool used = (vmx_machine.ctls.word[VMX_CTL_PROC2] & PROC2_VIRTUALIZE_APIC_ACCESSES) != 0;

	return used ? vmx_machine.apic_access_hpa : 0;
}

COLD void vcpu_hw_apic_attach(struct vcpu *v, void *page)
{
	const struct page_source *pages = vmx_machine.pages;
	struct vmcs_window w;

	if (vcpu_hw_apic_help() == VCPU_APIC_NONE)
		return;
	if (vcpu_hw_apic_help() == VCPU_APIC_ALL)
		v->hw->apic_irr = (const uint32_t *)page + LAPIC_IRR / 4;
	vcpu_watch_steps(v);
	w = vmcs_open(v);
	vmwrite(VMCS_VIRTUAL_APIC_ADDR, pages->hpa_of(pages->ctx, page));
	vmcs_close(&w);
}

/* The VMCS is current. */
static void write_msr_bitmap(const struct vcpu_hw *hw)
{
	unsigned kind = (hw->passes_x2apic ? MSR_BITMAP_X2APIC : 0u) | (hw->passes_timer ? MSR_BITMAP_TIMER : 0u);

	vmwrite(VMCS_MSR_BITMAP, vmx_machine.msr_bitmap_hpa[kind]);
}

COLD void vcpu_hw_apic_mode(struct vcpu *v, bool x2apic)
{
	const uint32_t xapic_ctl = PROC2_VIRTUALIZE_APIC_ACCESSES, x2apic_ctl = PROC2_VIRTUALIZE_X2APIC;
	uint32_t ctls = vmx_machine.ctls.word[VMX_CTL_PROC2];
	struct vmcs_window w = vmcs_open(v);

	if (x2apic)
		ctls = (ctls & ~xapic_ctl) | (vmx_machine.ctls.has_x2apic ? x2apic_ctl : 0);
	vmwrite(VMCS_PROC_CTLS2, ctls);
	v->hw->passes_x2apic = (ctls & x2apic_ctl) != 0;
	write_msr_bitmap(v->hw);
	vmcs_close(&w);
}

/* The highest vector in IRR is "requesting virtual interrupt" (RVI), that in ISR "servicing" (SVI); the entry evaluates
 * them. An interrupt that waits must not find the shadow of an instruction that has been stepped over. */
void vcpu_hw_apic_vectors(struct vcpu *v, uint8_t requested, uint8_t in_service)
{
	struct vmcs_window w = vmcs_open(v);

	if (requested != 0)
		vcpu_settle_shadows(v);
	vmwrite(VMCS_GUEST_INTERRUPT_STATUS, (uint32_t)in_service << SVI_SHIFT | requested);
	vmcs_close(&w);
}

static inline void request(struct vcpu *v, uint8_t vector)
{
	vcpu_settle_shadows(v);
	raise_rvi(vector);
}

__attribute__((noinline)) static void request_elsewhere(struct vcpu *v, uint8_t vector)
{
	struct vmcs_window w = vmcs_open(v);

	request(v, vector);
	vmcs_close(&w);
}

void vcpu_hw_apic_request(struct vcpu *v, uint8_t vector)
{
	if (likely(this_vmx_cpu()->current == v->hw))
		request(v, vector);
	else
		request_elsewhere(v, vector);
}

void vcpu_hw_apic_eoi_exits(struct vcpu *v, unsigned quarter, uint64_t vectors)
{
	struct vmcs_window w = vmcs_open(v);

	assert(quarter < 4);
	vmwrite((enum vmcs_field)(VMCS_EOI_EXIT_BITMAP0 + 2 * quarter), vectors);
	vmcs_close(&w);
}

void vcpu_hw_apic_threshold(struct vcpu *v, unsigned class)
{
	struct vcpu_hw *hw = v->hw;
	struct vmcs_window w;

	if (hw->tpr_threshold == class)
		return;
	hw->tpr_threshold = (uint8_t) class;
	w = vmcs_open(v);
	vmwrite(VMCS_TPR_THRESHOLD, class);
	vmcs_close(&w);
}

/* --- the timer --- */

/* Without the preemption timer the CPU's own timer ends the guest's stay. */
bool vcpu_hw_timer_can_pass(void)
{
	return vmx_machine.ctls.has_timer && idle_timer_is_deadline();
}

void vcpu_hw_timer_pass(struct vcpu *v, bool on)
{
	struct vmcs_window w = vmcs_open(v);

	v->hw->passes_timer = on;
	write_msr_bitmap(v->hw);
	vmcs_close(&w);
}

uint64_t vcpu_hw_timer_get(void)
{
	return rdmsr(MSR_TSC_DEADLINE);
}

void vcpu_hw_timer_set(uint64_t deadline)
{
	wrmsr(MSR_TSC_DEADLINE, deadline);
}

bool vcpu_hw_timer_came(void)
{
	return idle_timer_came();
}

void vcpu_hw_let_interrupts_in(void)
{
	idle_window();
}

void vcpu_hw_timer_settle(void)
{
	idle_timer_settle();
}
