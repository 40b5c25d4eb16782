/* The 8254: its counters against a model that steps clock by clock as the data sheet describes, then the ports, port 0x61
 * and channel 0's interrupt through a bus. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fake/fake_device.h"
#include "vmm/devices/vpit.h"

/* ---- The model: one counter, stepped. Counts are plain numbers, `span` is 65536 or 10000. ---- */

struct model {
	unsigned mode, span, reload, active, element;
	bool gate, out, valid, null_count, load, trigger, half, strobe_done;
};

static void model_control(struct model *m, unsigned mode, bool bcd)
{
	bool gate = m->gate;

	*m = (struct model){
		.mode = mode, .span = bcd ? 10000 : 65536, .gate = gate, .null_count = true, .out = mode != 0};
}

static void model_half(struct model *m)
{
	m->half = true;
	if (m->mode == 0) {
		m->out = false;
		m->load = false;
	}
}

static void model_count(struct model *m, unsigned count)
{
	m->half = false;
	m->reload = count;
	m->null_count = true;
	if (m->mode == 0)
		m->out = false;
	if (m->mode == 0 || m->mode == 4 || ((m->mode == 2 || m->mode == 3) && !m->valid))
		m->load = true;
}

static void model_gate(struct model *m, bool gate)
{
	if (gate && !m->gate && (m->mode == 1 || m->mode == 5 || m->mode == 2 || m->mode == 3) && m->reload != 0)
		m->trigger = true;
	if (!gate && (m->mode == 2 || m->mode == 3)) {
		m->out = true;
		m->trigger = false;
	}
	m->gate = gate;
}

static void model_load(struct model *m)
{
	m->active = m->reload;
	m->element = m->mode == 3 ? m->reload & ~1u : m->reload;
	m->valid = true;
	m->null_count = false;
	m->load = false;
	m->trigger = false;
	m->strobe_done = false;
}

static void model_clock(struct model *m)
{
	if (m->load || m->trigger) {
		model_load(m);
		m->out = m->mode != 0 && m->mode != 1;
		return;
	}
	if (!m->valid || (!m->gate && m->mode != 1 && m->mode != 5) || (m->half && m->mode == 0))
		return;
	switch (m->mode) {
	case 2:
		if (m->element == 1) {
			model_load(m);
			m->out = true;
		} else if (--m->element == 1) {
			m->out = false;
		}
		return;
	case 3:
		/* The high half of an odd count has one clock more, at 0. */
		if (m->element == 0 || (m->element == 2 && !(m->out && (m->active & 1)))) {
			m->out = !m->out;
			model_load(m);
		} else {
			m->element -= 2;
		}
		return;
	default:
		m->element = m->element == 0 ? m->span - 1 : m->element - 1;
		if (m->mode == 0 || m->mode == 1) {
			m->out |= m->element == 0;
		} else {
			m->out = m->element != 0 || m->strobe_done;
			m->strobe_done |= m->element == 0;
		}
	}
}

static unsigned to_number(unsigned raw, bool bcd)
{
	unsigned v = raw;

	if (bcd)
		v = (raw >> 12) * 1000 + (raw >> 8 & 15) * 100 + (raw >> 4 & 15) * 10 + (raw & 15);
	return v;
}

static unsigned to_raw(unsigned v, bool bcd)
{
	return bcd ? v / 1000 % 10 << 12 | v / 100 % 10 << 8 | v / 10 % 10 << 4 | v % 10 : v & 0xffff;
}

static void compare(struct vpit_channel *c, const struct model *m, uint64_t now)
{
	bool bcd = m->span == 10000;
	unsigned lo, hi, status;

	vpit_channel_latch_count(c, now);
	vpit_channel_latch_status(c, now);
	status = vpit_channel_read(c, now);
	lo = vpit_channel_read(c, now);
	hi = vpit_channel_read(c, now);
	assert_int_equal((status & PIT_STATUS_OUT) != 0, m->out);
	assert_int_equal(vpit_channel_out(c, now), m->out);
	assert_int_equal((status & PIT_STATUS_NULL) != 0, m->null_count);
	if (m->valid)
		assert_int_equal(to_number(lo | hi << 8, bcd) % m->span, m->element % m->span);
}

static unsigned random_count(unsigned mode, bool bcd)
{
	unsigned min = mode == 2 || mode == 3 ? 2 : 1;

	switch (rand() % 8) {
	case 0:
		return bcd ? 10000 : 65536;
	case 1:
		return min + (unsigned)rand() % 9998;
	default:
		return min + (unsigned)rand() % 12;
	}
}

static void random_step(struct vpit_channel *c, struct model *m, uint64_t now, unsigned kinds)
{
	unsigned what = (unsigned)rand() % kinds, mode = (unsigned)rand() % 6, count;
	bool bcd = rand() % 2;

	if (what == 0) {
		vpit_channel_control(c, (uint8_t)(PIT_CW_RW_BOTH |
						  (mode + (mode == 2 || mode == 3 ? ((unsigned)rand() & 4u) : 0)) << 1 |
						  (bcd ? PIT_CW_BCD : 0)));
		model_control(m, mode, bcd);
	} else if (what == 1) {
		vpit_channel_gate(c, !m->gate, now);
		model_gate(m, !m->gate);
	} else if (what == 2 && !m->half) {
		/* Half of a count: to be completed by a later step. */
		vpit_channel_write(c, 0, now);
		model_half(m);
	} else if (what == 3 || (what == 4 && m->half)) {
		bcd = m->span == 10000;
		count = random_count(m->mode, bcd);
		if (m->half) {
			unsigned hi = to_raw(count, bcd) >> 8;

			vpit_channel_write(c, (uint8_t)hi, now);
			count = to_number(hi << 8, bcd);
			model_count(m, count == 0 ? m->span : count);
		} else {
			vpit_channel_write(c, (uint8_t)to_raw(count, bcd), now);
			model_half(m);
			vpit_channel_write(c, (uint8_t)(to_raw(count, bcd) >> 8), now);
			model_count(m, count);
		}
	}
}

/* Every clock of ten thousand random programs shows the same count, output and null flag as the model. */
static void test_counter_against_model(void **state)
{
	(void)state;
	srand(5);
	for (unsigned run = 0; run < 10000; run++) {
		struct vpit_channel c;
		struct model m = {.gate = rand() % 2};
		uint64_t now = (uint64_t)rand() << 20;
		unsigned mode = (unsigned)rand() % 6;
		bool bcd = rand() % 2;

		vpit_channel_reset(&c, m.gate);
		vpit_channel_control(&c, (uint8_t)(PIT_CW_RW_BOTH | mode << 1 | (bcd ? PIT_CW_BCD : 0)));
		model_control(&m, mode, bcd);
		for (unsigned step = 0; step < 40; step++) {
			random_step(&c, &m, now, rand() % 20 == 0 ? 5 : 4 + 16);
			compare(&c, &m, now);
			for (unsigned n = (unsigned)rand() % 12; n != 0; n--) {
				now++;
				model_clock(&m);
				if (rand() % 3 == 0)
					compare(&c, &m, now);
			}
		}
	}
}

/* The short way of reading says and leaves behind what the long one does. */
static void test_ways_of_reading(void **state)
{
	static const uint8_t controls[] = {PIT_CW_RW_BOTH | PIT_MODE_RATE << 1, PIT_CW_RW_BOTH | PIT_MODE_RATE << 1,
					   PIT_CW_RW_BOTH | PIT_MODE_SQUARE << 1, PIT_CW_RW_LSB | PIT_MODE_RATE << 1,
					   PIT_CW_RW_BOTH | PIT_MODE_RATE << 1 | PIT_CW_BCD};

	(void)state;
	srand(6);
	for (unsigned run = 0; run < 20000; run++) {
		struct vpit_channel c;
		uint64_t now = (uint64_t)rand() << 20;

		vpit_channel_reset(&c, rand() % 2);
		vpit_channel_control(&c, controls[(unsigned)rand() % ARRAY_LEN(controls)]);
		for (unsigned step = 0; step < 40; step++) {
			struct vpit_channel other;

			now += (unsigned)rand() % 3 == 0 ? (unsigned)rand() % 100000 : (unsigned)rand() % 4;
			switch ((unsigned)rand() % 16) {
			case 0:
				vpit_channel_write(&c, (uint8_t)rand(), now);
				break;
			case 1:
				vpit_channel_write(&c, (uint8_t)rand(), now);
				vpit_channel_write(&c, (uint8_t)(rand() % 2), now);
				break;
			case 2:
				vpit_channel_latch_count(&c, now);
				break;
			case 3:
				vpit_channel_latch_status(&c, now);
				break;
			case 4:
				vpit_channel_gate(&c, rand() % 4 != 0, now);
				break;
			default:
				break;
			}
			memcpy(&other, &c, sizeof(c));
			assert_int_equal(vpit_channel_read(&c, now), vpit_channel_read_any(&other, now));
			assert_memory_equal(&other, &c, sizeof(c));
		}
	}
}

/* next_rise() names exactly the clocks at which the stepped output rises. */
static void test_next_rise_against_model(void **state)
{
	(void)state;
	srand(6);
	for (unsigned run = 0; run < 5000; run++) {
		struct vpit_channel c;
		struct model m = {.gate = true};
		uint64_t now = 1000;
		unsigned modes[] = {0, 2, 3, 4}, mode = modes[rand() % 4];

		vpit_channel_reset(&c, true);
		vpit_channel_control(&c, (uint8_t)(PIT_CW_RW_BOTH | mode << 1));
		model_control(&m, mode, false);
		for (unsigned step = 0; step < 60; step++) {
			if (rand() % 8 == 0) {
				unsigned count = 2 + (unsigned)rand() % 14;

				vpit_channel_write(&c, (uint8_t)count, now);
				vpit_channel_write(&c, 0, now);
				model_count(&m, count);
			}
			uint64_t rise = vpit_channel_next_rise(&c, now);
			bool before = m.out;

			now++;
			model_clock(&m);
			assert_int_equal(!before && m.out, rise == now);
			assert_true(rise >= now);
		}
	}
}

/* Digits above 9 and counts that are illegal must do no harm, whatever they do. */
static void test_hostile_counts(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 8; mode++)
		for (unsigned raw = 0; raw < 65536; raw += raw < 3 ? 1 : 251) {
			struct vpit_channel c;

			vpit_channel_reset(&c, true);
			vpit_channel_control(&c, (uint8_t)(PIT_CW_RW_BOTH | mode << 1 | PIT_CW_BCD));
			vpit_channel_write(&c, (uint8_t)raw, 5);
			vpit_channel_write(&c, (uint8_t)(raw >> 8), 5);
			for (uint64_t now = 5; now < UINT64_MAX / 3; now = now * 3 + 1) {
				vpit_channel_read(&c, now);
				assert_true(vpit_channel_next_rise(&c, now) > now);
			}
		}
}

/* ---- The part on a bus. Two ticks of the clock are one input clock: a part is slower than the clock. ---- */

#define TICKS 2u

struct bench {
	struct vpit pit;
	struct bus ports;
	struct fake_clock clock;
	struct fake_line line;
};

static struct bench *setup_hz(uint64_t hz)
{
	static struct bench b;
	struct irq_line line = fake_line(&b.line, 0);

	memset(&b, 0, sizeof(b));
	fake_clock_init(&b.clock, hz);
	bus_init(&b.ports);
	vpit_init(&b.pit, &b.clock.clock, &line);
	assert_int_equal(vpit_register(&b.pit, &b.ports), 0);
	return &b;
}

static struct bench *setup(void)
{
	return setup_hz(TICKS * PIT_HZ);
}

/* Time passes that the part has no turn in: its alarms are late. */
static void pass(struct bench *b, uint64_t clocks)
{
	b->clock.now += clocks * TICKS;
}

static void run(struct bench *b, uint64_t clocks)
{
	fake_clock_run(&b->clock, clocks * TICKS);
}

static unsigned in(struct bench *b, unsigned port)
{
	uint64_t v = 0;

	assert_true(bus_read(&b->ports, port, 1, &v));
	return (unsigned)v;
}

static void out(struct bench *b, unsigned port, unsigned value)
{
	assert_true(bus_write(&b->ports, port, 1, value));
}

static void program(struct bench *b, unsigned channel, unsigned mode, unsigned count)
{
	out(b, PIT_CONTROL, channel << 6 | PIT_CW_RW_BOTH | mode << 1);
	out(b, PIT_CH0 + channel, count & 0xff);
	out(b, PIT_CH0 + channel, count >> 8 & 0xff);
}

static unsigned read16(struct bench *b, unsigned channel)
{
	unsigned lo = in(b, PIT_CH0 + channel);

	return lo | in(b, PIT_CH0 + channel) << 8;
}

static void test_power_on(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(in(b, PIT_CONTROL), 0xff);
	assert_int_equal(in(b, PORT61), 0);
	assert_int_equal(read16(b, 0), 0);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	assert_int_equal(b->line.calls, 0);
}

static void test_byte_access_modes(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, PIT_CONTROL, 0x14); /* channel 0, low byte only, mode 2 */
	out(b, PIT_CH0, 200);
	pass(b, 1);
	assert_int_equal(in(b, PIT_CH0), 200);
	pass(b, 1);
	assert_int_equal(in(b, PIT_CH0), 199);
	out(b, PIT_CONTROL, 0x24); /* high byte only */
	out(b, PIT_CH0, 3);
	pass(b, 2);
	assert_int_equal(in(b, PIT_CH0), 2);
	out(b, PIT_CONTROL, 0x00); /* latch in one-byte mode: one byte */
	pass(b, 300);
	assert_int_equal(in(b, PIT_CH0), 2);
	assert_int_equal(in(b, PIT_CH0), 1);
}

static void test_latch(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 10000);
	pass(b, 1 + 1000);
	out(b, PIT_CONTROL, 0x00);
	pass(b, 1000);
	out(b, PIT_CONTROL, 0x00); /* ignored: the first has not been read */
	assert_int_equal(read16(b, 0), 9000);
	assert_int_equal(read16(b, 0), 8000);
	out(b, PIT_CONTROL, 0x00);
	out(b, PIT_CONTROL, 0x34); /* programming drops the latch */
	out(b, PIT_CH0, 16);
	out(b, PIT_CH0, 0);
	pass(b, 1);
	assert_int_equal(read16(b, 0), 16);
}

static void test_read_back(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 1000);
	program(b, 1, 3, 500);
	out(b, PIT_CONTROL, 0xee); /* status of all three; 2 is as after power-on */
	assert_int_equal(in(b, PIT_CH0), 0x80 | 0x40 | 0x34);
	assert_int_equal(in(b, PIT_CH1), 0x80 | 0x40 | 0x36);
	assert_int_equal(in(b, PIT_CH2), 0x40 | 0x30);
	pass(b, 11);
	out(b, PIT_CONTROL, 0xc6); /* count and status of 0 and 1 */
	pass(b, 100);
	out(b, PIT_CONTROL, 0xe2); /* status latched already: ignored */
	assert_int_equal(in(b, PIT_CH0), 0x80 | 0x34);
	assert_int_equal(read16(b, 0), 990);
	assert_int_equal(in(b, PIT_CH1), 0x80 | 0x36);
	assert_int_equal(read16(b, 1), 480);
	assert_int_equal(read16(b, 0), 890);
	out(b, PIT_CONTROL, 0xd4); /* only the count, of 1 */
	assert_int_equal(read16(b, 1), 280);
	out(b, PIT_CONTROL, 0xfe); /* neither: nothing */
	assert_int_equal(read16(b, 0), 890);
}

static void test_bcd(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, PIT_CONTROL, 0x31); /* mode 0, BCD */
	out(b, PIT_CH0, 0x00);
	out(b, PIT_CH0, 0x10);
	pass(b, 2);
	assert_int_equal(read16(b, 0), 0x0999);
	fake_clock_run_to(&b->clock, 1000 * TICKS);
	assert_false(b->line.high);
	fake_clock_run_to(&b->clock, 1001 * TICKS);
	assert_true(b->line.high);
	pass(b, 1);
	assert_int_equal(read16(b, 0), 0x9999);
}

static void test_terminal_count_interrupt(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 100);
	assert_true(b->line.high);
	program(b, 0, 0, 1000);
	assert_false(b->line.high);
	run(b, 1000);
	assert_false(b->line.high);
	run(b, 1);
	assert_true(b->line.high);
	assert_int_equal(b->line.rises, 2);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	out(b, PIT_CH0, 50); /* half a count lowers the output already */
	assert_false(b->line.high);
	run(b, 100000);
	assert_false(b->line.high);
	out(b, PIT_CH0, 0);
	run(b, 51);
	assert_true(b->line.high);
}

static void test_rate_interrupts(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned mode = 2; mode <= 3; mode++) {
		program(b, 0, mode, 11931);
		unsigned before = b->line.rises;

		run(b, 1 + 11931 * 100);
		assert_int_equal(b->line.rises - before, 100);
		assert_true(b->line.high);
	}
}

static void test_count_of_zero_is_the_longest(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 0);
	unsigned before = b->line.rises;

	run(b, 65536);
	assert_int_equal(b->line.rises, before);
	run(b, 1);
	assert_int_equal(b->line.rises, before + 1);
}

static void test_strobe_interrupt(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 4, 500);
	unsigned before = b->line.rises;

	run(b, 501);
	assert_int_equal(b->line.rises, before);
	run(b, 1);
	assert_int_equal(b->line.rises, before + 1);
	run(b, 200000);
	assert_int_equal(b->line.rises, before + 1);
}

/* A guest kept off its CPU for a second of 1 ms ticks gets one tick, then the next in time. */
static void test_no_burst(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 1193);
	unsigned before = b->line.rises;

	pass(b, 1193182);
	assert_int_equal(vclock_expire(&b->clock.clock, b->clock.now), 1);
	assert_int_equal(b->line.rises, before + 1);
	assert_int_equal(vclock_expire(&b->clock.clock, b->clock.now), 0);
	assert_int_equal(vclock_next(&b->clock.clock), TICKS * (1 + 1193 * (1193182 / 1193 + 1)));
}

static void test_absurd_rates_are_bounded(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 1);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	for (unsigned count = 2; count < 100; count++) {
		program(b, 0, 2, count);
		unsigned before = b->line.rises;

		run(b, 64000);
		assert_in_range(b->line.rises - before, 64000 / 100, 64000 / VPIT_MIN_EDGE_CLOCKS);
	}
}

static void test_expire_ahead_of_the_clock(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 1000);
	unsigned before = b->line.rises;

	vclock_expire(&b->clock.clock, TICKS * 1001); /* the clock itself still says 0 */
	assert_int_equal(b->line.rises, before + 1);
	assert_int_equal(vclock_next(&b->clock.clock), TICKS * 2001);
}

/* How Linux measures its TSC: gate off, mode 0 on channel 2, gate on, wait for bit 5. */
static void test_port61(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, PORT61, 0xff);
	assert_int_equal(in(b, PORT61) & 0xcf, 0x0f);
	out(b, PORT61, 0x00);
	program(b, 2, 0, 5000);
	pass(b, 10000);
	assert_int_equal(in(b, PORT61) & 0x2f, 0x00); /* the gate is closed: nothing counts */
	out(b, PORT61, PORT61_GATE2);
	pass(b, 4999);
	assert_int_equal(in(b, PORT61) & PORT61_OUT2, 0);
	pass(b, 1);
	assert_int_equal(in(b, PORT61) & PORT61_OUT2, PORT61_OUT2);
	assert_int_equal(b->line.calls, 0);
}

static void test_refresh_toggles(void **state)
{
	struct bench *b = setup();
	unsigned toggles = 0, last = in(b, PORT61) & PORT61_REFRESH;

	(void)state;
	for (unsigned i = 0; i < 18 * 50; i++) {
		pass(b, 1);
		unsigned bit = in(b, PORT61) & PORT61_REFRESH;

		toggles += bit != last;
		last = bit;
	}
	assert_int_equal(toggles, 50);
}

static void test_reset(void **state)
{
	struct bench *b = setup();

	(void)state;
	program(b, 0, 2, 100);
	out(b, PORT61, 3);
	vpit_reset(&b->pit);
	assert_false(b->line.high);
	assert_int_equal(in(b, PORT61) & 0x0f, 0);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
}

/* With a clock that is no multiple of the PIT's, alarms are never a count early. */
static void test_real_clock_rate(void **state)
{
	struct bench *b = setup_hz(2999999999ull);

	(void)state;
	program(b, 0, 2, 1193);
	unsigned before = b->line.rises;

	fake_clock_run(&b->clock, 2999999999ull * 10);
	assert_int_equal(b->line.rises - before, 1193182 * 10 / 1193);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counter_against_model),
		cmocka_unit_test(test_ways_of_reading),
		cmocka_unit_test(test_next_rise_against_model),
		cmocka_unit_test(test_hostile_counts),
		cmocka_unit_test(test_power_on),
		cmocka_unit_test(test_byte_access_modes),
		cmocka_unit_test(test_latch),
		cmocka_unit_test(test_read_back),
		cmocka_unit_test(test_bcd),
		cmocka_unit_test(test_terminal_count_interrupt),
		cmocka_unit_test(test_rate_interrupts),
		cmocka_unit_test(test_count_of_zero_is_the_longest),
		cmocka_unit_test(test_strobe_interrupt),
		cmocka_unit_test(test_no_burst),
		cmocka_unit_test(test_absurd_rates_are_bounded),
		cmocka_unit_test(test_expire_ahead_of_the_clock),
		cmocka_unit_test(test_port61),
		cmocka_unit_test(test_refresh_toggles),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_real_clock_rate),
	};

	return cmocka_run_group_tests_name("vpit", tests, NULL, NULL);
}
