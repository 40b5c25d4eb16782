/* The sequences of power-off and reset, as the writes that a fake machine sees. */
#include "drivers/pci.h"
#include "drivers/power.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { PM1A_CNT = 0x604, PM1B_CNT = 0x704, PM1A_EVT = 0x600 };

struct machine {
	char writes[4096]; /* "port=value" of each, in order */
	size_t len;
	uint16_t control; /* PM1a control */
	bool debug_port;
	bool piix4;
	uint8_t piix4_on;
	uint32_t pci_address;
	uint8_t status; /* of the keyboard controller */
};

static struct machine m;

static void note(unsigned port, uint32_t value)
{
	(void)fmt_append(m.writes, sizeof(m.writes), &m.len, "%x=%x ", port, value);
}

static uint8_t in8(void *ctx, uint16_t port)
{
	(void)ctx;
	if (port == 0xe9)
		return m.debug_port ? 0xe9 : 0xff;
	if (port == 0x64)
		return m.status;
	if (port == PCI_CONFIG_DATA && (m.pci_address & 0xff) == PIIX4_PMREGMISC)
		return m.piix4_on;
	return 0;
}

static uint16_t in16(void *ctx, uint16_t port)
{
	(void)ctx;
	if (port == PM1A_CNT)
		return m.control;
	if (port == PCI_CONFIG_DATA && (m.pci_address & 0xff) == PIIX4_PMBASE)
		return 0xb001;
	return 0;
}

static uint32_t in32(void *ctx, uint16_t port)
{
	(void)ctx;
	if (!m.piix4)
		return 0xffffffff;
	if (port == PCI_CONFIG_ADDRESS)
		return m.pci_address;
	if ((m.pci_address & 0x00ffff00) != 0x0b00 && (m.pci_address & 0x00ffff00) != 0x0800)
		return 0xffffffff;
	if ((m.pci_address & 0xfc) == 0)
		return (m.pci_address & 0x700) == 0x300 ? 0x71138086 : 0x70008086;
	return 0;
}

static uint8_t in8_header(void *ctx, uint16_t port)
{
	if (port == PCI_CONFIG_DATA + 2 && (m.pci_address & 0xfc) == 0x0c)
		return PCI_HEADER_MULTIFUNCTION;
	return in8(ctx, port);
}

static void out8(void *ctx, uint16_t port, uint8_t value)
{
	(void)ctx;
	note(port, value);
	if (port == 0xb2 && value == 0xf1)
		m.control |= PM1_CNT_SCI_EN;
}

static void out16(void *ctx, uint16_t port, uint16_t value)
{
	(void)ctx;
	note(port, value);
	if (port == PM1A_CNT)
		m.control = value;
}

static void out32(void *ctx, uint16_t port, uint32_t value)
{
	(void)ctx;
	assert_int_equal(port, PCI_CONFIG_ADDRESS);
	m.pci_address = value;
}

static void write8(void *ctx, uintptr_t reg, uint8_t value)
{
	(void)ctx;
	note((unsigned)reg, value);
}

static const struct hw_io hw = {
	.in8 = in8_header, .in16 = in16, .in32 = in32, .out8 = out8, .out16 = out16, .out32 = out32, .write8 = write8};

static struct acpi_register port_reg(uint64_t port)
{
	return (struct acpi_register){.space = GAS_SPACE_IO, .bit_width = 16, .address = port};
}

static void new_machine(void)
{
	memset(&m, 0, sizeof(m));
}

static void test_s5(void **state)
{
	struct acpi_fadt fadt = {.pm1a_cnt = port_reg(PM1A_CNT),
				 .pm1b_cnt = port_reg(PM1B_CNT),
				 .pm1a_evt = port_reg(PM1A_EVT),
				 .smi_cmd = 0xb2,
				 .acpi_enable = 0xf1};
	struct acpi_sleep s5 = {5, 6};
	struct power p;

	(void)state;
	new_machine();
	m.control = 0x1c02; /* BM_RLD is kept, an old sleep type is not */
	power_init(&p, &hw, &fadt, &s5);
	assert_string_equal(power_off_way(&p), "ACPI S5");
	assert_int_equal(power_off(&p), ERR_FAULT);
	assert_string_equal(m.writes, "b2=f1 600=8000 604=1403 704=1800 604=3403 704=3800 ");

	/* already in ACPI mode; no second block */
	new_machine();
	m.control = PM1_CNT_SCI_EN;
	fadt.pm1b_cnt.address = 0;
	power_init(&p, &hw, &fadt, &s5);
	assert_int_equal(power_off(&p), ERR_FAULT);
	assert_string_equal(m.writes, "600=8000 604=1401 604=3401 ");

	/* registers in memory are not supported: no way, nothing written */
	new_machine();
	fadt.pm1a_cnt.space = GAS_SPACE_MEMORY;
	power_init(&p, &hw, &fadt, &s5);
	assert_null(power_off_way(&p));
	assert_int_equal(power_off(&p), ERR_NOSUP);
	assert_string_equal(m.writes, "");
}

static void test_no_tables(void **state)
{
	struct power p;

	(void)state;
	new_machine();
	power_init(&p, &hw, NULL, NULL);
	assert_null(power_off_way(&p));
	assert_int_equal(power_off(&p), ERR_NOSUP);

	new_machine();
	m.piix4 = true;
	power_init(&p, &hw, NULL, NULL); /* there, but not switched on */
	assert_null(power_off_way(&p));
	m.piix4_on = PIIX4_PMIOSE;
	power_init(&p, &hw, NULL, NULL);
	assert_string_equal(power_off_way(&p), "PIIX4 power management");
	assert_int_equal(power_off(&p), ERR_FAULT);
	assert_string_equal(m.writes, "b004=2000 ");

	new_machine();
	m.debug_port = true;
	power_init(&p, &hw, NULL, NULL);
	assert_string_equal(power_off_way(&p), "Bochs shutdown port");
	assert_int_equal(power_off(&p), ERR_FAULT);
	assert_string_equal(m.writes, "8900=53 8900=68 8900=75 8900=74 8900=64 8900=6f 8900=77 8900=6e ");
}

#define CF9_AND_I8042 "cf9=2 cf9=6 64=fe "

static void test_reset(void **state)
{
	struct acpi_fadt fadt = {.reset = {.space = GAS_SPACE_IO, .bit_width = 8, .address = 0xcf9},
				 .reset_value = 0x0f};
	struct power p;

	(void)state;
	new_machine();
	power_init(&p, &hw, NULL, NULL);
	assert_int_equal(power_reset(&p), ERR_FAULT);
	assert_string_equal(m.writes, CF9_AND_I8042);

	new_machine();
	power_init(&p, &hw, &fadt, NULL);
	assert_int_equal(power_reset(&p), ERR_FAULT);
	assert_string_equal(m.writes, "cf9=f " CF9_AND_I8042);

	new_machine();
	fadt.reset.space = GAS_SPACE_MEMORY;
	power_init(&p, &hw, &fadt, NULL);
	assert_int_equal(power_reset(&p), ERR_FAULT);
	assert_string_equal(m.writes, CF9_AND_I8042); /* not mapped: not written */
	new_machine();
	p.reset_hva = 0x1000;
	assert_int_equal(power_reset(&p), ERR_FAULT);
	assert_string_equal(m.writes, "1000=f " CF9_AND_I8042);

	new_machine();
	fadt.reset = (struct acpi_register){.space = GAS_SPACE_PCI_CONFIG, .address = 0x001f000000ac + (3 << 16)};
	power_init(&p, &hw, &fadt, NULL);
	assert_int_equal(power_reset(&p), ERR_FAULT);
	assert_int_equal(m.pci_address, 0x8000fbac);
	assert_string_equal(m.writes, "cfc=f " CF9_AND_I8042);

	/* a keyboard controller that never gets ready does not hold it for ever */
	new_machine();
	m.status = 0xff;
	power_init(&p, &hw, NULL, NULL);
	assert_int_equal(power_reset(&p), ERR_FAULT);
	assert_string_equal(m.writes, CF9_AND_I8042);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_s5),
		cmocka_unit_test(test_no_tables),
		cmocka_unit_test(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
