/* What happens when a guest reads or writes a model-specific register. A table with one row and one reason for each MSR or
 * range; an MSR without a row does not exist for guests: #GP(0). SDM 4 "Model-Specific Registers (MSRs)". */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/errors.h"
#include "vmm/core/vcpu_hw.h"

enum msr_action {
	MSR_DENY,       /* #GP(0), with a reason worth saying */
	MSR_VALUE,      /* reads give row->value, writes are #GP(0) */
	MSR_IGNORE,     /* reads give row->value, writes go nowhere */
	MSR_STORE,      /* a value of the vCPU's; bits outside row->writable must be as in row->value */
	MSR_REGISTER,   /* a register behind the seam, row->reg; bits outside row->writable must be 0 */
	MSR_LAPIC,      /* vlapic_msr_read(), vlapic_msr_write() */
	MSR_TIME_STAMP, /* IA32_TIME_STAMP_COUNTER: a write moves vcpu->tsc_offset and vcpu->tsc_adjust */
	MSR_TIME_ADJUST /* IA32_TSC_ADJUST: a write moves the offset by the difference */
};

struct msr_row {
	uint32_t first, last;
	const char *name;
	uint8_t action;                 /* enum msr_action */
	uint8_t reg;                    /* MSR_REGISTER: enum vcpu_reg */
	bool direct_read, direct_write; /* does not leave the guest */
	uint16_t field;                 /* MSR_STORE: offset in struct vcpu of first's value; the next follow */
	uint64_t value;
	uint64_t writable;
	/* MSR_STORE, MSR_REGISTER: more rules; NULL when there are none. Returns the broken one in words, or NULL. */
	const char *(*refusal)(struct vcpu *v, uint32_t msr, uint64_t value);
	const char *why;
};

/* Makes the index that msr_policy_find() uses. msr_policy_reset() does it: no vCPU runs before it was reset.
 * Context: the CPU that makes VMs; again at any time, when it does nothing. */
void msr_policy_make_index(void);

/* The row of an MSR, or NULL: it does not exist. */
const struct msr_row *msr_policy_find(uint32_t msr);

/* Row i, or NULL behind the last one: for `info msr`. */
const struct msr_row *msr_policy_row(size_t i);

/* Read or write through the table; row: of msr_policy_find(), may be NULL.
 * Returns 0; ERR_FAULT: the guest gets #GP(0); ERR_NOSUP: MSR_LAPIC and the MSR_TIME kinds are the caller's. */
MUST_CHECK int msr_policy_read(struct vcpu *v, const struct msr_row *row, uint32_t msr, uint64_t *value);
MUST_CHECK int msr_policy_write(struct vcpu *v, const struct msr_row *row, uint32_t msr, uint64_t value);

/* The values of the vCPU's own MSRs (MSR_STORE) after power-on. INIT keeps them. */
void msr_policy_reset(struct vcpu *v);

/* The MTRRs as firmware sets them up: memory is write-back, but for the hole under 1 MiB and the one that ends at 4 GiB.
 * For guests that start without firmware; the same on every vCPU. pci_hole: a power of two below 4 GiB from which to 4 GiB
 * it is uncacheable. */
void msr_policy_set_firmware_mtrrs(struct vcpu *v, uint64_t pci_hole);
