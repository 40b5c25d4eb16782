/* The ACPI tables a guest finds: RSDP, RSDT and XSDT, FADT, FACS, MADT, DSDT. ACPI specification 6.4. The machine they
 * describe is the one that vmm/devices/ emulates; the AML is in dsdt.asl.
 *
 * There are no SMBIOS tables: nothing a guest needs is in them, and systems that look for them live without. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/errors.h"

/* Where PCI interrupts go: INTA of slot s is pin PCI_GSI_BASE + (s & 3) of the I/O APIC, INTB the next, and so on round;
 * for guests that use the 8259s, IRQ 10 (even) and 11 (odd). */
#define GUEST_PCI_GSI_BASE 16u
#define GUEST_PCI_GSI(slot, intx) (GUEST_PCI_GSI_BASE + (((slot) + (intx)) & 3u))
#define GUEST_PCI_IRQ(slot, intx) (10u + (((slot) + (intx)) & 1u))

/* The window of memory in which PCI BARs may be placed. */
#define GUEST_PCI_MEM_BASE 0xc0000000ull
#define GUEST_PCI_MEM_END 0xfec00000ull

/* What the tables need at most, for 16 CPUs. */
#define GUEST_ACPI_MAX_BYTES 8192u

struct guest_acpi_tables {
	uint64_t rsdp; /* guest-physical address, the base itself */
	size_t bytes;  /* from the base to the end of the last table */
};

/* Build the tables into buf as they shall lie at guest-physical base.
 * base: aligned to 64 bytes, below 4 GiB; for guests that search for the RSDP, between 0xe0000 and 0xfffff.
 * cpus: local APICs with the IDs 0 to cpus - 1; the DSDT names the first 16.
 * Returns 0; ERR_ALIGN; ERR_RANGE (above 4 GiB); ERR_INVAL (no CPUs); ERR_FULL (size_bytes is too small, buf may be
 * written in part). */
MUST_CHECK int guest_acpi_build(uint64_t base, unsigned cpus, void *buf, size_t size_bytes,
				struct guest_acpi_tables *out);
