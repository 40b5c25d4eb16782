/* TSC calibration in a simulated machine: time passes with every access, each clock shows it in its own way, and now and
 * then something takes a break in the middle. Also the arithmetic alone, and CPUID's claims of real processors. */
#include "drivers/hpet.h"
#include "drivers/pit8254.h"
#include "drivers/pm_timer.h"
#include "drivers/regs/acpi.h"
#include "drivers/tsc_calibrate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { HPET_BASE = 0x1000, PM_PORT = 0x608 };

struct machine {
	double now_s;
	double access_s; /* how long an access takes */
	double tsc_hz;
	bool has_hpet, has_pm, has_pit, tsc_stands;
	uint32_t hpet_config;
	uint32_t hpet_period;
	uint8_t port61, latch_state;
	uint16_t latched;
	unsigned pit_writes;
	double pit_start_s;
	unsigned break_every; /* an interruption of 150 us every so many accesses; 0: none */
	unsigned accesses;
};

static struct machine m;

static void pass(void)
{
	m.now_s += m.access_s;
	if (m.break_every != 0 && ++m.accesses % m.break_every == 0)
		m.now_s += 150e-6;
}

static uint64_t count(double hz)
{
	return (uint64_t)(m.now_s * hz);
}

static uint32_t read32(void *ctx, uintptr_t reg)
{
	(void)ctx;
	pass();
	if (!m.has_hpet)
		return 0xffffffff;
	if (reg == HPET_BASE + HPET_GCAP_ID + 4)
		return m.hpet_period;
	if (reg == HPET_BASE + HPET_GEN_CONF)
		return m.hpet_config;
	assert_int_equal(reg, HPET_BASE + HPET_MAIN_CNT);
	return m.hpet_config & 1 ? (uint32_t)count(1e15 / m.hpet_period) : 0;
}

static void write32(void *ctx, uintptr_t reg, uint32_t value)
{
	(void)ctx;
	pass();
	assert_int_equal(reg, HPET_BASE + HPET_GEN_CONF);
	m.hpet_config = value;
}

static uint32_t in32(void *ctx, uint16_t port)
{
	(void)ctx;
	pass();
	assert_int_equal(port, PM_PORT);
	/* the eight bits above the counter are anything */
	return m.has_pm ? (uint32_t)count(3579545.45) | 0xa5000000u : 0xffffffff;
}

static uint8_t in8(void *ctx, uint16_t port)
{
	(void)ctx;
	pass();
	if (port == PORT61)
		return m.port61;
	assert_int_equal(port, PIT_CH2);
	if (!m.has_pit)
		return 0xff;
	return (uint8_t)(m.latched >> (m.latch_state++ % 2 * 8));
}

static void out8(void *ctx, uint16_t port, uint8_t value)
{
	(void)ctx;
	pass();
	if (port == PORT61) {
		m.port61 = value;
	} else if (port == PIT_CONTROL && value == 0x80) {
		m.latched = (uint16_t)(0 - (uint16_t)((m.now_s - m.pit_start_s) * 1193181.67));
		m.latch_state = 0;
	} else if (port == PIT_CONTROL) {
		assert_int_equal(value, 0xb4); /* channel 2, both bytes, mode 2, binary */
		m.pit_writes = 0;
	} else {
		assert_int_equal(port, PIT_CH2);
		assert_int_equal(value, 0);
		assert_int_equal(m.port61 & 3, PORT61_GATE2); /* gate open, speaker silent */
		if (++m.pit_writes == 2)
			m.pit_start_s = m.now_s;
	}
}

static uint64_t tsc(void *ctx)
{
	(void)ctx;
	pass();
	return m.tsc_stands ? 77 : (uint64_t)(m.now_s * m.tsc_hz) + 0x123456789ull;
}

static void relax(void *ctx)
{
	(void)ctx;
}

static const struct hw_io hw = {
	.in8 = in8, .in32 = in32, .out8 = out8, .read32 = read32, .write32 = write32, .rdtsc = tsc, .relax = relax};

static const struct tsc_sources all_sources = {.hpet_base = HPET_BASE, .pm_timer = PM_PORT};

static void new_machine(double hz, double access_s)
{
	memset(&m, 0, sizeof(m));
	m.tsc_hz = hz;
	m.access_s = access_s;
	m.now_s = 3.9; /* the PM timer wraps soon, also the PIT in its own time */
	m.port61 = 0x30 | PORT61_SPEAKER | PORT61_PARITY_OFF;
	m.has_hpet = m.has_pm = m.has_pit = true;
	m.hpet_period = 10000000;
}

static void expect_hz(const char *source, double tolerance)
{
	struct tsc_result r;
	double start = m.now_s, error;

	assert_int_equal(tsc_calibrate(&hw, &all_sources, &r), 0);
	assert_string_equal(r.source, source);
	error = ((double)r.hz - m.tsc_hz) / m.tsc_hz;
	if (error > tolerance || error < -tolerance)
		fail_msg("%s: %lu instead of %.0f", source, (unsigned long)r.hz, m.tsc_hz);
	assert_true(m.now_s - start < 0.030);
	assert_int_equal(r.verdict, TSC_CPUID_SILENT);
}

/* Fast and slow machines (a 20 MHz TSC with one tick an instruction is what an emulator has), each clock in turn. */
static void test_clocks(void **state)
{
	static const struct {
		double hz, access_s;
	} machines[] = {{20e6, 500e-9}, {100e6, 100e-9}, {2.6e9, 700e-9}, {4.2e9, 1200e-9}, {1e6, 2e-6}};

	(void)state;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		new_machine(machines[i].hz, machines[i].access_s);
		expect_hz("HPET", 0.0003);
		m.hpet_period = 69841279; /* 14.31818 MHz */
		expect_hz("HPET", 0.0003);
		m.has_hpet = false;
		m.now_s = 4.68;
		expect_hz("PM timer", 0.0003);
		m.has_pm = false;
		expect_hz("PIT", 0.0004);
		assert_int_equal(m.port61, PORT61_SPEAKER | PORT61_PARITY_OFF);
	}
}

/* Interruptions in the middle of a reading: the quickest of several tries, then the median, stand above them. */
static void test_interruptions(void **state)
{
	(void)state;
	for (unsigned every = 50; every < 4000; every += 37) {
		new_machine(2.6e9, 1e-6);
		m.break_every = every;
		m.has_hpet = false;
		expect_hz("PM timer", 0.0004);
	}
}

static void test_no_clock(void **state)
{
	struct tsc_result r;
	uint64_t hz;
	struct hpet hpet;

	(void)state;
	new_machine(20e6, 500e-9);
	m.has_hpet = m.has_pm = m.has_pit = false;
	assert_int_equal(tsc_calibrate(&hw, &all_sources, &r), ERR_NOENT);
	m.has_hpet = true;
	m.hpet_period = HPET_PERIOD_FS_MAX + 1;
	assert_int_equal(hpet_init(&hpet, &hw, HPET_BASE), ERR_NOENT);
	m.hpet_period = 0;
	assert_int_equal(hpet_init(&hpet, &hw, HPET_BASE), ERR_NOENT);
	m.hpet_period = 10000000;
	assert_int_equal(hpet_init(&hpet, &hw, HPET_BASE), 0);
	m.hpet_config = 0; /* stands */
	assert_int_equal(tsc_measure(&hw, &hpet.clock, &hz), ERR_TIMEOUT);
	m.hpet_config = 1;
	m.tsc_stands = true;
	assert_int_equal(tsc_measure(&hw, &hpet.clock, &hz), ERR_FAULT);
}

static void test_windows(void **state)
{
	const struct ref_clock mhz = {.bits = 32, .hz_num = 1000000, .hz_den = 1};
	struct tsc_window good[5] = {{1000, 2000}, {1000, 2000}, {1000, 2001}, {1000, 1999}, {1000, 2000}};
	struct tsc_window bad[5] = {{1000, 2000}, {1000, 2500}, {1000, 2000}, {1000, 2000}, {1000, 1900}};
	struct tsc_window none = {0, 5};

	(void)state;
	assert_int_equal(tsc_windows_hz(good, 5, &mhz), 2000000);
	assert_int_equal(tsc_windows_hz(bad, 5, &mhz), 2000000);
	assert_int_equal(tsc_windows_hz(bad + 1, 1, &mhz), 2500000);
	assert_int_equal(tsc_windows_hz(&none, 1, &mhz), 0);
}

static void test_cpuid(void **state)
{
	/* Skylake-X as Bochs shows it: ratio 2 * 292 / 2 of an unknown crystal; nominal 3500 MHz. Tiger Lake: crystal told. */
	static const uint32_t none[4], nominal_15[4] = {2, 292, 0, 0}, nominal_16[4] = {3500, 4000, 100, 0};
	static const uint32_t exact_15[4] = {2, 146, 38400000, 0};
	bool exact;
	struct tsc_result r = {.source = "HPET", .measured_hz = 20000123};
	char text[160];

	(void)state;
	assert_int_equal(tsc_cpuid_hz(none, none, &exact), 0);
	assert_true(tsc_cpuid_hz(nominal_15, nominal_16, &exact) == 3500000000ull);
	assert_false(exact);
	assert_true(tsc_cpuid_hz(exact_15, nominal_16, &exact) == 2803200000ull);
	assert_true(exact);

	tsc_compare(&r, nominal_15, nominal_16);
	assert_int_equal(r.verdict, TSC_CPUID_LIES);
	assert_int_equal(r.hz, 20000123);
	assert_string_equal(tsc_describe(&r, text, sizeof(text)),
			    "TSC 20.000 MHz, measured against the HPET; CPUID says 3500.000 MHz, which is wrong: the "
			    "measurement counts");
	r.measured_hz = 3490000000;
	tsc_compare(&r, nominal_15, nominal_16);
	assert_int_equal(r.verdict, TSC_CPUID_AGREES);
	assert_true(r.hz == 3490000000);
	r.measured_hz = 2803100000;
	tsc_compare(&r, exact_15, nominal_16);
	assert_int_equal(r.verdict, TSC_CPUID_AGREES);
	assert_true(r.hz == 2803200000); /* exact, and confirmed */
	r.measured_hz = 2810000000;
	tsc_compare(&r, exact_15, nominal_16);
	assert_int_equal(r.verdict, TSC_CPUID_LIES);
	assert_true(r.hz == 2810000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_clocks),  cmocka_unit_test(test_interruptions), cmocka_unit_test(test_no_clock),
		cmocka_unit_test(test_windows), cmocka_unit_test(test_cpuid),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
