/* How CPUs get on with each other: interrupts to and fro, a lock that all want, a barrier, the TSC, each one's timer, and how
 * long it takes until the one has the real CPU on which the other halts. */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define PINGS 200u
#define LOCK_TURNS 100u
#define BARRIERS 20u
#define TSC_TURNS 100u
#define TIMER_TICKS 10u
#define SWITCHES 20u
#define SWITCH_GAP 200u /* ticks: so long no turn of the watch takes by itself */
#define SWITCH_PAUSE_MS 2u

static volatile uint32_t pings;
static uint32_t pinger_id, ponger_id;
static volatile bool ping_over;

/* Who was called calls back. */
static void on_ping(struct trap_frame *f)
{
	(void)f;
	pings++;
	apic_eoi();
	if (smp_self() != 0)
		apic_icr(pinger_id, LAPIC_ICR_ASSERT | SMP_VECTOR_PING);
}

static void answer_halted(void)
{
	while (!ping_over)
		irq_wait();
}

static void answer_spinning(void)
{
	irq_on();
	while (!ping_over)
		cpu_relax();
	irq_off();
}

static uint64_t ping(void (*answer)(void), bool halt)
{
	uint32_t rounds = guest_number("rounds", PINGS);
	uint64_t begin;

	pings = 0;
	ping_over = false;
	smp_give(1, answer);
	smp_pause(10000);
	begin = rdtsc();
	for (uint32_t i = 0; i < rounds; i++) {
		apic_icr(ponger_id, LAPIC_ICR_ASSERT | SMP_VECTOR_PING);
		while (halt && pings < 2 * i + 2)
			irq_wait();
		irq_on();
		if (!halt && !smp_reaches(&pings, 2 * i + 2)) {
			smp_check(false, "no answer", i, pings);
			break;
		}
		irq_off();
	}
	begin = divide(rdtsc() - begin, rounds);
	ping_over = true;
	apic_icr(ponger_id, LAPIC_ICR_ASSERT | SMP_VECTOR_WAKE);
	smp_wait(1);
	smp_check(pings == 2 * rounds, "pings are missing", pings, 2 * rounds);
	return begin;
}

void item_ping(void)
{
	if (smp_count < 2)
		return;
	trap_set(SMP_VECTOR_PING, on_ping);
	pinger_id = smp_cpus[0].apic_id;
	ponger_id = smp_cpus[1].apic_id;
	smp_figure("ping-spinning", ping(answer_spinning, false));
	smp_figure("ping-halted", ping(answer_halted, true));
}

static struct smp_lock shared_lock;
static volatile uint32_t locked_sum, locked_parts[4], atomic_sum;

static void lock_turns(void)
{
	uint32_t turns = guest_number("rounds", LOCK_TURNS);

	for (uint32_t i = 0; i < turns; i++) {
		smp_lock(&shared_lock);
		locked_parts[i & 3]++;
		locked_sum = locked_parts[0] + locked_parts[1] + locked_parts[2] + locked_parts[3];
		smp_unlock(&shared_lock);
		fetch_add(&atomic_sum, 3);
	}
}

void item_lock(void)
{
	uint32_t turns = guest_number("rounds", LOCK_TURNS), sum = smp_count * turns;
	uint64_t begin = rdtsc();

	locked_sum = 0;
	atomic_sum = 0;
	for (unsigned i = 0; i < 4; i++)
		locked_parts[i] = 0;
	smp_on_all(lock_turns);
	smp_check(locked_sum == sum, "the lock let two in", locked_sum, sum);
	smp_check(atomic_sum == 3 * sum, "a locked addition was lost", atomic_sum, 3 * sum);
	smp_figure("lock", divide(rdtsc() - begin, sum));
}

static volatile uint32_t arrived, barrier_rounds;

/* All have to be in a round before one goes to the next: whoever spins here wants another one to run. */
static void barrier_turns(void)
{
	for (uint32_t i = 1; i <= barrier_rounds; i++) {
		fetch_add(&arrived, 1);
		while (arrived < i * smp_count)
			cpu_relax();
		smp_check(arrived <= (i + 1) * smp_count, "a CPU ran ahead", arrived, i);
	}
}

void item_barrier(void)
{
	uint64_t begin;

	barrier_rounds = guest_number("rounds", BARRIERS);
	arrived = 0;
	begin = rdtsc();
	smp_on_all(barrier_turns);
	smp_check(arrived == barrier_rounds * smp_count, "arrivals are missing", arrived, barrier_rounds);
	smp_figure("barrier", divide(rdtsc() - begin, barrier_rounds));
}

static uint64_t last_tsc;

/* Read under one lock, times only grow, whoever reads them. LFENCE: not before the lock is ours. */
static void tsc_turns(void)
{
	uint32_t turns = guest_number("rounds", TSC_TURNS);

	for (uint32_t i = 0; i < turns; i++) {
		uint64_t now;

		smp_lock(&shared_lock);
		__asm__ volatile("lfence" : : : "memory");
		now = rdtsc();
		smp_check(now >= last_tsc, "the TSC went back by (low, high)", (uint32_t)(last_tsc - now),
			  (uint32_t)((last_tsc - now) >> 32));
		last_tsc = now;
		smp_unlock(&shared_lock);
	}
}

void item_tsc(void)
{
	last_tsc = 0;
	smp_on_all(tsc_turns);
}

static void on_timer(struct trap_frame *f)
{
	(void)f;
	smp_cpus[smp_self()].ticks++;
	apic_eoi();
}

static uint32_t timer_counts;

/* Counts of this CPU's timer in a tenth of a second, then ten ticks of a period of that length, divided by its number. None
 * may come before its time. */
static void timer_turns(void)
{
	unsigned self = smp_self();
	uint32_t period = timer_counts / (self + 1), before = smp_cpus[self].ticks;
	uint64_t begin = rdtsc(), least = divide(smp_tsc_hz, 10) * TIMER_TICKS;

	irq_on();
	apic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	apic_write(LAPIC_LVT_TIMER, LAPIC_LVT_TIMER_PERIODIC | SMP_VECTOR_TIMER);
	apic_write(LAPIC_TIMER_INITIAL, period);
	smp_check(smp_reaches(&smp_cpus[self].ticks, before + TIMER_TICKS), "the timer does not tick", self,
		  smp_cpus[self].ticks - before);
	begin = (rdtsc() - begin) * (self + 1);
	apic_write(LAPIC_TIMER_INITIAL, 0);
	irq_off();
	/* 2 %: how well the rates were measured. */
	smp_check(begin >= least - divide(least, 50), "ticks came too early", (uint32_t)begin, (uint32_t)least);
}

static void measure_timer(void)
{
	uint64_t begin;

	apic_write(LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	apic_write(LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | SMP_VECTOR_TIMER);
	begin = rdtsc();
	apic_write(LAPIC_TIMER_INITIAL, 0xffffffff);
	while (rdtsc() - begin < divide(smp_tsc_hz, 10))
		cpu_relax();
	timer_counts = 0xffffffffu - apic_read(LAPIC_TIMER_CURRENT);
	apic_write(LAPIC_TIMER_INITIAL, 0);
}

void item_timer(void)
{
	trap_set(SMP_VECTOR_TIMER, on_timer);
	measure_timer();
	smp_on_all(timer_turns);
}

static volatile uint64_t halted_at;
static volatile uint32_t switch_best;
static volatile bool watch_over, watch_computes;

static void use_fpu(void)
{
	__asm__ volatile("fninit; fld1; fstp %%st(0)" : : : "memory");
}

/* Whoever finds that time has passed without it goes on where the other one has halted. */
static void watch(void)
{
	uint64_t last = rdtsc(), now;

	while (!watch_over) {
		if (watch_computes)
			use_fpu();
		now = rdtsc();
		if (now - last > SWITCH_GAP && halted_at != 0) {
			uint32_t late = (uint32_t)(now - halted_at);

			switch_best = late < switch_best ? late : switch_best;
			halted_at = 0;
		}
		last = now;
	}
}

static void on_switch(struct trap_frame *f)
{
	(void)f;
	apic_eoi();
}

static void measure_switch(const char *name, bool computes)
{
	uint32_t counts = timer_counts / (100 / SWITCH_PAUSE_MS);

	switch_best = ~0u;
	watch_over = false;
	watch_computes = computes;
	halted_at = 0;
	smp_give(1, watch);
	for (uint32_t i = 0; i < SWITCHES; i++) {
		apic_write(LAPIC_TIMER_INITIAL, counts);
		if (computes)
			use_fpu();
		halted_at = rdtsc();
		irq_wait();
	}
	watch_over = true;
	smp_wait(1);
	if (switch_best != ~0u)
		smp_figure(name, switch_best);
}

/* With a CPU for each there is no switch, and no figure. */
void item_switch(void)
{
	if (smp_count < 2)
		return;
	trap_set(SMP_VECTOR_TIMER, on_switch);
	measure_timer();
	apic_write(LAPIC_LVT_TIMER, SMP_VECTOR_TIMER);
	measure_switch("switch", false);
	measure_switch("switch-computing", true);
}
