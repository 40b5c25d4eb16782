/* Reading the MC146818. Follows Motorola's MC146818A data sheet "Update Cycle" and "Time, Calendar, and Alarm Locations".
 * Which time zone the clock runs in, only its owner knows. */
#include "drivers/rtc.h"

/* Reads of register A. An update takes 2 ms at most, and a read about 1 us; the bound is for a clock that is not there. */
#define UIP_READS 100000u

/* A second may pass between two snapshots, but not twice in a row. */
#define SNAPSHOTS 4u

struct snapshot {
	uint8_t second, minute, hour, day, month, year, century;
};

static uint8_t cmos_read(const struct hw_io *hw, unsigned index)
{
	hw_out8(hw, RTC_PORT_INDEX, index);
	return hw_in8(hw, RTC_PORT_DATA);
}

/* Once UIP is seen clear, 244 us are left until the next update: enough for a snapshot, unless something interrupts it. */
static int wait_no_update(const struct hw_io *hw)
{
	for (unsigned i = 0; i < UIP_READS; i++) {
		if (!(cmos_read(hw, RTC_REG_A) & RTC_A_UIP))
			return 0;
	}
	return ERR_TIMEOUT;
}

static struct snapshot take(const struct hw_io *hw, uint8_t century_index)
{
	return (struct snapshot){
		.second = cmos_read(hw, RTC_SECONDS),
		.minute = cmos_read(hw, RTC_MINUTES),
		.hour = cmos_read(hw, RTC_HOURS),
		.day = cmos_read(hw, RTC_DAY_OF_MONTH),
		.month = cmos_read(hw, RTC_MONTH),
		.year = cmos_read(hw, RTC_YEAR),
		.century = century_index != 0 ? cmos_read(hw, century_index) : 0,
	};
}

static bool same(const struct snapshot *a, const struct snapshot *b)
{
	return a->second == b->second && a->minute == b->minute && a->hour == b->hour && a->day == b->day &&
	       a->month == b->month && a->year == b->year && a->century == b->century;
}

static uint8_t number(uint8_t value, uint8_t reg_b)
{
	return reg_b & RTC_B_DM_BINARY ? value : (uint8_t)((value >> 4) * 10 + (value & 0xf));
}

static uint8_t hour_of(uint8_t value, uint8_t reg_b)
{
	uint8_t hour;

	if (reg_b & RTC_B_24H)
		return number(value, reg_b);
	hour = number(value & 0x7f, reg_b) % 12;
	return value & RTC_HOURS_PM ? (uint8_t)(hour + 12) : hour;
}

/* A century byte that is plainly none (some machines use the place for something else) gives way to a guess. */
static uint16_t year_of(const struct snapshot *s, uint8_t reg_b)
{
	unsigned century = number(s->century, reg_b), year = number(s->year, reg_b);

	if (century < 19 || century > 29)
		century = year < 80 ? 20 : 19;
	return (uint16_t)(century * 100 + year);
}

static bool plausible(const struct rtc_time *t)
{
	return t->month >= 1 && t->month <= 12 && t->day >= 1 && t->day <= 31 && t->hour < 24 && t->minute < 60 &&
	       t->second < 60;
}

/* Read the date and time.
 * century_index: where the century is kept, from the FADT, or RTC_CENTURY; 0: nowhere.
 * Returns 0; ERR_TIMEOUT (it is always updating, or not there), ERR_FORMAT (no date).  Context: nobody else uses the two
 * ports meanwhile; NMI is left enabled. */
int rtc_read(const struct hw_io *hw, uint8_t century_index, struct rtc_time *out)
{
	struct snapshot last = {0}, now = {0};
	struct rtc_time t;
	uint8_t reg_b;

	for (unsigned i = 0; i < SNAPSHOTS; i++) {
		if (wait_no_update(hw) != 0)
			return ERR_TIMEOUT;
		last = now;
		now = take(hw, century_index);
		if (i > 0 && same(&now, &last))
			break;
	}
	if (!same(&now, &last))
		return ERR_TIMEOUT;
	reg_b = cmos_read(hw, RTC_REG_B);
	t = (struct rtc_time){
		.year = year_of(&now, reg_b),
		.month = number(now.month, reg_b),
		.day = number(now.day, reg_b),
		.hour = hour_of(now.hour, reg_b),
		.minute = number(now.minute, reg_b),
		.second = number(now.second, reg_b),
	};
	if (!plausible(&t))
		return ERR_FORMAT;
	*out = t;
	return 0;
}

/* Seconds since 1970-01-01 00:00:00 of the clock's zone, in the Gregorian calendar. Years are counted from March, so that the
 * leap day comes last and months have a regular pattern: 153 days in five of them. */
int64_t rtc_seconds(const struct rtc_time *t)
{
	int64_t year = t->month > 2 ? t->year : t->year - 1;
	int64_t month = t->month > 2 ? t->month - 3 : t->month + 9;
	int64_t days = year * 365 + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 + t->day - 1;

	days -= 719468; /* 1970-01-01, counted the same way */
	return ((days * 24 + t->hour) * 60 + t->minute) * 60 + t->second;
}
