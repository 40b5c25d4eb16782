/* The time a guest's devices live in, and their alarms. Time is counted in ticks of `hz` (in the product: the guest's
 * TSC before TSC_ADJUST), it stands still while the VM is paused. Alarms are kept sorted in the clock itself; the owner
 * asks for the next one and calls vclock_expire() when it is due. A device never sees more than this. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/muldiv.h"

#define VCLOCK_NEVER UINT64_MAX

struct valarm {
	uint64_t at;             /* ticks; valid while armed */
	void (*fire)(void *ctx); /* called from vclock_expire(), alarm already disarmed, may arm again */
	void *ctx;
	struct valarm *next; /* the clock's list, by time, then by order of arming */
	bool armed;          /* an alarm starts as all zeros but fire and ctx */
};

struct vclock {
	uint64_t (*now)(void *ctx); /* ticks, monotonic */
	void (*changed)(void *ctx); /* the earliest alarm is another one now; may be NULL */
	void *ctx;
	uint64_t hz;
	struct valarm *first; /* these three start as zeros */
	struct valarm *due;   /* taken out of the list by a running vclock_expire(), not fired yet */
	bool expiring;
};

static inline uint64_t vclock_now(const struct vclock *c)
{
	return c->now(c->ctx);
}

/* Arm (or move) an alarm. `at` in ticks; one in the past fires at the next vclock_expire(). */
void vclock_arm(struct vclock *c, struct valarm *a, uint64_t at);

/* Disarm; harmless when it is not armed. */
void vclock_disarm(struct vclock *c, struct valarm *a);

/* Ticks of the earliest alarm, VCLOCK_NEVER when there is none. */
static inline uint64_t vclock_next(const struct vclock *c)
{
	const struct valarm *a = unlikely(c->due != NULL) ? c->due : c->first;

	return a != NULL ? a->at : VCLOCK_NEVER;
}

/* Fire every alarm that is due at `now`, in order. Bounded: an alarm armed again by its own fire() for a time <= now
 * waits for the next call. While it runs, changed() is not called; at the end once, when anything has fired. Not to be
 * called from fire(). Returns the number fired. */
unsigned vclock_expire(struct vclock *c, uint64_t now);

/* Convert between ticks and the counts of a part that runs at part_hz; both round down, and give UINT64_MAX for what does
 * not fit. */
static inline uint64_t vclock_to_counts(const struct vclock *c, uint64_t ticks, uint64_t part_hz)
{
	return muldiv_u64(ticks, part_hz, c->hz);
}

uint64_t vclock_from_counts(const struct vclock *c, uint64_t counts, uint64_t part_hz);

/* The first tick at which vclock_to_counts() gives `counts` or more: where to put an alarm that must not come early. */
uint64_t vclock_reaching(const struct vclock *c, uint64_t counts, uint64_t part_hz);

/* For a part that is read so often that a division is too much: what a tick is of a count, in units of 2^-64, rounded up. */
struct vclock_rate {
	uint64_t per_tick;
};

/* part_hz: less than the clock's hz. */
struct vclock_rate vclock_rate(const struct vclock *c, uint64_t part_hz);

/* The counts after `ticks`. Monotonic; vclock_to_counts() for all 64 bits of ticks, or one more: the rate is too high by less
 * than 2^-64 counts a tick, which is a count in 195 years of 3 GHz. (In the first 2^64 / hz ticks it is the same.) */
static inline uint64_t vclock_rate_counts(struct vclock_rate r, uint64_t ticks)
{
	return mulfraction_u64(ticks, r.per_tick);
}

/* As vclock_reaching(), of vclock_rate_counts(). */
uint64_t vclock_rate_reaching(struct vclock_rate r, uint64_t counts);
