/* Which locks a CPU holds, and which it may take then: the rule of spinlock.h. Pure. */
#pragma once

#include "arch/x86/spinlock.h"

enum { LOCKS_HELD_MAX = 8 };

struct locks_held {
	const struct spinlock *lock[LOCKS_HELD_MAX];
	unsigned count;
};

const struct spinlock *locks_conflict(const struct locks_held *h, const struct spinlock *l);
MUST_CHECK bool locks_add(struct locks_held *h, const struct spinlock *l);
MUST_CHECK bool locks_remove(struct locks_held *h, const struct spinlock *l);
