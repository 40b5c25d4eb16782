/* Which physical memory is ours to hand out: the firmware's map, cleaned up, less what is already occupied. */
#pragma once

#include "kernel/lib/compiler.h"

/* What the firmware says about a piece of memory: the types of Multiboot2 and ACPI "Address Range Types". All others,
 * EFI runtime (20 in GRUB's map) among them, count as reserved. */
enum mem_type {
	MEM_RAM = 1,
	MEM_RESERVED = 2,
	MEM_ACPI_TABLES = 3, /* reclaimable in theory; we keep reading them */
	MEM_ACPI_NVS = 4,
	MEM_BAD = 5,
	MEM_PERSISTENT = 7,
	MEM_EFI_RUNTIME = 20
};

struct mem_region {
	uint64_t base;
	uint64_t len;
	uint32_t type; /* enum mem_type, or anything */
};

struct phys_range {
	uint64_t base;
	uint64_t len;
};

/* Each region and each reservation makes at most one range more; see MULTIBOOT2_MAX_REGIONS and _MODULES. */
enum { MEMMAP_MAX_RANGES = 448 };

struct memmap {
	struct phys_range ranges[MEMMAP_MAX_RANGES]; /* free: whole pages, ascending, apart from each other */
	size_t count;
	uint64_t free_bytes;    /* the sum of ranges */
	uint64_t ram_bytes;     /* RAM by the firmware's word, whole pages, before the reservations */
	uint64_t end;           /* where the last RAM ends; 0 when there is none */
	uint64_t clipped_bytes; /* RAM above what the processor can address */
};

MUST_CHECK int memmap_build(struct memmap *map, const struct mem_region *regions, size_t region_count,
			    const struct phys_range *reserved, size_t reserved_count, unsigned phys_bits);
