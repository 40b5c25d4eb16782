/* Reading the real-time clock: every number format, the update in progress, the turn of a second between two reads, a clock
 * that is not there; and dates to seconds against the C library. */
#include "drivers/rtc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct clock {
	uint8_t ram[128];
	uint8_t index;
	unsigned uip_reads;      /* how often UIP still reads as set */
	unsigned tick_at_access; /* the date turns over at this read; 0: never */
	unsigned accesses;
	uint8_t next[7]; /* what second, minute, hour, day, month, year, century turn into */
	bool absent;
	bool restless; /* never the same second twice */
} c;

static const uint8_t place[7] = {RTC_SECONDS, RTC_MINUTES, RTC_HOURS,  RTC_DAY_OF_MONTH,
				 RTC_MONTH,   RTC_YEAR,    RTC_CENTURY};

static void out8(void *ctx, uint16_t port, uint8_t value)
{
	(void)ctx;
	assert_int_equal(port, RTC_PORT_INDEX);
	assert_int_equal(value & RTC_INDEX_NMI_OFF, 0);
	c.index = value;
}

static uint8_t in8(void *ctx, uint16_t port)
{
	(void)ctx;
	assert_int_equal(port, RTC_PORT_DATA);
	if (c.absent)
		return 0xff;
	if (c.index == RTC_REG_A && c.uip_reads > 0) {
		c.uip_reads--;
		return 0x26 | RTC_A_UIP;
	}
	if (++c.accesses == c.tick_at_access) {
		for (unsigned i = 0; i < 7; i++)
			c.ram[place[i]] = c.next[i];
	}
	if (c.restless && c.index == RTC_SECONDS)
		c.ram[RTC_SECONDS] = (uint8_t)((c.ram[RTC_SECONDS] + 1) % 60);
	return c.ram[c.index];
}

static const struct hw_io hw = {.in8 = in8, .out8 = out8};

static void set(uint8_t reg_b, uint8_t second, uint8_t minute, uint8_t hour, uint8_t day, uint8_t month, uint8_t year,
		uint8_t century)
{
	const uint8_t values[7] = {second, minute, hour, day, month, year, century};

	memset(&c, 0, sizeof(c));
	c.ram[RTC_REG_B] = reg_b;
	c.ram[RTC_REG_A] = 0x26;
	for (unsigned i = 0; i < 7; i++)
		c.ram[place[i]] = values[i];
}

static void expect(uint8_t century_index, const char *want)
{
	struct rtc_time t;
	char got[40];
	struct tm tm;

	assert_int_equal(rtc_read(&hw, century_index, &t), 0);
	tm = (struct tm){.tm_year = t.year - 1900,
			 .tm_mon = t.month - 1,
			 .tm_mday = t.day,
			 .tm_hour = t.hour,
			 .tm_min = t.minute,
			 .tm_sec = t.second};
	assert_true(strftime(got, sizeof(got), "%Y-%m-%d %H:%M:%S", &tm) > 0);
	assert_string_equal(got, want);
}

static void test_formats(void **state)
{
	(void)state;
	set(RTC_B_24H, 0x59, 0x30, 0x23, 0x31, 0x12, 0x24, 0x20);
	expect(RTC_CENTURY, "2024-12-31 23:30:59");
	expect(0, "2024-12-31 23:30:59");
	set(RTC_B_24H | RTC_B_DM_BINARY, 59, 30, 23, 31, 12, 99, 19);
	expect(RTC_CENTURY, "1999-12-31 23:30:59");
	expect(0, "1999-12-31 23:30:59");
	set(0, 0, 0, 0x12, 1, 1, 0, 0x20); /* 12 am */
	expect(RTC_CENTURY, "2000-01-01 00:00:00");
	set(0, 0, 0, 0x92, 1, 1, 0, 0x20); /* 12 pm */
	expect(RTC_CENTURY, "2000-01-01 12:00:00");
	set(0, 0, 0, 0x91, 1, 1, 0, 0x20); /* 11 pm */
	expect(RTC_CENTURY, "2000-01-01 23:00:00");
	set(RTC_B_DM_BINARY, 0, 0, 0x80 | 11, 1, 1, 70, 19);
	expect(RTC_CENTURY, "1970-01-01 23:00:00");
	set(RTC_B_24H, 0, 0, 0, 1, 1, 0x38, 0xff); /* the century's place holds something else */
	expect(RTC_CENTURY, "2038-01-01 00:00:00");
}

/* The clock turns over at each possible read of the sequence: either the old or the new date, never a mixture. */
static void test_turns_over(void **state)
{
	static const uint8_t new_year[7] = {0, 0, 0, 1, 1, 0x25, 0x20};
	unsigned old_seen = 0, new_seen = 0;

	(void)state;
	for (unsigned at = 1; at < 30; at++) {
		struct rtc_time t;

		set(RTC_B_24H, 0x59, 0x59, 0x23, 0x31, 0x12, 0x24, 0x20);
		c.uip_reads = at % 3;
		c.tick_at_access = at;
		memcpy(c.next, new_year, 7);
		assert_int_equal(rtc_read(&hw, RTC_CENTURY, &t), 0);
		if (t.year == 2024 && t.month == 12 && t.day == 31 && t.hour == 23 && t.minute == 59 && t.second == 59)
			old_seen++;
		else if (t.year == 2025 && t.month == 1 && t.day == 1 && t.hour == 0 && t.minute == 0 && t.second == 0)
			new_seen++;
		else
			fail_msg("a mixture when it turns at read %u", at);
	}
	assert_true(old_seen > 0 && new_seen > 0);
}

static void test_broken(void **state)
{
	struct rtc_time t;

	(void)state;
	set(RTC_B_24H, 0, 0, 0, 1, 1, 0, 0x20);
	c.absent = true; /* UIP for ever */
	assert_int_equal(rtc_read(&hw, RTC_CENTURY, &t), ERR_TIMEOUT);
	set(RTC_B_24H, 0, 0, 0, 1, 1, 0, 0x20);
	c.restless = true;
	assert_int_equal(rtc_read(&hw, RTC_CENTURY, &t), ERR_TIMEOUT);
	set(RTC_B_24H, 0x61, 0, 0, 1, 1, 0, 0x20);
	assert_int_equal(rtc_read(&hw, RTC_CENTURY, &t), ERR_FORMAT);
	set(RTC_B_24H, 0, 0, 0, 0, 1, 0, 0x20);
	assert_int_equal(rtc_read(&hw, RTC_CENTURY, &t), ERR_FORMAT);
	set(RTC_B_24H, 0, 0, 0x24, 1, 1, 0, 0x20);
	assert_int_equal(rtc_read(&hw, RTC_CENTURY, &t), ERR_FORMAT);
	set(RTC_B_24H, 0, 0, 0, 1, 0x13, 0, 0x20);
	assert_int_equal(rtc_read(&hw, RTC_CENTURY, &t), ERR_FORMAT);
}

static void test_seconds(void **state)
{
	(void)state;
	for (time_t s = -86400 * 365; s < 4200000000; s += 86400 * 3 + 3607) {
		struct tm *tm = gmtime(&s);
		struct rtc_time t = {(uint16_t)(tm->tm_year + 1900), (uint8_t)(tm->tm_mon + 1), (uint8_t)tm->tm_mday,
				     (uint8_t)tm->tm_hour,           (uint8_t)tm->tm_min,       (uint8_t)tm->tm_sec};

		assert_true(rtc_seconds(&t) == s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_turns_over),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_seconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
