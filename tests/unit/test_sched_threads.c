/* The scheduler under real parallelism: threads as CPUs, and threads that wake, take out, add and pin what these run. Built
 * with the thread sanitizer. What is checked: nobody runs on two CPUs, where he may not, or after he was removed, and no
 * wake-up is lost. */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>
#include <cmocka.h>

#include "kernel/lib/bits.h"
#include "kernel/sched.h"

#define CPUS 4u
#define TASKS 12u
#define OPERATORS 2u
#define ROUNDS 10000u
#define STEP 20000u /* ticks per look at the clock: 50 of them are a millisecond */
#define HZ 1000000000ull

#define get(x) __atomic_load_n(&(x), __ATOMIC_SEQ_CST)
#define set(x, v) __atomic_store_n(&(x), (v), __ATOMIC_SEQ_CST)
#define add(x, v) __atomic_add_fetch(&(x), (v), __ATOMIC_SEQ_CST)

struct task {
	struct sched_entity e;
	unsigned work;   /* what it was woken for and has not done */
	unsigned on_cpu; /* 1 + the CPU that runs it */
	bool removed;
	pthread_mutex_t life; /* one operator at a time adds or removes it */
};

static struct sched machine;
static struct sched_group groups[TASKS / 3];
static struct task tasks[TASKS];
static pthread_mutex_t mutexes[CPUS];
static uint64_t clock_now = HZ;
static unsigned done, faults, work_done, removals;

static void fault(const char *what)
{
	add(faults, 1);
	fprintf(stderr, "%s\n", what);
}

static void acquire(void *ctx)
{
	pthread_mutex_lock(ctx);
}

static void release(void *ctx)
{
	pthread_mutex_unlock(ctx);
}

static void start(struct task *t, unsigned cpu)
{
	unsigned before = __atomic_exchange_n(&t->on_cpu, cpu + 1, __ATOMIC_SEQ_CST);

	if (before != 0)
		fault("runs on two CPUs");
	if (get(t->removed))
		fault("runs after it was removed");
}

/* The CPU lets go of the task before the scheduler may give it to another. */
static void stop(struct task *t)
{
	set(t->on_cpu, 0);
}

/* One look at the task; returns whether it goes on. */
static bool run(struct sched_cpu *c, struct task *t)
{
	if (get(t->work) != 0) {
		add(t->work, -1u);
		add(work_done, 1);
		return true;
	}
	stop(t);
	sched_block(c);
	return false;
}

static void *cpu_thread(void *arg)
{
	struct sched_cpu *c = arg;
	struct task *t = NULL;

	while (!get(done)) {
		struct sched_slice slice;
		struct sched_entity *e;

		if (t != NULL && run(c, t) && !sched_due(c, add(clock_now, STEP)))
			continue;
		if (t != NULL && get(t->on_cpu) == c->id + 1) {
			if (get(t->work) % 8 == 7)
				sched_yield_to(c, &tasks[get(t->work) % TASKS].e);
			stop(t);
		}
		e = sched_pick(c, add(clock_now, STEP), &slice);
		t = e != NULL ? container_of(e, struct task, e) : NULL;
		if (t != NULL)
			start(t, c->id);
		while (t == NULL && !get(done) && !sched_due(c, add(clock_now, STEP)))
			sched_yield();
	}
	return NULL;
}

static void wake(struct task *t)
{
	add(t->work, 1);
	(void)sched_wake(&t->e, get(clock_now));
}

/* Wake it again just when it is done, and see that it runs each time. Nobody else wakes this one. */
static void ping(struct task *t)
{
	for (unsigned i = 0; i < 20; i++) {
		time_t end = time(NULL) + 20;

		wake(t);
		while (get(t->work) != 0 && !get(faults)) {
			if (time(NULL) > end)
				fault("a wake-up is lost");
			sched_yield();
		}
	}
}

/* Others go on waking it meanwhile. */
static void take_out_and_back(struct task *t, uint64_t pins)
{
	uint64_t kicks;

	pthread_mutex_lock(&t->life);
	if (!sched_remove(&t->e, &kicks))
		while (!sched_is_off(&t->e))
			sched_yield();
	set(t->removed, true);
	if (get(t->on_cpu) != 0)
		fault("is off and runs");
	sched_yield();
	set(t->removed, false);
	if (sched_add(&machine, &t->e, &groups[(t - tasks) / 3], pins) != 0)
		fault("cannot be added");
	/* What came while it was off was for nobody. */
	(void)sched_wake(&t->e, get(clock_now));
	add(removals, 1);
	pthread_mutex_unlock(&t->life);
}

static void *operator_thread(void *arg)
{
	uint64_t random = (uint64_t)(uintptr_t)arg * 0x9e3779b97f4a7c15ull;
	struct sched_stats stats;
	uint64_t kicks;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct task *t;
		uint64_t pins;

		random ^= random << 13;
		random ^= random >> 7;
		random ^= random << 17;
		if (get(faults) != 0)
			break;
		t = &tasks[(random >> 20) % TASKS];
		pins = (random >> 30) % (BIT64(CPUS) - 1) + 1;
		switch ((random >> 40) % 8) {
		case 0:
			/* This makes up for what is lost, so not for those that are for pinging. */
			if (t - tasks >= OPERATORS)
				take_out_and_back(t, pins);
			break;
		case 1:
			if (sched_set_pins(&t->e, pins, &kicks) != 0)
				fault("cannot be pinned");
			break;
		case 2:
			sched_read_stats(&t->e, get(clock_now), &stats);
			if (sched_group_set(&groups[(t - tasks) / 3], (uint32_t)pins * 100, pins == 3 ? 50 : 0) != 0)
				fault("no such weight");
			break;
		case 3:
			ping(&tasks[(uintptr_t)arg - 1]);
			break;
		default:
			if (t - tasks >= OPERATORS)
				for (uint64_t n = pins; n > 0; n--)
					wake(t);
			break;
		}
		sched_yield();
	}
	return NULL;
}

/* All that they were woken for is done in the end. */
static void wait_for_work(void)
{
	time_t end = time(NULL) + 60;
	unsigned left;

	do {
		left = 0;
		for (unsigned i = 0; i < TASKS; i++)
			left += get(tasks[i].work);
		sched_yield();
	} while (left != 0 && time(NULL) < end);
	assert_int_equal(left, 0);
}

static void test_threads(void **state)
{
	pthread_t cpus[CPUS], operators[OPERATORS];
	struct alloc_lock locks[CPUS];
	uint64_t kicks;

	(void)state;
	for (unsigned i = 0; i < CPUS; i++) {
		pthread_mutex_init(&mutexes[i], NULL);
		locks[i] = (struct alloc_lock){acquire, release, &mutexes[i]};
	}
	assert_int_equal(sched_init(&machine, BIT64(CPUS) - 1, HZ, locks), 0);
	assert_int_equal(sched_set_slice(&machine, NS_PER_MS), 0);
	for (unsigned i = 0; i < TASKS; i++) {
		if (i % 3 == 0)
			assert_int_equal(sched_group_init(&groups[i / 3], 256, SCHED_CAP_NONE), 0);
		pthread_mutex_init(&tasks[i].life, NULL);
		assert_int_equal(sched_add(&machine, &tasks[i].e, &groups[i / 3], SCHED_ANY_CPU), 0);
	}
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(pthread_create(&cpus[i], NULL, cpu_thread, &machine.cpu[i]), 0);
	for (unsigned i = 0; i < OPERATORS; i++)
		assert_int_equal(pthread_create(&operators[i], NULL, operator_thread, (void *)(uintptr_t)(i + 1)), 0);
	for (unsigned i = 0; i < OPERATORS; i++)
		pthread_join(operators[i], NULL);
	assert_int_equal(faults, 0);
	wait_for_work();
	for (unsigned i = 0; i < TASKS; i++)
		if (!sched_remove(&tasks[i].e, &kicks))
			while (!sched_is_off(&tasks[i].e))
				sched_yield();
	set(done, 1);
	for (unsigned i = 0; i < CPUS; i++)
		pthread_join(cpus[i], NULL);
	for (unsigned i = 0; i < CPUS; i++)
		assert_int_equal(machine.cpu[i].count | machine.cpu[i].weight | machine.cpu[i].parked.armed, 0);
	for (unsigned i = 0; i < TASKS / 3; i++)
		assert_int_equal(groups[i].active, 0);
	printf("%u pieces of work, %u removals\n", work_done, removals);
	assert_int_equal(faults, 0);
	assert_true(work_done > ROUNDS && removals > ROUNDS / 10);
}

/* --- a deadline that comes due on one CPU while another one takes it over --- */

static struct deadline_queue queues[2];
static pthread_mutex_t queue_locks[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
static unsigned moved;

static void *expiring_thread(void *arg)
{
	(void)arg;
	while (!get(moved)) {
		pthread_mutex_lock(&queue_locks[0]);
		if (queues[0].root != NULL)
			(void)deadline_cancel(queues[0].root);
		pthread_mutex_unlock(&queue_locks[0]);
	}
	return NULL;
}

static void put(unsigned queue, struct deadline *d, uint64_t at_tsc)
{
	struct deadline_queue *q = __atomic_load_n(&d->queue, __ATOMIC_ACQUIRE);

	if (q != NULL) {
		pthread_mutex_lock(&queue_locks[q - queues]);
		(void)deadline_cancel(d);
		pthread_mutex_unlock(&queue_locks[q - queues]);
	}
	pthread_mutex_lock(&queue_locks[queue]);
	deadline_set(&queues[queue], d, at_tsc);
	pthread_mutex_unlock(&queue_locks[queue]);
}

static void test_deadline_taken_over(void **state)
{
	struct deadline others[4], d;
	pthread_t thread;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		deadline_queue_init(&queues[i]);
	deadline_init(&d, NULL, NULL);
	for (unsigned i = 0; i < 4; i++) {
		deadline_init(&others[i], NULL, NULL);
		deadline_set(&queues[1], &others[i], 100 + i);
	}
	set(moved, 0);
	assert_int_equal(pthread_create(&thread, NULL, expiring_thread, NULL), 0);
	for (unsigned i = 0; i < ROUNDS; i++) {
		put(0, &d, i);
		put(1, &d, i % 200);
		assert_int_equal(queues[1].armed, 5);
		assert_true(deadline_next(&queues[1]) == (i % 200 < 100 ? i % 200 : 100));
	}
	set(moved, 1);
	pthread_join(thread, NULL);
	for (unsigned i = 0; i < 4; i++)
		assert_true(deadline_cancel(&others[i]));
	assert_true(deadline_cancel(&d));
	assert_null(queues[1].root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_threads), cmocka_unit_test(test_deadline_taken_over)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
