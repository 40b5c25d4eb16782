/* One CPU's queue: who waits, in which order, and who is next. Two pairing heaps (Fredman, Sedgewick, Sleator, Tarjan:
 * "The Pairing Heap", 1986) by virtual start time, a list of boosted ones, and a list of all by how long they have waited.
 * Inserting costs O(1), removing O(log n) amortised. */
#include "kernel/sched_internal.h"

enum { DEBT_SLICES = 3, LAG_ROUNDS = 2 };

/* Join two heaps; either may be empty. */
static struct sched_entity *meld(struct sched_entity *a, struct sched_entity *b)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (!sched_goes_first(a, b)) {
		struct sched_entity *swap = a;

		a = b;
		b = swap;
	}
	b->prev = a;
	b->next = a->child;
	if (a->child != NULL)
		a->child->prev = b;
	a->child = b;
	return a;
}

/* Make one heap of a list of siblings: meld them in pairs from the front, then the pairs from the back. */
static struct sched_entity *meld_siblings(struct sched_entity *first)
{
	struct sched_entity *pairs = NULL, *heap = NULL;

	while (first != NULL) {
		struct sched_entity *a = first, *b = first->next;

		first = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	while (pairs != NULL) {
		struct sched_entity *a = pairs;

		pairs = a->next;
		a->next = NULL;
		heap = meld(heap, a);
	}
	return heap;
}

static void heap_insert(struct sched_heap *h, struct sched_entity *e)
{
	e->child = e->next = e->prev = NULL;
	h->root = meld(h->root, e);
	sched_set(h->count, h->count + 1);
}

void sched_heap_remove(struct sched_heap *h, struct sched_entity *e)
{
	struct sched_entity *below = meld_siblings(e->child);

	assert(h->count > 0);
	if (e == h->root) {
		h->root = below;
	} else {
		/* prev is the parent for the first child, the sibling before for the others. */
		if (e->prev->child == e)
			e->prev->child = e->next;
		else
			e->prev->next = e->next;
		if (e->next != NULL)
			e->next->prev = e->prev;
		h->root = meld(h->root, below);
	}
	sched_set(h->count, h->count - 1);
}

/* The next node to visit behind e without going below it, NULL: none. */
static struct sched_entity *heap_walk_past(struct sched_entity *e)
{
	while (e != NULL && e->next == NULL) {
		struct sched_entity *first = e;

		/* Back along the siblings; the first one's prev is the parent. */
		while (first->prev != NULL && first->prev->child != first)
			first = first->prev;
		e = first->prev;
	}
	return e != NULL ? e->next : NULL;
}

/* The first of the heap that may run on cpu. Below one that may, nothing goes before it: only what may not is descended
 * into. *pins: the union of the pins that were seen. */
static struct sched_entity *heap_find_for(const struct sched_heap *h, unsigned cpu, uint64_t *pins)
{
	struct sched_entity *best = NULL, *e = h->root;

	while (e != NULL) {
		bool allowed = bits_test(e->pins, cpu);

		*pins |= e->pins;
		if (allowed && (best == NULL || sched_goes_first(e, best)))
			best = e;
		e = !allowed && e->child != NULL ? e->child : heap_walk_past(e);
	}
	return best;
}

/* How long a queue of `count` takes until everyone had a turn. An average turn is a slice, less when there are many. */
uint64_t sched_round_ticks(const struct sched_cpu *c, uint32_t count)
{
	const struct sched *s = c->sched;
	uint64_t slice = sched_get(s->slice);

	if (count == 0)
		count = 1;
	if (slice * count > s->round_max)
		slice = s->round_max / count;
	if (slice < s->slice_min)
		slice = s->slice_min;
	return slice * count;
}

/* The same as virtual time. Another CPU, without the lock, may see count and weight before and after a change. */
uint64_t sched_round(const struct sched_cpu *c)
{
	uint64_t weight = sched_get(c->weight);

	return weight != 0 ? sched_virtual(sched_round_ticks(c, sched_get(c->count)), weight) : 1;
}

/* Count the entity among those that wait or run here. */
void sched_queue_attach(struct sched_cpu *c, struct sched_entity *e)
{
	e->queue_weight = sched_entity_weight(e);
	sched_set(c->weight, c->weight + e->queue_weight);
	sched_set(c->count, c->count + 1);
	if (e->boosted)
		sched_set(c->boosts, c->boosts + 1);
}

/* The weight of an attached entity may have changed, or that of which it is a part. */
void sched_queue_reweigh(struct sched_cpu *c, struct sched_entity *e)
{
	uint64_t weight = sched_entity_weight(e);

	sched_set(c->weight, c->weight + weight - e->queue_weight);
	e->queue_weight = weight;
}

/* What other CPUs see of those that wait in c->movable, or boosted. */
void sched_publish_movable(struct sched_cpu *c)
{
	if (c->movable.root != NULL)
		sched_set(c->movable_key, c->movable.root->key);
	else if (c->boosts_movable == 0)
		sched_set(c->movable_pins, 0);
}

/* Let an attached entity wait. since: from when on; mostly now, so that its place among the others is found at once. */
void sched_queue_insert(struct sched_cpu *c, struct sched_entity *e, uint64_t since)
{
	struct list *at = c->waiting.prev;

	e->heap = sched_pinned_here(e) ? &c->local : &c->movable;
	e->state = SCHED_WAITING;
	e->since = since;
	while (at != &c->waiting && container_of(at, struct sched_entity, waiting)->since > since)
		at = at->prev;
	list_add_after(at, &e->waiting);
	if (e->boosted)
		list_add_back(&c->boosted, &e->boost);
	else
		heap_insert(e->heap, e);
	if (!sched_is_movable(c, e))
		return;
	sched_set(c->movable_pins, c->movable_pins | e->pins);
	if (e->boosted)
		sched_set(c->boosts_movable, c->boosts_movable + 1);
	sched_publish_movable(c);
}

void sched_queue_remove(struct sched_cpu *c, struct sched_entity *e)
{
	assert(e->state == SCHED_WAITING && e->cpu == c);
	sched_queue_pop(c, e);
}

/* A start time that fits this queue. Not earlier than its virtual time: sleeping earns nothing. Not so late that the entity
 * would have to wait for more than it can have got too much, which is a slice or two on a CPU of its own. And not so early
 * either, compared to all queues it could stand in: it would have gone there, if it could use more than one CPU. */
uint64_t sched_queue_clamp(const struct sched_cpu *c, const struct sched_entity *e, uint64_t start, bool slept)
{
	uint64_t most = sched_virtual(DEBT_SLICES * sched_get(c->sched->slice), sched_entity_weight(e));

	start = sched_later(start, slept ? c->vtime : c->vtime - most);
	if (sched_before(c->vtime + most, start))
		start = c->vtime + most;
	return sched_latest_elsewhere(c, e, start + most, LAG_ROUNDS) - most;
}

/* Let an entity that has something to do again wait here.  e: of this CPU, detached. */
void sched_queue_enter(struct sched_cpu *c, struct sched_entity *e, uint64_t now, bool may_boost)
{
	sched_catch_up(c, now);
	e->boosted = false;
	e->turn_left = 0;
	if (c->count == 0) {
		/* An empty queue has no virtual time of its own; its last one may be long ago. */
		e->start = sched_latest_elsewhere(c, e, e->start, 0);
		sched_set(c->vtime, e->start);
	} else {
		uint64_t credit = sched_virtual(c->sched->slice_min, sched_entity_weight(e));

		e->start = sched_queue_clamp(c, e, e->start, true);
		e->boosted = may_boost && e->debt <= credit;
		e->boost_left = c->sched->slice_min;
	}
	e->key = e->start;
	sched_queue_attach(c, e);
	sched_queue_insert(c, e, now);
}

/* Who of those waiting here goes first among those that may run on cpu. NULL: none. */
struct sched_entity *sched_queue_find_for(struct sched_cpu *c, unsigned cpu, bool boosted_too)
{
	uint64_t pins = 0;
	struct sched_entity *e;

	LIST_FOR_EACH(pos, &c->boosted)
	{
		e = container_of(pos, struct sched_entity, boost);
		if (!sched_pinned_here(e))
			pins |= e->pins;
		if (boosted_too && bits_test(e->pins, cpu))
			return e;
	}
	e = heap_find_for(&c->movable, cpu, &pins);
	if (e == NULL)
		sched_set(c->movable_pins, pins); /* all were seen: exact again */
	return e;
}
