/* The guest's ACPI tables: whole and linked, read back by the reader of the host's tables and byte by byte; what they say
 * of the machine; and that ACPICA's disassembler takes each of them. */
#define _GNU_SOURCE /* memmem */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "drivers/acpi.h"
#include "drivers/regs/acpi.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/range.h"
#include "vmm/devices/guest_acpi.h"

#define BASE 0xe0000ull

static uint8_t buf[65536];
static struct guest_acpi_tables t;

static void build(unsigned cpus)
{
	memset(buf, 0xdb, sizeof(buf));
	assert_int_equal(guest_acpi_build(BASE, cpus, buf, sizeof(buf), &t), 0);
	assert_int_equal(t.rsdp, BASE);
	assert_true(t.bytes < sizeof(buf));
	/* Not a byte behind the end. */
	for (size_t i = t.bytes; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0xdb);
}

static uint8_t *at(uint64_t gpa, size_t len)
{
	assert_true(range_contains(BASE, t.bytes, gpa, len));
	return buf + (gpa - BASE);
}

static uint8_t *sdt(uint64_t gpa, const char *signature)
{
	uint8_t *p = at(gpa, SDT_HEADER_LEN);

	assert_memory_equal(p, signature, 4);
	at(gpa, load_le32(p + SDT_LENGTH));
	assert_int_equal(checksum8(p, load_le32(p + SDT_LENGTH)), 0);
	return p;
}

static uint8_t *table(unsigned n, const char *signature)
{
	return sdt(load_le64(sdt(load_le64(buf + RSDP_XSDT), "XSDT") + SDT_HEADER_LEN + n * 8), signature);
}

static void test_roots(void **state)
{
	uint8_t *rsdt, *xsdt;

	(void)state;
	build(2);
	assert_memory_equal(buf, "RSD PTR ", 8);
	assert_int_equal(buf[RSDP_REVISION], 2);
	assert_int_equal(checksum8(buf, 20), 0);
	assert_int_equal(checksum8(buf, 36), 0);
	assert_int_equal(load_le32(buf + RSDP_LENGTH), 36);
	rsdt = sdt(load_le32(buf + RSDP_RSDT), "RSDT");
	xsdt = sdt(load_le64(buf + RSDP_XSDT), "XSDT");
	assert_int_equal(load_le32(rsdt + SDT_LENGTH), SDT_HEADER_LEN + 8);
	assert_int_equal(load_le32(xsdt + SDT_LENGTH), SDT_HEADER_LEN + 16);
	for (unsigned i = 0; i < 2; i++)
		assert_int_equal(load_le32(rsdt + SDT_HEADER_LEN + i * 4), load_le64(xsdt + SDT_HEADER_LEN + i * 8));
}

static void test_fadt(void **state)
{
	uint8_t *f;

	(void)state;
	build(1);
	f = table(0, "FACP");
	assert_int_equal(load_le32(f + SDT_LENGTH), 244);
	assert_int_equal(f[SDT_REVISION], 3);
	assert_int_equal(load_le32(f + FADT_PM1A_EVT_BLK), 0x600);
	assert_int_equal(f[FADT_PM1_EVT_LEN], 4);
	assert_int_equal(load_le32(f + FADT_PM1A_CNT_BLK), 0x604);
	assert_int_equal(f[FADT_PM1_CNT_LEN], 2);
	assert_int_equal(load_le32(f + FADT_PM_TMR_BLK), 0x608);
	assert_int_equal(f[FADT_PM_TMR_LEN], 4);
	assert_int_equal(load_le32(f + FADT_GPE0_BLK), 0xafe0);
	assert_int_equal(f[FADT_GPE0_BLK_LEN], 4);
	assert_int_equal(load_le16(f + FADT_SCI_INT), 9);
	assert_int_equal(load_le32(f + FADT_SMI_CMD), 0xb2);
	assert_int_equal(load_le64(f + FADT_RESET_REG + GAS_ADDRESS), 0xcf9);
	assert_int_equal(f[FADT_RESET_VALUE], 6);
	assert_int_equal(load_le16(f + FADT_IAPC_BOOT_ARCH), 5);
	assert_int_equal(load_le32(f + FADT_FLAGS), 0x565 & ~0x80u);
	/* Both forms agree. */
	assert_int_equal(load_le32(f + FADT_DSDT), load_le64(f + FADT_X_DSDT));
	assert_int_equal(load_le64(f + FADT_X_FIRMWARE_CTRL), 0);
	static const struct {
		unsigned old_at, len_at, new_at;
	} blocks[] = {{FADT_PM1A_EVT_BLK, FADT_PM1_EVT_LEN, FADT_X_PM1A_EVT_BLK},
		      {FADT_PM1A_CNT_BLK, FADT_PM1_CNT_LEN, FADT_X_PM1A_CNT_BLK},
		      {FADT_PM_TMR_BLK, FADT_PM_TMR_LEN, FADT_X_PM_TMR_BLK},
		      {FADT_GPE0_BLK, FADT_GPE0_BLK_LEN, FADT_X_GPE0_BLK}};
	for (unsigned i = 0; i < ARRAY_LEN(blocks); i++) {
		uint8_t *gas = f + blocks[i].new_at;

		assert_int_equal(gas[GAS_SPACE], GAS_SPACE_IO);
		assert_int_equal(gas[GAS_BIT_WIDTH], f[blocks[i].len_at] * 8);
		assert_int_equal(load_le64(gas + GAS_ADDRESS), load_le32(f + blocks[i].old_at));
	}
	sdt(load_le32(f + FADT_DSDT), "DSDT");
	uint32_t facs = load_le32(f + FADT_FIRMWARE_CTRL);
	assert_int_equal(facs % 64, 0);
	assert_memory_equal(at(facs, 64), "FACS", 4);
	assert_int_equal(load_le32(at(facs, 64) + 4), 64);
}

static void check_madt(unsigned cpus)
{
	unsigned lapics = 0, x2apics = 0, ioapics = 0, overrides = 0, nmis = 0, x2nmis = 0;
	uint8_t *m;
	uint32_t len;

	build(cpus);
	m = table(1, "APIC");
	len = load_le32(m + SDT_LENGTH);
	assert_int_equal(load_le32(m + MADT_LAPIC_ADDR), 0xfee00000);
	assert_int_equal(load_le32(m + MADT_FLAGS), 1);
	for (uint32_t i = MADT_ENTRIES; i < len; i += m[i + 1]) {
		uint8_t *e = m + i;

		assert_true(i + e[1] <= len && e[1] >= 2);
		switch (e[0]) {
		case MADT_TYPE_LAPIC:
			assert_int_equal(e[1], 8);
			assert_int_equal(e[MADT_LAPIC_UID], lapics);
			assert_int_equal(e[MADT_LAPIC_ID], lapics++);
			assert_int_equal(load_le32(e + MADT_LAPIC_FLAGS), 1);
			break;
		case MADT_TYPE_X2APIC:
			assert_int_equal(e[1], 16);
			assert_int_equal(load_le32(e + MADT_X2APIC_ID), 255 + x2apics++);
			assert_int_equal(load_le32(e + MADT_X2APIC_FLAGS), 1);
			break;
		case MADT_TYPE_IOAPIC:
			assert_int_equal(load_le32(e + MADT_IOAPIC_ADDR), 0xfec00000);
			assert_int_equal(load_le32(e + MADT_IOAPIC_GSI_BASE), 0);
			ioapics++;
			break;
		case MADT_TYPE_ISO:
			assert_int_equal(e[MADT_ISO_SOURCE], overrides == 0 ? 0 : 9);
			assert_int_equal(load_le32(e + MADT_ISO_GSI), overrides == 0 ? 2 : 9);
			assert_int_equal(load_le16(e + MADT_ISO_FLAGS), overrides == 0 ? 0x5 : 0xd);
			overrides++;
			break;
		case MADT_TYPE_LAPIC_NMI:
			assert_int_equal(e[MADT_LAPIC_NMI_UID], 0xff);
			assert_int_equal(e[MADT_LAPIC_NMI_LINT], 1);
			nmis++;
			break;
		case MADT_TYPE_X2APIC_NMI:
			x2nmis++;
			break;
		default:
			fail_msg("entry of type %u", e[0]);
		}
	}
	assert_int_equal(lapics, cpus < 255 ? cpus : 255);
	assert_int_equal(x2apics, cpus < 255 ? 0 : cpus - 255);
	assert_int_equal(ioapics, 1);
	assert_int_equal(overrides, 2);
	assert_int_equal(nmis, 1);
	assert_int_equal(x2nmis, cpus > 255);
}

static void test_madt(void **state)
{
	static const unsigned cpus[] = {1, 2, 8, 16, 254, 255, 256, 300};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cpus); i++)
		check_madt(cpus[i]);
}

static void test_dsdt_cpu_count(void **state)
{
	static const unsigned cpus[] = {1, 2, 15, 16, 17, 300};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(cpus); i++) {
		uint8_t *d, *name;

		build(cpus[i]);
		d = sdt(load_le32(table(0, "FACP") + FADT_DSDT), "DSDT");
		name = memmem(d, load_le32(d + SDT_LENGTH), "\x08NCPU\x0a", 6);
		assert_non_null(name);
		assert_int_equal(name[6], cpus[i] < 16 ? cpus[i] : 16);
	}
}

static void test_refusals(void **state)
{
	size_t need;

	(void)state;
	assert_int_equal(guest_acpi_build(BASE + 16, 1, buf, sizeof(buf), &t), ERR_ALIGN);
	assert_int_equal(guest_acpi_build(0xffff0000, 1, buf, sizeof(buf) + 1, &t), ERR_RANGE);
	assert_int_equal(guest_acpi_build(UINT64_MAX & ~63ull, 1, buf, sizeof(buf), &t), ERR_RANGE);
	assert_int_equal(guest_acpi_build(BASE, 0, buf, sizeof(buf), &t), ERR_INVAL);
	build(16);
	need = t.bytes;
	assert_true(need <= GUEST_ACPI_MAX_BYTES);
	for (size_t size = 0; size < need; size++) {
		uint8_t *small = malloc(size + 1); /* the sanitizer watches the end */

		assert_int_equal(guest_acpi_build(BASE, 16, small, size, &t), ERR_FULL);
		free(small);
	}
	assert_int_equal(guest_acpi_build(BASE, 16, buf, need, &t), 0);
}

/* --- by the reader of the host's tables --- */

static const void *map(void *ctx, uint64_t hpa, uint64_t len)
{
	(void)ctx;
	return range_contains(BASE, t.bytes, hpa, len) ? buf + (hpa - BASE) : NULL;
}

static void test_own_reader(void **state)
{
	const struct acpi_memory mem = {.map = map};
	struct acpi_rsdp rsdp;
	struct acpi_root root;
	struct acpi_table found;

	(void)state;
	build(4);
	assert_int_equal(acpi_rsdp_parse(buf, t.bytes, &rsdp), 0);
	assert_int_equal(acpi_root_open(&mem, &rsdp, &root), 0);
	assert_int_equal(acpi_root_count(&root), 2);
	assert_int_equal(acpi_find(&mem, &root, ACPI_SIGNATURE('F', 'A', 'C', 'P'), &found), 0);
	assert_int_equal(acpi_find(&mem, &root, ACPI_SIGNATURE('A', 'P', 'I', 'C'), &found), 0);
}

/* --- by ACPICA --- */

static void disassemble(const char *dir, const char *name, const uint8_t *bytes, size_t len)
{
	char path[256], command[1024], line[512];
	FILE *f, *out;

	snprintf(path, sizeof(path), "%s/%s.dat", dir, name);
	f = fopen(path, "wb");
	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, len, f), len);
	fclose(f);
	snprintf(command, sizeof(command), "iasl -d %s 2>&1", path);
	out = popen(command, "r");
	assert_non_null(out);
	while (fgets(line, sizeof(line), out) != NULL)
		if (strstr(line, "rror") != NULL || strstr(line, "arning") != NULL)
			fail_msg("%s: %s", name, line);
	assert_int_equal(pclose(out), 0);
}

static void test_disassembler(void **state)
{
	char dir[] = "/tmp/guest_acpi.XXXXXX", command[64];
	static const char *const names[] = {"FACP", "APIC"};
	uint8_t *p;

	(void)state;
	build(16);
	assert_non_null(mkdtemp(dir));
	for (unsigned i = 0; i < ARRAY_LEN(names); i++) {
		p = table(i, names[i]);
		disassemble(dir, names[i], p, load_le32(p + SDT_LENGTH));
	}
	p = sdt(load_le32(table(0, "FACP") + FADT_DSDT), "DSDT");
	disassemble(dir, "DSDT", p, load_le32(p + SDT_LENGTH));
	p = sdt(load_le64(buf + RSDP_XSDT), "XSDT");
	disassemble(dir, "XSDT", p, load_le32(p + SDT_LENGTH));
	p = sdt(load_le32(buf + RSDP_RSDT), "RSDT");
	disassemble(dir, "RSDT", p, load_le32(p + SDT_LENGTH));
	disassemble(dir, "FACS", at(load_le32(table(0, "FACP") + FADT_FIRMWARE_CTRL), 64), 64);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_roots),        cmocka_unit_test(test_fadt),
		cmocka_unit_test(test_madt),         cmocka_unit_test(test_dsdt_cpu_count),
		cmocka_unit_test(test_refusals),     cmocka_unit_test(test_own_reader),
		cmocka_unit_test(test_disassembler),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
