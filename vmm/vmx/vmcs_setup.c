/* What a fresh VMCS holds: controls, host state, and the guest state that no register call sets, as plain lists.
 * Follows SDM 3 "Virtual Machine Control Structures" and "Initializing a VMCS". The VMCS is current; privileged. */
#include "arch/x86/idt.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr_safe.h"
#include "arch/x86/regs.h"
#include "vmm/core/vm.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"

/* Exceptions that leave the guest: #MC is the machine's. #DB and #AC are the guest's own, but a guest can make each of them
 * recur while it is being delivered, and a processor that loops in there takes no interrupt: so they are delivered by us. */
#define EXCEPTIONS (BIT32(VECTOR_DB) | BIT32(VECTOR_AC) | BIT32(VECTOR_MC))

/* Bits that the guest may flip without being asked. The caches' bits are ours: with CR0.CD set all of the guest's memory
 * would be uncached. CR4.MCE is ours: a machine check with it clear shuts the processor down. */
#define CR0_GUEST (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_WP | CR0_AM | CR0_PG)
#define CR4_GUEST                                                                                                      \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT |  \
	 CR4_FSGSBASE | CR4_PCIDE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_UMIP)

static void write_addresses(const struct vcpu_hw *hw)
{
	const struct vmx_machine *m = &vmx_machine;

	vmwrite(VMCS_IO_BITMAP_A, m->io_bitmaps_hpa);
	vmwrite(VMCS_IO_BITMAP_B, m->io_bitmaps_hpa + PAGE_SIZE);
	vmwrite(VMCS_MSR_BITMAP, m->msr_bitmap_hpa[MSR_BITMAP_PLAIN]);
	vmwrite(VMCS_EPT_POINTER, hw->eptp);
}

/* A loop of PAUSEs at most this many ticks apart that lasts this long leaves the guest: it waits for a vCPU that may not be
 * running (SDM 3 "Changes to Instruction Behavior in VMX Non-Root Operation"). A guest with one vCPU waits for a device. */
#define PLE_GAP_TICKS 128u
#define PLE_WINDOW_TICKS 4096u

static void write_pause_loop(const struct vcpu *v)
{
	if (!(vmx_machine.ctls.word[VMX_CTL_PROC2] & PROC2_PAUSE_LOOP))
		return;
	vmwrite(VMCS_PLE_GAP, PLE_GAP_TICKS);
	vmwrite(VMCS_PLE_WINDOW, v->vm->config.cpus > 1 ? PLE_WINDOW_TICKS : UINT32_MAX);
}

static void write_optional(const struct vcpu_hw *hw)
{
	uint32_t proc2 = vmx_machine.ctls.word[VMX_CTL_PROC2];

	if (proc2 & PROC2_VPID)
		vmwrite(VMCS_VPID, hw->vpid);
	/* The vCPU's own page takes the place of this one before it runs. */
	if (hw->proc_ctls & PROC_TPR_SHADOW)
		vmwrite(VMCS_VIRTUAL_APIC_ADDR, vmx_machine.apic_access_hpa);
	if (proc2 & PROC2_VIRTUALIZE_APIC_ACCESSES)
		vmwrite(VMCS_APIC_ACCESS_ADDR, vmx_machine.apic_access_hpa);
	if (proc2 & PROC2_XSAVES)
		vmwrite(VMCS_XSS_EXITING_BITMAP, 0);
	if (proc2 & PROC2_ENCLS)
		vmwrite(VMCS_ENCLS_EXITING_BITMAP, UINT64_MAX);
	if (proc2 & PROC2_ENCLV)
		vmwrite(VMCS_ENCLV_EXITING_BITMAP, UINT64_MAX);
}

/* Controls. hw: eptp, vpid, bitmap and masks are set. */
void vmcs_write_controls(const struct vcpu *v)
{
	struct vcpu_hw *hw = v->hw;
	const uint32_t *word = vmx_machine.ctls.word;

	hw->proc_ctls = word[VMX_CTL_PROC];
	hw->entry_ctls = word[VMX_CTL_ENTRY];
	hw->cr0_mask = ~CR0_GUEST;
	hw->cr4_mask = ~(CR4_GUEST & vmx_machine.cr4_allowed);
	vmwrite(VMCS_PIN_CTLS, word[VMX_CTL_PIN]);
	vmwrite(VMCS_PROC_CTLS, hw->proc_ctls);
	vmwrite(VMCS_PROC_CTLS2, word[VMX_CTL_PROC2]);
	vmwrite(VMCS_EXIT_CTLS, word[VMX_CTL_EXIT]);
	vmwrite(VMCS_ENTRY_CTLS, hw->entry_ctls);
	vmwrite(VMCS_EXCEPTION_BITMAP, EXCEPTIONS);
	vmwrite(VMCS_PF_ERROR_MASK, 0);
	vmwrite(VMCS_PF_ERROR_MATCH, 0);
	vmwrite(VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(VMCS_EXIT_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_MSR_LOAD_COUNT, 0);
	vmwrite(VMCS_ENTRY_INTR_INFO, 0);
	vmwrite(VMCS_TSC_OFFSET, 0);
	vmwrite(VMCS_CR0_MASK, hw->cr0_mask);
	vmwrite(VMCS_CR4_MASK, hw->cr4_mask);
	write_addresses(hw);
	write_optional(hw);
	write_pause_loop(v);
}

/* Host state that is the same on all CPUs. SYSENTER is not used: its MSRs just have to be canonical. */
void vmcs_write_host_constants(void)
{
	vmwrite(VMCS_HOST_CS_SELECTOR, SEL_CODE);
	vmwrite(VMCS_HOST_SS_SELECTOR, SEL_DATA);
	vmwrite(VMCS_HOST_DS_SELECTOR, SEL_DATA);
	vmwrite(VMCS_HOST_ES_SELECTOR, SEL_DATA);
	vmwrite(VMCS_HOST_FS_SELECTOR, 0);
	vmwrite(VMCS_HOST_GS_SELECTOR, 0);
	vmwrite(VMCS_HOST_TR_SELECTOR, SEL_TSS);
	vmwrite(VMCS_HOST_SYSENTER_CS, 0);
	vmwrite(VMCS_HOST_SYSENTER_ESP, 0);
	vmwrite(VMCS_HOST_SYSENTER_EIP, 0);
	vmwrite(VMCS_HOST_RIP, (uint64_t)&vmx_exit_point);
}

/* Host state that belongs to this CPU, as it is now. After an exit the limits of GDTR and IDTR are 0xffff, that of TR 0x67,
 * DR7 is 0x400 and IA32_DEBUGCTL 0, whatever they were (SDM 3 "Loading Host Segment and Descriptor-Table Registers"): for
 * the descriptor tables that means more than there is, which only a wrong selector or vector of our own could reach. */
void vmcs_write_host_cpu(void)
{
	struct percpu *cpu = this_cpu();
	struct table_register gdtr, idtr;

	sgdt(&gdtr);
	sidt(&idtr);
	vmwrite(VMCS_HOST_CR0, read_cr0());
	vmwrite(VMCS_HOST_CR3, read_cr3());
	vmwrite(VMCS_HOST_CR4, read_cr4());
	vmwrite(VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(VMCS_HOST_PAT, rdmsr_or(MSR_PAT, 0x0007040600070406ull));
	vmwrite(VMCS_HOST_FS_BASE, rdmsr(MSR_FS_BASE));
	vmwrite(VMCS_HOST_GS_BASE, (uint64_t)cpu);
	vmwrite(VMCS_HOST_TR_BASE, (uint64_t)&cpu->tss);
	vmwrite(VMCS_HOST_GDTR_BASE, gdtr.base);
	vmwrite(VMCS_HOST_IDTR_BASE, idtr.base);
}

/* The APIC after a reset: nothing requested, nothing in service, TPR 0. */
static void write_apic_state(struct vcpu_hw *hw)
{
	hw->tpr_threshold = 0;
	if (hw->proc_ctls & PROC_TPR_SHADOW)
		vmwrite(VMCS_TPR_THRESHOLD, 0);
	if (vmx_machine.ctls.apic_help == VCPU_APIC_ALL)
		vmwrite(VMCS_GUEST_INTERRUPT_STATUS, 0);
}

/* Guest state that no register call reaches. The link pointer of all ones: no shadow VMCS. */
void vmcs_write_guest_constants(struct vcpu_hw *hw)
{
	write_apic_state(hw);
	vmwrite(VMCS_LINK_POINTER, UINT64_MAX);
	vmwrite(VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(VMCS_GUEST_ACTIVITY, ACTIVITY_ACTIVE);
	vmwrite(VMCS_GUEST_PENDING_DEBUG, 0);
	vmwrite(VMCS_GUEST_PDPTE0, 0);
	vmwrite(VMCS_GUEST_PDPTE1, 0);
	vmwrite(VMCS_GUEST_PDPTE2, 0);
	vmwrite(VMCS_GUEST_PDPTE3, 0);
	if (vmx_machine.ctls.has_timer)
		vmwrite(VMCS_GUEST_PREEMPTION_TIMER, UINT32_MAX);
}
