/* The deadline queue as a pairing heap (Fredman, Sedgewick, Sleator, Tarjan: "The Pairing Heap", 1986): links inside the
 * elements, so setting one never needs memory and never fails; set and next cost O(1), expire and cancel O(log n) amortised.
 * It is not a clock and knows no hardware. */
#include "kernel/time.h"
#include "kernel/lib/assert.h"

/* Join two heaps; either may be empty. With equal times a stays on top. */
static struct deadline *meld(struct deadline *a, struct deadline *b)
{
	if (a == NULL || b == NULL)
		return a != NULL ? a : b;
	if (b->at_tsc < a->at_tsc) {
		struct deadline *swap = a;

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

/* Make one heap of a list of siblings: meld them in pairs from the front, then the pairs from the back. A loop, since the
 * list may be as long as the queue and the stack is not. */
static struct deadline *meld_siblings(struct deadline *first)
{
	struct deadline *pairs = NULL, *heap = NULL;

	while (first != NULL) {
		struct deadline *a = first, *b = first->next, *pair;

		first = b != NULL ? b->next : NULL;
		a->next = a->prev = NULL;
		if (b != NULL)
			b->next = b->prev = NULL;
		pair = meld(a, b);
		pair->next = pairs;
		pairs = pair;
	}
	while (pairs != NULL) {
		struct deadline *pair = pairs;

		pairs = pair->next;
		pair->next = NULL;
		heap = meld(heap, pair);
	}
	return heap;
}

static void note_next(struct deadline_queue *q, uint64_t next)
{
	__atomic_store_n(&q->next, next, __ATOMIC_RELAXED);
}

static uint64_t first_of(const struct deadline *root, uint64_t next)
{
	return root != NULL && root->at_tsc < next ? root->at_tsc : next;
}

/* Put `with` (or nothing) where d hangs in its parent's list of children. */
static void replace_child(struct deadline *d, struct deadline *with)
{
	struct deadline *next = d->next;

	if (with != NULL) {
		with->prev = d->prev;
		with->next = next;
		next = with;
	}
	if (d->prev->child == d)
		d->prev->child = next;
	else
		d->prev->next = next;
	if (with == NULL && next != NULL)
		next->prev = d->prev;
	if (with != NULL && with->next != NULL)
		with->next->prev = with;
}

/* Take d out of the queue. What hung below it takes its place: it is no earlier than d was, and so it stays in the heap
 * that d was in, of the two. */
static void heap_remove(struct deadline *d)
{
	struct deadline_queue *q = d->queue;
	struct deadline *below = d->child != NULL ? meld_siblings(d->child) : NULL;

	assert(q->armed > 0);
	if (d == q->root)
		q->root = below;
	else if (d == q->fresh)
		q->fresh = below;
	else
		replace_child(d, below);
	if (d->at_tsc == q->next)
		note_next(q, first_of(q->root, first_of(q->fresh, DEADLINE_NEVER)));
	q->armed--;
	d->child = d->next = d->prev = NULL;
	/* Last: whoever sees it in no queue may put it into one of his own, without the lock of this one. */
	__atomic_store_n(&d->queue, NULL, __ATOMIC_RELEASE);
}

/* Make an empty queue.  Context: nobody uses it yet. */
void deadline_queue_init(struct deadline_queue *q)
{
	*q = (struct deadline_queue){.next = DEADLINE_NEVER};
}

/* Make a deadline that is not armed.
 * fire: what happens when it passes, called with ctx on the queue's CPU. */
void deadline_init(struct deadline *d, void (*fire)(void *ctx), void *ctx)
{
	*d = (struct deadline){.fire = fire, .ctx = ctx};
}

static inline void insert(struct deadline_queue *q, struct deadline *d, uint64_t at_tsc)
{
	struct deadline **root = q->expiring ? &q->fresh : &q->root;

	d->at_tsc = at_tsc;
	__atomic_store_n(&d->queue, q, __ATOMIC_RELAXED);
	*root = meld(*root, d);
	q->armed++;
	if (at_tsc < q->next)
		note_next(q, at_tsc);
}

__attribute__((noinline)) static void move(struct deadline_queue *q, struct deadline *d, uint64_t at_tsc)
{
	heap_remove(d);
	insert(q, d, at_tsc);
}

/* Arm a deadline, or move it when it is armed, also from another queue. Set from inside a fire() it waits for the next
 * deadline_expire(), even if its time has passed, so that one that sets itself again cannot hold the CPU for ever.
 * at_tsc: TSC value, any; DEADLINE_NEVER is kept like any other.  Context: the CPU of q, and of the queue it was in. */
void deadline_set(struct deadline_queue *q, struct deadline *d, uint64_t at_tsc)
{
	if (unlikely(d->queue != NULL))
		move(q, d, at_tsc);
	else
		insert(q, d, at_tsc);
}

/* Disarm a deadline. Returns whether it was armed.  Context: the CPU of its queue. */
bool deadline_cancel(struct deadline *d)
{
	if (d->queue == NULL)
		return false;
	heap_remove(d);
	return true;
}

/* Fire every deadline whose time is now or earlier, in the order of their times (equal ones in no particular order).
 * Returns how many fired.  Context: the queue's CPU, not from inside a fire(). */
size_t deadline_expire(struct deadline_queue *q, uint64_t now_tsc)
{
	size_t fired = 0;

	assert(!q->expiring);
	q->expiring = true;
	while (q->root != NULL && q->root->at_tsc <= now_tsc) {
		struct deadline *d = q->root;

		heap_remove(d);
		d->fire(d->ctx);
		fired++;
	}
	q->expiring = false;
	q->root = meld(q->root, q->fresh);
	q->fresh = NULL;
	return fired;
}

COLD uint64_t time_ns_from_ticks(uint64_t ticks, uint64_t tsc_hz)
{
	return muldiv_u64(ticks, NS_PER_SEC, tsc_hz);
}

COLD uint64_t time_ticks_from_ns(uint64_t ns, uint64_t tsc_hz)
{
	return muldiv_u64(ns, tsc_hz, NS_PER_SEC);
}
