/* A ticket lock: whoever comes first is served first. Interrupts are off outside the idle loop, so nothing has to be
 * disabled; NMI handlers take no locks. */
#pragma once

#include "kernel/lib/compiler.h"

struct spinlock {
	uint32_t next;    /* the next ticket to give out */
	uint32_t serving; /* the ticket that holds the lock */
};

#define SPINLOCK_INIT                                                                                                  \
	{                                                                                                              \
		0, 0                                                                                                   \
	}

static inline void spin_lock(struct spinlock *l)
{
	uint32_t ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);

	while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
		__asm__ volatile("pause" : : : "memory");
}

/* Take the lock when it is free. */
static inline bool spin_trylock(struct spinlock *l)
{
	uint32_t serving = __atomic_load_n(&l->serving, __ATOMIC_RELAXED);

	return __atomic_compare_exchange_n(&l->next, &serving, serving + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static inline void spin_unlock(struct spinlock *l)
{
	__atomic_store_n(&l->serving, l->serving + 1, __ATOMIC_RELEASE);
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return __atomic_load_n(&l->next, __ATOMIC_RELAXED) != __atomic_load_n(&l->serving, __ATOMIC_RELAXED);
}
