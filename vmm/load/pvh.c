/* Kernels with a PVH entry: an ELF note "Xen" of type 18 names a 32-bit entry, which finds struct hvm_start_info by EBX.
 * Follows Xen's docs/misc/pvh.pandoc and xen/include/public/arch-x86/hvm/start_info.h. */
#include "vmm/load/elf_image.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"

#define NOTE_PHYS32_ENTRY 18u
#define NOTE_HEADER_BYTES 12u
#define START_MAGIC 0x336ec578u

struct hvm_start_info {
	uint32_t magic;
	uint32_t version;
	uint32_t flags;
	uint32_t module_count;
	uint64_t modules;
	uint64_t cmdline;
	uint64_t rsdp;
	uint64_t map;
	uint32_t map_count;
	uint32_t reserved;
};
static_assert(sizeof(struct hvm_start_info) == 56, "start_info.h, version 1");

struct hvm_module {
	uint64_t gpa;
	uint64_t size;
	uint64_t cmdline;
	uint64_t reserved;
};

struct hvm_map_entry {
	uint64_t base;
	uint64_t len;
	uint32_t type; /* ACPI's numbers */
	uint32_t reserved;
};

/* One PT_NOTE segment: records of name size, description size, type, name, description, each padded to 4 bytes. */
static bool find_in_notes(const uint8_t *p, uint64_t len, uint64_t *entry)
{
	while (len >= NOTE_HEADER_BYTES) {
		uint64_t name_len = load_le32(p);
		uint64_t desc_len = load_le32(p + 4);
		uint64_t desc_at = NOTE_HEADER_BYTES + ALIGN_UP(name_len, 4ull);
		uint64_t next = desc_at + ALIGN_UP(desc_len, 4ull);

		if (desc_at + desc_len > len)
			return false;
		if (load_le32(p + 8) == NOTE_PHYS32_ENTRY && name_len == 4 &&
		    memcmp(p + NOTE_HEADER_BYTES, "Xen", 4) == 0 && (desc_len == 4 || desc_len == 8)) {
			*entry = desc_len == 8 ? load_le64(p + desc_at) : load_le32(p + desc_at);
			return true;
		}
		if (next >= len)
			return false;
		p += next;
		len -= next;
	}
	return false;
}

static bool find_entry(const struct elf_image *e, uint64_t *entry)
{
	for (unsigned i = 0; i < e->count; i++) {
		struct elf_segment s = elf_image_segment(e, i);

		if (s.type == ELF_PT_NOTE && find_in_notes(e->file + s.offset, s.file_size, entry))
			return true;
	}
	return false;
}

bool pvh_matches(const uint8_t *image, uint64_t size)
{
	const struct load_request req = {.image = image, .image_size = size};
	struct loader probe = {.req = &req};
	struct elf_image e;
	uint64_t entry;

	return elf_matches(image, size) && elf_image_parse(&probe, &e) == 0 && find_entry(&e, &entry);
}

static int put_map(struct loader *l, struct hvm_start_info *info)
{
	uint64_t gpa;
	uint64_t bytes = l->req->map_count * sizeof(struct hvm_map_entry);
	int err = loader_claim_highest(l, "memory map", bytes, 16, LOADER_LOW_BASE, LOADER_LOW_END, &gpa);

	info->map = gpa;
	info->map_count = l->req->map_count;
	for (unsigned i = 0; !err && i < l->req->map_count; i++) {
		const struct guest_map_entry *m = &l->req->map[i];
		const struct hvm_map_entry entry = {m->base, m->len, (uint32_t)m->type, 0};

		err = loader_put(l, "memory map", gpa + i * sizeof(entry), &entry, sizeof(entry));
	}
	return err;
}

static int put_initrd(struct loader *l, struct hvm_start_info *info)
{
	struct hvm_module module = {.size = l->req->initrd_size};
	int err = linux_put_initrd(l, LOADER_4G, &module.gpa);

	if (err || !module.gpa)
		return err;
	err = loader_claim_highest(l, "module list", sizeof(module), 16, LOADER_LOW_BASE, LOADER_LOW_END,
				   &info->modules);
	if (err)
		return err;
	info->module_count = 1;
	return loader_put(l, "module list", info->modules, &module, sizeof(module));
}

int pvh_load(struct loader *l)
{
	struct hvm_start_info info = {.magic = START_MAGIC, .version = 1, .rsdp = l->req->acpi_rsdp};
	struct elf_image e;
	uint64_t end, info_gpa, entry = 0;
	int err;

	if (l->req->module_count)
		return loader_fail(l, ERR_INVAL,
				   "module: a PVH kernel takes an initrd, modules are for Multiboot kernels");
	err = elf_image_parse(l, &e);
	if (!err && !find_entry(&e, &entry))
		err = loader_fail(l, ERR_FORMAT, "kernel: no PVH note");
	if (!err)
		err = elf_image_load(l, &e, &end);
	if (!err)
		err = put_map(l, &info);
	if (!err)
		err = put_initrd(l, &info);
	if (!err)
		err = loader_put_low_string(l, "cmdline", l->req->cmdline, &info.cmdline);
	if (!err)
		err = loader_claim_highest(l, "start info", sizeof(info), 16, LOADER_LOW_BASE, LOADER_LOW_END,
					   &info_gpa);
	if (!err)
		err = loader_put(l, "start info", info_gpa, &info, sizeof(info));
	if (err)
		return err;
	err = loader_start_protected32(l, entry);
	l->start->gpr[START_RBX] = info_gpa;
	return err;
}
