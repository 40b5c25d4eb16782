/* What others do to entities: add and remove them, change them, wake them, read their accounts. All of it is legal
 * in any state of the entity, from any CPU, while others run it. */
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "kernel/sched_internal.h"

/* The stream of its group's cap has got to the entity.  Context: its CPU, with the lock, nobody runs there. */
static void unpark(void *ctx)
{
	struct sched_entity *e = ctx;

	e->stats.parked_ticks += sched_elapsed(e->since, e->unpark.at_tsc);
	sched_queue_enter(e->cpu, e, e->unpark.at_tsc, false);
}

static struct sched_cpu *shortest_queue(struct sched *s, uint64_t allowed)
{
	struct sched_cpu *best = NULL;

	for (; allowed != 0; allowed &= allowed - 1) {
		struct sched_cpu *c = &s->cpu[bits_ffs(allowed)];

		if (best == NULL || sched_get(c->count) < sched_get(best->count))
			best = c;
	}
	return best;
}

/* Let the scheduler know an entity; it is blocked until sched_wake().
 * e: zeroed, or off.  pins: CPUs on which it may run; those that are not present do not count.
 * Returns 0; ERR_RANGE: none of them is present.
 * Context: any; no locks. Others may wake it meanwhile, which does nothing before this returns, and nothing else. */
int sched_add(struct sched *s, struct sched_entity *e, struct sched_group *g, uint64_t pins)
{
	struct sched_cpu *to, *c;

	if ((pins & s->present) == 0)
		return ERR_RANGE;
	to = shortest_queue(s, pins & s->present);
	if (sched_cpu_of(e) == NULL)
		__atomic_store_n(&e->cpu, to, __ATOMIC_RELEASE);
	c = sched_lock_entity(e);
	sched_lock_second(c, to);
	assert(e->state == SCHED_OFF);
	memset(&e->group, 0, sizeof(*e) - offsetof(struct sched_entity, group));
	e->group = g;
	sched_set(e->pins, pins);
	list_init(&e->waiting);
	list_init(&e->boost);
	deadline_init(&e->unpark, unpark, e);
	e->start = e->key = to->vtime;
	e->fair = to->fair;
	e->state = SCHED_BLOCKED;
	__atomic_store_n(&e->cpu, to, __ATOMIC_RELEASE);
	if (to != c)
		sched_unlock(to);
	sched_unlock(c);
	return 0;
}

/* Time has been spent for an entity while it did not run: it is behind by that when it wakes next.
 * ticks: of TSC.  Context: as for sched_add(), and before the wake. */
void sched_charge(struct sched_entity *e, uint64_t ticks, uint64_t now)
{
	struct sched_cpu *c = sched_lock_entity(e);

	if (e->state == SCHED_BLOCKED) {
		e->debt += sched_virtual(ticks, sched_entity_weight(e));
		e->since = now;
	}
	sched_unlock(c);
}

/* Take an entity out of the scheduler. *kicks: CPUs to kick.
 * Returns true: it is off. False: it runs, and its CPU is to be kicked out of it; it is off when sched_is_off().
 * Of one that is off already it says true.  Context: any; no locks. Who still wakes it does nothing. */
bool sched_remove(struct sched_entity *e, uint64_t *kicks)
{
	struct sched_cpu *c = sched_lock_entity(e);
	bool running;

	*kicks = 0;
	if (c == NULL)
		return true;
	running = e->state == SCHED_RUNNING;
	if (running) {
		e->leaving = true;
		*kicks = sched_kick(c);
	} else if (e->state == SCHED_WAITING) {
		sched_queue_remove(c, e);
		sched_queue_detach(c, e);
		sched_change_active(e, -1);
	} else if (e->state == SCHED_PARKED) {
		(void)deadline_cancel(&e->unpark);
		sched_change_active(e, -1);
	}
	if (!running) {
		sched_cap_settle(e, 0);
		__atomic_store_n(&e->state, SCHED_OFF, __ATOMIC_RELEASE);
	}
	sched_unlock(c);
	return !running;
}

/* A sleeper wakes on `to`. What it had used beyond its part where it was, it still owes, for a second at most.
 * Context: both locks. */
static void move_sleeper(struct sched_entity *e, struct sched_cpu *to, uint64_t now)
{
	sched_settle_debt(e);
	if (e->cpu->count == 0 || sched_elapsed(e->since, now) > to->sched->debt_life)
		e->debt = 0;
	e->start = e->cpu->vtime + e->debt;
	sched_rebase(e, to);
	if (to->count != 0)
		e->start = to->vtime + e->debt;
}

/* Without a CPU that idles it will have to wait, where the virtual times say. */
static void catch_up_before_wait(const struct sched_entity *e, uint64_t now)
{
	const struct sched_cpu *last = sched_cpu_of(e);

	if (last != NULL && sched_get(last->sched->open) != 0 &&
	    (sched_get(last->sched->idle) & sched_get(e->pins)) == 0)
		sched_catch_up_all(last->sched, now);
}

/* The entity has something to do. One that runs notes it, and its next sched_block() returns at once; one that waits or is
 * parked will look before it blocks; for one that is off nothing is done.
 * Returns the CPUs to kick.  Context: any CPU; no locks. */
uint64_t sched_wake(struct sched_entity *e, uint64_t now)
{
	catch_up_before_wait(e, now);
	for (;;) {
		struct sched_cpu *c = sched_lock_entity(e), *to;
		uint64_t kicks = 0;
		bool done = true;

		if (c == NULL)
			return 0;
		if (e->state == SCHED_BLOCKED) {
			to = sched_place(c, sched_get(e->pins));
			sched_lock_second(c, to);
			/* c may have been let go of for a moment. */
			done = sched_cpu_of(e) == c && e->state == SCHED_BLOCKED && sched_allowed(e, to);
			if (done) {
				sched_catch_up(c, now);
				move_sleeper(e, to, now);
				sched_change_active(e, 1);
				sched_queue_enter(to, e, now, true);
				kicks = sched_notify(to, e);
			}
			if (to != c)
				sched_unlock(to);
		} else if (e->state == SCHED_RUNNING) {
			e->wake_pending = true;
		}
		sched_unlock(c);
		if (done)
			return kicks;
	}
}

/* Change the pins of an entity whose CPU is c.  to: where it waits or is parked afterwards.  Context: both locks. */
static uint64_t repin(struct sched_entity *e, struct sched_cpu *c, struct sched_cpu *to, uint64_t pins)
{
	uint64_t since = e->since;

	if (e->state == SCHED_WAITING) {
		sched_queue_remove(c, e);
		sched_set(e->pins, pins);
		if (to == c) {
			sched_queue_insert(c, e, since);
			return sched_call_idle(c);
		}
		sched_queue_detach(c, e);
		sched_rebase(e, to);
		sched_queue_enter(to, e, since, false);
		return sched_notify(to, e);
	}
	sched_set(e->pins, pins);
	if (e->state == SCHED_RUNNING && (!sched_allowed(e, c) || c->open))
		return sched_kick(c);
	if (e->state == SCHED_PARKED && to != c) {
		(void)deadline_cancel(&e->unpark);
		sched_rebase(e, to);
		deadline_set(&to->parked, &e->unpark, e->unpark.at_tsc);
		return sched_kick(to); /* it may have to look again sooner */
	}
	return 0;
}

/* Change where an entity may run.  pins: as for sched_add().  *kicks: CPUs to kick; one that runs where it may not any
 * more moves when its CPU picks next, and one whose slice has no end gets one (see sched_group_set()).
 * Returns 0, also for one that is off: sched_add() will say; ERR_RANGE: none of them is present, nothing changed.
 * Context: any CPU; no locks. */
int sched_set_pins(struct sched_entity *e, uint64_t pins, uint64_t *kicks)
{
	const struct sched_cpu *any = sched_cpu_of(e);
	bool done = any == NULL;

	*kicks = 0;
	if (!done && (pins & any->sched->present) == 0)
		return ERR_RANGE;
	while (!done) {
		struct sched_cpu *c = sched_lock_entity(e), *to = c;

		if ((e->state == SCHED_WAITING || e->state == SCHED_PARKED) && !bits_test(pins, c->id))
			to = sched_place(c, pins);
		sched_lock_second(c, to);
		/* c may have been let go of for a moment. */
		done = to == c || (sched_cpu_of(e) == c && (e->state == SCHED_WAITING || e->state == SCHED_PARKED));
		if (done)
			*kicks = repin(e, c, to, pins);
		if (to != c)
			sched_unlock(to);
		sched_unlock(c);
	}
	return 0;
}

/* The entity's account up to now; of one that is off, as it was.  Context: any CPU; no locks. */
void sched_read_stats(struct sched_entity *e, uint64_t now, struct sched_stats *out)
{
	struct sched_cpu *c = sched_lock_entity(e);
	uint64_t elapsed;

	memset(out, 0, sizeof(*out));
	if (c == NULL)
		return;
	*out = e->stats;
	elapsed = sched_elapsed(e->since, now);
	out->cpu = c->id;
	out->state = e->state;
	if (e->state == SCHED_RUNNING)
		out->run_ticks += elapsed;
	if (e->state == SCHED_PARKED)
		out->parked_ticks += elapsed;
	if (e->state == SCHED_WAITING) {
		out->wait_ticks += elapsed;
		if (elapsed > out->max_wait_ticks)
			out->max_wait_ticks = elapsed;
	}
	sched_unlock(c);
}
