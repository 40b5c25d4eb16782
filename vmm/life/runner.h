/* A CPU as the place where vCPUs run: its scheduler queue, its alarms, and how others reach it. One runner per CPU.
 *
 * Reaching a CPU. Whoever wants something of another CPU writes down what (a request of a vCPU, the scheduler's flag, the
 * runner's `unload`), then calls runner_kick(): it sets the CPU's attention word and sends an NMI. The CPU looks at the
 * word in the last moments before it enters a guest or halts, and an NMI that comes later than that look makes it turn
 * back (vmm/vmx/enter.asm, arch/x86/nmi.asm). So nothing that was written down before a kick is overlooked.
 *
 * Locks. `lock` guards the alarm queue and `firing`. It comes after a VM's lock, and nothing is taken under it. */
#pragma once

#include "arch/x86/spinlock.h"
#include "kernel/sched.h"
#include "kernel/time.h"
#include "kernel/lib/bits.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/life/host.h"

#define SEAT_NOWHERE UINT32_MAX

/* A vCPU's place in the machine: the scheduler's part, and what wakes it by time while it sleeps. */
struct vcpu_seat {
	struct sched_entity entity;
	struct deadline alarm; /* the next alarm of the vCPU's own clock; armed only while it sleeps */
	struct vcpu *vcpu;
	uint32_t on_cpu; /* whose runner runs it, SEAT_NOWHERE: none; atomic */
	bool added;      /* the scheduler knows it; atomic, changed by the life of the VM alone */
};

struct runner {
	struct vmm_host *host;
	struct sched_cpu *sched;
	uint32_t *attention; /* the CPU's word, see above; atomic */
	uint32_t cpu;
	struct vcpu *current;       /* own CPU only: whom it runs */
	struct vcpu *unload;        /* somebody asks: put the registers of this one back into memory; atomic */
	struct spinlock sched_lock; /* the scheduler's, for this CPU's queue */
	struct spinlock lock;
	struct deadline_queue alarms;
	struct deadline *firing; /* taken out of the queue, its fire() runs; set under the lock */
	uint64_t look_ticks;     /* the boot CPU: for how long it may be in a guest whose IF it has not seen set */
	uint64_t renew_ticks;    /* with less than that left of it, a guest that is left anyway is looked at; else 0 */
};

/* This CPU's runner; NULL before it has one. (runner_here.c: GS.) */
struct runner *runner_here(void);
void runner_set_here(struct runner *r);

/* Make the runners of all CPUs, bit by bit in present (bit 0: this one), and the scheduler over them. host->attention,
 * host->kick and host->kick_guest are set.
 * Returns 0 or ERR_NOMEM. Context: once, on the boot CPU, before any VM is made. */
MUST_CHECK int runners_init(struct vmm_host *host, uint64_t present);

/* Call a CPU out of its guest or its sleep. The caller's own CPU only gets its attention word set. Any CPU. */
void runner_kick(struct vmm_host *host, uint32_t cpu);
static inline void runner_kick_all(struct vmm_host *host, uint64_t cpus)
{
	for (; unlikely(cpus != 0); cpus &= cpus - 1)
		runner_kick(host, (uint32_t)bits_ffs(cpus));
}

/* The boot CPU's own loop has something to do. Any CPU, also under a VM's lock. */
void runner_call_home(struct vmm_host *host);

/* Ask something of a vCPU, whoever runs it: sets the bits of its requests, then wakes it or calls it out of its guest.
 * Any CPU, also under a VM's lock. */
void vcpu_notify(struct vcpu *v, uint32_t bits);

/* Arm an alarm in this CPU's queue, wherever it was armed before. Calls for one alarm must not overlap. */
void runner_alarm_set(struct runner *r, struct deadline *d, uint64_t at_tsc);
void runner_alarm_cancel_in(struct deadline_queue *q, struct deadline *d);

static inline void runner_alarm_cancel(struct deadline *d)
{
	struct deadline_queue *q = __atomic_load_n(&d->queue, __ATOMIC_ACQUIRE);

	if (q != NULL)
		runner_alarm_cancel_in(q, d);
}

/* The same without a word to whom this CPU runs. */
static inline void runner_alarm_put(struct runner *r, struct deadline *d, uint64_t at_tsc)
{
	runner_alarm_cancel(d);
	spin_lock(&r->lock);
	deadline_set(&r->alarms, d, at_tsc);
	spin_unlock(&r->lock);
}

/* Cancel it for good: afterwards no CPU runs its fire() any more. Context: no locks. */
void runner_alarm_forget(struct vmm_host *host, struct deadline *d);

/* Fire what is due. Context: r's CPU, no locks. */
void runner_alarms_expire(struct runner *r, uint64_t now);

/* Of a seat's alarm: the sleeping vCPU's own clock has something to do. */
void seat_alarm_fire(void *vcpu);

/* For an idle CPU: fire the first alarm that is due. Where it is that of a vCPU which went to sleep here, and which is all there
 * is to run, it runs at once: then it is returned, and *slice says for how long. Else NULL. Context: r's CPU, no locks. */
struct vcpu *runner_resume_sleeper(struct runner *r, uint64_t now, struct sched_slice *slice);

/* Do what another CPU asks of this one: put the registers of v, which it holds, back into memory.
 * Context: r's CPU, no vCPU is being entered. */
void runner_unload(struct runner *r, struct vcpu *v);

static inline void runner_serve(struct runner *r)
{
	struct vcpu *v = __atomic_load_n(&r->unload, __ATOMIC_ACQUIRE);

	if (unlikely(v != NULL))
		runner_unload(r, v);
}

void runner_fetch_from(struct runner *r, struct runner *other, struct vcpu *v);

/* See to it that no other CPU holds registers of v: this one may load it then. Context: v is run by nobody else; no locks. */
static inline void runner_fetch(struct runner *r, struct vcpu *v)
{
	int holder = vcpu_hw_holder(v);

	if (unlikely(holder >= 0 && (uint32_t)holder != r->cpu))
		runner_fetch_from(r, &r->host->runners[holder], v);
}
