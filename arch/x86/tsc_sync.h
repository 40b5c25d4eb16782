/* Making another CPU's time stamp counter agree with this one's. SDM 3 "Time-Stamp Counter Adjustment". */
#pragma once

#include "arch/x86/tsc_skew.h"

/* What two CPUs do together: one calls tsc_sync_lead(), the other tsc_sync_follow() with the same object, zeroed before. */
struct tsc_sync {
	uint32_t asked;    /* number of the round that the leader has begun */
	uint32_t answered; /* by the follower */
	uint64_t t1;       /* its reading */
	int64_t adjust;    /* what it shall add to its counter when a correction is asked for */
	bool done;
};

/* Measure; correct, if need be, and measure again, a few times. ticks: so long each measurement may take, about.
 * Returns the skew as it was; *after, *error: as it is now. */
int64_t tsc_sync_lead(struct tsc_sync *s, uint64_t ticks, int64_t *after, uint64_t *error);
void tsc_sync_follow(struct tsc_sync *s);

/* Add to this CPU's counter: by IA32_TSC_ADJUST where it exists, else by the counter itself, and then not to the tick. A processor
 * (or an emulator) may have neither: who asks measures again. */
void tsc_add(int64_t ticks);
