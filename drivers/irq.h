/* Where the interrupts of ISA devices arrive: through I/O APICs as the MADT wires them, or through the 8259 pair where there
 * are none. ISA interrupt n always gets vector base + n. */
#pragma once

#include "drivers/acpi.h"
#include "drivers/ioapic.h"
#include "drivers/lapic.h"
#include "drivers/pic8259.h"

#define IRQ_ISA_COUNT 16u
#define IRQ_IOAPICS_MAX 16u

struct irq_isa {
	uint32_t gsi;
	uint16_t flags; /* MADT_POLARITY_*, MADT_TRIGGER_* */
};

struct irq_router {
	const struct lapic *lapic;
	uint8_t vector_base;
	struct pic8259 pic;
	struct ioapic ioapics[IRQ_IOAPICS_MAX];
	unsigned ioapic_count; /* 0: the 8259 pair is used */
	struct irq_isa isa[IRQ_ISA_COUNT];
};

/* Maps a device's registers, uncached; 0 when that cannot be done. */
typedef uintptr_t irq_map_fn(void *ctx, uint64_t hpa, uint64_t len);

void irq_init(struct irq_router *r, const struct hw_io *hw, const struct lapic *lapic, uint8_t vector_base);
int irq_add_ioapics(struct irq_router *r, const struct acpi_madt *madt, irq_map_fn *map, void *ctx) MUST_CHECK;
int irq_route_isa(struct irq_router *r, unsigned irq, uint32_t apic_id, uint8_t *vector) MUST_CHECK;
int irq_mask_isa(struct irq_router *r, unsigned irq) MUST_CHECK;
bool irq_begin(struct irq_router *r, uint8_t vector);
void irq_end(struct irq_router *r, uint8_t vector);
