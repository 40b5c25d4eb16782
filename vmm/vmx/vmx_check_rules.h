/* Inside the checker only: what its files share. A rule is one call of check_that() with the condition that must hold. */
#pragma once

#include "kernel/lib/bits.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_check.h"

struct check {
	const struct vmcs_snapshot *s;
	const struct vmx_check_env *env;
	vmx_violation_fn *report;
	void *ctx;
	unsigned broken;
	const char *source;           /* title of the section whose rules are being applied */
	uint32_t word[VMX_CTL_WORDS]; /* control words in force: secondary ones 0 when they are not activated */
};

/* Report `rule` for `field` unless `ok`. */
void check_that(struct check *c, bool ok, uint32_t field, const char *rule);

static inline uint64_t field(const struct check *c, uint32_t encoding)
{
	return vmcs_snapshot_get(c->s, encoding);
}

static inline bool ctl(const struct check *c, enum vmx_ctl_word word, uint32_t bit)
{
	return (c->word[word] & bit) != 0;
}

static inline bool canonical(const struct check *c, uint64_t address)
{
	return (uint64_t)bits_sign_extend(address, c->env->linear_bits) == address;
}

static inline bool within_phys(const struct check *c, uint64_t address)
{
	return address >> c->env->phys_bits == 0;
}

/* The memory types that a PAT entry may have: 0, 1, 4 to 7. */
static inline bool pat_valid(uint64_t pat)
{
	for (unsigned i = 0; i < 8; i++, pat >>= 8) {
		uint64_t type = pat & 0xff;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

/* An event is injected by this entry (and then: of what type, with what vector). */
static inline bool injects(const struct check *c)
{
	return (field(c, VMCS_ENTRY_INTR_INFO) & INTR_VALID) != 0;
}

static inline unsigned inject_type(const struct check *c)
{
	return (unsigned)((field(c, VMCS_ENTRY_INTR_INFO) & INTR_TYPE_MASK) >> INTR_TYPE_SHIFT);
}

static inline bool injects_type(const struct check *c, unsigned type)
{
	return injects(c) && inject_type(c) == type;
}

/* Bits hi to lo, which are reserved or have no meaning. */
void check_zero(struct check *c, uint32_t field, unsigned hi, unsigned lo);
void check_nonzero(struct check *c, uint32_t field);

/* Address of a structure: aligned, and inside the physical-address space. */
void check_address(struct check *c, uint32_t field, uint64_t alignment);
void check_canonical(struct check *c, uint32_t field);

void check_execution_controls(struct check *c);
void check_exit_controls(struct check *c);
void check_entry_controls(struct check *c);
void check_host(struct check *c);
void check_guest_registers(struct check *c);
void check_guest_segments(struct check *c);
void check_guest_state(struct check *c);
