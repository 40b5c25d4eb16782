/* The fields of a VMCS: every encoding of SDM 3 appendix B "Field Encoding in VMCS", in ascending order, under the names
 * that our messages use. One list makes both the constants (VMCS_GUEST_RIP) and the table of names.
 *
 *	bit   0      access type: 1 = high half of a 64-bit field
 *	bits  9:1    index
 *	bits 11:10   type: 0 control, 1 read-only data, 2 guest state, 3 host state
 *	bits 14:13   width: 0 = 16 bits, 1 = 64, 2 = 32, 3 = natural */
#pragma once

#include "kernel/lib/compiler.h"

/* clang-format off */
#define VMCS_FIELDS(X) \
	/* 16-bit control fields */ \
	X(VPID, 0x0000) \
	X(POSTED_INTERRUPT_VECTOR, 0x0002) \
	X(EPTP_INDEX, 0x0004) \
	X(HLAT_PREFIX_SIZE, 0x0006) \
	X(LAST_PID_POINTER_INDEX, 0x0008) \
	/* 16-bit guest-state fields */ \
	X(GUEST_ES_SELECTOR, 0x0800) \
	X(GUEST_CS_SELECTOR, 0x0802) \
	X(GUEST_SS_SELECTOR, 0x0804) \
	X(GUEST_DS_SELECTOR, 0x0806) \
	X(GUEST_FS_SELECTOR, 0x0808) \
	X(GUEST_GS_SELECTOR, 0x080a) \
	X(GUEST_LDTR_SELECTOR, 0x080c) \
	X(GUEST_TR_SELECTOR, 0x080e) \
	X(GUEST_INTERRUPT_STATUS, 0x0810) \
	X(PML_INDEX, 0x0812) \
	X(GUEST_UINV, 0x0814) \
	/* 16-bit host-state fields */ \
	X(HOST_ES_SELECTOR, 0x0c00) \
	X(HOST_CS_SELECTOR, 0x0c02) \
	X(HOST_SS_SELECTOR, 0x0c04) \
	X(HOST_DS_SELECTOR, 0x0c06) \
	X(HOST_FS_SELECTOR, 0x0c08) \
	X(HOST_GS_SELECTOR, 0x0c0a) \
	X(HOST_TR_SELECTOR, 0x0c0c) \
	/* 64-bit control fields */ \
	X(IO_BITMAP_A, 0x2000) \
	X(IO_BITMAP_B, 0x2002) \
	X(MSR_BITMAP, 0x2004) \
	X(EXIT_MSR_STORE_ADDR, 0x2006) \
	X(EXIT_MSR_LOAD_ADDR, 0x2008) \
	X(ENTRY_MSR_LOAD_ADDR, 0x200a) \
	X(EXECUTIVE_VMCS_POINTER, 0x200c) \
	X(PML_ADDR, 0x200e) \
	X(TSC_OFFSET, 0x2010) \
	X(VIRTUAL_APIC_ADDR, 0x2012) \
	X(APIC_ACCESS_ADDR, 0x2014) \
	X(POSTED_INTERRUPT_DESC, 0x2016) \
	X(VM_FUNCTION_CTLS, 0x2018) \
	X(EPT_POINTER, 0x201a) \
	X(EOI_EXIT_BITMAP0, 0x201c) \
	X(EOI_EXIT_BITMAP1, 0x201e) \
	X(EOI_EXIT_BITMAP2, 0x2020) \
	X(EOI_EXIT_BITMAP3, 0x2022) \
	X(EPTP_LIST_ADDR, 0x2024) \
	X(VMREAD_BITMAP, 0x2026) \
	X(VMWRITE_BITMAP, 0x2028) \
	X(VIRT_EXCEPTION_INFO_ADDR, 0x202a) \
	X(XSS_EXITING_BITMAP, 0x202c) \
	X(ENCLS_EXITING_BITMAP, 0x202e) \
	X(SPP_TABLE_POINTER, 0x2030) \
	X(TSC_MULTIPLIER, 0x2032) \
	X(PROC_CTLS3, 0x2034) \
	X(ENCLV_EXITING_BITMAP, 0x2036) \
	X(LOW_PASID_DIRECTORY, 0x2038) \
	X(HIGH_PASID_DIRECTORY, 0x203a) \
	X(SHARED_EPT_POINTER, 0x203c) \
	X(PCONFIG_EXITING_BITMAP, 0x203e) \
	X(HLAT_POINTER, 0x2040) \
	X(PID_POINTER_TABLE, 0x2042) \
	X(EXIT_CTLS2, 0x2044) \
	X(SPEC_CTRL_MASK, 0x204a) \
	X(SPEC_CTRL_SHADOW, 0x204c) \
	/* 64-bit read-only data fields */ \
	X(GUEST_PHYSICAL_ADDR, 0x2400) \
	/* 64-bit guest-state fields */ \
	X(LINK_POINTER, 0x2800) \
	X(GUEST_DEBUGCTL, 0x2802) \
	X(GUEST_PAT, 0x2804) \
	X(GUEST_EFER, 0x2806) \
	X(GUEST_PERF_GLOBAL_CTRL, 0x2808) \
	X(GUEST_PDPTE0, 0x280a) \
	X(GUEST_PDPTE1, 0x280c) \
	X(GUEST_PDPTE2, 0x280e) \
	X(GUEST_PDPTE3, 0x2810) \
	X(GUEST_BNDCFGS, 0x2812) \
	X(GUEST_RTIT_CTL, 0x2814) \
	X(GUEST_LBR_CTL, 0x2816) \
	X(GUEST_PKRS, 0x2818) \
	/* 64-bit host-state fields */ \
	X(HOST_PAT, 0x2c00) \
	X(HOST_EFER, 0x2c02) \
	X(HOST_PERF_GLOBAL_CTRL, 0x2c04) \
	X(HOST_PKRS, 0x2c06) \
	/* 32-bit control fields */ \
	X(PIN_CTLS, 0x4000) \
	X(PROC_CTLS, 0x4002) \
	X(EXCEPTION_BITMAP, 0x4004) \
	X(PF_ERROR_MASK, 0x4006) \
	X(PF_ERROR_MATCH, 0x4008) \
	X(CR3_TARGET_COUNT, 0x400a) \
	X(EXIT_CTLS, 0x400c) \
	X(EXIT_MSR_STORE_COUNT, 0x400e) \
	X(EXIT_MSR_LOAD_COUNT, 0x4010) \
	X(ENTRY_CTLS, 0x4012) \
	X(ENTRY_MSR_LOAD_COUNT, 0x4014) \
	X(ENTRY_INTR_INFO, 0x4016) \
	X(ENTRY_EXCEPTION_ERROR, 0x4018) \
	X(ENTRY_INSN_LEN, 0x401a) \
	X(TPR_THRESHOLD, 0x401c) \
	X(PROC_CTLS2, 0x401e) \
	X(PLE_GAP, 0x4020) \
	X(PLE_WINDOW, 0x4022) \
	X(INSN_TIMEOUT_CTL, 0x4024) \
	/* 32-bit read-only data fields */ \
	X(INSN_ERROR, 0x4400) \
	X(EXIT_REASON, 0x4402) \
	X(EXIT_INTR_INFO, 0x4404) \
	X(EXIT_INTR_ERROR, 0x4406) \
	X(VECTORING_INFO, 0x4408) \
	X(VECTORING_ERROR, 0x440a) \
	X(EXIT_INSN_LEN, 0x440c) \
	X(EXIT_INSN_INFO, 0x440e) \
	/* 32-bit guest-state fields */ \
	X(GUEST_ES_LIMIT, 0x4800) \
	X(GUEST_CS_LIMIT, 0x4802) \
	X(GUEST_SS_LIMIT, 0x4804) \
	X(GUEST_DS_LIMIT, 0x4806) \
	X(GUEST_FS_LIMIT, 0x4808) \
	X(GUEST_GS_LIMIT, 0x480a) \
	X(GUEST_LDTR_LIMIT, 0x480c) \
	X(GUEST_TR_LIMIT, 0x480e) \
	X(GUEST_GDTR_LIMIT, 0x4810) \
	X(GUEST_IDTR_LIMIT, 0x4812) \
	X(GUEST_ES_ACCESS, 0x4814) \
	X(GUEST_CS_ACCESS, 0x4816) \
	X(GUEST_SS_ACCESS, 0x4818) \
	X(GUEST_DS_ACCESS, 0x481a) \
	X(GUEST_FS_ACCESS, 0x481c) \
	X(GUEST_GS_ACCESS, 0x481e) \
	X(GUEST_LDTR_ACCESS, 0x4820) \
	X(GUEST_TR_ACCESS, 0x4822) \
	X(GUEST_INTERRUPTIBILITY, 0x4824) \
	X(GUEST_ACTIVITY, 0x4826) \
	X(GUEST_SMBASE, 0x4828) \
	X(GUEST_SYSENTER_CS, 0x482a) \
	X(GUEST_PREEMPTION_TIMER, 0x482e) \
	/* 32-bit host-state field */ \
	X(HOST_SYSENTER_CS, 0x4c00) \
	/* Natural-width control fields */ \
	X(CR0_MASK, 0x6000) \
	X(CR4_MASK, 0x6002) \
	X(CR0_SHADOW, 0x6004) \
	X(CR4_SHADOW, 0x6006) \
	X(CR3_TARGET0, 0x6008) \
	X(CR3_TARGET1, 0x600a) \
	X(CR3_TARGET2, 0x600c) \
	X(CR3_TARGET3, 0x600e) \
	/* Natural-width read-only data fields */ \
	X(EXIT_QUALIFICATION, 0x6400) \
	X(IO_RCX, 0x6402) \
	X(IO_RSI, 0x6404) \
	X(IO_RDI, 0x6406) \
	X(IO_RIP, 0x6408) \
	X(GUEST_LINEAR_ADDR, 0x640a) \
	/* Natural-width guest-state fields */ \
	X(GUEST_CR0, 0x6800) \
	X(GUEST_CR3, 0x6802) \
	X(GUEST_CR4, 0x6804) \
	X(GUEST_ES_BASE, 0x6806) \
	X(GUEST_CS_BASE, 0x6808) \
	X(GUEST_SS_BASE, 0x680a) \
	X(GUEST_DS_BASE, 0x680c) \
	X(GUEST_FS_BASE, 0x680e) \
	X(GUEST_GS_BASE, 0x6810) \
	X(GUEST_LDTR_BASE, 0x6812) \
	X(GUEST_TR_BASE, 0x6814) \
	X(GUEST_GDTR_BASE, 0x6816) \
	X(GUEST_IDTR_BASE, 0x6818) \
	X(GUEST_DR7, 0x681a) \
	X(GUEST_RSP, 0x681c) \
	X(GUEST_RIP, 0x681e) \
	X(GUEST_RFLAGS, 0x6820) \
	X(GUEST_PENDING_DEBUG, 0x6822) \
	X(GUEST_SYSENTER_ESP, 0x6824) \
	X(GUEST_SYSENTER_EIP, 0x6826) \
	X(GUEST_S_CET, 0x6828) \
	X(GUEST_SSP, 0x682a) \
	X(GUEST_INTERRUPT_SSP_TABLE, 0x682c) \
	/* Natural-width host-state fields */ \
	X(HOST_CR0, 0x6c00) \
	X(HOST_CR3, 0x6c02) \
	X(HOST_CR4, 0x6c04) \
	X(HOST_FS_BASE, 0x6c06) \
	X(HOST_GS_BASE, 0x6c08) \
	X(HOST_TR_BASE, 0x6c0a) \
	X(HOST_GDTR_BASE, 0x6c0c) \
	X(HOST_IDTR_BASE, 0x6c0e) \
	X(HOST_SYSENTER_ESP, 0x6c10) \
	X(HOST_SYSENTER_EIP, 0x6c12) \
	X(HOST_RSP, 0x6c14) \
	X(HOST_RIP, 0x6c16) \
	X(HOST_S_CET, 0x6c18) \
	X(HOST_SSP, 0x6c1a) \
	X(HOST_INTERRUPT_SSP_TABLE, 0x6c1c)
/* clang-format on */

#define VMCS_DEFINE_FIELD(name, encoding) VMCS_##name = (encoding),
enum vmcs_field { VMCS_FIELDS(VMCS_DEFINE_FIELD) };
#undef VMCS_DEFINE_FIELD

#define VMCS_COUNT_FIELD(name, encoding) +1
enum { VMCS_FIELD_COUNT = 0 VMCS_FIELDS(VMCS_COUNT_FIELD) };
#undef VMCS_COUNT_FIELD

enum vmcs_width { VMCS_WIDTH_16, VMCS_WIDTH_64, VMCS_WIDTH_32, VMCS_WIDTH_NATURAL };
enum vmcs_type { VMCS_TYPE_CONTROL, VMCS_TYPE_READ_ONLY, VMCS_TYPE_GUEST, VMCS_TYPE_HOST };

static inline enum vmcs_width vmcs_field_width(uint32_t encoding)
{
	return (enum vmcs_width)(encoding >> 13 & 3);
}

static inline enum vmcs_type vmcs_field_type(uint32_t encoding)
{
	return (enum vmcs_type)(encoding >> 10 & 3);
}

/* Bytes of a field: 2, 4 or 8. */
static inline unsigned vmcs_field_bytes(uint32_t encoding)
{
	static const uint8_t bytes[] = {2, 8, 4, 8};

	return bytes[vmcs_field_width(encoding)];
}

/* "GUEST_RIP"; "?" for an encoding that is not in the list. */
const char *vmcs_field_name(uint32_t encoding);

/* The position in the list, 0 .. VMCS_FIELD_COUNT - 1, or -1; and back. */
int vmcs_field_index(uint32_t encoding);
uint32_t vmcs_field_encoding(unsigned index);
