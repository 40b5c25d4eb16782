/* The proleptic Gregorian calendar by arithmetic on years that begin in March, so that the leap day is the last one. */
#include "vmm/devices/calendar.h"

#define DAYS_PER_400_YEARS 146097
#define DAYS_TO_1970 719468 /* from March 1st of the year 0 */

/* a / b and a modulo b with a remainder that is never negative; b > 0. */
static int64_t div_floor(int64_t a, int64_t b)
{
	return a / b - (a % b < 0 ? 1 : 0);
}

/* Days from March 1st to the first of a month; month 0 is March. The pattern 31 30 31 30 31 repeats. */
static int64_t days_before_month(int64_t month)
{
	return (153 * month + 2) / 5;
}

/* Days from March 1st of the year 0 to March 1st of `year`. */
static int64_t days_before_year(int64_t year)
{
	return year * 365 + div_floor(year, 4) - div_floor(year, 100) + div_floor(year, 400);
}

/* The date and time of day of a second. seconds: since 1970-01-01 00:00:00, also negative, within a million years. */
void calendar_from_seconds(int64_t seconds, struct calendar *out)
{
	int64_t days = div_floor(seconds, SECONDS_PER_DAY);
	int64_t second = seconds - days * SECONDS_PER_DAY;
	int64_t weekday = days + 4 - div_floor(days + 4, 7) * 7; /* 1970 began on a Thursday */
	int64_t year, month;

	days += DAYS_TO_1970;
	year = div_floor(days * 400, DAYS_PER_400_YEARS);
	/* The guess is right or one too high or low, by where the leap days fall. */
	while (days_before_year(year + 1) <= days)
		year++;
	while (days_before_year(year) > days)
		year--;
	days -= days_before_year(year);
	month = (5 * days + 2) / 153;
	out->day = (uint8_t)(days - days_before_month(month) + 1);
	out->month = (uint8_t)(month < 10 ? month + 3 : month - 9);
	out->year = (int32_t)(out->month <= 2 ? year + 1 : year);
	out->hour = (uint8_t)(second / 3600);
	out->minute = (uint8_t)(second / 60 % 60);
	out->second = (uint8_t)(second % 60);
	out->weekday = (uint8_t)weekday;
}

/* The second of a date. Fields that are too large count on: the 32nd of January is the 1st of February. */
int64_t calendar_to_seconds(const struct calendar *c)
{
	int64_t months = (int64_t)c->year * 12 + c->month - 3; /* since March of the year 0 */
	int64_t year = div_floor(months, 12);
	int64_t days = days_before_year(year) + days_before_month(months - year * 12) + c->day - 1 - DAYS_TO_1970;

	return ((days * 24 + c->hour) * 60 + c->minute) * 60 + c->second;
}
