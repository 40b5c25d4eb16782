/* Deadlines: what is to happen when the TSC reaches a value. One queue per CPU, which alone uses it; the queue arms no
 * timer and reads no clock: its owner asks for the next deadline, programs what hardware there is, and calls
 * deadline_expire() when it has passed. Also the conversions between TSC ticks and nanoseconds. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/muldiv.h"

/* What deadline_next() says of an empty queue; also a time that never comes. */
#define DEADLINE_NEVER UINT64_MAX

#define NS_PER_SEC 1000000000ull
#define NS_PER_MS 1000000ull
#define NS_PER_US 1000ull

struct deadline_queue;

/* Belongs into the object that waits. Everything below fire and ctx is the queue's. */
struct deadline {
	uint64_t at_tsc;         /* when; read it freely while armed */
	void (*fire)(void *ctx); /* called by deadline_expire(), no longer armed; may set and cancel any */
	void *ctx;
	struct deadline_queue *queue; /* where it is armed, NULL: it is not */
	struct deadline *child;       /* first of the deadlines below it in the heap */
	struct deadline *next;        /* next sibling */
	struct deadline *prev;        /* previous sibling, or the parent of a first child; NULL: a root */
};

struct deadline_queue {
	struct deadline *root;  /* heap of what waits, the earliest on top */
	struct deadline *fresh; /* heap of what was set from inside a fire() */
	uint64_t next; /* when the earliest of both is due; DEADLINE_NEVER: none is armed; see deadline_next() */
	bool expiring;
	size_t armed; /* how many are in both */
};

void deadline_queue_init(struct deadline_queue *q);
void deadline_init(struct deadline *d, void (*fire)(void *ctx), void *ctx);
void deadline_set(struct deadline_queue *q, struct deadline *d, uint64_t at_tsc);
bool deadline_cancel(struct deadline *d);
size_t deadline_expire(struct deadline_queue *q, uint64_t now_tsc);

/* The TSC value of the earliest deadline; DEADLINE_NEVER when none is armed. Any CPU may ask, at any time. */
static inline uint64_t deadline_next(const struct deadline_queue *q)
{
	return __atomic_load_n(&q->next, __ATOMIC_RELAXED);
}

static inline bool deadline_armed(const struct deadline *d)
{
	return d->queue != NULL;
}

/* Rounded down; saturate at UINT64_MAX. tsc_hz: not 0. */
uint64_t time_ns_from_ticks(uint64_t ticks, uint64_t tsc_hz);
uint64_t time_ticks_from_ns(uint64_t ns, uint64_t tsc_hz);
