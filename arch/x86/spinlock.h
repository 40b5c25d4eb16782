/* A ticket lock: whoever comes first is served first. Interrupts are off outside the idle loop, so nothing has to be
 * disabled; NMI handlers take no locks.
 *
 * Locks have an order: a CPU that holds one takes only those of higher rank (spin_trylock() apart, which cannot wait). Of one
 * rank it holds one at a time, but for those that have a place in it (spin_init_placed()): several of them are taken in
 * ascending order. A lock without a rank is in no order. None is held across a VM entry, nor in a sleep. Builds with DEBUG=1
 * check all that, and who unlocks what. */
#pragma once

#include "kernel/lib/compiler.h"

/* Outer ones first. */
enum lock_rank {
	LOCK_RANK_NONE,
	LOCK_RANK_LIFE,   /* a VM's way from one state to the next, the list of VMs */
	LOCK_RANK_VM,     /* what the vCPUs of one VM share: buses, devices, its clock */
	LOCK_RANK_MEMORY, /* second-level tables */
	LOCK_RANK_RUNNER, /* what CPUs ask of each other */
	LOCK_RANK_SCHED,  /* queues of the scheduler; two at a time, by the numbers of their CPUs */
	LOCK_RANK_HEAP,   /* takes pages while it is held */
	LOCK_RANK_PAGING, /* takes pages while it is held */
	LOCK_RANK_PAGES,
	LOCK_RANK_LOG,     /* one may log while holding any of those before */
	LOCK_RANK_TERMINAL /* innermost: the log and attached consoles end there */
};

struct spinlock {
	uint32_t next;    /* the next ticket to give out */
	uint32_t serving; /* the ticket that holds the lock */
	/* For the checks. */
	uint32_t owner; /* 1 + the CPU that holds it, 0: nobody */
	enum lock_rank rank;
	uint32_t place; /* among those of its rank, from 1; 0: none */
	const char *name;
};

#define SPINLOCK_INIT                                                                                                  \
	{                                                                                                              \
		0                                                                                                      \
	}
#define SPINLOCK_RANKED(its_rank, its_name)                                                                            \
	{                                                                                                              \
		.rank = (its_rank), .name = (its_name)                                                                 \
	}

/* spinlock.c: each panics when a rule is broken. */
void lock_check_take(const struct spinlock *l);
void lock_check_taken(struct spinlock *l);
void lock_check_release(struct spinlock *l);
void lock_check_none_held(void);

static inline void spin_init(struct spinlock *l, enum lock_rank rank, const char *name)
{
	*l = (struct spinlock)SPINLOCK_RANKED(rank, name);
}

/* One of several locks of a rank that may be held together. place: from 1. */
static inline void spin_init_placed(struct spinlock *l, enum lock_rank rank, uint32_t place, const char *name)
{
	spin_init(l, rank, name);
	l->place = place;
}

/* Off the way of those that need not wait. */
COLD UNUSED static void spin_wait(const struct spinlock *l, uint32_t ticket)
{
	while (__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket)
		__asm__ volatile("pause" : : : "memory");
}

static inline void spin_lock(struct spinlock *l)
{
	uint32_t ticket;

	if (AVATAR_DEBUG)
		lock_check_take(l);
	ticket = __atomic_fetch_add(&l->next, 1, __ATOMIC_RELAXED);
	if (unlikely(__atomic_load_n(&l->serving, __ATOMIC_ACQUIRE) != ticket))
		spin_wait(l, ticket);
	if (AVATAR_DEBUG)
		lock_check_taken(l);
}

/* Take the lock when it is free. */
static inline bool spin_trylock(struct spinlock *l)
{
	uint32_t serving = __atomic_load_n(&l->serving, __ATOMIC_RELAXED);
	bool taken =
		__atomic_compare_exchange_n(&l->next, &serving, serving + 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);

	if (AVATAR_DEBUG && taken)
		lock_check_taken(l);
	return taken;
}

static inline void spin_unlock(struct spinlock *l)
{
	if (AVATAR_DEBUG)
		lock_check_release(l);
	/* Only the holder writes it, so no LOCK; a store is a release anyway. */
	__asm__ volatile("incl %0" : "+m"(l->serving) : : "cc", "memory");
}

static inline bool spin_is_locked(const struct spinlock *l)
{
	return __atomic_load_n(&l->next, __ATOMIC_RELAXED) != __atomic_load_n(&l->serving, __ATOMIC_RELAXED);
}

/* Before a VM entry, and before a CPU sleeps. */
static inline void spin_assert_none_held(void)
{
	if (AVATAR_DEBUG)
		lock_check_none_held();
}
