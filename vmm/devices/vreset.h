/* The reset control register of the PIIX3 at port 0xcf9. The port lies inside the PCI configuration address register, so
 * the PCI part forwards byte accesses to it; vreset_ops covers the one byte. */
#pragma once

#include "drivers/regs/pci.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"

struct vreset {
	uint8_t control; /* the kind of reset that was chosen; the trigger reads as 0 */
	void (*reset)(void *ctx, bool hard);
	void *ctx;
};

extern const struct bus_ops vreset_ops;

void vreset_init(struct vreset *r, void (*reset)(void *ctx, bool hard), void *ctx);
void vreset_reset(struct vreset *r);
