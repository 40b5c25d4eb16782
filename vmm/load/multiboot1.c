/* Multiboot 1 kernels: ELF files, or any file whose Multiboot header has the address fields. Follows the Multiboot
 * Specification 0.6.96, "OS image format", "Machine state" and "Boot information format". */
#include "vmm/load/elf_image.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

#define HEADER_MAGIC 0x1badb002u
#define LOADER_MAGIC 0x2badb002u
#define HEADER_SEARCH 8192u
#define HEADER_BYTES 12u
#define HEADER_BYTES_ADDRESSES 32u

/* Header flags. The loader must know each of bits 0 to 15 that is set; 2 asks for a video mode, which the absence of the
 * framebuffer fields in the information answers. */
#define FLAG_ADDRESSES BIT32(16)
#define FLAGS_MUST_KNOW 0xffffu
#define FLAGS_KNOWN 0x7u

/* Flags of the information. */
#define INFO_MEMORY BIT32(0)
#define INFO_CMDLINE BIT32(2)
#define INFO_MODS BIT32(3)
#define INFO_MMAP BIT32(6)
#define INFO_LOADER_NAME BIT32(9)

struct mb_info {
	uint32_t flags;
	uint32_t mem_lower; /* KiB from 0 on */
	uint32_t mem_upper; /* KiB from 1 MiB on, up to the first hole */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count;
	uint32_t mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length;
	uint32_t mmap_addr;
	uint32_t drives_length;
	uint32_t drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint8_t video[44];
};
static_assert(offsetof(struct mb_info, boot_loader_name) == 64 && sizeof(struct mb_info) == 116,
	      "Multiboot, Boot information format");

struct mb_module {
	uint32_t start;
	uint32_t end;
	uint32_t string;
	uint32_t reserved;
};

struct PACKED mb_mmap {
	uint32_t size; /* of the rest */
	uint64_t base;
	uint64_t len;
	uint32_t type;
};
static_assert(sizeof(struct mb_mmap) == 24, "Multiboot, mmap_addr");

/* The header's offset in the file: on 4 bytes, wholly in the first 8 KiB, with a sum that fits. -1: none. */
static int64_t find_header(const uint8_t *image, uint64_t size)
{
	uint64_t end = size < HEADER_SEARCH ? size : HEADER_SEARCH;

	for (uint64_t at = 0; at + HEADER_BYTES <= end; at += 4) {
		const uint8_t *h = image + at;

		if (load_le32(h) == HEADER_MAGIC && load_le32(h) + load_le32(h + 4) + load_le32(h + 8) == 0)
			return (int64_t)at;
	}
	return -1;
}

bool multiboot1_matches(const uint8_t *image, uint64_t size)
{
	return find_header(image, size) >= 0;
}

/* What the address fields say, checked. The file's part begins as far before the header as load_addr is below
 * header_addr. A load_end_addr of 0 means the whole file, a bss_end_addr of 0 no bss. */
static int load_by_addresses(struct loader *l, uint64_t header, uint64_t *entry, uint64_t *end)
{
	const uint8_t *h = (const uint8_t *)l->req->image + header;
	uint64_t header_addr, load_addr, load_end, bss_end, offset;
	int err;

	if (header + HEADER_BYTES_ADDRESSES > l->req->image_size)
		return loader_fail(l, ERR_TRUNC, "kernel: the file ends inside the Multiboot header");
	header_addr = load_le32(h + 12);
	load_addr = load_le32(h + 16);
	load_end = load_le32(h + 20);
	bss_end = load_le32(h + 24);
	*entry = load_le32(h + 28);
	if (load_addr > header_addr || header_addr - load_addr > header)
		return loader_fail(
			l, ERR_FORMAT,
			"kernel: Multiboot load_addr 0x%llx does not fit header_addr 0x%llx at 0x%llx of the file",
			(unsigned long long)load_addr, (unsigned long long)header_addr, (unsigned long long)header);
	offset = header - (header_addr - load_addr);
	if (load_end == 0)
		load_end = load_addr + (l->req->image_size - offset);
	if (load_end < load_addr || load_end - load_addr > l->req->image_size - offset)
		return loader_fail(
			l, ERR_TRUNC,
			"kernel: Multiboot load_end_addr 0x%llx: 0x%llx bytes of the file are wanted, it has 0x%llx; is it cut off?",
			(unsigned long long)load_end, (unsigned long long)(load_end - load_addr),
			(unsigned long long)(l->req->image_size - offset));
	if (bss_end == 0)
		bss_end = load_end;
	if (bss_end < load_end)
		return loader_fail(l, ERR_FORMAT, "kernel: Multiboot bss_end_addr 0x%llx is below load_end_addr 0x%llx",
				   (unsigned long long)bss_end, (unsigned long long)load_end);
	*end = bss_end;
	err = loader_claim(l, "kernel", load_addr, bss_end - load_addr);
	if (!err)
		err = loader_put(l, "kernel", load_addr, (const uint8_t *)l->req->image + offset, load_end - load_addr);
	return err ? err : loader_clear(l, "kernel", load_end, bss_end - load_end);
}

static int load_kernel(struct loader *l, uint64_t *entry, uint64_t *end)
{
	uint64_t header = (uint64_t)find_header(l->req->image, l->req->image_size);
	uint32_t flags = load_le32((const uint8_t *)l->req->image + header + 4);
	struct elf_image e;
	int err;

	if (flags & FLAGS_MUST_KNOW & ~FLAGS_KNOWN)
		return loader_fail(l, ERR_NOSUP,
				   "kernel: Multiboot header flags 0x%x ask for what is not defined (bits 3 to 15)",
				   flags);
	if (flags & FLAG_ADDRESSES)
		return load_by_addresses(l, header, entry, end);
	if (!elf_matches(l->req->image, l->req->image_size))
		return loader_fail(l, ERR_FORMAT,
				   "kernel: a Multiboot header without address fields, and the file is no ELF");
	err = elf_image_parse(l, &e);
	if (!err)
		err = elf_image_load(l, &e, end);
	return err ? err : elf_image_entry(l, &e, entry);
}

/* Modules go to the lowest pages behind the kernel, in order: small kernels map no more than that. */
static int put_modules(struct loader *l, uint64_t kernel_end, struct mb_info *info)
{
	uint64_t from = kernel_end > MIB ? kernel_end : MIB;
	uint64_t list;
	int err;

	info->mods_count = l->req->module_count;
	if (l->req->module_count == 0)
		return 0;
	err = loader_claim_highest(l, "module list", l->req->module_count * sizeof(struct mb_module), 16,
				   LOADER_LOW_BASE, LOADER_LOW_END, &list);
	info->mods_addr = (uint32_t)list;
	for (unsigned i = 0; !err && i < l->req->module_count; i++) {
		const struct load_module *m = &l->req->modules[i];
		uint64_t at = ALIGN_UP(from, PAGE_SIZE), string = 0;
		struct mb_module entry;

		/* An empty one has an address, and takes no room. */
		if (m->size)
			err = loader_claim_lowest(l, "module", m->size, PAGE_SIZE, from, LOADER_4G - 1, &at);
		if (!err)
			err = loader_put(l, "module", at, m->data, m->size);
		if (!err)
			err = loader_put_low_string(l, "module's string", m->args, &string);
		entry = (struct mb_module){(uint32_t)at, (uint32_t)(at + m->size), (uint32_t)string, 0};
		if (!err)
			err = loader_put(l, "module list", list + i * sizeof(entry), &entry, sizeof(entry));
		from = at + m->size;
	}
	return err;
}

/* KiB of RAM from `base` on, up to the first hole. */
static uint32_t ram_kib_from(const struct load_request *req, uint64_t base)
{
	uint64_t end = base;

	for (unsigned i = 0; i < req->map_count; i++) {
		const struct guest_map_entry *m = &req->map[i];

		if (m->type == GUEST_MAP_RAM && range_has(m->base, m->len, end))
			end = m->base + m->len;
	}
	end = (end - base) / KIB;
	return end > UINT32_MAX ? UINT32_MAX : (uint32_t)end;
}

static int put_map(struct loader *l, struct mb_info *info)
{
	uint64_t gpa;
	uint64_t bytes = l->req->map_count * sizeof(struct mb_mmap);
	int err = loader_claim_highest(l, "memory map", bytes, 16, LOADER_LOW_BASE, LOADER_LOW_END, &gpa);

	info->mmap_addr = (uint32_t)gpa;
	info->mmap_length = (uint32_t)bytes;
	for (unsigned i = 0; !err && i < l->req->map_count; i++) {
		const struct guest_map_entry *m = &l->req->map[i];
		const struct mb_mmap entry = {sizeof(entry) - sizeof(entry.size), m->base, m->len, (uint32_t)m->type};

		err = loader_put(l, "memory map", gpa + i * sizeof(entry), &entry, sizeof(entry));
	}
	return err;
}

static int put_info(struct loader *l, uint64_t kernel_end, uint64_t *gpa)
{
	struct mb_info info = {.flags = INFO_MEMORY | INFO_CMDLINE | INFO_MODS | INFO_MMAP | INFO_LOADER_NAME};
	uint64_t cmdline = 0, name = 0;
	int err = put_modules(l, kernel_end, &info);

	if (!err)
		err = put_map(l, &info);
	if (!err)
		err = loader_put_low_string(l, "cmdline", l->req->cmdline, &cmdline);
	if (!err)
		err = loader_put_low_string(l, "loader's name", "AvatarVt-x", &name);
	if (!err)
		err = loader_claim_highest(l, "Multiboot information", sizeof(info), 16, LOADER_LOW_BASE,
					   LOADER_LOW_END, gpa);
	if (err)
		return err;
	info.mem_lower = ram_kib_from(l->req, 0);
	if (info.mem_lower > 640)
		info.mem_lower = 640;
	info.mem_upper = ram_kib_from(l->req, MIB);
	info.cmdline = (uint32_t)cmdline;
	info.boot_loader_name = (uint32_t)name;
	return loader_put(l, "Multiboot information", *gpa, &info, sizeof(info));
}

int multiboot1_load(struct loader *l)
{
	uint64_t entry, end, info;
	int err;

	if (l->req->initrd)
		return loader_fail(l, ERR_INVAL,
				   "initrd: a Multiboot kernel takes modules instead: `module = FILE ARGS`");
	err = load_kernel(l, &entry, &end);
	if (!err)
		err = put_info(l, end, &info);
	if (err)
		return err;
	err = loader_start_protected32(l, entry);
	l->start->gpr[START_RAX] = LOADER_MAGIC;
	l->start->gpr[START_RBX] = info;
	return err;
}
