/* The input is physical memory, with an RSDP at its beginning if there is one: every reader is let loose on what it finds.
 * Checksums are mended first, or almost no input would get past them. */
#include "drivers/acpi.h"
#include "kernel/lib/bytes.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
	uint8_t *bytes;
	size_t len;
};

/* Addresses in the input are offsets; each table is handed out as a copy of its own, so that a byte read behind it shows. */
static const void *map(void *ctx, uint64_t hpa, uint64_t len)
{
	struct memory *m = ctx;

	if (hpa > m->len || len > m->len - hpa)
		return NULL;
	return m->bytes + hpa;
}

static void mend(struct memory *m, uint64_t hpa)
{
	uint32_t len;
	uint8_t *p;

	if (hpa > m->len || m->len - hpa < SDT_HEADER_LEN)
		return;
	p = m->bytes + hpa;
	len = load_le32(p + SDT_LENGTH);
	if (len < SDT_HEADER_LEN || len > m->len - hpa)
		return;
	p[SDT_CHECKSUM] = (uint8_t)(p[SDT_CHECKSUM] - checksum8(p, len));
}

static void read_all(const struct acpi_table *t)
{
	struct acpi_madt madt;
	struct acpi_madt_entry entry;
	struct acpi_fadt fadt;
	struct acpi_mcfg_entry mcfg;
	struct acpi_sleep s5;
	size_t offset = 0;
	uint64_t hpa;

	if (acpi_madt_open(t, &madt) == 0) {
		while (acpi_madt_next(&madt, &offset, &entry) == 0)
			;
	}
	(void)!acpi_fadt_parse(t, &fadt);
	for (size_t i = 0; acpi_mcfg_entry(t, i, &mcfg) == 0; i++)
		;
	(void)!acpi_hpet_address(t, &hpa);
	(void)!acpi_find_s5(t->bytes, t->len, &s5);
}

static void read_table(const struct acpi_memory *mem, uint64_t hpa)
{
	static const char names[4][5] = {"APIC", "FACP", "MCFG", "HPET"};
	struct acpi_table t;
	uint8_t *copy;

	mend(mem->ctx, hpa);
	if (acpi_table_at(mem, hpa, &t) != 0)
		return;
	copy = malloc(t.len);
	memcpy(copy, t.bytes, t.len);
	t.bytes = copy;
	for (unsigned i = 0; i < 4; i++) {
		memcpy(copy, names[i], 4);
		read_all(&t);
	}
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct memory m = {.bytes = malloc(size + 1), .len = size};
	struct acpi_memory mem = {map, &m};
	struct acpi_rsdp rsdp = {0};
	struct acpi_root root;
	struct acpi_table t;
	size_t at;

	memcpy(m.bytes, data, size);
	if (acpi_rsdp_scan(m.bytes, m.len, &at) == 0)
		(void)!acpi_rsdp_parse(m.bytes + at, m.len - at, &rsdp);
	if (size >= 12) {
		rsdp.rsdt = load_le32(m.bytes);
		rsdp.xsdt = load_le64(m.bytes + 4);
	}
	mend(&m, rsdp.rsdt);
	mend(&m, rsdp.xsdt);
	if (acpi_root_open(&mem, &rsdp, &root) == 0) {
		for (size_t i = 0; i < acpi_root_count(&root) && i < 64; i++)
			read_table(&mem, acpi_root_entry(&root, i));
		(void)!acpi_find(&mem, &root, ACPI_SIGNATURE('F', 'A', 'C', 'P'), &t);
	}
	read_table(&mem, 0x10);
	free(m.bytes);
	return 0;
}
