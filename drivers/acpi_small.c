/* Two small tables: MCFG (PCI Firmware Specification "MCFG Table Description") and HPET (IA-PC HPET Specification "The ACPI
 * 2.0 HPET Description Table"). */
#include "drivers/acpi.h"
#include "kernel/lib/bytes.h"

/* The index-th range of memory-mapped configuration space.
 * Returns 0; ERR_FORMAT (not an MCFG, or a range that ends before it begins), ERR_NOENT (no such entry). */
int acpi_mcfg_entry(const struct acpi_table *table, size_t index, struct acpi_mcfg_entry *out)
{
	const uint8_t *p;

	if (acpi_signature(table) != ACPI_SIGNATURE('M', 'C', 'F', 'G'))
		return ERR_FORMAT;
	if (table->len < MCFG_ENTRIES || index >= (table->len - MCFG_ENTRIES) / MCFG_ENTRY_LEN)
		return ERR_NOENT;
	p = table->bytes + MCFG_ENTRIES + index * MCFG_ENTRY_LEN;
	if (p[MCFG_ENTRY_END_BUS] < p[MCFG_ENTRY_START_BUS])
		return ERR_FORMAT;
	*out = (struct acpi_mcfg_entry){
		.base = load_le64(p + MCFG_ENTRY_BASE),
		.segment = load_le16(p + MCFG_ENTRY_SEGMENT),
		.start_bus = p[MCFG_ENTRY_START_BUS],
		.end_bus = p[MCFG_ENTRY_END_BUS],
	};
	return 0;
}

/* Where the HPET's registers are.
 * Returns 0; ERR_FORMAT (not an HPET table, or registers that are not memory), ERR_TRUNC. */
int acpi_hpet_address(const struct acpi_table *table, uint64_t *hpa)
{
	const uint8_t *gas = table->bytes + HPET_TABLE_ADDRESS;

	if (acpi_signature(table) != ACPI_SIGNATURE('H', 'P', 'E', 'T'))
		return ERR_FORMAT;
	if (table->len < HPET_TABLE_LEN)
		return ERR_TRUNC;
	if (gas[GAS_SPACE] != GAS_SPACE_MEMORY || load_le64(gas + GAS_ADDRESS) == 0)
		return ERR_FORMAT;
	*hpa = load_le64(gas + GAS_ADDRESS);
	return 0;
}
