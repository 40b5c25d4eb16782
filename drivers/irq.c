/* Routing of ISA interrupts. Follows the ACPI specification 6.4 "Interrupt Source Override Structure" and SDM 3 "Virtual Wire
 * Mode via Local APIC". It calls no handler: the caller sets one for the vector it is given. */
#include "drivers/irq.h"

/* Begin with the 8259 pair: remapped, masked, and every ISA interrupt wired as a PC without overrides wires it.
 * lapic: of the CPU that shall take interrupts; enabled.  vector_base: multiple of 8; 16 vectors are taken. */
void irq_init(struct irq_router *r, const struct hw_io *hw, const struct lapic *lapic, uint8_t vector_base)
{
	*r = (struct irq_router){.lapic = lapic, .vector_base = vector_base};
	pic_init(&r->pic, hw, vector_base);
	for (uint32_t irq = 0; irq < IRQ_ISA_COUNT; irq++)
		r->isa[irq] = (struct irq_isa){.gsi = irq};
}

static int add_ioapic(struct irq_router *r, const struct acpi_madt_entry *e, irq_map_fn *map, void *ctx)
{
	uintptr_t base = map(ctx, e->address, IOAPIC_SIZE);
	int err;

	if (r->ioapic_count == IRQ_IOAPICS_MAX)
		return ERR_FULL;
	if (base == 0)
		return ERR_RANGE;
	err = ioapic_init(&r->ioapics[r->ioapic_count], r->pic.hw, base, e->gsi);
	if (err == 0)
		r->ioapic_count++;
	return err;
}

/* Use the I/O APICs and overrides of a MADT. One that does not answer is left out.
 * Returns 0; ERR_NOENT (none works: the 8259 pair stays in use), or the error of one that was left out. */
int irq_add_ioapics(struct irq_router *r, const struct acpi_madt *madt, irq_map_fn *map, void *ctx)
{
	struct acpi_madt_entry e;
	size_t offset = 0;
	int result = 0;

	while (acpi_madt_next(madt, &offset, &e) == 0) {
		if (e.kind == ACPI_MADT_IOAPIC) {
			int err = add_ioapic(r, &e, map, ctx);

			result = err != 0 ? err : result;
		} else if (e.kind == ACPI_MADT_OVERRIDE && e.isa_irq < IRQ_ISA_COUNT) {
			r->isa[e.isa_irq] = (struct irq_isa){.gsi = e.gsi, .flags = e.flags};
		}
	}
	return r->ioapic_count == 0 && result == 0 ? ERR_NOENT : result;
}

static const struct ioapic *ioapic_of(const struct irq_router *r, uint32_t gsi, unsigned *pin)
{
	for (unsigned i = 0; i < r->ioapic_count; i++) {
		const struct ioapic *io = &r->ioapics[i];

		if (gsi < io->gsi_base || gsi - io->gsi_base >= io->pins)
			continue;
		*pin = gsi - io->gsi_base;
		return io;
	}
	return NULL;
}

/* "Conforms to the bus" means edge and active high on ISA. */
static uint64_t entry_bits(uint16_t flags)
{
	uint64_t bits = 0;

	if ((flags & MADT_POLARITY_MASK) == MADT_POLARITY_LOW)
		bits |= IOAPIC_RTE_ACTIVE_LOW;
	if ((flags & MADT_TRIGGER_MASK) == MADT_TRIGGER_LEVEL)
		bits |= IOAPIC_RTE_LEVEL;
	return bits;
}

static int route_ioapic(const struct irq_router *r, const struct irq_isa *isa, uint32_t apic_id, uint8_t vector)
{
	unsigned pin;
	const struct ioapic *io = ioapic_of(r, isa->gsi, &pin);

	if (io == NULL)
		return ERR_NOENT;
	if (apic_id > 0xff)
		return ERR_RANGE;
	ioapic_route(io, pin, (uint64_t)apic_id << IOAPIC_RTE_DEST_SHIFT | entry_bits(isa->flags) | vector);
	return 0;
}

/* Let an ISA interrupt come.
 * irq: 0 to 15.  apic_id: the CPU that takes it; with the 8259 pair it must be the one that calls.
 * Returns 0 and the vector; ERR_INVAL (no such interrupt), ERR_NOENT (no I/O APIC has its pin), ERR_RANGE (an APIC ID that an
 * I/O APIC cannot address).  Context: a handler for the vector stands. */
int irq_route_isa(struct irq_router *r, unsigned irq, uint32_t apic_id, uint8_t *vector)
{
	if (irq >= IRQ_ISA_COUNT || irq == PIC_CASCADE_IRQ)
		return ERR_INVAL;
	*vector = (uint8_t)(r->vector_base + irq);
	if (r->ioapic_count != 0)
		return route_ioapic(r, &r->isa[irq], apic_id, *vector);
	lapic_lint(r->lapic, 0, LAPIC_LVT_DM_EXTINT); /* the pair's output is wired to LINT0 */
	pic_unmask(&r->pic, irq);
	return 0;
}

/* Stop an ISA interrupt. irq_route_isa() brings it back.
 * Returns 0; ERR_INVAL, ERR_NOENT as there. */
int irq_mask_isa(struct irq_router *r, unsigned irq)
{
	const struct ioapic *io;
	unsigned pin;

	if (irq >= IRQ_ISA_COUNT || irq == PIC_CASCADE_IRQ)
		return ERR_INVAL;
	if (r->ioapic_count == 0) {
		pic_mask(&r->pic, irq);
		return 0;
	}
	io = ioapic_of(r, r->isa[irq].gsi, &pin);
	if (io == NULL)
		return ERR_NOENT;
	ioapic_mask(io, pin);
	return 0;
}

/* At the beginning of a handler: is this interrupt real? Where not, the handler returns at once, without irq_end(). */
bool irq_begin(struct irq_router *r, uint8_t vector)
{
	if (r->ioapic_count != 0)
		return true; /* spurious ones have a vector of their own there */
	return !pic_spurious(&r->pic, vector - (unsigned)r->vector_base);
}

/* At the end of a handler: acknowledge. */
void irq_end(struct irq_router *r, uint8_t vector)
{
	if (r->ioapic_count != 0)
		lapic_eoi(r->lapic);
	else
		pic_eoi(&r->pic, vector - (unsigned)r->vector_base);
}
