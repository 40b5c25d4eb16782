/* The FADT: where the power management registers are, and what ACPI 1.0 to 6.4 each say about them. Follows the ACPI
 * specification 6.4 "Fixed ACPI Description Table (FADT)". */
#include "drivers/acpi.h"
#include "kernel/lib/bytes.h"

static struct acpi_register gas_at(const struct acpi_table *t, unsigned offset)
{
	const uint8_t *p = t->bytes + offset;

	if (t->len < offset + GAS_LEN)
		return (struct acpi_register){0};
	return (struct acpi_register){
		.space = p[GAS_SPACE],
		.bit_width = p[GAS_BIT_WIDTH],
		.address = load_le64(p + GAS_ADDRESS),
	};
}

/* A register block: the 64-bit form counts when it is there and not zero, else the port of ACPI 1.0. */
static struct acpi_register block_at(const struct acpi_table *t, unsigned extended, unsigned port, unsigned len)
{
	struct acpi_register reg = gas_at(t, extended);

	if (reg.address != 0)
		return reg;
	return (struct acpi_register){
		.space = GAS_SPACE_IO,
		.bit_width = (uint8_t)(t->bytes[len] * 8),
		.address = load_le32(t->bytes + port),
	};
}

static uint64_t dsdt_of(const struct acpi_table *t)
{
	uint64_t extended = t->len >= FADT_X_DSDT + 8 ? load_le64(t->bytes + FADT_X_DSDT) : 0;

	return extended != 0 ? extended : load_le32(t->bytes + FADT_DSDT);
}

/* Read a FADT of any revision; what an old one does not have is absent in the result.
 * Returns 0; ERR_FORMAT (not one), ERR_TRUNC (shorter than ACPI 1.0's). */
int acpi_fadt_parse(const struct acpi_table *table, struct acpi_fadt *out)
{
	const uint8_t *p = table->bytes;
	struct acpi_fadt f = {0};

	if (acpi_signature(table) != ACPI_SIGNATURE('F', 'A', 'C', 'P'))
		return ERR_FORMAT;
	if (table->len < FADT_V1_LEN)
		return ERR_TRUNC;
	f.dsdt = dsdt_of(table);
	f.sci_irq = load_le16(p + FADT_SCI_INT);
	f.smi_cmd = load_le32(p + FADT_SMI_CMD);
	f.acpi_enable = p[FADT_ACPI_ENABLE];
	f.flags = load_le32(p + FADT_FLAGS);
	f.century = p[FADT_CENTURY];
	/* In ACPI 1.0 the field is reserved: whatever stands there, the PC of its time has the controller. */
	f.has_8042 = p[SDT_REVISION] < 3 || (load_le16(p + FADT_IAPC_BOOT_ARCH) & FADT_BOOT_8042) != 0;
	if (!(f.flags & FADT_FLAG_HW_REDUCED)) {
		f.pm1a_evt = block_at(table, FADT_X_PM1A_EVT_BLK, FADT_PM1A_EVT_BLK, FADT_PM1_EVT_LEN);
		f.pm1b_evt = block_at(table, FADT_X_PM1B_EVT_BLK, FADT_PM1B_EVT_BLK, FADT_PM1_EVT_LEN);
		f.pm1a_cnt = block_at(table, FADT_X_PM1A_CNT_BLK, FADT_PM1A_CNT_BLK, FADT_PM1_CNT_LEN);
		f.pm1b_cnt = block_at(table, FADT_X_PM1B_CNT_BLK, FADT_PM1B_CNT_BLK, FADT_PM1_CNT_LEN);
		f.pm_timer = block_at(table, FADT_X_PM_TMR_BLK, FADT_PM_TMR_BLK, FADT_PM_TMR_LEN);
	}
	if ((f.flags & FADT_FLAG_RESET_REG_SUP) && table->len > FADT_RESET_VALUE) {
		f.reset = gas_at(table, FADT_RESET_REG);
		f.reset_value = p[FADT_RESET_VALUE];
	}
	*out = f;
	return 0;
}
