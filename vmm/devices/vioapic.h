/* The I/O APIC: 24 pins, each with a redirection entry that says which local APIC is told what. After Intel's 82093AA
 * data sheet, with the EOI register of version 20H, as later chipsets and QEMU's `pc` have it.
 *
 * A pin is "asserted" when its line is set high, whatever polarity the guest programs: the polarity bit describes wiring
 * that a machine without wires does not have. Not locked: the owner sees to it that calls do not overlap. */
#pragma once

#include "drivers/regs/ioapic.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"

/* What an entry sends. */
struct vioapic_msg {
	uint8_t dest;
	uint8_t vector;
	uint8_t delivery; /* as in the entry, and as in enum vlapic_delivery */
	bool logical;
	bool level;
};

struct vioapic {
	uint64_t entries[IOAPIC_PINS];
	uint32_t lines; /* bit n: pin n is asserted */
	uint8_t id;
	uint8_t index;
	/* Take the message to the local APICs; returns whether one took it. */
	bool (*deliver)(void *ctx, const struct vioapic_msg *msg);
	void *ctx;
	uint64_t delivered[IOAPIC_PINS];
};

void vioapic_init(struct vioapic *v, bool (*deliver)(void *ctx, const struct vioapic_msg *msg), void *ctx);

/* Power-up: everything masked. The lines stay as they are, they belong to the devices. */
void vioapic_reset(struct vioapic *v);

/* The wire at a pin. */
void vioapic_set_line(struct vioapic *v, unsigned pin, bool high);

/* A local APIC is done with a level-triggered interrupt of this vector: lines that are still asserted ask again. */
void vioapic_eoi(struct vioapic *v, uint8_t vector);

/* For the memory bus, IOAPIC_SIZE bytes at IOAPIC_DEFAULT_BASE; ctx is the struct vioapic. */
extern const struct bus_ops vioapic_ops;
