/* PCI configuration by the two ports of mechanism #1, and a walk over all functions that follows bridges. Follows the PCI
 * Local Bus Specification 3.0 "Software Generation of Configuration Transactions". It configures nothing by itself. */
#include "drivers/pci.h"
#include "kernel/lib/bitmap.h"

/* The host bridge, whose functions each stand for a bus of their own where it has several. */
static const struct pci_address host_bridge = {0, 0, 0};

static void select_dword(const struct hw_io *hw, struct pci_address at, unsigned offset)
{
	hw_out32(hw, PCI_CONFIG_ADDRESS,
		 PCI_ADDRESS((uint32_t)at.bus, (uint32_t)at.slot, (uint32_t)at.function, offset));
}

/* Does the machine answer at the configuration ports? */
bool pci_present(const struct hw_io *hw)
{
	uint32_t before = hw_in32(hw, PCI_CONFIG_ADDRESS);
	bool present;

	hw_out32(hw, PCI_CONFIG_ADDRESS, PCI_CONFIG_ENABLE);
	present = hw_in32(hw, PCI_CONFIG_ADDRESS) == PCI_CONFIG_ENABLE;
	hw_out32(hw, PCI_CONFIG_ADDRESS, before);
	return present;
}

uint8_t pci_read8(const struct hw_io *hw, struct pci_address at, unsigned offset)
{
	select_dword(hw, at, offset);
	return hw_in8(hw, PCI_CONFIG_DATA + (offset & 3));
}

uint16_t pci_read16(const struct hw_io *hw, struct pci_address at, unsigned offset)
{
	select_dword(hw, at, offset);
	return hw_in16(hw, PCI_CONFIG_DATA + (offset & 2));
}

uint32_t pci_read32(const struct hw_io *hw, struct pci_address at, unsigned offset)
{
	select_dword(hw, at, offset);
	return hw_in32(hw, PCI_CONFIG_DATA);
}

void pci_write8(const struct hw_io *hw, struct pci_address at, unsigned offset, unsigned value)
{
	select_dword(hw, at, offset);
	hw_out8(hw, PCI_CONFIG_DATA + (offset & 3), value);
}

void pci_write16(const struct hw_io *hw, struct pci_address at, unsigned offset, unsigned value)
{
	select_dword(hw, at, offset);
	hw_out16(hw, PCI_CONFIG_DATA + (offset & 2), value);
}

void pci_write32(const struct hw_io *hw, struct pci_address at, unsigned offset, uint32_t value)
{
	select_dword(hw, at, offset);
	hw_out32(hw, PCI_CONFIG_DATA, value);
}

/* Returns whether there is a function. *multi: whether its device may have more of them. */
static bool read_function(const struct hw_io *hw, struct pci_address at, struct pci_function *f, bool *multi)
{
	uint32_t id = pci_read32(hw, at, PCI_VENDOR_ID), class_revision, interrupt;
	uint8_t header;

	if ((id & 0xffff) == PCI_VENDOR_NONE)
		return false;
	class_revision = pci_read32(hw, at, PCI_REVISION_ID);
	interrupt = pci_read32(hw, at, PCI_INTERRUPT_LINE);
	header = pci_read8(hw, at, PCI_HEADER_TYPE);
	*multi = (header & PCI_HEADER_MULTIFUNCTION) != 0;
	*f = (struct pci_function){
		.at = at,
		.vendor = (uint16_t)id,
		.device = (uint16_t)(id >> 16),
		.class_code = (uint8_t)(class_revision >> 24),
		.subclass = (uint8_t)(class_revision >> 16),
		.prog_if = (uint8_t)(class_revision >> 8),
		.revision = (uint8_t)class_revision,
		.header_type = header & PCI_HEADER_TYPE_MASK,
		.irq_line = (uint8_t)interrupt,
		.irq_pin = (uint8_t)(interrupt >> 8),
	};
	return true;
}

struct walk {
	const struct hw_io *hw;
	bool (*visit)(void *ctx, const struct pci_function *f);
	void *ctx;
	uint64_t found[BITMAP_WORDS(PCI_BUSES)]; /* buses that somebody leads to */
	uint64_t done[BITMAP_WORDS(PCI_BUSES)];
};

static bool walk_slot(struct walk *w, unsigned bus, unsigned slot)
{
	unsigned functions = 1;

	for (unsigned n = 0; n < functions; n++) {
		struct pci_address at = {(uint8_t)bus, (uint8_t)slot, (uint8_t)n};
		struct pci_function f;
		bool multi;

		if (!read_function(w->hw, at, &f, &multi))
			continue;
		if (n == 0 && multi)
			functions = PCI_FUNCTIONS;
		if (f.header_type == PCI_HEADER_BRIDGE)
			bitmap_set(w->found, pci_read8(w->hw, at, PCI_SECONDARY_BUS));
		if (!w->visit(w->ctx, &f))
			return false;
	}
	return true;
}

static bool walk_bus(struct walk *w, unsigned bus)
{
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++) {
		if (!walk_slot(w, bus, slot))
			return false;
	}
	return true;
}

static void find_host_buses(struct walk *w)
{
	struct pci_function f;
	bool multi;

	bitmap_set(w->found, 0);
	if (!read_function(w->hw, host_bridge, &f, &multi) || !multi)
		return;
	for (uint8_t n = 1; n < PCI_FUNCTIONS; n++) {
		struct pci_address at = {0, 0, n};

		if (read_function(w->hw, at, &f, &multi) && f.class_code == PCI_CLASS_BRIDGE &&
		    f.subclass == PCI_BRIDGE_HOST)
			bitmap_set(w->found, n);
	}
}

/* Visit every function, the buses behind bridges after the bus they hang on. Each bus is visited once, however the
 * bridges' registers point at one another.
 * visit: returns false to end the walk.  Context: pci_present(). */
void pci_enumerate(const struct hw_io *hw, bool (*visit)(void *ctx, const struct pci_function *f), void *ctx)
{
	struct walk w = {.hw = hw, .visit = visit, .ctx = ctx};
	size_t bus;

	find_host_buses(&w);
	while ((bus = bitmap_next_set(w.found, PCI_BUSES, 0)) != BITMAP_NONE) {
		bitmap_clear(w.found, bus);
		if (bitmap_test(w.done, bus))
			continue;
		bitmap_set(w.done, bus);
		if (!walk_bus(&w, (unsigned)bus))
			return;
	}
}

struct search {
	unsigned vendor;
	unsigned device;
	struct pci_function *out;
	bool found;
};

static bool search_visit(void *ctx, const struct pci_function *f)
{
	struct search *s = ctx;

	if (f->vendor != s->vendor || f->device != s->device)
		return true;
	*s->out = *f;
	s->found = true;
	return false;
}

/* Find the first function of a kind.
 * Returns 0; ERR_NOENT (none, or no PCI at all). */
int pci_find(const struct hw_io *hw, unsigned vendor, unsigned device, struct pci_function *out)
{
	struct search s = {.vendor = vendor, .device = device, .out = out};

	if (pci_present(hw))
		pci_enumerate(hw, search_visit, &s);
	return s.found ? 0 : ERR_NOENT;
}
