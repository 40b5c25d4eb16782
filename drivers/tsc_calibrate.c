/* Measuring the TSC: adjoining windows of a reference clock, 24 ms altogether, whatever the clock. The arithmetic is in
 * tsc_rate.c. */
#include "drivers/tsc_calibrate.h"
#include "drivers/hpet.h"
#include "drivers/pit8254.h"
#include "drivers/pm_timer.h"
#include "kernel/lib/muldiv.h"

#define WINDOWS 6u
#define WINDOW_US 4000u

/* Readings at each end of a window, of which the quickest counts. */
#define TRIES 4u

/* Readings without any progress after which the clock is taken to stand. */
#define PATIENCE_READS 1000000u

struct reading {
	uint64_t ref;
	uint64_t tsc; /* in the middle of reading ref */
};

/* Both clocks at one moment, as nearly as it goes: interrupted readings take longer and lose. */
static struct reading read_both(const struct hw_io *hw, const struct ref_clock *clock)
{
	struct reading best = {0, 0};
	uint64_t best_width = UINT64_MAX;

	for (unsigned i = 0; i < TRIES; i++) {
		uint64_t before = hw_rdtsc(hw);
		uint64_t ref = clock->read(clock->ctx);
		uint64_t width = hw_rdtsc(hw) - before;

		if (width >= best_width)
			continue;
		best_width = width;
		best = (struct reading){.ref = ref, .tsc = before + width / 2};
	}
	return best;
}

/* Wait until ticks have passed since from. */
static int wait_ticks(const struct ref_clock *clock, uint64_t from, uint64_t ticks)
{
	uint64_t passed = 0;

	for (unsigned still = 0; still < PATIENCE_READS; still++) {
		uint64_t now = ref_clock_ticks(clock, from, clock->read(clock->ctx));

		if (now >= ticks)
			return 0;
		if (now != passed)
			still = 0;
		passed = now;
	}
	return ERR_TIMEOUT;
}

/* Measure the TSC against a clock. Takes 24 ms.
 * Returns 0; ERR_TIMEOUT (the clock stands), ERR_FAULT (the TSC does).  Context: interrupts off. */
int tsc_measure(const struct hw_io *hw, const struct ref_clock *clock, uint64_t *hz)
{
	uint64_t ticks = muldiv_u64(WINDOW_US, clock->hz_num, clock->hz_den * 1000000);
	struct tsc_window w[WINDOWS];
	struct reading start = read_both(hw, clock);

	for (unsigned i = 0; i < WINDOWS; i++) {
		struct reading end;
		int err = wait_ticks(clock, start.ref, ticks);

		if (err != 0)
			return err;
		end = read_both(hw, clock);
		w[i].ref_ticks = ref_clock_ticks(clock, start.ref, end.ref);
		w[i].tsc_ticks = end.tsc - start.tsc;
		start = end;
	}
	*hz = tsc_windows_hz(w, WINDOWS, clock);
	return *hz != 0 ? 0 : ERR_FAULT;
}

static int measure_hpet(const struct hw_io *hw, const struct tsc_sources *s, struct tsc_result *r)
{
	struct hpet hpet;
	int err = s->hpet_base != 0 ? hpet_init(&hpet, hw, s->hpet_base) : ERR_NOENT;

	if (err != 0)
		return err;
	r->source = hpet.clock.name;
	return tsc_measure(hw, &hpet.clock, &r->measured_hz);
}

static int measure_pm_timer(const struct hw_io *hw, const struct tsc_sources *s, struct tsc_result *r)
{
	struct pm_timer timer;
	int err = s->pm_timer != 0 ? pm_timer_init(&timer, hw, s->pm_timer) : ERR_NOENT;

	if (err != 0)
		return err;
	r->source = timer.clock.name;
	return tsc_measure(hw, &timer.clock, &r->measured_hz);
}

static int measure_pit(const struct hw_io *hw, struct tsc_result *r)
{
	struct pit_counter pit;
	int err = pit_counter_start(&pit, hw);

	if (err != 0)
		return err;
	r->source = pit.clock.name;
	err = tsc_measure(hw, &pit.clock, &r->measured_hz);
	pit_counter_stop(&pit);
	return err;
}

/* Find the TSC's frequency with the best clock there is, and compare it with CPUID. Takes about 25 ms.
 * Returns 0; ERR_NOENT or ERR_TIMEOUT (no clock works).  Context: interrupts off, one CPU. */
int tsc_calibrate(const struct hw_io *hw, const struct tsc_sources *sources, struct tsc_result *out)
{
	struct tsc_result r = {0};
	int err = measure_hpet(hw, sources, &r);

	if (err != 0)
		err = measure_pm_timer(hw, sources, &r);
	if (err != 0)
		err = measure_pit(hw, &r);
	if (err != 0)
		return err;
	tsc_compare(&r, sources->cpuid_15, sources->cpuid_16);
	*out = r;
	return 0;
}
