/* Why the processor refused an entry, in words. Pure.
 * Follows SDM 3 "VM-Instruction Error Numbers" and "VM-Entry Failures During or After Loading Guest State". */
#include "kernel/lib/format.h"
#include "vmm/core/vm_exit.h"
#include "vmm/vmx/vmx_words.h"

static const char *const insn_errors[] = {
	[1] = "VMCALL executed in VMX root operation",
	[2] = "VMCLEAR with invalid physical address",
	[3] = "VMCLEAR with VMXON pointer",
	[4] = "VMLAUNCH with non-clear VMCS",
	[5] = "VMRESUME with non-launched VMCS",
	[6] = "VMRESUME after VMXOFF",
	[7] = "VM entry with invalid control field(s)",
	[8] = "VM entry with invalid host-state field(s)",
	[9] = "VMPTRLD with invalid physical address",
	[10] = "VMPTRLD with VMXON pointer",
	[11] = "VMPTRLD with incorrect VMCS revision identifier",
	[12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
	[13] = "VMWRITE to read-only VMCS component",
	[15] = "VMXON executed in VMX root operation",
	[16] = "VM entry with invalid executive-VMCS pointer",
	[17] = "VM entry with non-launched executive VMCS",
	[18] = "VM entry with executive-VMCS pointer not VMXON pointer",
	[19] = "VMCALL with non-clear VMCS",
	[20] = "VMCALL with invalid VM-exit control fields",
	[22] = "VMCALL with incorrect MSEG revision identifier",
	[23] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
	[24] = "VMCALL with invalid SMM-monitor features",
	[25] = "VM entry with invalid VM-execution control fields in executive VMCS",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "invalid operand to INVEPT/INVVPID",
};

const char *vmx_insn_error_text(uint32_t error)
{
	return error < ARRAY_LEN(insn_errors) && insn_errors[error] ? insn_errors[error] : "unknown error";
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
