/* Control registers and XCR0: the writes that the processor does not do by itself. What is legal is in vmm/core/cr_policy.c;
 * here it is applied, with the one side effect a MOV to CR has and a VMWRITE has not: loading the PAE page-directory
 * pointers (SDM 3 "PDPTE Registers"). */
#include "vmm/exit/handlers.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/bytes.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/cr_policy.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"

#define PDPTE_P BIT64(0)
#define PDPTE_RESERVED 0x1e6ull /* bits 2:1, 8:5 */

static struct cr_state state_of(struct vcpu *v)
{
	struct segment cs;

	vcpu_hw_get_segment(v, SEG_CS, &cs);
	return (struct cr_state){
		.cr0 = vcpu_hw_get(v, VCPU_CR0),
		.cr3 = vcpu_hw_get(v, VCPU_CR3),
		.cr4 = vcpu_hw_get(v, VCPU_CR4),
		.efer = vcpu_hw_get(v, VCPU_EFER),
		.code64 = (cs.access & SEGMENT_LONG) != 0,
	};
}

static enum verdict refuse(struct vcpu *v)
{
	vcpu_queue_gp(v);
	return VERDICT_RESUME;
}

/* PAE paging without long mode keeps four entries in the processor: they are read when it begins or changes. */
static bool load_pdptes(struct vcpu *v)
{
	uint64_t cr0 = vcpu_hw_get(v, VCPU_CR0), cr4 = vcpu_hw_get(v, VCPU_CR4), pdptes[4];
	uint64_t reserved = PDPTE_RESERVED | ~(BIT64(v->vm->cpuid->phys_bits) - 1);
	uint8_t bytes[32];

	if ((cr0 & CR0_PG) == 0 || (cr4 & CR4_PAE) == 0 || (vcpu_hw_get(v, VCPU_EFER) & EFER_LMA) != 0)
		return true;
	if (guest_mem_read(&v->vm->mem, vcpu_hw_get(v, VCPU_CR3) & 0xffffffe0, bytes, sizeof(bytes)) != 0)
		return false;
	for (unsigned i = 0; i < 4; i++) {
		pdptes[i] = load_le64(bytes + 8 * i);
		if ((pdptes[i] & PDPTE_P) != 0 && (pdptes[i] & reserved) != 0)
			return false;
	}
	vcpu_hw_set_pdptes(v, pdptes);
	return true;
}

/* Write CR0 or CR4, or leave everything as it was and fault. */
static enum verdict write_cr(struct vcpu *v, enum vcpu_reg reg, uint64_t value, const char *refused)
{
	uint64_t before = vcpu_hw_get(v, reg), efer = vcpu_hw_get(v, VCPU_EFER);

	if (refused != NULL)
		return refuse(v);
	vcpu_forget_sites(v);
	vcpu_hw_set(v, reg, value);
	if (!load_pdptes(v)) {
		vcpu_hw_set(v, reg, before);
		vcpu_hw_set(v, VCPU_EFER, efer);
		return refuse(v);
	}
	return VERDICT_SKIP;
}

static enum verdict write_cr0(struct vcpu *v, uint64_t value)
{
	struct cr_state now = state_of(v);

	return write_cr(v, VCPU_CR0, cr0_effective(value), cr0_refusal(&now, value));
}

static enum verdict write_cr4(struct vcpu *v, uint64_t value)
{
	struct cr_state now = state_of(v);

	return write_cr(v, VCPU_CR4, value, cr4_refusal(&now, value, vcpu_hw_cr4_allowed() & v->vm->cpuid->cr4));
}

/* LMSW writes CR0[3:0]; it can set PE but not clear it (SDM 2 "LMSW"). */
static enum verdict lmsw(struct vcpu *v, uint16_t msw)
{
	uint64_t cr0 = vcpu_hw_get(v, VCPU_CR0);

	return write_cr0(v, (cr0 & ~0xeull) | (msw & 0xf));
}

static enum verdict cr8(struct vcpu *v, const struct vm_exit *e)
{
	if (e->cr.op == CR_MOV_FROM) {
		vcpu_set_gpr(v, e->cr.gpr, vlapic_get_cr8(v->lapic));
		return VERDICT_SKIP;
	}
	if (vcpu_gpr(v, e->cr.gpr) > 0xf)
		return refuse(v);
	vlapic_set_cr8(v->lapic, (uint8_t)vcpu_gpr(v, e->cr.gpr));
	return VERDICT_SKIP;
}

enum verdict exit_cr_access(struct vcpu *v, const struct vm_exit *e)
{
	if (e->cr.cr == 8)
		return cr8(v, e);
	if (e->cr.cr == 0 && e->cr.op == CR_LMSW)
		return lmsw(v, e->cr.msw);
	if (e->cr.cr == 0 && e->cr.op == CR_CLTS)
		return write_cr0(v, vcpu_hw_get(v, VCPU_CR0) & ~CR0_TS);
	if (e->cr.cr == 0 && e->cr.op == CR_MOV_TO)
		return write_cr0(v, vcpu_gpr(v, e->cr.gpr));
	if (e->cr.cr == 4 && e->cr.op == CR_MOV_TO)
		return write_cr4(v, vcpu_gpr(v, e->cr.gpr));
	vm_set_crash(v->vm, v, "access to CR%u (operation %u), which was not asked to leave the guest", e->cr.cr,
		     e->cr.op);
	return VERDICT_CRASH;
}

/* XSETBV leaves the guest always; privilege and OSXSAVE the processor has checked. */
enum verdict exit_xsetbv(struct vcpu *v, const struct vm_exit *e)
{
	uint64_t value = (v->gpr[GPR_RDX] << 32) | (uint32_t)v->gpr[GPR_RAX];

	(void)e;
	if (xcr0_refusal((uint32_t)v->gpr[GPR_RCX], value, v->vm->cpuid->xcr0) != NULL)
		return refuse(v);
	vcpu_hw_set(v, VCPU_XCR0, value);
	return VERDICT_SKIP;
}
