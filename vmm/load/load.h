/* Put a kernel into guest memory and say how the first vCPU starts. The kind of image is recognised from its bytes:
 * Linux bzImage, Multiboot 1, ELF (with or without a PVH note), or flat. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/mem/guest_mem.h"

/* Kinds of memory in the map that a guest is told, with ACPI's numbers (ACPI 6.5 "Address Range Types"). */
enum guest_map_type { GUEST_MAP_RAM = 1, GUEST_MAP_RESERVED = 2, GUEST_MAP_ACPI = 3, GUEST_MAP_NVS = 4 };

struct guest_map_entry {
	uint64_t base;
	uint64_t len;
	enum guest_map_type type;
};

struct load_module {
	const void *data;
	uint64_t size;
	const char *args; /* its string; NULL: none */
};

/* The images must stay where they are only until load_image() returns. */
struct load_request {
	const void *image;
	uint64_t image_size;
	const void *initrd; /* NULL: none */
	uint64_t initrd_size;
	const char *cmdline; /* NULL: none */
	const struct load_module *modules;
	unsigned module_count;
	const struct guest_map_entry *map; /* ascending by base, no two overlap */
	unsigned map_count;
	uint64_t acpi_rsdp;    /* gpa of the guest's RSDP; 0: none */
	uint64_t load_address; /* not 0: the image is flat, put and start it there */
};

/* Numbers of gpr[] as instructions encode them. */
enum start_gpr {
	START_RAX,
	START_RCX,
	START_RDX,
	START_RBX,
	START_RSP,
	START_RBP,
	START_RSI,
	START_RDI,
	START_GPR_COUNT = 16
};

enum start_mode {
	START_REAL16,      /* CR0.PE = 0; segment base = selector * 16 */
	START_PROTECTED32, /* CR0 = PE, no paging; flat 32-bit segments */
	START_LONG64       /* CR0 = PE|PG, CR4 = PAE, EFER = LME|LMA; flat segments */
};

/* The first vCPU's registers. Interrupts are off (RFLAGS = 2), no IDT, A20 open. */
struct start_state {
	enum start_mode mode;
	uint64_t gpr[START_GPR_COUNT];
	uint64_t rip;
	uint64_t cr3;      /* START_LONG64 */
	uint64_t gdt_base; /* protected and long mode: a table that holds the two descriptors */
	uint16_t gdt_limit;
	uint16_t cs;
	uint16_t ds; /* DS, ES, SS, FS, GS */
};

/* Which kind an image is, for messages: "Linux bzImage". */
const char *load_kind(const struct load_request *req);

MUST_CHECK int load_image(const struct guest_mem *mem, const struct load_request *req, struct start_state *start,
			  char *why, size_t why_size);
