/* Bounds of a skew: see tsc_skew.h. Differences are taken modulo 2^64, so that counters may wrap. */
#include "arch/x86/tsc_skew.h"

void tsc_skew_begin(struct tsc_skew *s)
{
	*s = (struct tsc_skew){INT64_MIN, INT64_MAX};
}

void tsc_skew_add(struct tsc_skew *s, uint64_t t0, uint64_t t1, uint64_t t2)
{
	int64_t low = (int64_t)(t1 - t2), high = (int64_t)(t1 - t0);

	if (low > s->low)
		s->low = low;
	if (high < s->high)
		s->high = high;
}

static uint64_t width(const struct tsc_skew *s)
{
	return (uint64_t)s->high - (uint64_t)s->low;
}

int64_t tsc_skew_value(const struct tsc_skew *s)
{
	if (s->low <= 0 && s->high >= 0)
		return 0;
	return (int64_t)((uint64_t)s->low + (s->low <= s->high ? width(s) / 2 : 0));
}

uint64_t tsc_skew_error(const struct tsc_skew *s)
{
	return s->low <= s->high ? width(s) / 2 : UINT64_MAX;
}
