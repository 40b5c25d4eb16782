/* Life of a vCPU's VMCS: made, taken by a CPU, put back, and which one is current. Privileged.
 *
 * A VMCS that a CPU has used may live in that CPU's caches until VMCLEAR writes it out (SDM 3 "Software Use of Virtual-Machine
 * Control Structures"), so hw->cpu says where that is, and only there may it be touched. Each CPU remembers which one is
 * current, so that VMPTRLD happens only when it has to. */
#include "arch/x86/insn.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "vmm/core/vcpu_reset.h"
#include "vmm/core/vm.h"
#include "vmm/vmx/ept_format.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"

#define FPU_ALIGN 64u

/* Tags in use. 0 is the host's. With more vCPUs than tags the last ones would share none: creation fails then. */
#define VPID_COUNT 4096u
static uint64_t vpids[BITMAP_WORDS(VPID_COUNT)] = {1};

static uint16_t vpid_take(void)
{
	for (size_t i = 0; i < ARRAY_LEN(vpids); i++) {
		uint64_t word = __atomic_load_n(&vpids[i], __ATOMIC_RELAXED);

		while (word != UINT64_MAX) {
			uint64_t bit = ~word & (word + 1);

			if (__atomic_compare_exchange_n(&vpids[i], &word, word | bit, false, __ATOMIC_ACQUIRE,
							__ATOMIC_RELAXED))
				return (uint16_t)(i * 64 + (unsigned)__builtin_ctzll(bit));
		}
	}
	return 0;
}

/* A tag may be taken again at once: its next owner invalidates it on every CPU before its first entry there. */
static void vpid_give_back(uint16_t vpid)
{
	if (vpid != 0)
		__atomic_and_fetch(&vpids[vpid / 64], ~BIT64(vpid % 64), __ATOMIC_RELEASE);
}

/* Write the VMCS back to memory: another CPU may take it, or nobody any more. */
void vmcs_clear(struct vmx_cpu *cpu, struct vcpu_hw *hw)
{
	if (vmclear(hw->vmcs_hpa) != VMX_OK)
		vmx_insn_failed("VMCLEAR", 0);
	hw->launched = false;
	if (cpu->current == hw)
		cpu->current = NULL;
	/* From here on another CPU may take it: see vcpu_hw_holder(). */
	__atomic_store_n(&hw->cpu, VMX_NO_CPU, __ATOMIC_RELEASE);
}

struct vmcs_window vmcs_open_other(struct vcpu *v)
{
	struct vmx_cpu *cpu = this_vmx_cpu();
	struct vmcs_window w = {v->hw, cpu->current};

	assert(v->hw->cpu == VMX_NO_CPU || v->hw->cpu == (int)this_cpu()->index);
	vmcs_make_current(cpu, v->hw);
	return w;
}

/* A VMCS that was active on no CPU is so again. */
void vmcs_close_other(const struct vmcs_window *w)
{
	struct vmx_cpu *cpu = this_vmx_cpu();

	if (w->opened->cpu == VMX_NO_CPU)
		vmcs_clear(cpu, w->opened);
	if (w->previous)
		vmcs_make_current(cpu, w->previous);
}

struct vcpu_access vcpu_hw_access_begin(struct vcpu *v)
{
	struct vmcs_window w = vmcs_open(v);

	return (struct vcpu_access){w.opened, w.previous};
}

void vcpu_hw_access_end(const struct vcpu_access *a)
{
	struct vmcs_window w = {a->opened, a->before};

	vmcs_close(&w);
}

/* The VMCS, which is current, was active on no CPU; it is on this one now, `here`. */
void vmcs_activate(struct vcpu *v, int here)
{
	struct vcpu_hw *hw = v->hw;

	assert(hw->cpu == VMX_NO_CPU);
	vmcs_write_host_cpu();
	__atomic_store_n(&hw->cpu, here, __ATOMIC_RELAXED);
	if (hw->last_cpu != here) {
		/* Translations may be cached here from when v, or a former owner of its tags, ran here. */
		vcpu_invalidate_later(v, STALE_EPT | STALE_VPID);
		hw->last_cpu = here;
	}
}

/* Put everything of v back into memory, so that any CPU may load it. Harmless when it is loaded nowhere.
 * Context: IF = 0, on the CPU where it is loaded. */
void vcpu_hw_unload(struct vcpu *v)
{
	struct vmx_cpu *cpu = this_vmx_cpu();

	if (v->hw->cpu == VMX_NO_CPU)
		return;
	assert(v->hw->cpu == (int)this_cpu()->index);
	if (cpu->live == v)
		live_put_back(cpu);
	vmcs_clear(cpu, v->hw);
}

int vcpu_hw_holder(const struct vcpu *v)
{
	static_assert(VMX_NO_CPU == -1, "vcpu_hw_holder()");
	return __atomic_load_n(&v->hw->cpu, __ATOMIC_ACQUIRE);
}

static void free_pages(void *block, unsigned order)
{
	const struct page_source *pages = vmx_machine.pages;

	if (block)
		pages->free(pages->ctx, block, order);
}

static unsigned area_order(void)
{
	size_t bytes = ALIGN_UP(sizeof(struct vcpu_hw), (size_t)FPU_ALIGN) + vmx_machine.fpu_area_bytes;
	unsigned order = 0;

	while ((PAGE_SIZE << order) < bytes)
		order++;
	return order;
}

static void free_hw(struct vcpu_hw *hw)
{
	vpid_give_back(hw->vpid);
	free_pages(hw->vmcs, 0);
	free_pages(hw, hw->area_order);
}

static struct vcpu_hw *make_hw(void)
{
	const struct page_source *pages = vmx_machine.pages;
	unsigned order = area_order();
	struct vcpu_hw *hw = pages->alloc(pages->ctx, order);

	if (!hw)
		return NULL;
	memset(hw, 0, sizeof(*hw)); /* what is behind it is live_reset()'s */
	hw->area_order = order;
	hw->fpu = (uint8_t *)hw + ALIGN_UP(sizeof(*hw), (size_t)FPU_ALIGN);
	hw->cpu = hw->last_cpu = VMX_NO_CPU;
	hw->slpt_generation = VMX_GENERATION_NONE;
	hw->vmcs = page_source_zeroed(pages, 0);
	if (vmx_machine.ctls.has_vpid)
		hw->vpid = vpid_take();
	if (!hw->vmcs || (vmx_machine.ctls.has_vpid && hw->vpid == 0)) {
		free_hw(hw);
		return NULL;
	}
	*(uint32_t *)hw->vmcs = vmx_machine.caps.revision;
	hw->vmcs_hpa = pages->hpa_of(pages->ctx, hw->vmcs);
	return hw;
}

static void fill_vmcs(struct vcpu *v)
{
	/* The launch state of fresh memory is not defined before VMCLEAR (SDM 3 "Initializing a VMCS"). */
	vmcs_clear(this_vmx_cpu(), v->hw);
	struct vmcs_window w = vmcs_open(v);

	vmcs_write_controls(v);
	vmcs_write_host_constants();
	vmcs_close(&w);
}

/* See vcpu_hw.h. v->vm->slpt must be made already. Context: VMX on. */
int vcpu_hw_create(struct vcpu *v)
{
	v->hw = make_hw();
	if (!v->hw)
		return ERR_NOMEM;
	if (ept_pointer(vmx_machine.caps.ept_vpid, v->vm->slpt.root_hpa, &v->hw->eptp) != 0) {
		free_hw(v->hw);
		v->hw = NULL;
		return ERR_NOMEM; /* cannot be: vmx_slpt_format() has looked at the same capabilities */
	}
	fill_vmcs(v);
	return 0;
}

void vcpu_hw_destroy(struct vcpu *v)
{
	if (!v->hw)
		return;
	vcpu_hw_unload(v);
	free_hw(v->hw);
	v->hw = NULL;
}

void vcpu_hw_reset(struct vcpu *v, bool init)
{
	struct vmcs_window w = vmcs_open(v);

	live_reset(v, init);
	vcpu_reset_registers(v, init);
	vcpu_watch_steps(v);
	vmwrite(VMCS_ENTRY_INTR_INFO, 0);
	vmcs_write_guest_constants(v->hw);
	vcpu_hw_irq_window(v, false);
	vcpu_hw_nmi_window(v, false);
	v->inject.valid = false;
	vmcs_close(&w);
}
