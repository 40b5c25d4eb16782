/* PCI configuration space and what is on the buses. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/regs/pci.h"
#include "kernel/lib/errors.h"

struct pci_address {
	uint8_t bus;
	uint8_t slot;
	uint8_t function;
};

struct pci_function {
	struct pci_address at;
	uint16_t vendor;
	uint16_t device;
	uint8_t class_code;
	uint8_t subclass;
	uint8_t prog_if;
	uint8_t revision;
	uint8_t header_type; /* without the multifunction bit */
	uint8_t irq_line;    /* as firmware left it */
	uint8_t irq_pin;     /* 0: none, 1..4: A..D */
};

bool pci_present(const struct hw_io *hw);
/* offset: below PCI_CONFIG_BYTES, aligned as the width asks. Every call moves the shared address register. */
uint8_t pci_read8(const struct hw_io *hw, struct pci_address at, unsigned offset);
uint16_t pci_read16(const struct hw_io *hw, struct pci_address at, unsigned offset);
uint32_t pci_read32(const struct hw_io *hw, struct pci_address at, unsigned offset);
void pci_write8(const struct hw_io *hw, struct pci_address at, unsigned offset, unsigned value);
void pci_write16(const struct hw_io *hw, struct pci_address at, unsigned offset, unsigned value);
void pci_write32(const struct hw_io *hw, struct pci_address at, unsigned offset, uint32_t value);

void pci_enumerate(const struct hw_io *hw, bool (*visit)(void *ctx, const struct pci_function *f), void *ctx);
int pci_find(const struct hw_io *hw, unsigned vendor, unsigned device, struct pci_function *out) MUST_CHECK;
