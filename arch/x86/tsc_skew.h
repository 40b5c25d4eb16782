/* How far two CPUs' time stamp counters are apart, out of readings that are ordered by memory: the first CPU reads t0 and
 * calls, the other reads t1 and answers, the first reads t2. With d = other less first, t0 + d <= t1 <= t2 + d: each round
 * bounds d from both sides, and the rounds together more narrowly than any of them. Pure. */
#pragma once

#include "kernel/lib/compiler.h"

struct tsc_skew {
	int64_t low, high; /* low <= d <= high; low > high: the counters do not run alike */
};

void tsc_skew_begin(struct tsc_skew *s);
void tsc_skew_add(struct tsc_skew *s, uint64_t t0, uint64_t t1, uint64_t t2);

/* What to take for d: 0 when nothing speaks against it, else the middle. */
int64_t tsc_skew_value(const struct tsc_skew *s);
/* Half the width of what is left open; UINT64_MAX when the bounds contradict each other. */
uint64_t tsc_skew_error(const struct tsc_skew *s);
