/* Between the CPUs: locks, where a waking entity goes, whom a CPU takes over from another one's queue, and the virtual
 * times of the queues kept comparable. Queues are looked at without their locks first; what is found is looked at again
 * under them. */
#include "kernel/sched_internal.h"

enum { ALIGN_ROUNDS = 4 };

/* Lock the CPU of an entity. Returns it; NULL: it was never added. */
struct sched_cpu *sched_lock_entity(struct sched_entity *e)
{
	struct sched_cpu *c;

	while ((c = sched_cpu_of(e)) != NULL) {
		sched_lock(c);
		if (c == sched_cpu_of(e))
			break;
		sched_unlock(c);
	}
	return c;
}

/* Lock a second CPU. The first one's lock may be let go of meanwhile, to keep to the order. */
void sched_lock_second(struct sched_cpu *held, struct sched_cpu *other)
{
	if (other->id < held->id) {
		sched_unlock(held);
		sched_lock(other);
		sched_lock(held);
	} else if (other != held) {
		sched_lock(other);
	}
}

/* Make `to` the CPU of an entity that is in no queue.  Context: both locks. */
void sched_rebase(struct sched_entity *e, struct sched_cpu *to)
{
	uint64_t shift = sched_get(e->cpu->shift) - sched_get(to->shift);

	if (e->cpu == to)
		return;
	sched_settle_debt(e);
	e->fair = to->fair;
	e->start += shift;
	e->key += shift;
	e->stats.migrations++;
	__atomic_store_n(&e->cpu, to, __ATOMIC_RELEASE);
}

/* See sched_latest_elsewhere(). */
uint64_t sched_latest_of_others(const struct sched_cpu *c, const struct sched_entity *e, uint64_t least,
				unsigned rounds)
{
	uint64_t others = sched_get(e->pins) & c->others;

	for (; others != 0; others &= others - 1) {
		const struct sched_cpu *o = &c->sched->cpu[bits_ffs(others)];

		if (sched_get(o->count) > (rounds == 0))
			least = sched_later(least, sched_get(o->vtime) + sched_get(o->shift) - sched_get(c->shift) -
							   (rounds != 0 ? rounds * sched_round(o) : 0));
	}
	return least;
}

void sched_set_idle(struct sched_cpu *c)
{
	__atomic_fetch_or(&c->sched->idle, BIT64(c->id), __ATOMIC_SEQ_CST);
}

/* Make a CPU pick again. Returns its bit for the caller, who kicks it.  Context: no lock needed. */
uint64_t sched_kick(struct sched_cpu *c)
{
	__atomic_store_n(&c->kicked, 1, __ATOMIC_SEQ_CST);
	return BIT64(c->id);
}

/* The look of sched_open(). */
bool sched_may_stay_open(struct sched_cpu *c)
{
	for (uint64_t left = c->others; left != 0; left &= left - 1) {
		if (sched_get(c->sched->cpu[bits_ffs(left)].count) > 1) {
			sched_close(c);
			return false;
		}
	}
	return true;
}

void sched_close(struct sched_cpu *c)
{
	if (!c->open)
		return;
	c->open = false;
	__atomic_fetch_and(&c->sched->open, ~BIT64(c->id), __ATOMIC_SEQ_CST);
}

/* Somebody waits: all slices have an end again. Returns the CPUs to kick. */
static uint64_t close_all(struct sched *s)
{
	uint64_t open = sched_get(s->open), kicks = 0;

	if (likely(open == 0))
		return 0;
	open = __atomic_exchange_n(&s->open, 0, __ATOMIC_SEQ_CST);
	for (; open != 0; open &= open - 1)
		kicks |= sched_kick(&s->cpu[bits_ffs(open)]);
	return kicks;
}

/* Let every CPU's virtual time be as its slices would have it, had they ended.  Context: no locks. */
void sched_catch_up_all(struct sched *s, uint64_t now)
{
	for (uint64_t open = sched_get(s->open); open != 0; open &= open - 1) {
		struct sched_cpu *c = &s->cpu[bits_ffs(open)];

		sched_lock(c);
		sched_catch_up(c, now);
		sched_unlock(c);
	}
}

static uint64_t call_idle(struct sched_cpu *c)
{
	uint32_t work = c->movable.count + c->boosts_movable;
	uint64_t idle, kicks = 0;

	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	idle = sched_get(c->sched->idle) & ~BIT64(c->id);
	for (; idle != 0 && work != 0; idle &= idle - 1) {
		struct sched_cpu *o = &c->sched->cpu[bits_ffs(idle)];

		if (!bits_test(c->movable_pins, o->id) || sched_queue_find_for(c, o->id, true) == NULL)
			continue;
		if (sched_claim_idle(o)) {
			kicks |= sched_kick(o);
			work--;
		}
	}
	return kicks;
}

/* Kick as many idle CPUs as could take over something that waits here. An idle CPU sets its bit before it looks for work
 * for the last time, and work is visible before this is called: one of the two sees the other. */
uint64_t sched_call_idle(struct sched_cpu *c)
{
	uint64_t kicks;

	if (list_empty(&c->waiting))
		return 0;
	kicks = call_idle(c);
	return kicks | close_all(c->sched);
}

/* c was called while it idled, and has found work of its own: the work it was called for may still wait. Call another. */
uint64_t sched_pass_call(struct sched_cpu *c)
{
	uint64_t idle = sched_get(c->sched->idle), kicks = 0;

	for (uint64_t left = c->others; left != 0 && idle != 0; left &= left - 1) {
		const struct sched_cpu *o = &c->sched->cpu[bits_ffs(left)];
		uint64_t able = idle & sched_get(o->movable_pins);

		if (able == 0 || sched_get(o->movable.count) + sched_get(o->boosts_movable) == 0)
			continue;
		if (sched_claim_idle(&c->sched->cpu[bits_ffs(able)]))
			kicks |= sched_kick(&c->sched->cpu[bits_ffs(able)]);
		idle &= ~kicks;
	}
	return kicks;
}

/* An entity has come to wait on c: who must know?  Context: c's lock. */
uint64_t sched_notify(struct sched_cpu *c, const struct sched_entity *e)
{
	if (sched_claim_idle(c))
		return sched_kick(c);
	/* Without one running, c is about to pick, or was kicked before. */
	if (c->current != NULL && e->boosted && !c->current->boosted)
		return sched_kick(c);
	return sched_call_idle(c);
}

/* The smaller of two queues' rounds: what they may be apart. */
static uint64_t margin(const struct sched_cpu *a, const struct sched_cpu *b)
{
	uint64_t round = sched_round(a), other = sched_round(b);

	return round < other ? round : other;
}

/* Is it better to come to c than to o? Where less boosted ones are; else where those who run have had more of their share,
 * since who comes may take the CPU from them. */
static bool better_place(const struct sched_cpu *c, const struct sched_cpu *o)
{
	uint32_t boosts = sched_get(c->boosts), others = sched_get(o->boosts);

	if (boosts != others)
		return boosts < others;
	return sched_before(sched_get(o->vtime) + sched_get(o->shift) + margin(c, o),
			    sched_get(c->vtime) + sched_get(c->shift));
}

/* Where an entity that was on `last` should wait: on an idle CPU, best the last one; else on the last one, unless another
 * is better.  Context: no lock needed. */
struct sched_cpu *sched_place(struct sched_cpu *last, uint64_t pins)
{
	struct sched *s = last->sched;
	uint64_t allowed = pins & s->present;
	uint64_t idle = sched_get(s->idle) & allowed;
	struct sched_cpu *best;

	if (bits_test(idle, last->id))
		return last;
	if (idle != 0)
		return &s->cpu[bits_ffs(idle)];
	best = bits_test(allowed, last->id) ? last : &s->cpu[bits_ffs(allowed)];
	for (; allowed != 0; allowed &= allowed - 1) {
		struct sched_cpu *c = &s->cpu[bits_ffs(allowed)];

		if (better_place(c, best))
			best = c;
	}
	return best;
}

/* What makes c take somebody from o's queue: it has nothing to do, or it would run somebody (with `key`) whose turn, on
 * the common scale, begins later than one's there by more than a round. */
static bool wants_from(const struct sched_cpu *c, const struct sched_cpu *o, const uint64_t *key, uint64_t *their_key)
{
	if (!bits_test(sched_get(o->movable_pins), c->id))
		return false;
	if (key == NULL && sched_get(o->boosts_movable) != 0) {
		*their_key = sched_get(o->vtime) + sched_get(o->shift) - sched_get(c->shift);
		return true;
	}
	if (sched_get(o->movable.count) == 0)
		return false;
	*their_key = sched_get(o->movable_key) + sched_get(o->shift) - sched_get(c->shift);
	return key == NULL || sched_before(*their_key + margin(c, o), *key);
}

/* The CPU among `from` that has the most urgent one for c, NULL: none has. */
static struct sched_cpu *most_urgent(struct sched_cpu *c, uint64_t from, const uint64_t *key)
{
	struct sched_cpu *best = NULL;
	uint64_t best_key = 0;

	for (; from != 0; from &= from - 1) {
		struct sched_cpu *o = &c->sched->cpu[bits_ffs(from)];
		uint64_t their_key;

		if (wants_from(c, o, key, &their_key) && (best == NULL || sched_before(their_key, best_key))) {
			best = o;
			best_key = their_key;
		}
	}
	return best;
}

/* Let a waiting entity of another CPU wait here.  Context: both locks. */
void sched_take(struct sched_cpu *c, struct sched_entity *e)
{
	uint64_t since = e->since;

	sched_queue_remove(e->cpu, e);
	sched_queue_detach(e->cpu, e);
	sched_rebase(e, c);
	if (c->count == 0)
		sched_set(c->vtime, e->start);
	sched_queue_attach(c, e);
	sched_queue_insert(c, e, since);
}

/* Take over from o what may run here, if it is urgent enough.  Context: both locks. */
static bool take_from(struct sched_cpu *c, struct sched_cpu *o, const uint64_t *key)
{
	struct sched_entity *e = sched_queue_find_for(o, c->id, key == NULL);

	if (e == NULL)
		return false;
	if (key != NULL && !sched_before(e->key + sched_get(o->shift) - sched_get(c->shift), *key))
		return false;
	sched_take(c, e);
	return true;
}

/* Take over one entity of another CPU's queue, if it has nothing to do, or one there is more urgent than the first here.
 * Context: c's lock, which may be let go of meanwhile; nobody runs on c. */
void sched_pull(struct sched_cpu *c, uint64_t now)
{
	uint64_t from = c->others;

	while (from != 0) {
		struct sched_entity *in_order = sched_queue_first(c);
		struct sched_entity *first = sched_queue_choose(c, in_order, now);
		uint64_t key = first != NULL ? first->key : 0;
		struct sched_cpu *o;
		bool taken;

		/* A boosted, favoured or overdue one is not compared: it is out of order anyway. */
		if (first != NULL && first != in_order)
			return;
		o = most_urgent(c, from, first != NULL ? &key : NULL);
		if (o == NULL)
			return;
		sched_lock_second(c, o);
		/* Somebody may have come to an empty c meanwhile. */
		taken = c->count == 0 ? take_from(c, o, NULL) : first == NULL || take_from(c, o, &key);
		sched_unlock(o);
		if (taken)
			return;
		from &= ~BIT64(o->id);
	}
}

/* One CPU's queue on the common scale. */
struct position {
	struct sched_cpu *cpu;
	uint64_t vtime;
	uint64_t round;
};

static unsigned sorted_positions(struct sched *s, struct position *p)
{
	unsigned count = 0;

	for (uint64_t left = s->present; left != 0; left &= left - 1) {
		struct sched_cpu *c = &s->cpu[bits_ffs(left)];
		struct position at = {c, sched_get(c->vtime) + c->shift, sched_round(c)};
		unsigned i = count;

		if (sched_get(c->count) == 0)
			continue;
		for (; i > 0 && sched_before(at.vtime, p[i - 1].vtime); i--)
			p[i] = p[i - 1];
		p[i] = at;
		count++;
	}
	return count;
}

/* Bring queues that have drifted apart closer together. Queues that share entities keep up with each other; others, say
 * one with pinned entities alone, run ahead or stay behind for ever. Of that the scheduler remembers a few rounds only, or
 * who once had a CPU to itself would have to pay for it later. Gaps are closed by moving all queues behind them together,
 * so that those that keep up with each other stay as they are. It is time for it at s->next_align.
 * Context: no lock. A CPU that takes over an entity meanwhile may see one shift old and one new: it places that one a few
 * rounds wrong, once. */
void sched_align(struct sched *s, uint64_t now)
{
	struct position p[SCHED_MAX_CPUS];
	uint64_t closed = 0;
	unsigned count;

	if (__atomic_exchange_n(&s->aligning, 1, __ATOMIC_ACQUIRE) != 0)
		return;
	count = sorted_positions(s, p);
	for (unsigned i = 1; i < count; i++) {
		uint64_t gap = p[i].vtime - p[i - 1].vtime;
		uint64_t round = p[i].round > p[i - 1].round ? p[i].round : p[i - 1].round;

		if (gap > ALIGN_ROUNDS * round)
			closed += gap - ALIGN_ROUNDS * round;
		sched_set(p[i].cpu->shift, p[i].cpu->shift - closed);
	}
	sched_set(s->next_align, now + s->align_period);
	__atomic_store_n(&s->aligning, 0, __ATOMIC_RELEASE);
}
