/* The MSR table: one row and one reason each. The index beside it makes finding a row a matter of a few instructions. */
#include "vmm/core/msr_policy.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/cr_policy.h"
#include "vmm/core/vm.h"

#define MSR_EBL_CR_POWERON 0x2au
#define MSR_HYPERV_FIRST 0x40000000u
#define MSR_HYPERV_LAST 0x400001ffu
#define MSR_KVM_FIRST 0x4b564d00u
#define MSR_KVM_LAST 0x4b564dffu

#define MISC_ENABLE_NO_BTS (1ull << 11)
#define MISC_ENABLE_NO_PEBS (1ull << 12)
#define DEBUGCTL_BTF (1ull << 1)
#define MICROCODE_REVISION (1ull << 32) /* the revision is in the upper half */
#define MTRR_VARIABLE 8u

/* --- rules for values --- */

static bool is_memory_type(uint64_t type)
{
	return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

static const char *check_mtrr_def_type(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)v;
	(void)msr;
	return is_memory_type(value & MTRR_DEF_TYPE_MASK) ? NULL : "IA32_MTRR_DEF_TYPE: no such memory type";
}

static const char *check_mtrr_fixed(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)v;
	(void)msr;
	for (unsigned i = 0; i < 64; i += 8)
		if (!is_memory_type(value >> i & 0xff))
			return "fixed-range MTRR: no such memory type";
	return NULL;
}

/* Even MSRs are bases with a type, odd ones masks with a valid bit. */
static const char *check_mtrr_variable(struct vcpu *v, uint32_t msr, uint64_t value)
{
	if (value >> v->vm->cpuid->phys_bits != 0)
		return "variable-range MTRR: a bit above the width of physical addresses";
	if ((msr & 1) != 0)
		return (value & 0x7ff) != 0 ? "IA32_MTRR_PHYSMASK: reserved bits 10:0" : NULL;
	if ((value & 0xf00) != 0)
		return "IA32_MTRR_PHYSBASE: reserved bits 11:8";
	return is_memory_type(value & 0xff) ? NULL : "IA32_MTRR_PHYSBASE: no such memory type";
}

static const char *check_pat(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)v;
	(void)msr;
	return pat_refusal(value);
}

static const char *check_efer(struct vcpu *v, uint32_t msr, uint64_t value)
{
	struct cr_state now = {.cr0 = vcpu_hw_get(v, VCPU_CR0), .efer = vcpu_hw_get(v, VCPU_EFER)};

	(void)msr;
	return efer_refusal(&now, value, v->vm->cpuid->efer);
}

/* Targets are addresses, which the processor refuses when they are not canonical; a guest's have 48 bits. */
static const char *check_syscall(struct vcpu *v, uint32_t msr, uint64_t value)
{
	(void)v;
	if (msr == MSR_FMASK)
		return value >> 32 != 0 ? "IA32_FMASK: reserved bits 63:32" : NULL;
	if (msr == MSR_STAR || (uint64_t)bits_sign_extend(value, 48) == value)
		return NULL;
	return "IA32_LSTAR, IA32_CSTAR: the address is not canonical";
}

/* --- the table --- */

enum row {
	ROW_NONE, /* no row */
	ROW_TSC,
	ROW_PLATFORM_ID,
	ROW_APIC_BASE,
	ROW_EBL_CR_POWERON,
	ROW_FEATURE_CONTROL,
	ROW_TSC_ADJUST,
	ROW_SPEC_CTRL,
	ROW_BIOS_SIGN_ID,
	ROW_PLATFORM_INFO,
	ROW_MTRR_CAP,
	ROW_ARCH_CAPABILITIES,
	ROW_SYSENTER,
	ROW_MCG_CAP,
	ROW_MCG_STATUS,
	ROW_MISC_ENABLE,
	ROW_DEBUGCTL,
	ROW_MTRR_VARIABLE,
	ROW_MTRR_FIX64K,
	ROW_MTRR_FIX16K,
	ROW_MTRR_FIX4K,
	ROW_PAT,
	ROW_MTRR_DEF_TYPE,
	ROW_PERF_GLOBAL,
	ROW_VMX,
	ROW_TSC_DEADLINE,
	ROW_X2APIC,
	ROW_XSS,
	ROW_HYPERV,
	ROW_KVM,
	ROW_EFER,
	ROW_SYSCALL,
	ROW_SEGMENT_BASES,
	ROW_TSC_AUX,
	ROW_COUNT
};

#define FIELD(name) ((uint16_t)offsetof(struct vcpu, name))

static const struct msr_row rows[ROW_COUNT] = {
	[ROW_TSC] = {.first = MSR_TSC,
		     .last = MSR_TSC,
		     .name = "IA32_TIME_STAMP_COUNTER",
		     .action = MSR_TIME_STAMP,
		     .direct_read = true,
		     .why = "reads get the processor's TSC plus the VM's offset; writes move the offset"},
	[ROW_PLATFORM_ID] = {.first = MSR_PLATFORM_ID,
			     .last = MSR_PLATFORM_ID,
			     .name = "IA32_PLATFORM_ID",
			     .action = MSR_VALUE,
			     .why = "read by microcode loaders; a guest has no socket"},
	[ROW_APIC_BASE] = {.first = MSR_APIC_BASE,
			   .last = MSR_APIC_BASE,
			   .name = "IA32_APIC_BASE",
			   .action = MSR_LAPIC,
			   .why = "mode of the emulated APIC"},
	[ROW_EBL_CR_POWERON] = {.first = MSR_EBL_CR_POWERON,
				.last = MSR_EBL_CR_POWERON,
				.name = "MSR_EBL_CR_POWERON",
				.action = MSR_VALUE,
				.why = "old systems read a clock ratio here; 0 tells nothing"},
	[ROW_FEATURE_CONTROL] = {.first = MSR_FEATURE_CONTROL,
				 .last = MSR_FEATURE_CONTROL,
				 .name = "IA32_FEATURE_CONTROL",
				 .action = MSR_VALUE,
				 .value = FEATURE_CONTROL_LOCK,
				 .why = "locked with VMX off, as firmware leaves it that does not want it"},
	[ROW_TSC_ADJUST] = {.first = MSR_TSC_ADJUST,
			    .last = MSR_TSC_ADJUST,
			    .name = "IA32_TSC_ADJUST",
			    .action = MSR_TIME_ADJUST,
			    .why = "each vCPU's own shift of the TSC"},
	[ROW_SPEC_CTRL] = {.first = MSR_SPEC_CTRL,
			   .last = MSR_PRED_CMD,
			   .name = "IA32_SPEC_CTRL, IA32_PRED_CMD",
			   .action = MSR_DENY,
			   .why = "not offered in CPUID: nothing would switch them between guest and host"},
	[ROW_BIOS_SIGN_ID] = {.first = MSR_BIOS_SIGN_ID,
			      .last = MSR_BIOS_SIGN_ID,
			      .name = "IA32_BIOS_SIGN_ID",
			      .action = MSR_IGNORE,
			      .value = MICROCODE_REVISION,
			      .why = "guests write 0, then read the microcode's revision; it is the host's business"},
	[ROW_PLATFORM_INFO] = {.first = MSR_PLATFORM_INFO,
			       .last = MSR_PLATFORM_INFO,
			       .name = "MSR_PLATFORM_INFO",
			       .action = MSR_VALUE,
			       .why = "no CPUID faulting, no ratios: frequencies are in CPUID"},
	[ROW_MTRR_CAP] = {.first = MSR_MTRR_CAP,
			  .last = MSR_MTRR_CAP,
			  .name = "IA32_MTRRCAP",
			  .action = MSR_VALUE,
			  .value = MTRR_VARIABLE | MTRR_CAP_FIXED | MTRR_CAP_WC,
			  .why = "eight variable ranges, the fixed ones, write combining"},
	[ROW_ARCH_CAPABILITIES] = {.first = MSR_ARCH_CAPABILITIES,
				   .last = MSR_FLUSH_CMD,
				   .name = "IA32_ARCH_CAPABILITIES, IA32_FLUSH_CMD",
				   .action = MSR_DENY,
				   .why = "not offered in CPUID, with the speculation controls they belong to"},
	[ROW_SYSENTER] = {.first = MSR_SYSENTER_CS,
			  .last = MSR_SYSENTER_EIP,
			  .name = "IA32_SYSENTER_CS, _ESP, _EIP",
			  .action = MSR_REGISTER,
			  .reg = VCPU_SYSENTER_CS,
			  .writable = UINT64_MAX,
			  .direct_read = true,
			  .direct_write = true,
			  .why = "the processor switches them at entry and exit"},
	[ROW_MCG_CAP] = {.first = MSR_MCG_CAP,
			 .last = MSR_MCG_CAP,
			 .name = "IA32_MCG_CAP",
			 .action = MSR_VALUE,
			 .why = "machine checks are the host's: no banks"},
	[ROW_MCG_STATUS] = {.first = MSR_MCG_STATUS,
			    .last = MSR_MCG_STATUS,
			    .name = "IA32_MCG_STATUS",
			    .action = MSR_STORE,
			    .field = FIELD(msr_mcg_status),
			    .why = "nothing pending; may be cleared"},
	[ROW_MISC_ENABLE] = {.first = MSR_MISC_ENABLE,
			     .last = MSR_MISC_ENABLE,
			     .name = "IA32_MISC_ENABLE",
			     .action = MSR_STORE,
			     .field = FIELD(msr_misc_enable),
			     .value = MISC_ENABLE_FAST_STRINGS | MISC_ENABLE_NO_BTS | MISC_ENABLE_NO_PEBS,
			     .writable = MISC_ENABLE_FAST_STRINGS,
			     .why = "fast strings on, no branch trace, no PEBS; the rest is not there to be switched"},
	[ROW_DEBUGCTL] = {.first = MSR_DEBUGCTL,
			  .last = MSR_DEBUGCTL,
			  .name = "IA32_DEBUGCTL",
			  .action = MSR_REGISTER,
			  .reg = VCPU_DEBUGCTL,
			  .writable = DEBUGCTL_BTF,
			  .why = "single-step on branches; no branch records, no branch trace"},
	[ROW_MTRR_VARIABLE] = {.first = MSR_MTRR_PHYSBASE0,
			       .last = MSR_MTRR_PHYSBASE0 + 2 * MTRR_VARIABLE - 1,
			       .name = "IA32_MTRR_PHYSBASE0 to IA32_MTRR_PHYSMASK7",
			       .action = MSR_STORE,
			       .field = FIELD(msr_mtrr_var),
			       .writable = UINT64_MAX,
			       .refusal = check_mtrr_variable,
			       .why = "kept for the guest; memory types come from the second-level tables"},
	[ROW_MTRR_FIX64K] = {.first = MSR_MTRR_FIX64K_00000,
			     .last = MSR_MTRR_FIX64K_00000,
			     .name = "IA32_MTRR_FIX64K_00000",
			     .action = MSR_STORE,
			     .field = FIELD(msr_mtrr_fixed),
			     .writable = UINT64_MAX,
			     .refusal = check_mtrr_fixed,
			     .why = "kept for the guest"},
	[ROW_MTRR_FIX16K] = {.first = MSR_MTRR_FIX16K_80000,
			     .last = MSR_MTRR_FIX16K_A0000,
			     .name = "IA32_MTRR_FIX16K_80000, _A0000",
			     .action = MSR_STORE,
			     .field = FIELD(msr_mtrr_fixed) + 8,
			     .writable = UINT64_MAX,
			     .refusal = check_mtrr_fixed,
			     .why = "kept for the guest"},
	[ROW_MTRR_FIX4K] = {.first = MSR_MTRR_FIX4K_C0000,
			    .last = MSR_MTRR_FIX4K_F8000,
			    .name = "IA32_MTRR_FIX4K_C0000 to _F8000",
			    .action = MSR_STORE,
			    .field = FIELD(msr_mtrr_fixed) + 24,
			    .writable = UINT64_MAX,
			    .refusal = check_mtrr_fixed,
			    .why = "kept for the guest"},
	[ROW_PAT] = {.first = MSR_PAT,
		     .last = MSR_PAT,
		     .name = "IA32_PAT",
		     .action = MSR_REGISTER,
		     .reg = VCPU_PAT,
		     .writable = UINT64_MAX,
		     .refusal = check_pat,
		     .direct_read = true,
		     .direct_write = true,
		     .why = "the processor switches it at entry and exit, and checks what is written"},
	[ROW_MTRR_DEF_TYPE] = {.first = MSR_MTRR_DEF_TYPE,
			       .last = MSR_MTRR_DEF_TYPE,
			       .name = "IA32_MTRR_DEF_TYPE",
			       .action = MSR_STORE,
			       .field = FIELD(msr_mtrr_def_type),
			       .writable = MTRR_DEF_TYPE_MASK | MTRR_DEF_FIXED_ENABLE | MTRR_DEF_ENABLE,
			       .refusal = check_mtrr_def_type,
			       .why = "kept for the guest"},
	[ROW_PERF_GLOBAL] = {.first = MSR_PERF_GLOBAL_CTRL - 1,
			     .last = MSR_PERF_GLOBAL_CTRL + 1,
			     .name = "IA32_PERF_GLOBAL_STATUS, _CTRL, _OVF_CTRL",
			     .action = MSR_DENY,
			     .why = "performance counters are not virtualised"},
	[ROW_VMX] = {.first = MSR_VMX_BASIC,
		     .last = MSR_VMX_PROCBASED_CTLS3,
		     .name = "IA32_VMX_BASIC to IA32_VMX_PROCBASED_CTLS3",
		     .action = MSR_DENY,
		     .why = "guests have no VMX"},
	[ROW_TSC_DEADLINE] = {.first = MSR_TSC_DEADLINE,
			      .last = MSR_TSC_DEADLINE,
			      .name = "IA32_TSC_DEADLINE",
			      .action = MSR_LAPIC,
			      .why = "the APIC's timer: the processor's own where it may be, else emulated"},
	[ROW_X2APIC] = {.first = MSR_X2APIC_BASE,
			.last = MSR_X2APIC_LAST,
			.name = "x2APIC registers",
			.action = MSR_LAPIC,
			.why = "emulated APIC, in x2APIC mode"},
	[ROW_XSS] = {.first = MSR_XSS,
		     .last = MSR_XSS,
		     .name = "IA32_XSS",
		     .action = MSR_DENY,
		     .why = "XSAVES is not offered in CPUID"},
	[ROW_HYPERV] = {.first = MSR_HYPERV_FIRST,
			.last = MSR_HYPERV_LAST,
			.name = "Hyper-V MSRs",
			.action = MSR_DENY,
			.why = "this is not Hyper-V, and CPUID does not say so"},
	[ROW_KVM] = {.first = MSR_KVM_FIRST,
		     .last = MSR_KVM_LAST,
		     .name = "KVM MSRs",
		     .action = MSR_DENY,
		     .why = "no paravirtual interface is offered"},
	[ROW_EFER] = {.first = MSR_EFER,
		      .last = MSR_EFER,
		      .name = "IA32_EFER",
		      .action = MSR_REGISTER,
		      .reg = VCPU_EFER,
		      .writable = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
		      .refusal = check_efer,
		      .direct_read = true,
		      .why = "writes are checked against the guest's CPUID; LMA is the processor's"},
	[ROW_SYSCALL] = {.first = MSR_STAR,
			 .last = MSR_FMASK,
			 .name = "IA32_STAR, LSTAR, CSTAR, FMASK",
			 .action = MSR_REGISTER,
			 .reg = VCPU_STAR,
			 .writable = UINT64_MAX,
			 .refusal = check_syscall,
			 .direct_read = true,
			 .why = "they stay in the processor; written once, and so known without being read"},
	[ROW_SEGMENT_BASES] = {.first = MSR_FS_BASE,
			       .last = MSR_KERNEL_GS_BASE,
			       .name = "IA32_FS_BASE, IA32_GS_BASE, IA32_KERNEL_GS_BASE",
			       .action = MSR_VALUE, /* never asked: direct both ways */
			       .direct_read = true,
			       .direct_write = true,
			       .why = "part of the guest's segments; the host uses no SWAPGS"},
	[ROW_TSC_AUX] = {.first = MSR_TSC_AUX,
			 .last = MSR_TSC_AUX,
			 .name = "IA32_TSC_AUX",
			 .action = MSR_REGISTER,
			 .reg = VCPU_TSC_AUX,
			 .writable = UINT32_MAX,
			 .direct_read = true,
			 .why = "as for SYSCALL"},
};

/* A row for several MSRs goes with registers that follow each other in the same order. */
static_assert(VCPU_SYSENTER_EIP - VCPU_SYSENTER_CS == MSR_SYSENTER_EIP - MSR_SYSENTER_CS,
	      "SYSENTER registers in order");
static_assert(VCPU_FMASK - VCPU_STAR == MSR_FMASK - MSR_STAR, "SYSCALL registers in order");
static_assert(sizeof(((struct vcpu *)0)->msr_mtrr_var) == 16 * MTRR_VARIABLE, "one base and one mask a range");
static_assert(sizeof(struct vcpu) <= UINT16_MAX || offsetof(struct vcpu, ring) <= UINT16_MAX, "fields fit row->field");

/* --- finding --- */

#define LOW_COUNT 0x700u
#define HIGH_BASE MSR_EFER
#define HIGH_COUNT (MSR_TSC_AUX - MSR_EFER + 1)

/* For each MSR the number of its row. Made of the rows, since 2 KB of zeroes take no room in the image. */
static uint8_t low_index[LOW_COUNT], high_index[HIGH_COUNT];

void msr_policy_make_index(void)
{
	if (low_index[MSR_TSC] != ROW_NONE)
		return;
	for (unsigned i = ROW_NONE + 1; i < ARRAY_LEN(rows); i++) {
		for (uint32_t msr = rows[i].first; msr <= rows[i].last && msr < LOW_COUNT; msr++)
			low_index[msr] = (uint8_t)i;
		for (uint32_t msr = rows[i].first; msr <= rows[i].last && msr - HIGH_BASE < HIGH_COUNT; msr++)
			high_index[msr - HIGH_BASE] = (uint8_t)i;
	}
}

/* Those that no index covers; nobody is in a hurry there. */
static unsigned find_elsewhere(uint32_t msr)
{
	static const uint8_t others[] = {ROW_XSS, ROW_HYPERV, ROW_KVM};

	for (unsigned i = 0; i < ARRAY_LEN(others); i++)
		if (msr >= rows[others[i]].first && msr <= rows[others[i]].last)
			return others[i];
	return ROW_NONE;
}

const struct msr_row *msr_policy_find(uint32_t msr)
{
	unsigned row;

	if (msr < LOW_COUNT)
		row = low_index[msr];
	else if (msr - MSR_X2APIC_BASE <= MSR_X2APIC_LAST - MSR_X2APIC_BASE)
		row = ROW_X2APIC;
	else if (msr - HIGH_BASE < HIGH_COUNT)
		row = high_index[msr - HIGH_BASE];
	else
		row = find_elsewhere(msr);
	return row == ROW_NONE ? NULL : &rows[row];
}

const struct msr_row *msr_policy_row(size_t i)
{
	return i + 1 < ROW_COUNT ? &rows[i + 1] : NULL;
}
