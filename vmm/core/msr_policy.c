/* Reading and writing MSRs by the table in msr_rows.c, and the values they begin with. */
#include "vmm/core/msr_policy.h"

#include "arch/x86/msr.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/cr_policy.h"
#include "vmm/core/vm.h"

#define MTRR_TYPE_UC 0u
#define MTRR_TYPE_WB 6u
#define MTRR_WB_8 0x0606060606060606ull

static uint64_t *stored(struct vcpu *v, const struct msr_row *row, uint32_t msr)
{
	return (uint64_t *)(void *)((char *)v + row->field) + (msr - row->first);
}

static enum vcpu_reg seam_register(const struct msr_row *row, uint32_t msr)
{
	return (enum vcpu_reg)(row->reg + (msr - row->first));
}

int msr_policy_read(struct vcpu *v, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
	if (row == NULL)
		return ERR_FAULT;
	switch ((enum msr_action)row->action) {
	case MSR_DENY:
		break;
	case MSR_VALUE:
	case MSR_IGNORE:
		*value = row->value;
		return 0;
	case MSR_STORE:
		*value = *stored(v, row, msr);
		return 0;
	case MSR_REGISTER:
		*value = vcpu_hw_get(v, seam_register(row, msr));
		return 0;
	case MSR_LAPIC:
	case MSR_TIME_STAMP:
	case MSR_TIME_ADJUST:
		return ERR_NOSUP;
	}
	return ERR_FAULT;
}

static int write_register(struct vcpu *v, const struct msr_row *row, uint32_t msr, uint64_t value)
{
	if ((value & ~row->writable) != 0 || (row->refusal != NULL && row->refusal(v, msr, value) != NULL))
		return ERR_FAULT;
	if (msr == MSR_EFER)
		value = efer_effective(value, vcpu_hw_get(v, VCPU_CR0));
	vcpu_hw_set(v, seam_register(row, msr), value);
	return 0;
}

int msr_policy_write(struct vcpu *v, const struct msr_row *row, uint32_t msr, uint64_t value)
{
	if (row == NULL)
		return ERR_FAULT;
	switch ((enum msr_action)row->action) {
	case MSR_DENY:
	case MSR_VALUE:
		break;
	case MSR_IGNORE:
		return 0;
	case MSR_STORE:
		if (((value ^ row->value) & ~row->writable) != 0 ||
		    (row->refusal != NULL && row->refusal(v, msr, value) != NULL))
			break;
		*stored(v, row, msr) = value;
		return 0;
	case MSR_REGISTER:
		return write_register(v, row, msr, value);
	case MSR_LAPIC:
	case MSR_TIME_STAMP:
	case MSR_TIME_ADJUST:
		return ERR_NOSUP;
	}
	return ERR_FAULT;
}

COLD void msr_policy_reset(struct vcpu *v)
{
	const struct msr_row *row;

	msr_policy_make_index();
	for (size_t i = 0; (row = msr_policy_row(i)) != NULL; i++)
		for (uint32_t msr = row->first; row->action == MSR_STORE && msr <= row->last; msr++)
			*stored(v, row, msr) = row->value;
}

COLD void msr_policy_set_firmware_mtrrs(struct vcpu *v, uint64_t pci_hole)
{
	uint64_t hole_bytes = 4 * GIB - pci_hole;

	assert(is_pow2(hole_bytes) && IS_ALIGNED(pci_hole, hole_bytes));
	for (unsigned i = 0; i < ARRAY_LEN(v->msr_mtrr_fixed); i++)
		v->msr_mtrr_fixed[i] = MTRR_WB_8;
	v->msr_mtrr_fixed[2] = 0; /* 0xa0000 to 0xbffff */
	v->msr_mtrr_var[0] = pci_hole | MTRR_TYPE_UC;
	v->msr_mtrr_var[1] = (bits_mask(v->vm->cpuid->phys_bits - 1, 0) & ~(hole_bytes - 1)) | MTRR_PHYSMASK_VALID;
	v->msr_mtrr_def_type = MTRR_DEF_ENABLE | MTRR_DEF_FIXED_ENABLE | MTRR_TYPE_WB;
}
