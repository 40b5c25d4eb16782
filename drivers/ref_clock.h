/* A counter whose frequency is known, to measure others against. It counts up and wraps. */
#pragma once

#include "kernel/lib/compiler.h"

struct ref_clock {
	const char *name;
	uint64_t (*read)(void *ctx);
	void *ctx;
	unsigned bits; /* it wraps at 2^bits; at most 63 */
	/* Ticks per second as a fraction: an HPET tells femtoseconds per tick. */
	uint64_t hz_num;
	uint64_t hz_den;
};

/* Ticks from one reading to a later one, at most one wrap apart. */
static inline uint64_t ref_clock_ticks(const struct ref_clock *c, uint64_t from, uint64_t to)
{
	return (to - from) & ((1ull << c->bits) - 1);
}
