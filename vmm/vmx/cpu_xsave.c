/* Does XSAVEC do what the manual says? Guests are given the instruction only then: in Bochs 2.7 it stores the vector registers
 * 160 bytes below the place where XRSTOR looks for them, and every process of a guest that trusts it loses them at a switch.
 * Privileged. Follows SDM 1 "Compacted Format of the XSAVE Area". */
#include "arch/x86/insn.h"
#include "arch/x86/regs.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/vmx_vcpu.h"
#include "vmm/vmx/xsave_area.h"

#define MXCSR 24u
#define MXCSR_RESET 0x1f80u
#define YMM_BYTES 256u
#define MARK 0xa5
#define USED (XCR0_X87 | XCR0_SSE | XCR0_AVX)

/* Load the processor's state from an area with all in its initial state, but for the components of xstate_bv, which hold
 * MARK in each byte. */
static void load(uint8_t *area, uint64_t xstate_bv)
{
	memset(area, 0, XSAVE_EXTENDED);
	memset(area + XSAVE_EXTENDED, MARK, YMM_BYTES);
	store_le32(area + MXCSR, MXCSR_RESET);
	store_le64(area + XSAVE_LEGACY_BYTES, xstate_bv);
	xrstor64(area, USED);
}

bool xsavec_works(void)
{
	ALIGNED(64) uint8_t area[XSAVE_EXTENDED + YMM_BYTES];
	bool works = true;

	xsetbv(0, USED);
	load(area, XCR0_AVX);
	memset(area, 0, sizeof(area));
	xsavec64(area, USED);
	for (uint32_t i = 0; i < YMM_BYTES; i++)
		works = works && area[XSAVE_EXTENDED + i] == MARK;
	load(area, 0);
	return works;
}
