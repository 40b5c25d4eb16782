/* The order of locks: see lock_order.h. */
#include "arch/x86/lock_order.h"

static bool comes_before(const struct spinlock *held, const struct spinlock *l)
{
	if (l->rank == LOCK_RANK_NONE || held->rank < l->rank)
		return true;
	return held->rank == l->rank && held->place != 0 && held->place < l->place;
}

/* The lock among those held because of which l must not be waited for: l itself, or one that is not before it. NULL: none. */
const struct spinlock *locks_conflict(const struct locks_held *h, const struct spinlock *l)
{
	for (unsigned i = 0; i < h->count; i++) {
		const struct spinlock *held = h->lock[i];

		if (held == l || !comes_before(held, l))
			return held;
	}
	return NULL;
}

/* l is held from now on. False: there is no room to note it. */
bool locks_add(struct locks_held *h, const struct spinlock *l)
{
	if (h->count == LOCKS_HELD_MAX)
		return false;
	h->lock[h->count++] = l;
	return true;
}

/* l is not held any more, in whatever order. False: it was not. */
bool locks_remove(struct locks_held *h, const struct spinlock *l)
{
	for (unsigned i = h->count; i-- > 0;) {
		if (h->lock[i] != l)
			continue;
		h->lock[i] = h->lock[--h->count];
		return true;
	}
	return false;
}
