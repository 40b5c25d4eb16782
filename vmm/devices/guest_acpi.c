/* The guest's ACPI tables, laid one behind the other. Offsets and names: drivers/regs/acpi.h; meaning: ACPI specification
 * 6.4, "ACPI Software Programming Model". */
#include "vmm/devices/guest_acpi.h"

#include "drivers/regs/acpi.h"
#include "drivers/regs/ioapic.h"
#include "drivers/regs/lapic.h"
#include "drivers/regs/mc146818.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"
#include "vmm/devices/vacpi_pm.h"

#include "dsdt.h"

#define OEM_ID "AVATAR"
#define OEM_TABLE_ID "AVATARVT"
#define CREATOR_ID "AVTR"
#define TABLE_ALIGN 16u
#define FACS_BYTES 64u
#define FACS_LENGTH 4u
#define FACS_VERSION 32u
#define RSDP_REVISION_2 2u
#define SDT_REVISION_1 1u
#define FADT_REVISION_3 3u /* ACPI 2.0 to 3.0: the one with 244 bytes */
#define MADT_REVISION_3 3u
#define GAS_ACCESS_BYTE 1u
#define GAS_ACCESS_WORD 2u
#define GAS_ACCESS_DWORD 3u
#define FADT_BOOT_NO_VGA (1u << 2)
#define FADT_FLAG_FIX_RTC (1u << 6) /* the RTC's wake status is not in PM1 */
#define RESET_PORT 0xcf9u
#define RESET_VALUE 0x06u
#define NO_C_STATE 0xfffu /* longer than the limit: the state is not there */
#define XAPIC_IDS 255u    /* a LAPIC entry holds IDs below this one */
#define DSDT_CPUS_MAX 16u

struct writer {
	uint8_t *buf;
	size_t size;
	size_t used;
	uint64_t base;
	bool full;
};

/* Room for len bytes, zeroed but for the last `set`, which the caller writes; NULL when there is none, and from then on. */
static uint8_t *reserve_but(struct writer *w, size_t len, size_t align, size_t set)
{
	size_t at = ALIGN_UP(w->used, align);

	if (w->full || !range_below(at, len, w->size)) {
		w->full = true;
		return NULL;
	}
	memset(w->buf + w->used, 0, at + len - set - w->used);
	w->used = at + len;
	return w->buf + at;
}

static uint8_t *reserve(struct writer *w, size_t len, size_t align)
{
	return reserve_but(w, len, align, 0);
}

static uint64_t gpa_of(const struct writer *w, const void *p)
{
	return w->base + (uint64_t)((const uint8_t *)p - w->buf);
}

static void set_checksum(uint8_t *bytes, size_t len, size_t at)
{
	bytes[at] = 0;
	bytes[at] = (uint8_t)-checksum8(bytes, len);
}

static void write_header(uint8_t *t, const char *signature, uint8_t revision)
{
	/* From SDT_OEMID on, with OEM revision and creator revision 1. */
	static const char made_by[] = OEM_ID OEM_TABLE_ID "\1\0\0\0" CREATOR_ID "\1\0\0";

	static_assert(sizeof(made_by) == SDT_HEADER_LEN - SDT_OEMID, "the header's second half, with the last zero");
	memcpy(t + SDT_SIGNATURE, signature, 4);
	t[SDT_REVISION] = revision;
	memcpy(t + SDT_OEMID, made_by, sizeof(made_by));
}

/* Everything behind the header is in place: length and checksum. */
static void seal(uint8_t *t, size_t len)
{
	store_le32(t + SDT_LENGTH, (uint32_t)len);
	set_checksum(t, len, SDT_CHECKSUM);
}

/* --- DSDT --- */

/* The byte that says how many CPUs there are: Name (NCPU, byte) is 08 'N' 'C' 'P' 'U' 0A byte. The compiler's checksum
 * follows it. */
static void patch_cpu_count(uint8_t *aml, size_t len, unsigned cpus)
{
	static const uint8_t pattern[] = {AML_NAME_OP, 'N', 'C', 'P', 'U', AML_BYTE_PREFIX};

	for (size_t i = SDT_HEADER_LEN; i + sizeof(pattern) < len; i++)
		if (memcmp(aml + i, pattern, sizeof(pattern)) == 0) {
			uint8_t *count = &aml[i + sizeof(pattern)];
			uint8_t new = (uint8_t)(cpus < DSDT_CPUS_MAX ? cpus : DSDT_CPUS_MAX);

			aml[SDT_CHECKSUM] = (uint8_t)(aml[SDT_CHECKSUM] + *count - new);
			*count = new;
			return;
		}
}

static uint64_t add_dsdt(struct writer *w, unsigned cpus)
{
	uint8_t *t = reserve_but(w, sizeof(dsdt_aml), TABLE_ALIGN, sizeof(dsdt_aml));

	if (t == NULL)
		return 0;
	memcpy(t, dsdt_aml, sizeof(dsdt_aml));
	patch_cpu_count(t, sizeof(dsdt_aml), cpus);
	return gpa_of(w, t);
}

/* --- FACS --- */

static uint64_t add_facs(struct writer *w)
{
	uint8_t *t = reserve(w, FACS_BYTES, FACS_BYTES);

	if (t == NULL)
		return 0;
	memcpy(t, "FACS", 4);
	store_le32(t + FACS_LENGTH, FACS_BYTES);
	t[FACS_VERSION] = 1;
	return gpa_of(w, t);
}

/* --- FADT --- */

static void write_gas_io(uint8_t *gas, uint16_t port, uint8_t bits, uint8_t access)
{
	gas[GAS_SPACE] = GAS_SPACE_IO;
	gas[GAS_BIT_WIDTH] = bits;
	gas[GAS_ACCESS] = access;
	store_le64(gas + GAS_ADDRESS, port);
}

/* A block of registers, in its old form and in its new one. */
static void write_block(uint8_t *t, unsigned old_at, unsigned len_at, unsigned new_at, uint16_t port, uint8_t bytes,
			uint8_t access)
{
	store_le32(t + old_at, port);
	t[len_at] = bytes;
	write_gas_io(t + new_at, port, (uint8_t)(bytes * 8), access);
}

static void write_blocks(uint8_t *t)
{
	write_block(t, FADT_PM1A_EVT_BLK, FADT_PM1_EVT_LEN, FADT_X_PM1A_EVT_BLK, VACPI_PM1_EVT, 4, GAS_ACCESS_WORD);
	write_block(t, FADT_PM1A_CNT_BLK, FADT_PM1_CNT_LEN, FADT_X_PM1A_CNT_BLK, VACPI_PM1_CNT, 2, GAS_ACCESS_WORD);
	write_block(t, FADT_PM_TMR_BLK, FADT_PM_TMR_LEN, FADT_X_PM_TMR_BLK, VACPI_PM_TMR, 4, GAS_ACCESS_DWORD);
	write_block(t, FADT_GPE0_BLK, FADT_GPE0_BLK_LEN, FADT_X_GPE0_BLK, VACPI_GPE0, VACPI_GPE0_BYTES,
		    GAS_ACCESS_BYTE);
}

static uint64_t add_fadt(struct writer *w, uint64_t facs, uint64_t dsdt)
{
	uint8_t *t = reserve(w, FADT_V3_LEN, TABLE_ALIGN);

	if (t == NULL)
		return 0;
	write_header(t, "FACP", FADT_REVISION_3);
	store_le32(t + FADT_FIRMWARE_CTRL, (uint32_t)facs);
	store_le32(t + FADT_DSDT, (uint32_t)dsdt);
	store_le64(t + FADT_X_DSDT, dsdt);
	/* Not FADT_X_FIRMWARE_CTRL: of the two only one is to be set. */
	store_le16(t + FADT_SCI_INT, VACPI_SCI_IRQ);
	store_le32(t + FADT_SMI_CMD, VACPI_SMI_CMD);
	t[FADT_ACPI_ENABLE] = VACPI_SMI_ENABLE;
	t[FADT_ACPI_DISABLE] = VACPI_SMI_DISABLE;
	write_blocks(t);
	store_le16(t + FADT_P_LVL2_LAT, NO_C_STATE);
	store_le16(t + FADT_P_LVL3_LAT, NO_C_STATE);
	t[FADT_CENTURY] = RTC_CENTURY;
	/* No keyboard controller to probe (ours only resets), no VGA; a CMOS clock is there. */
	store_le16(t + FADT_IAPC_BOOT_ARCH, FADT_BOOT_LEGACY_DEVICES | FADT_BOOT_NO_VGA);
	/* PWR_BUTTON clear: the power button is the fixed one. */
	store_le32(t + FADT_FLAGS, FADT_FLAG_WBINVD | FADT_FLAG_PROC_C1 | FADT_FLAG_SLP_BUTTON | FADT_FLAG_FIX_RTC |
					   FADT_FLAG_TMR_VAL_EXT | FADT_FLAG_RESET_REG_SUP);
	write_gas_io(t + FADT_RESET_REG, RESET_PORT, 8, GAS_ACCESS_BYTE);
	t[FADT_RESET_VALUE] = RESET_VALUE;
	seal(t, FADT_V3_LEN);
	return gpa_of(w, t);
}

/* --- MADT --- */

static uint8_t *add_entry(struct writer *w, uint8_t type, uint8_t len)
{
	uint8_t *e = reserve(w, len, 1);

	if (e != NULL) {
		e[MADT_ENTRY_TYPE] = type;
		e[MADT_ENTRY_LENGTH] = len;
	}
	return e;
}

static void add_cpu(struct writer *w, uint32_t id)
{
	uint8_t *e;

	if (id < XAPIC_IDS) {
		e = add_entry(w, MADT_TYPE_LAPIC, MADT_LAPIC_LEN);
		if (e == NULL)
			return;
		e[MADT_LAPIC_UID] = (uint8_t)id;
		e[MADT_LAPIC_ID] = (uint8_t)id;
		store_le32(e + MADT_LAPIC_FLAGS, MADT_CPU_ENABLED);
		return;
	}
	e = add_entry(w, MADT_TYPE_X2APIC, MADT_X2APIC_LEN);
	if (e == NULL)
		return;
	store_le32(e + MADT_X2APIC_ID, id);
	store_le32(e + MADT_X2APIC_UID, id);
	store_le32(e + MADT_X2APIC_FLAGS, MADT_CPU_ENABLED);
}

static void add_ioapic(struct writer *w)
{
	uint8_t *e = add_entry(w, MADT_TYPE_IOAPIC, MADT_IOAPIC_LEN);

	if (e != NULL)
		store_le32(e + MADT_IOAPIC_ADDR, (uint32_t)IOAPIC_DEFAULT_BASE);
}

static void add_override(struct writer *w, uint8_t irq, uint32_t gsi, uint16_t flags)
{
	uint8_t *e = add_entry(w, MADT_TYPE_ISO, MADT_ISO_LEN);

	if (e == NULL)
		return;
	e[MADT_ISO_SOURCE] = irq;
	store_le32(e + MADT_ISO_GSI, gsi);
	store_le16(e + MADT_ISO_FLAGS, flags);
}

/* LINT1 is the NMI of every CPU. */
static void add_lapic_nmis(struct writer *w, unsigned cpus)
{
	uint8_t *e = add_entry(w, MADT_TYPE_LAPIC_NMI, MADT_LAPIC_NMI_LEN);

	if (e == NULL)
		return;
	e[MADT_LAPIC_NMI_UID] = MADT_LAPIC_NMI_ALL;
	e[MADT_LAPIC_NMI_LINT] = 1;
	if (cpus <= XAPIC_IDS)
		return;
	e = add_entry(w, MADT_TYPE_X2APIC_NMI, MADT_X2APIC_NMI_LEN);
	if (e == NULL)
		return;
	store_le32(e + MADT_X2APIC_NMI_UID, MADT_X2APIC_NMI_ALL);
	e[MADT_X2APIC_NMI_LINT] = 1;
}

static uint64_t add_madt(struct writer *w, unsigned cpus)
{
	uint8_t *t = reserve(w, MADT_ENTRIES, TABLE_ALIGN);

	if (t == NULL)
		return 0;
	write_header(t, "APIC", MADT_REVISION_3);
	store_le32(t + MADT_LAPIC_ADDR, (uint32_t)LAPIC_DEFAULT_BASE);
	store_le32(t + MADT_FLAGS, MADT_FLAG_PCAT_COMPAT);
	for (uint32_t id = 0; id < cpus; id++)
		add_cpu(w, id);
	add_ioapic(w);
	add_override(w, 0, 2, MADT_POLARITY_HIGH | MADT_TRIGGER_EDGE);
	add_override(w, VACPI_SCI_IRQ, VACPI_SCI_IRQ, MADT_POLARITY_HIGH | MADT_TRIGGER_LEVEL);
	add_lapic_nmis(w, cpus);
	if (!w->full)
		seal(t, (size_t)(w->buf + w->used - t));
	return gpa_of(w, t);
}

/* --- the roots --- */

static uint64_t add_rsdt(struct writer *w, const uint64_t *tables, unsigned count)
{
	uint8_t *t = reserve(w, SDT_HEADER_LEN + count * 4, TABLE_ALIGN);

	if (t == NULL)
		return 0;
	write_header(t, "RSDT", SDT_REVISION_1);
	for (unsigned i = 0; i < count; i++)
		store_le32(t + SDT_HEADER_LEN + i * 4, (uint32_t)tables[i]);
	seal(t, SDT_HEADER_LEN + count * 4);
	return gpa_of(w, t);
}

static uint64_t add_xsdt(struct writer *w, const uint64_t *tables, unsigned count)
{
	uint8_t *t = reserve(w, SDT_HEADER_LEN + count * 8, TABLE_ALIGN);

	if (t == NULL)
		return 0;
	write_header(t, "XSDT", SDT_REVISION_1);
	for (unsigned i = 0; i < count; i++)
		store_le64(t + SDT_HEADER_LEN + i * 8, tables[i]);
	seal(t, SDT_HEADER_LEN + count * 8);
	return gpa_of(w, t);
}

static void write_rsdp(uint8_t *t, uint64_t rsdt, uint64_t xsdt)
{
	memcpy(t, RSDP_SIGNATURE, 8);
	memcpy(t + RSDP_OEMID, OEM_ID, 6);
	t[RSDP_REVISION] = RSDP_REVISION_2;
	store_le32(t + RSDP_RSDT, (uint32_t)rsdt);
	store_le32(t + RSDP_LENGTH, RSDP_V2_LEN);
	store_le64(t + RSDP_XSDT, xsdt);
	set_checksum(t, RSDP_V1_LEN, RSDP_CHECKSUM);
	set_checksum(t, RSDP_V2_LEN, RSDP_EXT_CHECKSUM);
}

int guest_acpi_build(uint64_t base, unsigned cpus, void *buf, size_t size_bytes, struct guest_acpi_tables *out)
{
	struct writer w = {.buf = buf, .size = size_bytes, .base = base};
	uint64_t tables[2], facs, dsdt, rsdt, xsdt;
	uint8_t *rsdp;

	if (!IS_ALIGNED(base, FACS_BYTES))
		return ERR_ALIGN;
	if (!range_below(base, size_bytes, 4 * GIB))
		return ERR_RANGE;
	if (cpus == 0)
		return ERR_INVAL;
	rsdp = reserve(&w, RSDP_V2_LEN, RSDP_ALIGN);
	facs = add_facs(&w);
	dsdt = add_dsdt(&w, cpus);
	tables[0] = add_fadt(&w, facs, dsdt);
	tables[1] = add_madt(&w, cpus);
	rsdt = add_rsdt(&w, tables, ARRAY_LEN(tables));
	xsdt = add_xsdt(&w, tables, ARRAY_LEN(tables));
	if (w.full)
		return ERR_FULL;
	write_rsdp(rsdp, rsdt, xsdt);
	*out = (struct guest_acpi_tables){.rsdp = gpa_of(&w, rsdp), .bytes = w.used};
	return 0;
}
