/* The checker of VM entries: every rule that the processor applies before it enters a guest, applied to a copy of the VMCS, so
 * that a refusal can be told as "this field, this value, this rule". Pure.
 * Follows SDM 3 "VM Entries": "Checks on VMX Controls and Host-State Area" and "Checking and Loading Guest State". */
#pragma once

#include "kernel/lib/assert.h"
#include "kernel/lib/compiler.h"
#include "vmm/vmx/vmcs_fields.h"
#include "vmm/vmx/vmx_caps.h"

/* All fields of a VMCS, by position in the list of vmcs_fields.h. A field that the processor does not have is 0. */
struct vmcs_snapshot {
	uint64_t value[VMCS_FIELD_COUNT];
};

/* The field to write a value to, in a copy. */
static inline uint64_t *vmcs_snapshot_field(struct vmcs_snapshot *s, uint32_t field)
{
	int index = vmcs_field_index(field);

	assert(index >= 0);
	return &s->value[index];
}

static inline uint64_t vmcs_snapshot_get(const struct vmcs_snapshot *s, uint32_t field)
{
	int index = vmcs_field_index(field);

	assert(index >= 0);
	return s->value[index];
}

/* What the rules depend on beside the VMCS. */
struct vmx_check_env {
	const struct vmx_caps *caps;
	unsigned phys_bits;   /* width of physical addresses */
	unsigned linear_bits; /* 48, or 57 when the processor has LA57 */
	bool has_sgx;         /* CPUID.7:EBX[2] */
	bool has_rtm;         /* CPUID.7:EBX[11] */
};

struct vmx_violation {
	uint32_t field;
	uint64_t value;
	const char *rule;   /* in words: "must be canonical" */
	const char *source; /* title of the manual's section */
};

typedef void vmx_violation_fn(void *ctx, const struct vmx_violation *v);

/* Report each broken rule; returns how many. v and what it points to are gone when the callback returns. Rules about memory
 * that a field points to (the TPR in the virtual-APIC page, MSR areas, a linked VMCS) are not looked at. */
unsigned vmx_check(const struct vmcs_snapshot *s, const struct vmx_check_env *env, vmx_violation_fn *report, void *ctx);
