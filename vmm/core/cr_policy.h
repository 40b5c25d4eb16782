/* Which values a guest may load into control registers, XCR0 and EFER: the rules by which a processor answers #GP(0). Pure
 * functions of the state before and the value; each returns NULL when the value is legal, or the broken rule in words.
 * SDM 3 "Control Registers", "Extended Control Registers (Including XCR0)", SDM 2 "MOV - Move to/from Control Registers",
 * "XSETBV - Set Extended Control Register". */
#pragma once

#include "kernel/lib/compiler.h"

struct cr_state {
	uint64_t cr0, cr3, cr4, efer; /* as the guest sees them */
	bool code64;                  /* CS.L, while in long mode */
};

/* MOV to CR0, LMSW, CLTS. */
const char *cr0_refusal(const struct cr_state *now, uint64_t value);

/* What CR0 holds after value was loaded: ET is always 1, bits without a meaning stay 0. */
uint64_t cr0_effective(uint64_t value);

/* allowed: bits that this guest's CPUID and the processor's virtualisation have. */
const char *cr4_refusal(const struct cr_state *now, uint64_t value, uint64_t allowed);

/* allowed: bits the guest may set in XCR0. index: ECX of XSETBV. */
const char *xcr0_refusal(uint32_t index, uint64_t value, uint64_t allowed);

/* allowed: bits that this guest's CPUID has. */
const char *efer_refusal(const struct cr_state *now, uint64_t value, uint64_t allowed);

/* EFER with LMA as the processor keeps it: long mode is active when it is enabled and paging is on. */
uint64_t efer_effective(uint64_t efer, uint64_t cr0);

/* IA32_PAT: eight memory types. */
const char *pat_refusal(uint64_t value);
