/* Bits of VT-x: execution, entry and exit controls, events, exit qualifications, guest non-register state. Constants only;
 * each block names its place in SDM 3. The names of control bits in words stand in vmx_ctl_names.c. */
#pragma once

#include "kernel/lib/compiler.h"

/* "Pin-Based VM-Execution Controls". */
#define PIN_EXTERNAL_INTERRUPT BIT32(0)
#define PIN_NMI BIT32(3)
#define PIN_VIRTUAL_NMIS BIT32(5)
#define PIN_PREEMPTION_TIMER BIT32(6)
#define PIN_POSTED_INTERRUPTS BIT32(7)

/* "Processor-Based VM-Execution Controls": primary. */
#define PROC_INTERRUPT_WINDOW BIT32(2)
#define PROC_TSC_OFFSETTING BIT32(3)
#define PROC_HLT BIT32(7)
#define PROC_INVLPG BIT32(9)
#define PROC_MWAIT BIT32(10)
#define PROC_RDPMC BIT32(11)
#define PROC_RDTSC BIT32(12)
#define PROC_CR3_LOAD BIT32(15)
#define PROC_CR3_STORE BIT32(16)
#define PROC_TERTIARY BIT32(17)
#define PROC_CR8_LOAD BIT32(19)
#define PROC_CR8_STORE BIT32(20)
#define PROC_TPR_SHADOW BIT32(21)
#define PROC_NMI_WINDOW BIT32(22)
#define PROC_MOV_DR BIT32(23)
#define PROC_UNCONDITIONAL_IO BIT32(24)
#define PROC_IO_BITMAPS BIT32(25)
#define PROC_MONITOR_TRAP BIT32(27)
#define PROC_MSR_BITMAPS BIT32(28)
#define PROC_MONITOR BIT32(29)
#define PROC_PAUSE BIT32(30)
#define PROC_SECONDARY BIT32(31)

/* Secondary. */
#define PROC2_VIRTUALIZE_APIC_ACCESSES BIT32(0)
#define PROC2_EPT BIT32(1)
#define PROC2_DESCRIPTOR_TABLE BIT32(2)
#define PROC2_RDTSCP BIT32(3)
#define PROC2_VIRTUALIZE_X2APIC BIT32(4)
#define PROC2_VPID BIT32(5)
#define PROC2_WBINVD BIT32(6)
#define PROC2_UNRESTRICTED_GUEST BIT32(7)
#define PROC2_APIC_REGISTERS BIT32(8)
#define PROC2_VIRTUAL_INTERRUPTS BIT32(9)
#define PROC2_PAUSE_LOOP BIT32(10)
#define PROC2_RDRAND BIT32(11)
#define PROC2_INVPCID BIT32(12)
#define PROC2_VM_FUNCTIONS BIT32(13)
#define PROC2_VMCS_SHADOWING BIT32(14)
#define PROC2_ENCLS BIT32(15)
#define PROC2_RDSEED BIT32(16)
#define PROC2_PML BIT32(17)
#define PROC2_VIRTUAL_EXCEPTION BIT32(18)
#define PROC2_CONCEAL_FROM_PT BIT32(19)
#define PROC2_XSAVES BIT32(20)
#define PROC2_MODE_BASED_EXECUTE BIT32(22)
#define PROC2_SUB_PAGE_WRITE BIT32(23)
#define PROC2_PT_GPA BIT32(24)
#define PROC2_TSC_SCALING BIT32(25)
#define PROC2_USER_WAIT BIT32(26)
#define PROC2_PCONFIG BIT32(27)
#define PROC2_ENCLV BIT32(28)

/* "VM-Exit Controls". */
#define EXIT_CTL_SAVE_DEBUG BIT32(2)
#define EXIT_CTL_HOST_64 BIT32(9)
#define EXIT_CTL_LOAD_PERF_GLOBAL BIT32(12)
#define EXIT_CTL_ACK_INTERRUPT BIT32(15)
#define EXIT_CTL_SAVE_PAT BIT32(18)
#define EXIT_CTL_LOAD_PAT BIT32(19)
#define EXIT_CTL_SAVE_EFER BIT32(20)
#define EXIT_CTL_LOAD_EFER BIT32(21)
#define EXIT_CTL_SAVE_PREEMPTION_TIMER BIT32(22)
#define EXIT_CTL_CLEAR_BNDCFGS BIT32(23)
#define EXIT_CTL_CONCEAL_FROM_PT BIT32(24)
#define EXIT_CTL_CLEAR_RTIT BIT32(25)
#define EXIT_CTL_CLEAR_LBR BIT32(26)
#define EXIT_CTL_LOAD_CET BIT32(28)
#define EXIT_CTL_LOAD_PKRS BIT32(29)
#define EXIT_CTL_SAVE_PERF_GLOBAL BIT32(30)
#define EXIT_CTL_SECONDARY BIT32(31)

/* "VM-Entry Controls". */
#define ENTRY_CTL_LOAD_DEBUG BIT32(2)
#define ENTRY_CTL_IA32E_GUEST BIT32(9)
#define ENTRY_CTL_TO_SMM BIT32(10)
#define ENTRY_CTL_END_DUAL_MONITOR BIT32(11)
#define ENTRY_CTL_LOAD_PERF_GLOBAL BIT32(13)
#define ENTRY_CTL_LOAD_PAT BIT32(14)
#define ENTRY_CTL_LOAD_EFER BIT32(15)
#define ENTRY_CTL_LOAD_BNDCFGS BIT32(16)
#define ENTRY_CTL_CONCEAL_FROM_PT BIT32(17)
#define ENTRY_CTL_LOAD_RTIT BIT32(18)
#define ENTRY_CTL_LOAD_UINV BIT32(19)
#define ENTRY_CTL_LOAD_CET BIT32(20)
#define ENTRY_CTL_LOAD_LBR BIT32(21)
#define ENTRY_CTL_LOAD_PKRS BIT32(22)

/* Interruption information: "VM-Entry Controls for Event Injection", "Information for VM Exits Due to Vectored Events",
 * "Information for VM Exits That Occur During Event Delivery". */
#define INTR_VECTOR_MASK 0xffu
#define INTR_TYPE_SHIFT 8u
#define INTR_TYPE_MASK (7u << INTR_TYPE_SHIFT)
#define INTR_ERROR_CODE BIT32(11)
#define INTR_NMI_UNBLOCKING BIT32(12) /* exits only: the cause was an IRET that had ended blocking by NMI */
#define INTR_VALID BIT32(31)
#define INTR_TYPE_EXTERNAL 0u
#define INTR_TYPE_RESERVED 1u
#define INTR_TYPE_NMI 2u
#define INTR_TYPE_HARDWARE_EXCEPTION 3u
#define INTR_TYPE_SOFTWARE_INTERRUPT 4u
#define INTR_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION 5u
#define INTR_TYPE_SOFTWARE_EXCEPTION 6u
#define INTR_TYPE_OTHER 7u /* entries only: a pending MTF exit with vector 0 */

/* "Guest Non-Register State". */
#define BLOCKING_STI BIT32(0)
#define BLOCKING_MOV_SS BIT32(1)
#define BLOCKING_SMI BIT32(2)
#define BLOCKING_NMI BIT32(3)
#define BLOCKING_ENCLAVE BIT32(4)
#define BLOCKING_SHADOWS (BLOCKING_STI | BLOCKING_MOV_SS)
#define ACTIVITY_ACTIVE 0u
#define ACTIVITY_HLT 1u
#define ACTIVITY_SHUTDOWN 2u
#define ACTIVITY_WAIT_SIPI 3u
#define PENDING_DEBUG_ENABLED BIT64(12)
#define PENDING_DEBUG_BS BIT64(14)
#define PENDING_DEBUG_RTM BIT64(16)

/* Segment access rights as the VMCS holds them. */
#define SEG_ACCESS_TYPE 0xfu
#define SEG_ACCESS_S BIT32(4)
#define SEG_ACCESS_DPL_SHIFT 5u
#define SEG_ACCESS_P BIT32(7)
#define SEG_ACCESS_L BIT32(13)
#define SEG_ACCESS_DB BIT32(14)
#define SEG_ACCESS_G BIT32(15)
#define SEG_ACCESS_UNUSABLE BIT32(16)
#define SEG_ACCESS_RESERVED 0xfffe0f00u

/* "Basic VM-Exit Information". */
#define EXIT_REASON_BASIC 0xffffu
#define EXIT_REASON_ENTRY_FAILURE BIT32(31)

/* Exit qualification: debug exceptions (the pending bits of DR6, plus bits 12 and 16). */
#define QUAL_DEBUG_BREAKPOINTS 0xfull
#define QUAL_DEBUG_BD BIT64(13)
#define QUAL_DEBUG_BS BIT64(14)
#define QUAL_DEBUG_RTM BIT64(16)

/* Task switch: selector 15:0, source 31:30. */
#define QUAL_TASK_SOURCE_SHIFT 30u

/* Control-register access: register 3:0, kind 5:4, LMSW operand 6, general register 11:8, LMSW source data 31:16. */
#define QUAL_CR_KIND_SHIFT 4u
#define QUAL_CR_GPR_SHIFT 8u
#define QUAL_CR_LMSW_SHIFT 16u

/* MOV DR: register 2:0, direction 4 (1 = from DR), general register 11:8. */
#define QUAL_DR_FROM BIT64(4)

/* I/O: size - 1 2:0, IN 3, string 4, REP 5, immediate operand 6, port 31:16. */
#define QUAL_IO_IN BIT64(3)
#define QUAL_IO_STRING BIT64(4)
#define QUAL_IO_REP BIT64(5)
#define QUAL_IO_PORT_SHIFT 16u

/* Instruction information of INS and OUTS: address size 9:7 (2, 4 or 8 bytes as 0, 1, 2), segment 17:15 (OUTS). */
#define INFO_IO_ADDR_SIZE_SHIFT 7u
#define INFO_IO_SEG_SHIFT 15u

/* APIC access: offset 11:0, kind 15:12. */
#define APIC_ACCESS_LINEAR_READ 0u
#define APIC_ACCESS_LINEAR_WRITE 1u
#define APIC_ACCESS_LINEAR_FETCH 2u
#define APIC_ACCESS_LINEAR_EVENT 3u
#define APIC_ACCESS_PHYSICAL_EVENT 10u
#define APIC_ACCESS_PHYSICAL 15u

/* EPT violation. */
#define QUAL_EPT_READ BIT64(0)
#define QUAL_EPT_WRITE BIT64(1)
#define QUAL_EPT_FETCH BIT64(2)
#define QUAL_EPT_READABLE BIT64(3)
#define QUAL_EPT_WRITABLE BIT64(4)
#define QUAL_EPT_EXECUTABLE BIT64(5)
#define QUAL_EPT_GVA_VALID BIT64(7)
#define QUAL_EPT_FINAL BIT64(8) /* with bit 7: the access was to the operand, not to a paging-structure entry */
#define QUAL_EPT_NMI_UNBLOCKING BIT64(12)

/* INVEPT and INVVPID types. */
#define INVEPT_SINGLE 1u
#define INVEPT_ALL 2u
#define INVVPID_ADDRESS 0u
#define INVVPID_SINGLE 1u
#define INVVPID_ALL 2u

/* The MSR bitmap: four bitmaps of 1 KiB, by direction and range of MSRs. */
#define MSR_BITMAP_READ_LOW 0x000u
#define MSR_BITMAP_READ_HIGH 0x400u
#define MSR_BITMAP_WRITE_LOW 0x800u
#define MSR_BITMAP_WRITE_HIGH 0xc00u
#define MSR_BITMAP_HIGH_BASE 0xc0000000u
#define MSR_BITMAP_RANGE 0x2000u

/* IA32_VMX_EPT_VPID_CAP, the VPID half; the EPT half stands in ept_format.h. */
#define VPID_CAP_INVVPID BIT64(32)
#define VPID_CAP_ADDRESS BIT64(40)
#define VPID_CAP_SINGLE BIT64(41)
#define VPID_CAP_ALL BIT64(42)
