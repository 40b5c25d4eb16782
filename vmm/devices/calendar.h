/* Seconds since 1970 as a date of the Gregorian calendar and back, without leap seconds: what a clock chip shows. */
#pragma once

#include "kernel/lib/compiler.h"

#define SECONDS_PER_DAY 86400

struct calendar {
	int32_t year;    /* 1970 */
	uint8_t month;   /* 1..12 */
	uint8_t day;     /* 1..31 */
	uint8_t hour;    /* 0..23 */
	uint8_t minute;  /* 0..59 */
	uint8_t second;  /* 0..59 */
	uint8_t weekday; /* 0 = Sunday; not read by calendar_to_seconds() */
};

void calendar_from_seconds(int64_t seconds, struct calendar *out);
int64_t calendar_to_seconds(const struct calendar *c);
