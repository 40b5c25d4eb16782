/* Inside vmm/load only: an ELF executable of either class, for the loaders of plain ELF, Multiboot and PVH. */
#pragma once

#include "vmm/load/loader.h"

enum { ELF_PT_LOAD = 1, ELF_PT_NOTE = 4 };

#define ELF_MAX_SEGMENTS 64u

struct elf_segment {
	uint32_t type; /* ELF_PT_* */
	uint64_t offset;
	uint64_t file_size;
	uint64_t vaddr;
	uint64_t paddr;
	uint64_t mem_size;
};

struct elf_image {
	const uint8_t *file;
	uint64_t file_size;
	bool is64;
	uint64_t entry; /* virtual, as the file says */
	uint64_t table; /* offset of the program headers */
	unsigned count;
};

/* Check header and table. After that every segment can be read, and lies inside the file. */
MUST_CHECK int elf_image_parse(struct loader *l, struct elf_image *e);
struct elf_segment elf_image_segment(const struct elf_image *e, unsigned index);

/* Copy the PT_LOAD segments to their physical addresses, all below 4 GiB. *end is the first address behind the last. */
MUST_CHECK int elf_image_load(struct loader *l, const struct elf_image *e, uint64_t *end);

/* Where the entry lies physically, by the segment that holds it. */
MUST_CHECK int elf_image_entry(struct loader *l, const struct elf_image *e, uint64_t *gpa);
