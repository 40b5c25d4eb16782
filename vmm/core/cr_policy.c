/* The rules of the control registers, in the order in which the manual lists them. */
#include "vmm/core/cr_policy.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"

#define CR0_KNOWN (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)
#define CR3_PCID_MASK 0xfffull

const char *cr0_refusal(const struct cr_state *now, uint64_t value)
{
	bool paging_goes_on = (value & CR0_PG) != 0 && (now->cr0 & CR0_PG) == 0;
	bool paging_goes_off = (value & CR0_PG) == 0 && (now->cr0 & CR0_PG) != 0;

	if (value >> 32 != 0)
		return "CR0: bits 63:32 must be 0";
	if ((value & CR0_PG) != 0 && (value & CR0_PE) == 0)
		return "CR0: paging (PG) without protection (PE)";
	if ((value & CR0_NW) != 0 && (value & CR0_CD) == 0)
		return "CR0: NW without CD";
	if (paging_goes_on && (now->efer & EFER_LME) != 0 && (now->cr4 & CR4_PAE) == 0)
		return "CR0: entering long mode (EFER.LME) without CR4.PAE";
	if (paging_goes_on && (now->efer & EFER_LME) != 0 && now->code64)
		return "CR0: entering long mode with CS.L set";
	if (paging_goes_off && (now->efer & EFER_LMA) != 0 && now->code64)
		return "CR0: switching paging off in 64-bit mode";
	if (paging_goes_off && (now->cr4 & CR4_PCIDE) != 0)
		return "CR0: switching paging off with CR4.PCIDE set";
	return NULL;
}

uint64_t cr0_effective(uint64_t value)
{
	return (value & CR0_KNOWN) | CR0_ET;
}

const char *cr4_refusal(const struct cr_state *now, uint64_t value, uint64_t allowed)
{
	bool long_mode = (now->efer & EFER_LMA) != 0;
	uint64_t changed = value ^ now->cr4;

	if ((value & ~allowed) != 0)
		return "CR4: a bit that this processor does not have";
	if (long_mode && (value & CR4_PAE) == 0)
		return "CR4: clearing PAE in long mode";
	if (long_mode && (changed & CR4_LA57) != 0)
		return "CR4: changing LA57 in long mode";
	if ((changed & value & CR4_PCIDE) != 0 && !long_mode)
		return "CR4: setting PCIDE outside long mode";
	if ((changed & value & CR4_PCIDE) != 0 && (now->cr3 & CR3_PCID_MASK) != 0)
		return "CR4: setting PCIDE while CR3[11:0] is not 0";
	if ((value & CR4_CET) != 0 && (now->cr0 & CR0_WP) == 0)
		return "CR4: setting CET while CR0.WP is 0";
	return NULL;
}

const char *xcr0_refusal(uint32_t index, uint64_t value, uint64_t allowed)
{
	if (index != 0)
		return "XSETBV: there is only XCR0";
	if ((value & ~allowed) != 0)
		return "XCR0: a state that this processor does not have";
	if ((value & XCR0_X87) == 0)
		return "XCR0: x87 state cannot be switched off";
	if ((value & XCR0_AVX) != 0 && (value & XCR0_SSE) == 0)
		return "XCR0: AVX without SSE";
	if ((value & XCR0_MPX) != 0 && (value & XCR0_MPX) != XCR0_MPX)
		return "XCR0: half of MPX";
	if ((value & XCR0_AVX512) != 0 && (value & (XCR0_AVX512 | XCR0_AVX)) != (XCR0_AVX512 | XCR0_AVX))
		return "XCR0: AVX-512 needs all of its three states, and AVX";
	if ((value & XCR0_AMX) != 0 && (value & XCR0_AMX) != XCR0_AMX)
		return "XCR0: half of AMX";
	return NULL;
}

const char *efer_refusal(const struct cr_state *now, uint64_t value, uint64_t allowed)
{
	if ((value & ~allowed) != 0)
		return "EFER: a bit that this processor does not have";
	if (((value ^ now->efer) & EFER_LME) != 0 && (now->cr0 & CR0_PG) != 0)
		return "EFER: changing LME while paging is on";
	return NULL;
}

uint64_t efer_effective(uint64_t efer, uint64_t cr0)
{
	efer &= ~EFER_LMA;
	if ((efer & EFER_LME) != 0 && (cr0 & CR0_PG) != 0)
		efer |= EFER_LMA;
	return efer;
}

const char *pat_refusal(uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(value >> i * 8);

		if (type > 7 || type == 2 || type == 3)
			return "IA32_PAT: a memory type that there is not";
	}
	return NULL;
}
