/* Ways to break a good VMCS: each line changes one field so that one rule of SDM 3 "VM Entries" is broken. The VMCS they
 * start from is a guest in flat 32-bit protected mode without paging, with EPT and "unrestricted guest". */
#include "tests/selftest/doctor_cases.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/assert.h"
#include "vmm/vmx/vmcs_fields.h"
#include "vmm/vmx/vmx_bits.h"

#define ALL UINT64_MAX
#define NOT_CANONICAL BIT64(63)
#define TOO_WIDE BIT64(60) /* beyond any physical-address width */
#define UPPER_HALF BIT64(40)

/* What fits into 32 bits, or is nothing but a part above them, is kept as 32 bits and where they belong. */
#define IS_HIGH(v) ((uint64_t)(v) > UINT32_MAX)
#define HALF(v)                                                                                                        \
	(sizeof(struct {                                                                                               \
		static_assert((uint64_t)(v) == ALL || !IS_HIGH(v) || (uint32_t)(v) == 0, "neither low nor high");      \
		char c;                                                                                                \
	})                                                                                                             \
		 ? (uint32_t)(IS_HIGH(v) ? (uint64_t)(v) >> 32 : (v))                                                  \
		 : 0)
#define CHANGE(field, clear, set, kind)                                                                                \
	{                                                                                                              \
		(uint16_t) VMCS_##field,                                                                               \
			(uint16_t)((kind) | (IS_HIGH(clear) ? DOCTOR_CLEAR_HIGH : 0) |                                 \
				   ((uint64_t)(clear) == ALL ? DOCTOR_CLEAR_ALL : 0) |                                 \
				   (IS_HIGH(set) ? DOCTOR_SET_HIGH : 0)),                                              \
			HALF(clear), HALF(set)                                                                         \
	}

/* A field that is broken as it stands; one that is broken once something else has been changed. */
#define BREAK(field, clear, set) CHANGE(field, clear, set, 0)
#define BREAK_AFTER(field, clear, set, ...) __VA_ARGS__, BREAK(field, clear, set)
#define FIRST(field, clear, set) CHANGE(field, clear, set, DOCTOR_SETUP)
#define PROC(bit) FIRST(PROC_CTLS, 0, bit)
#define PROC2(bit) FIRST(PROC_CTLS2, 0, bit)
#define INJECT(type, vector) FIRST(ENTRY_INTR_INFO, ALL, INTR_VALID | (type) << INTR_TYPE_SHIFT | (vector))
#define PAE_PAGING FIRST(GUEST_CR0, 0, CR0_PG), FIRST(GUEST_CR4, 0, CR4_PAE)

/* clang-format off */
const struct doctor_change doctor_changes[] = {
	/* Controls: bit 1 of these four must be 1 on every processor, bit 31 of the secondary ones 0. */
	BREAK(PIN_CTLS, BIT64(1), 0),
	BREAK(PROC_CTLS, BIT64(1), 0),
	BREAK(PROC_CTLS2, 0, BIT64(31)),
	BREAK(EXIT_CTLS, BIT64(1), 0),
	BREAK(ENTRY_CTLS, BIT64(1), 0),
	BREAK(PIN_CTLS, PIN_NMI, 0),
	BREAK(PROC_CTLS2, PROC2_EPT, 0),
	BREAK(EXIT_CTLS, EXIT_CTL_HOST_64, 0),
	BREAK(CR3_TARGET_COUNT, ALL, 5),
	BREAK(IO_BITMAP_A, 0, 1),
	BREAK(IO_BITMAP_B, 0, TOO_WIDE),
	BREAK(MSR_BITMAP, 0, 8),
	BREAK(EPT_POINTER, 7, 2),
	BREAK(EPT_POINTER, 7 << 3, 0),
	BREAK(EPT_POINTER, 0, BIT64(11)),
	BREAK_AFTER(VPID, ALL, 0, PROC2(PROC2_VPID)),
	BREAK_AFTER(VIRTUAL_APIC_ADDR, 0, 4, PROC(PROC_TPR_SHADOW)),
	BREAK_AFTER(TPR_THRESHOLD, ALL, 0x10, PROC(PROC_TPR_SHADOW),
		 FIRST(PROC_CTLS2, PROC2_VIRTUAL_INTERRUPTS, 0)),
	BREAK_AFTER(APIC_ACCESS_ADDR, 0, 0x80,
		 PROC2(PROC2_VIRTUALIZE_APIC_ACCESSES)),
	FIRST(PROC_CTLS, PROC_TPR_SHADOW, 0),
	FIRST(PROC_CTLS2, PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS, 0),
	CHANGE(PROC_CTLS2, 0, PROC2_APIC_REGISTERS, DOCTOR_NEEDED),
	PROC2(PROC2_VIRTUALIZE_APIC_ACCESSES),
	CHANGE(PROC_CTLS2, 0, PROC2_VIRTUALIZE_X2APIC, DOCTOR_NEEDED),
	BREAK_AFTER(PML_ADDR, 0, 0x200, PROC2(PROC2_PML)),
	BREAK_AFTER(VMREAD_BITMAP, 0, 1, PROC2(PROC2_VMCS_SHADOWING)),
	BREAK_AFTER(VMWRITE_BITMAP, 0, TOO_WIDE, PROC2(PROC2_VMCS_SHADOWING)),
	BREAK_AFTER(VIRT_EXCEPTION_INFO_ADDR, 0, 1,
		 PROC2(PROC2_VIRTUAL_EXCEPTION)),
	BREAK_AFTER(VM_FUNCTION_CTLS, 0, BIT64(63), PROC2(PROC2_VM_FUNCTIONS)),
	BREAK_AFTER(EPTP_LIST_ADDR, 0, 1, PROC2(PROC2_VM_FUNCTIONS),
		 FIRST(VM_FUNCTION_CTLS, 0, 1)),
	BREAK_AFTER(TSC_MULTIPLIER, ALL, 0, FIRST(TSC_MULTIPLIER, ALL, BIT64(48)),
		 PROC2(PROC2_TSC_SCALING)),
	BREAK_AFTER(SPP_TABLE_POINTER, 0, 1, PROC2(PROC2_SUB_PAGE_WRITE)),
	BREAK(EXIT_CTLS, 0, BIT64(27)),
	BREAK_AFTER(EXIT_MSR_STORE_ADDR, 0, 8, FIRST(EXIT_MSR_STORE_COUNT, ALL, 1)),
	BREAK_AFTER(EXIT_MSR_LOAD_ADDR, 0, TOO_WIDE, FIRST(EXIT_MSR_LOAD_COUNT, ALL, 1)),
	BREAK_AFTER(ENTRY_MSR_LOAD_ADDR, 0, 1, FIRST(ENTRY_MSR_LOAD_COUNT, ALL, 1)),

	/* Event injection. */
	BREAK(ENTRY_INTR_INFO, ALL, INTR_VALID | INTR_TYPE_RESERVED << INTR_TYPE_SHIFT | 32),
	BREAK(ENTRY_INTR_INFO, ALL, INTR_VALID | INTR_TYPE_NMI << INTR_TYPE_SHIFT | 3),
	BREAK(ENTRY_INTR_INFO, ALL, INTR_VALID | INTR_TYPE_HARDWARE_EXCEPTION << INTR_TYPE_SHIFT | 32),
	BREAK(ENTRY_INTR_INFO, ALL, INTR_VALID | BIT64(20) | INTR_TYPE_NMI << INTR_TYPE_SHIFT | 2),
	BREAK_AFTER(ENTRY_EXCEPTION_ERROR, 0, BIT64(16),
		    INJECT(INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_GP | INTR_ERROR_CODE)),
	BREAK_AFTER(ENTRY_INSN_LEN, ALL, 16, FIRST(ENTRY_INSN_LEN, ALL, 2),
		    INJECT(INTR_TYPE_SOFTWARE_INTERRUPT, 0x80)),

	/* Host state. */
	BREAK(HOST_CR0, CR0_NE, 0),
	BREAK(HOST_CR4, CR4_VMXE, 0),
	BREAK(HOST_CR4, CR4_PAE, 0),
	BREAK(HOST_CR3, 0, TOO_WIDE),
	BREAK(HOST_SYSENTER_ESP, 0, NOT_CANONICAL),
	BREAK(HOST_SYSENTER_EIP, 0, NOT_CANONICAL),
	BREAK(HOST_PAT, 0xff, 2),
	BREAK(HOST_EFER, EFER_LMA, 0),
	BREAK(HOST_EFER, 0, BIT64(1)),
	BREAK(HOST_ES_SELECTOR, 0, 3),
	BREAK(HOST_CS_SELECTOR, ALL, 0),
	BREAK(HOST_SS_SELECTOR, 0, 4),
	BREAK(HOST_DS_SELECTOR, 0, 1),
	BREAK(HOST_FS_SELECTOR, 0, 2),
	BREAK(HOST_GS_SELECTOR, 0, 4),
	BREAK(HOST_TR_SELECTOR, ALL, 0),
	BREAK(HOST_FS_BASE, 0, NOT_CANONICAL),
	BREAK(HOST_GS_BASE, NOT_CANONICAL, 0),
	BREAK(HOST_TR_BASE, NOT_CANONICAL, 0),
	BREAK(HOST_GDTR_BASE, NOT_CANONICAL, 0),
	BREAK(HOST_IDTR_BASE, NOT_CANONICAL, 0),
	BREAK(HOST_RIP, NOT_CANONICAL, 0),

	/* Guest registers. */
	BREAK(GUEST_CR0, CR0_NE, 0),
	BREAK(GUEST_CR0, CR0_PE, CR0_PG),
	BREAK(GUEST_CR4, CR4_VMXE, 0),
	BREAK(GUEST_CR4, 0, CR4_PCIDE),
	BREAK(GUEST_CR3, 0, TOO_WIDE),
	BREAK(GUEST_DR7, 0, BIT64(32)),
	BREAK(GUEST_SYSENTER_ESP, 0, NOT_CANONICAL),
	BREAK(GUEST_SYSENTER_EIP, 0, NOT_CANONICAL),
	BREAK(GUEST_PAT, 0xff, 3),
	BREAK(GUEST_EFER, 0, BIT64(1)),
	BREAK(GUEST_EFER, 0, EFER_LMA),
	BREAK(GUEST_RIP, 0, BIT64(32)),
	BREAK(GUEST_RFLAGS, RFLAGS_FIXED1, 0),
	BREAK(GUEST_RFLAGS, 0, BIT64(15)),
	BREAK_AFTER(GUEST_RFLAGS, RFLAGS_IF, 0, FIRST(GUEST_RFLAGS, 0, RFLAGS_IF), INJECT(INTR_TYPE_EXTERNAL, 0x20)),

	/* Segments. */
	BREAK(GUEST_TR_SELECTOR, 0, 4),
	BREAK(GUEST_LDTR_SELECTOR, 0, 4),
	BREAK(GUEST_CS_BASE, 0, UPPER_HALF),
	BREAK(GUEST_SS_BASE, 0, UPPER_HALF),
	BREAK(GUEST_DS_BASE, 0, UPPER_HALF),
	BREAK(GUEST_ES_BASE, 0, UPPER_HALF),
	BREAK(GUEST_FS_BASE, 0, NOT_CANONICAL),
	BREAK(GUEST_GS_BASE, 0, NOT_CANONICAL),
	BREAK(GUEST_TR_BASE, 0, NOT_CANONICAL),
	BREAK(GUEST_LDTR_BASE, 0, NOT_CANONICAL),
	BREAK(GUEST_CS_ACCESS, SEG_ACCESS_TYPE, 8),
	BREAK(GUEST_CS_ACCESS, 0, 1 << SEG_ACCESS_DPL_SHIFT),
	BREAK(GUEST_CS_ACCESS, SEG_ACCESS_S, 0),
	BREAK(GUEST_CS_ACCESS, SEG_ACCESS_P, 0),
	BREAK(GUEST_CS_ACCESS, SEG_ACCESS_G, 0),
	BREAK(GUEST_SS_ACCESS, SEG_ACCESS_TYPE, 1),
	BREAK(GUEST_DS_ACCESS, SEG_ACCESS_TYPE, 2),
	BREAK(GUEST_ES_ACCESS, SEG_ACCESS_P, 0),
	BREAK(GUEST_FS_ACCESS, 0, BIT64(8)),
	BREAK(GUEST_GS_ACCESS, SEG_ACCESS_TYPE, 9),
	BREAK(GUEST_LDTR_ACCESS, SEG_ACCESS_TYPE, 3),
	BREAK(GUEST_TR_ACCESS, SEG_ACCESS_TYPE, 9),
	BREAK(GUEST_TR_ACCESS, 0, SEG_ACCESS_UNUSABLE),
	BREAK(GUEST_GDTR_BASE, 0, NOT_CANONICAL),
	BREAK(GUEST_IDTR_BASE, 0, NOT_CANONICAL),
	BREAK(GUEST_GDTR_LIMIT, 0, BIT64(16)),
	BREAK(GUEST_IDTR_LIMIT, 0, BIT64(31)),

	/* The rest of the guest. */
	BREAK(GUEST_ACTIVITY, ALL, 4),
	BREAK(GUEST_INTERRUPTIBILITY, ALL, BIT64(7)),
	BREAK(GUEST_INTERRUPTIBILITY, ALL, BLOCKING_STI),
	BREAK_AFTER(GUEST_INTERRUPTIBILITY, ALL, BLOCKING_STI | BLOCKING_MOV_SS, FIRST(GUEST_RFLAGS, 0, RFLAGS_IF)),
	BREAK(GUEST_INTERRUPTIBILITY, ALL, BLOCKING_SMI),
	BREAK_AFTER(GUEST_INTERRUPTIBILITY, ALL, BLOCKING_MOV_SS, INJECT(INTR_TYPE_NMI, VECTOR_NMI)),
	BREAK(GUEST_PENDING_DEBUG, 0, BIT64(20)),
	BREAK_AFTER(GUEST_ACTIVITY, ALL, ACTIVITY_HLT, FIRST(GUEST_INTERRUPTIBILITY, ALL, BLOCKING_MOV_SS)),
	BREAK(LINK_POINTER, ALL, 1),
	BREAK_AFTER(GUEST_PDPTE0, ALL, 3, PAE_PAGING),
	BREAK_AFTER(GUEST_PDPTE1, 0, TOO_WIDE, FIRST(GUEST_PDPTE1, ALL, 1), PAE_PAGING),
	BREAK_AFTER(GUEST_PDPTE2, ALL, BIT64(5) | 1, PAE_PAGING),
	BREAK_AFTER(GUEST_PDPTE3, ALL, BIT64(8) | 1, PAE_PAGING),
};
/* clang-format on */

const unsigned doctor_change_count = ARRAY_LEN(doctor_changes);

/* Has the processor the controls that the case switches on? */
bool doctor_case_possible(const struct doctor_change *dc, const struct vmx_caps *caps)
{
	for (;; dc++) {
		bool proc = dc->field == VMCS_PROC_CTLS, proc2 = dc->field == VMCS_PROC_CTLS2;

		if ((proc || proc2) && dc->kind & (DOCTOR_SETUP | DOCTOR_NEEDED) &&
		    !vmx_caps_may(caps, proc ? VMX_CTL_PROC : VMX_CTL_PROC2, dc->set))
			return false;
		if (!(dc->kind & DOCTOR_SETUP))
			return true;
	}
}
