/* The battery-backed clock: what time it is. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/regs/mc146818.h"
#include "kernel/lib/errors.h"

struct rtc_time {
	uint16_t year; /* with the century */
	uint8_t month; /* 1 to 12 */
	uint8_t day;   /* 1 to 31 */
	uint8_t hour;  /* 0 to 23 */
	uint8_t minute;
	uint8_t second;
};

int rtc_read(const struct hw_io *hw, uint8_t century_index, struct rtc_time *out) MUST_CHECK;
int64_t rtc_seconds(const struct rtc_time *t);
