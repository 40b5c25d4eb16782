/* The real-time clock against the MC146818A data sheet, and its calendar against the C library's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "tests/fake/fake_device.h"
#include "vmm/devices/calendar.h"
#include "vmm/devices/vrtc.h"

#define HZ 1000000000ull
#define MICROSECOND (HZ / 1000000)

struct bench {
	struct vrtc rtc;
	struct bus ports;
	struct fake_clock clock;
	struct fake_line line;
};

/* A clock that begins at a date, some ticks after its VM's clock. */
static struct bench *setup(const char *date)
{
	static struct bench b;
	struct irq_line line = fake_line(&b.line, RTC_IRQ);
	struct tm tm = {0};

	memset(&b, 0, sizeof(b));
	fake_clock_init(&b.clock, HZ);
	b.clock.now = 12345;
	bus_init(&b.ports);
	assert_int_equal(sscanf(date, "%d-%d-%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
				&tm.tm_min, &tm.tm_sec),
			 6);
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	vrtc_init(&b.rtc, &b.clock.clock, &line, timegm(&tm));
	assert_int_equal(vrtc_register(&b.rtc, &b.ports), 0);
	return &b;
}

static unsigned rd(struct bench *b, unsigned reg)
{
	uint64_t v = 0;

	assert_true(bus_write(&b->ports, RTC_PORT_INDEX, 1, reg));
	assert_true(bus_read(&b->ports, RTC_PORT_DATA, 1, &v));
	return (unsigned)v;
}

static void wr(struct bench *b, unsigned reg, unsigned value)
{
	assert_true(bus_write(&b->ports, RTC_PORT_INDEX, 1, reg));
	assert_true(bus_write(&b->ports, RTC_PORT_DATA, 1, value));
}

/* The registers as text: century, year, month, day, hour, minute, second, weekday; raw bytes. */
static const char *shown(struct bench *b)
{
	static char text[64];

	snprintf(text, sizeof(text), "%02x%02x-%02x-%02x %02x:%02x:%02x/%x", rd(b, RTC_CENTURY), rd(b, RTC_YEAR),
		 rd(b, RTC_MONTH), rd(b, RTC_DAY_OF_MONTH), rd(b, RTC_HOURS), rd(b, RTC_MINUTES), rd(b, RTC_SECONDS),
		 rd(b, RTC_DAY_OF_WEEK));
	return text;
}

static void seconds_pass(struct bench *b, uint64_t n)
{
	fake_clock_run(&b->clock, n * HZ);
}

static void test_calendar(void **state)
{
	(void)state;
	srand(7);
	for (unsigned i = 0; i < 300000; i++) {
		int64_t s = ((int64_t)rand() << 8 ^ rand()) - ((int64_t)1 << 37);
		time_t t = (time_t)s;
		struct calendar c;
		struct tm tm;

		gmtime_r(&t, &tm);
		calendar_from_seconds(s, &c);
		assert_int_equal(c.year, tm.tm_year + 1900);
		assert_int_equal(c.month, tm.tm_mon + 1);
		assert_int_equal(c.day, tm.tm_mday);
		assert_int_equal(c.hour, tm.tm_hour);
		assert_int_equal(c.minute, tm.tm_min);
		assert_int_equal(c.second, tm.tm_sec);
		assert_int_equal(c.weekday, tm.tm_wday);
		assert_int_equal(calendar_to_seconds(&c), s);
	}
}

static void test_calendar_overflowing_fields(void **state)
{
	(void)state;
	srand(8);
	for (unsigned i = 0; i < 100000; i++) {
		struct calendar c = {.year = rand() % 17000,
				     .month = (uint8_t)rand(),
				     .day = (uint8_t)rand(),
				     .hour = (uint8_t)rand(),
				     .minute = (uint8_t)rand(),
				     .second = (uint8_t)rand()};
		struct tm tm = {.tm_year = c.year - 1900,
				.tm_mon = c.month - 1,
				.tm_mday = c.day,
				.tm_hour = c.hour,
				.tm_min = c.minute,
				.tm_sec = c.second};

		assert_int_equal(calendar_to_seconds(&c), timegm(&tm));
	}
}

static void test_initial_registers(void **state)
{
	struct bench *b = setup("2024-02-28 23:59:58");

	(void)state;
	assert_string_equal(shown(b), "2024-02-28 23:59:58/4"); /* a Wednesday */
	assert_int_equal(rd(b, RTC_REG_A), 0x26);
	assert_int_equal(rd(b, RTC_REG_B), 0x02);
	assert_int_equal(rd(b, RTC_REG_C), 0x00);
	assert_int_equal(rd(b, RTC_REG_D), 0x80);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
}

static void test_time_passes(void **state)
{
	struct bench *b = setup("2024-02-28 23:59:58");

	(void)state;
	seconds_pass(b, 1);
	assert_string_equal(shown(b), "2024-02-28 23:59:59/4");
	fake_clock_run(&b->clock, HZ - 1);
	assert_string_equal(shown(b), "2024-02-28 23:59:59/4");
	fake_clock_run(&b->clock, 1);
	assert_string_equal(shown(b), "2024-02-29 00:00:00/5");
	seconds_pass(b, 86400);
	assert_string_equal(shown(b), "2024-03-01 00:00:00/6");
	seconds_pass(b, 86400ull * 366);
	assert_string_equal(shown(b), "2025-03-02 00:00:00/1");
	b = setup("1999-12-31 23:59:59");
	seconds_pass(b, 1);
	assert_string_equal(shown(b), "2000-01-01 00:00:00/7");
}

static void test_binary_and_12_hours(void **state)
{
	struct bench *b = setup("2031-12-25 00:05:09");

	(void)state;
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_DM_BINARY);
	assert_string_equal(shown(b), "141f-0c-19 00:05:09/5");
	wr(b, RTC_REG_B, RTC_B_DM_BINARY);
	assert_int_equal(rd(b, RTC_HOURS), 12);
	seconds_pass(b, 3600 * 11);
	assert_int_equal(rd(b, RTC_HOURS), 11);
	seconds_pass(b, 3600);
	assert_int_equal(rd(b, RTC_HOURS), 0x80 | 12);
	wr(b, RTC_REG_B, 0);
	assert_int_equal(rd(b, RTC_HOURS), 0x92);
	seconds_pass(b, 3600 * 11);
	assert_int_equal(rd(b, RTC_HOURS), 0x91);
	wr(b, RTC_REG_B, RTC_B_24H);
	assert_int_equal(rd(b, RTC_HOURS), 0x23);
}

static void set_time(struct bench *b, unsigned b_mode, const uint8_t values[8])
{
	static const uint8_t regs[] = {RTC_CENTURY, RTC_YEAR,    RTC_MONTH,   RTC_DAY_OF_MONTH,
				       RTC_HOURS,   RTC_MINUTES, RTC_SECONDS, RTC_DAY_OF_WEEK};

	wr(b, RTC_REG_B, b_mode | RTC_B_SET);
	for (unsigned i = 0; i < 8; i++)
		wr(b, regs[i], values[i]);
	wr(b, RTC_REG_B, b_mode);
}

static void test_set_by_guest(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	fake_clock_run(&b->clock, HZ / 4);
	set_time(b, RTC_B_24H, (const uint8_t[]){0x19, 0x99, 0x12, 0x31, 0x23, 0x59, 0x59, 6});
	assert_string_equal(shown(b), "1999-12-31 23:59:59/6");
	fake_clock_run(&b->clock, HZ * 3 / 4); /* SET does not touch the divider */
	assert_string_equal(shown(b), "2000-01-01 00:00:00/7");
	set_time(b, RTC_B_DM_BINARY, (const uint8_t[]){20, 30, 1, 2, 0x80 | 12, 4, 5, 3});
	wr(b, RTC_REG_B, RTC_B_24H);
	assert_string_equal(shown(b), "2030-01-02 12:04:05/3"); /* a Wednesday; the guest says Tuesday and keeps it */
	seconds_pass(b, 86400);
	assert_string_equal(shown(b), "2030-01-03 12:04:05/4");
}

static void test_held_time_stands_and_keeps_bytes(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_SET);
	seconds_pass(b, 100);
	assert_string_equal(shown(b), "2024-06-01 12:00:00/7");
	wr(b, RTC_SECONDS, 0xff); /* plain bytes now */
	assert_int_equal(rd(b, RTC_SECONDS), 0xff);
	wr(b, RTC_SECONDS, 0x30);
	wr(b, RTC_REG_B, RTC_B_24H);
	assert_string_equal(shown(b), "2024-06-01 12:00:30/7");
	assert_int_equal(rd(b, RTC_REG_C), RTC_C_PF); /* no update ended while it was held */
}

static void test_single_register_written_while_running(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	wr(b, RTC_HOURS, 0x07);
	seconds_pass(b, 1);
	assert_string_equal(shown(b), "2024-06-01 07:00:01/7");
	wr(b, RTC_CENTURY, 0x19);
	assert_string_equal(shown(b), "1924-06-01 07:00:01/7");
}

/* How Linux sets the time: SET, divider reset, write, then both back. The next second comes half a second later. */
static void test_divider_reset(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	fake_clock_run(&b->clock, HZ / 10);
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_SET);
	wr(b, RTC_REG_A, RTC_A_DV_MASK | 6);
	wr(b, RTC_SECONDS, 0x10);
	wr(b, RTC_REG_B, RTC_B_24H);
	seconds_pass(b, 7);
	assert_string_equal(shown(b), "2024-06-01 12:00:10/7"); /* still held by the divider */
	wr(b, RTC_REG_A, 0x26);
	fake_clock_run(&b->clock, HZ / 2 - 1);
	assert_int_equal(rd(b, RTC_SECONDS), 0x10);
	fake_clock_run(&b->clock, 1);
	assert_int_equal(rd(b, RTC_SECONDS), 0x11);
	seconds_pass(b, 1);
	assert_int_equal(rd(b, RTC_SECONDS), 0x12);
}

static void test_update_in_progress(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	assert_int_equal(rd(b, RTC_REG_A) & RTC_A_UIP, 0);
	fake_clock_run(&b->clock, HZ - 2229 * MICROSECOND);
	assert_int_equal(rd(b, RTC_REG_A) & RTC_A_UIP, 0);
	fake_clock_run(&b->clock, MICROSECOND);
	assert_int_equal(rd(b, RTC_REG_A), RTC_A_UIP | 0x26);
	fake_clock_run(&b->clock, 2228 * MICROSECOND - 1);
	assert_int_equal(rd(b, RTC_REG_A), RTC_A_UIP | 0x26);
	fake_clock_run(&b->clock, 1);
	assert_int_equal(rd(b, RTC_REG_A), 0x26);
	assert_int_equal(rd(b, RTC_SECONDS), 1);
	fake_clock_run(&b->clock, HZ - 1);
	wr(b, RTC_REG_A, 0xa6); /* UIP cannot be written */
	assert_int_equal(rd(b, RTC_REG_A), 0xa6);
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_SET);
	assert_int_equal(rd(b, RTC_REG_A), 0x26);
}

static void test_update_interrupt(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	seconds_pass(b, 1);
	assert_int_equal(rd(b, RTC_REG_C), RTC_C_UF | RTC_C_PF); /* flags are set without their enables */
	wr(b, RTC_REG_A, 0x20);
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_UIE);
	fake_clock_run(&b->clock, HZ - 1);
	assert_false(b->line.high);
	fake_clock_run(&b->clock, 1);
	assert_true(b->line.high);
	assert_int_equal(b->line.pin, RTC_IRQ);
	seconds_pass(b, 10); /* nobody answers: one interrupt, no alarm */
	assert_int_equal(b->line.rises, 1);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	assert_int_equal(rd(b, RTC_REG_C) & (RTC_C_IRQF | RTC_C_UF), RTC_C_IRQF | RTC_C_UF);
	assert_false(b->line.high);
	assert_int_equal(rd(b, RTC_REG_C), 0);
	seconds_pass(b, 1);
	assert_true(b->line.high);
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_UIE | RTC_B_SET); /* SET clears UIE */
	assert_int_equal(rd(b, RTC_REG_B), RTC_B_24H | RTC_B_SET);
	assert_false(b->line.high);
}

static void test_enabling_with_flag_set(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	seconds_pass(b, 2);
	assert_false(b->line.high);
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_UIE); /* the flag stands from before */
	assert_true(b->line.high);
}

static void test_periodic_rates(void **state)
{
	static const unsigned hz[] = {0, 256, 128, 8192, 4096, 2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2};

	(void)state;
	for (unsigned rs = 0; rs < 16; rs++) {
		struct bench *b = setup("2024-06-01 12:00:00");
		unsigned count = 0;
		uint64_t end = b->clock.now + HZ;

		wr(b, RTC_REG_A, 0x20 | rs);
		wr(b, RTC_REG_B, RTC_B_24H | RTC_B_PIE);
		while (vclock_next(&b->clock.clock) <= end) {
			fake_clock_run_to(&b->clock, vclock_next(&b->clock.clock));
			assert_true(b->line.high);
			assert_int_equal(rd(b, RTC_REG_C) & ~RTC_C_UF, RTC_C_IRQF | RTC_C_PF);
			count++;
		}
		assert_int_equal(count, hz[rs]);
	}
}

/* The periodic interrupt goes on while SET holds the time, and stops with the divider. */
static void test_periodic_and_hold(void **state)
{
	struct bench *b = setup("2024-06-01 12:00:00");

	(void)state;
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_PIE | RTC_B_SET);
	seconds_pass(b, 1);
	assert_int_equal(rd(b, RTC_REG_C), RTC_C_IRQF | RTC_C_PF);
	wr(b, RTC_REG_A, RTC_A_DV_RESET | 6);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	seconds_pass(b, 1);
	assert_int_equal(rd(b, RTC_REG_C), 0);
}

static void test_alarm(void **state)
{
	static const struct {
		uint8_t hour, minute, second, mode;
		uint64_t after; /* seconds from 22:58:50; 0: never */
	} rows[] = {
		{0x22, 0x59, 0x00, RTC_B_24H, 10},
		{0x22, 0x58, 0x50, RTC_B_24H, 86400},
		{0x22, 0x58, 0x49, RTC_B_24H, 86399},
		{0xc0, 0xff, 0xc5, RTC_B_24H, 1},
		{0xff, 0xff, 0x05, RTC_B_24H, 15},
		{0xff, 0x00, 0xff, RTC_B_24H, 70},
		{0x03, 0xff, 0xff, RTC_B_24H, 3600 * 4 + 70},
		{0x00, 0x00, 0x00, RTC_B_24H, 3670},
		{0x90, 0x59, 0x00, 0, 10},
		{0x10, 0x59, 0x00, 0, 43210},
		{0x12, 0x00, 0x00, 0, 3670},
		{0x24, 0x00, 0x00, RTC_B_24H, 0},
		{0x22, 0x60, 0x00, RTC_B_24H, 0},
		{0x22, 0x59, 0x0a, RTC_B_24H, 0}, /* not BCD */
		{0xbf, 0xff, 0xff, RTC_B_24H, 0},
		{22, 59, 10, RTC_B_24H | RTC_B_DM_BINARY, 20},
		{0x80 | 10, 59, 10, RTC_B_DM_BINARY, 20},
		{22, 59, 60, RTC_B_24H | RTC_B_DM_BINARY, 0},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench *b = setup("2024-06-01 22:58:50");
		uint64_t start = b->clock.now;

		wr(b, RTC_REG_A, 0x20);
		wr(b, RTC_REG_B, rows[i].mode | RTC_B_AIE);
		wr(b, RTC_HOURS_ALARM, rows[i].hour);
		wr(b, RTC_MINUTES_ALARM, rows[i].minute);
		wr(b, RTC_SECONDS_ALARM, rows[i].second);
		assert_int_equal(vclock_next(&b->clock.clock),
				 rows[i].after == 0 ? VCLOCK_NEVER : start + rows[i].after * HZ);
		wr(b, RTC_REG_B, rows[i].mode); /* the flag comes without the interrupt, too */
		if (rows[i].after > 1) {
			fake_clock_run_to(&b->clock, start + rows[i].after * HZ - 1);
			assert_int_equal(rd(b, RTC_REG_C), RTC_C_UF);
		}
		if (rows[i].after != 0) {
			fake_clock_run_to(&b->clock, start + rows[i].after * HZ);
			assert_int_equal(rd(b, RTC_REG_C), RTC_C_UF | RTC_C_AF);
		} else {
			seconds_pass(b, 86400 * 2);
			assert_int_equal(rd(b, RTC_REG_C), RTC_C_UF);
		}
	}
}

static void test_alarm_repeats(void **state)
{
	struct bench *b = setup("2024-06-01 00:00:00");

	(void)state;
	wr(b, RTC_SECONDS_ALARM, 0x00);
	wr(b, RTC_MINUTES_ALARM, 0xff);
	wr(b, RTC_HOURS_ALARM, 0xff);
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_AIE);
	for (unsigned i = 1; i <= 5; i++) {
		seconds_pass(b, 60);
		assert_int_equal(b->line.rises, i);
		assert_int_equal(rd(b, RTC_REG_C) & (RTC_C_IRQF | RTC_C_AF), RTC_C_IRQF | RTC_C_AF);
	}
}

static void test_ram_and_read_only(void **state)
{
	struct bench *b = setup("2024-06-01 00:00:00");
	uint64_t v = 0;

	(void)state;
	for (unsigned i = 0x0e; i < 0x80; i++) {
		if (i == RTC_CENTURY)
			continue;
		wr(b, i, i ^ 0x5a);
		assert_int_equal(rd(b, i | 0x80), i ^ 0x5a);
	}
	wr(b, RTC_REG_C, 0xff);
	assert_int_equal(rd(b, RTC_REG_C), 0);
	wr(b, RTC_REG_D, 0x00);
	assert_int_equal(rd(b, RTC_REG_D), 0x80);
	assert_string_equal(shown(b), "2024-06-01 00:00:00/7");
	assert_true(bus_read(&b->ports, RTC_PORT_INDEX, 1, &v));
	assert_int_equal(v, 0xff);
	assert_true(bus_write(&b->ports, RTC_PORT_INDEX, 2, 0x3320)); /* index and data in one word */
	assert_int_equal(rd(b, 0x20), 0x33);
}

static void test_nmi_mask(void **state)
{
	struct bench *b = setup("2024-06-01 00:00:00");

	(void)state;
	assert_false(vrtc_nmi_masked(&b->rtc));
	rd(b, 0x8f);
	assert_true(vrtc_nmi_masked(&b->rtc));
	rd(b, 0x0f);
	assert_false(vrtc_nmi_masked(&b->rtc));
}

static void test_memory_bytes(void **state)
{
	struct bench *b = setup("2024-06-01 00:00:00");

	(void)state;
	vrtc_set_memory(&b->rtc, 256 * MIB, 0);
	assert_int_equal(rd(b, 0x15) | rd(b, 0x16) << 8, 640);
	assert_int_equal(rd(b, 0x17) | rd(b, 0x18) << 8, 0xffff);
	assert_int_equal(rd(b, 0x30) | rd(b, 0x31) << 8, 0xffff);
	assert_int_equal(rd(b, 0x34) | rd(b, 0x35) << 8, 240 * 16);
	assert_int_equal(rd(b, 0x5b) | rd(b, 0x5c) << 8 | rd(b, 0x5d) << 16, 0);
	vrtc_set_memory(&b->rtc, 512 * KIB, UINT64_MAX);
	assert_int_equal(rd(b, 0x15) | rd(b, 0x16) << 8, 512);
	assert_int_equal(rd(b, 0x17) | rd(b, 0x18) << 8, 0);
	assert_int_equal(rd(b, 0x34) | rd(b, 0x35) << 8, 0);
	assert_int_equal(rd(b, 0x5b) | rd(b, 0x5c) << 8 | rd(b, 0x5d) << 16, 0xffffff);
	vrtc_set_memory(&b->rtc, 3 * GIB, 5 * GIB);
	assert_int_equal(rd(b, 0x34) | rd(b, 0x35) << 8, (3 * GIB - 16 * MIB) >> 16);
	assert_int_equal(rd(b, 0x5b) | rd(b, 0x5c) << 8 | rd(b, 0x5d) << 16, 5 * GIB >> 16);
	for (unsigned i = 0; i <= RTC_REG_D; i++)
		vrtc_set_ram(&b->rtc, i, 0xee);
	vrtc_set_ram(&b->rtc, RTC_CENTURY, 0xee);
	vrtc_set_ram(&b->rtc, 0x80, 0xee);
	assert_string_equal(shown(b), "2024-06-01 00:00:00/7");
}

static void test_reset(void **state)
{
	struct bench *b = setup("2024-06-01 00:00:00");

	(void)state;
	wr(b, RTC_REG_B, 0x7f);
	wr(b, 0x40, 0x12);
	seconds_pass(b, 1);
	assert_true(b->line.high);
	vrtc_reset(&b->rtc);
	assert_false(b->line.high);
	assert_int_equal(rd(b, RTC_REG_B), 0x07);
	assert_int_equal(rd(b, RTC_REG_C), 0);
	assert_int_equal(rd(b, 0x40), 0x12);
	assert_int_equal(rd(b, RTC_SECONDS), 1);
}

/* Random writes and jumps of time: nothing may trip the sanitizers, and the line always agrees with register C. */
static void test_hostile(void **state)
{
	struct bench *b = setup("2024-06-01 00:00:00");

	(void)state;
	srand(9);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned reg = (unsigned)rand() % 16;

		if (reg == RTC_SHUTDOWN_STATUS)
			reg = RTC_CENTURY;
		wr(b, reg, (unsigned)rand() & 0xff);
		b->clock.now += (uint64_t)rand() >> (rand() % 32);
		vclock_expire(&b->clock.clock, b->clock.now);
		rd(b, (unsigned)rand() % 10);
		if (rand() % 4 == 0) {
			bool high = b->line.high;

			assert_true(!high || (rd(b, RTC_REG_C) & RTC_C_IRQF));
			rd(b, RTC_REG_C);
			assert_false(b->line.high);
		}
	}
}

/* A VM that starts again has a clock that shows 0 again, and its real-time clock goes on. */
static void test_restart(void **state)
{
	struct bench *b = setup("2023-11-14 22:13:20");
	int64_t wall = 1700000000;

	(void)state;
	wr(b, RTC_HOURS, 0x23); /* an hour ahead from now on */
	seconds_pass(b, 1000);
	b->clock.now = 0;
	vrtc_restart(&b->rtc, wall + 1500); /* the VM was off for a while */
	vrtc_reset(&b->rtc);
	assert_string_equal(shown(b), "2023-11-14 23:38:20/3");
	(void)rd(b, RTC_REG_C);
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_UIE);
	seconds_pass(b, 3);
	assert_true(b->line.high);
	assert_int_equal(rd(b, RTC_REG_C) & (RTC_C_IRQF | RTC_C_UF), RTC_C_IRQF | RTC_C_UF);
	assert_string_equal(shown(b), "2023-11-14 23:38:23/3");
	/* Time that the guest holds across it is let go as the guest has left it. */
	wr(b, RTC_REG_B, RTC_B_24H | RTC_B_SET);
	b->clock.now = 0;
	vrtc_restart(&b->rtc, wall + 9000);
	vrtc_reset(&b->rtc);
	wr(b, RTC_MINUTES, 0x10);
	wr(b, RTC_REG_B, RTC_B_24H);
	seconds_pass(b, 1);
	assert_string_equal(shown(b), "2023-11-14 23:10:24/3");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calendar),
		cmocka_unit_test(test_calendar_overflowing_fields),
		cmocka_unit_test(test_initial_registers),
		cmocka_unit_test(test_time_passes),
		cmocka_unit_test(test_binary_and_12_hours),
		cmocka_unit_test(test_set_by_guest),
		cmocka_unit_test(test_held_time_stands_and_keeps_bytes),
		cmocka_unit_test(test_single_register_written_while_running),
		cmocka_unit_test(test_divider_reset),
		cmocka_unit_test(test_update_in_progress),
		cmocka_unit_test(test_update_interrupt),
		cmocka_unit_test(test_enabling_with_flag_set),
		cmocka_unit_test(test_periodic_rates),
		cmocka_unit_test(test_periodic_and_hold),
		cmocka_unit_test(test_alarm),
		cmocka_unit_test(test_alarm_repeats),
		cmocka_unit_test(test_ram_and_read_only),
		cmocka_unit_test(test_nmi_mask),
		cmocka_unit_test(test_memory_bytes),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests_name("vrtc", tests, NULL, NULL);
}
