/* PCI configuration access and enumeration against a fake machine with bridges, some of which lie. */
#include "drivers/pci.h"
#include "kernel/lib/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_FUNCTIONS = 32 };

struct fake_function {
	uint8_t bus, slot, function;
	uint8_t config[PCI_CONFIG_BYTES];
};

struct machine {
	bool absent;
	uint32_t address;
	struct fake_function f[MAX_FUNCTIONS];
	size_t count;
	unsigned reads;
};

static uint8_t *config_at(struct machine *m, unsigned lane)
{
	static uint8_t none[4];

	assert_true(m->address & PCI_CONFIG_ENABLE);
	assert_int_equal(m->address & 3, 0);
	for (size_t i = 0; i < m->count; i++) {
		struct fake_function *f = &m->f[i];

		if (PCI_ADDRESS((uint32_t)f->bus, (uint32_t)f->slot, (uint32_t)f->function, m->address) == m->address)
			return f->config + (m->address & 0xfc) + lane;
	}
	memset(none, 0xff, sizeof(none));
	return none + lane;
}

static uint32_t in32(void *ctx, uint16_t port)
{
	struct machine *m = ctx;

	if (m->absent)
		return 0xffffffff;
	m->reads++;
	if (port == PCI_CONFIG_ADDRESS)
		return m->address;
	assert_int_equal(port, PCI_CONFIG_DATA);
	return load_le32(config_at(m, 0));
}

static void out32(void *ctx, uint16_t port, uint32_t value)
{
	struct machine *m = ctx;

	if (port == PCI_CONFIG_ADDRESS)
		m->address = value;
	else
		store_le32(config_at(m, 0), value);
}

static uint8_t in8(void *ctx, uint16_t port)
{
	return *config_at(ctx, port - PCI_CONFIG_DATA);
}

static uint16_t in16(void *ctx, uint16_t port)
{
	return load_le16(config_at(ctx, port - PCI_CONFIG_DATA));
}

static void out8(void *ctx, uint16_t port, uint8_t value)
{
	*config_at(ctx, port - PCI_CONFIG_DATA) = value;
}

static void out16(void *ctx, uint16_t port, uint16_t value)
{
	store_le16(config_at(ctx, port - PCI_CONFIG_DATA), value);
}

static struct machine machine;
static const struct hw_io hw = {
	.in8 = in8, .in16 = in16, .in32 = in32, .out8 = out8, .out16 = out16, .out32 = out32, .ctx = &machine};

static uint8_t *add(unsigned bus, unsigned slot, unsigned function, uint32_t id, unsigned class_subclass)
{
	struct fake_function *f = &machine.f[machine.count++];

	*f = (struct fake_function){.bus = (uint8_t)bus, .slot = (uint8_t)slot, .function = (uint8_t)function};
	store_le32(f->config, id);
	store_le16(f->config + PCI_SUBCLASS, (uint16_t)class_subclass);
	return f->config;
}

static uint8_t *add_bridge(unsigned bus, unsigned slot, unsigned secondary)
{
	uint8_t *config = add(bus, slot, 0, 0x00011b36, 0x0604);

	config[PCI_HEADER_TYPE] = PCI_HEADER_BRIDGE;
	config[PCI_SECONDARY_BUS] = (uint8_t)secondary;
	return config;
}

struct seen {
	struct pci_function f[MAX_FUNCTIONS];
	size_t count;
	size_t stop_after;
};

static bool see(void *ctx, const struct pci_function *f)
{
	struct seen *s = ctx;

	assert_true(s->count < MAX_FUNCTIONS);
	s->f[s->count++] = *f;
	return s->count != s->stop_after;
}

static void test_enumerate(void **state)
{
	struct seen s = {.stop_after = 0};
	uint8_t *config;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	add(0, 0, 0, 0x12378086, 0x0600);
	config = add(0, 1, 0, 0x70008086, 0x0601);
	config[PCI_HEADER_TYPE] = PCI_HEADER_MULTIFUNCTION;
	add(0, 1, 3, 0x71138086, 0x0680); /* functions 1 and 2 are missing */
	config = add(0, 3, 0, 0x100e8086, 0x0200);
	config[PCI_INTERRUPT_LINE] = 11;
	config[PCI_INTERRUPT_PIN] = 1;
	config[PCI_REVISION_ID] = 3;
	config[PCI_PROG_IF] = 9;
	add(0, 3, 1, 0xdeadbeef, 0); /* an echo: not a multifunction device */
	add_bridge(0, 4, 9);
	add_bridge(9, 0, 2); /* to a lower number */
	add(2, 31, 0, 0x10001af4, 0x0100);
	machine.address = 0x12345678;
	assert_true(pci_present(&hw));
	assert_int_equal(machine.address, 0x12345678);
	pci_enumerate(&hw, see, &s);
	assert_int_equal(s.count, 7);
	assert_int_equal(s.f[2].at.function, 3);
	assert_int_equal(s.f[3].vendor, 0x8086);
	assert_int_equal(s.f[3].device, 0x100e);
	assert_int_equal(s.f[3].class_code, PCI_CLASS_NETWORK);
	assert_int_equal(s.f[3].irq_line, 11);
	assert_int_equal(s.f[3].irq_pin, 1);
	assert_int_equal(s.f[3].revision, 3);
	assert_int_equal(s.f[3].prog_if, 9);
	assert_int_equal(s.f[6].at.bus, 2);
	assert_int_equal(s.f[6].at.slot, 31);
	s = (struct seen){.stop_after = 2};
	pci_enumerate(&hw, see, &s);
	assert_int_equal(s.count, 2);
}

static void test_bridge_loops(void **state)
{
	struct seen s = {.stop_after = 0};

	(void)state;
	memset(&machine, 0, sizeof(machine));
	add(0, 0, 0, 0x12378086, 0x0600);
	add_bridge(0, 1, 0); /* to itself */
	add_bridge(0, 2, 255);
	add_bridge(255, 0, 1);
	add_bridge(1, 0, 255); /* in a circle */
	pci_enumerate(&hw, see, &s);
	assert_int_equal(s.count, 5);
	assert_true(machine.reads < 10000);
}

static void test_several_host_buses(void **state)
{
	struct seen s = {.stop_after = 0};

	(void)state;
	memset(&machine, 0, sizeof(machine));
	add(0, 0, 0, 0x12378086, 0x0600)[PCI_HEADER_TYPE] = PCI_HEADER_MULTIFUNCTION;
	add(0, 0, 1, 0x12378086, 0x0600);
	add(1, 5, 0, 0x100e8086, 0x0200);
	pci_enumerate(&hw, see, &s);
	assert_int_equal(s.count, 3);
}

static void test_access(void **state)
{
	struct pci_address at = {3, 17, 5};
	struct pci_function f;
	uint8_t *config;

	(void)state;
	memset(&machine, 0, sizeof(machine));
	config = add(3, 17, 5, 0x71138086, 0x0680);
	pci_write8(&hw, at, 0x43, 0x12);
	pci_write16(&hw, at, 0x46, 0x3456);
	pci_write32(&hw, at, 0xfc, 0x789abcde);
	assert_int_equal(config[0x43], 0x12);
	assert_int_equal(pci_read8(&hw, at, 0x43), 0x12);
	assert_int_equal(pci_read16(&hw, at, 0x46), 0x3456);
	assert_int_equal(pci_read32(&hw, at, 0x44), 0x34560000);
	assert_int_equal(pci_read32(&hw, at, 0xfc), 0x789abcde);
	assert_int_equal(pci_find(&hw, 0x8086, 0x7113, &f), ERR_NOENT); /* nothing leads to bus 3 */
	add_bridge(0, 0, 3);
	assert_int_equal(pci_find(&hw, 0x8086, 0x7113, &f), ERR_NOENT); /* function 0 is missing: no such device */
	add(3, 17, 0, 0x70008086, 0x0601)[PCI_HEADER_TYPE] = PCI_HEADER_MULTIFUNCTION;
	assert_int_equal(pci_find(&hw, 0x8086, 0x7113, &f), 0);
	assert_int_equal(f.at.bus, 3);
	machine.absent = true;
	assert_false(pci_present(&hw));
	assert_int_equal(pci_find(&hw, 0x8086, 0x7113, &f), ERR_NOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_enumerate),
		cmocka_unit_test(test_bridge_loops),
		cmocka_unit_test(test_several_host_buses),
		cmocka_unit_test(test_access),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
