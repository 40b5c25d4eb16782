/* The deadline queue against a plain array that does the same slowly, and the conversions of time. */
#include "kernel/time.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { ITEMS = 600 };

struct item {
	struct deadline d;
	struct world *world;
	uint64_t at; /* the model: when, if armed */
	bool armed;
	unsigned fired;
	unsigned round; /* in which it was set by a fire(), 0: not so */
};

struct world {
	struct deadline_queue q;
	struct item items[ITEMS];
	uint64_t last_fired_at;
	uint64_t now;
	unsigned round;
	bool inside;
	unsigned disturb; /* percent of fires that set and cancel others */
};

static uint64_t random_state = 1;

static uint64_t random_u64(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

static void model_set(struct item *it, uint64_t at)
{
	struct world *w = it->world;

	deadline_set(&w->q, &it->d, at);
	it->at = at;
	it->armed = true;
	it->round = w->inside ? w->round : 0;
}

static void model_cancel(struct item *it)
{
	assert_int_equal(deadline_cancel(&it->d), it->armed);
	it->armed = false;
}

static void on_fire(void *ctx)
{
	struct item *it = ctx;
	struct world *w = it->world;

	assert_true(it->armed);
	assert_false(deadline_armed(&it->d));
	assert_true(it->at <= w->now);
	assert_true(it->at >= w->last_fired_at);
	assert_int_not_equal(it->round, w->round); /* what was set in this round waits for the next */
	w->last_fired_at = it->at;
	it->armed = false;
	it->fired++;
	if (random_u64() % 100 >= w->disturb)
		return;
	model_set(it, w->now - random_u64() % 10);
	model_set(&w->items[random_u64() % ITEMS], random_u64() % (2 * w->now + 1));
	model_cancel(&w->items[random_u64() % ITEMS]);
}

static void check_against_model(const struct world *w)
{
	uint64_t min = DEADLINE_NEVER;
	size_t armed = 0;

	for (size_t i = 0; i < ITEMS; i++) {
		const struct item *it = &w->items[i];

		assert_int_equal(deadline_armed(&it->d), it->armed);
		if (!it->armed)
			continue;
		armed++;
		if (it->at < min)
			min = it->at;
	}
	assert_int_equal(w->q.armed, armed);
	assert_true(deadline_next(&w->q) == min);
}

static void expire_and_check(struct world *w)
{
	size_t due = 0, set_inside = 0, fired;

	for (size_t i = 0; i < ITEMS; i++)
		due += w->items[i].armed && w->items[i].at <= w->now;
	w->last_fired_at = 0;
	w->round++;
	w->inside = true;
	fired = deadline_expire(&w->q, w->now);
	w->inside = false;
	assert_true(fired <= due);
	for (size_t i = 0; i < ITEMS; i++)
		set_inside += w->items[i].armed && w->items[i].at <= w->now && w->items[i].round != w->round;
	assert_int_equal(set_inside, 0); /* all that is left over was set in this round */
	if (w->disturb == 0)
		assert_int_equal(fired, due);
}

static void run_random(unsigned disturb, uint64_t span)
{
	struct world *w = calloc(1, sizeof(*w));

	assert_non_null(w);
	w->disturb = disturb;
	deadline_queue_init(&w->q);
	for (size_t i = 0; i < ITEMS; i++) {
		w->items[i].world = w;
		deadline_init(&w->items[i].d, on_fire, &w->items[i]);
	}
	for (unsigned step = 0; step < 20000; step++) {
		struct item *it = &w->items[random_u64() % ITEMS];
		unsigned what = (unsigned)(random_u64() % 10);

		if (what < 6) {
			model_set(it, w->now + random_u64() % span);
		} else if (what < 8) {
			model_cancel(it);
		} else if (what == 8) {
			w->now += random_u64() % (span / 8 + 1);
			expire_and_check(w);
		}
		if (step % 16 == 0)
			check_against_model(w);
	}
	w->now = UINT64_MAX;
	w->disturb = 0;
	expire_and_check(w);
	check_against_model(w);
	assert_true(deadline_next(&w->q) == DEADLINE_NEVER);
	free(w);
}

static void test_random(void **state)
{
	(void)state;
	run_random(0, 100000);
	run_random(0, 8); /* many equal ones */
	run_random(60, 100000);
	run_random(90, 50);
}

static void test_empty(void **state)
{
	struct deadline_queue q;
	struct deadline d;

	(void)state;
	deadline_queue_init(&q);
	deadline_init(&d, NULL, NULL);
	assert_true(deadline_next(&q) == DEADLINE_NEVER);
	assert_int_equal(deadline_expire(&q, UINT64_MAX), 0);
	assert_false(deadline_cancel(&d));
}

static unsigned count;

static void on_count(void *ctx)
{
	(void)ctx;
	count++;
}

static struct deadline_queue again_queue;
static struct deadline again;

static void on_again(void *ctx)
{
	(void)ctx;
	count++;
	deadline_set(&again_queue, &again, 0);
}

/* One that sets itself into the past again must not hold the CPU. */
static void test_sets_itself(void **state)
{
	(void)state;
	count = 0;
	deadline_queue_init(&again_queue);
	deadline_init(&again, on_again, NULL);
	deadline_set(&again_queue, &again, 5);
	assert_int_equal(deadline_expire(&again_queue, 4), 0);
	assert_int_equal(deadline_expire(&again_queue, 5), 1);
	assert_true(deadline_next(&again_queue) == 0);
	assert_int_equal(deadline_expire(&again_queue, 5), 1);
	assert_int_equal(count, 2);
}

/* Setting an armed one moves it, also to another queue. */
static void test_moves(void **state)
{
	struct deadline_queue a, b;
	struct deadline d, e;

	(void)state;
	count = 0;
	deadline_queue_init(&a);
	deadline_queue_init(&b);
	deadline_init(&d, on_count, NULL);
	deadline_init(&e, on_count, NULL);
	deadline_set(&a, &d, 10);
	deadline_set(&a, &e, 20);
	deadline_set(&a, &d, 30);
	assert_true(deadline_next(&a) == 20);
	deadline_set(&b, &e, 5);
	assert_true(deadline_next(&a) == 30);
	assert_true(deadline_next(&b) == 5);
	assert_int_equal(a.armed, 1);
	assert_int_equal(deadline_expire(&a, 29), 0);
	assert_int_equal(deadline_expire(&b, 29), 1);
	assert_int_equal(deadline_expire(&a, 30), 1);
	assert_int_equal(count, 2);
}

/* A long sorted row makes the list of siblings as long as the queue: it must be neither deep recursion nor quadratic. */
static void test_many(void **state)
{
	enum { MANY = 200000 };
	struct deadline *all = calloc(MANY, sizeof(*all));
	struct deadline_queue q;

	(void)state;
	count = 0;
	assert_non_null(all);
	deadline_queue_init(&q);
	for (size_t i = 0; i < MANY; i++) {
		deadline_init(&all[i], on_count, NULL);
		deadline_set(&q, &all[i], i);
	}
	assert_int_equal(deadline_expire(&q, MANY), MANY);
	for (size_t i = 0; i < MANY; i++)
		deadline_set(&q, &all[i], MANY - i);
	for (size_t i = 0; i < MANY; i += 2)
		assert_true(deadline_cancel(&all[i]));
	assert_int_equal(deadline_expire(&q, UINT64_MAX), MANY / 2);
	assert_int_equal(count, MANY + MANY / 2);
	free(all);
}

static void test_conversions(void **state)
{
	(void)state;
	assert_true(time_ns_from_ticks(20000000, 20000000) == NS_PER_SEC);
	assert_true(time_ticks_from_ns(NS_PER_SEC, 2600000001) == 2600000001);
	assert_true(time_ns_from_ticks(1, 3) == 333333333);
	assert_true(time_ticks_from_ns(1, 3) == 0);
	/* 100 years at 5 GHz, without losing a tick to rounding or overflow */
	assert_true(time_ns_from_ticks(5000000000ull * 3155760000ull, 5000000000ull) == NS_PER_SEC * 3155760000ull);
	assert_true(time_ticks_from_ns(UINT64_MAX, 5000000000ull) == UINT64_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_empty), cmocka_unit_test(test_sets_itself),
		cmocka_unit_test(test_moves),  cmocka_unit_test(test_many),  cmocka_unit_test(test_conversions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
