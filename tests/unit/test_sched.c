/* The scheduler on simulated machines: a thousand random workloads against the weighted max-min share that a solver works
 * out, and what changes while they run. SEED=n runs one of the thousand and says more. */
#include "tests/unit/sched_sim.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "kernel/lib/errors.h"

#define WORKLOADS 1000u
#define WINDOW (10 * SIM_SEC)
#define MASKS BIT32(SIM_CPUS)

/* What a task may get: as much as it wants, within its group's cap and what its weight gives it where it may run. */
struct claim {
	double weight, most, share;
	double moments; /* its share if only those count who are awake; `share`: if it is made up for sleeping */
	uint64_t pins;
	bool settled;
};

/* How much of the CPUs in `where` those want at this level of service who may run nowhere else. */
static double wanted_there(const struct claim *c, unsigned n, uint64_t where, double level)
{
	double sum = 0;

	for (unsigned i = 0; i < n; i++) {
		double at_level = c[i].weight * level;

		if ((c[i].pins & ~where) == 0)
			sum += c[i].settled ? c[i].share : at_level < c[i].most ? at_level : c[i].most;
	}
	return sum;
}

/* The sets of CPUs that can be scarce: unions of pins. Returns how many. */
static unsigned scarce_sets(const struct claim *c, unsigned n, uint64_t *sets)
{
	unsigned count = 0;

	for (unsigned i = 0; i < n; i++) {
		unsigned before = count;
		bool known = false;

		for (unsigned k = 0; k < count; k++)
			known = known || sets[k] == c[i].pins;
		if (known)
			continue;
		sets[count++] = c[i].pins;
		for (unsigned k = 0; k < before; k++) {
			uint64_t both = sets[k] | c[i].pins;

			known = false;
			for (unsigned l = 0; l < count; l++)
				known = known || sets[l] == both;
			if (!known)
				sets[count++] = both;
		}
		assert_true(count < MASKS);
	}
	return count;
}

/* Progressive filling: raise everybody's level until some set of CPUs is full, settle who is confined to it, go on. */
static void max_min(struct claim *c, unsigned n)
{
	uint64_t sets[MASKS];
	unsigned count = scarce_sets(c, n, sets);

	for (unsigned round = 0; round <= count; round++) {
		double low = 0, high = 1e6;

		for (unsigned step = 0; step < 60; step++) {
			double level = (low + high) / 2;
			bool fits = true;

			for (unsigned k = 0; k < count && fits; k++)
				fits = wanted_there(c, n, sets[k], level) <= bits_count(sets[k]) + 1e-12;
			*(fits ? &low : &high) = level;
		}
		for (unsigned k = 0; k < count; k++)
			if (wanted_there(c, n, sets[k], low) >= bits_count(sets[k]) - 1e-6)
				for (unsigned i = 0; i < n; i++)
					if ((c[i].pins & ~sets[k]) == 0 && !c[i].settled) {
						c[i].share =
							c[i].weight * low < c[i].most ? c[i].weight * low : c[i].most;
						c[i].settled = true;
					}
	}
	for (unsigned i = 0; i < n; i++)
		if (!c[i].settled)
			c[i].share = c[i].most;
}

/* With tasks that sleep the share changes from moment to moment. One reference is max_min() over the whole time, the other
 * a fluid that does at any moment what max_min() says of those that are awake; the scheduler, which remembers for a few
 * rounds who was behind, is to be between the two. Everybody may run everywhere. */
struct fluid {
	struct claim *claim;
	const struct sim_task *task;
	unsigned n, cpus;
	double backlog[SIM_TASKS], next_wake[SIM_TASKS], got[SIM_TASKS], rate[SIM_TASKS];
};

static bool fluid_awake(const struct fluid *f, unsigned i)
{
	return f->task[i].period == 0 || f->backlog[i] > 0;
}

/* Who would get more than a CPU gets one, the others share the rest. */
static void fluid_set_rates(struct fluid *f)
{
	double left = f->cpus, weight = 0;
	bool again = true;

	for (unsigned i = 0; i < f->n; i++) {
		f->rate[i] = 0;
		if (fluid_awake(f, i))
			weight += f->claim[i].weight;
	}
	while (again) {
		again = false;
		for (unsigned i = 0; i < f->n; i++) {
			if (!fluid_awake(f, i) || f->rate[i] == 1 || f->claim[i].weight * left < weight)
				continue;
			f->rate[i] = 1;
			left -= 1;
			weight -= f->claim[i].weight;
			again = left > 0;
		}
	}
	for (unsigned i = 0; i < f->n; i++)
		if (fluid_awake(f, i) && f->rate[i] != 1)
			f->rate[i] = left > 0 ? f->claim[i].weight * left / weight : 0;
}

static double fluid_step(const struct fluid *f, double now, double end)
{
	double next = end;

	for (unsigned i = 0; i < f->n; i++) {
		if (f->task[i].period == 0)
			continue;
		if (f->next_wake[i] < next)
			next = f->next_wake[i];
		if (f->rate[i] > 0 && now + f->backlog[i] / f->rate[i] < next)
			next = now + f->backlog[i] / f->rate[i];
	}
	return next;
}

static void fluid_run(struct fluid *f, double from, double end)
{
	for (double now = from, next; now < end; now = next) {
		fluid_set_rates(f);
		next = fluid_step(f, now, end);
		for (unsigned i = 0; i < f->n; i++) {
			f->got[i] += f->rate[i] * (next - now);
			f->backlog[i] -= f->rate[i] * (next - now);
			if (f->backlog[i] < 1e-3)
				f->backlog[i] = 0;
			if (f->task[i].period != 0 && f->next_wake[i] <= next) {
				f->next_wake[i] += (double)f->task[i].period;
				f->backlog[i] += (double)f->task[i].burst;
			}
		}
	}
}

/* What each gets in the window that begins `before` ticks from now. */
static void fluid_shares(const struct sim *m, struct claim *c, double before, double window)
{
	struct fluid f = {.claim = c, .task = m->task, .n = m->tasks, .cpus = m->cpus};

	for (unsigned i = 0; i < f.n; i++)
		f.next_wake[i] = (double)(m->task[i].next_wake - m->now);
	fluid_run(&f, 0, before);
	memset(f.got, 0, sizeof(f.got));
	fluid_run(&f, before, before + window);
	for (unsigned i = 0; i < f.n; i++)
		c[i].moments = f.got[i] / window;
}

static bool verbose;

static uint32_t random_weight(struct sim *m, unsigned spread)
{
	return (uint32_t)(1u << sim_between(m, 0, spread)) * (uint32_t)sim_between(m, 16, 31);
}

/* One to three CPUs, of the machine's. */
static uint64_t random_pins(struct sim *m)
{
	uint64_t pins = 0;

	for (uint64_t n = sim_between(m, 1, 3); n > 0; n--)
		pins |= BIT64(sim_between(m, 0, m->cpus - 1));
	return pins;
}

enum flavour { BUSY, SLEEPERS, CAPS, PINS, FLAVOURS };
static const char *const flavour_names[FLAVOURS] = {"busy", "sleepers", "caps", "pins"};

/* A VM: some tasks of one weight, and perhaps one cap. */
static void random_group(struct sim *m, enum flavour flavour, struct claim *c)
{
	static const uint8_t spreads[] = {[BUSY] = 8, [SLEEPERS] = 2, [CAPS] = 2, [PINS] = 3};
	uint32_t weight = random_weight(m, spreads[flavour]);
	bool sleeps = flavour == SLEEPERS && sim_between(m, 0, 2) != 0;
	unsigned n = sleeps ? 1 : (unsigned)(1u << sim_between(m, 0, 2));
	uint32_t cap =
		flavour == CAPS && sim_between(m, 0, 3) != 0 ? (uint32_t)sim_between(m, 5, 60 * n) : SCHED_CAP_NONE;
	uint64_t pins = flavour == PINS && sim_between(m, 0, 2) != 0 ? random_pins(m) : SCHED_ANY_CPU;
	uint64_t period = sleeps ? sim_between(m, 2 * SIM_MS, 50 * SIM_MS) : 0;
	uint64_t burst = sleeps ? period / sim_between(m, 2, 50) : 0;
	struct sched_group *g = sim_group(m, weight, cap);

	for (unsigned i = 0; i < n; i++) {
		struct claim *claim = &c[m->tasks];
		struct sim_task *t = sim_task(m, g, pins, period, burst);

		if (flavour == BUSY && sim_between(m, 0, 9) == 0)
			t->yield_percent = 10;
		claim->weight = (double)weight / n;
		claim->most = sleeps ? (double)burst / (double)period : 1;
		if (cap != SCHED_CAP_NONE && cap / 100. / n < claim->most)
			claim->most = cap / 100. / n;
		claim->pins = pins & m->s.present;
	}
}

/* How much more or less than due, in parts of it; what is less than a slice does not count. */
static double error_of(double ran, double due)
{
	return fabs(ran - due) <= SIM_SLICE ? 0 : (ran - due) / due;
}

/* A group's cap is there for all of them: what one gets more, another gets less. */
static double worst_of_groups(const struct sim *m, const struct claim *c)
{
	double worst = 0;

	for (unsigned g = 0; g < m->groups; g++) {
		double due = 0, ran = 0;

		for (unsigned i = 0; i < m->tasks; i++)
			if (m->task[i].group == &m->group[g]) {
				due += c[i].share * (double)WINDOW;
				ran += (double)m->task[i].ran;
			}
		worst = fmax(worst, fabs(error_of(ran, due)));
	}
	return worst;
}

/* Who sleeps is preferred: up to a quarter more than its share is no mistake, as it costs nobody else his. */
static double worst_of_tasks(const struct sim *m, const struct claim *c)
{
	double worst = 0;

	for (unsigned i = 0; i < m->tasks; i++) {
		const struct sim_task *t = &m->task[i];
		double one = error_of((double)t->ran, c[i].share * (double)WINDOW);
		double other = error_of((double)t->ran, c[i].moments * (double)WINDOW);
		double error = one * other < 0 ? 0 : fabs(one) < fabs(other) ? one : other;

		if (verbose)
			printf("%2u: weight %7.1f most %.3f pins %02llx share %.4f %.4f got %.4f: %6.2f %%, wait %.2f "
			       "latency %.2f ms\n",
			       i, c[i].weight, c[i].most, (unsigned long long)c[i].pins, c[i].share, c[i].moments,
			       (double)t->ran / WINDOW, 100 * error, (double)t->worst_wait / 1000,
			       (double)t->max_latency / SIM_MS);
		if (t->period != 0 && error > 0 && error <= 0.25 &&
		    (double)t->ran <= c[i].most * (double)WINDOW + SIM_SLICE)
			error = 0;
		worst = fmax(worst, fabs(error));
	}
	return worst;
}

/* A task with more weight than one CPU is worth has nothing to put by for the moment when others wake: what it loses then,
 * nobody can give back. Beside tasks that come and go it gets less than either reference. */
static bool has_giant(const struct sim *m, const struct claim *c)
{
	for (unsigned i = 0; i < m->tasks; i++)
		if (c[i].most == 1 && c[i].share > 0.9)
			return true;
	return false;
}

static void check_caps(const struct sim *m)
{
	for (unsigned g = 0; g < m->groups; g++) {
		double ran = 0;

		for (unsigned i = 0; i < m->tasks; i++)
			if (m->task[i].group == &m->group[g])
				ran += (double)m->task[i].ran;
		if (m->group[g].cap_percent != SCHED_CAP_NONE)
			assert_true(ran <= m->group[g].cap_percent / 100. * 1.02 * WINDOW);
	}
}

struct totals {
	unsigned judged[FLAVOURS], off[FLAVOURS];
	double worst[FLAVOURS], wait;
	uint64_t events;
};

/* What a share may be off by. */
static const double allowed[FLAVOURS] = {[BUSY] = 0.01, [SLEEPERS] = 0.01, [CAPS] = 0.02, [PINS] = 0.01};

static void judge(const struct sim *m, const struct claim *c, enum flavour flavour, struct totals *sum)
{
	double worst;

	for (unsigned i = 0; i < m->tasks; i++)
		sum->wait = fmax(sum->wait, (double)m->task[i].worst_wait / 1000);
	check_caps(m);
	worst = worst_of_tasks(m, c);
	if (flavour == CAPS)
		worst = worst_of_groups(m, c);
	if ((flavour == CAPS || flavour == SLEEPERS) && has_giant(m, c))
		return;
	sum->judged[flavour]++;
	if (worst > allowed[flavour])
		sum->off[flavour]++;
	sum->worst[flavour] = fmax(sum->worst[flavour], worst);
}

static void run_workload(uint64_t seed, struct totals *sum)
{
	enum flavour flavour = (enum flavour)(seed % FLAVOURS);
	static const uint8_t often[] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 3, 3, 4, 4, 4, 5, 6, 8};
	struct claim c[SIM_TASKS] = {0};
	unsigned cpus = often[seed / FLAVOURS % sizeof(often)], most;
	struct sim *m = sim_new(cpus, seed + 1);

	most = (unsigned)sim_between(m, 1, sim_between(m, 0, 9) == 0 ? 40 : 4 * cpus);
	if (flavour == SLEEPERS || flavour == CAPS)
		most += 3 * cpus;
	while (m->tasks < most)
		random_group(m, flavour, c);
	max_min(c, m->tasks);
	for (unsigned i = 0; i < m->tasks; i++)
		c[i].moments = c[i].share;
	if (flavour == SLEEPERS)
		fluid_shares(m, c, SIM_SEC / 2., WINDOW);
	sim_run(m, SIM_SEC / 2);
	sim_forget(m);
	sim_run(m, WINDOW);
	judge(m, c, flavour, sum);
	sum->events += m->events;
	sim_end(m);
}

static void test_shares(void **state)
{
	const char *only = getenv("SEED");
	struct totals sum = {0};

	(void)state;
	verbose = only != NULL;
	for (uint64_t seed = 0; seed < WORKLOADS; seed++) {
		unsigned off = sum.off[seed % FLAVOURS];

		if (only != NULL && strtoull(only, NULL, 10) != seed)
			continue;
		run_workload(seed, &sum);
		if (sum.off[seed % FLAVOURS] != off)
			printf("SEED=%llu is off\n", (unsigned long long)seed);
	}
	for (unsigned f = 0; f < FLAVOURS; f++)
		printf("%-8s %3u judged, %u off, worst by %.2f %%\n", flavour_names[f], sum.judged[f], sum.off[f],
		       100 * sum.worst[f]);
	printf("longest wait %.2f of what is allowed, %llu events\n", sum.wait, (unsigned long long)sum.events);
	if (only != NULL)
		return;
	assert_int_equal(sum.off[BUSY] + sum.off[SLEEPERS] + sum.off[CAPS], 0);
	assert_true(sum.judged[SLEEPERS] > 190 && sum.judged[CAPS] > 220);
	/* Who has more weight than a CPU is worth, and would have to change between two of them at the right moments, may
	 * lose a little. */
	assert_true(sum.off[PINS] <= 5 && sum.worst[PINS] < 0.1);
}

/* Let it run for some time, and say what part of a CPU the task got. */
static double share_in(struct sim *m, const struct sim_task *t, uint64_t ticks)
{
	sim_forget(m);
	sim_run(m, ticks);
	return (double)t->ran / (double)ticks;
}

static void near(double got, double due, double error)
{
	if (fabs(got - due) > error)
		fail_msg("got %.4f, due %.4f", got, due);
}

static void test_weight_live(void **state)
{
	struct sim *m = sim_new(1, 1);
	struct sim_task *a = sim_task(m, sim_group(m, 256, SCHED_CAP_NONE), SCHED_ANY_CPU, 0, 0);

	(void)state;
	sim_task(m, sim_group(m, 256, SCHED_CAP_NONE), SCHED_ANY_CPU, 0, 0);
	near(share_in(m, a, WINDOW), 0.5, 0.005);
	assert_int_equal(sched_group_set(a->group, 768, SCHED_CAP_NONE), 0);
	near(share_in(m, a, WINDOW), 0.75, 0.0075);
	assert_int_equal(sched_group_set(a->group, 1, SCHED_CAP_NONE), 0);
	near(share_in(m, a, WINDOW), 0.0039, 0.005);
	assert_int_equal(sched_group_set(a->group, SCHED_WEIGHT_MAX, SCHED_CAP_NONE), 0);
	near(share_in(m, a, WINDOW), 0.996, 0.01);
	assert_int_equal(sched_group_set(a->group, 0, SCHED_CAP_NONE), ERR_RANGE);
	assert_int_equal(sched_group_set(a->group, 1, SCHED_CAP_MAX + 1), ERR_RANGE);
	sim_end(m);
}

static void test_cap_live(void **state)
{
	struct sim *m = sim_new(2, 2);
	struct sim_task *a = sim_task(m, sim_group(m, 256, 25), SCHED_ANY_CPU, 0, 0);
	struct sim_task *b = sim_task(m, a->group, SCHED_ANY_CPU, 0, 0);
	struct sched_stats stats;

	(void)state;
	near(share_in(m, a, WINDOW), 0.125, 0.005);
	near((double)(a->ran + b->ran) / WINDOW, 0.25, 0.005);
	sched_read_stats(&a->e, m->now, &stats);
	assert_true(stats.parks > 100 && stats.parked_ticks > WINDOW / 2);
	assert_int_equal(sched_group_set(a->group, 256, 150), 0);
	(void)share_in(m, a, WINDOW);
	near((double)(a->ran + b->ran) / WINDOW, 1.5, 0.03);
	assert_int_equal(sched_group_set(a->group, 256, 1), 0);
	(void)share_in(m, a, WINDOW);
	near((double)(a->ran + b->ran) / WINDOW, 0.01, 0.005);
	assert_int_equal(sched_group_set(a->group, 256, SCHED_CAP_NONE), 0);
	sim_run(m, SIM_SEC);
	near(share_in(m, a, WINDOW), 1, 0.001);
	sim_end(m);
}

static void set_pins(struct sim *m, struct sim_task *t, uint64_t pins)
{
	uint64_t kicks;

	assert_int_equal(sched_set_pins(&t->e, pins, &kicks), 0);
	sim_kick(m, kicks);
	sim_run(m, 2 * SIM_KICK_MAX + 2 * SIM_EXIT_MAX);
}

/* In every state: running, waiting, blocked, parked. */
static void test_pins_live(void **state)
{
	struct sim *m = sim_new(4, 3);
	struct sched_group *g = sim_group(m, 256, SCHED_CAP_NONE), *capped = sim_group(m, 256, 5);
	uint64_t kicks;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		sim_task(m, g, SCHED_ANY_CPU, 0, 0);
	sim_task(m, capped, SCHED_ANY_CPU, 0, 0);
	sim_task(m, sim_group(m, 256, SCHED_CAP_NONE), SCHED_ANY_CPU, 20 * SIM_MS, SIM_MS);
	for (unsigned i = 0; i < 4000; i++) {
		struct sim_task *t = &m->task[sim_between(m, 0, m->tasks - 1)];
		uint64_t pins = sim_between(m, 1, 15);

		sim_run(m, sim_between(m, 0, 3 * SIM_MS));
		set_pins(m, t, pins);
		assert_true(t->e.pins == pins);
		assert_true(t->e.state == SCHED_BLOCKED || bits_test(pins, t->e.cpu->id));
	}
	assert_int_equal(sched_set_pins(&m->task[0].e, 0xf0, &kicks), ERR_RANGE);
	/* All on one, and then everywhere: the idle ones come for it. */
	for (unsigned i = 0; i < m->tasks; i++)
		set_pins(m, &m->task[i], BIT64(2));
	near(share_in(m, &m->task[0], WINDOW), 1 / 6. * 8 / 9, 0.15);
	assert_true(m->cpu[0].task == NULL && m->cpu[1].task == NULL && m->cpu[3].task == NULL);
	for (unsigned i = 0; i < 6; i++)
		set_pins(m, &m->task[i], SCHED_ANY_CPU);
	assert_true(m->cpu[0].task != NULL && m->cpu[1].task != NULL && m->cpu[3].task != NULL);
	sim_end(m);
}

/* Who sleeps most of the time runs at once when it wakes, however busy the others are. */
static void test_latency(void **state)
{
	(void)state;
	for (unsigned cpus = 1; cpus <= 4; cpus *= 2)
		for (unsigned wakers = 1; wakers <= 3; wakers++) {
			struct sim *m = sim_new(cpus, cpus * 10 + wakers);
			uint64_t worst = 0;

			for (unsigned i = 0; i < 10 * cpus; i++)
				sim_task(m, sim_group(m, 256, SCHED_CAP_NONE), SCHED_ANY_CPU, 0, 0);
			for (unsigned i = 0; i < wakers; i++)
				sim_task(m, sim_group(m, 256, SCHED_CAP_NONE), SCHED_ANY_CPU, (37 + i) * SIM_MS,
					 SIM_MS / 2);
			sim_run(m, SIM_SEC);
			sim_forget(m);
			sim_run(m, WINDOW);
			for (unsigned i = 0; i < m->tasks; i++)
				worst = m->task[i].max_latency > worst ? m->task[i].max_latency : worst;
			assert_true(worst > 0 && worst <= SIM_KICK_MAX + (wakers - 1) * SIM_MS);
			sim_end(m);
		}
}

/* As many as CPUs stay where they are; more are moved now and then, not all the time. */
static void test_migrations(void **state)
{
	static const unsigned most[] = {[4] = 0, [6] = 300, [8] = 50, [20] = 100};

	(void)state;
	for (unsigned tasks = 4; tasks < ARRAY_LEN(most); tasks++) {
		struct sim *m;
		struct sched_stats stats;
		uint64_t before = 0, after = 0;

		if (tasks != 4 && most[tasks] == 0)
			continue;
		m = sim_new(4, tasks);
		for (unsigned i = 0; i < tasks; i++)
			sim_task(m, sim_group(m, 256, SCHED_CAP_NONE), SCHED_ANY_CPU, 0, 0);
		sim_run(m, SIM_SEC);
		for (unsigned i = 0; i < tasks; i++) {
			sched_read_stats(&m->task[i].e, m->now, &stats);
			before += stats.migrations;
		}
		sim_run(m, SIM_SEC);
		for (unsigned i = 0; i < tasks; i++) {
			sched_read_stats(&m->task[i].e, m->now, &stats);
			after += stats.migrations;
		}
		printf("%u tasks on 4 CPUs: %llu moves a second\n", tasks, (unsigned long long)(after - before));
		assert_true(after - before <= most[tasks]);
		sim_end(m);
	}
}

/* Tasks come and go in whatever state they are; nothing stays behind. */
static void test_add_remove(void **state)
{
	(void)state;
	for (unsigned cpus = 1; cpus <= 4; cpus++) {
		struct sim *m = sim_new(cpus, cpus);

		for (unsigned i = 0; i < 16; i++)
			sim_task(m, i % 4 == 0 ? sim_group(m, 256, i == 4 ? 30 : SCHED_CAP_NONE) : m->task[i - 1].group,
				 SCHED_ANY_CPU, i % 3 == 0 ? 5 * SIM_MS : 0, SIM_MS);
		for (unsigned i = 0; i < 5000; i++) {
			struct sim_task *t = &m->task[sim_between(m, 0, 15)];

			if (t->added)
				sim_remove(m, t);
			else
				sim_add(m, t, sim_between(m, 1, BIT64(cpus) - 1));
			sim_run(m, sim_between(m, 0, 2 * SIM_MS));
		}
		sim_end(m);
	}
}

/* The account says what was done. */
static void test_stats(void **state)
{
	struct sim *m = sim_new(2, 5);
	uint64_t start = m->now;

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		sim_task(m, sim_group(m, 100 + 50 * i, i == 2 ? 20 : SCHED_CAP_NONE), SCHED_ANY_CPU, 0, 0);
	sim_run(m, SIM_SEC);
	for (unsigned i = 0; i < 5; i++) {
		struct sim_task *t = &m->task[i];
		struct sched_stats st;

		sched_read_stats(&t->e, sim_clock(m, t->e.cpu->id), &st);
		near((double)st.run_ticks, (double)t->ran, 100 * SIM_US);
		near((double)(st.run_ticks + st.wait_ticks + st.parked_ticks), (double)(m->now - start), 200 * SIM_US);
		assert_true((st.parked_ticks != 0) == (i == 2) && (st.parks != 0) == (i == 2));
		assert_true(st.max_wait_ticks > 0 && st.max_wait_ticks <= st.wait_ticks && st.switches > 10);
		assert_int_equal(st.cpu, t->e.cpu->id);
	}
	sim_end(m);
}

/* One CPU, and two on it, asleep, of groups of the same weight. */
static void two_alike(struct sched *s, struct sched_group g[2], struct sched_entity e[2])
{
	assert_int_equal(sched_init(s, 1, SIM_HZ, NULL), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(sched_group_init(&g[i], 256, SCHED_CAP_NONE), 0);
		assert_int_equal(sched_add(s, &e[i], &g[i], SCHED_ANY_CPU), 0);
	}
}

/* Two that are alike and always want to run; one has had 20 ms of work done for it before it wakes: it gets so much less.
 * (The scheduler lets nobody fall behind by much more at once.) */
static void test_charge(void **state)
{
	static struct sched s;
	struct sched_group g[2];
	struct sched_entity e[2] = {{0}};
	struct sched_cpu *c = &s.cpu[0];
	struct sched_slice slice;
	struct sched_stats stats[2];
	uint64_t now = 1000;

	(void)state;
	two_alike(&s, g, e);
	(void)sched_wake(&e[0], now);
	assert_ptr_equal(sched_pick(c, now, &slice), &e[0]);
	now += 5 * SIM_MS;
	sched_charge(&e[1], 20 * SIM_MS, now);
	(void)sched_wake(&e[1], now);
	while (now < 1000 * SIM_MS) {
		assert_non_null(sched_pick(c, now, &slice));
		now = slice.until;
	}
	sched_read_stats(&e[0], now, &stats[0]);
	sched_read_stats(&e[1], now, &stats[1]);
	near((double)(stats[0].run_ticks - 5 * SIM_MS), (double)(stats[1].run_ticks + 20 * SIM_MS), 11 * SIM_MS);
}

/* One that is alone has no end of its slice. Who comes to wait has the CPU pick again, and both are as they would be had the
 * slices ended: what the one has had alone is not held against it, and the other has earned nothing by it. */
static void test_alone(void **state)
{
	static struct sched s;
	struct sched_group g[2];
	struct sched_entity e[2] = {{0}};
	struct sched_cpu *c = &s.cpu[0];
	struct sched_slice slice;
	struct sched_stats stats[2];
	uint64_t now = 1000, met, kicks;

	(void)state;
	two_alike(&s, g, e);
	(void)sched_wake(&e[0], now);
	assert_ptr_equal(sched_pick(c, now, &slice), &e[0]);
	assert_true(slice.until == DEADLINE_NEVER);
	now += 5 * SIM_SEC + 3 * SIM_MS;
	sched_read_stats(&e[0], now, &stats[0]);
	assert_true(stats[0].run_ticks == now - 1000);
	assert_int_equal(sched_wake(&e[1], now), 1);
	assert_true(sched_due(c, now));
	met = now;
	while (now < met + 200 * SIM_MS) {
		assert_non_null(sched_pick(c, now, &slice));
		assert_true(slice.until != DEADLINE_NEVER);
		now = slice.until;
	}
	sched_read_stats(&e[0], now, &stats[0]);
	sched_read_stats(&e[1], now, &stats[1]);
	near((double)(stats[0].run_ticks - (met - 1000)), (double)stats[1].run_ticks, 13 * SIM_MS);

	/* Alone again; a cap is an end. */
	assert_true(sched_remove(&e[1], &kicks) || c->current == &e[1]);
	assert_ptr_equal(sched_pick(c, now, &slice), &e[0]);
	assert_true(slice.until == DEADLINE_NEVER);
	assert_int_equal(sched_group_set(&g[0], 256, 50), 0);
	assert_int_equal(sched_set_pins(&e[0], SCHED_ANY_CPU, &kicks), 0);
	assert_int_equal(kicks, 1);
	(void)sched_pick(c, now + SIM_MS, &slice);
	assert_true(slice.until != DEADLINE_NEVER);
}

/* Alone on two CPUs, until one has to wait: then both have an end of their slice, whomever that is pinned to. */
static void test_alone_on_two(void **state)
{
	static struct sched s;
	struct sched_group g;
	struct sched_entity e[3] = {{0}};
	struct sched_slice slice;

	(void)state;
	assert_int_equal(sched_init(&s, 3, SIM_HZ, NULL), 0);
	assert_int_equal(sched_group_init(&g, 256, SCHED_CAP_NONE), 0);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(sched_add(&s, &e[i], &g, i == 0 ? 1 : 2), 0);
	for (unsigned i = 0; i < 2; i++) {
		assert_null(sched_pick(&s.cpu[i], 1000, &slice));
		assert_true(sched_wake(&e[i], 1000) == BIT64(i));
		assert_ptr_equal(sched_pick(&s.cpu[i], 1000, &slice), &e[i]);
		assert_true(slice.until == DEADLINE_NEVER);
	}
	assert_int_equal(s.open, 3);
	/* It is boosted: who waits is the other one. */
	assert_int_equal(sched_wake(&e[2], SIM_SEC), 2);
	assert_ptr_equal(sched_pick(&s.cpu[1], SIM_SEC + 1000, &slice), &e[2]);
	assert_true(slice.until != DEADLINE_NEVER && slice.kicks == 1 && s.open == 0);
	assert_true(sched_due(&s.cpu[0], SIM_SEC));
	assert_ptr_equal(sched_pick(&s.cpu[0], SIM_SEC + 1000, &slice), &e[0]);
	assert_true(slice.until != DEADLINE_NEVER);
	/* It leaves: the other CPU finds out at its slice's end. */
	sched_block(&s.cpu[1]);
	assert_non_null(sched_pick(&s.cpu[1], SIM_SEC + SIM_MS, &slice));
	assert_true(slice.until == DEADLINE_NEVER);
	assert_non_null(sched_pick(&s.cpu[0], SIM_SEC + 20 * SIM_MS, &slice));
	assert_true(slice.until == DEADLINE_NEVER);
}

/* What may come at any time, by hand: one CPU, one entity. */
static void test_wake_and_block(void **state)
{
	static struct sched s;
	struct sched_group g;
	struct sched_entity e = {0};
	struct sched_slice slice;
	struct sched_stats stats;
	struct sched_cpu *c = &s.cpu[0];
	uint64_t kicks = 99;

	(void)state;
	assert_int_equal(sched_init(&s, 0, SIM_HZ, NULL), ERR_INVAL);
	assert_int_equal(sched_init(&s, 1, 999999, NULL), ERR_INVAL);
	assert_int_equal(sched_init(&s, 1, 1000000, NULL), 0);
	assert_int_equal(sched_init(&s, 1, SIM_HZ, NULL), 0);
	assert_int_equal(sched_set_slice(&s, NS_PER_MS - 1), ERR_RANGE);
	assert_int_equal(sched_set_slice(&s, 100 * NS_PER_MS + 1), ERR_RANGE);
	assert_int_equal(sched_group_init(&g, 256, SCHED_CAP_NONE), 0);

	/* Never added, and off. */
	assert_true(sched_wake(&e, 5) == 0 && sched_remove(&e, &kicks) && kicks == 0);
	assert_int_equal(sched_set_pins(&e, 1, &kicks), 0);
	sched_read_stats(&e, 5, &stats);
	assert_true(stats.state == SCHED_OFF && sched_is_off(&e));
	assert_int_equal(sched_add(&s, &e, &g, 2), ERR_RANGE);
	assert_int_equal(sched_add(&s, &e, &g, 3), 0);
	assert_true(sched_remove(&e, &kicks) && sched_remove(&e, &kicks) && kicks == 0);
	assert_true(sched_wake(&e, 5) == 0 && sched_is_off(&e));

	/* Idle, until it wakes; twice is once. */
	assert_int_equal(sched_add(&s, &e, &g, SCHED_ANY_CPU), 0);
	assert_null(sched_pick(c, 1000, &slice));
	assert_true(slice.until == DEADLINE_NEVER && slice.kicks == 0 && !sched_due(c, UINT64_MAX - 1));
	assert_true(sched_wake(&e, 2000) == 1 && sched_wake(&e, 2000) == 0 && sched_due(c, 0));
	assert_ptr_equal(sched_pick(c, 3000, &slice), &e);
	assert_true(slice.until == DEADLINE_NEVER && !sched_due(c, SIM_SEC));

	/* A wake-up while it runs is not lost, and counts once. */
	assert_int_equal(sched_wake(&e, 4000), 0);
	sched_block(c);
	assert_ptr_equal(sched_pick(c, 5000, &slice), &e);
	sched_block(c);
	assert_true(sched_put(c, 6000) == 0 && e.state == SCHED_BLOCKED);
	/* One between put and pick has the CPU look again, which it does anyway. */
	(void)sched_wake(&e, 7000);
	assert_ptr_equal(sched_pick(c, 8000, &slice), &e);
	/* One between block and pick finds it running still, and counts too. */
	sched_block(c);
	assert_int_equal(sched_wake(&e, 8100), 0);
	assert_ptr_equal(sched_pick(c, 8200, &slice), &e);
	sched_block(c);
	assert_null(sched_pick(c, 8300, &slice));
	assert_int_equal(e.state, SCHED_BLOCKED);
	(void)sched_wake(&e, 8400);
	assert_ptr_equal(sched_pick(c, 8500, &slice), &e);

	/* Removed while it runs: off when the CPU lets go of it, also by blocking. */
	assert_false(sched_remove(&e, &kicks));
	assert_true(kicks == 1 && sched_due(c, 0) && !sched_is_off(&e));
	(void)sched_wake(&e, 9000);
	sched_block(c);
	assert_true(sched_put(c, 10000) == 0 && sched_is_off(&e));
	assert_null(sched_pick(c, 11000, &slice));
	assert_int_equal(sched_add(&s, &e, &g, SCHED_ANY_CPU), 0);
	assert_true(sched_wake(&e, 12000) == 1);
	assert_ptr_equal(sched_pick(c, 13000, &slice), &e);
	assert_false(sched_remove(&e, &kicks));
	assert_null(sched_pick(c, 14000, &slice));
	assert_true(sched_is_off(&e) && g.active == 0);
}

/* It gives way to the others in turn, and to whom it names first. */
static void test_yield(void **state)
{
	static struct sched s;
	struct sched_group g[3];
	struct sched_entity e[3] = {0}, off = {0};
	struct sched_slice slice;
	struct sched_cpu *c = &s.cpu[0];
	uint64_t now = 0;

	(void)state;
	assert_int_equal(sched_init(&s, 1, SIM_HZ, NULL), 0);
	for (unsigned i = 0; i < 3; i++) {
		assert_int_equal(sched_group_init(&g[i], 256, SCHED_CAP_NONE), 0);
		assert_int_equal(sched_add(&s, &e[i], &g[i], 1), 0);
		(void)sched_wake(&e[i], 1000);
	}
	do {
		now += 10 * SIM_MS;
	} while (sched_pick(c, now, &slice) != &e[0] || now < SIM_SEC);
	sched_yield_to(c, &e[2]);
	assert_ptr_equal(sched_pick(c, now += SIM_MS, &slice), &e[2]);
	sched_yield_to(c, NULL);
	assert_ptr_equal(sched_pick(c, now += SIM_MS, &slice), &e[1]);
	sched_yield_to(c, &off);
	assert_ptr_equal(sched_pick(c, now += SIM_MS, &slice), &e[0]);
	sched_yield_to(c, &e[0]);
	assert_true(sched_pick(c, now += SIM_MS, &slice) != &e[0]);
}

/* What one round of pick, block and wake costs with so many entities on one CPU, in ns: the best of some tries. */
static double cost_with(unsigned n)
{
	static struct sched s;
	static struct sched_entity e[256];
	struct sched_group g;
	struct sched_slice slice;
	uint64_t now = SIM_SEC;
	double best = 1e9;

	memset(e, 0, sizeof(e));
	assert_int_equal(sched_init(&s, 1, SIM_HZ, NULL), 0);
	assert_int_equal(sched_group_init(&g, 256, SCHED_CAP_NONE), 0);
	for (unsigned i = 0; i < n; i++) {
		assert_int_equal(sched_add(&s, &e[i], &g, 1), 0);
		(void)sched_wake(&e[i], now);
	}
	for (unsigned try = 0; try < 20; try++) {
		clock_t start = clock();

		for (unsigned i = 0; i < 2000; i++) {
			struct sched_entity *ran = sched_pick(&s.cpu[0], now += SIM_MS, &slice);

			if (i % 2 != 0)
				continue;
			sched_block(&s.cpu[0]);
			assert_int_equal(sched_put(&s.cpu[0], now += SIM_US), 0);
			(void)sched_wake(ran, now);
		}
		best = fmin(best, (double)(clock() - start) * 1e9 / CLOCKS_PER_SEC / 2000);
	}
	return best;
}

static void test_cost(void **state)
{
	double one = cost_with(1), most = 0;

	(void)state;
	printf("pick and half a block and wake, ns: %.0f", one);
	for (unsigned n = 4; n <= 256; n *= 4) {
		double cost = cost_with(n);

		printf(", %.0f with %u", cost, n);
		most = fmax(most, cost);
	}
	printf("\n");
	assert_true(most < 6 * one);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_charge),      cmocka_unit_test(test_wake_and_block),
		cmocka_unit_test(test_alone),       cmocka_unit_test(test_alone_on_two),
		cmocka_unit_test(test_yield),       cmocka_unit_test(test_stats),
		cmocka_unit_test(test_weight_live), cmocka_unit_test(test_cap_live),
		cmocka_unit_test(test_pins_live),   cmocka_unit_test(test_latency),
		cmocka_unit_test(test_migrations),  cmocka_unit_test(test_add_remove),
		cmocka_unit_test(test_cost),        cmocka_unit_test(test_shares),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
