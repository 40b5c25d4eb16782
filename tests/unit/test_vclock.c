/* The clock's alarms: order, moves, what firing alarms may do to each other, conversions at their limits, and a random
 * workload against an unsorted array. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fake/assert_expect.h"
#include "vmm/bus/vclock.h"

#define ALARMS 12u

struct bench {
	struct vclock clock;
	struct valarm alarms[ALARMS];
	struct slot {
		struct bench *b;
		unsigned index;
		void (*then)(struct bench *b, unsigned index); /* what the alarm does when it fires */
	} slots[ALARMS];
	uint64_t now;
	unsigned changes;
	unsigned fired[64], fired_count;
};

static uint64_t bench_now(void *ctx)
{
	return ((struct bench *)ctx)->now;
}

static void bench_changed(void *ctx)
{
	((struct bench *)ctx)->changes++;
}

static void bench_fire(void *ctx)
{
	struct slot *s = ctx;

	assert_false(s->b->alarms[s->index].armed);
	if (s->b->fired_count < ARRAY_LEN(s->b->fired))
		s->b->fired[s->b->fired_count++] = s->index;
	if (s->then != NULL)
		s->then(s->b, s->index);
}

static void bench_init(struct bench *b)
{
	memset(b, 0, sizeof(*b));
	b->clock = (struct vclock){.now = bench_now, .changed = bench_changed, .ctx = b, .hz = 1000000000};
	for (unsigned i = 0; i < ALARMS; i++) {
		b->slots[i] = (struct slot){.b = b, .index = i};
		b->alarms[i] = (struct valarm){.fire = bench_fire, .ctx = &b->slots[i]};
	}
}

static void test_order(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	assert_int_equal(vclock_next(&b.clock), VCLOCK_NEVER);
	vclock_arm(&b.clock, &b.alarms[0], 30);
	vclock_arm(&b.clock, &b.alarms[1], 10);
	vclock_arm(&b.clock, &b.alarms[2], 20);
	vclock_arm(&b.clock, &b.alarms[3], 10); /* the same time: behind the one armed before */
	assert_int_equal(b.changes, 2);
	assert_int_equal(vclock_next(&b.clock), 10);
	assert_int_equal(vclock_expire(&b.clock, 9), 0);
	assert_int_equal(b.changes, 2);
	assert_int_equal(vclock_expire(&b.clock, 20), 3);
	assert_int_equal(b.changes, 3);
	assert_int_equal(b.fired[0], 1);
	assert_int_equal(b.fired[1], 3);
	assert_int_equal(b.fired[2], 2);
	assert_int_equal(vclock_next(&b.clock), 30);
	assert_int_equal(vclock_expire(&b.clock, UINT64_MAX), 1);
	assert_int_equal(vclock_next(&b.clock), VCLOCK_NEVER);
}

static void test_move_and_disarm(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	vclock_disarm(&b.clock, &b.alarms[0]);
	assert_int_equal(b.changes, 0);
	vclock_arm(&b.clock, &b.alarms[0], 10);
	vclock_arm(&b.clock, &b.alarms[1], 20);
	vclock_arm(&b.clock, &b.alarms[0], 30);
	assert_int_equal(vclock_next(&b.clock), 20);
	vclock_disarm(&b.clock, &b.alarms[1]);
	vclock_disarm(&b.clock, &b.alarms[1]);
	assert_int_equal(vclock_next(&b.clock), 30);
	assert_int_equal(b.changes, 3);
	vclock_arm(&b.clock, &b.alarms[0], VCLOCK_NEVER);
	assert_false(b.alarms[0].armed);
	assert_int_equal(vclock_expire(&b.clock, UINT64_MAX), 0);
	vclock_arm(&b.clock, &b.alarms[2], 0); /* in the past */
	assert_int_equal(vclock_expire(&b.clock, 1000), 1);
}

static void again_at_zero(struct bench *b, unsigned index)
{
	vclock_arm(&b->clock, &b->alarms[index], 0);
}

/* An alarm that arms itself for the past fires once a call, and those behind it have their turn. */
static void test_rearm_is_bounded(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.slots[0].then = again_at_zero;
	vclock_arm(&b.clock, &b.alarms[0], 5);
	vclock_arm(&b.clock, &b.alarms[1], 6);
	assert_int_equal(vclock_expire(&b.clock, 10), 2);
	assert_int_equal(b.fired[1], 1);
	assert_int_equal(vclock_next(&b.clock), 0);
	assert_int_equal(vclock_expire(&b.clock, 10), 1);
}

static void disarm_next(struct bench *b, unsigned index)
{
	vclock_disarm(&b->clock, &b->alarms[index + 1]);
}

static void move_next(struct bench *b, unsigned index)
{
	vclock_arm(&b->clock, &b->alarms[index + 1], 100);
}

static void nested_expire(struct bench *b, unsigned index)
{
	(void)index;
	vclock_expire(&b->clock, 100);
}

static void test_firing_changes_others(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.slots[0].then = disarm_next;
	b.slots[2].then = move_next;
	for (unsigned i = 0; i < 4; i++)
		vclock_arm(&b.clock, &b.alarms[i], i);
	assert_int_equal(vclock_expire(&b.clock, 10), 2);
	assert_int_equal(b.fired[0], 0);
	assert_int_equal(b.fired[1], 2);
	assert_false(b.alarms[1].armed);
	assert_int_equal(vclock_next(&b.clock), 100);
	b.slots[3].then = nested_expire;
	assert_true(ASSERT_FAILS(vclock_expire(&b.clock, 100)));
}

static void test_without_changed(void **state)
{
	struct bench b;

	(void)state;
	bench_init(&b);
	b.clock.changed = NULL;
	vclock_arm(&b.clock, &b.alarms[0], 1);
	assert_int_equal(vclock_expire(&b.clock, 1), 1);
}

static void test_conversion(void **state)
{
	struct vclock c = {.hz = 3000000000ull};

	(void)state;
	assert_int_equal(vclock_to_counts(&c, 3000000000ull, 1193182), 1193182);
	assert_int_equal(vclock_to_counts(&c, 2999999999ull, 1193182), 1193181);
	assert_int_equal(vclock_from_counts(&c, 1193182, 1193182), 3000000000ull);
	assert_int_equal(vclock_from_counts(&c, 1, 1193182), 2514);
	assert_int_equal(vclock_reaching(&c, 1, 1193182), 2515);
	assert_int_equal(vclock_reaching(&c, 0, 1193182), 0);
	/* A century of ticks does not lose a count; beyond 64 bits it saturates. */
	assert_int_equal(vclock_to_counts(&c, 3000000000ull * 3155760000ull, 1193182), 3155760000ull * 1193182);
	assert_int_equal(vclock_from_counts(&c, UINT64_MAX, 1193182), UINT64_MAX);
	assert_int_equal(vclock_reaching(&c, UINT64_MAX, 1193182), VCLOCK_NEVER);
	c.hz = 32768; /* a clock slower than the part */
	assert_int_equal(vclock_to_counts(&c, vclock_reaching(&c, 1000, 1193182), 1193182), 1019);
}

static void test_reaching_is_first(void **state)
{
	static const uint64_t rates[] = {1193182, 3579545, 32768, 1843200, 1, 1000000007};

	(void)state;
	srand(2);
	for (unsigned i = 0; i < 100000; i++) {
		struct vclock c = {.hz = 1 + ((uint64_t)rand() << 2 | (unsigned)rand()) % 5000000000ull};
		uint64_t hz = rates[(unsigned)rand() % ARRAY_LEN(rates)], counts = (uint64_t)rand()
										   << ((unsigned)rand() % 10);
		uint64_t at = vclock_reaching(&c, counts, hz);

		if (at == VCLOCK_NEVER)
			continue;
		assert_true(vclock_to_counts(&c, at, hz) >= counts);
		if (at > 0)
			assert_true(vclock_to_counts(&c, at - 1, hz) < counts);
	}
}

/* A rate's counts are those of the exact quotient or one more, however long it has run, and reaching() is their inverse. */
static void check_rate(const struct vclock *c, uint64_t part_hz, uint64_t ticks)
{
	struct vclock_rate r = vclock_rate(c, part_hz);
	uint64_t exact = (uint64_t)((unsigned __int128)ticks * part_hz / c->hz), counts = vclock_rate_counts(r, ticks);
	uint64_t first = vclock_rate_reaching(r, counts), next = vclock_rate_reaching(r, counts + 1);

	assert_true(counts - exact <= 1);
	if (ticks <= UINT64_MAX / c->hz)
		assert_true(counts == exact);
	assert_true(first <= ticks && vclock_rate_counts(r, first) == counts);
	assert_true(first == 0 || vclock_rate_counts(r, first - 1) < counts);
	assert_true(next > ticks || next == VCLOCK_NEVER);
	if (next != VCLOCK_NEVER)
		assert_true(vclock_rate_counts(r, next) == counts + 1 && vclock_rate_counts(r, next - 1) == counts);
}

static void test_rate(void **state)
{
	static const uint64_t parts[] = {1193182, 3579545, 32768, 1};
	static const uint64_t clocks[] = {3579546,    20000000,   100000000,  999999937,
					  2999999999, 3000000000, 3500000000, 6000000000};

	(void)state;
	srand(4);
	for (unsigned p = 0; p < ARRAY_LEN(parts); p++) {
		for (unsigned k = 0; k < ARRAY_LEN(clocks); k++) {
			struct vclock c = {.hz = clocks[k]};
			const uint64_t hour = 3600 * c.hz, year = 365 * 24 * hour;
			const uint64_t edges[] = {0, c.hz, hour, year, 97 * year, UINT64_MAX - 1, UINT64_MAX};

			for (unsigned i = 0; i < ARRAY_LEN(edges); i++)
				for (uint64_t off = 0; off < 8; off++)
					check_rate(&c, parts[p], edges[i] - off < edges[i] ? edges[i] - off : off);
			for (unsigned i = 0; i < 20000; i++)
				check_rate(&c, parts[p],
					   ((uint64_t)rand() << 33 ^ (uint64_t)rand() << 15 ^ (unsigned)rand()) >>
						   ((unsigned)rand() % 50));
		}
	}
}

/* What the excess comes to: nothing in the first seconds, and a year later far less than a count, so nearly never seen. */
static void test_rate_drift(void **state)
{
	struct vclock c = {.hz = 3000000000ull};
	struct vclock_rate r = vclock_rate(&c, 3579545);
	const uint64_t year = 365ull * 24 * 3600 * c.hz;
	unsigned ahead = 0;

	(void)state;
	for (uint64_t i = 0; i < 100000; i++)
		ahead += vclock_rate_counts(r, year + i * 838) != vclock_to_counts(&c, year + i * 838, 3579545);
	assert_true(ahead <= 100000 / 195);
	assert_true(vclock_rate_reaching(r, UINT64_MAX) == VCLOCK_NEVER);
	assert_true(ASSERT_FAILS(vclock_rate(&c, c.hz)));
}

/* Random arming against the plainest model: an array of times, fired by searching the smallest. */
static void test_random(void **state)
{
	uint64_t at[ALARMS], stamp[ALARMS], stamps = 0;
	struct bench b;

	(void)state;
	srand(3);
	bench_init(&b);
	for (unsigned i = 0; i < ALARMS; i++)
		at[i] = VCLOCK_NEVER;
	for (unsigned step = 0; step < 200000; step++) {
		unsigned i = (unsigned)rand() % ALARMS;
		uint64_t earliest = VCLOCK_NEVER;

		switch (rand() % 4) {
		case 0:
			vclock_disarm(&b.clock, &b.alarms[i]);
			at[i] = VCLOCK_NEVER;
			break;
		case 1:
			b.now += (unsigned)rand() % 5;
			b.fired_count = 0;
			vclock_expire(&b.clock, b.now);
			for (unsigned n = 0; n < b.fired_count; n++) {
				unsigned best = b.fired[n];

				assert_true(at[best] <= b.now);
				for (unsigned k = 0; k < ALARMS; k++)
					assert_true(at[k] > at[best] || (at[k] == at[best] && stamp[k] >= stamp[best]));
				at[best] = VCLOCK_NEVER;
			}
			for (unsigned k = 0; k < ALARMS; k++)
				assert_true(at[k] > b.now);
			break;
		default:
			at[i] = b.now + (unsigned)rand() % 16;
			stamp[i] = ++stamps;
			vclock_arm(&b.clock, &b.alarms[i], at[i]);
		}
		for (unsigned k = 0; k < ALARMS; k++)
			earliest = at[k] < earliest ? at[k] : earliest;
		assert_int_equal(vclock_next(&b.clock), earliest);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_move_and_disarm),
		cmocka_unit_test(test_rearm_is_bounded),
		cmocka_unit_test(test_firing_changes_others),
		cmocka_unit_test(test_without_changed),
		cmocka_unit_test(test_conversion),
		cmocka_unit_test(test_reaching_is_first),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_rate_drift),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("vclock", tests, NULL, NULL);
}
