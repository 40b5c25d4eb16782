/* PCI configuration: the two ports, headers, write masks, BAR sizing and moving, the board's functions, port 0xcf9. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "tests/fake/assert_expect.h"
#include "vmm/devices/vpci.h"
#include "vmm/devices/vpci_pc.h"
#include "vmm/devices/vreset.h"

struct move {
	unsigned bar;
	uint64_t base;
	bool mapped;
};

struct bench {
	struct vpci pci;
	struct vpci_pc pc;
	struct vreset reset;
	struct bus ports;
	struct vpci_function dev;
	struct move moves[64];
	unsigned move_count, writes, reads, last_offset, last_size, resets;
};

static void on_bar(void *ctx, unsigned bar, uint64_t base, bool mapped)
{
	struct bench *b = ctx;

	b->moves[b->move_count++ % 64] = (struct move){bar, base, mapped};
}

static void on_written(void *ctx, unsigned offset, unsigned size)
{
	struct bench *b = ctx;

	b->writes++;
	b->last_offset = offset;
	b->last_size = size;
}

static void on_reading(void *ctx, unsigned offset, unsigned size)
{
	struct bench *b = ctx;

	b->reads++;
	if (offset <= 0x80 && 0x80 < offset + size)
		b->dev.config[0x80]++;
}

static void on_reset(void *ctx, bool hard)
{
	((struct bench *)ctx)->resets += hard ? 1 : 100;
}

static const struct vpci_function_ops dev_ops = {on_bar, on_written, on_reading};
static const struct vpci_identity dev_id = {.vendor = 0x1af4,
					    .device = 0x1042,
					    .class_code = 1,
					    .subclass = 2,
					    .prog_if = 3,
					    .revision = 4,
					    .subsystem_vendor = 0x1111,
					    .subsystem = 0x2222,
					    .interrupt_pin = 1};

static struct bench *setup_bare(void)
{
	static struct bench b;

	memset(&b, 0, sizeof(b));
	bus_init(&b.ports);
	vreset_init(&b.reset, on_reset, &b);
	vpci_init(&b.pci, &vreset_ops, &b.reset);
	assert_int_equal(vpci_register(&b.pci, &b.ports), 0);
	return &b;
}

/* Slot 3: I/O BAR 0 of 32 bytes, memory BAR 1 of 4 KiB, 64-bit BAR 4 of 16 KiB. */
static struct bench *setup(void)
{
	struct bench *b = setup_bare();

	assert_int_equal(vpci_pc_plug(&b->pc, &b->pci, VPCI_PC_WITH_PM, 0x600), 0);
	vpci_function_init(&b->dev, &dev_id, &dev_ops, b);
	vpci_function_bar(&b->dev, 0, VPCI_BAR_IO, 32);
	vpci_function_bar(&b->dev, 1, VPCI_BAR_MEM32, 4096);
	vpci_function_bar(&b->dev, 4, VPCI_BAR_MEM64, 16384);
	assert_int_equal(vpci_plug(&b->pci, 3, 0, &b->dev), 0);
	return b;
}

static uint64_t pin(struct bench *b, unsigned port, unsigned size)
{
	uint64_t v = 0;

	assert_true(bus_read(&b->ports, port, size, &v));
	return v;
}

static void pout(struct bench *b, unsigned port, unsigned size, uint64_t value)
{
	assert_true(bus_write(&b->ports, port, size, value));
}

static uint32_t rd(struct bench *b, unsigned slot, unsigned fn, unsigned offset, unsigned size)
{
	pout(b, PCI_CONFIG_ADDRESS, 4, PCI_ADDRESS(0u, slot, fn, offset));
	return (uint32_t)pin(b, PCI_CONFIG_DATA + (offset & 3), size);
}

static void wr(struct bench *b, unsigned slot, unsigned fn, unsigned offset, unsigned size, uint32_t value)
{
	pout(b, PCI_CONFIG_ADDRESS, 4, PCI_ADDRESS(0u, slot, fn, offset));
	pout(b, PCI_CONFIG_DATA + (offset & 3), size, value);
}

static void test_address_register(void **state)
{
	struct bench *b = setup();

	(void)state;
	pout(b, 0xcf8, 4, 0xffffffff);
	assert_int_equal(pin(b, 0xcf8, 4), 0x80fffffc); /* reserved bits read as zero */
	pout(b, 0xcfb, 1, 1); /* how Linux checks for mechanism #1: a byte must not touch it */
	pout(b, 0xcf8, 2, 0);
	assert_int_equal(pin(b, 0xcf8, 4), 0x80fffffc);
	assert_int_equal(pin(b, 0xcf8, 1), 0xff);
	assert_int_equal(pin(b, 0xcfa, 2), 0xffff);
	pout(b, 0xcf8, 4, 0x80000000);
	assert_int_equal(pin(b, 0xcf8, 4), 0x80000000);
	assert_int_equal(pin(b, 0xcfc, 4), 0x12378086);
}

static void test_absent_reads_ones(void **state)
{
	struct bench *b = setup();

	(void)state;
	pout(b, 0xcf8, 4, 0); /* enable bit clear */
	assert_int_equal(pin(b, 0xcfc, 4), 0xffffffff);
	pout(b, 0xcfc, 4, 0);
	for (unsigned bus = 0; bus < 256; bus++)
		for (unsigned i = 0; i < 256; i++) {
			bool there = bus == 0 && (i == 0 || i == 8 || i == 11 || i == 24);

			pout(b, 0xcf8, 4, 0x80000000u | bus << 16 | i << 8);
			assert_int_equal(pin(b, 0xcfc, 4) == 0xffffffff, !there);
			if (!there)
				pout(b, 0xcfc, 4, 0x12345678);
		}
	assert_int_equal(b->writes, 0);
}

static void test_header(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(rd(b, 3, 0, 0x00, 4), 0x10421af4);
	assert_int_equal(rd(b, 3, 0, 0x08, 4), 0x01020304);
	assert_int_equal(rd(b, 3, 0, 0x0e, 1), 0);
	assert_int_equal(rd(b, 3, 0, 0x2c, 4), 0x22221111);
	assert_int_equal(rd(b, 3, 0, 0x3d, 1), 1);
	assert_int_equal(rd(b, 3, 0, 0x02, 2), 0x1042);
	assert_int_equal(rd(b, 3, 0, 0x09, 1), 3);
}

/* Every bit of every byte: what a guest can change is exactly what the header allows. */
static void test_write_masks(void **state)
{
	struct bench *b = setup();

	(void)state;
	for (unsigned offset = 0; offset < 256; offset += 4) {
		uint32_t before, ones, zeros, want = 0;

		if (offset == 0x80)
			continue; /* changes by itself in this test's device */
		before = rd(b, 3, 0, offset, 4);
		wr(b, 3, 0, offset, 4, 0xffffffff);
		ones = rd(b, 3, 0, offset, 4);
		wr(b, 3, 0, offset, 4, 0);
		zeros = rd(b, 3, 0, offset, 4);
		switch (offset) {
		case 0x04:
			want = 0x0407;
			break;
		case 0x0c:
			want = 0xffff;
			break;
		case 0x10:
			want = 0xffffffe0;
			break;
		case 0x14:
			want = 0xfffff000;
			break;
		case 0x20:
			want = 0xffffc000;
			break;
		case 0x24:
			want = 0xffffffff;
			break;
		case 0x3c:
			want = 0xff;
			break;
		default:
			break;
		}
		assert_int_equal(ones, before | want);
		assert_int_equal(zeros, before & ~want);
	}
}

static void test_bar_types(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(rd(b, 3, 0, 0x10, 4), 0x1);
	assert_int_equal(rd(b, 3, 0, 0x14, 4), 0x0);
	assert_int_equal(rd(b, 3, 0, 0x18, 4), 0x0);
	assert_int_equal(rd(b, 3, 0, 0x20, 4), 0xc);
	assert_int_equal(rd(b, 3, 0, 0x24, 4), 0x0);
}

static void test_bar_mapping(void **state)
{
	struct bench *b = setup();

	(void)state;
	wr(b, 3, 0, 0x10, 4, 0xc000);
	wr(b, 3, 0, 0x14, 4, 0xfebf1000);
	assert_int_equal(b->move_count, 0); /* decoding is off */
	wr(b, 3, 0, 0x04, 2, PCI_COMMAND_IO);
	assert_int_equal(b->move_count, 1);
	assert_int_equal(b->moves[0].bar, 0);
	assert_int_equal(b->moves[0].base, 0xc000);
	assert_true(b->moves[0].mapped);
	wr(b, 3, 0, 0x04, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	assert_int_equal(b->move_count, 2); /* BAR 4 is still 0: no place */
	assert_int_equal(b->moves[1].base, 0xfebf1000);
	wr(b, 3, 0, 0x14, 4, 0xfebf1000); /* the same again is no move */
	assert_int_equal(b->move_count, 2);
	wr(b, 3, 0, 0x14, 4, 0xfebf2000);
	assert_int_equal(b->move_count, 4);
	assert_int_equal(b->moves[2].base, 0xfebf1000);
	assert_false(b->moves[2].mapped);
	assert_int_equal(b->moves[3].base, 0xfebf2000);
	assert_true(b->moves[3].mapped);
	wr(b, 3, 0, 0x20, 4, 0x40000000);
	wr(b, 3, 0, 0x24, 4, 0x8); /* above 4 GiB by its upper half */
	assert_int_equal(b->moves[b->move_count - 1].base, 0x840000000ull);
	assert_int_equal(b->moves[b->move_count - 1].bar, 4);
	unsigned before = b->move_count;

	wr(b, 3, 0, 0x04, 2, 0);
	assert_int_equal(b->move_count, before + 3);
	for (unsigned i = before; i < b->move_count; i++)
		assert_false(b->moves[i].mapped);
}

/* Sizing with decoding left on: all ones is no place, and the old one comes back. */
static void test_bar_sizing_while_decoding(void **state)
{
	struct bench *b = setup();

	(void)state;
	wr(b, 3, 0, 0x14, 4, 0xfebf1000);
	wr(b, 3, 0, 0x20, 4, 0x00004000);
	wr(b, 3, 0, 0x04, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(b->move_count, 2);
	wr(b, 3, 0, 0x14, 4, 0xffffffff);
	assert_int_equal(rd(b, 3, 0, 0x14, 4), 0xfffff000);
	assert_int_equal(b->move_count, 3);
	assert_false(b->moves[2].mapped);
	wr(b, 3, 0, 0x14, 4, 0xfebf1000);
	assert_int_equal(b->move_count, 4);
	assert_true(b->moves[3].mapped);
	wr(b, 3, 0, 0x24, 4, 0xffffffff);
	wr(b, 3, 0, 0x20, 4, 0xffffffff);
	assert_false(b->dev.bars[4].mapped);
}

static void test_bar_places_that_make_no_sense(void **state)
{
	struct bench *b = setup();

	(void)state;
	wr(b, 3, 0, 0x04, 2, PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	wr(b, 3, 0, 0x10, 4, 0x10000); /* beyond the ports */
	wr(b, 3, 0, 0x10, 4, 0xffe0);  /* up to the very end */
	wr(b, 3, 0, 0x10, 4, 0xffffffff);
	wr(b, 3, 0, 0x14, 4, 0);
	wr(b, 3, 0, 0x14, 4, 0xfffff000);
	assert_int_equal(b->move_count, 0);
	wr(b, 3, 0, 0x10, 2, 0xffc5); /* low bits are type, not address */
	wr(b, 3, 0, 0x12, 2, 0);
	assert_int_equal(b->moves[b->move_count - 1].base, 0xffc0);
}

static void test_callbacks_and_live_bytes(void **state)
{
	struct bench *b = setup();

	(void)state;
	wr(b, 3, 0, 0x3c, 1, 11);
	assert_int_equal(b->writes, 1);
	assert_int_equal(b->last_offset, 0x3c);
	assert_int_equal(b->last_size, 1);
	assert_int_equal(rd(b, 3, 0, 0x3c, 2), 0x010b);
	assert_int_equal(rd(b, 3, 0, 0x80, 1), 1);
	assert_int_equal(rd(b, 3, 0, 0x80, 4), 2);
	assert_int_equal(b->reads, 3);
}

static void test_clear_by_one(void **state)
{
	struct bench *b = setup();

	(void)state;
	b->dev.config[0x07] = 0xf9;
	b->dev.clear_by_one[0x07] = 0xf8;
	wr(b, 3, 0, 0x06, 2, 0x8100);
	assert_int_equal(rd(b, 3, 0, 0x06, 2), 0x7900);
}

static void test_capabilities(void **state)
{
	struct bench *b = setup_bare();
	struct vpci_function f;

	(void)state;
	vpci_function_init(&f, &dev_id, NULL, NULL);
	assert_int_equal(vpci_function_capability(&f, PCI_CAP_MSIX, 0x40, 12), 0x40);
	assert_int_equal(vpci_function_capability(&f, PCI_CAP_VENDOR, 0x50, 16), 0x50);
	assert_int_equal(vpci_plug(&b->pci, 9, 0, &f), 0);
	assert_int_equal(rd(b, 9, 0, 0x06, 2) & PCI_STATUS_CAP_LIST, PCI_STATUS_CAP_LIST);
	assert_int_equal(rd(b, 9, 0, 0x34, 1), 0x50);
	assert_int_equal(rd(b, 9, 0, 0x50, 2), 0x4000 | PCI_CAP_VENDOR);
	assert_int_equal(rd(b, 9, 0, 0x40, 2), PCI_CAP_MSIX);
	assert_true(ASSERT_FAILS(vpci_function_capability(&f, 1, 0x3c, 4)));
	assert_true(ASSERT_FAILS(vpci_function_capability(&f, 1, 0xfc, 8)));
	assert_true(ASSERT_FAILS(vpci_function_bar(&f, 6, VPCI_BAR_MEM32, 4096)));
	assert_true(ASSERT_FAILS(vpci_function_bar(&f, 0, VPCI_BAR_MEM32, 4095)));
	assert_true(ASSERT_FAILS(vpci_function_bar(&f, 5, VPCI_BAR_MEM64, 4096)));
	assert_true(ASSERT_FAILS(vpci_set16(&f, 255, 0)));
}

static void test_plug_refuses(void **state)
{
	struct bench *b = setup();
	struct vpci_function f, g;

	(void)state;
	vpci_function_init(&f, &dev_id, NULL, NULL);
	g = f;
	assert_int_equal(vpci_plug(&b->pci, 32, 0, &f), ERR_RANGE);
	assert_int_equal(vpci_plug(&b->pci, 5, 8, &f), ERR_RANGE);
	assert_int_equal(vpci_plug(&b->pci, 3, 0, &f), ERR_EXIST);
	assert_int_equal(vpci_plug(&b->pci, 5, 1, &f), ERR_NOENT);
	vpci_function_bar(&g, 0, VPCI_BAR_IO, 4);
	assert_int_equal(vpci_plug(&b->pci, 5, 0, &g), ERR_INVAL);
	assert_int_equal(vpci_plug(&b->pci, 5, 0, &f), 0);
	assert_int_equal(rd(b, 5, 0, 0x0e, 1), 0);
}

/* What `pc` machines show. */
static void test_board(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(rd(b, 0, 0, 0x00, 4), 0x12378086);
	assert_int_equal(rd(b, 0, 0, 0x08, 4), 0x06000002);
	assert_int_equal(rd(b, 0, 0, 0x0e, 1), 0);
	assert_int_equal(rd(b, 1, 0, 0x00, 4), 0x70008086);
	assert_int_equal(rd(b, 1, 0, 0x0a, 2), 0x0601);
	assert_int_equal(rd(b, 1, 0, 0x0e, 1), 0x80); /* more functions in this slot */
	assert_int_equal(rd(b, 1, 0, 0x60, 4), 0x80808080);
	wr(b, 1, 0, 0x60, 4, 0x0b0a050f);
	assert_int_equal(rd(b, 1, 0, 0x60, 4), 0x0b0a050f);
	assert_int_equal(rd(b, 1, 0, 0x82, 1) & 2, 2);
	assert_int_equal(rd(b, 1, 3, 0x00, 4), 0x71138086);
	assert_int_equal(rd(b, 1, 3, 0x08, 4), 0x06800003);
	assert_int_equal(rd(b, 1, 3, 0x3c, 2), 0x0109);
	assert_int_equal(rd(b, 1, 3, 0x40, 4), 0x601);
	wr(b, 1, 3, 0x40, 4, 0xb000);
	assert_int_equal(rd(b, 1, 3, 0x40, 4), 0x601);
	assert_int_equal(rd(b, 1, 3, 0x80, 1), 1);
	b = setup_bare();
	assert_int_equal(vpci_pc_plug(&b->pc, &b->pci, VPCI_PC_WITHOUT_PM, 0x600), 0);
	assert_int_equal(rd(b, 1, 3, 0x00, 4), 0xffffffff);
	assert_int_equal(rd(b, 1, 0, 0x0e, 1), 0x00);
}

static void test_cf9(void **state)
{
	struct bench *b = setup();

	(void)state;
	pout(b, 0xcf8, 4, 0x80001810);
	pout(b, 0xcf9, 1, 0x02);
	assert_int_equal(pin(b, 0xcf9, 1), 0x02);
	pout(b, 0xcf9, 1, 0x06);
	assert_int_equal(b->resets, 1);
	assert_int_equal(pin(b, 0xcf8, 4), 0x80001810);
	pout(b, 0xcf9, 2, 0x0606); /* only a byte is the port */
	assert_int_equal(b->resets, 1);
	b->pci.cf9 = NULL;
	pout(b, 0xcf9, 1, 0x06);
	assert_int_equal(pin(b, 0xcf9, 1), 0xff);
	assert_int_equal(b->resets, 1);
}

static void test_reset(void **state)
{
	struct bench *b = setup();

	(void)state;
	wr(b, 3, 0, 0x14, 4, 0xfebf1000);
	wr(b, 3, 0, 0x04, 2, PCI_COMMAND_MEMORY);
	wr(b, 1, 0, 0x60, 1, 5);
	vpci_reset(&b->pci);
	assert_int_equal(b->move_count, 2);
	assert_false(b->moves[1].mapped);
	assert_int_equal(pin(b, 0xcf8, 4), 0);
	assert_int_equal(rd(b, 3, 0, 0x14, 4), 0);
	assert_int_equal(rd(b, 3, 0, 0x04, 2), 0);
	assert_int_equal(rd(b, 1, 0, 0x60, 1), 0x80);
	assert_int_equal(rd(b, 1, 0, 0x0e, 1), 0x80);
}

/* Random accesses: mapped BARs are always where the registers say, and callbacks pair up. */
static void test_random(void **state)
{
	struct bench *b = setup();

	(void)state;
	srand(11);
	for (unsigned i = 0; i < 300000; i++) {
		unsigned size = 1u << (rand() % 3), offset = ((unsigned)rand() % 64) & ~(size - 1), n = b->move_count;

		if (rand() % 4 == 0)
			pout(b, 0xcf8 + (unsigned)rand() % 5, size, (unsigned)rand());
		else
			wr(b, 3, 0, offset, size, (unsigned)rand() << 1 ^ (unsigned)rand());
		for (; n < b->move_count; n++)
			assert_true(b->moves[n % 64].base != 0);
		if (b->dev.bars[1].mapped) {
			assert_int_equal(b->dev.bars[1].base, rd(b, 3, 0, 0x14, 4) & ~0xfu);
			assert_true(rd(b, 3, 0, 0x04, 2) & PCI_COMMAND_MEMORY);
		}
		if (b->dev.bars[0].mapped)
			assert_in_range(b->dev.bars[0].base, 32, 0xffc0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_register),
		cmocka_unit_test(test_absent_reads_ones),
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_write_masks),
		cmocka_unit_test(test_bar_types),
		cmocka_unit_test(test_bar_mapping),
		cmocka_unit_test(test_bar_sizing_while_decoding),
		cmocka_unit_test(test_bar_places_that_make_no_sense),
		cmocka_unit_test(test_callbacks_and_live_bytes),
		cmocka_unit_test(test_clear_by_one),
		cmocka_unit_test(test_capabilities),
		cmocka_unit_test(test_plug_refuses),
		cmocka_unit_test(test_board),
		cmocka_unit_test(test_cf9),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("vpci", tests, NULL, NULL);
}
