/* Caps. A group's cap is a stream of CPU time that it may use; what it does not use is kept for a short while. This is
 * the virtual scheduling algorithm of ITU-T I.371 ("Generic Cell Rate Algorithm", Annex A): one number says up to which
 * moment the stream has been handed out, so that a compare-and-swap is all the locking there is. Whoever finds nothing
 * left takes its part in advance and comes back when the stream has got there: first come, first served, without a queue. */
#include "kernel/lib/muldiv.h"
#include "kernel/sched_internal.h"

/* For how long the whole cap pays for so many ticks of running. */
static uint64_t stream_ticks(uint64_t run_ticks, uint32_t percent)
{
	return muldiv_u64(run_ticks, 100, percent);
}

/* What one entity takes at a time: its part of a period. So the entities of a group take turns. */
static uint64_t portion(const struct sched *s, const struct sched_group *g, uint32_t percent)
{
	uint32_t active = sched_get(g->active);
	uint64_t ticks = muldiv_u64(s->cap_period, percent, 100) / (active != 0 ? active : 1);

	return ticks > s->turn_min ? ticks : s->turn_min;
}

/* See sched_cap_admit(): the group has a cap, of `percent`, and the entity no lease. */
bool sched_cap_take(struct sched_entity *e, uint32_t percent, uint64_t want, uint64_t now, uint64_t *at)
{
	const struct sched *s = e->cpu->sched;
	struct sched_group *g = e->group;
	uint64_t paid = sched_get(g->cap_paid);
	uint64_t from, most;

	most = portion(s, g, percent);
	e->lease = want < most ? want : most;
	e->lease_percent = percent;
	do {
		from = now > s->cap_depth && paid < now - s->cap_depth ? now - s->cap_depth : paid;
		*at = from + stream_ticks(e->lease, percent);
	} while (!__atomic_compare_exchange_n(&g->cap_paid, &paid, *at, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
	return *at <= now;
}

/* See sched_cap_settle(): the entity has a lease. */
void sched_cap_give_back(struct sched_entity *e, uint64_t ran)
{
	if (ran < e->lease)
		__atomic_fetch_sub(&e->group->cap_paid, stream_ticks(e->lease - ran, e->lease_percent),
				   __ATOMIC_RELAXED);
	else
		__atomic_fetch_add(&e->group->cap_paid, stream_ticks(ran - e->lease, e->lease_percent),
				   __ATOMIC_RELAXED);
	e->lease = 0;
}
