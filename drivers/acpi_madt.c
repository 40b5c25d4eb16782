/* The MADT: processors, I/O APICs, and how the ISA interrupts are wired. Follows the ACPI specification 6.4 "Multiple APIC
 * Description Table (MADT)". It only reads; what a PC without this table looks like is the caller's to know. */
#include "drivers/acpi.h"
#include "kernel/lib/bytes.h"

/* Open a MADT.
 * Returns 0; ERR_FORMAT (not one), ERR_TRUNC (shorter than its fixed part). */
int acpi_madt_open(const struct acpi_table *table, struct acpi_madt *out)
{
	struct acpi_madt_entry entry;
	size_t offset = 0;

	if (acpi_signature(table) != ACPI_SIGNATURE('A', 'P', 'I', 'C'))
		return ERR_FORMAT;
	if (table->len < MADT_ENTRIES)
		return ERR_TRUNC;
	out->table = *table;
	out->lapic_address = load_le32(table->bytes + MADT_LAPIC_ADDR);
	out->has_8259 = (load_le32(table->bytes + MADT_FLAGS) & MADT_FLAG_PCAT_COMPAT) != 0;
	while (acpi_madt_next(out, &offset, &entry) == 0) {
		if (entry.kind == ACPI_MADT_LAPIC_ADDRESS)
			out->lapic_address = entry.address;
	}
	return 0;
}

static void cpu_entry(struct acpi_madt_entry *out, uint32_t flags)
{
	out->kind = ACPI_MADT_CPU;
	out->enabled = (flags & MADT_CPU_ENABLED) != 0;
	out->online_capable = !out->enabled && (flags & MADT_CPU_ONLINE_CAPABLE) != 0;
}

static void lapic_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	cpu_entry(out, load_le32(p + MADT_LAPIC_FLAGS));
	out->apic_id = p[MADT_LAPIC_ID];
	out->uid = p[MADT_LAPIC_UID];
	if (out->apic_id == 0xff) /* the broadcast address: firmware's way to fill an unused row */
		out->enabled = out->online_capable = false;
}

static void x2apic_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	cpu_entry(out, load_le32(p + MADT_X2APIC_FLAGS));
	out->apic_id = load_le32(p + MADT_X2APIC_ID);
	out->uid = load_le32(p + MADT_X2APIC_UID);
	if (out->apic_id == UINT32_MAX)
		out->enabled = out->online_capable = false;
}

static void ioapic_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	out->kind = ACPI_MADT_IOAPIC;
	out->ioapic_id = p[MADT_IOAPIC_ID];
	out->address = load_le32(p + MADT_IOAPIC_ADDR);
	out->gsi = load_le32(p + MADT_IOAPIC_GSI_BASE);
}

static void override_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	if (p[MADT_ISO_BUS] != 0) /* only bus 0, ISA, is defined */
		return;
	out->kind = ACPI_MADT_OVERRIDE;
	out->isa_irq = p[MADT_ISO_SOURCE];
	out->gsi = load_le32(p + MADT_ISO_GSI);
	out->flags = load_le16(p + MADT_ISO_FLAGS);
}

static void nmi_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	out->kind = ACPI_MADT_NMI;
	out->flags = load_le16(p + MADT_NMI_SOURCE_FLAGS);
	out->gsi = load_le32(p + MADT_NMI_SOURCE_GSI);
}

static void lapic_nmi_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	out->kind = ACPI_MADT_LAPIC_NMI;
	out->uid = p[MADT_LAPIC_NMI_UID] == MADT_LAPIC_NMI_ALL ? ACPI_ALL_CPUS : p[MADT_LAPIC_NMI_UID];
	out->flags = load_le16(p + MADT_LAPIC_NMI_FLAGS);
	out->lint = p[MADT_LAPIC_NMI_LINT];
}

static void x2apic_nmi_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	out->kind = ACPI_MADT_LAPIC_NMI;
	out->uid = load_le32(p + MADT_X2APIC_NMI_UID);
	out->flags = load_le16(p + MADT_X2APIC_NMI_FLAGS);
	out->lint = p[MADT_X2APIC_NMI_LINT];
}

static void lapic_address_entry(const uint8_t *p, struct acpi_madt_entry *out)
{
	out->kind = ACPI_MADT_LAPIC_ADDRESS;
	out->address = load_le64(p + MADT_LAPIC_ADDR_OVERRIDE_ADDR);
}

static const struct entry_type {
	uint8_t type;
	uint8_t len; /* at least */
	void (*read)(const uint8_t *p, struct acpi_madt_entry *out);
} entry_types[] = {
	{MADT_TYPE_LAPIC, MADT_LAPIC_LEN, lapic_entry},
	{MADT_TYPE_IOAPIC, MADT_IOAPIC_LEN, ioapic_entry},
	{MADT_TYPE_ISO, MADT_ISO_LEN, override_entry},
	{MADT_TYPE_NMI_SOURCE, MADT_NMI_SOURCE_LEN, nmi_entry},
	{MADT_TYPE_LAPIC_NMI, MADT_LAPIC_NMI_LEN, lapic_nmi_entry},
	{MADT_TYPE_LAPIC_ADDR_OVERRIDE, MADT_LAPIC_ADDR_OVERRIDE_LEN, lapic_address_entry},
	{MADT_TYPE_X2APIC, MADT_X2APIC_LEN, x2apic_entry},
	{MADT_TYPE_X2APIC_NMI, MADT_X2APIC_NMI_LEN, x2apic_nmi_entry},
};

/* Read the entry at *offset and move on to the next.
 * offset: 0 at first.
 * Returns 0; ERR_NOENT (that was all), ERR_TRUNC (an entry reaches beyond the table or is shorter than its kind; the walk
 * is over). */
int acpi_madt_next(const struct acpi_madt *madt, size_t *offset, struct acpi_madt_entry *out)
{
	size_t at = *offset != 0 ? *offset : MADT_ENTRIES, left, len;
	const uint8_t *p;

	if (at >= madt->table.len)
		return ERR_NOENT;
	p = madt->table.bytes + at;
	left = madt->table.len - at;
	if (left < MADT_ENTRY_HEADER_LEN)
		return ERR_TRUNC;
	len = p[MADT_ENTRY_LENGTH];
	if (len < MADT_ENTRY_HEADER_LEN || len > left)
		return ERR_TRUNC;
	*out = (struct acpi_madt_entry){.kind = ACPI_MADT_OTHER, .type = p[MADT_ENTRY_TYPE]};
	for (size_t i = 0; i < ARRAY_LEN(entry_types); i++) {
		if (entry_types[i].type != out->type)
			continue;
		if (len < entry_types[i].len)
			return ERR_TRUNC;
		entry_types[i].read(p, out);
	}
	*offset = at + len;
	return 0;
}
