/* The ACPI fixed hardware and port 0xcf9, register by register. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fake/fake_device.h"
#include "vmm/devices/vacpi_pm.h"
#include "vmm/devices/vreset.h"

#define EVT VACPI_PM1_EVT
#define EN (VACPI_PM1_EVT + 2)
#define CNT VACPI_PM1_CNT
#define TMR VACPI_PM_TMR

struct bench {
	struct vacpi_pm pm;
	struct bus ports;
	struct fake_clock clock;
	struct fake_line sci;
	unsigned power_offs;
};

static void on_power_off(void *ctx)
{
	((struct bench *)ctx)->power_offs++;
}

/* Two ticks of the clock are one count of the PM timer: a part is slower than the clock. */
#define TICKS 2ull

static struct bench *setup_hz(enum vacpi_timer_width width, uint64_t hz)
{
	static struct bench b;
	struct vacpi_pm_wiring w;

	memset(&b, 0, sizeof(b));
	fake_clock_init(&b.clock, hz);
	bus_init(&b.ports);
	w = (struct vacpi_pm_wiring){.sci = fake_line(&b.sci, VACPI_SCI_IRQ),
				     .clock = &b.clock.clock,
				     .width = width,
				     .power_off = on_power_off,
				     .ctx = &b};
	vacpi_pm_init(&b.pm, &w);
	assert_int_equal(vacpi_pm_register(&b.pm, &b.ports), 0);
	return &b;
}

static struct bench *setup_width(enum vacpi_timer_width width)
{
	return setup_hz(width, TICKS * ACPI_PM_TIMER_HZ);
}

static struct bench *setup(void)
{
	return setup_width(VACPI_TIMER_24);
}

static unsigned in(struct bench *b, unsigned port, unsigned size)
{
	uint64_t v = 0;

	assert_true(bus_read(&b->ports, port, size, &v));
	return (unsigned)v;
}

static void out(struct bench *b, unsigned port, unsigned size, unsigned value)
{
	assert_true(bus_write(&b->ports, port, size, value));
}

static void test_addresses(void **state)
{
	(void)state;
	assert_int_equal(EVT, 0x600);
	assert_int_equal(CNT, 0x604);
	assert_int_equal(TMR, 0x608);
	assert_int_equal(VACPI_GPE0, 0xafe0);
}

static void test_initial(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned i = 0; i < VACPI_PM_BYTES; i += 4)
		assert_int_equal(in(b, VACPI_PM_BASE + i, 4), 0);
	assert_int_equal(in(b, VACPI_GPE0, 4), 0);
	assert_int_equal(b->sci.calls, 0);
	b->pm.wiring.starts_in_acpi_mode = true;
	vacpi_pm_reset(&b->pm);
	assert_int_equal(in(b, CNT, 2), PM1_CNT_SCI_EN);
}

static void test_timer_widths(void **state)
{
	struct bench *b = setup();

	(void)state;
	b->clock.now = TICKS * 0x123456789ull;
	assert_int_equal(in(b, TMR, 4), 0x456789);
	assert_int_equal(in(b, TMR, 1), 0x89);
	assert_int_equal(in(b, TMR + 1, 2), 0x4567);
	out(b, TMR, 4, 0xffffffff); /* read-only */
	assert_int_equal(in(b, TMR, 4), 0x456789);
	b = setup_width(VACPI_TIMER_32);
	b->clock.now = TICKS * 0x123456789ull;
	assert_int_equal(in(b, TMR, 4), 0x23456789);
	b = setup_hz(VACPI_TIMER_32, 3000000000ull);
	b->clock.now = 3000000000ull * 10;
	assert_int_equal(in(b, TMR, 4), 35795450);
}

static void test_timer_status(void **state)
{
	struct bench *b = setup();

	(void)state;
	b->clock.now = TICKS * ((1 << 23) - 1);
	assert_int_equal(in(b, EVT, 2), 0);
	b->clock.now += TICKS;
	assert_int_equal(in(b, EVT, 2), PM1_STS_TMR); /* the top bit went up */
	out(b, EVT, 2, PM1_STS_TMR);
	assert_int_equal(in(b, EVT, 2), 0);
	b->clock.now = TICKS << 24; /* and down */
	assert_int_equal(in(b, EVT, 2), PM1_STS_TMR);
	assert_false(b->sci.high);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
}

static void test_timer_interrupt(void **state)
{
	static const uint64_t periods[] = {1 << 23, 1ull << 31};

	(void)state;
	for (unsigned w = 0; w < 2; w++) {
		struct bench *b = setup_width(w == 0 ? VACPI_TIMER_24 : VACPI_TIMER_32);

		out(b, CNT, 2, PM1_CNT_SCI_EN);
		out(b, EN, 2, PM1_EN_TMR);
		for (unsigned i = 1; i <= 4; i++) {
			fake_clock_run_to(&b->clock, TICKS * i * periods[w] - 1);
			assert_false(b->sci.high);
			fake_clock_run_to(&b->clock, TICKS * i * periods[w]);
			assert_true(b->sci.high);
			assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
			out(b, EVT, 2, PM1_STS_TMR);
			assert_false(b->sci.high);
		}
		out(b, EN, 2, 0);
		assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	}
}

/* The status seen by a read before the alarm has had its turn is not seen twice. */
static void test_timer_read_before_alarm(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, CNT, 2, PM1_CNT_SCI_EN);
	out(b, EN, 2, PM1_EN_TMR);
	b->clock.now = TICKS * ((1 << 23) + 5);
	assert_int_equal(in(b, EVT, 2), PM1_STS_TMR);
	assert_true(b->sci.high);
	vclock_expire(&b->clock.clock, b->clock.now);
	out(b, EVT, 2, PM1_STS_TMR);
	fake_clock_run_to(&b->clock, TICKS * (2 << 23) - 1);
	assert_false(b->sci.high);
	fake_clock_run_to(&b->clock, TICKS * (2 << 23));
	assert_true(b->sci.high);
}

static void test_power_button(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, CNT, 2, PM1_CNT_SCI_EN);
	vacpi_pm_power_button(&b->pm);
	assert_int_equal(in(b, EVT, 2), PM1_STS_PWRBTN);
	assert_false(b->sci.high);
	out(b, EN, 2, PM1_EN_PWRBTN);
	assert_true(b->sci.high);
	assert_int_equal(b->sci.pin, 9);
	out(b, EVT, 2, (unsigned)~PM1_STS_PWRBTN & 0xffff); /* other bits do not clear it */
	assert_true(b->sci.high);
	out(b, EVT, 1, 0xff); /* the other byte neither */
	assert_true(b->sci.high);
	out(b, EVT + 1, 1, PM1_STS_PWRBTN >> 8);
	assert_false(b->sci.high);
	assert_int_equal(in(b, EVT, 4), (uint32_t)PM1_EN_PWRBTN << 16);
	vacpi_pm_power_button(&b->pm);
	assert_true(b->sci.high);
	out(b, CNT, 2, 0); /* legacy mode: no SCI */
	assert_false(b->sci.high);
	assert_int_equal(b->power_offs, 0);
}

static void test_sleep_button(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, CNT, 2, PM1_CNT_SCI_EN);
	out(b, EVT, 4, 0xffff0000); /* status and enable in one dword */
	assert_int_equal(in(b, EN, 2), PM1_EN_TMR | PM1_EN_GBL | PM1_EN_PWRBTN | PM1_EN_SLPBTN | PM1_EN_RTC);
	vacpi_pm_sleep_button(&b->pm);
	assert_true(b->sci.high);
	assert_int_equal(in(b, EVT, 2), PM1_STS_SLPBTN);
}

static void test_control_register(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, CNT, 2, 0xffff & ~PM1_CNT_SLP_EN);
	assert_int_equal(in(b, CNT, 2), PM1_CNT_SCI_EN | PM1_CNT_BM_RLD | PM1_CNT_SLP_TYP_MASK);
	out(b, CNT, 1, PM1_CNT_SCI_EN);
	assert_int_equal(in(b, CNT, 2), PM1_CNT_SCI_EN | PM1_CNT_SLP_TYP_MASK);
	assert_int_equal(in(b, CNT + 1, 1), PM1_CNT_SLP_TYP_MASK >> 8);
	assert_int_equal(b->power_offs, 0);
}

static void test_soft_off(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned type = 1; type < 8; type++)
		out(b, CNT, 2, PM1_CNT_SLP_EN | type << PM1_CNT_SLP_TYP_SHIFT);
	assert_int_equal(b->power_offs, 0);
	assert_int_equal(b->pm.other_sleeps, 7);
	out(b, CNT, 2, VACPI_S5_TYPE << PM1_CNT_SLP_TYP_SHIFT);
	assert_int_equal(b->power_offs, 0);
	out(b, CNT, 2, PM1_CNT_SLP_EN | VACPI_S5_TYPE << PM1_CNT_SLP_TYP_SHIFT);
	assert_int_equal(b->power_offs, 1);
	assert_int_equal(in(b, CNT, 2) & PM1_CNT_SLP_EN, 0);
	out(b, CNT + 1, 1, PM1_CNT_SLP_EN >> 8); /* by the byte */
	assert_int_equal(b->power_offs, 2);
	out(b, CNT, 1, 0x20);
	assert_int_equal(b->power_offs, 2);
}

static void test_gpe(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, CNT, 2, PM1_CNT_SCI_EN);
	vacpi_pm_gpe(&b->pm, 1);
	vacpi_pm_gpe(&b->pm, 10);
	vacpi_pm_gpe(&b->pm, 16);
	assert_int_equal(in(b, VACPI_GPE0, 2), 0x0402);
	assert_false(b->sci.high);
	out(b, VACPI_GPE0 + 2, 1, 0x02);
	assert_true(b->sci.high);
	out(b, VACPI_GPE0, 1, 0x02);
	assert_false(b->sci.high);
	out(b, VACPI_GPE0 + 3, 1, 0x04);
	assert_true(b->sci.high);
	assert_int_equal(in(b, VACPI_GPE0, 4), 0x04020400);
	assert_int_equal(in(b, VACPI_GPE0 + 1, 1), 0x04);
	out(b, VACPI_GPE0, 4, 0x00000400);
	assert_int_equal(in(b, VACPI_GPE0, 4), 0);
	assert_false(b->sci.high);
}

static void test_smi_command(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, VACPI_SMI_CMD, 1, VACPI_SMI_ENABLE);
	assert_int_equal(in(b, CNT, 2), PM1_CNT_SCI_EN);
	out(b, VACPI_SMI_CMD, 1, 0x55); /* nobody's command */
	assert_int_equal(in(b, CNT, 2), PM1_CNT_SCI_EN);
	assert_int_equal(in(b, VACPI_SMI_CMD, 1), 0x55);
	out(b, VACPI_SMI_CMD + 1, 1, 0xaa);
	assert_int_equal(in(b, VACPI_SMI_CMD, 2), 0xaa55);
	out(b, VACPI_SMI_CMD, 2, 0x1200 | VACPI_SMI_DISABLE);
	assert_int_equal(in(b, CNT, 2), 0);
	assert_int_equal(in(b, VACPI_SMI_CMD + 1, 1), 0x12);
}

static void test_reset(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, CNT, 2, 0x1c01);
	out(b, EN, 2, 0xffff);
	out(b, VACPI_GPE0 + 2, 2, 0xffff);
	vacpi_pm_gpe(&b->pm, 3);
	vacpi_pm_power_button(&b->pm);
	b->clock.now = TICKS * (3ull << 23);
	assert_true(b->sci.high);
	vacpi_pm_reset(&b->pm);
	assert_false(b->sci.high);
	for (unsigned i = 0; i < 8; i += 4)
		assert_int_equal(in(b, VACPI_PM_BASE + i, 4), 0);
	assert_int_equal(in(b, VACPI_GPE0, 4), 0);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
}

static void test_any_access(void **state)
{
	struct bench *b = setup_width(VACPI_TIMER_32);

	(void)state;
	srand(10);
	for (unsigned i = 0; i < 200000; i++) {
		unsigned port = VACPI_PM_BASE + (unsigned)rand() % (VACPI_PM_BYTES - 8), size = 1u << (rand() % 4);

		if (rand() % 2)
			port = VACPI_GPE0 + ((unsigned)rand() & 3 & ~(size - 1));
		if (port >= VACPI_GPE0 && size > 4)
			size = 4;
		out(b, port, size, (unsigned)rand());
		in(b, port, size);
		fake_clock_run(&b->clock, (uint64_t)rand() % 1000000);
	}
}

/* ---- Port 0xcf9 ---- */

struct reset_note {
	unsigned hard, soft;
};

static void on_reset(void *ctx, bool hard)
{
	struct reset_note *n = ctx;

	n->hard += hard;
	n->soft += !hard;
}

static void test_reset_register(void **state)
{
	struct reset_note n = {0};
	struct vreset r;
	struct bus ports;
	uint64_t v = 0;

	(void)state;
	bus_init(&ports);
	vreset_init(&r, on_reset, &n);
	assert_int_equal(bus_register(&ports, PORT_CF9, 1, &vreset_ops, &r, "reset"), 0);
	assert_true(bus_write(&ports, PORT_CF9, 1, 0xf8 | CF9_FULL_RESET)); /* how it is done: the kind first, ... */
	assert_true(bus_read(&ports, PORT_CF9, 1, &v));
	assert_int_equal(v, CF9_FULL_RESET);
	assert_int_equal(n.hard + n.soft, 0);
	assert_true(bus_write(&ports, PORT_CF9, 1, CF9_FULL_RESET | CF9_RCPU)); /* ... then the trigger */
	assert_int_equal(n.hard, 1);
	assert_true(bus_read(&ports, PORT_CF9, 1, &v));
	assert_int_equal(v, CF9_FULL_RESET);
	assert_true(bus_write(&ports, PORT_CF9, 1, CF9_RCPU));
	assert_int_equal(n.soft, 1);
	assert_true(bus_write(&ports, PORT_CF9, 1, CF9_FULL_RESET));
	vreset_reset(&r);
	assert_true(bus_read(&ports, PORT_CF9, 1, &v));
	assert_int_equal(v, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_initial),
		cmocka_unit_test(test_timer_widths),
		cmocka_unit_test(test_timer_status),
		cmocka_unit_test(test_timer_interrupt),
		cmocka_unit_test(test_timer_read_before_alarm),
		cmocka_unit_test(test_power_button),
		cmocka_unit_test(test_sleep_button),
		cmocka_unit_test(test_control_register),
		cmocka_unit_test(test_soft_off),
		cmocka_unit_test(test_gpe),
		cmocka_unit_test(test_smi_command),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_any_access),
		cmocka_unit_test(test_reset_register),
	};

	return cmocka_run_group_tests_name("vacpi_pm", tests, NULL, NULL);
}
