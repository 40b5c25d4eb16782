/* The exception table: which instructions may fault, and where to go on. It is short, so it is a plain list. */
#include "arch/x86/msr_safe.h"

#include "arch/x86/regs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"

static_assert(ERR_FAULT == -13, "msr_safe.asm has the number too");

extern const uint8_t rdmsr_safe_insn[], wrmsr_safe_insn[], xsetbv_safe_insn[], msr_safe_fault[];

static const uint8_t *const may_fault[] = {rdmsr_safe_insn, wrmsr_safe_insn, xsetbv_safe_insn};

bool msr_safe_fixup(unsigned vector, uint64_t rip, uint64_t *resume)
{
	if (vector != VECTOR_GP && vector != VECTOR_UD)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(may_fault); i++) {
		if (rip == (uint64_t)(uintptr_t)may_fault[i]) {
			*resume = (uint64_t)(uintptr_t)msr_safe_fault;
			return true;
		}
	}
	return false;
}

/* For registers that have a value one can assume when they are missing. */
uint64_t rdmsr_or(uint32_t msr, uint64_t otherwise)
{
	uint64_t v;

	return rdmsr_safe(msr, &v) == 0 ? v : otherwise;
}
