/* An I/O APIC: which of its pins raises which vector on which CPU. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/regs/ioapic.h"
#include "kernel/lib/errors.h"

struct ioapic {
	const struct hw_io *hw;
	uintptr_t base;
	uint32_t gsi_base; /* the global number of its pin 0 */
	unsigned pins;
};

int ioapic_init(struct ioapic *io, const struct hw_io *hw, uintptr_t base, uint32_t gsi_base) MUST_CHECK;
void ioapic_route(const struct ioapic *io, unsigned pin, uint64_t entry);
void ioapic_mask(const struct ioapic *io, unsigned pin);
void ioapic_unmask(const struct ioapic *io, unsigned pin);
