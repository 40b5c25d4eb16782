/* Caps. A group's cap is a stream of CPU time that it may use; what it does not use is kept for a short while. This is
 * the virtual scheduling algorithm of ITU-T I.371 ("Generic Cell Rate Algorithm", Annex A): one number says up to which
 * moment the stream has been handed out, so that a compare-and-swap is all the locking there is. Whoever finds nothing
 * left takes its part in advance and comes back when the stream has got there: first come, first served, without a queue. */
#include "kernel/lib/muldiv.h"
#include "kernel/sched_internal.h"

/* For how long the whole cap pays for so many ticks of running, and the other way round. */
static uint64_t stream_ticks(uint64_t run_ticks, uint32_t percent)
{
	return muldiv_u64(run_ticks, 100, percent);
}

static uint64_t run_ticks(uint64_t stream, uint32_t percent)
{
	return muldiv_u64(stream, percent, 100);
}

/* What one entity takes at least at a time: its part of a period. */
static uint64_t portion(const struct sched *s, const struct sched_group *g, uint32_t percent)
{
	uint32_t active = sched_get(g->active);
	uint64_t ticks = run_ticks(s->cap_period, percent) / (active != 0 ? active : 1);

	return ticks > s->turn_min ? ticks : s->turn_min;
}

/* May the entity run? It is to have up to `want` ticks of its group's cap, less when less is there but enough for a start.
 * Otherwise it has been handed its part in advance, and *at says from when on it may use it. */
bool sched_cap_admit(struct sched_entity *e, uint64_t want, uint64_t now, uint64_t *at)
{
	const struct sched *s = e->cpu->sched;
	struct sched_group *g = e->group;
	uint32_t percent = sched_get(g->cap_percent);
	uint64_t paid = sched_get(g->cap_paid);
	uint64_t from, there, least, grant, next;

	if (percent == SCHED_CAP_NONE || e->lease != 0)
		return true;
	least = portion(s, g, percent);
	if (least > want)
		least = want;
	do {
		from = now > s->cap_depth && paid < now - s->cap_depth ? now - s->cap_depth : paid;
		there = run_ticks(sched_elapsed(from, now), percent);
		grant = there < least ? least : there < want ? there : want;
		next = from + stream_ticks(grant, percent);
	} while (!__atomic_compare_exchange_n(&g->cap_paid, &paid, next, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	e->lease = grant;
	e->lease_percent = percent;
	*at = next;
	return there >= least;
}

/* The entity stops after so many ticks: give back what it did not use, or charge what it used too much. */
void sched_cap_settle(struct sched_entity *e, uint64_t ran)
{
	if (e->lease == 0)
		return;
	if (ran < e->lease)
		__atomic_fetch_sub(&e->group->cap_paid, stream_ticks(e->lease - ran, e->lease_percent),
				   __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&e->group->cap_paid, stream_ticks(ran - e->lease, e->lease_percent),
				   __ATOMIC_RELAXED);
	e->lease = 0;
}
