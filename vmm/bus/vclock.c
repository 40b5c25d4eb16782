/* A guest's clock and its alarms: a singly linked list sorted by time, since a VM has a dozen alarms and mostly the first
 * one moves. Pure; time comes from the owner. The caller sees to it that calls for one clock do not overlap. */
#include "vmm/bus/vclock.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/muldiv.h"

static void tell_changed(const struct vclock *c)
{
	if (c->changed != NULL && !c->expiring)
		c->changed(c->ctx);
}

/* Take an alarm out of one of the two lists. Returns whether it was there. */
static bool unlink_alarm(struct valarm **head, struct valarm *a)
{
	for (struct valarm **link = head; *link != NULL; link = &(*link)->next) {
		if (*link == a) {
			*link = a->next;
			a->next = NULL;
			return true;
		}
	}
	return false;
}

/* Sort an alarm in behind those of the same time. */
static void link_alarm(struct vclock *c, struct valarm *a)
{
	struct valarm **link = &c->first;

	while (*link != NULL && (*link)->at <= a->at)
		link = &(*link)->next;
	a->next = *link;
	*link = a;
}

static void take_out(struct vclock *c, struct valarm *a)
{
	bool found;

	if (!a->armed)
		return;
	found = unlink_alarm(&c->first, a) || unlink_alarm(&c->due, a);
	assert(found);
	a->armed = false;
}

/* Arm an alarm, or move one that is armed. at: ticks; VCLOCK_NEVER disarms. One in the past fires at the next
 * vclock_expire(). The alarm's memory stays the caller's and must not move while armed. */
void vclock_arm(struct vclock *c, struct valarm *a, uint64_t at)
{
	uint64_t before = vclock_next(c);

	take_out(c, a);
	if (at != VCLOCK_NEVER) {
		a->at = at;
		a->armed = true;
		link_alarm(c, a);
	}
	if (vclock_next(c) != before)
		tell_changed(c);
}

/* Disarm; harmless when it is not armed. */
void vclock_disarm(struct vclock *c, struct valarm *a)
{
	vclock_arm(c, a, VCLOCK_NEVER);
}

/* Cut the alarms that are due off the list, so that what they arm while firing cannot fire in the same call. */
static void split_due(struct vclock *c, uint64_t now)
{
	struct valarm **link = &c->first;

	while (*link != NULL && (*link)->at <= now)
		link = &(*link)->next;
	if (link == &c->first)
		return;
	c->due = c->first;
	c->first = *link;
	*link = NULL;
}

/* Fire every alarm that is due at `now` (ticks), in order of time, then of arming. An alarm disarmed or moved by one that
 * fires before it does not fire. Bounded by the number armed at the call. Returns the number fired. */
unsigned vclock_expire(struct vclock *c, uint64_t now)
{
	unsigned fired = 0;

	assert(!c->expiring);
	split_due(c, now);
	c->expiring = true;
	while (c->due != NULL) {
		struct valarm *a = c->due;

		c->due = a->next;
		a->next = NULL;
		a->armed = false;
		fired++;
		a->fire(a->ctx);
	}
	c->expiring = false;
	if (fired != 0)
		tell_changed(c);
	return fired;
}

/* Counts of a part that runs at part_hz as ticks, rounded down; UINT64_MAX when they do not fit. */
uint64_t vclock_from_counts(const struct vclock *c, uint64_t counts, uint64_t part_hz)
{
	return muldiv_u64(counts, c->hz, part_hz);
}

/* The first tick at which vclock_to_counts() gives `counts` or more; VCLOCK_NEVER when that is beyond 64 bits. */
uint64_t vclock_reaching(const struct vclock *c, uint64_t counts, uint64_t part_hz)
{
	uint64_t ticks = vclock_from_counts(c, counts, part_hz);

	/* ticks is counts * hz / part_hz rounded down: at most one short. */
	if (ticks != VCLOCK_NEVER && vclock_to_counts(c, ticks, part_hz) < counts)
		ticks++;
	return ticks;
}

struct vclock_rate vclock_rate(const struct vclock *c, uint64_t part_hz)
{
	assert(part_hz < c->hz);
	return (struct vclock_rate){fraction_u64(part_hz, c->hz)};
}

/* ticks * per_tick >= counts * 2^64, solved for ticks: the very function that readings use, so that an alarm is never early
 * nor late. */
uint64_t vclock_rate_reaching(struct vclock_rate r, uint64_t counts)
{
	return fraction_u64(counts, r.per_tick);
}
