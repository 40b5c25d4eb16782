/* Who runs where, and for how long: the scheduler's policy as a pure module. It knows entities (a vCPU embeds one), groups
 * (a VM: one weight and one cap for all its entities) and a queue per CPU. It reads no clock, touches no hardware and
 * sends nothing: the caller gives the time in TSC ticks and kicks the CPUs that it is told to kick. How it decides, and
 * what is guaranteed, stands at the top of sched.c. */
#pragma once

#include "kernel/alloc_lock.h"
#include "kernel/lib/list.h"
#include "kernel/time.h"

#define SCHED_MAX_CPUS 64u
#define SCHED_ANY_CPU UINT64_MAX /* pins: everywhere */

#define SCHED_WEIGHT_MIN 1u
#define SCHED_WEIGHT_MAX 65535u
#define SCHED_WEIGHT_DEFAULT 256u
#define SCHED_CAP_NONE 0u
#define SCHED_CAP_MAX (100u * SCHED_MAX_CPUS)

#define SCHED_SLICE_DEFAULT_NS (10 * NS_PER_MS)

enum sched_state {
	SCHED_OFF,     /* unknown to the scheduler; its memory is the owner's */
	SCHED_BLOCKED, /* has nothing to do until sched_wake() */
	SCHED_PARKED,  /* has, but its group's cap is used up until `unpark` */
	SCHED_WAITING, /* in the queue of `cpu` */
	SCHED_RUNNING  /* `cpu` runs it */
};

/* What entities share: a VM. All fields are read and written by any CPU, atomically. */
struct sched_group {
	uint32_t weight;      /* SCHED_WEIGHT_MIN..MAX */
	uint32_t cap_percent; /* of one CPU, for all entities together; SCHED_CAP_NONE: none */
	uint32_t active;      /* entities that are parked, waiting or running */
	uint64_t cap_paid;    /* TSC value up to which the cap's time has been handed out */
};

struct sched_stats {
	uint64_t run_ticks;
	uint64_t wait_ticks; /* able to run, another one ran */
	uint64_t parked_ticks;
	uint64_t max_wait_ticks;
	uint64_t switches; /* put on a CPU that ran another one or idled before */
	uint64_t migrations;
	uint64_t parks;
	unsigned cpu; /* where it is or was last */
	enum sched_state state;
};

struct sched_cpu;

/* A vCPU's side. Zero before its first sched_add(). Unless said otherwise, under the lock of `cpu`. */
struct sched_entity {
	struct sched_cpu *cpu;    /* where it is or was last; changes under the locks of both CPUs; NULL: never added */
	uint64_t pins;            /* CPUs it may run on; also read without a lock */
	struct sched_stats stats; /* goes on when it is added again */
	/* From here on zero when it is added. */
	struct sched_group *group;
	enum sched_state state;
	bool boosted;       /* woken with its share unused: goes before the queue's order */
	bool yielded;       /* gave way: back to the end of the queue */
	bool leaving;       /* sched_remove() came while it ran */
	bool wake_pending;  /* sched_wake() came while it ran */
	uint64_t since;     /* when it came into its state; for a running one, up to when it is accounted */
	uint64_t start;     /* virtual time at which its present turn began */
	uint64_t used;      /* virtual time used of the turn */
	uint64_t key;       /* its place in the queue: start, or later when it yielded */
	uint64_t debt;      /* virtual time it has used beyond its part of what its CPU has got through, as of `fair` */
	uint64_t fair;      /* its CPU's `fair`, up to where that is counted */
	uint64_t turn_left; /* ticks; 0: the next run begins a new turn */
	uint64_t boost_left;
	uint64_t lease;         /* ticks of the group's cap that it holds */
	uint32_t lease_percent; /* the cap when they were handed out */
	uint64_t queue_weight;  /* what it counts in its CPU's weight */

	struct sched_heap *heap;                  /* in which it waits, or would if it were not boosted */
	struct sched_entity *child, *next, *prev; /* there, as in sched_queue.c */
	struct list waiting;                      /* in its CPU's list, the longest waiter first */
	struct list boost;                        /* in its CPU's list of boosted ones */
	struct deadline unpark;
};

struct sched_heap {
	struct sched_entity *root;
	uint32_t count; /* read by other CPUs without the lock */
};

/* One CPU's queue. Under its lock, except what is marked: those are also read by other CPUs without it, atomically. */
struct sched_cpu {
	uint64_t until;  /* own CPU only: end of the slice, or of the idling */
	uint32_t kicked; /* any CPU sets it: look again now */
	uint32_t id;
	uint64_t others; /* CPUs in use but this one; never changes */
	struct sched *sched;
	struct alloc_lock lock;

	struct sched_entity *current;
	bool blocking;                 /* own CPU only: `current` has nothing to do */
	bool open;                     /* its slice has no end: nobody waits, here or elsewhere */
	struct sched_entity *favoured; /* waits here, and somebody gave way to it */
	struct sched_entity *last;     /* what ran before; compared, never followed */
	struct sched_heap local;       /* waiting, pinned to this CPU alone */
	struct sched_heap movable;     /* waiting, welcome on others too */
	struct list boosted;           /* waiting, before the heaps */
	struct list waiting;           /* all that wait, the longest first */
	struct deadline_queue parked;  /* by the time at which their cap lets them run */
	uint64_t weight;               /* of all that wait and run, in 1/256; read by others */
	uint32_t count;                /* how many those are; read by others */
	uint32_t boosts;               /* of them boosted; read by others */
	uint32_t boosts_movable;       /* waiting boosted ones welcome elsewhere; read by others */
	uint64_t vtime;                /* virtual time of the queue; read by others */
	uint64_t fair;                 /* virtual time that grows with what has been run, whoever it was */
	uint64_t movable_key;          /* smallest key in movable; read by others */
	uint64_t movable_pins;         /* at least the union of the pins in movable and boosted; read by others */
	uint64_t shift;                /* add it to this CPU's virtual times to compare them; written by the aligner */
} ALIGNED(64);

struct sched {
	uint64_t present; /* CPUs in use */
	uint64_t idle;    /* CPUs without work; a CPU sets its bit, who gives it work clears it: atomic */
	uint64_t open;    /* CPUs whose slice has no end; a CPU sets its bit, who waits clears it: atomic */
	uint64_t tsc_hz;
	uint64_t slice;      /* ticks; read and written atomically */
	uint64_t slice_min;  /* of an average entity in a long queue */
	uint64_t turn_min;   /* of one with next to no weight */
	uint64_t round_max;  /* a round is not longer, unless slice_min makes it so */
	uint64_t cap_period; /* a parked entity comes back with its part of this time's cap */
	uint64_t cap_depth;  /* unused cap is kept for this long */
	uint64_t debt_life;  /* who slept for longer comes back without debts */
	uint64_t align_period;
	uint64_t next_align; /* atomic; UINT64_MAX: there is one queue */
	uint32_t aligning;   /* atomic: a CPU is at it */
	struct sched_cpu cpu[SCHED_MAX_CPUS];
};

struct sched_slice {
	uint64_t until; /* TSC value at which to pick again; DEADLINE_NEVER: when kicked, there is nobody else */
	uint64_t kicks; /* CPUs to kick, bit by bit */
};

/* locks: one per CPU number, up to the highest in present, copied; NULL: none are needed. */
MUST_CHECK int sched_init(struct sched *s, uint64_t present, uint64_t tsc_hz, const struct alloc_lock *locks);
MUST_CHECK int sched_set_slice(struct sched *s, uint64_t slice_ns);

MUST_CHECK int sched_group_init(struct sched_group *g, uint32_t weight, uint32_t cap_percent);
MUST_CHECK int sched_group_set(struct sched_group *g, uint32_t weight, uint32_t cap_percent);

MUST_CHECK int sched_add(struct sched *s, struct sched_entity *e, struct sched_group *g, uint64_t pins);
void sched_charge(struct sched_entity *e, uint64_t ticks, uint64_t now);
bool sched_remove(struct sched_entity *e, uint64_t *kicks);
MUST_CHECK int sched_set_pins(struct sched_entity *e, uint64_t pins, uint64_t *kicks);

uint64_t sched_wake(struct sched_entity *e, uint64_t now);

/* For the CPU itself, which is &sched.cpu[its number]. */
struct sched_entity *sched_pick(struct sched_cpu *c, uint64_t now, struct sched_slice *slice);
bool sched_resume(struct sched_cpu *c, struct sched_entity *e, uint64_t now, struct sched_slice *slice);
void sched_block(struct sched_cpu *c);
uint64_t sched_put(struct sched_cpu *c, uint64_t now);
void sched_yield_to(struct sched_cpu *c, struct sched_entity *to);

void sched_read_stats(struct sched_entity *e, uint64_t now, struct sched_stats *out);

/* Is it time to call sched_pick()? All that a CPU asks on its way from an exit back to the same vCPU. */
static inline bool sched_due(const struct sched_cpu *c, uint64_t now)
{
	return now >= c->until || __atomic_load_n(&c->kicked, __ATOMIC_ACQUIRE) != 0;
}

/* Has the entity that was removed left its CPU? From then on its memory is the owner's. */
static inline bool sched_is_off(const struct sched_entity *e)
{
	return __atomic_load_n(&e->state, __ATOMIC_ACQUIRE) == SCHED_OFF;
}
