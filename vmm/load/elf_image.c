/* Reading ELF executables: System V ABI, "Object Files" and "Program Loading", with the AMD64 and Intel386 supplements. */
#include "vmm/load/elf_image.h"

#include "kernel/lib/bytes.h"
#include "kernel/lib/range.h"

enum {
	EI_CLASS = 4,
	EI_DATA = 5,
	EI_VERSION = 6,
	CLASS_32 = 1,
	CLASS_64 = 2,
	DATA_LITTLE = 1,
	ET_EXEC = 2,
	ET_DYN = 3,
	EM_386 = 3,
	EM_X86_64 = 62,
	EHDR32_BYTES = 52,
	EHDR64_BYTES = 64,
	PHDR32_BYTES = 32,
	PHDR64_BYTES = 56
};

bool elf_matches(const uint8_t *image, uint64_t size)
{
	return size >= 4 && load_le32(image) == 0x464c457fu;
}

static int check_ident(struct loader *l, const struct elf_image *e)
{
	unsigned machine, type;

	if (e->file_size < EHDR32_BYTES)
		return loader_fail(l, ERR_TRUNC, "kernel: the file ends inside the ELF header; is it cut off?");
	if (e->file[EI_CLASS] != CLASS_32 && e->file[EI_CLASS] != CLASS_64)
		return loader_fail(l, ERR_FORMAT, "kernel: ELF class %u is neither 32-bit nor 64-bit",
				   e->file[EI_CLASS]);
	if (e->file[EI_DATA] != DATA_LITTLE || e->file[EI_VERSION] != 1)
		return loader_fail(l, ERR_FORMAT,
				   "kernel: ELF data encoding %u, version %u; must be little-endian (1), version 1",
				   e->file[EI_DATA], e->file[EI_VERSION]);
	if (e->file_size < EHDR64_BYTES && e->file[EI_CLASS] == CLASS_64)
		return loader_fail(l, ERR_TRUNC, "kernel: the file ends inside the ELF header; is it cut off?");
	type = load_le16(e->file + 16);
	if (type != ET_EXEC && type != ET_DYN)
		return loader_fail(l, ERR_FORMAT, "kernel: ELF type %u is no executable (2 or 3)", type);
	machine = load_le16(e->file + 18);
	if (machine != EM_386 && machine != EM_X86_64)
		return loader_fail(l, ERR_FORMAT, "kernel: ELF machine %u is neither i386 (3) nor x86-64 (62)",
				   machine);
	return 0;
}

struct elf_segment elf_image_segment(const struct elf_image *e, unsigned index)
{
	const uint8_t *p = e->file + e->table + (uint64_t)index * (e->is64 ? PHDR64_BYTES : PHDR32_BYTES);

	if (e->is64)
		return (struct elf_segment){.type = load_le32(p),
					    .offset = load_le64(p + 8),
					    .vaddr = load_le64(p + 16),
					    .paddr = load_le64(p + 24),
					    .file_size = load_le64(p + 32),
					    .mem_size = load_le64(p + 40)};
	return (struct elf_segment){.type = load_le32(p),
				    .offset = load_le32(p + 4),
				    .vaddr = load_le32(p + 8),
				    .paddr = load_le32(p + 12),
				    .file_size = load_le32(p + 16),
				    .mem_size = load_le32(p + 20)};
}

static int check_segment(struct loader *l, const struct elf_image *e, unsigned index)
{
	struct elf_segment s = elf_image_segment(e, index);

	if (s.type != ELF_PT_LOAD && s.type != ELF_PT_NOTE)
		return 0;
	if (!range_below(s.offset, s.file_size, e->file_size))
		return loader_fail(
			l, ERR_TRUNC,
			"kernel: ELF segment %u has 0x%llx bytes at 0x%llx of the file, which has 0x%llx; is it cut off?",
			index, (unsigned long long)s.file_size, (unsigned long long)s.offset,
			(unsigned long long)e->file_size);
	if (s.type == ELF_PT_LOAD && s.mem_size < s.file_size)
		return loader_fail(l, ERR_FORMAT,
				   "kernel: ELF segment %u takes 0x%llx bytes of memory for 0x%llx of the file", index,
				   (unsigned long long)s.mem_size, (unsigned long long)s.file_size);
	return 0;
}

/* Fills *e from l->req. Returns 0; ERR_TRUNC, ERR_FORMAT with the reason in words. */
int elf_image_parse(struct loader *l, struct elf_image *e)
{
	unsigned entry_bytes;
	int err;

	e->file = l->req->image;
	e->file_size = l->req->image_size;
	err = check_ident(l, e);
	if (err)
		return err;
	e->is64 = e->file[EI_CLASS] == CLASS_64;
	e->entry = e->is64 ? load_le64(e->file + 24) : load_le32(e->file + 24);
	e->table = e->is64 ? load_le64(e->file + 32) : load_le32(e->file + 28);
	entry_bytes = load_le16(e->file + (e->is64 ? 54 : 42));
	e->count = load_le16(e->file + (e->is64 ? 56 : 44));
	if (entry_bytes != (e->is64 ? PHDR64_BYTES : PHDR32_BYTES))
		return loader_fail(l, ERR_FORMAT, "kernel: ELF program headers of %u bytes, must be %u", entry_bytes,
				   e->is64 ? PHDR64_BYTES : PHDR32_BYTES);
	if (e->count == 0 || e->count > ELF_MAX_SEGMENTS)
		return loader_fail(l, ERR_FORMAT, "kernel: %u ELF program headers, must be 1 to %u", e->count,
				   ELF_MAX_SEGMENTS);
	if (!range_below(e->table, (uint64_t)e->count * entry_bytes, e->file_size))
		return loader_fail(l, ERR_TRUNC,
				   "kernel: ELF program headers at 0x%llx reach beyond the end of the file",
				   (unsigned long long)e->table);
	for (unsigned i = 0; i < e->count; i++) {
		err = check_segment(l, e, i);
		if (err)
			return err;
	}
	return 0;
}

static int load_segment(struct loader *l, const struct elf_image *e, const struct elf_segment *s)
{
	int err;

	if (!range_below(s->paddr, s->mem_size, LOADER_4G))
		return loader_fail(l, ERR_RANGE, "kernel: ELF segment of 0x%llx bytes at 0x%llx, above 4 GiB",
				   (unsigned long long)s->mem_size, (unsigned long long)s->paddr);
	err = loader_claim(l, "kernel", s->paddr, s->mem_size);
	if (!err)
		err = loader_put(l, "kernel", s->paddr, e->file + s->offset, s->file_size);
	if (!err)
		err = loader_clear(l, "kernel", s->paddr + s->file_size, s->mem_size - s->file_size);
	return err;
}

/* Returns 0; ERR_RANGE, ERR_OVERLAP, ERR_FORMAT (no segment) with the reason in words; guest memory may be written then. */
int elf_image_load(struct loader *l, const struct elf_image *e, uint64_t *end)
{
	*end = 0;
	for (unsigned i = 0; i < e->count; i++) {
		struct elf_segment s = elf_image_segment(e, i);
		int err;

		if (s.type != ELF_PT_LOAD || s.mem_size == 0)
			continue;
		err = load_segment(l, e, &s);
		if (err)
			return err;
		if (s.paddr + s.mem_size > *end)
			*end = s.paddr + s.mem_size;
	}
	return *end ? 0 : loader_fail(l, ERR_FORMAT, "kernel: the ELF file has nothing to load");
}

/* Kernels linked for high addresses say a virtual entry; the processor starts without their page tables. */
int elf_image_entry(struct loader *l, const struct elf_image *e, uint64_t *gpa)
{
	for (unsigned i = 0; i < e->count; i++) {
		struct elf_segment s = elf_image_segment(e, i);

		if (s.type == ELF_PT_LOAD && range_has(s.vaddr, s.mem_size, e->entry)) {
			*gpa = e->entry - s.vaddr + s.paddr;
			return 0;
		}
	}
	/* Some give a physical entry beside virtual segments. */
	for (unsigned i = 0; i < e->count; i++) {
		struct elf_segment s = elf_image_segment(e, i);

		if (s.type == ELF_PT_LOAD && range_has(s.paddr, s.mem_size, e->entry)) {
			*gpa = e->entry;
			return 0;
		}
	}
	return loader_fail(l, ERR_FORMAT, "kernel: ELF entry 0x%llx lies in no segment", (unsigned long long)e->entry);
}
