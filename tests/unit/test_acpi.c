/* The ACPI readers: tables built by hand after the specification, whole, of old revisions, truncated at every length, and
 * lying. */
#include "drivers/acpi.h"
#include "kernel/lib/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Physical memory of 64 KiB at 0x100000; nothing else can be mapped. */
enum { MEM_BASE = 0x100000, MEM_BYTES = 0x10000 };

static uint8_t memory[MEM_BYTES];

static const void *map(void *ctx, uint64_t hpa, uint64_t len)
{
	(void)ctx;
	if (hpa < MEM_BASE || hpa - MEM_BASE > MEM_BYTES || len > MEM_BYTES - (hpa - MEM_BASE))
		return NULL;
	return memory + (hpa - MEM_BASE);
}

static const struct acpi_memory mem = {map, NULL};

static void fix_sum(uint8_t *p, size_t len, size_t at)
{
	p[at] = 0;
	p[at] = (uint8_t)-checksum8(p, len);
}

static void header(uint8_t *p, const char *signature, uint32_t len, uint8_t revision)
{
	memcpy(p, signature, 4);
	store_le32(p + SDT_LENGTH, len);
	p[SDT_REVISION] = revision;
	fix_sum(p, len, SDT_CHECKSUM);
}

/* Put a table into physical memory. */
static void place(uint64_t hpa, const uint8_t *bytes, size_t len)
{
	memcpy(memory + (hpa - MEM_BASE), bytes, len);
}

static struct acpi_table table_of(const uint8_t *bytes, size_t len)
{
	return (struct acpi_table){.bytes = bytes, .len = (uint32_t)len};
}

static void make_rsdp(uint8_t p[RSDP_V2_LEN], uint8_t revision, uint32_t rsdt, uint64_t xsdt)
{
	memset(p, 0, RSDP_V2_LEN);
	memcpy(p, RSDP_SIGNATURE, 8);
	p[RSDP_REVISION] = revision;
	store_le32(p + RSDP_RSDT, rsdt);
	fix_sum(p, RSDP_V1_LEN, RSDP_CHECKSUM);
	if (revision < 2)
		return;
	store_le32(p + RSDP_LENGTH, RSDP_V2_LEN);
	store_le64(p + RSDP_XSDT, xsdt);
	fix_sum(p, RSDP_V2_LEN, RSDP_EXT_CHECKSUM);
}

static void test_rsdp(void **state)
{
	uint8_t p[RSDP_V2_LEN];
	struct acpi_rsdp rsdp;

	(void)state;
	make_rsdp(p, 0, 0x1234, 0);
	assert_int_equal(acpi_rsdp_parse(p, RSDP_V1_LEN, &rsdp), 0);
	assert_int_equal(rsdp.rsdt, 0x1234);
	assert_int_equal(rsdp.xsdt, 0);
	make_rsdp(p, 2, 0x1234, 0x123456789abc);
	assert_int_equal(acpi_rsdp_parse(p, sizeof(p), &rsdp), 0);
	assert_true(rsdp.xsdt == 0x123456789abc);
	for (size_t len = 0; len < sizeof(p); len++)
		assert_int_equal(acpi_rsdp_parse(p, len, &rsdp), ERR_TRUNC);
	for (size_t i = 0; i < sizeof(p); i++) {
		p[i] ^= 0x10;
		assert_true(acpi_rsdp_parse(p, sizeof(p), &rsdp) != 0);
		p[i] ^= 0x10;
	}
	store_le32(p + RSDP_LENGTH, 0xffffffff);
	assert_int_equal(acpi_rsdp_parse(p, sizeof(p), &rsdp), ERR_TRUNC);
	store_le32(p + RSDP_LENGTH, 4);
	assert_int_equal(acpi_rsdp_parse(p, sizeof(p), &rsdp), ERR_FORMAT);
}

static void test_rsdp_scan(void **state)
{
	static uint8_t area[0x400];
	size_t at;

	(void)state;
	assert_int_equal(acpi_rsdp_scan(area, sizeof(area), &at), ERR_NOENT);
	memcpy(area + 0x20, RSDP_SIGNATURE, 8); /* the words alone are not enough */
	make_rsdp(area + 0x148, 0, 1, 0);       /* not on a multiple of 16 */
	assert_int_equal(acpi_rsdp_scan(area, sizeof(area), &at), ERR_NOENT);
	memset(area + 0x148, 0, RSDP_V2_LEN);
	make_rsdp(area + sizeof(area) - 0x30, 2, 1, 2);
	assert_int_equal(acpi_rsdp_scan(area, sizeof(area), &at), 0);
	assert_int_equal(at, sizeof(area) - 0x30);
	assert_int_equal(acpi_rsdp_scan(area, sizeof(area) - 0x20, &at), ERR_NOENT);
	assert_int_equal(acpi_rsdp_scan(area, 3, &at), ERR_NOENT);
}

static void test_root(void **state)
{
	uint8_t xsdt[SDT_HEADER_LEN + 3 * 8 + 5] = {0}, rsdt[SDT_HEADER_LEN + 2 * 4] = {0}, hpet[HPET_TABLE_LEN] = {0};
	struct acpi_rsdp rsdp = {.revision = 2, .rsdt = MEM_BASE + 0x100, .xsdt = MEM_BASE + 0x200};
	struct acpi_root root;
	struct acpi_table t;

	(void)state;
	memset(memory, 0, sizeof(memory));
	store_le64(xsdt + 36, MEM_BASE + 0x1000); /* a broken HPET */
	store_le64(xsdt + 44, 0xfffffffffffffff0);
	store_le64(xsdt + 52, MEM_BASE + 0x2001); /* a good one, at an odd address */
	header(xsdt, "XSDT", sizeof(xsdt), 1);
	store_le32(rsdt + 36, MEM_BASE + 0x1000);
	store_le32(rsdt + 40, 0);
	header(rsdt, "RSDT", sizeof(rsdt), 1);
	place(rsdp.xsdt, xsdt, sizeof(xsdt));
	place(rsdp.rsdt, rsdt, sizeof(rsdt));
	header(hpet, "HPET", sizeof(hpet), 1);
	place(MEM_BASE + 0x2001, hpet, sizeof(hpet));
	hpet[50] ^= 1;
	place(MEM_BASE + 0x1000, hpet, sizeof(hpet));

	assert_int_equal(acpi_root_open(&mem, &rsdp, &root), 0);
	assert_int_equal(root.entry_bytes, 8);
	assert_int_equal(acpi_root_count(&root), 3);
	assert_true(acpi_root_entry(&root, 3) == 0);
	assert_int_equal(acpi_find(&mem, &root, ACPI_SIGNATURE('H', 'P', 'E', 'T'), &t), 0);
	assert_true(t.hpa == MEM_BASE + 0x2001);
	assert_int_equal(acpi_find(&mem, &root, ACPI_SIGNATURE('F', 'A', 'C', 'P'), &t), ERR_NOENT);

	/* without a sound XSDT, the RSDT */
	memory[0x200 + 40] ^= 1;
	assert_int_equal(acpi_root_open(&mem, &rsdp, &root), 0);
	assert_int_equal(root.entry_bytes, 4);
	assert_int_equal(acpi_find(&mem, &root, ACPI_SIGNATURE('H', 'P', 'E', 'T'), &t), ERR_FORMAT);
	memory[0x100]++;
	fix_sum(memory + 0x100, sizeof(rsdt), SDT_CHECKSUM);
	assert_int_equal(acpi_root_open(&mem, &rsdp, &root), ERR_FORMAT);
	rsdp.rsdt = 0;
	assert_int_equal(acpi_root_open(&mem, &rsdp, &root), ERR_RANGE);
}

static void test_table_lengths(void **state)
{
	uint8_t head[SDT_HEADER_LEN] = {0};
	struct acpi_table t;

	(void)state;
	memset(memory, 0, sizeof(memory));
	header(head, "TEST", sizeof(head), 1);
	place(MEM_BASE + MEM_BYTES - 36, head, 36);
	assert_int_equal(acpi_table_at(&mem, MEM_BASE + MEM_BYTES - 36, &t), 0);
	assert_int_equal(acpi_table_at(&mem, MEM_BASE + MEM_BYTES - 35, &t), ERR_RANGE);
	store_le32(head + SDT_LENGTH, 37);
	place(MEM_BASE + MEM_BYTES - 36, head, 36);
	assert_int_equal(acpi_table_at(&mem, MEM_BASE + MEM_BYTES - 36, &t), ERR_RANGE);
	store_le32(head + SDT_LENGTH, 35);
	place(MEM_BASE, head, 36);
	assert_int_equal(acpi_table_at(&mem, MEM_BASE, &t), ERR_FORMAT);
	store_le32(head + SDT_LENGTH, 0xffffffff);
	place(MEM_BASE, head, 36);
	assert_int_equal(acpi_table_at(&mem, MEM_BASE, &t), ERR_FORMAT);
}

/* The MADT of a PC with two processors and one that is off, as bytes. */
static const uint8_t madt_entries[] = {
	0,  8,  0,    0,    1,    0,    0,    0,                              /* CPU 0 */
	0,  8,  1,    2,    1,    0,    0,    0,                              /* CPU, APIC id 2 */
	0,  8,  2,    4,    0,    0,    0,    0,                              /* off */
	0,  8,  3,    6,    2,    0,    0,    0,                              /* could come online */
	1,  12, 9,    0,    0,    0,    0xc0, 0xfe, 16,  0, 0, 0,             /* I/O APIC, GSI 16 up */
	2,  10, 0,    0,    2,    0,    0,    0,    0,   0,                   /* ISO 0 -> 2 */
	2,  10, 0,    9,    9,    0,    0,    0,    0xd, 0,                   /* ISO 9, level high */
	4,  6,  0xff, 5,    0,    1,                                          /* LAPIC NMI, all, LINT1 */
	9,  16, 0,    0,    0,    1,    0,    0,    1,   0, 0, 0, 7, 0, 0, 0, /* x2APIC id 0x100 */
	10, 12, 0xd,  0,    0xff, 0xff, 0xff, 0xff, 0,   0, 0, 0,             /* x2APIC NMI, all, LINT0 */
	3,  8,  0,    0,    20,   0,    0,    0,                              /* NMI at GSI 20 */
	5,  12, 0,    0,    0,    0,    0xe0, 0xfe, 1,   0, 0, 0,             /* LAPIC at 0x1fee00000 */
	77, 3,  0,                                                            /* something newer */
	0,  8,  4,    0xff, 1,    0,    0,    0,                              /* a filler row */
};

static size_t make_madt(uint8_t *p)
{
	size_t len = MADT_ENTRIES + sizeof(madt_entries);

	memset(p, 0, MADT_ENTRIES);
	store_le32(p + MADT_LAPIC_ADDR, 0xfee00000);
	store_le32(p + MADT_FLAGS, MADT_FLAG_PCAT_COMPAT);
	memcpy(p + MADT_ENTRIES, madt_entries, sizeof(madt_entries));
	header(p, "APIC", (uint32_t)len, 3);
	return len;
}

static void test_madt(void **state)
{
	uint8_t p[512];
	struct acpi_table t = table_of(p, make_madt(p));
	struct acpi_madt madt;
	struct acpi_madt_entry e[16];
	size_t offset = 0, n = 0;

	(void)state;
	assert_int_equal(acpi_madt_open(&t, &madt), 0);
	assert_true(madt.lapic_address == 0x1fee00000);
	assert_true(madt.has_8259);
	while (acpi_madt_next(&madt, &offset, &e[n]) == 0)
		n++;
	assert_int_equal(n, 14);
	assert_int_equal(e[0].kind, ACPI_MADT_CPU);
	assert_true(e[0].enabled);
	assert_int_equal(e[1].apic_id, 2);
	assert_int_equal(e[1].uid, 1);
	assert_false(e[2].enabled || e[2].online_capable);
	assert_true(!e[3].enabled && e[3].online_capable);
	assert_int_equal(e[4].kind, ACPI_MADT_IOAPIC);
	assert_true(e[4].address == 0xfec00000);
	assert_int_equal(e[4].gsi, 16);
	assert_int_equal(e[4].ioapic_id, 9);
	assert_int_equal(e[5].kind, ACPI_MADT_OVERRIDE);
	assert_int_equal(e[5].isa_irq, 0);
	assert_int_equal(e[5].gsi, 2);
	assert_int_equal(e[6].flags & MADT_TRIGGER_MASK, MADT_TRIGGER_LEVEL);
	assert_int_equal(e[6].flags & MADT_POLARITY_MASK, MADT_POLARITY_HIGH);
	assert_int_equal(e[7].kind, ACPI_MADT_LAPIC_NMI);
	assert_true(e[7].uid == ACPI_ALL_CPUS);
	assert_int_equal(e[7].lint, 1);
	assert_int_equal(e[7].flags, 5);
	assert_int_equal(e[8].kind, ACPI_MADT_CPU);
	assert_int_equal(e[8].apic_id, 0x100);
	assert_int_equal(e[8].uid, 7);
	assert_true(e[8].enabled);
	assert_int_equal(e[9].kind, ACPI_MADT_LAPIC_NMI);
	assert_true(e[9].uid == ACPI_ALL_CPUS);
	assert_int_equal(e[9].lint, 0);
	assert_int_equal(e[10].kind, ACPI_MADT_NMI);
	assert_int_equal(e[10].gsi, 20);
	assert_int_equal(e[11].kind, ACPI_MADT_LAPIC_ADDRESS);
	assert_int_equal(e[12].kind, ACPI_MADT_OTHER);
	assert_int_equal(e[12].type, 77);
	assert_false(e[13].enabled);
}

/* Cut at any length the walk ends, without reading behind the end (a copy of exact size lets the sanitizer see to that),
 * and entries of length 0 or 1 do not hold it for ever. */
static void test_madt_hostile(void **state)
{
	uint8_t whole[512];
	size_t len = make_madt(whole);
	struct acpi_madt_entry e;
	struct acpi_madt madt;

	(void)state;
	for (size_t cut = SDT_HEADER_LEN; cut <= len; cut++) {
		uint8_t *p = malloc(cut);
		struct acpi_table t = table_of(p, cut);
		size_t offset = 0, steps = 0;

		memcpy(p, whole, cut);
		if (acpi_madt_open(&t, &madt) == 0) {
			while (acpi_madt_next(&madt, &offset, &e) == 0)
				assert_true(++steps < 20);
		} else {
			assert_true(cut < MADT_ENTRIES);
		}
		free(p);
	}
	for (uint8_t type = 0; type < 12; type++) {
		for (uint8_t l = 0; l < 20; l++) {
			uint8_t *p = calloc(1, MADT_ENTRIES + (size_t)(l < 2 ? 2 : l));
			struct acpi_table t = table_of(p, MADT_ENTRIES + (size_t)(l < 2 ? 2 : l));
			size_t offset = 0;

			memcpy(p, "APIC", 4);
			p[MADT_ENTRIES] = type;
			p[MADT_ENTRIES + 1] = l;
			assert_int_equal(acpi_madt_open(&t, &madt), 0);
			while (acpi_madt_next(&madt, &offset, &e) == 0)
				assert_true(offset <= t.len);
			free(p);
		}
	}
	memcpy(whole, "XPIC", 4);
	struct acpi_table t = table_of(whole, len);
	assert_int_equal(acpi_madt_open(&t, &madt), ERR_FORMAT);
}

static void test_fadt_v1(void **state)
{
	uint8_t p[FADT_V1_LEN] = {0};
	struct acpi_table t = table_of(p, sizeof(p));
	struct acpi_fadt f;

	(void)state;
	store_le32(p + FADT_DSDT, 0x7fe0000);
	store_le16(p + FADT_SCI_INT, 9);
	store_le32(p + FADT_SMI_CMD, 0xb2);
	p[FADT_ACPI_ENABLE] = 0xf1;
	store_le32(p + FADT_PM1A_EVT_BLK, 0x600);
	store_le32(p + FADT_PM1A_CNT_BLK, 0x604);
	store_le32(p + FADT_PM_TMR_BLK, 0x608);
	p[FADT_PM_TMR_LEN] = 4;
	p[FADT_CENTURY] = 0x32;
	store_le32(p + FADT_FLAGS, FADT_FLAG_RESET_REG_SUP);
	header(p, "FACP", sizeof(p), 1);
	assert_int_equal(acpi_fadt_parse(&t, &f), 0);
	assert_true(f.dsdt == 0x7fe0000);
	assert_int_equal(f.sci_irq, 9);
	assert_int_equal(f.smi_cmd, 0xb2);
	assert_int_equal(f.acpi_enable, 0xf1);
	assert_true(f.pm1a_cnt.address == 0x604 && f.pm1a_cnt.space == GAS_SPACE_IO);
	assert_true(f.pm1a_evt.address == 0x600);
	assert_true(f.pm1b_cnt.address == 0);
	assert_true(f.pm_timer.address == 0x608);
	assert_int_equal(f.pm_timer.bit_width, 32);
	assert_true(f.reset.address == 0); /* claimed, but the table is too short to have it */
	assert_true(f.has_8042);
	t.len = FADT_V1_LEN - 1;
	assert_int_equal(acpi_fadt_parse(&t, &f), ERR_TRUNC);
	p[0] = 'X';
	assert_int_equal(acpi_fadt_parse(&t, &f), ERR_FORMAT);
}

static void gas(uint8_t *p, uint8_t space, uint8_t width, uint64_t address)
{
	p[GAS_SPACE] = space;
	p[GAS_BIT_WIDTH] = width;
	store_le64(p + GAS_ADDRESS, address);
}

static void test_fadt_v3(void **state)
{
	uint8_t p[FADT_V3_LEN] = {0};
	struct acpi_table t = table_of(p, sizeof(p));
	struct acpi_fadt f;

	(void)state;
	store_le32(p + FADT_DSDT, 0x1000);
	store_le64(p + FADT_X_DSDT, 0x100001000);
	store_le32(p + FADT_PM1A_CNT_BLK, 0x604);
	gas(p + FADT_X_PM1A_CNT_BLK, GAS_SPACE_IO, 16, 0x1804);
	store_le32(p + FADT_PM1B_CNT_BLK, 0x704); /* X_ is zero: the old one counts */
	gas(p + FADT_RESET_REG, GAS_SPACE_IO, 8, 0xcf9);
	p[FADT_RESET_VALUE] = 0x0f;
	store_le32(p + FADT_FLAGS, FADT_FLAG_RESET_REG_SUP | FADT_FLAG_TMR_VAL_EXT);
	header(p, "FACP", sizeof(p), 3);
	assert_int_equal(acpi_fadt_parse(&t, &f), 0);
	assert_true(f.dsdt == 0x100001000);
	assert_true(f.pm1a_cnt.address == 0x1804);
	assert_true(f.pm1b_cnt.address == 0x704);
	assert_true(f.reset.address == 0xcf9);
	assert_int_equal(f.reset_value, 0x0f);
	assert_false(f.has_8042);
	store_le16(p + FADT_IAPC_BOOT_ARCH, FADT_BOOT_8042);
	store_le32(p + FADT_FLAGS, FADT_FLAG_HW_REDUCED);
	assert_int_equal(acpi_fadt_parse(&t, &f), 0);
	assert_true(f.has_8042);
	assert_true(f.pm1a_cnt.address == 0 && f.pm1b_cnt.address == 0 && f.reset.address == 0);
}

static void test_fadt_cut(void **state)
{
	struct acpi_fadt f;

	(void)state;
	for (size_t len = SDT_HEADER_LEN; len <= FADT_V6_LEN; len++) {
		uint8_t *p = malloc(len);
		struct acpi_table t = table_of(p, len);

		memset(p, 0xff, len);
		memcpy(p, "FACP", 4);
		assert_int_equal(acpi_fadt_parse(&t, &f), len < FADT_V1_LEN ? ERR_TRUNC : 0);
		if (len == FADT_V1_LEN) {
			p[FADT_FLAGS + 2] = 0; /* not hardware-reduced */
			assert_int_equal(acpi_fadt_parse(&t, &f), 0);
		}
		free(p);
	}
}

static void test_small(void **state)
{
	uint8_t mcfg[MCFG_ENTRIES + MCFG_ENTRY_LEN + 7] = {0}, hpet[HPET_TABLE_LEN] = {0};
	struct acpi_table m = table_of(mcfg, sizeof(mcfg)), h = table_of(hpet, sizeof(hpet));
	struct acpi_mcfg_entry e;
	uint64_t hpa;

	(void)state;
	memcpy(mcfg, "MCFG", 4);
	store_le64(mcfg + MCFG_ENTRIES, 0xb0000000);
	mcfg[MCFG_ENTRIES + MCFG_ENTRY_END_BUS] = 255;
	assert_int_equal(acpi_mcfg_entry(&m, 0, &e), 0);
	assert_true(e.base == 0xb0000000 && e.start_bus == 0 && e.end_bus == 255);
	assert_int_equal(acpi_mcfg_entry(&m, 1, &e), ERR_NOENT);
	assert_int_equal(acpi_mcfg_entry(&m, SIZE_MAX, &e), ERR_NOENT);
	mcfg[MCFG_ENTRIES + MCFG_ENTRY_END_BUS] = 3;
	mcfg[MCFG_ENTRIES + MCFG_ENTRY_START_BUS] = 4;
	assert_int_equal(acpi_mcfg_entry(&m, 0, &e), ERR_FORMAT);
	m.len = SDT_HEADER_LEN;
	assert_int_equal(acpi_mcfg_entry(&m, 0, &e), ERR_NOENT);
	assert_int_equal(acpi_mcfg_entry(&h, 0, &e), ERR_FORMAT);

	memcpy(hpet, "HPET", 4);
	gas(hpet + HPET_TABLE_ADDRESS, GAS_SPACE_MEMORY, 64, 0xfed00000);
	assert_int_equal(acpi_hpet_address(&h, &hpa), 0);
	assert_true(hpa == 0xfed00000);
	hpet[HPET_TABLE_ADDRESS] = GAS_SPACE_IO;
	assert_int_equal(acpi_hpet_address(&h, &hpa), ERR_FORMAT);
	h.len = SDT_HEADER_LEN;
	assert_int_equal(acpi_hpet_address(&h, &hpa), ERR_TRUNC);
	assert_int_equal(acpi_hpet_address(&m, &hpa), ERR_FORMAT);
}

static void expect_s5(const void *aml, size_t len, int pm1a, int pm1b)
{
	struct acpi_sleep s = {0xee, 0xee};
	uint8_t *exact = malloc(len);

	memcpy(exact, aml, len);
	if (pm1a < 0) {
		assert_int_equal(acpi_find_s5(exact, len, &s), ERR_NOENT);
		assert_int_equal(s.pm1a, 0xee);
	} else {
		assert_int_equal(acpi_find_s5(exact, len, &s), 0);
		assert_int_equal(s.pm1a, pm1a);
		assert_int_equal(s.pm1b, pm1b);
	}
	free(exact);
}

#define EXPECT_S5(a, b, ...)                                                                                           \
	do {                                                                                                           \
		const uint8_t bytes_[] = {__VA_ARGS__};                                                                \
		expect_s5(bytes_, sizeof(bytes_), a, b);                                                               \
	} while (0)

static void test_s5(void **state)
{
	(void)state;
	/* QEMU: Name(_S5, Package(4) { 0, 0, 0, 0 }), and one with One and Zero */
	EXPECT_S5(0, 0, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0);
	EXPECT_S5(1, 0, 0x55, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 1, 0, 0, 0);
	/* with the root prefix; byte constants; different values for the two registers */
	EXPECT_S5(7, 5, 0x08, '\\', '_', 'S', '5', '_', 0x12, 8, 4, 0x0a, 7, 0x0a, 5, 0, 0);
	/* word and double word constants, a two-byte PkgLength */
	EXPECT_S5(3, 4, 0x08, '_', 'S', '5', '_', 0x12, 0x4b, 0, 2, 0x0b, 3, 0, 0x0c, 4, 0, 0, 0, 0, 0);
	/* one element with both values */
	EXPECT_S5(5, 6, 0x08, '_', 'S', '5', '_', 0x12, 5, 1, 0x0b, 5, 6);
	/* no definition before, a reference: looked over, the real one behind it is found */
	EXPECT_S5(2, 2, '_', 'S', '5', '_', 0x12, 6, 4, 1, 1, 0, 0, 0x08, '_', 'S', '5', '_', 0x12, 7, 4, 0x0a, 2, 0x0a,
		  2, 0);
	/* not a package; package with nothing in it; with a name in it; length beyond the end; cut off in every way */
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x0a, 6);
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x12, 2, 0);
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x12, 6, 4, 'A', 'B', 'C', 'D');
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x12, 7, 4, 0, 0, 0, 0);
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x12, 0xff, 0xff, 0xff, 0xff, 4, 0, 0);
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x12, 0x40);
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x12);
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_');
	EXPECT_S5(-1, 0, '_', 'S', '5', '_', 0x12, 6, 4, 0, 0, 0, 0);
	EXPECT_S5(-1, 0, 0x08, '_', 'S', '5', '_', 0x12, 4, 2, 0x0b, 3, 3); /* a word that reaches behind the package */
	EXPECT_S5(-1, 0, 'S', '5');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rsdp),     cmocka_unit_test(test_rsdp_scan),
		cmocka_unit_test(test_root),     cmocka_unit_test(test_table_lengths),
		cmocka_unit_test(test_madt),     cmocka_unit_test(test_madt_hostile),
		cmocka_unit_test(test_fadt_v1),  cmocka_unit_test(test_fadt_v3),
		cmocka_unit_test(test_fadt_cut), cmocka_unit_test(test_small),
		cmocka_unit_test(test_s5),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
