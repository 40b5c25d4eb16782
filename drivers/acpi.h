/* The firmware's ACPI tables, read. Pure functions over (bytes, length): the tables are taken for hostile, every length is
 * checked before the byte behind it is read. Physical memory is reached through a function that is handed in. */
#pragma once

#include "drivers/regs/acpi.h"
#include "kernel/lib/compiler.h"
#include "kernel/lib/errors.h"

/* Physical memory, to read. */
struct acpi_memory {
	/* Where [hpa, hpa + len) can be read, or NULL. Stays valid. */
	const void *(*map)(void *ctx, uint64_t hpa, uint64_t len);
	void *ctx;
};

/* A whole table with its header, length and checksum proved. */
struct acpi_table {
	const uint8_t *bytes;
	uint32_t len;
	uint64_t hpa;
};

/* The root pointer. */
struct acpi_rsdp {
	uint8_t revision; /* 0: ACPI 1.0 */
	uint32_t rsdt;    /* hpa, 0: none */
	uint64_t xsdt;    /* hpa, 0: none */
};

int acpi_rsdp_parse(const void *bytes, size_t len, struct acpi_rsdp *out) MUST_CHECK;
int acpi_rsdp_scan(const void *bytes, size_t len, size_t *offset) MUST_CHECK;

int acpi_table_at(const struct acpi_memory *mem, uint64_t hpa, struct acpi_table *out) MUST_CHECK;
uint32_t acpi_signature(const struct acpi_table *table);

/* RSDT or XSDT: what the root pointer leads to. */
struct acpi_root {
	struct acpi_table table;
	unsigned entry_bytes; /* 4 or 8 */
};

int acpi_root_open(const struct acpi_memory *mem, const struct acpi_rsdp *rsdp, struct acpi_root *out) MUST_CHECK;
size_t acpi_root_count(const struct acpi_root *root);
uint64_t acpi_root_entry(const struct acpi_root *root, size_t index);
int acpi_find(const struct acpi_memory *mem, const struct acpi_root *root, uint32_t signature,
	      struct acpi_table *out) MUST_CHECK;

/* The MADT, one entry after the other. */
enum acpi_madt_kind {
	ACPI_MADT_CPU, /* LAPIC and x2APIC entries */
	ACPI_MADT_IOAPIC,
	ACPI_MADT_OVERRIDE,
	ACPI_MADT_NMI,       /* a GSI that is an NMI */
	ACPI_MADT_LAPIC_NMI, /* a local interrupt pin that is one */
	ACPI_MADT_LAPIC_ADDRESS,
	ACPI_MADT_OTHER, /* nothing we need; type says what */
};

/* For ACPI_MADT_LAPIC_NMI: every processor. */
#define ACPI_ALL_CPUS UINT32_MAX

struct acpi_madt_entry {
	enum acpi_madt_kind kind;
	uint8_t type;        /* as in the table */
	bool enabled;        /* CPU: firmware has it on */
	bool online_capable; /* CPU: not on now, could be switched on */
	uint32_t apic_id;    /* CPU */
	uint32_t uid;        /* CPU, LAPIC NMI: ACPI processor UID, or ACPI_ALL_CPUS */
	uint8_t ioapic_id;
	uint8_t isa_irq;  /* override */
	uint8_t lint;     /* LAPIC NMI: pin 0 or 1 */
	uint16_t flags;   /* override and NMIs: polarity and trigger, MADT_POLARITY_*, MADT_TRIGGER_* */
	uint32_t gsi;     /* override, NMI: which; I/O APIC: its first */
	uint64_t address; /* I/O APIC, LAPIC address: hpa */
};

struct acpi_madt {
	struct acpi_table table;
	uint64_t lapic_address; /* hpa, the override taken into account */
	bool has_8259;
};

int acpi_madt_open(const struct acpi_table *table, struct acpi_madt *out) MUST_CHECK;
int acpi_madt_next(const struct acpi_madt *madt, size_t *offset, struct acpi_madt_entry *out) MUST_CHECK;

/* A register named by a table. address 0: there is none. */
struct acpi_register {
	uint8_t space; /* GAS_SPACE_* */
	uint8_t bit_width;
	uint64_t address;
};

struct acpi_fadt {
	uint64_t dsdt; /* hpa, 0: none */
	uint16_t sci_irq;
	uint32_t smi_cmd; /* port, 0: ACPI mode is always on */
	uint8_t acpi_enable;
	uint32_t flags;
	uint8_t century; /* index in the RTC's RAM, 0: none */
	bool has_8042;   /* false only where the table says so */
	struct acpi_register pm1a_evt;
	struct acpi_register pm1b_evt;
	struct acpi_register pm1a_cnt;
	struct acpi_register pm1b_cnt;
	struct acpi_register pm_timer;
	struct acpi_register reset;
	uint8_t reset_value;
};

int acpi_fadt_parse(const struct acpi_table *table, struct acpi_fadt *out) MUST_CHECK;

struct acpi_mcfg_entry {
	uint64_t base; /* hpa of bus 0's configuration space, also where start_bus is not 0 */
	uint16_t segment;
	uint8_t start_bus;
	uint8_t end_bus;
};

int acpi_mcfg_entry(const struct acpi_table *table, size_t index, struct acpi_mcfg_entry *out) MUST_CHECK;
int acpi_hpet_address(const struct acpi_table *table, uint64_t *hpa) MUST_CHECK;

/* The sleep type values of a sleep state, for PM1a and PM1b. */
struct acpi_sleep {
	uint8_t pm1a;
	uint8_t pm1b;
};

int acpi_find_s5(const void *aml, size_t len, struct acpi_sleep *out) MUST_CHECK;
