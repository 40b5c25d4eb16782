/* The keyboard controller without a keyboard, and port 0x92: what firmware and Linux's probe do to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fake/fake_device.h"
#include "vmm/devices/vi8042.h"

struct bench {
	struct vi8042 kbc;
	struct bus ports;
	struct fake_line line;
	unsigned resets, a20_calls;
	bool a20;
};

static void on_reset(void *ctx)
{
	((struct bench *)ctx)->resets++;
}

static void on_a20(void *ctx, bool enabled)
{
	struct bench *b = ctx;

	b->a20_calls++;
	b->a20 = enabled;
}

static struct bench *setup(void)
{
	static struct bench b;
	struct vi8042_wiring w;

	memset(&b, 0, sizeof(b));
	bus_init(&b.ports);
	w = (struct vi8042_wiring){.kbd_irq = fake_line(&b.line, 1), .reset = on_reset, .a20 = on_a20, .ctx = &b};
	vi8042_init(&b.kbc, &w);
	assert_int_equal(vi8042_register(&b.kbc, &b.ports), 0);
	return &b;
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

/* A command that must be answered. */
static unsigned ask(struct bench *b, unsigned command)
{
	out(b, I8042_COMMAND, command);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_OBF, I8042_STATUS_OBF);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_AUX, 0);
	unsigned byte = in(b, I8042_DATA);

	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_OBF, 0);
	return byte;
}

/* A command that must not be. */
static void tell(struct bench *b, unsigned command)
{
	out(b, I8042_COMMAND, command);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_OBF, 0);
}

static void test_initial(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(in(b, I8042_STATUS), I8042_STATUS_SYS | I8042_STATUS_KEYLOCK | I8042_STATUS_CMD);
	assert_int_equal(in(b, I8042_DATA), 0);
	assert_int_equal(ask(b, 0x20), 0x65);
	assert_int_equal(in(b, PORT92), PORT92_A20);
	assert_int_equal(b->resets + b->a20_calls, 0);
}

static void test_tests(void **state)
{
	struct bench *b = setup();

	(void)state;
	tell(b, 0x60);
	out(b, I8042_DATA, 0x00);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_SYS, 0);
	assert_int_equal(ask(b, I8042_CMD_SELF_TEST), 0x55);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_SYS, I8042_STATUS_SYS);
	assert_int_equal(ask(b, I8042_CMD_KBD_TEST), 0x00);
	assert_int_not_equal(ask(b, I8042_CMD_AUX_TEST), 0x00);
	assert_int_equal(ask(b, I8042_CMD_READ_INPUT), 0x80);
}

static void test_command_byte_and_ram(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned i = 0; i < 32; i++) {
		tell(b, 0x60 + i);
		out(b, I8042_DATA, 0x40 + i);
		assert_int_equal(ask(b, 0x20 + i), 0x40 + i);
	}
	tell(b, I8042_CMD_KBD_DISABLE);
	assert_int_equal(ask(b, 0x20) & I8042_CTR_KBD_OFF, I8042_CTR_KBD_OFF);
	tell(b, I8042_CMD_KBD_ENABLE);
	assert_int_equal(ask(b, 0x20) & I8042_CTR_KBD_OFF, 0);
}

static void test_status_follows_the_last_write(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, I8042_DATA, 0xf2);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_CMD, 0);
	tell(b, 0xff);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_CMD, I8042_STATUS_CMD);
}

/* Bytes to the keyboard, or to a mouse, vanish. */
static void test_nobody_there(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned v = 0; v < 256; v++) {
		out(b, I8042_DATA, v);
		assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_OBF, 0);
		tell(b, I8042_CMD_AUX_SEND);
		out(b, I8042_DATA, v);
		assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_OBF, 0);
	}
	assert_int_equal(b->resets, 0);
}

/* Linux: an AUX_LOOP answer without the AUX flag, then a failing AUX_TEST, means there is no mouse port. */
static void test_linux_aux_probe(void **state)
{
	struct bench *b = setup();

	(void)state;
	tell(b, I8042_CMD_AUX_LOOP);
	out(b, I8042_DATA, 0x5a);
	assert_int_equal(in(b, I8042_STATUS) & (I8042_STATUS_OBF | I8042_STATUS_AUX), I8042_STATUS_OBF);
	out(b, I8042_COMMAND, I8042_CMD_AUX_TEST); /* without reading the answer */
	unsigned answer = in(b, I8042_DATA);

	assert_true(answer != 0 && answer != 0xfa && answer != 0xff);
	assert_int_equal(in(b, I8042_STATUS) & I8042_STATUS_OBF, 0);
	tell(b, I8042_CMD_AUX_DISABLE);
	tell(b, I8042_CMD_AUX_ENABLE);
	assert_int_equal(ask(b, 0x20) & I8042_CTR_AUX_OFF, I8042_CTR_AUX_OFF);
}

static void test_keyboard_interrupt(void **state)
{
	struct bench *b = setup();

	(void)state;
	tell(b, I8042_CMD_KBD_LOOP);
	out(b, I8042_DATA, 0x1c);
	assert_true(b->line.high);
	out(b, I8042_COMMAND, 0xd1); /* does not touch the output buffer */
	out(b, I8042_DATA, 0x03);
	assert_true(b->line.high);
}

static void test_keyboard_interrupt_gate(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, I8042_COMMAND, 0x20);
	assert_true(b->line.high);
	assert_int_equal(in(b, I8042_DATA), 0x65);
	assert_false(b->line.high);
	tell(b, 0x60);
	out(b, I8042_DATA, 0x00);
	out(b, I8042_COMMAND, I8042_CMD_SELF_TEST);
	assert_false(b->line.high);
	assert_int_equal(in(b, I8042_DATA), 0x55);
	assert_int_equal(in(b, I8042_DATA), 0x55); /* the buffer keeps its byte */
}

static void test_reset_requests(void **state)
{
	struct bench *b = setup();
	unsigned expected = 0;

	(void)state;
	for (unsigned c = 0xf0; c <= 0xff; c++) {
		tell(b, c);
		expected += !(c & 1);
		assert_int_equal(b->resets, expected);
	}
	tell(b, I8042_CMD_WRITE_OUTPUT);
	out(b, I8042_DATA, 0x02);
	assert_int_equal(b->resets, expected + 1);
	out(b, I8042_DATA, 0x02); /* a keyboard byte now */
	assert_int_equal(b->resets, expected + 1);
	tell(b, I8042_CMD_WRITE_OUTPUT);
	tell(b, 0xaf); /* another command in between takes the wish back */
	out(b, I8042_DATA, 0x00);
	assert_int_equal(b->resets, expected + 1);
}

static void test_a20(void **state)
{
	struct bench *b = setup();

	(void)state;
	tell(b, I8042_CMD_WRITE_OUTPUT);
	out(b, I8042_DATA, 0x01);
	assert_int_equal(b->a20_calls, 1);
	assert_false(b->a20);
	assert_int_equal(in(b, PORT92), 0);
	assert_int_equal(ask(b, I8042_CMD_READ_OUTPUT) & 0x03, 0x01);
	out(b, PORT92, PORT92_A20);
	assert_true(b->a20);
	assert_int_equal(ask(b, I8042_CMD_READ_OUTPUT) & 0x03, 0x03);
	out(b, PORT92, PORT92_A20);
	assert_int_equal(b->a20_calls, 2);
	tell(b, 0xdd);
	assert_false(b->a20);
	tell(b, 0xdf);
	assert_true(b->a20);
	assert_int_equal(b->resets, 0);
	out(b, PORT92, 0x00);
	vi8042_reset(&b->kbc);
	assert_true(b->a20);
	b->kbc.wiring.a20 = NULL;
	tell(b, 0xdd);
}

static void test_port92_reset(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, PORT92, PORT92_A20 | PORT92_FAST_RESET);
	assert_int_equal(b->resets, 1);
	assert_int_equal(in(b, PORT92), 0x03);
	out(b, PORT92, PORT92_A20 | PORT92_FAST_RESET); /* no new edge */
	assert_int_equal(b->resets, 1);
	out(b, PORT92, 0xfe);
	out(b, PORT92, 0xff);
	assert_int_equal(b->resets, 2);
	assert_int_equal(in(b, PORT92), 0xff);
}

static void test_reset_state(void **state)
{
	struct bench *b = setup();

	(void)state;
	tell(b, 0x60);
	out(b, I8042_DATA, 0x01);
	tell(b, I8042_CMD_KBD_LOOP);
	out(b, I8042_DATA, 1);
	assert_true(b->line.high);
	vi8042_reset(&b->kbc);
	assert_false(b->line.high);
	assert_int_equal(in(b, I8042_STATUS), I8042_STATUS_SYS | I8042_STATUS_KEYLOCK | I8042_STATUS_CMD);
	assert_int_equal(ask(b, 0x20), 0x65);
}

static void test_every_command(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned c = 0; c < 256; c++)
		for (unsigned v = 0; v < 256; v += 17) {
			out(b, I8042_COMMAND, c);
			out(b, I8042_DATA, v);
			in(b, I8042_DATA);
			assert_int_equal(in(b, I8042_STATUS) & ~0x14u, 0);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_initial),
		cmocka_unit_test(test_tests),
		cmocka_unit_test(test_command_byte_and_ram),
		cmocka_unit_test(test_status_follows_the_last_write),
		cmocka_unit_test(test_nobody_there),
		cmocka_unit_test(test_linux_aux_probe),
		cmocka_unit_test(test_keyboard_interrupt),
		cmocka_unit_test(test_keyboard_interrupt_gate),
		cmocka_unit_test(test_reset_requests),
		cmocka_unit_test(test_a20),
		cmocka_unit_test(test_port92_reset),
		cmocka_unit_test(test_reset_state),
		cmocka_unit_test(test_every_command),
	};

	return cmocka_run_group_tests_name("vi8042", tests, NULL, NULL);
}
