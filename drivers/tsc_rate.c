/* The arithmetic of TSC calibration: readings to a frequency, and CPUID's claims. Pure. CPUID follows SDM 2 "CPUID", leaves
 * 15H and 16H. */
#include "drivers/tsc_calibrate.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/format.h"
#include "kernel/lib/muldiv.h"

/* The whole span and the median window may differ by this much before something is taken to have come between. */
#define SPAN_TOLERANCE_PPM 200u

/* A crystal's clock that is told exactly is right to 100 ppm; a nominal one is rounded to MHz, spread spectrum comes on top. */
#define EXACT_TOLERANCE_PPM 1000u
#define NOMINAL_TOLERANCE_PPM 10000u

#define WINDOWS_MAX 16u

static uint64_t distance_ppm(uint64_t a, uint64_t b)
{
	return muldiv_u64(a > b ? a - b : b - a, 1000000, b);
}

/* The frequency that one window shows, in Hz; 0 when no time passed in it. */
uint64_t tsc_window_hz(const struct tsc_window *w, const struct ref_clock *clock)
{
	if (w->ref_ticks == 0)
		return 0;
	return muldiv_u64(w->tsc_ticks, clock->hz_num, w->ref_ticks * clock->hz_den);
}

static void sort(uint64_t *v, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		uint64_t x = v[i];
		size_t at = i;

		for (; at > 0 && v[at - 1] > x; at--)
			v[at] = v[at - 1];
		v[at] = x;
	}
}

/* The frequency that adjoining windows show together, in Hz. The whole span is the most accurate, as the readings at its
 * ends are the only error; but when an SMI or another machine's time slice fell into a reading, the median window knows
 * better.
 * count: 1 to 16. */
uint64_t tsc_windows_hz(const struct tsc_window *w, size_t count, const struct ref_clock *clock)
{
	struct tsc_window span = {0};
	uint64_t hz[WINDOWS_MAX], median, whole;

	assert(count >= 1 && count <= WINDOWS_MAX);
	for (size_t i = 0; i < count; i++) {
		hz[i] = tsc_window_hz(&w[i], clock);
		span.ref_ticks += w[i].ref_ticks;
		span.tsc_ticks += w[i].tsc_ticks;
	}
	sort(hz, count);
	median = hz[count / 2];
	whole = tsc_window_hz(&span, clock);
	if (median == 0 || distance_ppm(whole, median) <= SPAN_TOLERANCE_PPM)
		return whole;
	return median;
}

/* What CPUID says the TSC's frequency is, in Hz; 0 when it does not say.
 * exact: whether it tells the crystal's frequency; else it is the processor's nominal one, in whole MHz. */
uint64_t tsc_cpuid_hz(const uint32_t leaf_15[4], const uint32_t leaf_16[4], bool *exact)
{
	bool has_ratio = leaf_15[0] != 0 && leaf_15[1] != 0;

	*exact = has_ratio && leaf_15[2] != 0;
	if (*exact)
		return (uint64_t)leaf_15[2] * leaf_15[1] / leaf_15[0];
	return (uint64_t)(leaf_16[0] & 0xffff) * 1000000;
}

/* Hold the measurement in r against CPUID and fill in the rest. Where CPUID is exact and the measurement confirms it, its
 * value is used, being better by the measurement's error. */
void tsc_compare(struct tsc_result *r, const uint32_t leaf_15[4], const uint32_t leaf_16[4])
{
	bool exact;

	r->hz = r->measured_hz;
	r->cpuid_hz = tsc_cpuid_hz(leaf_15, leaf_16, &exact);
	if (r->cpuid_hz == 0) {
		r->verdict = TSC_CPUID_SILENT;
		return;
	}
	if (distance_ppm(r->measured_hz, r->cpuid_hz) > (exact ? EXACT_TOLERANCE_PPM : NOMINAL_TOLERANCE_PPM)) {
		r->verdict = TSC_CPUID_LIES;
		return;
	}
	r->verdict = TSC_CPUID_AGREES;
	if (exact)
		r->hz = r->cpuid_hz;
}

/* Whole kHz, rounded. */
static uint64_t khz(uint64_t hz)
{
	return (hz + 500) / 1000;
}

/* The result as one sentence for the log, without a newline. Returns buf.
 * TSC_CPUID_LIES makes it a warning. */
const char *tsc_describe(const struct tsc_result *r, char *buf, size_t size_bytes)
{
	size_t len = 0;

	(void)fmt_append(buf, size_bytes, &len, "TSC %lu.%03lu MHz, measured against the %s",
			 khz(r->measured_hz) / 1000, khz(r->measured_hz) % 1000, r->source);
	if (r->verdict == TSC_CPUID_SILENT)
		return buf;
	(void)fmt_append(buf, size_bytes, &len, "; CPUID says %lu.%03lu MHz", khz(r->cpuid_hz) / 1000,
			 khz(r->cpuid_hz) % 1000);
	if (r->verdict == TSC_CPUID_LIES)
		(void)fmt_append(buf, size_bytes, &len, ", which is wrong: the measurement counts");
	return buf;
}
