/* The local APIC driver against a fake APIC with both faces: the mode transitions that SDM 3 "x2APIC State Transitions"
 * allows, registers that exist in one face only, a counter that runs with simulated time. */
#include "drivers/lapic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PAGE = 0x10000 };

struct apic {
	uint64_t base_msr;
	uint32_t reg[0x400 / 16];
	uint64_t icr; /* the last command */
	unsigned commands;
	bool fenced;         /* nothing was done since the last fence */
	unsigned busy_reads; /* how often the delivery status still shows "pending" */
	uint64_t deadline;
	unsigned deadline_writes;
	unsigned max_lvt;
	uint32_t errors;
	bool error_shown;
	uint64_t tsc, tsc_step, counter_start;
	uint64_t tsc_per_tick_x16; /* of the counter, in sixteenths */
	bool counter_dead;
};

static struct apic a;

static bool enabled(void)
{
	return (a.base_msr & APIC_BASE_EN) != 0;
}

static uint32_t current_count(void)
{
	uint64_t passed = (a.tsc - a.counter_start) * 16 / a.tsc_per_tick_x16;
	uint32_t initial = a.reg[LAPIC_TIMER_INITIAL / 16];

	return a.counter_dead || passed > initial ? initial * a.counter_dead : initial - (uint32_t)passed;
}

static uint32_t reg_read(unsigned reg, bool x2apic)
{
	assert_true(enabled());
	assert_int_equal(reg % 16, 0);
	switch (reg) {
	case LAPIC_ID:
		return x2apic ? 0x123 : 0x12000000;
	case LAPIC_VERSION:
		return a.max_lvt << LAPIC_VERSION_MAX_LVT_SHIFT | 0x14;
	case LAPIC_ESR:
		return a.error_shown ? a.errors : 0;
	case LAPIC_ICR_LOW:
		return (uint32_t)a.icr | (a.busy_reads > 0 ? (a.busy_reads--, LAPIC_ICR_PENDING) : 0);
	case LAPIC_TIMER_CURRENT:
		return current_count();
	default:
		return a.reg[reg / 16];
	}
}

static void reg_write(unsigned reg, uint32_t value)
{
	assert_true(enabled());
	assert_int_equal(reg % 16, 0);
	assert_true(reg < 0x400);
	if (reg == LAPIC_LVT_CMCI)
		assert_true(a.max_lvt >= 6);
	if (reg == LAPIC_LVT_PERF)
		assert_true(a.max_lvt >= 4);
	if (reg >= LAPIC_LVT_TIMER && reg <= LAPIC_LVT_ERROR && !(a.reg[LAPIC_SVR / 16] & LAPIC_SVR_ENABLE))
		value |= LAPIC_LVT_MASKED;
	if (reg == LAPIC_ESR)
		a.error_shown = true;
	if (reg == LAPIC_TIMER_INITIAL)
		a.counter_start = a.tsc;
	a.reg[reg / 16] = value;
}

static uint32_t read32(void *ctx, uintptr_t reg)
{
	(void)ctx;
	assert_false(a.base_msr & APIC_BASE_EXTD);
	return reg_read((unsigned)(reg - PAGE), false);
}

static void write32(void *ctx, uintptr_t reg, uint32_t value)
{
	(void)ctx;
	assert_false(a.base_msr & APIC_BASE_EXTD);
	if (reg - PAGE == LAPIC_ICR_LOW) {
		assert_int_equal(a.busy_reads, 0);
		a.icr = (uint64_t)a.reg[LAPIC_ICR_HIGH / 16] << 32 | value;
		a.commands++;
		return;
	}
	reg_write((unsigned)(reg - PAGE), value);
}

static uint64_t rdmsr(void *ctx, uint32_t msr)
{
	(void)ctx;
	if (msr == MSR_IA32_APIC_BASE_INDEX)
		return a.base_msr;
	assert_true(msr >= X2APIC_MSR_BASE && msr <= X2APIC_MSR_LAST);
	assert_true(a.base_msr & APIC_BASE_EXTD); /* else #GP */
	return reg_read(X2APIC_OFFSET(msr), true);
}

static void base_write(uint64_t value)
{
	unsigned from = a.base_msr >> 10 & 3, to = value >> 10 & 3;

	/* EN is bit 1, EXTD bit 0 of these */
	assert_int_not_equal(to, 1);
	if (from == 3)
		assert_true(to == 3 || to == 0);
	if (from == 0)
		assert_int_not_equal(to, 3);
	assert_int_equal(value & APIC_BASE_BSP, a.base_msr & APIC_BASE_BSP);
	a.base_msr = value;
}

static void wrmsr(void *ctx, uint32_t msr, uint64_t value)
{
	unsigned reg = X2APIC_OFFSET(msr);

	(void)ctx;
	if (msr == MSR_IA32_APIC_BASE_INDEX) {
		base_write(value);
		return;
	}
	if (msr == MSR_IA32_TSC_DEADLINE_INDEX) {
		assert_int_equal(a.reg[LAPIC_LVT_TIMER / 16] & LAPIC_LVT_TIMER_MODE_MASK, LAPIC_LVT_TIMER_TSC_DEADLINE);
		a.deadline = value;
		a.deadline_writes++;
		return;
	}
	assert_true(msr >= X2APIC_MSR_BASE && msr <= X2APIC_MSR_LAST);
	assert_true(a.base_msr & APIC_BASE_EXTD);
	assert_true(reg != LAPIC_ICR_HIGH && reg != LAPIC_DFR && reg != LAPIC_LDR && reg != LAPIC_ID);
	if (reg == LAPIC_ICR_LOW) {
		assert_true(a.fenced);
		a.fenced = false;
		a.icr = value;
		a.commands++;
		return;
	}
	if (reg == LAPIC_ESR || reg == LAPIC_EOI)
		assert_int_equal(value, 0);
	reg_write(reg, (uint32_t)value);
}

static uint64_t rdtsc(void *ctx)
{
	(void)ctx;
	return a.tsc += a.tsc_step;
}

static void fence(void *ctx)
{
	(void)ctx;
	a.fenced = true;
}

static void relax(void *ctx)
{
	(void)ctx;
}

static const struct hw_io hw = {.read32 = read32,
				.write32 = write32,
				.rdmsr = rdmsr,
				.wrmsr = wrmsr,
				.rdtsc = rdtsc,
				.fence = fence,
				.relax = relax};

static struct lapic_config config_of(bool x2apic, bool tsc_deadline)
{
	return (struct lapic_config){
		.base = PAGE,
		.hpa = LAPIC_DEFAULT_BASE,
		.x2apic = x2apic,
		.tsc_deadline = tsc_deadline,
		.timer_vector = 0x40,
		.error_vector = 0x41,
		.spurious_vector = 0xff,
	};
}

static void start(struct lapic *l, uint64_t base_msr, bool x2apic, bool tsc_deadline)
{
	struct lapic_config config = config_of(x2apic, tsc_deadline);

	memset(&a, 0, sizeof(a));
	a.base_msr = base_msr;
	a.max_lvt = 5;
	a.tsc_step = 10;
	a.tsc_per_tick_x16 = 16;
	lapic_init(l, &hw, &config);
	lapic_cpu_enable(l);
}

static uint32_t reg_of(unsigned reg)
{
	return a.reg[reg / 16];
}

static void expect_up(void)
{
	assert_int_equal(reg_of(LAPIC_SVR), LAPIC_SVR_ENABLE | 0xff);
	assert_int_equal(reg_of(LAPIC_TPR), 0);
	assert_int_equal(reg_of(LAPIC_LVT_LINT0), LAPIC_LVT_MASKED);
	assert_int_equal(reg_of(LAPIC_LVT_LINT1), LAPIC_LVT_MASKED);
	assert_int_equal(reg_of(LAPIC_LVT_ERROR), 0x41);
	assert_int_equal(reg_of(LAPIC_LVT_TIMER) & (LAPIC_LVT_VECTOR_MASK | LAPIC_LVT_MASKED), 0x40);
	assert_int_equal(reg_of(LAPIC_TIMER_INITIAL), 0);
}

static void test_enable(void **state)
{
	struct lapic l;
	const uint64_t at = LAPIC_DEFAULT_BASE;

	(void)state;
	start(&l, at | APIC_BASE_EN | APIC_BASE_BSP, false, false);
	assert_false(l.x2apic);
	assert_true(a.base_msr == (at | APIC_BASE_EN | APIC_BASE_BSP));
	assert_int_equal(lapic_id(&l), 0x12);
	expect_up();
	start(&l, 0x12345000, false, false); /* off, and elsewhere */
	assert_true(a.base_msr == (at | APIC_BASE_EN));
	expect_up();
	start(&l, at | APIC_BASE_EN | APIC_BASE_BSP, true, false);
	assert_true(l.x2apic);
	assert_true(a.base_msr == (at | APIC_BASE_EN | APIC_BASE_EXTD | APIC_BASE_BSP));
	assert_int_equal(lapic_id(&l), 0x123);
	expect_up();
	start(&l, at, true, false); /* off: through xAPIC */
	assert_true(a.base_msr == (at | APIC_BASE_EN | APIC_BASE_EXTD));
	start(&l, at | APIC_BASE_EN | APIC_BASE_EXTD, false, false); /* firmware's choice stays */
	assert_true(l.x2apic);
	expect_up();
}

static void test_ipi(void **state)
{
	struct lapic l;

	(void)state;
	start(&l, LAPIC_DEFAULT_BASE | APIC_BASE_EN, false, false);
	a.busy_reads = 5;
	lapic_send(&l, 0x12, LAPIC_ICR_DM_FIXED | 0x50);
	assert_true(a.icr == 0x1200000000004050);
	lapic_send(&l, 3, LAPIC_ICR_DM_INIT);
	assert_true(a.icr == 0x0300000000004500);
	lapic_send(&l, 3, LAPIC_ICR_DM_STARTUP | 8);
	assert_true(a.icr == 0x0300000000004608);
	lapic_send_others(&l, LAPIC_ICR_DM_NMI);
	assert_true(a.icr == 0x00000000000c4400);
	assert_int_equal(a.commands, 4);

	start(&l, LAPIC_DEFAULT_BASE | APIC_BASE_EN, true, false);
	lapic_send(&l, 0x12345678, LAPIC_ICR_DM_NMI);
	assert_true(a.icr == 0x1234567800004400);
	lapic_send_others(&l, LAPIC_ICR_DM_INIT);
	assert_true(a.icr == 0x00000000000c4500);
	assert_int_equal(a.commands, 2);
}

static void test_pins_and_errors(void **state)
{
	struct lapic l;

	(void)state;
	for (unsigned x2apic = 0; x2apic < 2; x2apic++) {
		start(&l, LAPIC_DEFAULT_BASE | APIC_BASE_EN, x2apic != 0, false);
		lapic_lint(&l, 0, LAPIC_LVT_DM_EXTINT);
		lapic_lint(&l, 1, LAPIC_LVT_DM_NMI);
		assert_int_equal(reg_of(LAPIC_LVT_LINT0), LAPIC_LVT_DM_EXTINT);
		assert_int_equal(reg_of(LAPIC_LVT_LINT1), LAPIC_LVT_DM_NMI);
		a.error_shown = false;
		a.errors = LAPIC_ESR_SEND_ILLEGAL_VECTOR;
		assert_int_equal(lapic_errors(&l), LAPIC_ESR_SEND_ILLEGAL_VECTOR);
		lapic_eoi(&l);
	}
}

static void test_counter(void **state)
{
	struct lapic l;
	const uint64_t tsc_hz = 2600000000ull;

	(void)state;
	start(&l, LAPIC_DEFAULT_BASE | APIC_BASE_EN, false, false);
	a.tsc_per_tick_x16 = 16 * 26; /* 100 MHz */
	assert_int_equal(lapic_timer_calibrate(&l, tsc_hz), 0);
	assert_in_range(l.timer_hz, 99990000, 100010000);
	expect_up();
	assert_int_equal(reg_of(LAPIC_TIMER_DIVIDE), LAPIC_DIVIDE_BY_1);
	l.timer_hz = 100000000;

	a.tsc = 1000000;
	a.tsc_step = 0;
	lapic_timer_arm(&l, a.tsc + 2600); /* 1 us */
	assert_int_equal(reg_of(LAPIC_TIMER_INITIAL), 101);
	lapic_timer_arm(&l, a.tsc); /* passed: the soonest there is */
	assert_int_equal(reg_of(LAPIC_TIMER_INITIAL), 1);
	lapic_timer_arm(&l, 0);
	assert_int_equal(reg_of(LAPIC_TIMER_INITIAL), 1);
	lapic_timer_arm(&l, UINT64_MAX - 1); /* as late as it goes */
	assert_int_equal(reg_of(LAPIC_TIMER_INITIAL), UINT32_MAX);
	lapic_timer_arm(&l, UINT64_MAX);
	assert_int_equal(reg_of(LAPIC_TIMER_INITIAL), 0);
	lapic_timer_arm(&l, a.tsc + 1);
	lapic_timer_stop(&l);
	assert_int_equal(reg_of(LAPIC_TIMER_INITIAL), 0);

	start(&l, LAPIC_DEFAULT_BASE | APIC_BASE_EN, false, false);
	a.counter_dead = true;
	assert_int_equal(lapic_timer_calibrate(&l, tsc_hz), ERR_FAULT);
}

static void test_deadline(void **state)
{
	struct lapic l;

	(void)state;
	start(&l, LAPIC_DEFAULT_BASE | APIC_BASE_EN, true, true);
	assert_int_equal(lapic_timer_calibrate(&l, 20000000), 0);
	assert_int_equal(a.deadline_writes, 0);
	lapic_timer_arm(&l, 123456);
	assert_true(a.deadline == 123456);
	lapic_timer_arm(&l, 0);
	assert_true(a.deadline == 1); /* not disarmed */
	lapic_timer_arm(&l, UINT64_MAX);
	assert_true(a.deadline == 0);
	lapic_timer_arm(&l, 5);
	lapic_timer_stop(&l);
	assert_true(a.deadline == 0);
}

/* Writing a local vector entry that the part does not have is a #GP in x2APIC mode; reg_write() checks. */
static void test_lvt_count(void **state)
{
	struct lapic l;
	struct lapic_config config = config_of(true, false);

	(void)state;
	for (unsigned max = 3; max < 8; max++) {
		memset(&a, 0, sizeof(a));
		a.base_msr = LAPIC_DEFAULT_BASE | APIC_BASE_EN;
		a.max_lvt = max;
		lapic_init(&l, &hw, &config);
		lapic_cpu_enable(&l);
		expect_up();
		assert_int_equal(reg_of(LAPIC_LVT_CMCI), max >= 6 ? LAPIC_LVT_MASKED : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enable),  cmocka_unit_test(test_ipi),      cmocka_unit_test(test_pins_and_errors),
		cmocka_unit_test(test_counter), cmocka_unit_test(test_deadline), cmocka_unit_test(test_lvt_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
