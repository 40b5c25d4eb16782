/* The emulated PCI bus 0: configuration mechanism #1 at ports 0xcf8..0xcff, and functions that their owners plug in.
 * A function is its 256 bytes of configuration space, which of their bits a guest can write, and callbacks for what
 * follows from a write: a base address register that moves, or a register of the function's own.
 *
 * Used by whoever makes a PCI device:
 *	vpci_function_init(&f, &identity, &ops, ctx);
 *	vpci_function_bar(&f, 0, VPCI_BAR_MEM32, 4096);
 *	vpci_plug(&pci, 3, 0, &f);  */
#pragma once

#include "drivers/regs/pci.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"

#define VPCI_CONFIG_PORTS 8u
#define VPCI_MAX_FUNCTIONS 16u

enum vpci_bar_kind { VPCI_BAR_NONE, VPCI_BAR_IO, VPCI_BAR_MEM32, VPCI_BAR_MEM64, VPCI_BAR_UPPER_HALF };

struct vpci_bar {
	enum vpci_bar_kind kind;
	uint64_t size; /* bytes, a power of two */
	uint64_t base; /* where the guest has it, while mapped */
	bool mapped;   /* decoding is on and the address makes sense */
};

struct vpci_function_ops {
	/* A BAR appears at base, or is gone from there. A move is: gone, then there. May be NULL without BARs. */
	void (*bar_changed)(void *ctx, unsigned bar, uint64_t base, bool mapped);
	/* The guest has written writable bits somewhere in [offset, offset + size); the bytes are in place. May be NULL. */
	void (*config_written)(void *ctx, unsigned offset, unsigned size);
	/* The guest is about to read: bytes that live may be refreshed. May be NULL. */
	void (*config_reading)(void *ctx, unsigned offset, unsigned size);
};

struct vpci_function {
	uint8_t config[PCI_CONFIG_BYTES];
	uint8_t writable[PCI_CONFIG_BYTES];     /* bits a guest's write changes */
	uint8_t clear_by_one[PCI_CONFIG_BYTES]; /* bits that writing 1 clears */
	struct vpci_bar bars[PCI_BARS];
	const struct vpci_function_ops *ops;
	void *ctx;
	uint8_t reset_config[PCI_CONFIG_BYTES]; /* config as it was when plugged in */
};

struct vpci_identity {
	uint16_t vendor, device;
	uint8_t class_code, subclass, prog_if, revision;
	uint16_t subsystem_vendor, subsystem;
	uint8_t interrupt_pin; /* 1 = INTA#; 0: none */
};

struct vpci {
	struct vpci_function *functions[VPCI_MAX_FUNCTIONS]; /* of bus 0, as they were plugged in */
	uint8_t places[VPCI_MAX_FUNCTIONS];                  /* theirs: slot * 8 + function */
	unsigned count;
	uint32_t address;          /* port 0xcf8 */
	const struct bus_ops *cf9; /* byte accesses to port 0xcf9; may be NULL */
	void *cf9_ctx;
};

void vpci_init(struct vpci *p, const struct bus_ops *cf9, void *cf9_ctx);
void vpci_reset(struct vpci *p);
MUST_CHECK int vpci_register(struct vpci *p, struct bus *ports);
MUST_CHECK int vpci_plug(struct vpci *p, unsigned slot, unsigned function, struct vpci_function *f);

void vpci_function_init(struct vpci_function *f, const struct vpci_identity *id, const struct vpci_function_ops *ops,
			void *ctx);
void vpci_function_bar(struct vpci_function *f, unsigned bar, enum vpci_bar_kind kind, uint64_t size);
unsigned vpci_function_capability(struct vpci_function *f, uint8_t id, unsigned at, unsigned bytes);
void vpci_set16(struct vpci_function *f, unsigned offset, uint16_t value);
void vpci_set32(struct vpci_function *f, unsigned offset, uint32_t value);
