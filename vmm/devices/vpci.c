/* Configuration mechanism #1 and the routing of base addresses (see vpci.h). Follows the PCI Local Bus Specification 3.0,
 * "Software Generation of Configuration Transactions" and "Base Addresses". One bus without bridges to others; a function
 * that is not there reads as ones, and writes to it vanish. */
#include "vmm/devices/vpci.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

#define ADDRESS_WRITABLE 0x80fffffcu /* the enable bit, bus, device, function, register */
#define DATA_OFFSET (PCI_CONFIG_DATA - PCI_CONFIG_ADDRESS)
#define CF9_OFFSET (PORT_CF9 - PCI_CONFIG_ADDRESS)

/* ---- Base addresses ---- */

/* Where a BAR would be by the register's present value, and whether that is a place: decoding on, not 0, and not up to the
 * very end, which is what a register holds while it is being sized. */
static bool bar_place(const struct vpci_function *f, unsigned bar, uint64_t *base)
{
	const struct vpci_bar *b = &f->bars[bar];
	uint16_t command = load_le16(&f->config[PCI_COMMAND]);
	const uint8_t *reg = &f->config[PCI_BAR0 + 4 * bar];
	uint64_t limit = UINT32_MAX;

	switch (b->kind) {
	case VPCI_BAR_IO:
		*base = load_le32(reg) & PCI_BAR_IO_MASK;
		limit = 0xffff;
		break;
	case VPCI_BAR_MEM32:
		*base = load_le32(reg) & PCI_BAR_MEM_MASK;
		break;
	default:
		*base = load_le64(reg) & ~(uint64_t)0xf;
		limit = UINT64_MAX;
		break;
	}
	if (!(command & (b->kind == VPCI_BAR_IO ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)))
		return false;
	return *base != 0 && !range_wraps(*base, b->size) && range_last(*base, b->size) < limit;
}

static void move_bar(struct vpci_function *f, unsigned bar)
{
	struct vpci_bar *b = &f->bars[bar];
	uint64_t base;
	bool mapped = bar_place(f, bar, &base);

	if (mapped == b->mapped && (!mapped || base == b->base))
		return;
	if (b->mapped) {
		b->mapped = false;
		f->ops->bar_changed(f->ctx, bar, b->base, false);
	}
	if (mapped) {
		b->base = base;
		b->mapped = true;
		f->ops->bar_changed(f->ctx, bar, base, true);
	}
}

static void move_bars(struct vpci_function *f)
{
	for (unsigned i = 0; i < PCI_BARS; i++) {
		if (f->bars[i].kind != VPCI_BAR_NONE && f->bars[i].kind != VPCI_BAR_UPPER_HALF)
			move_bar(f, i);
	}
}

/* ---- Configuration accesses. offset + size stay inside one dword: the bus splits what does not. ---- */

static bool touches(unsigned offset, unsigned size, unsigned reg, unsigned reg_bytes)
{
	return offset < reg + reg_bytes && reg < offset + size;
}

static uint32_t function_read(struct vpci_function *f, unsigned offset, unsigned size)
{
	uint32_t value = 0;

	if (f->ops != NULL && f->ops->config_reading != NULL)
		f->ops->config_reading(f->ctx, offset, size);
	for (unsigned i = 0; i < size; i++)
		value |= (uint32_t)f->config[offset + i] << (8 * i);
	return value;
}

static void function_write(struct vpci_function *f, unsigned offset, unsigned size, uint32_t value)
{
	for (unsigned i = 0; i < size; i++) {
		uint8_t *byte = &f->config[offset + i];
		uint8_t writable = f->writable[offset + i], written = (uint8_t)(value >> (8 * i));

		*byte = (uint8_t)((*byte & ~writable) | (written & writable));
		*byte &= (uint8_t) ~(written & f->clear_by_one[offset + i]);
	}
	if (touches(offset, size, PCI_COMMAND, 2) || touches(offset, size, PCI_BAR0, 4 * PCI_BARS))
		move_bars(f);
	if (f->ops != NULL && f->ops->config_written != NULL)
		f->ops->config_written(f->ctx, offset, size);
}

/* The function at slot * 8 + function, or NULL. */
static struct vpci_function *function_at(const struct vpci *p, unsigned place)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (p->places[i] == place)
			return p->functions[i];
	}
	return NULL;
}

/* The function that the address register selects, or NULL. */
static struct vpci_function *selected(const struct vpci *p)
{
	/* Bits 15:8 are slot and function: the index. Bits 23:16 are the bus. */
	if (!(p->address & PCI_CONFIG_ENABLE) || (p->address >> 16 & 0xff) != 0)
		return NULL;
	return function_at(p, p->address >> 8 & 0xff);
}

static uint64_t data_read(struct vpci *p, unsigned lane, unsigned size)
{
	struct vpci_function *f = selected(p);

	if (f == NULL)
		return UINT64_MAX;
	return function_read(f, (p->address & 0xfc) + lane, size);
}

static void data_write(struct vpci *p, unsigned lane, unsigned size, uint64_t value)
{
	struct vpci_function *f = selected(p);

	if (f != NULL)
		function_write(f, (p->address & 0xfc) + lane, size, (uint32_t)value);
}

/* Only a whole dword reaches the address register; what is smaller passes by, and one byte of it is the reset port. */
static uint64_t vpci_bus_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vpci *p = ctx;

	if (offset >= DATA_OFFSET && offset + size <= VPCI_CONFIG_PORTS)
		return data_read(p, (unsigned)offset - DATA_OFFSET, size);
	if (offset == 0 && size == 4)
		return p->address;
	if (offset == CF9_OFFSET && size == 1 && p->cf9 != NULL)
		return p->cf9->read(p->cf9_ctx, 0, 1);
	return UINT64_MAX;
}

static void vpci_bus_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vpci *p = ctx;

	if (offset >= DATA_OFFSET && offset + size <= VPCI_CONFIG_PORTS)
		data_write(p, (unsigned)offset - DATA_OFFSET, size, value);
	else if (offset == 0 && size == 4)
		p->address = (uint32_t)value & ADDRESS_WRITABLE;
	else if (offset == CF9_OFFSET && size == 1 && p->cf9 != NULL)
		p->cf9->write(p->cf9_ctx, 0, 1, value);
}

static const struct bus_ops vpci_ops = {.read = vpci_bus_read, .write = vpci_bus_write};

static_assert(PCI_SLOTS * PCI_FUNCTIONS == 256, "bits 15:8 of the address register index the functions");

/* Make a bus with nothing on it. cf9: who takes byte accesses to port 0xcf9, at offset 0; NULL when nobody does. */
void vpci_init(struct vpci *p, const struct bus_ops *cf9, void *cf9_ctx)
{
	*p = (struct vpci){.cf9 = cf9, .cf9_ctx = cf9_ctx};
}

/* Every function's configuration space goes back to what it was when plugged in; BARs are unmapped with the callbacks. */
void vpci_reset(struct vpci *p)
{
	p->address = 0;
	for (unsigned i = 0; i < p->count; i++) {
		struct vpci_function *f = p->functions[i];

		memcpy(f->config, f->reset_config, sizeof(f->config));
		move_bars(f);
	}
}

/* Put ports 0xcf8..0xcff on a bus. Returns 0 or what bus_register() says. */
int vpci_register(struct vpci *p, struct bus *ports)
{
	return bus_register(ports, PCI_CONFIG_ADDRESS, VPCI_CONFIG_PORTS, &vpci_ops, p, "pci config");
}

/* Plug a function in; it stays the owner's memory. Its present configuration space is what a reset comes back to, and BARs
 * it maps are announced at once. A slot with more than one function needs function 0, whose multi-function bit is set here.
 * Returns 0; ERR_RANGE (no such slot or function), ERR_EXIST, ERR_FULL, ERR_NOENT (function 0 is missing), ERR_INVAL
 * (BARs without a bar_changed callback). */
int vpci_plug(struct vpci *p, unsigned slot, unsigned function, struct vpci_function *f)
{
	unsigned place = slot * PCI_FUNCTIONS + function;
	struct vpci_function *first;
	bool has_bar = false;

	if (slot >= PCI_SLOTS || function >= PCI_FUNCTIONS)
		return ERR_RANGE;
	first = function_at(p, slot * PCI_FUNCTIONS);
	if (function_at(p, place) != NULL)
		return ERR_EXIST;
	if (p->count == VPCI_MAX_FUNCTIONS)
		return ERR_FULL;
	if (function != 0 && first == NULL)
		return ERR_NOENT;
	for (unsigned i = 0; i < PCI_BARS; i++)
		has_bar |= f->bars[i].kind != VPCI_BAR_NONE;
	if (has_bar && (f->ops == NULL || f->ops->bar_changed == NULL))
		return ERR_INVAL;
	if (function != 0) {
		first->config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTIFUNCTION;
		first->reset_config[PCI_HEADER_TYPE] |= PCI_HEADER_MULTIFUNCTION;
	}
	memcpy(f->reset_config, f->config, sizeof(f->config));
	p->places[p->count] = (uint8_t)place;
	p->functions[p->count++] = f;
	move_bars(f);
	return 0;
}
