/* Why the processor refused an entry, in words. Pure.
 * Follows SDM 3 "VM-Instruction Error Numbers" and "VM-Entry Failures During or After Loading Guest State". */
#include "kernel/lib/format.h"
#include "kernel/lib/texts.h"
#include "vmm/core/vm_exit.h"
#include "vmm/vmx/vmx_words.h"

/* In the order of their numbers, empty where there is none. */
/* clang-format off */
static const char insn_errors[] =
	"\0" /* 0 */
	"VMCALL executed in VMX root operation\0"
	"VMCLEAR with invalid physical address\0"
	"VMCLEAR with VMXON pointer\0"
	"VMLAUNCH with non-clear VMCS\0"
	"VMRESUME with non-launched VMCS\0"
	"VMRESUME after VMXOFF\0"
	"VM entry with invalid control field(s)\0"
	"VM entry with invalid host-state field(s)\0" /* 8 */
	"VMPTRLD with invalid physical address\0"
	"VMPTRLD with VMXON pointer\0"
	"VMPTRLD with incorrect VMCS revision identifier\0"
	"VMREAD/VMWRITE from/to unsupported VMCS component\0"
	"VMWRITE to read-only VMCS component\0"
	"\0" /* 14 */
	"VMXON executed in VMX root operation\0"
	"VM entry with invalid executive-VMCS pointer\0" /* 16 */
	"VM entry with non-launched executive VMCS\0"
	"VM entry with executive-VMCS pointer not VMXON pointer\0"
	"VMCALL with non-clear VMCS\0"
	"VMCALL with invalid VM-exit control fields\0"
	"\0" /* 21 */
	"VMCALL with incorrect MSEG revision identifier\0"
	"VMXOFF under dual-monitor treatment of SMIs and SMM\0"
	"VMCALL with invalid SMM-monitor features\0" /* 24 */
	"VM entry with invalid VM-execution control fields in executive VMCS\0"
	"VM entry with events blocked by MOV SS\0"
	"\0" /* 27 */
	"invalid operand to INVEPT/INVVPID\0";
/* clang-format on */
#define INSN_ERRORS 29u

const char *vmx_insn_error_text(uint32_t error)
{
	const char *text = error < INSN_ERRORS ? text_nth(insn_errors, error) : "";

	return *text != '\0' ? text : "unknown error";
}

/* What the qualification of reason 33 adds. */
static const char *guest_state_detail(uint64_t qualification)
{
	switch (qualification) {
	case 2:
		return ": the page-directory-pointer-table entries are not valid";
	case 3:
		return ": an NMI cannot be injected while blocking by STI or MOV SS is on";
	case 4:
		return ": the VMCS link pointer is not valid";
	default:
		return "";
	}
}

int vmx_describe_entry_failure(char *out, size_t size, uint32_t reason, uint64_t qualification)
{
	switch (reason) {
	case EXIT_BAD_GUEST_STATE:
		return (int)fmt_snprintf(out, size, "VM entry failed: the guest state is not valid%s",
					 guest_state_detail(qualification));
	case EXIT_BAD_MSR_LOAD:
		return (int)fmt_snprintf(out, size, "VM entry failed: entry %llu of the MSR-load area cannot be loaded",
					 (unsigned long long)qualification);
	case EXIT_MACHINE_CHECK_ENTRY:
		return (int)fmt_snprintf(out, size, "VM entry failed: a machine check occurred during it");
	default:
		return (int)fmt_snprintf(out, size, "VM entry failed: reason %u, qualification 0x%llx", reason,
					 (unsigned long long)qualification);
	}
}
