/* Model specific registers: numbers and bits after SDM 4 "Architectural MSRs". Constants only.
 * "always": every processor with long mode has it, so plain rdmsr() will do; everything else goes through msr_safe.h or
 * behind the CPUID bit named. */
#pragma once

#define MSR_TSC 0x10u /* always */
#define MSR_PLATFORM_ID 0x17u
#define MSR_APIC_BASE 0x1bu /* CPUID.1:EDX.APIC */
#define APIC_BASE_BSP (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_ADDR 0x000ffffffffff000ull

#define MSR_FEATURE_CONTROL 0x3au /* CPUID.1:ECX.VMX or SMX */
#define FEATURE_CONTROL_LOCK (1ull << 0)
#define FEATURE_CONTROL_VMX_IN_SMX (1ull << 1)
#define FEATURE_CONTROL_VMX (1ull << 2)

#define MSR_TSC_ADJUST 0x3bu /* CPUID.7.0:EBX[1] */
#define MSR_SPEC_CTRL 0x48u  /* CPUID.7.0:EDX[26] */
#define MSR_PRED_CMD 0x49u
#define MSR_BIOS_UPDT_TRIG 0x79u
#define MSR_BIOS_SIGN_ID 0x8bu
#define MSR_PLATFORM_INFO 0xceu
#define MSR_MTRR_CAP 0xfeu /* CPUID.1:EDX.MTRR */
#define MTRR_CAP_COUNT_MASK 0xffull
#define MTRR_CAP_FIXED (1ull << 8)
#define MTRR_CAP_WC (1ull << 10)
#define MSR_ARCH_CAPABILITIES 0x10au
#define MSR_FLUSH_CMD 0x10bu
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_MCG_CAP 0x179u /* CPUID.1:EDX.MCA */
#define MSR_MCG_STATUS 0x17au
#define MSR_MISC_ENABLE 0x1a0u
#define MISC_ENABLE_FAST_STRINGS (1ull << 0)
#define MISC_ENABLE_LIMIT_CPUID (1ull << 22)
#define MISC_ENABLE_XD_DISABLE (1ull << 34)
#define MSR_DEBUGCTL 0x1d9u
#define MSR_MTRR_PHYSBASE0 0x200u /* BASE and MASK of range n at 0x200 + 2n */
#define MSR_MTRR_PHYSMASK0 0x201u
#define MTRR_PHYSMASK_VALID (1ull << 11)
#define MSR_MTRR_FIX64K_00000 0x250u
#define MSR_MTRR_FIX16K_80000 0x258u
#define MSR_MTRR_FIX16K_A0000 0x259u
#define MSR_MTRR_FIX4K_C0000 0x268u
#define MSR_MTRR_FIX4K_F8000 0x26fu
#define MSR_PAT 0x277u /* CPUID.1:EDX.PAT */
#define MSR_MTRR_DEF_TYPE 0x2ffu
#define MTRR_DEF_TYPE_MASK 0xffull
#define MTRR_DEF_FIXED_ENABLE (1ull << 10)
#define MTRR_DEF_ENABLE (1ull << 11)
#define MSR_PERF_GLOBAL_CTRL 0x38fu

/* Capabilities of VMX, SDM 3 appendix A. */
#define MSR_VMX_BASIC 0x480u
#define MSR_VMX_PINBASED_CTLS 0x481u
#define MSR_VMX_PROCBASED_CTLS 0x482u
#define MSR_VMX_EXIT_CTLS 0x483u
#define MSR_VMX_ENTRY_CTLS 0x484u
#define MSR_VMX_MISC 0x485u
#define MSR_VMX_CR0_FIXED0 0x486u
#define MSR_VMX_CR0_FIXED1 0x487u
#define MSR_VMX_CR4_FIXED0 0x488u
#define MSR_VMX_CR4_FIXED1 0x489u
#define MSR_VMX_VMCS_ENUM 0x48au
#define MSR_VMX_PROCBASED_CTLS2 0x48bu
#define MSR_VMX_EPT_VPID_CAP 0x48cu
#define MSR_VMX_TRUE_PINBASED_CTLS 0x48du
#define MSR_VMX_TRUE_PROCBASED_CTLS 0x48eu
#define MSR_VMX_TRUE_EXIT_CTLS 0x48fu
#define MSR_VMX_TRUE_ENTRY_CTLS 0x490u
#define MSR_VMX_VMFUNC 0x491u
#define MSR_VMX_PROCBASED_CTLS3 0x492u

#define MSR_TSC_DEADLINE 0x6e0u /* CPUID.1:ECX.TSC_DEADLINE */
#define MSR_X2APIC_BASE 0x800u  /* register at offset N of the page is MSR 0x800 + N / 16 */
#define MSR_X2APIC_LAST 0x8ffu
#define MSR_XSS 0xda0u /* CPUID.0DH.1:EAX.XSAVES */

#define MSR_EFER 0xc0000080u /* always */
#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)
#define EFER_SVME (1ull << 12)
#define MSR_STAR 0xc0000081u /* always, with the following five */
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u /* CPUID.80000001H:EDX.RDTSCP, or RDPID */
#define MSR_VM_CR 0xc0010114u   /* AMD */
