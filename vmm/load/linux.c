/* Linux bzImages, by the 64-bit boot protocol, or the 32-bit one for kernels without a 64-bit entry. Follows Linux's
 * Documentation/arch/x86/boot.rst and zero-page.rst; version 2.12 (Linux 3.8) is the oldest that says where it can go. */
#include "vmm/load/loader.h"

#include "kernel/lib/bytes.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

/* boot.rst "Details of Header Fields": offsets into the file and, from 0x1f1 on, into the zero page. */
enum {
	HDR_BEGIN = 0x1f1,
	HDR_SETUP_SECTS = 0x1f1,
	HDR_SYSSIZE = 0x1f4,
	HDR_VID_MODE = 0x1fa,
	HDR_BOOT_FLAG = 0x1fe,
	HDR_JUMP = 0x200,
	HDR_MAGIC = 0x202,
	HDR_VERSION = 0x206,
	HDR_TYPE_OF_LOADER = 0x210,
	HDR_LOADFLAGS = 0x211,
	HDR_CODE32_START = 0x214,
	HDR_RAMDISK_IMAGE = 0x218,
	HDR_RAMDISK_SIZE = 0x21c,
	HDR_CMD_LINE_PTR = 0x228,
	HDR_INITRD_ADDR_MAX = 0x22c,
	HDR_KERNEL_ALIGNMENT = 0x230,
	HDR_RELOCATABLE = 0x234,
	HDR_MIN_ALIGNMENT = 0x235,
	HDR_XLOADFLAGS = 0x236,
	HDR_CMDLINE_SIZE = 0x238,
	HDR_PAYLOAD_OFFSET = 0x248,
	HDR_PAYLOAD_LENGTH = 0x24c,
	HDR_PREF_ADDRESS = 0x258,
	HDR_INIT_SIZE = 0x260,
	HDR_END_2_12 = 0x268, /* the fields that version 2.12 has */
	HDR_END_MAX = 0x290   /* the zero page has other things from here on */
};

/* zero-page.rst */
enum {
	ZP_ACPI_RSDP = 0x070,
	ZP_E820_ENTRIES = 0x1e8,
	ZP_E820_TABLE = 0x2d0,
	ZP_E820_ENTRY_BYTES = 20,
	ZP_E820_MAX = 128
};

#define BOOT_FLAG 0xaa55u
#define MAGIC_HDRS 0x53726448u
#define OLDEST_VERSION 0x20cu
#define SECTOR 512u
#define DEFAULT_SETUP_SECTS 4u
#define LOADFLAG_LOADED_HIGH 0x01u
#define XLOADFLAG_KERNEL_64 0x0001u
#define LOADER_UNDEFINED 0xffu /* boot.rst "type_of_loader": none that has a number */
#define VID_MODE_NORMAL 0xffffu
#define ENTRY64_OFFSET 0x200u
#define LOAD_HIGH 0x100000u /* where a kernel goes that cannot be relocated */

struct linux_image {
	const uint8_t *file;
	uint64_t file_size;
	uint64_t setup_size;  /* boot sector and set-up code: bytes before the protected-mode code */
	uint64_t code_size;   /* protected-mode code */
	uint64_t header_size; /* of the set-up header, from 0x1f1 */
	uint64_t init_size;   /* memory the kernel needs before it has read its map, from where it runs */
	uint64_t pref_address;
	uint64_t alignment;
	uint64_t initrd_limit; /* the ramdisk's last byte lies below */
	uint32_t cmdline_max;  /* characters */
	bool relocatable;
	bool entry64;
};

bool linux_matches(const uint8_t *image, uint64_t size)
{
	return size >= HDR_VERSION && load_le16(image + HDR_BOOT_FLAG) == BOOT_FLAG &&
	       load_le32(image + HDR_MAGIC) == MAGIC_HDRS;
}

/* The sizes of the file's parts. */
static int parse_extent(struct loader *l, struct linux_image *k)
{
	unsigned sectors = k->file[HDR_SETUP_SECTS] ? k->file[HDR_SETUP_SECTS] : DEFAULT_SETUP_SECTS;
	uint64_t header_end;

	k->setup_size = (sectors + 1ull) * SECTOR;
	if (k->file_size < k->setup_size)
		return loader_fail(
			l, ERR_TRUNC,
			"kernel: setup_sects says %u sectors after the first, the file has %llu; is it cut off?",
			sectors, (unsigned long long)(k->file_size ? (k->file_size - 1) / SECTOR : 0));
	k->code_size = load_le32(k->file + HDR_SYSSIZE) * 16ull;
	if (k->code_size == 0)
		return loader_fail(l, ERR_FORMAT, "kernel: syssize says there is no code");
	if (k->file_size - k->setup_size < k->code_size)
		return loader_fail(
			l, ERR_TRUNC, "kernel: syssize says %llu bytes of code, the file has %llu; is it cut off?",
			(unsigned long long)k->code_size, (unsigned long long)(k->file_size - k->setup_size));
	/* boot.rst: the header ends at 0x202 plus the byte at 0x201, the operand of the short jump at 0x200. */
	header_end = HDR_MAGIC + (uint64_t)k->file[HDR_JUMP + 1];
	if (k->file[HDR_JUMP] != 0xeb || header_end < HDR_END_2_12 || header_end > HDR_END_MAX)
		return loader_fail(l, ERR_FORMAT,
				   "kernel: the set-up header ends at 0x%llx, which must be 0x%x to 0x%x",
				   (unsigned long long)header_end, HDR_END_2_12, HDR_END_MAX);
	k->header_size = header_end - HDR_BEGIN;
	return 0;
}

static int check_payload(struct loader *l, const struct linux_image *k)
{
	uint32_t offset = load_le32(k->file + HDR_PAYLOAD_OFFSET);
	uint32_t length = load_le32(k->file + HDR_PAYLOAD_LENGTH);

	if (!range_below(offset, length, k->code_size))
		return loader_fail(l, ERR_FORMAT,
				   "kernel: payload of 0x%x bytes at 0x%x lies outside the code of 0x%llx bytes",
				   length, offset, (unsigned long long)k->code_size);
	return 0;
}

static bool power_of_two(uint64_t x)
{
	return x != 0 && (x & (x - 1)) == 0;
}

/* Where the kernel may go and what it needs there. */
static int parse_placement(struct loader *l, struct linux_image *k)
{
	unsigned min_alignment = k->file[HDR_MIN_ALIGNMENT];

	k->relocatable = k->file[HDR_RELOCATABLE] != 0;
	k->alignment = load_le32(k->file + HDR_KERNEL_ALIGNMENT);
	k->pref_address = load_le64(k->file + HDR_PREF_ADDRESS);
	k->init_size = load_le32(k->file + HDR_INIT_SIZE);
	if (k->relocatable && (!power_of_two(k->alignment) || k->alignment < PAGE_SIZE || k->alignment > PAGE_SIZE_1G))
		return loader_fail(l, ERR_FORMAT,
				   "kernel: kernel_alignment 0x%llx is no power of two from 4 KiB to 1 GiB",
				   (unsigned long long)k->alignment);
	if (k->relocatable && (min_alignment > 30 || 1ull << min_alignment > k->alignment))
		return loader_fail(l, ERR_FORMAT, "kernel: min_alignment 2^%u is larger than kernel_alignment 0x%llx",
				   min_alignment, (unsigned long long)k->alignment);
	if (k->init_size < k->code_size)
		return loader_fail(l, ERR_FORMAT, "kernel: init_size 0x%llx is less than the code's 0x%llx bytes",
				   (unsigned long long)k->init_size, (unsigned long long)k->code_size);
	if (k->pref_address < LOAD_HIGH)
		return loader_fail(l, ERR_FORMAT, "kernel: pref_address 0x%llx is below 1 MiB",
				   (unsigned long long)k->pref_address);
	return 0;
}

static int parse_header(struct loader *l, struct linux_image *k)
{
	uint64_t cmdline = l->req->cmdline ? strlen(l->req->cmdline) : 0;
	unsigned version;
	int err;

	if (k->file_size < HDR_END_2_12)
		return loader_fail(l, ERR_TRUNC, "kernel: the file ends inside the set-up header; is it cut off?");
	version = load_le16(k->file + HDR_VERSION);
	if (version < OLDEST_VERSION)
		return loader_fail(l, ERR_NOSUP, "kernel: boot protocol %u.%02u, needed is 2.12 (Linux 3.8) or later",
				   version >> 8, version & 0xff);
	if (!(k->file[HDR_LOADFLAGS] & LOADFLAG_LOADED_HIGH))
		return loader_fail(
			l, ERR_NOSUP,
			"kernel: loadflags 0x%02x: a zImage that wants to be loaded low, which is not supported",
			k->file[HDR_LOADFLAGS]);
	err = parse_extent(l, k);
	if (!err)
		err = check_payload(l, k);
	if (!err)
		err = parse_placement(l, k);
	if (err)
		return err;
	k->entry64 = (load_le16(k->file + HDR_XLOADFLAGS) & XLOADFLAG_KERNEL_64) != 0;
	if (k->entry64 && k->code_size <= ENTRY64_OFFSET)
		return loader_fail(l, ERR_FORMAT, "kernel: %llu bytes of code end before the 64-bit entry",
				   (unsigned long long)k->code_size);
	/* initrd_addr_max is the last byte that may be used. */
	k->initrd_limit = (uint64_t)load_le32(k->file + HDR_INITRD_ADDR_MAX) + 1;
	k->cmdline_max = load_le32(k->file + HDR_CMDLINE_SIZE);
	if (cmdline > k->cmdline_max)
		return loader_fail(l, ERR_RANGE, "cmdline: %llu characters, this kernel takes %u",
				   (unsigned long long)cmdline, k->cmdline_max);
	return 0;
}

/* Find the place: where the kernel likes to be if that is free, the lowest aligned one otherwise. The file's code goes to
 * *load_gpa; claimed is all that the kernel needs before it has looked at its memory map. */
static int place_kernel(struct loader *l, const struct linux_image *k, uint64_t *load_gpa)
{
	int err;

	if (!k->relocatable) {
		/* It moves itself from 1 MiB to pref_address: both are needed, and may be one. */
		uint64_t end = k->pref_address + k->init_size;

		*load_gpa = LOAD_HIGH;
		if (end < k->pref_address)
			return loader_fail(l, ERR_RANGE, "kernel: pref_address 0x%llx and init_size 0x%llx wrap",
					   (unsigned long long)k->pref_address, (unsigned long long)k->init_size);
		if (LOAD_HIGH + k->code_size > k->pref_address)
			return loader_claim(l, "kernel", LOAD_HIGH, end - LOAD_HIGH);
		err = loader_claim(l, "kernel", LOAD_HIGH, k->code_size);
		return err ? err : loader_claim(l, "kernel's final place", k->pref_address, k->init_size);
	}
	*load_gpa = k->pref_address;
	if (IS_ALIGNED(k->pref_address, k->alignment) && range_below(k->pref_address, k->init_size, LOADER_4G) &&
	    loader_is_free(l, k->pref_address, k->init_size))
		return loader_claim(l, "kernel", k->pref_address, k->init_size);
	return loader_claim_lowest(l, "kernel", k->init_size, k->alignment, LOAD_HIGH, LOADER_4G, load_gpa);
}

/* An empty ramdisk is none. */
int linux_put_initrd(struct loader *l, uint64_t to, uint64_t *gpa)
{
	int err;

	*gpa = 0;
	if (!l->req->initrd || l->req->initrd_size == 0)
		return 0;
	err = loader_claim_highest(l, "initrd", l->req->initrd_size, PAGE_SIZE, LOAD_HIGH,
				   to < LOADER_4G ? to : LOADER_4G, gpa);
	return err ? err : loader_put(l, "initrd", *gpa, l->req->initrd, l->req->initrd_size);
}

static int fill_e820(struct loader *l, uint8_t *zero_page)
{
	if (l->req->map_count > ZP_E820_MAX)
		return loader_fail(l, ERR_FULL, "memory map: %u entries, the zero page takes %u", l->req->map_count,
				   (unsigned)ZP_E820_MAX);
	zero_page[ZP_E820_ENTRIES] = (uint8_t)l->req->map_count;
	for (unsigned i = 0; i < l->req->map_count; i++) {
		uint8_t *e = zero_page + ZP_E820_TABLE + i * ZP_E820_ENTRY_BYTES;

		store_le64(e, l->req->map[i].base);
		store_le64(e + 8, l->req->map[i].len);
		store_le32(e + 16, (uint32_t)l->req->map[i].type);
	}
	return 0;
}

int linux_put_zero_page(struct loader *l, const uint8_t *header, uint64_t header_len, uint64_t initrd_gpa,
			uint64_t cmdline_gpa, uint64_t *gpa)
{
	uint8_t *zp;
	int err = loader_claim_highest(l, "zero page", PAGE_SIZE, PAGE_SIZE, LOADER_LOW_BASE, LOADER_LOW_END, gpa);

	if (err)
		return err;
	zp = guest_mem_ptr(l->mem, *gpa, PAGE_SIZE);
	if (!zp)
		return loader_fail(l, ERR_RANGE, "zero page: guest memory at 0x%llx cannot be written",
				   (unsigned long long)*gpa);
	memset(zp, 0, PAGE_SIZE);
	if (header)
		memcpy(zp + HDR_BEGIN, header, header_len);
	else
		store_le32(zp + HDR_MAGIC, MAGIC_HDRS);
	store_le16(zp + HDR_BOOT_FLAG, BOOT_FLAG);
	store_le16(zp + HDR_VID_MODE, VID_MODE_NORMAL);
	zp[HDR_TYPE_OF_LOADER] = LOADER_UNDEFINED;
	zp[HDR_LOADFLAGS] |= LOADFLAG_LOADED_HIGH;
	store_le32(zp + HDR_CMD_LINE_PTR, (uint32_t)cmdline_gpa);
	store_le32(zp + HDR_RAMDISK_IMAGE, (uint32_t)initrd_gpa);
	store_le32(zp + HDR_RAMDISK_SIZE, initrd_gpa ? (uint32_t)l->req->initrd_size : 0);
	store_le64(zp + ZP_ACPI_RSDP, l->req->acpi_rsdp);
	return fill_e820(l, zp);
}

/* Everything but the kernel itself, and the start state. */
static int finish(struct loader *l, const struct linux_image *k, uint64_t load_gpa)
{
	uint64_t initrd, cmdline, zero_page;
	const uint32_t code32_start = (uint32_t)load_gpa;
	int err = linux_put_initrd(l, k->initrd_limit, &initrd);

	if (!err)
		err = loader_put_low_string(l, "cmdline", l->req->cmdline, &cmdline);
	if (!err)
		err = linux_put_zero_page(l, k->file + HDR_BEGIN, k->header_size, initrd, cmdline, &zero_page);
	if (!err)
		err = loader_put(l, "zero page", zero_page + HDR_CODE32_START, &code32_start, sizeof(code32_start));
	if (err)
		return err;
	if (k->entry64)
		err = loader_start_long64(l, load_gpa + ENTRY64_OFFSET);
	else
		err = loader_start_protected32(l, load_gpa);
	l->start->gpr[START_RSI] = zero_page;
	return err;
}

int linux_load(struct loader *l)
{
	struct linux_image k = {.file = l->req->image, .file_size = l->req->image_size};
	uint64_t load_gpa;
	int err;

	if (l->req->module_count)
		return loader_fail(l, ERR_INVAL,
				   "module: a Linux kernel takes an initrd, modules are for Multiboot kernels");
	err = parse_header(l, &k);
	if (!err)
		err = place_kernel(l, &k, &load_gpa);
	if (!err)
		err = loader_put(l, "kernel", load_gpa, k.file + k.setup_size, k.code_size);
	return err ? err : finish(l, &k, load_gpa);
}
