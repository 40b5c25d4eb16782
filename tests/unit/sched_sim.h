/* A simulated machine for kernel/sched*.c: CPUs that run tasks on a simulated clock, take a while to notice a kick and to
 * leave a task whose slice is over, and have clocks that differ by a little. While it runs it checks what must hold at any
 * moment: pins, who runs, how long one waits, and that no CPU idles beside work. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/bits.h"
#include "kernel/sched.h"

#define SIM_CPUS 8u
#define SIM_TASKS 64u
#define SIM_HZ 1000000000ull /* a tick is a nanosecond */
#define SIM_SEC SIM_HZ
#define SIM_MS (SIM_HZ / 1000)
#define SIM_US (SIM_HZ / 1000000)
#define SIM_SLICE (10 * SIM_MS)
#define SIM_KICK_MAX (20 * SIM_US) /* until a kicked CPU looks */
#define SIM_EXIT_MAX (4 * SIM_US)  /* by which it leaves a task too late */
#define SIM_NEVER UINT64_MAX

struct sim_task {
	struct sched_entity e;
	struct sched_group *group;
	uint64_t period; /* wakes that often to run for `burst`; 0: always busy */
	uint64_t burst;
	uint64_t next_wake;
	uint64_t backlog; /* ticks to run before it blocks */
	uint64_t woken_at;
	uint64_t max_latency; /* from a wake-up to running */
	uint64_t ran;
	uint64_t waiting_since; /* SIM_NEVER: it does not wait */
	uint32_t longest_queue; /* since then */
	uint64_t worst_wait;    /* the longest wait, in 1/1000 of what is allowed */
	unsigned yield_percent; /* how often it gives way instead of using up its slice */
	bool added, fresh;
};

struct sim_cpu {
	struct sim_task *task;
	uint64_t at; /* when it does something next */
	uint64_t from;
	uint64_t idle_beside_work; /* since when, SIM_NEVER: not */
	bool gives_way;            /* at the next event */
	int64_t skew;
};

struct sim {
	struct sched s;
	uint64_t now, random, events, resumed;
	unsigned cpus, tasks, groups;
	uint64_t next_wake;
	struct sim_cpu cpu[SIM_CPUS];
	struct sim_task task[SIM_TASKS];
	struct sched_group group[SIM_TASKS];
};

static uint64_t sim_random(struct sim *m)
{
	m->random ^= m->random << 13;
	m->random ^= m->random >> 7;
	m->random ^= m->random << 17;
	return m->random >> 11;
}

static uint64_t sim_between(struct sim *m, uint64_t low, uint64_t high)
{
	return low + sim_random(m) % (high - low + 1);
}

static uint64_t sim_clock(const struct sim *m, unsigned cpu)
{
	return m->now + (uint64_t)m->cpu[cpu].skew;
}

static struct sim *sim_new(unsigned cpus, uint64_t seed)
{
	struct sim *m = calloc(1, sizeof(*m));

	m->random = seed * 0x9e3779b97f4a7c15ull + 1;
	m->now = SIM_SEC;
	m->cpus = cpus;
	m->next_wake = SIM_NEVER;
	assert_int_equal(sched_init(&m->s, BIT64(cpus) - 1, SIM_HZ, NULL), 0);
	for (unsigned i = 0; i < cpus; i++) {
		m->cpu[i].skew = (int64_t)sim_between(m, 0, 2 * SIM_US) - (int64_t)SIM_US;
		m->cpu[i].at = m->now;
		m->cpu[i].idle_beside_work = SIM_NEVER;
	}
	return m;
}

static struct sched_group *sim_group(struct sim *m, uint32_t weight, uint32_t cap)
{
	struct sched_group *g = &m->group[m->groups++];

	assert_int_equal(sched_group_init(g, weight, cap), 0);
	return g;
}

static void sim_kick(struct sim *m, uint64_t kicks)
{
	for (; kicks != 0; kicks &= kicks - 1) {
		struct sim_cpu *c = &m->cpu[bits_ffs(kicks)];
		uint64_t at = m->now + sim_between(m, SIM_US, SIM_KICK_MAX);

		assert_true(bits_ffs(kicks) < m->cpus);
		if (at < c->at)
			c->at = at;
	}
}

static bool sim_resume(struct sim *m, struct sim_task *t);

static void sim_wake(struct sim *m, struct sim_task *t)
{
	if (t->e.state == SCHED_BLOCKED && t->woken_at == SIM_NEVER)
		t->woken_at = m->now;
	if (!sim_resume(m, t))
		sim_kick(m, sched_wake(&t->e, sim_clock(m, t->e.cpu->id)));
}

static void sim_add(struct sim *m, struct sim_task *t, uint64_t pins)
{
	assert_int_equal(sched_add(&m->s, &t->e, t->group, pins), 0);
	t->added = true;
	t->waiting_since = t->woken_at = SIM_NEVER;
	if (t->period == 0)
		sim_wake(m, t);
}

static struct sim_task *sim_task(struct sim *m, struct sched_group *g, uint64_t pins, uint64_t period, uint64_t burst)
{
	struct sim_task *t = &m->task[m->tasks++];

	t->group = g;
	t->period = period;
	t->burst = burst;
	t->next_wake = period == 0 ? SIM_NEVER : m->now + sim_between(m, 0, period);
	if (t->next_wake < m->next_wake)
		m->next_wake = t->next_wake;
	sim_add(m, t, pins);
	return t;
}

/* Count what the CPU's task has run. */
static void sim_account(struct sim *m, struct sim_cpu *c)
{
	struct sim_task *t = c->task;
	uint64_t ran = m->now - c->from;

	if (t == NULL)
		return;
	t->ran += ran;
	t->backlog -= ran < t->backlog ? ran : t->backlog;
	c->from = m->now;
}

static void sim_started(struct sim *m, struct sim_cpu *c, struct sched_entity *e)
{
	struct sim_task *t = container_of(e, struct sim_task, e);

	assert_int_equal(e->state, SCHED_RUNNING);
	assert_true(bits_test(e->pins, (unsigned)(c - m->cpu)));
	for (unsigned i = 0; i < m->cpus; i++)
		assert_true(&m->cpu[i] == c || m->cpu[i].task != t);
	if (t->woken_at != SIM_NEVER && m->now - t->woken_at > t->max_latency)
		t->max_latency = m->now - t->woken_at;
	t->woken_at = SIM_NEVER;
	c->task = t;
	c->from = m->now;
}

/* When the CPU does something next: its slice is over, its task is done, or gives way. */
static void sim_set_next(struct sim *m, struct sim_cpu *c)
{
	unsigned id = (unsigned)(c - m->cpu);
	uint64_t until = m->s.cpu[id].until;
	struct sim_task *t = c->task;

	c->gives_way = false;
	c->at = SIM_NEVER;
	if (until != SIM_NEVER)
		c->at = until - (uint64_t)c->skew + sim_between(m, 0, SIM_EXIT_MAX);
	if (t == NULL)
		return;
	if (t->yield_percent != 0 && sim_between(m, 0, 99) < t->yield_percent) {
		c->at = m->now + sim_between(m, 1, SIM_MS);
		c->gives_way = true;
	}
	if (t->period != 0 && m->now + t->backlog < c->at)
		c->at = m->now + t->backlog;
}

/* Half of the time it is a timer of the CPU on which it sleeps that wakes a task, if that CPU idles. */
static bool sim_resume(struct sim *m, struct sim_task *t)
{
	struct sim_cpu *c = &m->cpu[t->e.cpu->id];
	struct sched_slice slice;
	unsigned id = t->e.cpu->id;

	if (c->task != NULL || !bits_test(m->s.idle, id) || sim_random(m) % 2)
		return false;
	if (!sched_resume(&m->s.cpu[id], &t->e, sim_clock(m, id), &slice))
		return false;
	sim_started(m, c, &t->e);
	assert_true(slice.until == m->s.cpu[id].until && slice.kicks == 0);
	sim_set_next(m, c);
	m->resumed++;
	return true;
}

static void sim_pick(struct sim *m, struct sim_cpu *c)
{
	unsigned id = (unsigned)(c - m->cpu);
	struct sched_slice slice;
	struct sched_entity *e;

	c->task = NULL;
	e = sched_pick(&m->s.cpu[id], sim_clock(m, id), &slice);
	if (e != NULL)
		sim_started(m, c, e);
	assert_true(slice.until == m->s.cpu[id].until);
	sim_set_next(m, c);
	sim_kick(m, slice.kicks);
}

static void sim_cpu_event(struct sim *m, struct sim_cpu *c)
{
	unsigned id = (unsigned)(c - m->cpu);
	struct sched_cpu *sc = &m->s.cpu[id];
	struct sim_task *t = c->task;

	sim_account(m, c);
	if (t != NULL && t->period != 0 && t->backlog == 0) {
		t->e.wake_pending = false; /* for what has been done by now */
		sched_block(sc);
	} else if (t != NULL && c->gives_way) {
		sched_yield_to(sc, sim_random(m) % 2 ? NULL : &m->task[sim_random(m) % m->tasks].e);
	} else if (t != NULL && !sched_due(sc, sim_clock(m, id))) {
		sim_set_next(m, c);
		return;
	}
	sim_pick(m, c);
}

static void sim_wake_event(struct sim *m)
{
	m->next_wake = SIM_NEVER;
	for (unsigned i = 0; i < m->tasks; i++) {
		struct sim_task *t = &m->task[i];

		if (t->next_wake <= m->now) {
			t->next_wake += t->period;
			if (t->added) {
				t->backlog += t->burst;
				sim_wake(m, t);
			}
		}
		if (t->next_wake < m->next_wake)
			m->next_wake = t->next_wake;
	}
}

/* What each waiting task has to be content with. */
static void sim_check_wait(struct sim *m, struct sim_task *t)
{
	uint64_t allowed, waited;

	if (t->e.state != SCHED_WAITING) {
		t->waiting_since = SIM_NEVER;
		return;
	}
	if (t->waiting_since == SIM_NEVER) {
		t->waiting_since = m->now;
		t->longest_queue = 0;
	}
	if (t->e.cpu->count > t->longest_queue)
		t->longest_queue = t->e.cpu->count;
	waited = m->now - t->waiting_since;
	allowed = SIM_SLICE * (t->longest_queue + 1);
	if (waited * 1000 / allowed > t->worst_wait)
		t->worst_wait = waited * 1000 / allowed;
	if (waited > allowed)
		fail_msg("task %u waits for %llu us in a queue of %u", (unsigned)(t - m->task),
			 (unsigned long long)(waited / SIM_US), t->longest_queue);
}

static void sim_check_idle(struct sim *m, uint64_t wanted)
{
	for (unsigned i = 0; i < m->cpus; i++) {
		struct sim_cpu *c = &m->cpu[i];

		if (c->task != NULL || !bits_test(wanted, i))
			c->idle_beside_work = SIM_NEVER;
		else if (c->idle_beside_work == SIM_NEVER)
			c->idle_beside_work = m->now;
		else if (m->now - c->idle_beside_work > 2 * SIM_KICK_MAX)
			fail_msg("CPU %u idles beside work", i);
	}
}

static void sim_check(struct sim *m)
{
	uint64_t wanted = 0;

	for (unsigned i = 0; i < m->tasks; i++) {
		sim_check_wait(m, &m->task[i]);
		if (m->task[i].e.state == SCHED_WAITING)
			wanted |= m->task[i].e.pins;
	}
	sim_check_idle(m, wanted);
}

static void sim_run(struct sim *m, uint64_t ticks)
{
	uint64_t end = m->now + ticks;

	for (;;) {
		struct sim_cpu *first = &m->cpu[0];

		for (unsigned i = 1; i < m->cpus; i++)
			if (m->cpu[i].at < first->at)
				first = &m->cpu[i];
		if (first->at >= end && m->next_wake >= end)
			break;
		m->events++;
		if (m->next_wake < first->at) {
			m->now = m->next_wake > m->now ? m->next_wake : m->now;
			sim_wake_event(m);
		} else {
			m->now = first->at > m->now ? first->at : m->now;
			sim_cpu_event(m, first);
		}
		sim_check(m);
	}
	m->now = end;
	for (unsigned i = 0; i < m->cpus; i++)
		sim_account(m, &m->cpu[i]);
}

/* Take a task out, and wait until it is off. */
static void sim_remove(struct sim *m, struct sim_task *t)
{
	uint64_t kicks;

	if (!sched_remove(&t->e, &kicks)) {
		sim_kick(m, kicks);
		sim_run(m, SIM_KICK_MAX + SIM_EXIT_MAX);
	}
	assert_true(sched_is_off(&t->e));
	t->added = false;
	t->backlog = 0;
}

/* Back to zero, after a run-up. */
static void sim_forget(struct sim *m)
{
	for (unsigned i = 0; i < m->tasks; i++)
		m->task[i].ran = m->task[i].max_latency = m->task[i].worst_wait = 0;
}

/* Take it apart: every task can be removed, and nothing of it stays in the scheduler. */
static void sim_end(struct sim *m)
{
	for (unsigned i = 0; i < m->tasks; i++)
		if (m->task[i].added)
			sim_remove(m, &m->task[i]);
	for (unsigned i = 0; i < m->cpus; i++) {
		struct sched_cpu *c = &m->s.cpu[i];

		assert_null(c->current);
		assert_null(c->local.root);
		assert_null(c->movable.root);
		assert_int_equal(c->count | c->weight | c->boosts | c->boosts_movable | c->parked.armed, 0);
		assert_int_equal(c->local.count | c->movable.count, 0);
		assert_true(list_empty(&c->waiting) && list_empty(&c->boosted));
	}
	for (unsigned i = 0; i < m->groups; i++)
		assert_int_equal(m->group[i].active, 0);
	free(m);
}
