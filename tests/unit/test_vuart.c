/* The serial port, register by register, against the PC16550D data sheet. The port sits on a bus and is touched only
 * through its ports, its line, its sink and the two calls its owner has. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fake/fake_device.h"
#include "vmm/devices/vuart.h"

#define COM1 UART_COM1_BASE
#define HZ 1000000000ull

struct bench {
	struct vuart uart;
	struct bus ports;
	struct fake_clock clock;
	struct fake_line line;
	struct fake_sink sink;
	unsigned room_calls;
	const uint8_t *feed; /* given to the port from rx_room() */
	size_t feed_left;
};

static void on_room(void *ctx)
{
	struct bench *b = ctx;

	b->room_calls++;
	while (b->feed_left != 0 && vuart_receive(&b->uart, *b->feed)) {
		b->feed++;
		b->feed_left--;
	}
}

static struct bench *setup(void)
{
	static struct bench b;
	struct vuart_wiring w;

	memset(&b, 0, sizeof(b));
	fake_clock_init(&b.clock, HZ);
	bus_init(&b.ports);
	b.sink.room = FAKE_SINK_BYTES;
	w = (struct vuart_wiring){.irq = fake_line(&b.line, UART_COM1_IRQ),
				  .clock = &b.clock.clock,
				  .tx = fake_sink(&b.sink),
				  .rx_room = on_room,
				  .rx_ctx = &b};
	vuart_init(&b.uart, &w);
	assert_int_equal(vuart_register(&b.uart, &b.ports, COM1, "com1"), 0);
	return &b;
}

static unsigned in(struct bench *b, unsigned reg)
{
	uint64_t v = 0;

	assert_true(bus_read(&b->ports, COM1 + reg, 1, &v));
	return (unsigned)v;
}

static void out(struct bench *b, unsigned reg, unsigned value)
{
	assert_true(bus_write(&b->ports, COM1 + reg, 1, value));
}

/* FIFOs on, all interrupts that `ier` names, the PC's gate open, 115200 8N1. */
static void start(struct bench *b, unsigned ier)
{
	out(b, UART_LCR, UART_LCR_DLAB | UART_LCR_WLS_8);
	out(b, UART_DLL, 1);
	out(b, UART_DLM, 0);
	out(b, UART_LCR, UART_LCR_WLS_8);
	out(b, UART_FCR, UART_FCR_ENABLE);
	out(b, UART_MCR, UART_MCR_OUT2);
	out(b, UART_IER, ier);
}

static void test_reset_values(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(in(b, UART_RBR), 0);
	assert_int_equal(in(b, UART_IER), 0);
	assert_int_equal(in(b, UART_IIR), 0x01);
	assert_int_equal(in(b, UART_LCR), 0);
	assert_int_equal(in(b, UART_MCR), 0);
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_int_equal(in(b, UART_MSR), 0xb0);
	assert_int_equal(in(b, UART_SCR), 0);
	assert_int_equal(b->line.calls, 0);
}

static void test_plain_registers(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		out(b, UART_SCR, v);
		assert_int_equal(in(b, UART_SCR), v);
		out(b, UART_LCR, v);
		assert_int_equal(in(b, UART_LCR), v);
		out(b, UART_LCR, 0);
		out(b, UART_IER, v);
		assert_int_equal(in(b, UART_IER), v & 0x0f);
		out(b, UART_MCR, v);
		assert_int_equal(in(b, UART_MCR), v & 0x1f);
		out(b, UART_MCR, 0);
		out(b, UART_LSR, v); /* read-only */
		assert_int_equal(in(b, UART_LSR) & 0x60, 0x60);
	}
}

static void test_dlab_switches_two_registers(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, UART_IER, UART_IER_ELSI);
	out(b, UART_LCR, UART_LCR_DLAB);
	assert_int_equal(in(b, UART_DLL), 12);
	out(b, UART_DLL, 0x34);
	out(b, UART_DLM, 0x12);
	assert_int_equal(in(b, UART_DLL), 0x34);
	assert_int_equal(in(b, UART_DLM), 0x12);
	assert_int_equal(b->sink.count, 0);
	out(b, UART_LCR, 0);
	assert_int_equal(in(b, UART_IER), UART_IER_ELSI);
	out(b, UART_THR, 'x');
	assert_int_equal(b->sink.count, 1);
	out(b, UART_LCR, UART_LCR_DLAB);
	assert_int_equal(in(b, UART_DLL), 0x34);
}

/* How Linux tells the chips apart: IIR bits 7:6 after FCR. */
static void test_identification(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(in(b, UART_IIR), 0x01);
	out(b, UART_FCR, UART_FCR_ENABLE);
	assert_int_equal(in(b, UART_IIR), 0xc1);
	out(b, UART_FCR, 0xc8); /* without the enable bit everything is off */
	assert_int_equal(in(b, UART_IIR), 0x01);
}

static void test_transmit(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, UART_THR, 'a');
	out(b, UART_THR, 'b');
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_memory_equal(b->sink.bytes, "ab", 2);
	assert_int_equal(b->uart.tx_bytes, 2);
}

static void test_transmit_back_pressure(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_ETBEI);
	assert_int_equal(in(b, UART_IIR), 0xc2);
	b->sink.room = 1;
	out(b, UART_THR, 'a');
	assert_true(b->line.high);
	out(b, UART_THR, 'b'); /* stays */
	assert_false(b->line.high);
	assert_int_equal(in(b, UART_LSR), 0);
	assert_int_equal(in(b, UART_IIR), 0xc1);
	assert_true(vuart_tx_waiting(&b->uart));
	for (unsigned i = 0; i < 15; i++)
		out(b, UART_THR, 'c' + i);
	out(b, UART_THR, '!');     /* the seventeenth has no place */
	vuart_tx_resume(&b->uart); /* still no room */
	assert_int_equal(in(b, UART_LSR), 0);
	b->sink.room = 3;
	vuart_tx_resume(&b->uart);
	assert_int_equal(in(b, UART_LSR), 0);
	assert_false(b->line.high);
	b->sink.room = 100;
	vuart_tx_resume(&b->uart);
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_true(b->line.high);
	assert_int_equal(b->sink.count, 17);
	assert_memory_equal(b->sink.bytes, "abcdefghijklmnopq", 17);
	assert_int_equal(in(b, UART_IIR), 0xc2);
	vuart_tx_resume(&b->uart); /* nothing waits: no new event */
	assert_int_equal(in(b, UART_IIR), 0xc1);
}

static void test_transmit_back_pressure_no_fifo(void **state)
{
	struct bench *b = setup();

	(void)state;
	b->sink.room = 0;
	out(b, UART_THR, 'a');
	assert_int_equal(in(b, UART_LSR), 0);
	out(b, UART_THR, 'b'); /* overwrites the holding register */
	b->sink.room = 9;
	vuart_tx_resume(&b->uart);
	assert_int_equal(b->sink.count, 1);
	assert_int_equal(b->sink.bytes[0], 'b');
}

static void test_thre_interrupt(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, 0);
	assert_false(b->line.high);
	out(b, UART_IER, UART_IER_ETBEI); /* enabling with an empty holding register raises it */
	assert_true(b->line.high);
	assert_int_equal(b->line.pin, UART_COM1_IRQ);
	assert_int_equal(in(b, UART_IIR), 0xc2); /* reading takes it back */
	assert_false(b->line.high);
	assert_int_equal(in(b, UART_IIR), 0xc1);
	out(b, UART_IER, UART_IER_ETBEI); /* no rising bit, no event */
	assert_int_equal(in(b, UART_IIR), 0xc1);
	out(b, UART_THR, 'x');
	assert_true(b->line.high);
	unsigned rises = b->line.rises;

	out(b, UART_THR, 'y'); /* not read in between: an edge all the same */
	assert_int_equal(b->line.rises, rises + 1);
	out(b, UART_IER, 0);
	assert_false(b->line.high);
	out(b, UART_IER, UART_IER_ETBEI);
	assert_int_equal(in(b, UART_IIR), 0xc2);
}

static void test_iir_read_clears_only_what_it_reports(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_ETBEI | UART_IER_ERBFI);
	assert_true(vuart_receive(&b->uart, 'r'));
	assert_int_equal(in(b, UART_IIR), 0xc4);
	assert_int_equal(in(b, UART_IIR), 0xc4);
	assert_int_equal(in(b, UART_RBR), 'r');
	assert_int_equal(in(b, UART_IIR), 0xc2);
	assert_int_equal(in(b, UART_IIR), 0xc1);
}

static void test_irq_gate(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_ETBEI);
	assert_true(b->line.high);
	out(b, UART_MCR, 0);
	assert_false(b->line.high);
	assert_int_equal(in(b, UART_IIR), 0xc2); /* the part itself has it */
	out(b, UART_THR, 'x');
	assert_false(b->line.high);
	out(b, UART_MCR, UART_MCR_OUT2);
	assert_true(b->line.high);
}

static void test_receive_without_fifo(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_ERBFI);
	out(b, UART_FCR, 0);
	assert_true(vuart_receive(&b->uart, 'a'));
	assert_true(b->line.high);
	assert_int_equal(in(b, UART_LSR), 0x61);
	assert_false(vuart_receive(&b->uart, 'b'));
	assert_int_equal(in(b, UART_LSR), 0x61); /* refused, not overrun */
	assert_int_equal(in(b, UART_IIR), 0x04);
	assert_int_equal(b->room_calls, 0);
	assert_int_equal(in(b, UART_RBR), 'a');
	assert_int_equal(b->room_calls, 1);
	assert_false(b->line.high);
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_int_equal(in(b, UART_RBR), 0);
	assert_int_equal(b->room_calls, 1);
}

static void test_receive_trigger_levels(void **state)
{
	static const uint8_t levels[] = {1, 4, 8, 14};

	(void)state;
	for (unsigned t = 0; t < 4; t++) {
		struct bench *b = setup();

		start(b, UART_IER_ERBFI);
		out(b, UART_FCR, UART_FCR_ENABLE | t << 6);
		for (unsigned i = 0; i < UART_FIFO_BYTES; i++) {
			assert_int_equal(b->line.high, i >= levels[t]);
			assert_true(vuart_receive(&b->uart, (uint8_t)i));
		}
		assert_false(vuart_receive(&b->uart, 0xff));
		for (unsigned i = 0; i < UART_FIFO_BYTES; i++) {
			assert_int_equal(in(b, UART_IIR), UART_FIFO_BYTES - i >= levels[t] ? 0xc4 : 0xc1);
			assert_int_equal(in(b, UART_LSR), 0x61);
			assert_int_equal(in(b, UART_RBR), i);
		}
		assert_int_equal(in(b, UART_LSR), 0x60);
		assert_int_equal(b->room_calls, 1);
	}
}

/* 4 characters of 10 bits at 115200 are 347.2 us. */
static void test_character_timeout(void **state)
{
	const uint64_t four = 4 * 10 * 16 * HZ / UART_CLOCK_HZ;
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_ERBFI);
	out(b, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER_14);
	assert_true(vuart_receive(&b->uart, 'a'));
	fake_clock_run(&b->clock, four - 1);
	assert_false(b->line.high);
	assert_true(vuart_receive(&b->uart, 'b')); /* an arrival starts it anew */
	fake_clock_run(&b->clock, four - 1);
	assert_false(b->line.high);
	fake_clock_run(&b->clock, 1);
	assert_true(b->line.high);
	assert_int_equal(in(b, UART_IIR), 0xcc);
	assert_int_equal(in(b, UART_RBR), 'a'); /* a read clears and starts it anew */
	assert_int_equal(in(b, UART_IIR), 0xc1);
	assert_false(b->line.high);
	fake_clock_run(&b->clock, four);
	assert_int_equal(in(b, UART_IIR), 0xcc);
	assert_int_equal(in(b, UART_RBR), 'b');
	assert_int_equal(in(b, UART_IIR), 0xc1);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER); /* empty: no alarm is left */
}

static void test_timeout_follows_line_settings(void **state)
{
	static const struct {
		uint8_t lcr;
		uint16_t divisor;
		unsigned bits;
	} rows[] = {{0x00, 1, 7}, {0x03, 12, 10}, {0x07, 12, 11}, {0x1f, 96, 12}, {0x03, 0xffff, 10}, {0x03, 0, 10}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct bench *b = setup();
		uint64_t divisor = rows[i].divisor == 0 ? 1 : rows[i].divisor;

		start(b, UART_IER_ERBFI);
		out(b, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER_8);
		out(b, UART_LCR, rows[i].lcr | UART_LCR_DLAB);
		out(b, UART_DLL, rows[i].divisor & 0xff);
		out(b, UART_DLM, rows[i].divisor >> 8);
		out(b, UART_LCR, rows[i].lcr);
		assert_true(vuart_receive(&b->uart, 'a'));
		assert_int_equal(vclock_next(&b->clock.clock), 4 * rows[i].bits * 16 * divisor * HZ / UART_CLOCK_HZ);
	}
}

static void test_timeout_needs_interest(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, 0);
	out(b, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER_4);
	assert_true(vuart_receive(&b->uart, 'a'));
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	out(b, UART_IER, UART_IER_ERBFI);
	assert_int_not_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	out(b, UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_TRIGGER_4);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	assert_int_equal(in(b, UART_LSR), 0x60);
}

static void test_priorities(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_MASK);
	out(b, UART_MCR, UART_MCR_OUT2 | UART_MCR_LOOP); /* modem lines move: deltas */
	for (unsigned i = 0; i < UART_FIFO_BYTES + 1; i++)
		out(b, UART_THR, i); /* the last one overruns */
	assert_int_equal(in(b, UART_IIR), 0xc6);
	assert_int_equal(in(b, UART_LSR), 0x63);
	assert_int_equal(in(b, UART_LSR), 0x61);
	assert_int_equal(in(b, UART_IIR), 0xc4);
	for (unsigned i = 0; i < UART_FIFO_BYTES; i++)
		assert_int_equal(in(b, UART_RBR), i);
	assert_int_equal(in(b, UART_IIR), 0xc2);
	assert_int_equal(in(b, UART_IIR), 0xc0);
	assert_int_equal(in(b, UART_MSR) & 0x0f, UART_MSR_DCTS | UART_MSR_DDSR);
	assert_int_equal(in(b, UART_IIR), 0xc1);
	assert_false(b->line.high);
}

static void test_loopback_modem_lines(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, UART_MCR, UART_MCR_LOOP);
	assert_int_equal(in(b, UART_MSR), UART_MSR_DCTS | UART_MSR_DDSR | UART_MSR_DDCD);
	out(b, UART_MCR, UART_MCR_LOOP | UART_MCR_RTS);
	assert_int_equal(in(b, UART_MSR), UART_MSR_CTS | UART_MSR_DCTS);
	out(b, UART_MCR, UART_MCR_LOOP | UART_MCR_DTR);
	assert_int_equal(in(b, UART_MSR), UART_MSR_DSR | UART_MSR_DCTS | UART_MSR_DDSR);
	out(b, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1); /* the leading edge of RI is no event */
	assert_int_equal(in(b, UART_MSR), UART_MSR_RI | UART_MSR_DDSR);
	out(b, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
	assert_int_equal(in(b, UART_MSR), UART_MSR_DCD | UART_MSR_DDCD | UART_MSR_TERI);
	assert_int_equal(in(b, UART_MSR), UART_MSR_DCD);
	/* Linux's probe: loop, OUT2 and RTS must come back as DCD and CTS. */
	out(b, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	assert_int_equal(in(b, UART_MSR) & 0xf0, 0x90);
	out(b, UART_MCR, 0);
	assert_int_equal(in(b, UART_MSR) & 0xf0, 0xb0);
}

static void test_loopback_data(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_ERBFI);
	out(b, UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2);
	for (unsigned i = 0; i < UART_FIFO_BYTES; i++)
		out(b, UART_THR, 0x40 + i);
	assert_int_equal(b->sink.count, 0);
	assert_false(vuart_receive(&b->uart, 'z')); /* the outside is cut off */
	assert_int_equal(in(b, UART_LSR), 0x61);
	out(b, UART_THR, 0xee);
	assert_int_equal(in(b, UART_LSR), 0x63);
	for (unsigned i = 0; i < UART_FIFO_BYTES; i++)
		assert_int_equal(in(b, UART_RBR), 0x40 + i);
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_int_equal(b->room_calls, 0);
	out(b, UART_MCR, UART_MCR_OUT2);
	assert_int_equal(b->room_calls, 1);
}

static void test_loopback_overrun_without_fifo(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, UART_MCR, UART_MCR_LOOP);
	out(b, UART_THR, 1);
	out(b, UART_THR, 2);
	assert_int_equal(in(b, UART_LSR), 0x63);
	assert_int_equal(in(b, UART_RBR), 2); /* the single register is overwritten */
	assert_int_equal(in(b, UART_LSR), 0x60);
}

static void test_fifo_clear(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_ETBEI | UART_IER_ERBFI);
	assert_int_equal(in(b, UART_IIR), 0xc2);
	b->sink.room = 0;
	out(b, UART_THR, 't');
	assert_true(vuart_receive(&b->uart, 'r'));
	out(b, UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX);
	assert_int_equal(in(b, UART_LSR), 0);
	out(b, UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_TX);
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_int_equal(in(b, UART_IIR), 0xc2);
	out(b, UART_THR, 't');
	assert_true(vuart_receive(&b->uart, 'r'));
	out(b, UART_FCR, 0); /* leaving FIFO mode empties both */
	assert_int_equal(in(b, UART_LSR), 0x60);
	b->sink.room = 10;
	vuart_tx_resume(&b->uart);
	assert_int_equal(b->sink.count, 0);
}

/* A long input through a slow guest: every byte once, in order. */
static void test_nothing_lost_on_the_way_in(void **state)
{
	struct bench *b = setup();
	uint8_t text[1000];
	size_t got = 0;

	(void)state;
	start(b, UART_IER_ERBFI);
	out(b, UART_FCR, UART_FCR_ENABLE | UART_FCR_TRIGGER_8);
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(i * 7);
	b->feed = text;
	b->feed_left = sizeof(text);
	on_room(b);
	while (got < sizeof(text)) {
		if (!b->line.high)
			fake_clock_run(&b->clock, HZ / 1000);
		assert_true(b->line.high);
		for (unsigned n = 0; n < 1 + got % 20 && (in(b, UART_LSR) & UART_LSR_DR); n++)
			assert_int_equal(in(b, UART_RBR), text[got++]);
	}
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_int_equal(b->uart.rx_bytes, sizeof(text));
}

static void test_reset(void **state)
{
	struct bench *b = setup();

	(void)state;
	start(b, UART_IER_MASK);
	for (unsigned i = 0; i < 17; i++)
		(void)vuart_receive(&b->uart, 1);
	b->sink.room = 0;
	out(b, UART_THR, 'x');
	out(b, UART_SCR, 0x55);
	assert_true(b->line.high);
	vuart_reset(&b->uart);
	assert_false(b->line.high);
	assert_int_equal(b->room_calls, 1);
	assert_int_equal(vclock_next(&b->clock.clock), VCLOCK_NEVER);
	assert_int_equal(in(b, UART_LSR), 0x60);
	assert_int_equal(in(b, UART_IIR), 0x01);
	assert_int_equal(in(b, UART_IER), 0);
	assert_int_equal(in(b, UART_MCR), 0);
	assert_int_equal(in(b, UART_SCR), 0);
	assert_int_equal(in(b, UART_MSR), 0xb0);
}

static void test_wide_accesses(void **state)
{
	struct bench *b = setup();
	uint64_t v = 0;

	(void)state;
	out(b, UART_SCR, 0x77);
	assert_true(bus_read(&b->ports, COM1 + 4, 4, &v));
	assert_int_equal(v, 0x77b06000);
	assert_true(bus_write(&b->ports, COM1, 2, 0x0441)); /* THR, then IER */
	assert_int_equal(b->sink.count, 1);
	assert_int_equal(b->sink.bytes[0], 0x41);
	assert_int_equal(in(b, UART_IER), 4);
	assert_false(bus_read(&b->ports, COM1 + 7, 2, &v)); /* the upper byte is nobody's */
	assert_int_equal(v, 0xff77);
}

static void test_without_room_callback(void **state)
{
	struct bench *b = setup();

	(void)state;
	b->uart.wiring.rx_room = NULL;
	assert_true(vuart_receive(&b->uart, 1));
	assert_false(vuart_receive(&b->uart, 2));
	assert_int_equal(in(b, UART_RBR), 1);
	assert_true(vuart_receive(&b->uart, 2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reset_values),
		cmocka_unit_test(test_plain_registers),
		cmocka_unit_test(test_dlab_switches_two_registers),
		cmocka_unit_test(test_identification),
		cmocka_unit_test(test_transmit),
		cmocka_unit_test(test_transmit_back_pressure),
		cmocka_unit_test(test_transmit_back_pressure_no_fifo),
		cmocka_unit_test(test_thre_interrupt),
		cmocka_unit_test(test_iir_read_clears_only_what_it_reports),
		cmocka_unit_test(test_irq_gate),
		cmocka_unit_test(test_receive_without_fifo),
		cmocka_unit_test(test_receive_trigger_levels),
		cmocka_unit_test(test_character_timeout),
		cmocka_unit_test(test_timeout_follows_line_settings),
		cmocka_unit_test(test_timeout_needs_interest),
		cmocka_unit_test(test_priorities),
		cmocka_unit_test(test_loopback_modem_lines),
		cmocka_unit_test(test_loopback_data),
		cmocka_unit_test(test_loopback_overrun_without_fifo),
		cmocka_unit_test(test_fifo_clear),
		cmocka_unit_test(test_nothing_lost_on_the_way_in),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_wide_accesses),
		cmocka_unit_test(test_without_room_callback),
	};

	return cmocka_run_group_tests_name("vuart", tests, NULL, NULL);
}
