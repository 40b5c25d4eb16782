/* Sizes and times as people read them: one number with at most one decimal and a unit, or two whole units for long times.
 * And sets of CPUs. */
#include "kernel/lib/bits.h"
#include "kernel/lib/format.h"

/* value / unit with one decimal, rounded to nearest; without a decimal when it would be 0. */
static const char *quantity(char *buf, uint64_t value, uint64_t unit, const char *name)
{
	uint64_t whole = value / unit;
	uint64_t tenths = (value % unit * 10 + unit / 2) / unit;

	whole += tenths / 10;
	tenths %= 10;
	if (tenths == 0)
		fmt_snprintf(buf, FMT_QUANTITY_BYTES, "%llu %s", (unsigned long long)whole, name);
	else
		fmt_snprintf(buf, FMT_QUANTITY_BYTES, "%llu.%llu %s", (unsigned long long)whole,
			     (unsigned long long)tenths, name);
	return buf;
}

/* A size in the biggest binary unit it fills, with at most one decimal.
 * Returns buf.  Context: any. */
const char *fmt_size(char buf[FMT_QUANTITY_BYTES], uint64_t bytes)
{
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	unsigned i = 0;
	uint64_t unit = 1;

	while (i + 1 < ARRAY_LEN(names) && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	return quantity(buf, bytes, unit, names[i]);
}

/* Two units, the second left out when it is 0: "2 min 5 s", "3 h". */
static const char *two_units(char *buf, uint64_t big, const char *big_name, uint64_t small, const char *small_name)
{
	if (small == 0)
		fmt_snprintf(buf, FMT_QUANTITY_BYTES, "%llu %s", (unsigned long long)big, big_name);
	else
		fmt_snprintf(buf, FMT_QUANTITY_BYTES, "%llu %s %llu %s", (unsigned long long)big, big_name,
			     (unsigned long long)small, small_name);
	return buf;
}

/* A span of time in the unit it fills, from "5 ns" to "213503 d".
 * Returns buf.  Context: any. */
const char *fmt_duration(char buf[FMT_QUANTITY_BYTES], uint64_t ns)
{
	const uint64_t second_ns = 1000000000;
	uint64_t seconds = ns / second_ns;

	if (ns < 1000)
		return quantity(buf, ns, 1, "ns");
	if (ns < 1000000)
		return quantity(buf, ns, 1000, "us");
	if (ns < second_ns)
		return quantity(buf, ns, 1000000, "ms");
	if (seconds < 60)
		return quantity(buf, ns, second_ns, "s");
	if (seconds < 3600)
		return two_units(buf, seconds / 60, "min", seconds % 60, "s");
	if (seconds < 24 * 3600)
		return two_units(buf, seconds / 3600, "h", seconds / 60 % 60, "min");
	return two_units(buf, seconds / 86400, "d", seconds / 3600 % 24, "h");
}

static void append_ranges(char *buf, size_t *len, uint64_t cpus)
{
	while (cpus != 0) {
		unsigned first = bits_ffs(cpus), last = first;

		while (last < 63 && bits_test(cpus, last + 1))
			last++;
		cpus &= ~bits_mask(last, first);
		(void)fmt_append(buf, FMT_CPU_LIST_BYTES, len, "%s%u", *len == 0 ? "" : ",", first);
		if (last != first)
			(void)fmt_append(buf, FMT_CPU_LIST_BYTES, len, "-%u", last);
	}
}

/* A bit for each CPU as a list of CPUs and ranges.
 * Returns buf.  Context: any. */
const char *fmt_cpu_list(char buf[FMT_CPU_LIST_BYTES], uint64_t cpus)
{
	size_t len = 0;

	if (cpus == 0 || cpus == UINT64_MAX)
		(void)fmt_append(buf, FMT_CPU_LIST_BYTES, &len, "%s", cpus == 0 ? "none" : "all");
	else
		append_ranges(buf, &len, cpus);
	return buf;
}
