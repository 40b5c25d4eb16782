/* Switching the machine off, and starting it anew. */
#pragma once

#include "drivers/acpi.h"
#include "drivers/hw_io.h"

struct power {
	const struct hw_io *hw;
	struct acpi_fadt fadt; /* all zero: none */
	struct acpi_sleep s5;
	bool has_s5;
	uint16_t piix4_pm;   /* port of the PIIX4's PM registers, found by its PCI function; 0: none */
	bool emulator;       /* Bochs's or QEMU's debug port answers */
	uintptr_t reset_hva; /* where the FADT's reset register is mapped, should it be in memory; 0: not mapped */
};

/* fadt, s5: NULL where there is none. */
void power_init(struct power *p, const struct hw_io *hw, const struct acpi_fadt *fadt, const struct acpi_sleep *s5);
const char *power_off_way(const struct power *p);
int power_off(const struct power *p);
int power_reset(const struct power *p);
