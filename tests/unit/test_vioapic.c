/* The I/O APIC against the 82093AA data sheet: the windows, every bit of the entries, edge and level with masks, remote IRR
 * and its end by EOI broadcast, EOI register and the edge trick. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/devices/vioapic.h"

static struct {
	struct vioapic v;
	struct vioapic_msg last;
	unsigned sent;
	bool refuse;
} t;

static bool deliver(void *ctx, const struct vioapic_msg *msg)
{
	assert_ptr_equal(ctx, &t);
	t.last = *msg;
	t.sent++;
	return !t.refuse;
}

static int setup(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	vioapic_init(&t.v, deliver, &t);
	return 0;
}

static uint64_t mr(uint64_t offset, unsigned size)
{
	return vioapic_ops.read(&t.v, offset, size);
}

static void mw(uint64_t offset, unsigned size, uint64_t value)
{
	vioapic_ops.write(&t.v, offset, size, value);
}

static uint32_t get(unsigned index)
{
	mw(IOAPIC_REGSEL, 4, index);
	return (uint32_t)mr(IOAPIC_WIN, 4);
}

static void put(unsigned index, uint32_t value)
{
	mw(IOAPIC_REGSEL, 4, index);
	mw(IOAPIC_WIN, 4, value);
}

static uint64_t get_entry(unsigned pin)
{
	return get(0x10 + pin * 2) | (uint64_t)get(0x11 + pin * 2) << 32;
}

static void put_entry(unsigned pin, uint64_t value)
{
	put(0x11 + pin * 2, (uint32_t)(value >> 32));
	put(0x10 + pin * 2, (uint32_t)value);
}

static void test_registers(void **state)
{
	(void)state;
	assert_int_equal(get(IOAPIC_VER), 0x00170020);
	assert_int_equal(get(IOAPIC_ID), 0);
	put(IOAPIC_ID, 0xffffffff);
	assert_int_equal(get(IOAPIC_ID), 0x0f000000);
	assert_int_equal(get(IOAPIC_ARB), 0x0f000000);
	put(IOAPIC_VER, 0);
	put(IOAPIC_ARB, 0);
	assert_int_equal(get(IOAPIC_VER), 0x00170020);
	assert_int_equal(get(IOAPIC_ARB), 0x0f000000);
	for (unsigned pin = 0; pin < 24; pin++)
		assert_int_equal(get_entry(pin), IOAPIC_RTE_MASKED);
	for (unsigned i = 3; i < 256; i++) {
		if (i >= 0x10 && i < 0x40)
			continue;
		put(i, 0xffffffff);
		assert_int_equal(get(i), 0);
	}
	assert_int_equal(t.sent, 0);
}

static void test_windows(void **state)
{
	(void)state;
	mw(IOAPIC_REGSEL, 1, 0x01);
	assert_int_equal(mr(IOAPIC_REGSEL, 4), 1);
	assert_int_equal(mr(IOAPIC_REGSEL, 1), 1);
	assert_int_equal(mr(IOAPIC_REGSEL + 1, 1), 0);
	assert_int_equal(mr(IOAPIC_WIN, 1), 0x20);
	assert_int_equal(mr(IOAPIC_WIN + 2, 2), 0x17);
	assert_int_equal(mr(IOAPIC_WIN, 8), 0x170020);
	mw(IOAPIC_REGSEL, 4, 0xffffff12);
	assert_int_equal(mr(IOAPIC_REGSEL, 4), 0x12);
	/* The data window takes only whole writes. */
	mw(IOAPIC_WIN, 1, 0);
	mw(IOAPIC_WIN, 2, 0);
	mw(IOAPIC_WIN + 4, 4, 0);
	assert_int_equal(mr(IOAPIC_WIN, 4), IOAPIC_RTE_MASKED);
	mw(IOAPIC_WIN, 8, 0x1234567800010033);
	assert_int_equal(get_entry(1), 0x10033);
	for (uint64_t offset = 4; offset < IOAPIC_SIZE; offset++)
		if (offset < IOAPIC_WIN || offset >= IOAPIC_WIN + 4) {
			assert_int_equal(mr(offset, 1), 0);
			if (offset != IOAPIC_EOI)
				mw(offset, 1, 0xff);
		}
	assert_int_equal(get_entry(1), 0x10033);
}

static void test_entry_bits(void **state)
{
	(void)state;
	for (unsigned pin = 0; pin < 24; pin++) {
		put_entry(pin, UINT64_MAX);
		assert_true(get_entry(pin) == 0xff0000000001afff);
		put_entry(pin, IOAPIC_RTE_MASKED);
		assert_true(get_entry(pin) == IOAPIC_RTE_MASKED);
	}
}

static void test_edge(void **state)
{
	(void)state;
	put_entry(4, 0x0300000000000034);
	vioapic_set_line(&t.v, 4, true);
	assert_int_equal(t.sent, 1);
	assert_int_equal(t.last.dest, 3);
	assert_int_equal(t.last.vector, 0x34);
	assert_int_equal(t.last.delivery, 0);
	assert_false(t.last.logical);
	assert_false(t.last.level);
	vioapic_set_line(&t.v, 4, true);
	vioapic_set_line(&t.v, 4, false);
	assert_int_equal(t.sent, 1);
	vioapic_set_line(&t.v, 4, true);
	assert_int_equal(t.sent, 2);
	assert_int_equal(get_entry(4) & IOAPIC_RTE_REMOTE_IRR, 0);
	/* Edges on a masked pin are lost, unmasking with the line high is no edge. */
	vioapic_set_line(&t.v, 4, false);
	put_entry(4, 0x34 | IOAPIC_RTE_MASKED);
	vioapic_set_line(&t.v, 4, true);
	put_entry(4, 0x34);
	assert_int_equal(t.sent, 2);
	assert_int_equal(t.v.delivered[4], 2);
}

static void test_message_fields(void **state)
{
	(void)state;
	for (unsigned mode = 0; mode < 8; mode++) {
		put_entry(9, 0xa500000000000870ull | mode << 8);
		vioapic_set_line(&t.v, 9, true);
		vioapic_set_line(&t.v, 9, false);
		assert_int_equal(t.last.delivery, mode);
		assert_int_equal(t.last.dest, 0xa5);
		assert_true(t.last.logical);
		assert_int_equal(t.last.vector, 0x70);
	}
}

static void test_level(void **state)
{
	(void)state;
	put_entry(10, 0x55 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_ACTIVE_LOW);
	vioapic_set_line(&t.v, 10, true);
	assert_int_equal(t.sent, 1);
	assert_true(t.last.level);
	assert_true((get_entry(10) & IOAPIC_RTE_REMOTE_IRR) != 0);
	/* Nothing more until EOI, whatever the line does. */
	vioapic_set_line(&t.v, 10, false);
	vioapic_set_line(&t.v, 10, true);
	assert_int_equal(t.sent, 1);
	vioapic_eoi(&t.v, 0x54);
	assert_int_equal(t.sent, 1);
	vioapic_eoi(&t.v, 0x55);
	assert_int_equal(t.sent, 2);
	vioapic_set_line(&t.v, 10, false);
	vioapic_eoi(&t.v, 0x55);
	assert_int_equal(t.sent, 2);
	assert_int_equal(get_entry(10) & IOAPIC_RTE_REMOTE_IRR, 0);
	/* Masked levels are held by their device: unmasking sees them. */
	put_entry(10, 0x55 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	vioapic_set_line(&t.v, 10, true);
	assert_int_equal(t.sent, 2);
	put_entry(10, 0x55 | IOAPIC_RTE_LEVEL);
	assert_int_equal(t.sent, 3);
	/* Masking after delivery keeps remote IRR, EOI then clears it without sending. */
	put_entry(10, 0x55 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED);
	assert_true((get_entry(10) & IOAPIC_RTE_REMOTE_IRR) != 0);
	vioapic_eoi(&t.v, 0x55);
	assert_int_equal(get_entry(10) & IOAPIC_RTE_REMOTE_IRR, 0);
	assert_int_equal(t.sent, 3);
}

static void test_eoi_register(void **state)
{
	(void)state;
	put_entry(16, 0x60 | IOAPIC_RTE_LEVEL);
	put_entry(17, 0x60 | IOAPIC_RTE_LEVEL);
	put_entry(18, 0x61 | IOAPIC_RTE_LEVEL);
	for (unsigned pin = 16; pin < 19; pin++)
		vioapic_set_line(&t.v, pin, true);
	assert_int_equal(t.sent, 3);
	/* All entries of that vector. */
	mw(IOAPIC_EOI, 4, 0x60);
	assert_int_equal(t.sent, 5);
	vioapic_set_line(&t.v, 18, false);
	mw(IOAPIC_EOI, 1, 0x61);
	assert_int_equal(t.sent, 5);
	assert_int_equal(get_entry(18) & IOAPIC_RTE_REMOTE_IRR, 0);
}

static void test_edge_trick(void **state)
{
	(void)state;
	put_entry(16, 0x60 | IOAPIC_RTE_LEVEL);
	vioapic_set_line(&t.v, 16, true);
	put(0x10 + 32, 0x60 | IOAPIC_RTE_MASKED);
	assert_int_equal(get_entry(16) & IOAPIC_RTE_REMOTE_IRR, 0);
	put(0x10 + 32, 0x60 | IOAPIC_RTE_LEVEL);
	assert_int_equal(t.sent, 2);
}

static void test_refused(void **state)
{
	(void)state;
	/* A level that no local APIC takes is not remembered as taken; it is offered again when the entry is written. */
	t.refuse = true;
	put_entry(16, 0x60 | IOAPIC_RTE_LEVEL);
	vioapic_set_line(&t.v, 16, true);
	assert_int_equal(t.sent, 1);
	assert_int_equal(get_entry(16) & IOAPIC_RTE_REMOTE_IRR, 0);
	t.refuse = false;
	put_entry(16, 0x60 | IOAPIC_RTE_LEVEL);
	assert_true((get_entry(16) & IOAPIC_RTE_REMOTE_IRR) != 0);
	/* An NMI has no EOI. */
	put_entry(17, 0x60 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_DM_NMI);
	vioapic_set_line(&t.v, 17, true);
	assert_int_equal(get_entry(17) & IOAPIC_RTE_REMOTE_IRR, 0);
}

static void test_reset(void **state)
{
	(void)state;
	put_entry(16, 0x60 | IOAPIC_RTE_LEVEL);
	vioapic_set_line(&t.v, 16, true);
	put(IOAPIC_ID, 0x02000000);
	vioapic_reset(&t.v);
	assert_int_equal(get_entry(16), IOAPIC_RTE_MASKED);
	assert_int_equal(get(IOAPIC_ID), 0);
	/* The device still pulls its line. */
	put_entry(16, 0x60 | IOAPIC_RTE_LEVEL);
	assert_int_equal(t.sent, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_registers, setup),      cmocka_unit_test_setup(test_windows, setup),
		cmocka_unit_test_setup(test_entry_bits, setup),     cmocka_unit_test_setup(test_edge, setup),
		cmocka_unit_test_setup(test_message_fields, setup), cmocka_unit_test_setup(test_level, setup),
		cmocka_unit_test_setup(test_eoi_register, setup),   cmocka_unit_test_setup(test_edge_trick, setup),
		cmocka_unit_test_setup(test_refused, setup),        cmocka_unit_test_setup(test_reset, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
