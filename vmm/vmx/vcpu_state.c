/* Reading and writing what a guest sees in its registers. Privileged.
 *
 * CR0 and CR4 have two faces: the processor runs with GUEST_CR0, the guest reads, in the bits that we own (mask), CR0_SHADOW.
 * SDM 3 "Guest/Host Masks and Read Shadows for CR0 and CR4". */
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bitmap.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"

/* Registers that are just a field; 0: not so. (0 is VPID, which is no register.) */
static const uint16_t fields[VCPU_REG_COUNT] = {
	[VCPU_RIP] = VMCS_GUEST_RIP,
	[VCPU_RSP] = VMCS_GUEST_RSP,
	[VCPU_RFLAGS] = VMCS_GUEST_RFLAGS,
	[VCPU_CR3] = VMCS_GUEST_CR3,
	[VCPU_EFER] = VMCS_GUEST_EFER,
	[VCPU_PAT] = VMCS_GUEST_PAT,
	[VCPU_DR7] = VMCS_GUEST_DR7,
	[VCPU_SYSENTER_CS] = VMCS_GUEST_SYSENTER_CS,
	[VCPU_SYSENTER_ESP] = VMCS_GUEST_SYSENTER_ESP,
	[VCPU_SYSENTER_EIP] = VMCS_GUEST_SYSENTER_EIP,
	[VCPU_DEBUGCTL] = VMCS_GUEST_DEBUGCTL,
};

static void set_long_mode(struct vcpu_hw *hw, bool active)
{
	uint32_t ctls = active ? hw->entry_ctls | ENTRY_CTL_IA32E_GUEST : hw->entry_ctls & ~ENTRY_CTL_IA32E_GUEST;

	hw->entry_ctls = ctls;
	vmwrite(VMCS_ENTRY_CTLS, ctls);
}

/* The mode "long mode active" is EFER.LMA and an entry control, which must agree (the guest itself changes both without
 * us: exits store EFER.LMA into the control). */
static void set_efer(struct vcpu_hw *hw, uint64_t efer)
{
	vmwrite(VMCS_GUEST_EFER, efer);
	set_long_mode(hw, (efer & EFER_LMA) != 0);
}

/* As MOV to CR0 does: paging switches long mode on and off where EFER.LME asks for it. */
static void set_cr0(struct vcpu *v, uint64_t cr0)
{
	const struct vmx_caps *caps = &vmx_machine.caps;
	uint64_t must = caps->cr0_fixed0 & ~(CR0_PE | CR0_PG);
	uint64_t efer = vmread(VMCS_GUEST_EFER);

	vmwrite(VMCS_CR0_SHADOW, cr0);
	vmwrite(VMCS_GUEST_CR0, ((cr0 & ~(CR0_CD | CR0_NW)) | must | CR0_ET) & caps->cr0_fixed1);
	if ((cr0 & CR0_PG) && (efer & EFER_LME))
		efer |= EFER_LMA;
	else
		efer &= ~EFER_LMA;
	set_efer(v->hw, efer);
	vcpu_invalidate_later(v, STALE_VPID);
}

static void set_cr4(struct vcpu *v, uint64_t cr4)
{
	const struct vmx_caps *caps = &vmx_machine.caps;

	vmwrite(VMCS_CR4_SHADOW, cr4);
	vmwrite(VMCS_GUEST_CR4, (cr4 | caps->cr4_fixed0 | CR4_MCE) & caps->cr4_fixed1);
	vcpu_invalidate_later(v, STALE_VPID);
}

static uint64_t seen(uint64_t real, uint64_t mask, uint64_t shadow)
{
	return (real & ~mask) | (shadow & mask);
}

static uint64_t get_field(struct vcpu_hw *hw, enum vcpu_reg reg)
{
	if (reg == VCPU_CR0)
		return seen(vmread(VMCS_GUEST_CR0), hw->cr0_mask, vmread(VMCS_CR0_SHADOW));
	if (reg == VCPU_CR4)
		return seen(vmread(VMCS_GUEST_CR4), hw->cr4_mask, vmread(VMCS_CR4_SHADOW));
	assert(reg < VCPU_REG_COUNT && fields[reg] != 0);
	return vmread(fields[reg]);
}

/* Whatever is not a plain field of the current VMCS. */
__attribute__((noinline)) static uint64_t get_other(struct vcpu *v, enum vcpu_reg reg)
{
	struct vmcs_window w;
	uint64_t value;

	if (live_register(reg))
		return live_get(v, reg);
	w = vmcs_open(v);
	value = get_field(v->hw, reg);
	vmcs_close(&w);
	return value;
}

uint64_t vcpu_hw_get(struct vcpu *v, enum vcpu_reg reg)
{
	assert(reg < VCPU_REG_COUNT);
	if (likely(this_vmx_cpu()->current == v->hw)) {
		if (likely(fields[reg] != 0))
			return vmread(fields[reg]);
		if (reg == VCPU_CR0 || reg == VCPU_CR4)
			return get_field(v->hw, reg);
	}
	return get_other(v, reg);
}

static void set_field(struct vcpu *v, enum vcpu_reg reg, uint64_t value)
{
	switch (reg) {
	case VCPU_CR0:
		set_cr0(v, value);
		break;
	case VCPU_CR4:
		set_cr4(v, value);
		break;
	case VCPU_EFER:
		set_efer(v->hw, value);
		break;
	case VCPU_CR3:
		vcpu_invalidate_later(v, STALE_VPID);
		vmwrite(VMCS_GUEST_CR3, value);
		break;
	default:
		assert(reg < VCPU_REG_COUNT && fields[reg] != 0);
		vmwrite(fields[reg], value);
	}
}

/* Values must be ones that the register can hold: the handlers see to that, since a guest gets #GP otherwise. */
void vcpu_hw_set(struct vcpu *v, enum vcpu_reg reg, uint64_t value)
{
	struct vmcs_window w;

	if (live_register(reg)) {
		live_set(v, reg, value);
		return;
	}
	w = vmcs_open(v);
	set_field(v, reg, value);
	vmcs_close(&w);
}

/* Selector, base, limit and access fields of ES .. TR stand in rows of the same order as enum vcpu_seg. */
static_assert(SEG_ES == 0 && SEG_TR == 7 && SEG_GDTR == 8 && SEG_IDTR == 9, "the order of the VMCS fields");

static enum vmcs_field seg_field(enum vmcs_field es_field, enum vcpu_seg seg)
{
	return (enum vmcs_field)(es_field + 2u * seg);
}

void vcpu_hw_get_segment(struct vcpu *v, enum vcpu_seg seg, struct segment *out)
{
	struct vmcs_window w = vmcs_open(v);
	uint32_t access = 0;

	*out = (struct segment){0};
	if (seg == SEG_GDTR || seg == SEG_IDTR) {
		out->base = vmread(seg == SEG_GDTR ? VMCS_GUEST_GDTR_BASE : VMCS_GUEST_IDTR_BASE);
	} else {
		access = vmread32(seg_field(VMCS_GUEST_ES_ACCESS, seg));
		out->selector = (uint16_t)vmread(seg_field(VMCS_GUEST_ES_SELECTOR, seg));
		out->base = vmread(seg_field(VMCS_GUEST_ES_BASE, seg));
	}
	out->limit = vmread32(seg_field(VMCS_GUEST_ES_LIMIT, seg));
	out->access = (uint16_t)access;
	out->unusable = (access & SEG_ACCESS_UNUSABLE) != 0;
	vmcs_close(&w);
}

COLD void vcpu_hw_set_segment(struct vcpu *v, enum vcpu_seg seg, const struct segment *in)
{
	struct vmcs_window w = vmcs_open(v);

	vmwrite(seg_field(VMCS_GUEST_ES_LIMIT, seg), in->limit);
	if (seg == SEG_GDTR || seg == SEG_IDTR) {
		vmwrite(seg == SEG_GDTR ? VMCS_GUEST_GDTR_BASE : VMCS_GUEST_IDTR_BASE, in->base);
	} else {
		vmwrite(seg_field(VMCS_GUEST_ES_SELECTOR, seg), in->selector);
		vmwrite(seg_field(VMCS_GUEST_ES_BASE, seg), in->base);
		vmwrite(seg_field(VMCS_GUEST_ES_ACCESS, seg), in->access | (in->unusable ? SEG_ACCESS_UNUSABLE : 0));
	}
	vmcs_close(&w);
}

uint64_t vcpu_hw_segment_base(struct vcpu *v, enum vcpu_seg seg)
{
	(void)v;
	return vmread_known(seg_field(VMCS_GUEST_ES_BASE, seg));
}

/* In long mode CR0.PG and CR4.PAE are set; CR4.LA57 cannot change there, and never without an exit (its bit is ours). */
static inline struct code_view code_view(void)
{
	struct code_view view = {.cr3 = vmread_known(VMCS_GUEST_CR3)};
	uint64_t access = vmread_known(VMCS_GUEST_CS_ACCESS);

	view.how = access & (SEG_ACCESS_L | SEG_ACCESS_DB);
	if (likely(vmread(VMCS_GUEST_EFER) & EFER_LMA)) {
		view.how |= CODE_VIEW_LONG;
		if (likely(access & SEG_ACCESS_L))
			return view;
	} else {
		view.how |= vmread_known(VMCS_GUEST_CR0) & CR0_PG;
		view.how |= vmread_known(VMCS_GUEST_CR4) & (CR4_PSE | CR4_PAE);
	}
	view.cs_base = vmread_known(VMCS_GUEST_CS_BASE);
	return view;
}

void vcpu_hw_code_view(struct vcpu *v, struct code_view *out)
{
	(void)v;
	*out = code_view();
}

bool vcpu_hw_is_code_view(struct vcpu *v, const struct code_view *view)
{
	struct code_view now = code_view();

	(void)v;
	return now.cr3 == view->cr3 && now.cs_base == view->cs_base && now.how == view->how;
}

COLD void vcpu_hw_set_pdptes(struct vcpu *v, const uint64_t pdptes[4])
{
	struct vmcs_window w = vmcs_open(v);

	for (unsigned i = 0; i < 4; i++)
		vmwrite((enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i), pdptes[i]);
	vmcs_close(&w);
}

uint64_t vcpu_gpr(struct vcpu *v, unsigned gpr)
{
	assert(gpr < GPR_COUNT);
	return gpr == GPR_RSP ? vcpu_hw_get(v, VCPU_RSP) : v->gpr[gpr];
}

void vcpu_set_gpr(struct vcpu *v, unsigned gpr, uint64_t value)
{
	assert(gpr < GPR_COUNT);
	if (gpr == GPR_RSP)
		vcpu_hw_set(v, VCPU_RSP, value);
	else
		v->gpr[gpr] = value;
	vcpu_gpr_written(v, gpr);
}

void vcpu_hw_set_tsc_offset(struct vcpu *v, int64_t offset)
{
	struct vmcs_window w;

	if (likely(this_vmx_cpu()->current == v->hw)) {
		vmwrite(VMCS_TSC_OFFSET, (uint64_t)offset);
		return;
	}
	w = vmcs_open(v);
	vmwrite(VMCS_TSC_OFFSET, (uint64_t)offset);
	vmcs_close(&w);
}

/* Everything that works on state components which this backend does not switch: XSAVE and the vector extensions beyond SSE. */
static void hide_xsave(uint32_t leaf, uint32_t out[4])
{
	const uint32_t avx_1_ecx = BIT32(12) | BIT32(26) | BIT32(27) | BIT32(28) | BIT32(29); /* FMA .. F16C */
	const uint32_t avx_7_ebx = BIT32(5) | BIT32(16) | BIT32(17) | BIT32(21) | BIT32(26) | BIT32(27) | BIT32(28) |
				   BIT32(30) | BIT32(31); /* AVX2, AVX-512 */
	const uint32_t avx_7_ecx = BIT32(1) | BIT32(3) | BIT32(4) | BIT32(6) | BIT32(9) | BIT32(10) | BIT32(11) |
				   BIT32(12) | BIT32(14); /* AVX-512 VBMI .. VPOPCNTDQ, PKU */

	if (leaf == 1) {
		out[2] &= ~avx_1_ecx;
	} else if (leaf == 7) {
		out[1] &= ~avx_7_ebx;
		out[2] &= ~avx_7_ecx;
		out[3] = 0;
	} else if (leaf == 0xd) {
		out[0] = out[1] = out[2] = out[3] = 0;
	}
}

/* As the processor gives it, less what this backend or the boot line keeps from guests. */
void vcpu_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	cpuid(leaf, subleaf, out);
	if (!vmx_machine.has_xsave) {
		hide_xsave(leaf, out);
	} else if (leaf == 0xd && subleaf == 0) {
		out[0] &= (uint32_t)vmx_machine.xcr0_allowed;
		out[3] &= (uint32_t)(vmx_machine.xcr0_allowed >> 32);
	} else if (leaf == 0xd && subleaf == 1 && !vmx_machine.has_xsavec) {
		out[0] &= ~BIT32(1);
	}
}

uint64_t vcpu_hw_cr0_allowed(void)
{
	return vmx_machine.cr0_allowed;
}

uint64_t vcpu_hw_cr4_allowed(void)
{
	return vmx_machine.cr4_allowed;
}

COLD uint64_t vcpu_hw_xcr0_allowed(void)
{
	return vmx_machine.has_xsave ? vmx_machine.xcr0_allowed : 0;
}
