/* From the root pointer to a table: RSDP of ACPI 1.0 and 2.0, RSDT and XSDT, checksums. Follows the ACPI specification 6.4
 * "Root System Description Pointer (RSDP)" and "System Description Table Header". */
#include "drivers/acpi.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"

/* No table of a PC is longer; a length field beyond it is garbage, and summing it up would take for ever. */
#define TABLE_BYTES_MAX (16u * 1024 * 1024)

/* Read a root pointer.
 * Returns 0; ERR_TRUNC (too short for its revision), ERR_FORMAT (signature or checksum). */
int acpi_rsdp_parse(const void *bytes, size_t len, struct acpi_rsdp *out)
{
	const uint8_t *p = bytes;
	struct acpi_rsdp rsdp = {0};
	uint32_t length;

	if (len < RSDP_V1_LEN)
		return ERR_TRUNC;
	if (memcmp(p, RSDP_SIGNATURE, 8) != 0 || checksum8(p, RSDP_V1_LEN) != 0)
		return ERR_FORMAT;
	rsdp.revision = p[RSDP_REVISION];
	rsdp.rsdt = load_le32(p + RSDP_RSDT);
	if (rsdp.revision >= 2) {
		if (len < RSDP_V2_LEN)
			return ERR_TRUNC;
		length = load_le32(p + RSDP_LENGTH);
		if (length < RSDP_V2_LEN)
			return ERR_FORMAT;
		if (length > len)
			return ERR_TRUNC;
		if (checksum8(p, length) != 0)
			return ERR_FORMAT;
		rsdp.xsdt = load_le64(p + RSDP_XSDT);
	}
	*out = rsdp;
	return 0;
}

/* Look for a root pointer in a piece of firmware memory, as PCs without a better source do: in the first KiB of the EBDA,
 * and in 0xE0000 to 0xFFFFF.
 * bytes: at a multiple of 16 in physical memory.  offset: receives where acpi_rsdp_parse() will find it.
 * Returns 0; ERR_NOENT.  Source: ACPI "Finding the RSDP on IA-PC Systems". */
int acpi_rsdp_scan(const void *bytes, size_t len, size_t *offset)
{
	const uint8_t *p = bytes;
	struct acpi_rsdp rsdp;

	for (size_t at = 0; at < len && len - at >= RSDP_V1_LEN; at += RSDP_ALIGN) {
		if (acpi_rsdp_parse(p + at, len - at, &rsdp) != 0)
			continue;
		*offset = at;
		return 0;
	}
	return ERR_NOENT;
}

/* Map the table at an address and prove it.
 * Returns 0; ERR_RANGE (not readable there), ERR_FORMAT (length or checksum). */
int acpi_table_at(const struct acpi_memory *mem, uint64_t hpa, struct acpi_table *out)
{
	const uint8_t *p;
	uint32_t len;

	if (hpa == 0 || (p = mem->map(mem->ctx, hpa, SDT_HEADER_LEN)) == NULL)
		return ERR_RANGE;
	len = load_le32(p + SDT_LENGTH);
	if (len < SDT_HEADER_LEN || len > TABLE_BYTES_MAX)
		return ERR_FORMAT;
	p = mem->map(mem->ctx, hpa, len);
	if (p == NULL)
		return ERR_RANGE;
	if (checksum8(p, len) != 0)
		return ERR_FORMAT;
	*out = (struct acpi_table){.bytes = p, .len = len, .hpa = hpa};
	return 0;
}

/* The four letters, as ACPI_SIGNATURE() makes them. */
uint32_t acpi_signature(const struct acpi_table *table)
{
	return load_le32(table->bytes + SDT_SIGNATURE);
}

static int root_at(const struct acpi_memory *mem, uint64_t hpa, unsigned entry_bytes, struct acpi_root *out)
{
	uint32_t want = entry_bytes == 8 ? ACPI_SIGNATURE('X', 'S', 'D', 'T') : ACPI_SIGNATURE('R', 'S', 'D', 'T');
	int err = acpi_table_at(mem, hpa, &out->table);

	if (err != 0)
		return err;
	if (acpi_signature(&out->table) != want)
		return ERR_FORMAT;
	out->entry_bytes = entry_bytes;
	return 0;
}

/* Open the XSDT, or where there is no sound one the RSDT.
 * Returns 0; the RSDT's ERR_RANGE or ERR_FORMAT. */
int acpi_root_open(const struct acpi_memory *mem, const struct acpi_rsdp *rsdp, struct acpi_root *out)
{
	if (rsdp->xsdt != 0 && root_at(mem, rsdp->xsdt, 8, out) == 0)
		return 0;
	return root_at(mem, rsdp->rsdt, 4, out);
}

/* How many tables it names. */
size_t acpi_root_count(const struct acpi_root *root)
{
	return (root->table.len - SDT_HEADER_LEN) / root->entry_bytes;
}

/* The address of a table; 0 when there is no such entry. */
uint64_t acpi_root_entry(const struct acpi_root *root, size_t index)
{
	const uint8_t *entries = root->table.bytes + SDT_HEADER_LEN;

	if (index >= acpi_root_count(root))
		return 0;
	return root->entry_bytes == 8 ? load_le64(entries + index * 8) : load_le32(entries + index * 4);
}

/* Find the first sound table with a signature.
 * Returns 0; ERR_NOENT, or what was wrong with one that has the signature. */
int acpi_find(const struct acpi_memory *mem, const struct acpi_root *root, uint32_t signature, struct acpi_table *out)
{
	int result = ERR_NOENT;

	for (size_t i = 0; i < acpi_root_count(root); i++) {
		uint64_t hpa = acpi_root_entry(root, i);
		const uint8_t *head = hpa != 0 ? mem->map(mem->ctx, hpa, SDT_HEADER_LEN) : NULL;

		if (head == NULL || load_le32(head) != signature)
			continue;
		result = acpi_table_at(mem, hpa, out);
		if (result == 0)
			return 0;
	}
	return result;
}
