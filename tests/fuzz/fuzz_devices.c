/* The input is what a hostile guest does to a whole board: accesses of any size to any port, time that passes in steps of
 * any length, interrupts acknowledged, bytes arriving at the serial port, buttons pressed. All legacy devices sit on one
 * bus, wired as on a PC. Checked all along: values have no bits beyond their size, the serial port neither loses nor
 * invents a byte, an interrupt that is signalled can be acknowledged, alarms fire a bounded number of times. */
#include "tests/fake/fake_device.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/vacpi_pm.h"
#include "vmm/devices/vdebug.h"
#include "vmm/devices/vi8042.h"
#include "vmm/devices/vpci.h"
#include "vmm/devices/vpci_pc.h"
#include "vmm/devices/vpic.h"
#include "vmm/devices/vpit.h"
#include "vmm/devices/vreset.h"
#include "vmm/devices/vrtc.h"
#include "vmm/devices/vuart.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define CHECK(e)                                                                                                       \
	do {                                                                                                           \
		if (!(e))                                                                                              \
			abort();                                                                                       \
	} while (0)

#define MAX_STEPS 2000u
#define ALARMS 4u /* uart, pit, rtc, pm timer */

struct board {
	struct bus ports;
	struct fake_clock clock;
	struct fake_line intr;
	struct vpic pic;
	struct vpit pit;
	struct vrtc rtc;
	struct vuart uart;
	struct vi8042 kbc;
	struct vacpi_pm pm;
	struct vreset reset;
	struct vpci pci;
	struct vpci_pc pc;
	struct vpci_function dev;
	struct vdebug_exit exit;
	struct vdebug_console console;
	struct vpost post;
	struct fw_cfg cfg;
	struct fake_sink console_out;
	unsigned tx_room;
	uint64_t tx_bytes;
};

/* Ports that belong to somebody, so that most of an input hits something. */
static const uint16_t known_ports[] = {
	0x20,  0x21,  0xa0,  0xa1,  0x4d0, 0x4d1, 0x40,  0x41,   0x42,   0x43,   0x61,   0x70,   0x71,   0x60,
	0x64,  0x92,  0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd,  0x3fe,  0x3ff,  0x600,  0x602,  0x604,  0x608,
	0xb2,  0xb3,  0xcf8, 0xcf9, 0xcfc, 0xcfd, 0xcfe, 0xcff,  0xf4,   0xe9,   0x80,   0x510,  0x511,  0x601,
	0x603, 0x605, 0x62,  0x3f7, 0x400, 0x63f, 0x640, 0xffff, 0xafe0, 0xafe1, 0xafe2, 0xafe3, 0xc000,
};

static bool take_tx(void *ctx, uint8_t byte)
{
	struct board *b = ctx;

	(void)byte;
	if (b->tx_room == 0)
		return false;
	b->tx_room--;
	b->tx_bytes++;
	return true;
}

static void ignore(void *ctx)
{
	(void)ctx;
}

static void ignore_reset(void *ctx, bool hard)
{
	(void)ctx;
	(void)hard;
}

static void ignore_code(void *ctx, uint32_t code)
{
	(void)ctx;
	(void)code;
}

static uint64_t bar_read(void *ctx, uint64_t offset, unsigned size)
{
	struct board *b = ctx;

	CHECK(offset + size <= b->dev.bars[0].size && b->dev.bars[0].mapped);
	return UINT64_MAX;
}

static void bar_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)value;
	bar_read(ctx, offset, size);
}

static const struct bus_ops bar_ops = {.read = bar_read, .write = bar_write};

/* An I/O BAR goes where the guest puts it, unless somebody is there. */
static void bar_changed(void *ctx, unsigned bar, uint64_t base, bool mapped)
{
	struct board *b = ctx;
	const struct bus_range *there = bus_find(&b->ports, base);

	if (mapped) {
		if (bus_register(&b->ports, base, b->dev.bars[bar].size, &bar_ops, b, "bar") != 0)
			return;
	} else if (there != NULL && there->base == base && there->ops == &bar_ops) {
		CHECK(bus_unregister(&b->ports, base) == 0);
	}
}

static const struct vpci_function_ops dev_ops = {.bar_changed = bar_changed};
static const struct vpci_identity dev_id = {.vendor = 0x1234, .device = 0x5678, .class_code = 0xff};

static struct irq_line isa_irq(struct board *b, unsigned pin)
{
	return (struct irq_line){.set = vpic_set_irq, .ctx = &b->pic, .pin = pin};
}

static void build_timers(struct board *b)
{
	struct irq_line intr = fake_line(&b->intr, 0), irq0 = isa_irq(b, 0), irq8 = isa_irq(b, 8);

	fake_clock_init(&b->clock, 2500000000ull);
	vpic_init(&b->pic, &intr);
	CHECK(vpic_register(&b->pic, &b->ports) == 0);
	vpit_init(&b->pit, &b->clock.clock, &irq0);
	CHECK(vpit_register(&b->pit, &b->ports) == 0);
	vrtc_init(&b->rtc, &b->clock.clock, &irq8, 1700000000);
	vrtc_set_memory(&b->rtc, 256 * MIB, 0);
	CHECK(vrtc_register(&b->rtc, &b->ports) == 0);
}

static void build_serial_and_power(struct board *b)
{
	struct vuart_wiring uart = {.irq = isa_irq(b, 4), .clock = &b->clock.clock, .tx = {.put = take_tx, .ctx = b}};
	struct vi8042_wiring kbc = {.kbd_irq = isa_irq(b, 1), .reset = ignore};
	struct vacpi_pm_wiring pm = {.sci = isa_irq(b, 9), .clock = &b->clock.clock, .power_off = ignore};

	vuart_init(&b->uart, &uart);
	CHECK(vuart_register(&b->uart, &b->ports, UART_COM1_BASE, "com1") == 0);
	vi8042_init(&b->kbc, &kbc);
	CHECK(vi8042_register(&b->kbc, &b->ports) == 0);
	vacpi_pm_init(&b->pm, &pm);
	CHECK(vacpi_pm_register(&b->pm, &b->ports) == 0);
}

static void build_rest(struct board *b)
{
	struct byte_sink out = fake_sink(&b->console_out);

	b->console_out.room = FAKE_SINK_BYTES;
	vreset_init(&b->reset, ignore_reset, NULL);
	vpci_init(&b->pci, &vreset_ops, &b->reset);
	CHECK(vpci_register(&b->pci, &b->ports) == 0);
	CHECK(vpci_pc_plug(&b->pc, &b->pci, VPCI_PC_WITH_PM, VACPI_PM_BASE) == 0);
	vpci_function_init(&b->dev, &dev_id, &dev_ops, b);
	vpci_function_bar(&b->dev, 0, VPCI_BAR_IO, 64);
	CHECK(vpci_plug(&b->pci, 2, 0, &b->dev) == 0);
	vdebug_exit_init(&b->exit, ignore_code, NULL);
	CHECK(vdebug_exit_register(&b->exit, &b->ports) == 0);
	vdebug_console_init(&b->console, &out);
	CHECK(vdebug_console_register(&b->console, &b->ports) == 0);
	vpost_init(&b->post);
	CHECK(vpost_register(&b->post, &b->ports) == 0);
	fw_cfg_init(&b->cfg);
	CHECK(fw_cfg_add_file(&b->cfg, "etc/test", "hello", 5) == 0);
	CHECK(fw_cfg_register(&b->cfg, &b->ports) == 0);
}

static void reset_all(struct board *b)
{
	vpic_reset(&b->pic);
	vpit_reset(&b->pit);
	vrtc_reset(&b->rtc);
	vuart_reset(&b->uart);
	vi8042_reset(&b->kbc);
	vacpi_pm_reset(&b->pm);
	vreset_reset(&b->reset);
	vpci_reset(&b->pci);
	fw_cfg_reset(&b->cfg);
}

static void port_access(struct board *b, unsigned op, uint16_t port, uint32_t value)
{
	unsigned size = 1u << (op >> 4 & 3); /* 8 is no size of a port, but the bus must stand it */
	uint64_t got = 0;

	if (op & 0x40) {
		bus_write(&b->ports, port, size, value | (uint64_t)value << 32);
		return;
	}
	bus_read(&b->ports, port, size, &got);
	CHECK(size == 8 || got >> (8 * size) == 0);
}

static void pass_time(struct board *b, uint32_t value)
{
	b->clock.now += (uint64_t)(value & 0xffffff) << (value >> 24 & 0xf);
	CHECK(vclock_expire(&b->clock.clock, b->clock.now) <= ALARMS);
	CHECK(vclock_expire(&b->clock.clock, b->clock.now) <= ALARMS);
}

static void acknowledge(struct board *b)
{
	CHECK(b->intr.high == vpic_pending(&b->pic));
	if (!vpic_pending(&b->pic))
		return;
	vpic_ack(&b->pic);
	CHECK(b->pic.spurious == 0);
}

static void outside_world(struct board *b, uint32_t value)
{
	uint64_t before = b->uart.rx_bytes;
	bool taken;

	switch (value & 7) {
	case 0:
		taken = vuart_receive(&b->uart, (uint8_t)(value >> 8));
		CHECK(b->uart.rx_bytes == before + taken);
		break;
	case 1:
		b->tx_room += value >> 8 & 0xff;
		vuart_tx_resume(&b->uart);
		break;
	case 2:
		vacpi_pm_power_button(&b->pm);
		break;
	case 3:
		vacpi_pm_gpe(&b->pm, value >> 8 & 0xff);
		break;
	case 4:
		vpic_set_irq(&b->pic, value >> 8 & 0x1f, (value & 0x10000) != 0);
		break;
	case 5:
		vacpi_pm_sleep_button(&b->pm);
		break;
	case 6:
		if ((value & 0xff00) == 0xff00)
			reset_all(b);
		break;
	default:
		acknowledge(b);
		break;
	}
}

/* One step: an operation, a port, and a value; seven bytes. */
static void step(struct board *b, const uint8_t *p)
{
	uint16_t port = (uint16_t)(p[1] | p[2] << 8);
	uint32_t value = p[3] | (uint32_t)p[4] << 8 | (uint32_t)p[5] << 16 | (uint32_t)p[6] << 24;

	if (!(p[0] & 0x80))
		port = known_ports[port % ARRAY_LEN(known_ports)];
	switch (p[0] & 3) {
	case 0:
		pass_time(b, value);
		break;
	case 1:
		outside_world(b, value);
		break;
	default:
		port_access(b, p[0], port, value);
		break;
	}
	CHECK(b->uart.tx_bytes == b->tx_bytes);
	CHECK(b->intr.high == vpic_pending(&b->pic));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct board b;

	memset(&b, 0, sizeof(b));
	bus_init(&b.ports);
	build_timers(&b);
	build_serial_and_power(&b);
	build_rest(&b);
	for (unsigned i = 0; i < MAX_STEPS && size >= 7; i++, data += 7, size -= 7)
		step(&b, data);
	return 0;
}
