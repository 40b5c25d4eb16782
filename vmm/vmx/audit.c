/* The rules of the audit after a VM exit: see audit.h. Pure. */
#include "vmm/vmx/audit.h"

#include "arch/x86/gdt.h"
#include "kernel/lib/assert.h"

#define DR7_AFTER_EXIT 0x400u
#define TABLE_LIMIT_AFTER_EXIT 0xffffu

static_assert(AUDIT_COUNT <= 64, "a bit for each in struct audit_state");

static const char *const names[AUDIT_COUNT] = {
	[AUDIT_CR0] = "CR0",
	[AUDIT_CR3] = "CR3",
	[AUDIT_CR4] = "CR4",
	[AUDIT_CR8] = "CR8",
	[AUDIT_DR7] = "DR7",
	[AUDIT_RFLAGS] = "RFLAGS",
	[AUDIT_EFER] = "IA32_EFER",
	[AUDIT_PAT] = "IA32_PAT",
	[AUDIT_XSS] = "IA32_XSS",
	[AUDIT_DEBUGCTL] = "IA32_DEBUGCTL",
	[AUDIT_PERF_GLOBAL_CTRL] = "IA32_PERF_GLOBAL_CTRL",
	[AUDIT_SYSENTER_CS] = "IA32_SYSENTER_CS",
	[AUDIT_SYSENTER_ESP] = "IA32_SYSENTER_ESP",
	[AUDIT_SYSENTER_EIP] = "IA32_SYSENTER_EIP",
	[AUDIT_FS_BASE] = "FS base",
	[AUDIT_GS_BASE] = "GS base",
	[AUDIT_CS] = "CS",
	[AUDIT_SS] = "SS",
	[AUDIT_DS] = "DS",
	[AUDIT_ES] = "ES",
	[AUDIT_FS] = "FS",
	[AUDIT_GS] = "GS",
	[AUDIT_TR] = "TR",
	[AUDIT_LDTR] = "LDTR",
	[AUDIT_GDTR_BASE] = "GDTR base",
	[AUDIT_GDTR_LIMIT] = "GDTR limit",
	[AUDIT_IDTR_BASE] = "IDTR base",
	[AUDIT_IDTR_LIMIT] = "IDTR limit",
	[AUDIT_XCR0] = "XCR0",
	[AUDIT_CR2] = "CR2",
	[AUDIT_DR0] = "DR0",
	[AUDIT_DR1] = "DR1",
	[AUDIT_DR2] = "DR2",
	[AUDIT_DR3] = "DR3",
	[AUDIT_DR6] = "DR6",
	[AUDIT_STAR] = "IA32_STAR",
	[AUDIT_LSTAR] = "IA32_LSTAR",
	[AUDIT_CSTAR] = "IA32_CSTAR",
	[AUDIT_FMASK] = "IA32_FMASK",
	[AUDIT_KERNEL_GS_BASE] = "IA32_KERNEL_GS_BASE",
	[AUDIT_TSC_AUX] = "IA32_TSC_AUX",
};

const char *audit_name(enum audit_item item)
{
	return names[item];
}

/* Most are as they were. SYSENTER, FS and GS are not used and have no values of their own (vmcs_setup.c writes 0); the rest of
 * the list is what every exit loads, whatever the VMCS says. */
void audit_expect(const struct audit_state *before, struct audit_state *expected)
{
	*expected = *before;
	expected->value[AUDIT_DR7] = DR7_AFTER_EXIT;
	expected->value[AUDIT_RFLAGS] = 0;
	expected->value[AUDIT_DEBUGCTL] = 0;
	expected->value[AUDIT_SYSENTER_CS] = 0;
	expected->value[AUDIT_SYSENTER_ESP] = 0;
	expected->value[AUDIT_SYSENTER_EIP] = 0;
	expected->value[AUDIT_CS] = SEL_CODE;
	expected->value[AUDIT_SS] = SEL_DATA;
	expected->value[AUDIT_DS] = SEL_DATA;
	expected->value[AUDIT_ES] = SEL_DATA;
	expected->value[AUDIT_FS] = 0;
	expected->value[AUDIT_GS] = 0;
	expected->value[AUDIT_TR] = SEL_TSS;
	expected->value[AUDIT_LDTR] = 0;
	expected->value[AUDIT_GDTR_LIMIT] = TABLE_LIMIT_AFTER_EXIT;
	expected->value[AUDIT_IDTR_LIMIT] = TABLE_LIMIT_AFTER_EXIT;
}

enum audit_item audit_compare(const struct audit_state *expected, const struct audit_state *found,
			      enum audit_item first, enum audit_item end)
{
	for (enum audit_item i = first; i < end; i++) {
		if ((expected->has >> i & 1) != 0 && expected->value[i] != found->value[i])
			return i;
	}
	return AUDIT_COUNT;
}
