/* The names of exit reasons, after SDM 3 appendix C "VMX Basic Exit Reasons". */
#include "kernel/lib/texts.h"
#include "vmm/core/vm_exit.h"

/* In the order of their numbers, empty where there is none. */
/* clang-format off */
static const char names[] =
	"exception or NMI\0" /* 0 */
	"external interrupt\0"
	"triple fault\0"
	"INIT signal\0"
	"start-up IPI\0"
	"I/O SMI\0"
	"other SMI\0"
	"interrupt window\0"
	"NMI window\0" /* 8 */
	"task switch\0"
	"CPUID\0"
	"GETSEC\0"
	"HLT\0"
	"INVD\0"
	"INVLPG\0"
	"RDPMC\0"
	"RDTSC\0" /* 16 */
	"RSM\0"
	"VMCALL\0"
	"VMCLEAR\0"
	"VMLAUNCH\0"
	"VMPTRLD\0"
	"VMPTRST\0"
	"VMREAD\0"
	"VMRESUME\0" /* 24 */
	"VMWRITE\0"
	"VMXOFF\0"
	"VMXON\0"
	"control-register access\0"
	"MOV DR\0"
	"I/O instruction\0"
	"RDMSR\0"
	"WRMSR\0" /* 32 */
	"VM entry failed: invalid guest state\0"
	"VM entry failed: MSR loading\0"
	"\0" /* 35 */
	"MWAIT\0"
	"monitor trap flag\0"
	"\0" /* 38 */
	"MONITOR\0"
	"PAUSE\0" /* 40 */
	"VM entry failed: machine check\0"
	"\0" /* 42 */
	"TPR below threshold\0"
	"APIC access\0"
	"virtualized EOI\0"
	"access to GDTR or IDTR\0"
	"access to LDTR or TR\0"
	"EPT violation\0" /* 48 */
	"EPT misconfiguration\0"
	"INVEPT\0"
	"RDTSCP\0"
	"preemption timer\0"
	"INVVPID\0"
	"WBINVD\0"
	"XSETBV\0"
	"APIC write\0" /* 56 */
	"RDRAND\0"
	"INVPCID\0"
	"VMFUNC\0"
	"ENCLS\0"
	"RDSEED\0"
	"page-modification log full\0"
	"XSAVES\0"
	"XRSTORS\0" /* 64 */
	"PCONFIG\0"
	"SPP-related event\0"
	"UMWAIT\0"
	"TPAUSE\0"
	"LOADIWKEY\0";
/* clang-format on */

const char *exit_reason_name(uint32_t reason)
{
	const char *name = reason < EXIT_REASON_COUNT ? text_nth(names, reason) : "";

	return *name != '\0' ? name : "?";
}
