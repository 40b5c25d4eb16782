/* a * b / c with a product of 128 bits: how ticks become nanoseconds. The C operators would call libgcc for the division;
 * DIV does it in one instruction, and faults when the quotient does not fit, so that is asked first. */
#pragma once

#include "kernel/lib/compiler.h"

/* a * b / c, rounded down; UINT64_MAX when that is more than 64 bits hold, also for c = 0. */
static inline uint64_t muldiv_u64(uint64_t a, uint64_t b, uint64_t c)
{
	uint64_t lo, hi, quotient, remainder;

	__asm__("mulq %3" : "=a"(lo), "=d"(hi) : "0"(a), "rm"(b) : "cc"); /* __int128 would align the stack */
	if (unlikely(hi >= c))
		return UINT64_MAX;
	__asm__("divq %4" : "=a"(quotient), "=d"(remainder) : "0"(lo), "1"(hi), "rm"(c) : "cc");
	return quotient;
}

/* (a * b) >> shift for shift 0..63, the low 64 bits: a scale by a precomputed fraction. */
static inline uint64_t mulshift_u64(uint64_t a, uint64_t b, unsigned shift)
{
	return (uint64_t)((unsigned __int128)a * b >> shift);
}
