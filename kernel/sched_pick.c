/* What a CPU does for itself: choose whom to run and for how long, let the running one block, or give way to another. */
#include "kernel/sched_internal.h"

enum { SIBLING_SEARCH = 16 };

/* How long the entity may run at a time: its part of a round. */
static uint64_t turn_ticks(const struct sched_cpu *c, const struct sched_entity *e)
{
	const struct sched *s = c->sched;
	uint64_t turn = muldiv_u64(sched_round_ticks(c, c->count), e->queue_weight, c->weight);
	uint64_t slice = sched_get(s->slice);

	if (turn > slice)
		return slice;
	return turn > s->turn_min ? turn : s->turn_min;
}

static uint64_t less(uint64_t from, uint64_t what)
{
	return from > what ? from - what : 0;
}

static void unboost(struct sched_cpu *c, struct sched_entity *e)
{
	if (!e->boosted)
		return;
	e->boosted = false;
	sched_set(c->boosts, c->boosts - 1);
	sched_end_turn(e);
}

/* The running entity has run for so long since it was accounted last. */
static inline void account(struct sched_cpu *c, struct sched_entity *e, uint64_t ran, uint64_t weight)
{
	uint64_t used = sched_virtual(ran, weight);

	e->stats.run_ticks += ran;
	e->used += used;
	e->debt += used;
	c->fair += sched_virtual(ran, c->weight);
	sched_settle_debt(e);
}

/* See sched_catch_up(): the turns that have passed whole are counted, at the weight with which they began.
 * Context: one runs on c, whose slice has no end. */
void sched_catch_up_open(struct sched_cpu *c, uint64_t now)
{
	struct sched_entity *e = c->current;
	uint64_t ran = sched_elapsed(e->since, now), turn;

	if (ran < e->turn_left)
		return;
	turn = turn_ticks(c, e);
	ran -= (ran - e->turn_left) % turn;
	account(c, e, ran, e->queue_weight);
	e->since += ran;
	sched_end_turn(e);
	sched_set(c->vtime, e->start);
	e->key = e->start = sched_queue_clamp(c, e, e->start, false);
	sched_set(c->vtime, e->start);
	e->turn_left = turn;
}

/* Take the running entity off the CPU and account for its time, which is returned. It stays attached. */
static inline uint64_t stop_current(struct sched_cpu *c, struct sched_entity *e, uint64_t now)
{
	uint64_t ran;

	if (c->open) {
		sched_catch_up_open(c, now);
		sched_close(c);
	}
	c->current = NULL;
	ran = sched_elapsed(e->since, now);
	account(c, e, ran, sched_entity_weight(e));
	e->since = now;
	sched_cap_settle(e, ran);
	return ran;
}

/* Take the running entity off for good: it does not wait for the CPU any more. */
static inline void dismiss_current(struct sched_cpu *c, struct sched_entity *e, uint64_t now)
{
	(void)stop_current(c, e, now);
	sched_queue_detach(c, e);
	e->boosted = false;
	e->yielded = false;
	sched_end_turn(e);
}

/* It sleeps, or is off. */
static inline void put_to_rest(struct sched_entity *e, enum sched_state state)
{
	sched_change_active(e, -1);
	/* The last write: whoever waits for it may free the memory. */
	__atomic_store_n(&e->state, state, __ATOMIC_RELEASE);
}

/* The running entity joins those that wait. One that was interrupted in its turn keeps its place, with what is left of the
 * turn; one that yielded goes behind all others, but keeps its account. */
COLD static void put_back_current(struct sched_cpu *c, uint64_t now)
{
	struct sched_entity *e = c->current;
	uint64_t ran = stop_current(c, e, now);

	e->turn_left = less(e->turn_left, ran);
	e->boost_left = less(e->boost_left, ran);
	if (e->boost_left == 0 || e->yielded)
		unboost(c, e);
	if (e->turn_left < c->sched->turn_min || e->yielded)
		sched_end_turn(e);
	if (e->turn_left == 0)
		e->key = e->start = sched_queue_clamp(c, e, e->start, false);
	if (e->yielded)
		e->key = sched_later(e->key, c->vtime + sched_round(c));
	e->yielded = false;
	sched_queue_reweigh(c, e);
	sched_queue_insert(c, e, now);
}

/* The running entity may not run here any more: it goes to a CPU where it may.  Context: c's lock. */
COLD static uint64_t evict_current(struct sched_cpu *c, uint64_t now)
{
	uint64_t kicks = 0;

	while (c->current != NULL && !c->current->leaving && !sched_allowed(c->current, c)) {
		struct sched_cpu *to = sched_place(c, sched_get(c->current->pins));
		struct sched_entity *e;

		if (to == c)
			continue;
		sched_lock_second(c, to);
		/* c may have been let go of for a moment. */
		if (sched_allowed(c->current, to) && !c->current->leaving) {
			e = c->current;
			dismiss_current(c, e, now);
			sched_rebase(e, to);
			sched_queue_enter(to, e, now, false);
			kicks |= sched_notify(to, e);
		}
		sched_unlock(to);
	}
	return kicks;
}

/* See leave_current(). */
COLD static uint64_t leave_somehow(struct sched_cpu *c, struct sched_entity *e, uint64_t now)
{
	uint64_t kicks = 0;
	bool blocked = false;

	if (c->blocking) {
		c->blocking = false;
		blocked = !e->wake_pending;
		e->wake_pending = false;
	}
	if (!blocked && unlikely(!sched_allowed(e, c))) {
		kicks = evict_current(c, now);
		if (c->current == NULL)
			return kicks;
	}
	if (blocked || e->leaving) {
		enum sched_state state = e->leaving ? SCHED_OFF : SCHED_BLOCKED;

		dismiss_current(c, e, now);
		e->leaving = false;
		put_to_rest(e, state);
	} else {
		put_back_current(c, now);
	}
	return kicks;
}

/* Whom the CPU ran until now, if anybody: it sleeps, is off, or waits again. Returns the CPUs to kick. Mostly it is one that gives
 * the CPU to another one and sleeps. */
static inline uint64_t leave_current(struct sched_cpu *c, uint64_t now)
{
	struct sched_entity *e = c->current;

	if (e == NULL)
		return 0;
	if (!c->blocking || c->open || e->wake_pending || e->leaving)
		return leave_somehow(c, e, now);
	c->blocking = false;
	dismiss_current(c, e, now);
	put_to_rest(e, SCHED_BLOCKED);
	return 0;
}

static void note_wait(struct sched_entity *e, uint64_t now)
{
	uint64_t waited = sched_elapsed(e->since, now);

	e->stats.wait_ticks += waited;
	if (waited > e->stats.max_wait_ticks)
		e->stats.max_wait_ticks = waited;
}

/* A waiting entity has to leave the CPU to others until `at`. */
COLD static void park(struct sched_cpu *c, struct sched_entity *e, uint64_t at, uint64_t now)
{
	sched_queue_pop(c, e);
	note_wait(e, now);
	sched_queue_detach(c, e);
	e->boosted = false;
	sched_end_turn(e);
	e->state = SCHED_PARKED;
	e->since = now;
	e->stats.parks++;
	deadline_set(&c->parked, &e->unpark, at);
}

/* How long the one that goes next may run. Who is next only for having waited so long gets a glimpse of the CPU. */
static inline void set_turn(const struct sched_cpu *c, struct sched_entity *e, const struct sched_entity *first)
{
	if (e->turn_left == 0)
		e->turn_left = turn_ticks(c, e);
	if (unlikely(e != first) && !e->boosted && e != c->favoured)
		e->turn_left = c->sched->turn_min;
}

/* Who runs next; it still waits. NULL: nobody can.  *first: who would by the order of the queue. */
static inline struct sched_entity *choose(struct sched_cpu *c, struct sched_entity **first, uint64_t now)
{
	struct sched_entity *e;
	uint64_t at;

	for (;;) {
		if (c->others != 0)
			sched_pull(c, now);
		*first = sched_queue_first(c);
		e = sched_queue_choose(c, *first, now);
		if (e == NULL)
			return NULL;
		set_turn(c, e, *first);
		if (sched_cap_admit(e, e->turn_left, now, &at)) {
			if (e->lease != 0 && e->lease < e->turn_left)
				e->turn_left = e->lease;
			return e;
		}
		park(c, e, at, now);
	}
}

/* The last look before the CPU idles is one at which it counts as idle already, so that whoever makes work after the look sees
 * that, and kicks it. What comes to it meanwhile ends the idling, and may have to be parked: hence the loop. */
static inline struct sched_entity *choose_or_idle(struct sched_cpu *c, struct sched_entity **first, uint64_t now)
{
	struct sched_entity *e;

	while ((e = choose(c, first, now)) == NULL && !bits_test(sched_get(c->sched->idle), c->id)) {
		c->last = NULL;
		sched_set_idle(c);
	}
	return e;
}

static void start_running(struct sched_cpu *c, struct sched_entity *e, uint64_t now)
{
	e->state = SCHED_RUNNING;
	e->since = now;
	c->current = e;
	if (c->last != e)
		e->stats.switches++;
	c->last = e;
}

static inline void run(struct sched_cpu *c, struct sched_entity *e, const struct sched_entity *first, uint64_t now)
{
	/* Who goes out of order says nothing of how far the queue has got. */
	if (e == first && !e->boosted && e->key == e->start)
		sched_set(c->vtime, e->start);
	sched_queue_pop(c, e);
	note_wait(e, now);
	start_running(c, e, now);
}

/* When to pick again, with e running. */
__attribute__((noinline)) static uint64_t turn_end(const struct sched_cpu *c, const struct sched_entity *e,
						   uint64_t now)
{
	uint64_t soonest = now + c->sched->turn_min;
	uint64_t end = deadline_next(&c->parked);
	uint64_t overdue = sched_queue_overdue_at(c);
	uint64_t ticks = e->turn_left;

	if (e->boosted && e->boost_left < ticks)
		ticks = e->boost_left;
	if (overdue < end)
		end = overdue;
	if (now + ticks < end)
		end = now + ticks;
	return end > soonest ? end : soonest;
}

/* Who has the CPU to himself need not: who comes to wait, anywhere, has this CPU kicked. */
static inline uint64_t slice_end(struct sched_cpu *c, const struct sched_entity *e, uint64_t now)
{
	if (c->count == 1 && !e->boosted && e->lease == 0 && deadline_next(&c->parked) == DEADLINE_NEVER &&
	    sched_open(c))
		return DEADLINE_NEVER;
	return turn_end(c, e, now);
}

/* Choose what the CPU does next; what it ran until now waits again, or sleeps if sched_block() came before.
 * *slice: when to ask again, and whom to kick.
 * Returns the entity to run, which may be the one that ran; NULL: none, the CPU is to idle until slice->until, or a kick.
 * Context: on the CPU itself, when sched_due() or after sched_block(), sched_yield_to() or idling; no locks. */
struct sched_entity *sched_pick(struct sched_cpu *c, uint64_t now, struct sched_slice *slice)
{
	struct sched_entity *e, *first;
	bool kicked;

	sched_lock(c);
	/* First of all: a kick that comes from now on is for the next time. */
	kicked = __atomic_exchange_n(&c->kicked, 0, __ATOMIC_SEQ_CST) != 0;
	slice->kicks = leave_current(c, now);
	if (unlikely(deadline_next(&c->parked) <= now))
		(void)deadline_expire(&c->parked, now);
	e = choose_or_idle(c, &first, now);
	if (e != NULL) {
		if (c->last == NULL)
			(void)sched_claim_idle(c);
		run(c, e, first, now);
		if (!list_empty(&c->waiting))
			slice->kicks |= sched_call_idle(c);
		if (kicked)
			slice->kicks |= sched_pass_call(c);
		slice->until = c->until = slice_end(c, e, now);
	} else {
		slice->until = c->until = deadline_next(&c->parked);
	}
	sched_unlock(c);
	if (unlikely(now >= sched_get(c->sched->next_align)))
		sched_align(c->sched, now);
	return e;
}

/* May e, which sleeps, run here at once without a look at anybody else?  Context: c's lock. */
static bool may_resume(const struct sched_cpu *c, const struct sched_entity *e)
{
	return sched_cpu_of(e) == c && e->state == SCHED_BLOCKED && c->count == 0 && sched_get(c->kicked) == 0 &&
	       sched_allowed(e, c) && sched_get(e->group->cap_percent) == SCHED_CAP_NONE &&
	       deadline_next(&c->parked) == DEADLINE_NEVER;
}

/* The first entity of an empty queue, which has no virtual time of its own: its last one may be long ago. Nor is there
 * anybody left here whom the entity owed what it had too much.  e: of this CPU, detached. */
static inline void begin_queue(struct sched_cpu *c, struct sched_entity *e)
{
	e->debt = 0;
	e->fair = c->fair;
	e->boosted = false;
	e->start = e->key = sched_latest_elsewhere(c, e, c->vtime, 0);
	sched_set(c->vtime, e->start);
}

/* turn_ticks() of one that is alone. */
static inline uint64_t turn_ticks_alone(const struct sched *s)
{
	uint64_t slice = sched_get(s->slice);

	return slice < s->round_max ? slice : s->round_max;
}

/* sched_wake() and sched_pick() in one, for an entity that went to sleep on this CPU, which idles since: it runs. A CPU
 * without work that could have some would have been kicked.
 * Returns false, with nothing changed, where it is not as simple as that.
 * Context: on the CPU itself, idle since its last sched_pick(); e has been added; no locks. */
bool sched_resume(struct sched_cpu *c, struct sched_entity *e, uint64_t now, struct sched_slice *slice)
{
	bool resumed;

	sched_lock(c);
	resumed = may_resume(c, e) && sched_claim_idle(c);
	if (resumed) {
		sched_change_active(e, 1);
		begin_queue(c, e);
		sched_queue_attach(c, e);
		e->turn_left = turn_ticks_alone(c->sched);
		start_running(c, e, now);
		slice->kicks = 0;
		slice->until = c->until = slice_end(c, e, now);
	}
	sched_unlock(c);
	return resumed;
}

/* What the CPU ran until now waits again, sleeps after sched_block(), or is off if it was removed. For a CPU that has left it
 * and does not pick next.  Returns the CPUs to kick.  Context: on the CPU itself; no locks. */
COLD uint64_t sched_put(struct sched_cpu *c, uint64_t now)
{
	uint64_t kicks;

	sched_lock(c);
	kicks = c->current != NULL ? leave_somehow(c, c->current, now) : 0;
	sched_unlock(c);
	return kicks;
}

/* The running entity has nothing to do until sched_wake(): sched_pick() or sched_put(), which is next, takes it off the CPU.
 * One that has been woken while it ran, since its last sched_block(), waits again instead.
 * Context: on the CPU itself, while it runs one; no locks, since nobody else looks. */
void sched_block(struct sched_cpu *c)
{
	assert(c->current != NULL);
	c->blocking = true;
}

/* The longest waiting entity of the same group, if it is among the first few of the queue. */
COLD static struct sched_entity *waiting_sibling(const struct sched_cpu *c, const struct sched_entity *e)
{
	struct list *pos = c->waiting.next;

	for (unsigned i = 0; i < SIBLING_SEARCH && pos != &c->waiting; i++, pos = pos->next) {
		struct sched_entity *o = container_of(pos, struct sched_entity, waiting);

		if (o->group == e->group)
			return o;
	}
	return NULL;
}

/* Is it this CPU's turn to run `to`, or so near that nobody loses by it? On the scale of c. */
static bool may_favour(const struct sched_cpu *c, const struct sched_entity *to)
{
	uint64_t key = to->key + sched_get(to->cpu->shift) - sched_get(c->shift);

	return to->state == SCHED_WAITING && sched_allowed(to, c) && !sched_before(c->vtime + sched_round(c), key);
}

/* The running entity waits for another one, say for a lock that it holds: let others run before it. It loses nothing of
 * its share.
 * to: who should run instead, best of all, if it waits, also for another CPU; NULL: one of the same group that waits here.
 * Context: on the CPU itself, while it runs one; sched_pick() is next; no locks. */
COLD void sched_yield_to(struct sched_cpu *c, struct sched_entity *to)
{
	struct sched_entity *e = c->current;
	struct sched_cpu *o; /* where `to` is */

	assert(e != NULL);
	sched_lock(c);
	e->yielded = true;
	if (to == NULL)
		to = waiting_sibling(c, e);
	o = to != NULL ? sched_cpu_of(to) : NULL;
	if (o != NULL && to != e) {
		sched_lock_second(c, o);
		if (sched_cpu_of(to) == o && may_favour(c, to)) {
			if (o != c)
				sched_take(c, to);
			c->favoured = to;
		}
		if (o != c)
			sched_unlock(o);
	}
	sched_unlock(c);
}
