/* The scheduler's policy, and its set-up. In sched_pick.c stands what a CPU does for itself, in sched_entity.c what others
 * do to entities, in sched_queue.c, sched_balance.c and sched_cap.c the parts.
 *
 * Order in one queue. Start-time fair queuing (Goyal, Vin, Cheng: "Start-time Fair Queuing: A Scheduling Algorithm for
 * Integrated Services Packet Switching Networks", 1996): an entity's virtual time grows with its running, the slower the
 * more weight it has; whose turn begins at the earliest virtual time goes next. A turn is the entity's part, by weight, of
 * a round: of as many slices as there are entities, a slice being 10 ms, or less when there are more than four, down to
 * 1 ms. No turn is longer than 10 ms or shorter than 50 us. So the order is a weighted round robin as long as nobody
 * sleeps. Who has waited for a slice times the entities in its queue goes next whatever its weight, for 50 us.
 *
 * Wake-up. Who wakes starts at the virtual time of the queue: sleeping earns nothing; what it had used beyond its part it
 * still owes. If that is less than a millisecond of its running, it is boosted: it takes the CPU from whoever is not,
 * for up to a millisecond, and then queues as the others do. Boosted time is charged like any other, so an entity can gain
 * that one millisecond by sleeping cleverly, once.
 *
 * Alone. While nobody waits on any CPU, the slices of those who run without a cap have no end: the first one who has to
 * wait makes all of these CPUs pick again. What the ends would have done is made up for before anybody looks.
 *
 * Several CPUs. Virtual times of all queues are on one scale. A CPU that picks looks at the others' queues, without their
 * locks, and takes over who may run here and is behind the first of its own queue by more than a round; one with nothing
 * to do takes over anyone, and who makes work waits for no CPU that idles: it kicks one. Serving on each CPU the one that
 * is most behind gives weighted max-min shares, also under pinning (Yap, Huang, Yiakoumis, McKeown, Katti: "Scheduling
 * Packets over Multiple Interfaces while Respecting User Preferences", 2013). Who has more weight than one CPU is worth
 * (Chandra, Adler, Goyal, Shenoy: "Surplus Fair Scheduling", 2000) falls behind without end, and would be owed all that
 * when others come or go: it is never more than two rounds and three slices behind the queues it could stand in. Queues
 * that share no entities drift apart; sched_align() limits that.
 *
 * Groups. A group's weight is shared in equal parts by those of its entities that want to run, its cap by those that come
 * for it, in the order in which they come, in portions. A capped group's time is counted as it is used (sched_cap.c); who
 * finds none left is parked in its CPU's deadline queue.
 *
 * What is guaranteed, and checked by tests/unit/test_sched.c on simulated machines of 1 to 8 CPUs with 1 to 50 entities:
 * - Over 10 s, who always wants to run gets within 1 % of its weighted max-min share (or of a slice, if that is more),
 *   counted over all CPUs, of the CPU time that was used. Each entity can use one CPU; what it cannot use is the others'.
 *   Giving way costs nothing of it.
 * - Who sleeps and wants no more than its share gets that; who wants a little more may get up to a quarter more.
 * - A cap is never exceeded by more than 2 % over 10 s, and reached within 2 % if the weight allows it.
 * - With pins the shares are max-min as far as the pins let them be, within 1 % for weights within 1:16, with one
 *   exception: an entity with more weight than one CPU is worth, if it could have that only by moving between CPUs at the
 *   right moments, or if one that runs all the time on another CPU moved to a third one. It may lose some percent.
 *   The same is true of such an entity beside sleepers and capped ones: what it loses when all of them run at once, no CPU
 *   can give back.
 * - With very different weights the 50 us of those with next to none add up to 1 % of a CPU at most.
 * - Nobody waits for longer than a slice times the length of its queue and one; no CPU idles while one waits whom it could
 *   run, but for the time that a kick takes.
 * - Who uses less than half of its share runs at once when it wakes: after 1 ms for each other one that is boosted.
 *
 * Locks. One per CPU; two at most are held at a time, in the order of the CPUs' numbers. An exit that continues the same
 * entity takes none: it asks sched_due(). Work per call: O(log n) in the queue, and one look at each CPU; finding one whom
 * a CPU may run among pinned ones, and moving a waiting one, may go through a queue once. */
#include "kernel/sched.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "kernel/sched_internal.h"

#define SLICE_MIN_NS (1 * NS_PER_MS)
#define SLICE_MAX_NS (100 * NS_PER_MS)
#define TURN_MIN_NS (50 * NS_PER_US)
#define ROUND_MAX_NS (40 * NS_PER_MS)
#define CAP_PERIOD_NS (20 * NS_PER_MS)
#define CAP_DEPTH_NS (100 * NS_PER_MS)
#define DEBT_LIFE_NS (1 * NS_PER_SEC)
#define ALIGN_PERIOD_NS (20 * NS_PER_MS)
#define VTIME_START (0 - (1ull << 36)) /* wraps soon: a comparison that does not care shows at once */
#define TSC_HZ_MIN 1000000u            /* with less the shortest times would round to nothing */

static void cpu_init(struct sched *s, uint32_t id, const struct alloc_lock *lock)
{
	struct sched_cpu *c = &s->cpu[id];

	c->id = id;
	c->others = s->present & ~BIT64(id);
	c->sched = s;
	c->vtime = VTIME_START;
	if (lock != NULL)
		c->lock = *lock;
	list_init(&c->boosted);
	list_init(&c->waiting);
	deadline_queue_init(&c->parked);
}

/* Make a scheduler without entities; all CPUs are idle after their first sched_pick().
 * present: CPUs, bit by bit.  locks: by CPU number up to the highest, copied; NULL: none are needed.
 * Returns 0; ERR_INVAL: no CPU, or less than 1 MHz. */
int sched_init(struct sched *s, uint64_t present, uint64_t tsc_hz, const struct alloc_lock *locks)
{
	if (present == 0 || tsc_hz < TSC_HZ_MIN)
		return ERR_INVAL;
	memset(s, 0, sizeof(*s));
	s->present = present;
	s->tsc_hz = tsc_hz;
	s->slice = time_ticks_from_ns(SCHED_SLICE_DEFAULT_NS, tsc_hz);
	s->slice_min = time_ticks_from_ns(SLICE_MIN_NS, tsc_hz);
	s->turn_min = time_ticks_from_ns(TURN_MIN_NS, tsc_hz);
	s->round_max = time_ticks_from_ns(ROUND_MAX_NS, tsc_hz);
	s->cap_period = time_ticks_from_ns(CAP_PERIOD_NS, tsc_hz);
	s->cap_depth = time_ticks_from_ns(CAP_DEPTH_NS, tsc_hz);
	s->debt_life = time_ticks_from_ns(DEBT_LIFE_NS, tsc_hz);
	s->align_period = time_ticks_from_ns(ALIGN_PERIOD_NS, tsc_hz);
	s->next_align = (present & (present - 1)) != 0 ? 0 : UINT64_MAX;
	for (; present != 0; present &= present - 1)
		cpu_init(s, bits_ffs(present), locks != NULL ? &locks[bits_ffs(present)] : NULL);
	return 0;
}

/* Change the slice, 1..100 ms, also while CPUs run.  Returns 0; ERR_RANGE. */
int sched_set_slice(struct sched *s, uint64_t slice_ns)
{
	if (slice_ns < SLICE_MIN_NS || slice_ns > SLICE_MAX_NS)
		return ERR_RANGE;
	sched_set(s->slice, time_ticks_from_ns(slice_ns, s->tsc_hz));
	return 0;
}

/* Change weight and cap; also while entities run: it takes effect with their next turns. Call sched_set_pins() after it, since
 * one that is alone has no next turn.
 * weight: SCHED_WEIGHT_MIN..MAX.  cap_percent: of one CPU, up to SCHED_CAP_MAX; SCHED_CAP_NONE: none.
 * Returns 0; ERR_RANGE: nothing changed.  Context: any. */
int sched_group_set(struct sched_group *g, uint32_t weight, uint32_t cap_percent)
{
	if (weight < SCHED_WEIGHT_MIN || weight > SCHED_WEIGHT_MAX || cap_percent > SCHED_CAP_MAX)
		return ERR_RANGE;
	sched_set(g->weight, weight);
	sched_set(g->cap_percent, cap_percent);
	return 0;
}

/* Make a group without entities; as sched_group_set(). */
int sched_group_init(struct sched_group *g, uint32_t weight, uint32_t cap_percent)
{
	memset(g, 0, sizeof(*g));
	return sched_group_set(g, weight, cap_percent);
}
