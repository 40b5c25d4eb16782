/* The names that SDM 3 gives to the bits of the control words ("VM-Execution Control Fields", "VM-Exit Control Fields",
 * "VM-Entry Control Fields"), for messages. */
#include "vmm/vmx/vmx_caps.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/texts.h"

/* 32 for each word, from bit 0; empty where a bit is reserved. */
/* clang-format off */
static const char *const names[VMX_CTL_WORDS] = {
	[VMX_CTL_PIN] =
		"external-interrupt exiting\0" /* 0 */
		"\0\0"
		"NMI exiting\0" /* 3 */
		"\0"
		"virtual NMIs\0" /* 5 */
		"activate VMX-preemption timer\0" /* 6 */
		"process posted interrupts\0" /* 7 */
		"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
	[VMX_CTL_PROC] =
		"\0\0"
		"interrupt-window exiting\0" /* 2 */
		"use TSC offsetting\0" /* 3 */
		"\0\0\0"
		"HLT exiting\0" /* 7 */
		"\0"
		"INVLPG exiting\0" /* 9 */
		"MWAIT exiting\0" /* 10 */
		"RDPMC exiting\0" /* 11 */
		"RDTSC exiting\0" /* 12 */
		"\0\0"
		"CR3-load exiting\0" /* 15 */
		"CR3-store exiting\0" /* 16 */
		"activate tertiary controls\0" /* 17 */
		"\0"
		"CR8-load exiting\0" /* 19 */
		"CR8-store exiting\0" /* 20 */
		"use TPR shadow\0" /* 21 */
		"NMI-window exiting\0" /* 22 */
		"MOV-DR exiting\0" /* 23 */
		"unconditional I/O exiting\0" /* 24 */
		"use I/O bitmaps\0" /* 25 */
		"\0"
		"monitor trap flag\0" /* 27 */
		"use MSR bitmaps\0" /* 28 */
		"MONITOR exiting\0" /* 29 */
		"PAUSE exiting\0" /* 30 */
		"activate secondary controls\0" /* 31 */,
	[VMX_CTL_PROC2] =
		"virtualize APIC accesses\0" /* 0 */
		"enable EPT\0" /* 1 */
		"descriptor-table exiting\0" /* 2 */
		"enable RDTSCP\0" /* 3 */
		"virtualize x2APIC mode\0" /* 4 */
		"enable VPID\0" /* 5 */
		"WBINVD exiting\0" /* 6 */
		"unrestricted guest\0" /* 7 */
		"APIC-register virtualization\0" /* 8 */
		"virtual-interrupt delivery\0" /* 9 */
		"PAUSE-loop exiting\0" /* 10 */
		"RDRAND exiting\0" /* 11 */
		"enable INVPCID\0" /* 12 */
		"enable VM functions\0" /* 13 */
		"VMCS shadowing\0" /* 14 */
		"enable ENCLS exiting\0" /* 15 */
		"RDSEED exiting\0" /* 16 */
		"enable PML\0" /* 17 */
		"EPT-violation #VE\0" /* 18 */
		"conceal VMX from PT\0" /* 19 */
		"enable XSAVES/XRSTORS\0" /* 20 */
		"\0"
		"mode-based execute control for EPT\0" /* 22 */
		"sub-page write permissions for EPT\0" /* 23 */
		"Intel PT uses guest physical addresses\0" /* 24 */
		"use TSC scaling\0" /* 25 */
		"enable user wait and pause\0" /* 26 */
		"enable PCONFIG\0" /* 27 */
		"enable ENCLV exiting\0" /* 28 */
		"\0\0\0",
	[VMX_CTL_EXIT] =
		"\0\0"
		"save debug controls\0" /* 2 */
		"\0\0\0\0\0\0"
		"host address-space size\0" /* 9 */
		"\0\0"
		"load IA32_PERF_GLOBAL_CTRL\0" /* 12 */
		"\0\0"
		"acknowledge interrupt on exit\0" /* 15 */
		"\0\0"
		"save IA32_PAT\0" /* 18 */
		"load IA32_PAT\0" /* 19 */
		"save IA32_EFER\0" /* 20 */
		"load IA32_EFER\0" /* 21 */
		"save VMX-preemption timer value\0" /* 22 */
		"clear IA32_BNDCFGS\0" /* 23 */
		"conceal VMX from PT\0" /* 24 */
		"clear IA32_RTIT_CTL\0" /* 25 */
		"clear IA32_LBR_CTL\0" /* 26 */
		"\0"
		"load CET state\0" /* 28 */
		"load PKRS\0" /* 29 */
		"save IA32_PERF_GLOBAL_CTRL\0" /* 30 */
		"activate secondary controls\0" /* 31 */,
	[VMX_CTL_ENTRY] =
		"\0\0"
		"load debug controls\0" /* 2 */
		"\0\0\0\0\0\0"
		"IA-32e mode guest\0" /* 9 */
		"entry to SMM\0" /* 10 */
		"deactivate dual-monitor treatment\0" /* 11 */
		"\0"
		"load IA32_PERF_GLOBAL_CTRL\0" /* 13 */
		"load IA32_PAT\0" /* 14 */
		"load IA32_EFER\0" /* 15 */
		"load IA32_BNDCFGS\0" /* 16 */
		"conceal VMX from PT\0" /* 17 */
		"load IA32_RTIT_CTL\0" /* 18 */
		"load UINV\0" /* 19 */
		"load CET state\0" /* 20 */
		"load guest IA32_LBR_CTL\0" /* 21 */
		"load PKRS\0" /* 22 */
		"\0\0\0\0\0\0\0\0\0",
};
/* clang-format on */

const char *vmx_ctl_name(enum vmx_ctl_word word, unsigned bit)
{
	const char *name;

	assert(word < VMX_CTL_WORDS && bit < 32);
	name = text_nth(names[word], bit);
	return *name != '\0' ? name : "reserved";
}

const char *vmx_ctl_word_name(enum vmx_ctl_word word)
{
	static const char *const words[] = {"pin-based controls", "processor-based controls",
					    "secondary processor-based controls", "VM-exit controls",
					    "VM-entry controls"};

	static_assert(ARRAY_LEN(words) == VMX_CTL_WORDS, "one name per word");
	assert(word < VMX_CTL_WORDS);
	return words[word];
}
