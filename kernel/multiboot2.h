/* What the boot loader tells: Multiboot2's information block, turned into one struct that does not point back into it. */
#pragma once

#include "kernel/memmap.h"

#define MULTIBOOT2_MAGIC 0x36d76289u /* in EAX at entry */

enum {
	MULTIBOOT2_MAX_REGIONS = 256,
	MULTIBOOT2_MAX_MODULES = 64,
	MULTIBOOT2_TEXT_BYTES = 16384, /* for all strings together */
	MULTIBOOT2_MAX_BYTES = 1 << 20 /* of the whole block; a longer one is not believed */
};

struct boot_module {
	uint64_t start;   /* hpa */
	uint64_t end;     /* behind the last byte; start == end for an empty file */
	const char *name; /* the first word of the module's line, "" when the line is empty */
	const char *args; /* the rest of the line */
};

enum boot_framebuffer_type { BOOT_FB_INDEXED = 0, BOOT_FB_RGB = 1, BOOT_FB_TEXT = 2 };

struct boot_color {
	uint8_t shift; /* of the lowest bit */
	uint8_t bits;
};

struct boot_framebuffer {
	bool present;
	uint8_t type; /* enum boot_framebuffer_type */
	uint8_t bits_per_pixel;
	uint64_t base; /* hpa */
	uint32_t pitch_bytes;
	uint32_t width; /* pixels, or characters for text */
	uint32_t height;
	struct boot_color red, green, blue; /* for BOOT_FB_RGB */
};

struct boot_info {
	const char *loader;  /* "" when it does not say */
	const char *cmdline; /* the boot line, without the image's name; "" when there is none */
	size_t module_count;
	size_t region_count;
	bool regions_from_efi; /* there was no Multiboot2 map, and the EFI one was translated */
	uint8_t rsdp[36];      /* the ACPI root pointer as the loader copied it */
	size_t rsdp_bytes;     /* 20 (ACPI 1.0), 36, or 0: there is none */
	struct boot_framebuffer framebuffer;
	bool has_load_base;
	uint64_t load_base;        /* hpa of the image's start, when has_load_base */
	uint64_t efi_system_table; /* hpa, 0 under BIOS */
	bool efi_boot_services;    /* not exited: their memory is not ours */
	size_t info_bytes;         /* of the whole block, for its reservation */

	const char *why;    /* on an error: what is wrong, in words */
	uint64_t why_value; /* the number that is wrong, or where */

	size_t text_used;
	struct boot_module modules[MULTIBOOT2_MAX_MODULES];
	struct mem_region regions[MULTIBOOT2_MAX_REGIONS];
	char text[MULTIBOOT2_TEXT_BYTES]; /* what the strings above point into */
};

/* The length a block claims to have: for mapping it before it is parsed. info: 8 bytes can be read. */
uint64_t multiboot2_info_bytes(const void *info);

MUST_CHECK int multiboot2_parse(const void *info, size_t size, struct boot_info *out);
