/* Ranges of addresses as base and length: the one place where base + length is checked. A range may end at 2^64 exactly;
 * beyond, it wraps, and a range that wraps contains nothing and is contained nowhere. Empty ranges overlap nothing. */
#pragma once

#include "kernel/lib/compiler.h"

static inline bool range_wraps(uint64_t base, uint64_t len)
{
	return len != 0 && base + (len - 1) < base;
}

/* Does the range lie below limit as a whole (its end may be limit)? */
static inline bool range_below(uint64_t base, uint64_t len, uint64_t limit)
{
	return base <= limit && len <= limit - base;
}

static inline bool range_has(uint64_t base, uint64_t len, uint64_t addr)
{
	return !range_wraps(base, len) && addr >= base && addr - base < len;
}

/* Does [base, base + len) contain [inner, inner + inner_len)? An empty inner range may stand at the very end. */
static inline bool range_contains(uint64_t base, uint64_t len, uint64_t inner, uint64_t inner_len)
{
	if (range_wraps(base, len) || range_wraps(inner, inner_len) || inner < base)
		return false;
	return inner - base <= len && inner_len <= len - (inner - base);
}

/* A range that wraps is taken as reaching up to 2^64: whoever asks wants to be told of trouble. */
static inline bool range_overlaps(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
	if (a_len == 0 || b_len == 0)
		return false;
	return a <= b ? b - a < a_len : a - b < b_len;
}

/* The last address of a range that is not empty, clamped to 2^64 - 1. */
static inline uint64_t range_last(uint64_t base, uint64_t len)
{
	return range_wraps(base, len) ? UINT64_MAX : base + (len - 1);
}
