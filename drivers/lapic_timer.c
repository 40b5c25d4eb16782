/* The local APIC's timer as an alarm at a TSC value: by TSC deadline where the processor has it, else by its counter, whose
 * frequency is measured against the TSC. Follows SDM 3 "APIC Timer". */
#include "drivers/lapic_regs.h"
#include "kernel/lib/muldiv.h"

/* How long the counter is watched. */
#define CALIBRATE_US 5000u
#define CALIBRATE_TRIES 4u

/* Put the timer of this CPU into its mode, not armed. */
void lapic_timer_setup(const struct lapic *l)
{
	uint32_t mode = l->config.tsc_deadline ? LAPIC_LVT_TIMER_TSC_DEADLINE : LAPIC_LVT_TIMER_ONE_SHOT;

	lapic_write(l, LAPIC_TIMER_DIVIDE, LAPIC_DIVIDE_BY_1);
	lapic_write(l, LAPIC_TIMER_INITIAL, 0);
	lapic_write(l, LAPIC_LVT_TIMER, mode | l->config.timer_vector);
	/* The mode must have arrived before the deadline is written: reading back from the same page, or MSR, sees to it
	 * that it has (SDM 3 "TSC-Deadline Mode" asks for a fence). */
	(void)lapic_read(l, LAPIC_LVT_TIMER);
}

struct reading {
	uint32_t count;
	uint64_t tsc; /* in the middle of reading count */
};

/* Both clocks at one moment, as nearly as it goes: readings that something came between take longer and lose. */
static struct reading read_both(const struct lapic *l)
{
	struct reading best = {0, 0};
	uint64_t best_width = UINT64_MAX;

	for (unsigned i = 0; i < CALIBRATE_TRIES; i++) {
		uint64_t before = hw_rdtsc(l->hw);
		uint32_t count = lapic_read(l, LAPIC_TIMER_CURRENT);
		uint64_t width = hw_rdtsc(l->hw) - before;

		if (width >= best_width)
			continue;
		best_width = width;
		best = (struct reading){.count = count, .tsc = before + width / 2};
	}
	return best;
}

static uint64_t watch_counter(const struct lapic *l, uint64_t tsc_ticks)
{
	struct reading start, end;

	lapic_write(l, LAPIC_LVT_TIMER, LAPIC_LVT_MASKED | l->config.timer_vector);
	lapic_write(l, LAPIC_TIMER_INITIAL, UINT32_MAX);
	start = read_both(l);
	while (hw_rdtsc(l->hw) - start.tsc < tsc_ticks)
		hw_relax(l->hw);
	end = read_both(l);
	lapic_write(l, LAPIC_TIMER_INITIAL, 0);
	return muldiv_u64(start.count - end.count, l->tsc_hz, end.tsc - start.tsc);
}

/* Learn how fast the timer counts. Takes 5 ms. Leaves it as lapic_timer_setup() does.
 * tsc_hz: measured, not 0.
 * Returns 0; ERR_FAULT (it does not count: only possible without TSC deadline).  Context: as lapic_cpu_enable(), after it. */
int lapic_timer_calibrate(struct lapic *l, uint64_t tsc_hz)
{
	l->tsc_hz = tsc_hz;
	if (l->config.tsc_deadline)
		return 0; /* counts TSC ticks: nothing to learn */
	l->timer_hz = watch_counter(l, muldiv_u64(tsc_hz, CALIBRATE_US, 1000000));
	lapic_timer_setup(l);
	return l->timer_hz != 0 ? 0 : ERR_FAULT;
}

/* Ticks of the counter until the TSC reaches at_tsc: rounded up, so that it is not early by a fraction; at least one, since
 * 0 would stop it; at most what it holds, and then it is early by much and the caller arms it again. */
static uint32_t counter_until(const struct lapic *l, uint64_t at_tsc)
{
	uint64_t now = hw_rdtsc(l->hw), ticks;

	if (at_tsc <= now)
		return 1;
	ticks = muldiv_u64(at_tsc - now, l->timer_hz, l->tsc_hz);
	return ticks < UINT32_MAX ? (uint32_t)ticks + 1 : UINT32_MAX;
}

/* Raise the timer vector on this CPU when the TSC reaches at_tsc, at once when it has; never for UINT64_MAX. Replaces what
 * was armed before. May come early when at_tsc is many seconds away; whoever waits looks at the clock. */
void lapic_timer_arm(const struct lapic *l, uint64_t at_tsc)
{
	if (at_tsc == UINT64_MAX)
		lapic_timer_stop(l);
	else if (l->config.tsc_deadline)
		hw_wrmsr(l->hw, MSR_IA32_TSC_DEADLINE_INDEX, at_tsc != 0 ? at_tsc : 1); /* 0 would disarm */
	else
		lapic_write(l, LAPIC_TIMER_INITIAL, counter_until(l, at_tsc));
}

/* Disarm. An interrupt that is already pending still comes. */
void lapic_timer_stop(const struct lapic *l)
{
	if (l->config.tsc_deadline)
		hw_wrmsr(l->hw, MSR_IA32_TSC_DEADLINE_INDEX, 0);
	else
		lapic_write(l, LAPIC_TIMER_INITIAL, 0);
}

/* Has its interrupt been raised, and not been taken yet? */
bool lapic_timer_pending(const struct lapic *l)
{
	unsigned vector = l->config.timer_vector;

	return (lapic_read(l, (uint16_t)(LAPIC_IRR + vector / 32 * LAPIC_VECTOR_REG_STRIDE)) >> vector % 32 & 1) != 0;
}
