/* The 8259A pair against its data sheet, through its ports: initialisation, priorities, ends of interrupt, rotation,
 * special mask, special fully nested, poll, edge and level, spurious, and a workload in which no edge may get lost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/fake/fake_device.h"
#include "vmm/devices/vpic.h"

#define M PIC_MASTER_CMD
#define S PIC_SLAVE_CMD

struct bench {
	struct vpic pic;
	struct bus ports;
	struct fake_line intr;
};

static struct bench *setup_raw(void)
{
	static struct bench b;
	struct irq_line line = fake_line(&b.intr, 0);

	memset(&b, 0, sizeof(b));
	bus_init(&b.ports);
	vpic_init(&b.pic, &line);
	assert_int_equal(vpic_register(&b.pic, &b.ports), 0);
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

static void program(struct bench *b, unsigned chip, unsigned base, unsigned icw3, unsigned icw4)
{
	out(b, chip, 0x11);
	out(b, chip + 1, base);
	out(b, chip + 1, icw3);
	out(b, chip + 1, icw4);
}

static struct bench *setup_with(unsigned icw4)
{
	struct bench *b = setup_raw();

	program(b, M, 0x20, 0x04, icw4);
	program(b, S, 0x28, 0x02, icw4);
	return b;
}

static struct bench *setup(void)
{
	return setup_with(PIC_ICW4_8086);
}

static void raise(struct bench *b, unsigned pin)
{
	vpic_set_irq(&b->pic, pin, true);
}

static void lower(struct bench *b, unsigned pin)
{
	vpic_set_irq(&b->pic, pin, false);
}

static void pulse(struct bench *b, unsigned pin)
{
	lower(b, pin);
	raise(b, pin);
}

static unsigned irr(struct bench *b, unsigned chip)
{
	out(b, chip, PIC_OCW3_READ_IRR);
	return in(b, chip);
}

static unsigned isr(struct bench *b, unsigned chip)
{
	out(b, chip, PIC_OCW3_READ_ISR);
	return in(b, chip);
}

static void test_silent_until_initialised(void **state)
{
	struct bench *b = setup_raw();

	(void)state;
	raise(b, 1);
	raise(b, 9);
	assert_false(vpic_pending(&b->pic));
	out(b, M + 1, 0xff); /* how Linux asks whether there is a PIC: the mask reads back */
	assert_int_equal(in(b, M + 1), 0xff);
	out(b, M + 1, 0xfb);
	assert_int_equal(in(b, M + 1), 0xfb);
	out(b, M, 0x11);
	out(b, M + 1, 0x20);
	out(b, M + 1, 0x04);
	lower(b, 1);
	raise(b, 1);
	assert_false(vpic_pending(&b->pic)); /* ICW4 is outstanding */
	out(b, M + 1, 0x01);
	assert_true(vpic_pending(&b->pic));
	assert_true(b->intr.high);
}

static void test_icw1_clears(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, M + 1, 0xf0);
	out(b, M, 0xc3); /* priority: level 3 lowest */
	raise(b, 2);
	raise(b, 5);
	raise(b, 1);
	assert_int_equal(vpic_ack(&b->pic), 0x21);
	assert_int_equal(isr(b, M), 0x02);
	program(b, M, 0x40, 0x04, 0x01);
	assert_int_equal(in(b, M + 1), 0);
	assert_int_equal(in(b, M), 0); /* back to IRR; lines that are high need a new edge */
	assert_int_equal(isr(b, M), 0);
	assert_false(b->intr.high);
	pulse(b, 7);
	pulse(b, 0);
	assert_int_equal(vpic_ack(&b->pic), 0x40);
}

static void test_init_sequences(void **state)
{
	struct bench *b = setup_raw();

	(void)state;
	out(b, M, 0x13); /* single, with ICW4: no ICW3 */
	out(b, M + 1, 0x53);
	out(b, M + 1, 0x01);
	out(b, M + 1, 0xaa); /* the mask already */
	assert_int_equal(in(b, M + 1), 0xaa);
	raise(b, 0);
	assert_int_equal(vpic_ack(&b->pic), 0x50); /* low bits of ICW2 do not count */
	out(b, M, 0x12);                           /* single, no ICW4 */
	out(b, M + 1, 0x60);
	out(b, M + 1, 0x55);
	assert_int_equal(in(b, M + 1), 0x55);
	out(b, M, 0x10); /* cascade, no ICW4 */
	out(b, M + 1, 0x70);
	out(b, M + 1, 0x04);
	out(b, M + 1, 0x0f);
	assert_int_equal(in(b, M + 1), 0x0f);
}

static void test_fixed_priority(void **state)
{
	static const uint8_t order[] = {0x20, 0x21, 0x28, 0x29, 0x2a, 0x2b, 0x2c, 0x2d,
					0x2e, 0x2f, 0x23, 0x24, 0x25, 0x26, 0x27};
	struct bench *b = setup();

	(void)state;
	for (unsigned pin = 0; pin < 16; pin++)
		raise(b, pin);
	assert_int_equal(irr(b, M), 0xff);
	assert_int_equal(irr(b, S), 0xff);
	for (unsigned i = 0; i < ARRAY_LEN(order); i++) {
		assert_true(b->intr.high);
		assert_int_equal(vpic_ack(&b->pic), order[i]);
		if (order[i] >= 0x28)
			out(b, S, 0x20);
		out(b, M, 0x20);
	}
	assert_false(b->intr.high);
	assert_int_equal(b->pic.spurious, 0);
}

static void test_nesting(void **state)
{
	struct bench *b = setup();

	(void)state;
	raise(b, 4);
	assert_int_equal(vpic_ack(&b->pic), 0x24);
	assert_false(b->intr.high);
	pulse(b, 4); /* the same level waits */
	raise(b, 6); /* a lower one too */
	assert_false(b->intr.high);
	raise(b, 1);
	assert_true(b->intr.high);
	assert_int_equal(vpic_ack(&b->pic), 0x21);
	assert_int_equal(isr(b, M), 0x12);
	out(b, M, 0x20); /* ends the highest: 1 */
	assert_int_equal(isr(b, M), 0x10);
	assert_false(b->intr.high);
	out(b, M, 0x64); /* specific: 4 */
	assert_int_equal(isr(b, M), 0);
	assert_int_equal(vpic_ack(&b->pic), 0x24);
	out(b, M, 0x64);
	assert_int_equal(vpic_ack(&b->pic), 0x26);
}

static void test_mask(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, M + 1, 0x02);
	raise(b, 1);
	assert_false(b->intr.high);
	assert_int_equal(irr(b, M), 0x02); /* seen, not asked for */
	out(b, M + 1, 0x00);
	assert_true(b->intr.high);
	out(b, M + 1, 0xff);
	assert_false(b->intr.high);
	out(b, M + 1, 0x04); /* the cascade input masks the slave */
	lower(b, 1);
	raise(b, 8);
	assert_false(b->intr.high);
	assert_int_equal(irr(b, M), 0x04);
	out(b, M + 1, 0x00);
	assert_int_equal(vpic_ack(&b->pic), 0x28);
}

static void test_edge_needs_edge(void **state)
{
	struct bench *b = setup();

	(void)state;
	raise(b, 5);
	assert_int_equal(vpic_ack(&b->pic), 0x25);
	assert_int_equal(irr(b, M), 0);
	out(b, M, 0x20);
	assert_false(b->intr.high); /* still high, no new edge */
	raise(b, 5);
	assert_false(b->intr.high);
	lower(b, 5);
	raise(b, 5);
	assert_true(b->intr.high);
	lower(b, 5); /* withdrawn before the acknowledge */
	assert_false(b->intr.high);
	assert_int_equal(irr(b, M), 0);
}

static void test_spurious(void **state)
{
	struct bench *b = setup();

	(void)state;
	raise(b, 3);
	lower(b, 3);
	assert_int_equal(vpic_ack(&b->pic), 0x27);
	assert_int_equal(isr(b, M), 0);
	raise(b, 10);
	lower(b, 10);
	assert_int_equal(vpic_ack(&b->pic), 0x27); /* the cascade input has fallen as well */
	assert_int_equal(isr(b, S), 0);
	assert_int_equal(b->pic.spurious, 2);
}

static void test_elcr(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, PIC_ELCR_MASTER, 0xff);
	out(b, PIC_ELCR_SLAVE, 0xff);
	assert_int_equal(in(b, PIC_ELCR_MASTER), 0xf8);
	assert_int_equal(in(b, PIC_ELCR_SLAVE), 0xde);
	raise(b, 9);
	assert_int_equal(vpic_ack(&b->pic), 0x29);
	assert_int_equal(irr(b, S), 0x02); /* a level stays visible */
	assert_false(b->intr.high);
	out(b, S, 0x20);
	out(b, M, 0x20);
	assert_true(b->intr.high); /* and asks again */
	lower(b, 9);
	assert_false(b->intr.high);
	program(b, S, 0x28, 0x02, 0x01); /* initialisation leaves the ELCR */
	raise(b, 9);
	assert_true(b->intr.high);
	program(b, S, 0x28, 0x02, 0x01);
	assert_true(b->intr.high); /* a level needs no new edge */
}

static void test_cascade(void **state)
{
	struct bench *b = setup();

	(void)state;
	raise(b, 12);
	assert_int_equal(vpic_ack(&b->pic), 0x2c);
	assert_int_equal(isr(b, M), 0x04);
	assert_int_equal(isr(b, S), 0x10);
	raise(b, 8); /* higher in the slave, but its master input is in service */
	assert_false(b->intr.high);
	raise(b, 1); /* higher in the master */
	assert_int_equal(vpic_ack(&b->pic), 0x21);
	out(b, M, 0x20);
	out(b, M, 0x20);
	assert_true(b->intr.high); /* the master is free, 8 beats 12 */
	assert_int_equal(vpic_ack(&b->pic), 0x28);
	out(b, S, 0x20);
	out(b, M, 0x20);
	assert_int_equal(isr(b, S), 0x10);
	raise(b, 2); /* the cascade input is no pin */
	raise(b, 16);
	raise(b, UINT32_MAX);
	assert_false(b->intr.high);
}

static void test_special_fully_nested(void **state)
{
	struct bench *b = setup_with(PIC_ICW4_8086 | PIC_ICW4_SFNM);

	(void)state;
	raise(b, 12);
	assert_int_equal(vpic_ack(&b->pic), 0x2c);
	raise(b, 13);
	assert_false(b->intr.high);
	raise(b, 8);
	assert_true(b->intr.high); /* the slave's own priority decides */
	assert_int_equal(vpic_ack(&b->pic), 0x28);
}

static void test_special_mask(void **state)
{
	struct bench *b = setup();

	(void)state;
	raise(b, 3);
	assert_int_equal(vpic_ack(&b->pic), 0x23);
	raise(b, 6);
	assert_false(b->intr.high);
	out(b, M + 1, 0x08);
	assert_false(b->intr.high);
	out(b, M, 0x68); /* ESMM and SMM: masked in-service levels block nobody */
	assert_true(b->intr.high);
	assert_int_equal(vpic_ack(&b->pic), 0x26);
	out(b, M, 0x20); /* not the masked level 3 */
	assert_int_equal(isr(b, M), 0x08);
	out(b, M, 0x20);
	assert_int_equal(isr(b, M), 0x08);
	out(b, M, 0x08); /* without ESMM the mode stays */
	pulse(b, 6);
	assert_true(b->intr.high);
	out(b, M, 0x48); /* ESMM without SMM: back */
	assert_false(b->intr.high);
	out(b, M, 0x20);
	assert_int_equal(isr(b, M), 0);
}

static void test_rotation(void **state)
{
	struct bench *b = setup();

	(void)state;
	raise(b, 4);
	assert_int_equal(vpic_ack(&b->pic), 0x24);
	out(b, M, 0xa0); /* rotate on non-specific EOI: 4 is lowest, 5 highest */
	assert_int_equal(isr(b, M), 0);
	raise(b, 0);
	raise(b, 5);
	pulse(b, 4);
	assert_int_equal(vpic_ack(&b->pic), 0x25);
	out(b, M, 0x20);
	assert_int_equal(vpic_ack(&b->pic), 0x20);
	out(b, M, 0xe0); /* rotate on specific EOI: 0 */
	assert_int_equal(vpic_ack(&b->pic), 0x24);
	out(b, M, 0x20);
	out(b, M, 0xc6); /* set priority: 6 lowest, 7 highest */
	pulse(b, 0);
	pulse(b, 7);
	assert_int_equal(vpic_ack(&b->pic), 0x27);
	out(b, M, 0x40); /* no operation */
	assert_int_equal(isr(b, M), 0x80);
	out(b, M, 0x67);
	out(b, M, 0xa0); /* nothing... */
	assert_int_equal(vpic_ack(&b->pic), 0x20);
	out(b, M, 0x20);
	out(b, M, 0xa0); /* ...in service: nothing rotates */
	pulse(b, 6);
	pulse(b, 7);
	assert_int_equal(vpic_ack(&b->pic), 0x27);
}

static void test_auto_eoi(void **state)
{
	struct bench *b = setup_with(PIC_ICW4_8086 | PIC_ICW4_AEOI);

	(void)state;
	raise(b, 1);
	raise(b, 11);
	assert_int_equal(vpic_ack(&b->pic), 0x21);
	assert_int_equal(vpic_ack(&b->pic), 0x2b);
	assert_int_equal(isr(b, M), 0);
	assert_int_equal(isr(b, S), 0);
	assert_false(b->intr.high);
	out(b, M, 0x80); /* rotate in automatic EOI */
	pulse(b, 0);
	pulse(b, 1);
	assert_int_equal(vpic_ack(&b->pic), 0x20);
	pulse(b, 0);
	assert_int_equal(vpic_ack(&b->pic), 0x21);
	assert_int_equal(vpic_ack(&b->pic), 0x20);
	out(b, M, 0x00);
	pulse(b, 5);
	assert_int_equal(vpic_ack(&b->pic), 0x25);
	pulse(b, 5);
	pulse(b, 4);
	assert_int_equal(vpic_ack(&b->pic), 0x24); /* 5 has not become the lowest: 0 has */
}

static void test_poll(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, M, 0x0c);
	assert_int_equal(in(b, M), 0); /* no request */
	raise(b, 5);
	out(b, M, 0x0c);
	assert_int_equal(in(b, M), 0x85);
	assert_false(b->intr.high);
	assert_int_equal(in(b, M), 0); /* once: IRR again */
	assert_int_equal(isr(b, M), 0x20);
	raise(b, 9);
	out(b, M, 0x0e);                      /* poll wins over the choice of register */
	assert_int_equal(in(b, M + 1), 0x82); /* any read of the chip */
	out(b, S, 0x0c);
	assert_int_equal(in(b, S), 0x81);
	assert_int_equal(isr(b, S), 0x02);
}

static void test_read_choice_stays(void **state)
{
	struct bench *b = setup();

	(void)state;
	raise(b, 6);
	assert_int_equal(vpic_ack(&b->pic), 0x26);
	raise(b, 7);
	assert_int_equal(isr(b, M), 0x40);
	assert_int_equal(in(b, M), 0x40);
	out(b, M, 0x08); /* neither RR nor poll: no change */
	assert_int_equal(in(b, M), 0x40);
	assert_int_equal(irr(b, M), 0x80);
	assert_int_equal(in(b, M), 0x80);
}

static void test_reset_keeps_lines(void **state)
{
	struct bench *b = setup();

	(void)state;
	out(b, PIC_ELCR_MASTER, 0x20);
	raise(b, 5);
	assert_true(b->intr.high);
	vpic_reset(&b->pic);
	assert_false(b->intr.high);
	assert_int_equal(in(b, PIC_ELCR_MASTER), 0);
	program(b, M, 0x20, 4, 1);
	out(b, PIC_ELCR_MASTER, 0x20);
	assert_true(b->intr.high);
}

static void test_wide_access(void **state)
{
	struct bench *b = setup();
	uint64_t v = 0;

	(void)state;
	assert_true(bus_write(&b->ports, M, 2, 0xaa0b)); /* OCW3, then the mask */
	raise(b, 0);
	vpic_ack(&b->pic);
	assert_true(bus_read(&b->ports, M, 2, &v));
	assert_int_equal(v, 0xaa01);
}

/* Edges raised at random by "devices" that hold their line until served: each is served once, under random masking,
 * nesting depth and order of ends. */
static void test_no_edge_is_lost(void **state)
{
	unsigned raised[16] = {0}, served[16] = {0}, stack[16], depth = 0;
	struct bench *b = setup();

	(void)state;
	srand(4);
	for (unsigned step = 0; step < 300000; step++) {
		unsigned pin = (unsigned)rand() % 16;

		switch (rand() % 4) {
		case 0:
			if (pin != 2 && raised[pin] == served[pin]) {
				pulse(b, pin);
				raised[pin]++;
			}
			break;
		case 1:
			out(b, (pin & 1) ? M + 1 : S + 1, (unsigned)rand() & ((pin & 1) ? 0xfb : 0xff));
			break;
		case 2:
			if (b->intr.high) {
				unsigned v = vpic_ack(&b->pic) - 0x20u;

				assert_true(v < 16 && v != 2);
				served[v]++;
				assert_int_equal(served[v], raised[v]);
				stack[depth++] = v;
				assert_true(depth <= 15);
			}
			break;
		default:
			if (depth != 0) {
				if (stack[--depth] >= 8)
					out(b, S, 0x20);
				out(b, M, 0x20);
			}
		}
	}
	out(b, M + 1, 0);
	out(b, S + 1, 0);
	for (;;) {
		while (depth != 0) {
			if (stack[--depth] >= 8)
				out(b, S, 0x20);
			out(b, M, 0x20);
		}
		if (!b->intr.high)
			break;
		stack[depth++] = vpic_ack(&b->pic) - 0x20u;
		served[stack[depth - 1]]++;
	}
	assert_memory_equal(raised, served, sizeof(raised));
	assert_int_equal(b->pic.spurious, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_silent_until_initialised),
		cmocka_unit_test(test_icw1_clears),
		cmocka_unit_test(test_init_sequences),
		cmocka_unit_test(test_fixed_priority),
		cmocka_unit_test(test_nesting),
		cmocka_unit_test(test_mask),
		cmocka_unit_test(test_edge_needs_edge),
		cmocka_unit_test(test_spurious),
		cmocka_unit_test(test_elcr),
		cmocka_unit_test(test_cascade),
		cmocka_unit_test(test_special_fully_nested),
		cmocka_unit_test(test_special_mask),
		cmocka_unit_test(test_rotation),
		cmocka_unit_test(test_auto_eoi),
		cmocka_unit_test(test_poll),
		cmocka_unit_test(test_read_choice_stays),
		cmocka_unit_test(test_reset_keeps_lines),
		cmocka_unit_test(test_wide_access),
		cmocka_unit_test(test_no_edge_is_lost),
	};

	return cmocka_run_group_tests_name("vpic", tests, NULL, NULL);
}
