/* The checker of VM entries: its order and its tools. The rules stand in vmx_check_*.c, one file a section of the manual. */
#include "vmm/vmx/vmx_check.h"

#include "kernel/lib/format.h"
#include "vmm/vmx/vmx_check_rules.h"

void check_that(struct check *c, bool ok, uint32_t encoding, const char *rule)
{
	struct vmx_violation v;

	if (ok)
		return;
	v = (struct vmx_violation){encoding, field(c, encoding), rule, c->source};
	c->broken++;
	c->report(c->ctx, &v);
}

void check_zero(struct check *c, uint32_t encoding, unsigned hi, unsigned lo)
{
	char rule[32];

	fmt_snprintf(rule, sizeof(rule), hi == lo ? "bit %u must be 0" : "bits %u:%u must be 0", hi, lo);
	check_that(c, bits_extract(field(c, encoding), hi, lo) == 0, encoding, rule);
}

void check_nonzero(struct check *c, uint32_t encoding)
{
	check_that(c, field(c, encoding) != 0, encoding, "must not be 0");
}

void check_address(struct check *c, uint32_t encoding, uint64_t alignment)
{
	uint64_t address = field(c, encoding);

	check_that(c, IS_ALIGNED(address, alignment), encoding, "the address must be aligned (its low bits are not 0)");
	check_that(c, within_phys(c, address), encoding, "the address must not exceed the physical-address width");
}

void check_canonical(struct check *c, uint32_t encoding)
{
	check_that(c, canonical(c, field(c, encoding)), encoding, "the address must be canonical");
}

/* Controls that are not activated count as 0, whatever their field holds. */
static void take_controls(struct check *c)
{
	c->word[VMX_CTL_PIN] = (uint32_t)field(c, VMCS_PIN_CTLS);
	c->word[VMX_CTL_PROC] = (uint32_t)field(c, VMCS_PROC_CTLS);
	c->word[VMX_CTL_PROC2] = ctl(c, VMX_CTL_PROC, PROC_SECONDARY) ? (uint32_t)field(c, VMCS_PROC_CTLS2) : 0;
	c->word[VMX_CTL_EXIT] = (uint32_t)field(c, VMCS_EXIT_CTLS);
	c->word[VMX_CTL_ENTRY] = (uint32_t)field(c, VMCS_ENTRY_CTLS);
}

unsigned vmx_check(const struct vmcs_snapshot *s, const struct vmx_check_env *env, vmx_violation_fn *report, void *ctx)
{
	struct check c = {.s = s, .env = env, .report = report, .ctx = ctx};

	take_controls(&c);
	check_execution_controls(&c);
	check_exit_controls(&c);
	check_entry_controls(&c);
	check_host(&c);
	check_guest_registers(&c);
	check_guest_segments(&c);
	check_guest_state(&c);
	return c.broken;
}
