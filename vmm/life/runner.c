/* Runners: made, reached from other CPUs, and their alarms. What they run is in run.c. */
#include "vmm/life/runner.h"

#include "arch/x86/insn.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"

static void queue_lock(void *ctx)
{
	spin_lock(ctx);
}

static void queue_unlock(void *ctx)
{
	spin_unlock(ctx);
}

/* A host interrupt calls the boot CPU out of a guest, to its monitor; but not in every emulator when the guest was entered
 * with IF = 0. So long after the last look at IF it comes out by itself. The serial port's FIFO is filled or emptied only
 * then: 16 bytes each time, and a reply has some hundred. */
#define LOOK_MS 10u

int runners_init(struct vmm_host *host, uint64_t present)
{
	struct alloc_lock locks[SCHED_MAX_CPUS] = {{NULL, NULL, NULL}};
	unsigned count = 64 - (unsigned)__builtin_clzll(present);
	int err;

	host->runners = heap_alloc_array(host->heap, count, sizeof(*host->runners));
	host->sched = heap_alloc(host->heap, sizeof(*host->sched));
	if (host->runners == NULL || host->sched == NULL)
		return ERR_NOMEM;
	host->cpu_count = count;
	for (unsigned i = 0; i < count; i++)
		locks[i] = (struct alloc_lock){queue_lock, queue_unlock, &host->runners[i].sched_lock};
	err = sched_init(host->sched, present, host->tsc_hz, locks);
	for (unsigned i = 0; i < count; i++) {
		struct runner *r = &host->runners[i];

		spin_init(&r->lock, LOCK_RANK_RUNNER, "runner");
		spin_init_placed(&r->sched_lock, LOCK_RANK_SCHED, i + 1, "queue");
		r->host = host;
		r->cpu = i;
		r->sched = &host->sched->cpu[i];
		r->attention = host->attention(i);
		r->look_ticks = host->tsc_hz / 1000 * LOOK_MS;
		r->renew_ticks = i == 0 ? r->look_ticks / 2 : 0;
		deadline_queue_init(&r->alarms);
	}
	runner_set_here(&host->runners[0]);
	return err;
}

/* --- reaching a CPU --- */

void runner_kick(struct vmm_host *host, uint32_t cpu)
{
	if (runner_here() == &host->runners[cpu])
		__atomic_store_n(host->runners[cpu].attention, 1, __ATOMIC_SEQ_CST);
	else
		host->kick(cpu);
}

void runner_call_home(struct vmm_host *host)
{
	__atomic_store_n(&host->called, 1, __ATOMIC_SEQ_CST);
	runner_kick(host, 0);
}

__attribute__((noinline)) static void notify_other(struct vcpu *v, uint32_t bits, struct runner *here)
{
	struct vcpu_seat *seat = v->seat;
	uint32_t before = __atomic_fetch_or(&v->requests, bits, __ATOMIC_SEQ_CST), cpu;

	/* Who asked for the same before has also seen to it that it is looked at. */
	if ((before & bits) == bits)
		return;
	cpu = __atomic_load_n(&seat->on_cpu, __ATOMIC_SEQ_CST);
	if (cpu == here->cpu)
		__atomic_store_n(here->attention, 1, __ATOMIC_SEQ_CST);
	else if (cpu != SEAT_NOWHERE)
		here->host->kick_guest(cpu);
	else if (__atomic_load_n(&seat->added, __ATOMIC_ACQUIRE))
		runner_kick_all(here->host, sched_wake(&seat->entity, rdtsc()));
}

/* A CPU looks at its own vCPU by itself. */
void vcpu_notify(struct vcpu *v, uint32_t bits)
{
	struct runner *here = runner_here();

	if (here->current == v)
		vcpu_request(v, bits);
	else
		notify_other(v, bits, here);
}

/* --- alarms --- */

void seat_alarm_fire(void *ctx)
{
	vcpu_notify(ctx, VCPU_REQ_TIMER);
}

/* Where it was armed when it was looked at. */
void runner_alarm_cancel_in(struct deadline_queue *q, struct deadline *d)
{
	struct runner *r = container_of(q, struct runner, alarms);

	spin_lock(&r->lock);
	(void)deadline_cancel(d); /* it may have come due meanwhile */
	spin_unlock(&r->lock);
}

void runner_alarm_set(struct runner *r, struct deadline *d, uint64_t at_tsc)
{
	runner_alarm_put(r, d, at_tsc);
	/* Whom this CPU runs is left in time for it. */
	if (r->current != NULL)
		vcpu_request(r->current, VCPU_REQ_TIMER);
}

void runner_alarm_forget(struct vmm_host *host, struct deadline *d)
{
	runner_alarm_cancel(d);
	for (unsigned i = 0; i < host->cpu_count; i++) {
		struct runner *r = &host->runners[i];
		bool firing;

		do {
			spin_lock(&r->lock);
			firing = __atomic_load_n(&r->firing, __ATOMIC_ACQUIRE) == d;
			spin_unlock(&r->lock);
		} while (firing);
	}
}

/* The earliest one if it is due, taken out of the queue. */
static struct deadline *take_due(struct runner *r, uint64_t now)
{
	struct deadline *d = NULL;

	spin_lock(&r->lock);
	if (deadline_next(&r->alarms) <= now) {
		d = r->alarms.root;
		(void)deadline_cancel(d);
	}
	r->firing = d;
	spin_unlock(&r->lock);
	return d;
}

static void none_fires(struct runner *r)
{
	/* Whoever waits for it may free what it was about. */
	__atomic_store_n(&r->firing, NULL, __ATOMIC_RELEASE);
}

void runner_alarms_expire(struct runner *r, uint64_t now)
{
	struct deadline *d;

	/* One that sets itself again for a time that has passed waits for the next call. */
	for (size_t most = r->alarms.armed; most > 0 && (d = take_due(r, now)) != NULL; most--)
		d->fire(d->ctx);
	none_fires(r);
}

struct vcpu *runner_resume_sleeper(struct runner *r, uint64_t now, struct sched_slice *slice)
{
	struct deadline *d = take_due(r, now);
	struct vcpu *v = NULL;

	if (d == NULL)
		return NULL;
	if (d->fire == seat_alarm_fire && sched_resume(r->sched, &((struct vcpu *)d->ctx)->seat->entity, now, slice))
		v = d->ctx;
	else
		d->fire(d->ctx);
	none_fires(r);
	return v;
}

/* --- registers that another CPU holds --- */

void runner_unload(struct runner *r, struct vcpu *v)
{
	vcpu_hw_unload(v);
	__atomic_store_n(&r->unload, NULL, __ATOMIC_RELEASE);
}

/* While this CPU waits for another one, that one may wait for this one: hence the serving. */
void runner_fetch_from(struct runner *r, struct runner *other, struct vcpu *v)
{
	struct vcpu *none = NULL;

	while (!__atomic_compare_exchange_n(&other->unload, &none, v, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		none = NULL;
		runner_serve(r);
		pause();
	}
	runner_kick(r->host, other->cpu);
	while (__atomic_load_n(&other->unload, __ATOMIC_ACQUIRE) == v) {
		runner_serve(r);
		pause();
	}
}
