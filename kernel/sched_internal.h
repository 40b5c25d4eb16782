/* What the scheduler's files share among themselves. Everything here wants the lock of the CPU it works on, unless said
 * otherwise. Two CPUs' locks are taken in the order of their numbers. */
#pragma once

#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/muldiv.h"
#include "kernel/sched.h"

/* Virtual time runs at 2^24 / (256 * weight) per tick. It wraps: only differences mean something. */
#define SCHED_VTIME_SHIFT 24

static inline bool sched_before(uint64_t a, uint64_t b)
{
	return (int64_t)(a - b) < 0;
}

static inline uint64_t sched_later(uint64_t a, uint64_t b)
{
	return sched_before(a, b) ? b : a;
}

/* now - since; clocks of two CPUs may differ by a little, and then it is 0. */
static inline uint64_t sched_elapsed(uint64_t since, uint64_t now)
{
	return now > since ? now - since : 0;
}

/* Fields that other CPUs read without the lock. */
#define sched_get(field) __atomic_load_n(&(field), __ATOMIC_RELAXED)
#define sched_set(field, value) __atomic_store_n(&(field), (value), __ATOMIC_RELAXED)

static inline void sched_lock(struct sched_cpu *c)
{
	alloc_lock_acquire(&c->lock);
}

static inline void sched_unlock(struct sched_cpu *c)
{
	alloc_lock_release(&c->lock);
}

/* Whoever holds the lock of the CPU that this returns may use the entity; without it, it may be another one at once. */
static inline struct sched_cpu *sched_cpu_of(const struct sched_entity *e)
{
	return __atomic_load_n(&e->cpu, __ATOMIC_ACQUIRE);
}

static inline bool sched_allowed(const struct sched_entity *e, const struct sched_cpu *c)
{
	return bits_test(sched_get(e->pins), c->id);
}

static inline bool sched_pinned_here(const struct sched_entity *e)
{
	return (e->pins & e->cpu->sched->present) == BIT64(e->cpu->id);
}

/* Ticks of running as virtual time. weight: in 1/256, not 0. */
static inline uint64_t sched_virtual(uint64_t ticks, uint64_t weight)
{
	return muldiv_u64(ticks, 1ull << SCHED_VTIME_SHIFT, weight);
}

/* The entity's part of its group's weight, in 1/256: all that want to run have the same. */
static inline uint64_t sched_entity_weight(const struct sched_entity *e)
{
	uint32_t active = sched_get(e->group->active), weight = sched_get(e->group->weight) << 8;

	if (likely(active <= 1))
		return weight;
	weight /= active;
	return weight != 0 ? weight : 1;
}

/* Take off the debt what its CPU has got through for everyone. */
static inline void sched_settle_debt(struct sched_entity *e)
{
	uint64_t fair = e->cpu->fair, passed = fair - e->fair;

	e->debt = e->debt > passed ? e->debt - passed : 0;
	e->fair = fair;
}

/* The turn is over: the next one begins when this one ended. */
static inline void sched_end_turn(struct sched_entity *e)
{
	e->start += e->used;
	e->key = e->start;
	e->used = 0;
	e->turn_left = 0;
}

/* One more, or one less, of its group wants to run. */
static inline void sched_change_active(struct sched_entity *e, int by)
{
	__atomic_fetch_add(&e->group->active, (uint32_t)by, __ATOMIC_RELAXED);
}

/* The earlier key first; of equal ones, who waits for longer. */
static inline bool sched_goes_first(const struct sched_entity *a, const struct sched_entity *b)
{
	return a->key != b->key ? sched_before(a->key, b->key) : a->since <= b->since;
}

/* Whose turn begins first, of those that are not boosted; NULL: nobody's. */
static inline struct sched_entity *sched_queue_first(const struct sched_cpu *c)
{
	struct sched_entity *a = c->local.root, *b = c->movable.root;

	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	return sched_goes_first(a, b) ? a : b;
}

/* Does the entity wait where other CPUs look? */
static inline bool sched_is_movable(const struct sched_cpu *c, const struct sched_entity *e)
{
	return e->heap == &c->movable;
}

/* When the longest waiter has waited for as many slices as there are entities here. */
static inline uint64_t sched_queue_overdue_at(const struct sched_cpu *c)
{
	if (list_empty(&c->waiting))
		return DEADLINE_NEVER;
	return container_of(c->waiting.next, struct sched_entity, waiting)->since +
	       c->count * sched_get(c->sched->slice);
}

/* No longer count the entity among those that wait or run here. */
static inline void sched_queue_detach(struct sched_cpu *c, const struct sched_entity *e)
{
	assert(c->count > 0 && c->weight >= e->queue_weight);
	sched_set(c->weight, c->weight - e->queue_weight);
	sched_set(c->count, c->count - 1);
	if (e->boosted)
		sched_set(c->boosts, c->boosts - 1);
}

/* The CPU gets something to do. Returns whether it was idle, to one caller only: who gets true has to kick it, or is it. */
static inline bool sched_claim_idle(struct sched_cpu *c)
{
	const uint64_t bit = BIT64(c->id);

	if (likely((sched_get(c->sched->idle) & bit) == 0))
		return false;
	return (__atomic_fetch_and(&c->sched->idle, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

/* sched_queue.c */
uint64_t sched_round_ticks(const struct sched_cpu *c, uint32_t count);
uint64_t sched_round(const struct sched_cpu *c);
void sched_queue_attach(struct sched_cpu *c, struct sched_entity *e);
void sched_queue_reweigh(struct sched_cpu *c, struct sched_entity *e);
void sched_queue_insert(struct sched_cpu *c, struct sched_entity *e, uint64_t now);
void sched_queue_remove(struct sched_cpu *c, struct sched_entity *e);
void sched_heap_remove(struct sched_heap *h, struct sched_entity *e);
void sched_publish_movable(struct sched_cpu *c);
void sched_queue_enter(struct sched_cpu *c, struct sched_entity *e, uint64_t now, bool may_boost);
uint64_t sched_queue_clamp(const struct sched_cpu *c, const struct sched_entity *e, uint64_t start, bool slept);
struct sched_entity *sched_queue_find_for(struct sched_cpu *c, unsigned cpu, bool boosted_too);

/* sched_balance.c */
struct sched_cpu *sched_lock_entity(struct sched_entity *e);
void sched_lock_second(struct sched_cpu *held, struct sched_cpu *other);
void sched_rebase(struct sched_entity *e, struct sched_cpu *to);
struct sched_cpu *sched_place(struct sched_cpu *last, uint64_t pins);
uint64_t sched_latest_of_others(const struct sched_cpu *c, const struct sched_entity *e, uint64_t least,
				unsigned rounds);
void sched_take(struct sched_cpu *c, struct sched_entity *e);
uint64_t sched_notify(struct sched_cpu *c, const struct sched_entity *e);
void sched_pull(struct sched_cpu *c, uint64_t now);
uint64_t sched_kick(struct sched_cpu *c);
uint64_t sched_call_idle(struct sched_cpu *c);
uint64_t sched_pass_call(struct sched_cpu *c);
bool sched_may_stay_open(struct sched_cpu *c);
void sched_close(struct sched_cpu *c);
void sched_catch_up_all(struct sched *s, uint64_t now);
void sched_set_idle(struct sched_cpu *c);
void sched_align(struct sched *s, uint64_t now);

/* sched_pick.c */
void sched_catch_up_open(struct sched_cpu *c, uint64_t now);

/* sched_cap.c */
bool sched_cap_take(struct sched_entity *e, uint32_t percent, uint64_t want, uint64_t now, uint64_t *at);
void sched_cap_give_back(struct sched_entity *e, uint64_t ran);

/* May the entity run? It is handed up to `want` ticks of its group's cap, and *at says from when on it may use them. */
static inline bool sched_cap_admit(struct sched_entity *e, uint64_t want, uint64_t now, uint64_t *at)
{
	uint32_t percent = sched_get(e->group->cap_percent);

	return likely(percent == SCHED_CAP_NONE) || e->lease != 0 || sched_cap_take(e, percent, want, now, at);
}

/* The entity stops after so many ticks: give back what it did not use, or charge what it used too much. */
static inline void sched_cap_settle(struct sched_entity *e, uint64_t ran)
{
	if (unlikely(e->lease != 0))
		sched_cap_give_back(e, ran);
}

/* Where a slice has no end, what its ends would have done is done when somebody looks. */
static inline void sched_catch_up(struct sched_cpu *c, uint64_t now)
{
	if (unlikely(c->open) && c->current != NULL)
		sched_catch_up_open(c, now);
}

/* Does nobody wait on any other CPU? Then the slice of the one that c runs, which is alone there, has no end. The bit is set
 * before the look, and who waits is visible before all are closed: one of the two sees the other. */
static inline bool sched_open(struct sched_cpu *c)
{
	c->open = true;
	__atomic_fetch_or(&c->sched->open, BIT64(c->id), __ATOMIC_SEQ_CST);
	return likely(c->others == 0) || sched_may_stay_open(c);
}

/* Take out of the queue who waits there. */
static inline void sched_queue_pop(struct sched_cpu *c, struct sched_entity *e)
{
	list_remove(&e->waiting);
	if (e->boosted) {
		list_remove(&e->boost);
		if (sched_is_movable(c, e))
			sched_set(c->boosts_movable, c->boosts_movable - 1);
	} else if (e->heap->root == e && e->child == NULL) {
		e->heap->root = NULL;
		sched_set(e->heap->count, 0);
	} else {
		sched_heap_remove(e->heap, e);
	}
	if (c->favoured == e)
		c->favoured = NULL;
	if (sched_is_movable(c, e))
		sched_publish_movable(c);
}

/* Who is next; it stays in the queue. NULL: nobody waits.  first: sched_queue_first(c). */
static inline struct sched_entity *sched_queue_choose(const struct sched_cpu *c, struct sched_entity *first,
						      uint64_t now)
{
	if (list_empty(&c->waiting))
		return NULL;
	if (unlikely(now >= sched_queue_overdue_at(c)))
		return container_of(c->waiting.next, struct sched_entity, waiting);
	if (!list_empty(&c->boosted))
		return container_of(c->boosted.next, struct sched_entity, boost);
	if (unlikely(c->favoured != NULL))
		return c->favoured;
	return first;
}

/* The latest virtual time, on the scale of c, of the other queues that e could stand in and in which somebody waits; or
 * `least`, if that is later. */
static inline uint64_t sched_latest_elsewhere(const struct sched_cpu *c, const struct sched_entity *e, uint64_t least,
					      unsigned rounds)
{
	return likely(c->others == 0) ? least : sched_latest_of_others(c, e, least, rounds);
}
