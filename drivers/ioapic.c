/* The I/O APIC. Follows Intel's 82093AA data sheet. Its registers stand behind an index, so two CPUs that may come here at
 * once need a lock around these calls. */
#include "drivers/ioapic.h"

static uint32_t reg_read(const struct ioapic *io, unsigned reg)
{
	hw_write32(io->hw, io->base + IOAPIC_REGSEL, reg);
	return hw_read32(io->hw, io->base + IOAPIC_WIN);
}

static void reg_write(const struct ioapic *io, unsigned reg, uint32_t value)
{
	hw_write32(io->hw, io->base + IOAPIC_REGSEL, reg);
	hw_write32(io->hw, io->base + IOAPIC_WIN, value);
}

/* Take over an I/O APIC, all pins masked.
 * base: where its registers are mapped, uncached.
 * Returns 0; ERR_NOENT (nothing answers there). */
int ioapic_init(struct ioapic *io, const struct hw_io *hw, uintptr_t base, uint32_t gsi_base)
{
	uint32_t version;

	*io = (struct ioapic){.hw = hw, .base = base, .gsi_base = gsi_base};
	version = reg_read(io, IOAPIC_VER);
	if (version == 0 || version == UINT32_MAX)
		return ERR_NOENT;
	io->pins = ((version & IOAPIC_VER_MAX_MASK) >> IOAPIC_VER_MAX_SHIFT) + 1;
	for (unsigned pin = 0; pin < io->pins; pin++)
		ioapic_route(io, pin, IOAPIC_RTE_MASKED);
	return 0;
}

/* Write a pin's entry. The pin is masked in between, so that no interrupt meets a half-written one.
 * pin: below io->pins.  entry: IOAPIC_RTE_*. */
void ioapic_route(const struct ioapic *io, unsigned pin, uint64_t entry)
{
	unsigned reg = IOAPIC_REDTBL + 2 * pin;

	reg_write(io, reg, (uint32_t)(entry | IOAPIC_RTE_MASKED));
	reg_write(io, reg + 1, (uint32_t)(entry >> 32));
	if (!(entry & IOAPIC_RTE_MASKED))
		reg_write(io, reg, (uint32_t)entry);
}

/* Stop and start a pin that has been routed. */
void ioapic_mask(const struct ioapic *io, unsigned pin)
{
	unsigned reg = IOAPIC_REDTBL + 2 * pin;

	reg_write(io, reg, reg_read(io, reg) | (uint32_t)IOAPIC_RTE_MASKED);
}

void ioapic_unmask(const struct ioapic *io, unsigned pin)
{
	unsigned reg = IOAPIC_REDTBL + 2 * pin;

	reg_write(io, reg, reg_read(io, reg) & ~(uint32_t)IOAPIC_RTE_MASKED);
}
