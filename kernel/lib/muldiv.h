/* Products of 128 bits: a * b / c, how ticks become nanoseconds, and the same by a fraction reckoned before. The C operators
 * would call libgcc for the division; DIV does it in one instruction, and faults when the quotient does not fit, so that is
 * asked first. */
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

/* a / c in units of 2^-64, rounded up: a fraction to multiply by. UINT64_MAX when a >= c. */
static inline uint64_t fraction_u64(uint64_t a, uint64_t c)
{
	uint64_t quotient, remainder;

	if (unlikely(a >= c))
		return UINT64_MAX;
	__asm__("divq %4" : "=a"(quotient), "=d"(remainder) : "0"(0ull), "1"(a), "rm"(c) : "cc");
	return quotient + (remainder != 0); /* fits: at most 2^64 - 2^64 / c, and 2^64 / c > 1 */
}

/* a * fraction / 2^64, rounded down. */
static inline uint64_t mulfraction_u64(uint64_t a, uint64_t fraction)
{
	uint64_t lo, hi;

	__asm__("mulq %3" : "=a"(lo), "=d"(hi) : "0"(a), "rm"(fraction) : "cc");
	return hi;
}
