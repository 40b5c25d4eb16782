/* RDMSR and WRMSR: the table in vmm/core/msr_policy.c, and the two kinds of rows that need a device or the clock. */
#include "vmm/exit/handlers.h"

#include "arch/x86/msr.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "vmm/core/msr_policy.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"
#include "vmm/exit/tsc.h"

static int read_special(struct vcpu *v, const struct msr_row *row, uint32_t msr, uint64_t *value)
{
	switch (row->action) {
	case MSR_LAPIC:
		return vlapic_msr_read(v->lapic, msr, value);
	case MSR_TIME_STAMP:
		*value = vcpu_tsc_read(v);
		return 0;
	default: /* MSR_TIME_ADJUST */
		*value = v->tsc_adjust;
		return 0;
	}
}

static int write_special(struct vcpu *v, const struct msr_row *row, uint32_t msr, uint64_t value)
{
	switch (row->action) {
	case MSR_LAPIC:
		return vlapic_msr_write(v->lapic, msr, value);
	case MSR_TIME_STAMP:
		vcpu_tsc_write(v, value);
		return 0;
	default: /* MSR_TIME_ADJUST */
		v->tsc_adjust = value;
		vcpu_tsc_changed(v);
		return 0;
	}
}

static enum verdict result(struct vcpu *v, int err)
{
	if (likely(err == 0))
		return VERDICT_SKIP;
	vcpu_queue_gp(v);
	return VERDICT_RESUME;
}

static inline enum verdict give(struct vcpu *v, uint64_t value)
{
	v->gpr[GPR_RAX] = (uint32_t)value;
	v->gpr[GPR_RDX] = value >> 32;
	return VERDICT_SKIP;
}

/* The rows that lead to a device or the clock are the ones that a running kernel uses: those of the table come after. */
static inline bool is_special(const struct msr_row *row)
{
	return row != NULL && row->action >= MSR_LAPIC;
}

static_assert(MSR_LAPIC > MSR_REGISTER && MSR_TIME_STAMP > MSR_REGISTER && MSR_TIME_ADJUST > MSR_REGISTER,
	      "is_special()");

__attribute__((noinline)) static enum verdict read_by_row(struct vcpu *v, uint32_t msr)
{
	const struct msr_row *row = msr_policy_find(msr);
	uint64_t value = 0;
	int err = is_special(row) ? read_special(v, row, msr, &value) : msr_policy_read(v, row, msr, &value);

	return err == 0 ? give(v, value) : result(v, err);
}

__attribute__((noinline)) static enum verdict write_by_row(struct vcpu *v, uint32_t msr, uint64_t value)
{
	const struct msr_row *row = msr_policy_find(msr);

	return result(v, is_special(row) ? write_special(v, row, msr, value) : msr_policy_write(v, row, msr, value));
}

static inline bool is_x2apic(uint32_t msr)
{
	return msr - MSR_X2APIC_BASE <= MSR_X2APIC_LAST - MSR_X2APIC_BASE;
}

/* The two kinds that a guest uses all the time go straight to where their rows of the table lead. */
enum verdict exit_rdmsr(struct vcpu *v, const struct vm_exit *e)
{
	uint32_t msr = (uint32_t)v->gpr[GPR_RCX];

	(void)e;
	if (msr == MSR_TSC_ADJUST)
		return give(v, v->tsc_adjust);
	if (is_x2apic(msr)) {
		uint64_t value = vlapic_x2apic_read(v->lapic, msr);

		return likely(value != VLAPIC_NO_REGISTER) ? give(v, value) : result(v, ERR_FAULT);
	}
	return read_by_row(v, msr);
}

enum verdict exit_wrmsr(struct vcpu *v, const struct vm_exit *e)
{
	uint32_t msr = (uint32_t)v->gpr[GPR_RCX];
	uint64_t value = (v->gpr[GPR_RDX] << 32) | (uint32_t)v->gpr[GPR_RAX];

	(void)e;
	if (msr == MSR_TSC_ADJUST) {
		v->tsc_adjust = value;
		vcpu_tsc_changed(v);
		return VERDICT_SKIP;
	}
	if (is_x2apic(msr))
		return result(v, vlapic_x2apic_write(v->lapic, msr, value));
	return write_by_row(v, msr, value);
}
