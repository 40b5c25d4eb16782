/* Parses the information block of "Multiboot2 Specification" 2.0, section 3.6 "Boot information format". The block comes
 * from the loader and is not trusted: each step is bounded by total_size, each tag by its own size, each string by its
 * tag. Pure: a function of (bytes, length), and the result keeps no pointer into the bytes. */
#include "kernel/multiboot2.h"
#include "kernel/bootline.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

enum tag_type {
	TAG_END = 0,
	TAG_CMDLINE = 1,
	TAG_LOADER_NAME = 2,
	TAG_MODULE = 3,
	TAG_MEMORY_MAP = 6,
	TAG_FRAMEBUFFER = 8,
	TAG_EFI32_SYSTEM_TABLE = 11,
	TAG_EFI64_SYSTEM_TABLE = 12,
	TAG_RSDP_OLD = 14,
	TAG_RSDP_NEW = 15,
	TAG_EFI_MEMORY_MAP = 17,
	TAG_EFI_BOOT_SERVICES = 18,
	TAG_LOAD_BASE = 21
};

enum {
	INFO_HEADER_BYTES = 8, /* total_size, reserved */
	TAG_HEADER_BYTES = 8,  /* type, size */
	TAG_ALIGN = 8,
	RSDP_OLD_BYTES = 20,
	RSDP_NEW_BYTES = 36
};

/* UEFI "EFI_MEMORY_DESCRIPTOR" (7.2, GetMemoryMap) */
enum { EFI_DESC_TYPE = 0, EFI_DESC_BASE = 8, EFI_DESC_PAGES = 24, EFI_DESC_MIN_BYTES = 40 };

enum efi_memory_type {
	EFI_LOADER_CODE = 1,
	EFI_LOADER_DATA = 2,
	EFI_BOOT_SERVICES_CODE = 3,
	EFI_BOOT_SERVICES_DATA = 4,
	EFI_RUNTIME_CODE = 5,
	EFI_RUNTIME_DATA = 6,
	EFI_CONVENTIONAL = 7,
	EFI_UNUSABLE = 8,
	EFI_ACPI_RECLAIM = 9,
	EFI_ACPI_NVS = 10,
	EFI_PERSISTENT = 14
};

/* One tag: its bytes and how many, header included. */
struct tag {
	const uint8_t *bytes;
	uint32_t type;
	uint32_t size;
};

static int fail(struct boot_info *out, int err, const char *why, uint64_t value)
{
	out->why = why;
	out->why_value = value;
	return err;
}

static int need_size(struct boot_info *out, const struct tag *t, uint32_t size, const char *why)
{
	return t->size < size ? fail(out, ERR_TRUNC, why, t->size) : 0;
}

/* Copy a terminated string that fits into what is left of text[]. */
static int keep_text(struct boot_info *out, const char *s, const char **kept)
{
	char *copy = out->text + out->text_used;

	if (str_copy(copy, s, sizeof(out->text) - out->text_used) != 0)
		return fail(out, ERR_FULL, "the strings of the boot loader are too long", sizeof(out->text));
	out->text_used += strlen(copy) + 1;
	*kept = copy;
	return 0;
}

/* The string that fills a tag from offset on; it must end inside. */
static int tag_string(struct boot_info *out, const struct tag *t, uint32_t offset, const char **s)
{
	if (t->size <= offset || !memchr(t->bytes + offset, '\0', t->size - offset))
		return fail(out, ERR_FORMAT, "a string of the boot loader has no end; tag type", t->type);
	*s = (const char *)t->bytes + offset;
	return 0;
}

static int parse_string(struct boot_info *out, const struct tag *t, const char **kept)
{
	const char *s;
	int err = tag_string(out, t, TAG_HEADER_BYTES, &s);

	return err ? err : keep_text(out, s, kept);
}

/* The first word, resolved as in the boot line, goes to name, the rest, as it stands, to args. */
static int split_module_line(struct boot_info *out, const char *line, struct boot_module *m)
{
	char *word = out->text + out->text_used;
	int len = bootline_next_word(&line, word, sizeof(out->text) - out->text_used);

	if (len == ERR_FULL)
		return fail(out, ERR_FULL, "the strings of the boot loader are too long", sizeof(out->text));
	if (len < 0)
		return fail(out, len, "a module's line has a quote that is not closed; module", out->module_count);
	m->name = word;
	out->text_used += (size_t)len + 1;
	return keep_text(out, line, &m->args);
}

/* mod_start u32, mod_end u32, string */
static int parse_module(struct boot_info *out, const struct tag *t)
{
	struct boot_module *m;
	const char *line;
	int err = tag_string(out, t, 16, &line);

	if (err)
		return err;
	if (out->module_count == MULTIBOOT2_MAX_MODULES)
		return fail(out, ERR_FULL, "more modules than this program can take", MULTIBOOT2_MAX_MODULES);
	m = &out->modules[out->module_count];
	m->start = load_le32(t->bytes + 8);
	m->end = load_le32(t->bytes + 12);
	if (m->end < m->start)
		return fail(out, ERR_RANGE, "a module ends before it begins; start", m->start);
	err = split_module_line(out, line, m);
	if (!err)
		out->module_count++;
	return err;
}

static int add_region(struct boot_info *out, uint64_t base, uint64_t len, uint32_t type)
{
	if (out->region_count == MULTIBOOT2_MAX_REGIONS)
		return fail(out, ERR_FULL, "the memory map has more entries than this program can take",
			    MULTIBOOT2_MAX_REGIONS);
	out->regions[out->region_count++] = (struct mem_region){.base = base, .len = len, .type = type};
	return 0;
}

/* entry_size u32, entry_version u32, then entries: base u64, len u64, type u32, reserved u32 */
static int parse_memory_map(struct boot_info *out, const struct tag *t)
{
	int err = need_size(out, t, 16, "the memory map is cut off; bytes");
	uint32_t step;

	if (err)
		return err;
	step = load_le32(t->bytes + 8);
	if (step < 24 || step % 8 != 0)
		return fail(out, ERR_FORMAT, "the memory map's entries have an impossible size", step);
	for (uint32_t at = 16; at < t->size && !err; at += step) {
		const uint8_t *e = t->bytes + at;

		if (t->size - at < step)
			return fail(out, ERR_TRUNC, "the memory map's last entry is cut off; bytes", t->size - at);
		err = add_region(out, load_le64(e), load_le64(e + 8), load_le32(e + 16));
	}
	return err;
}

static uint32_t type_from_efi(uint32_t efi_type, bool boot_services)
{
	switch (efi_type) {
	case EFI_BOOT_SERVICES_CODE:
	case EFI_BOOT_SERVICES_DATA:
		return boot_services ? MEM_RESERVED : MEM_RAM;
	case EFI_LOADER_CODE:
	case EFI_LOADER_DATA:
	case EFI_CONVENTIONAL:
		return MEM_RAM;
	case EFI_RUNTIME_CODE:
	case EFI_RUNTIME_DATA:
		return MEM_EFI_RUNTIME;
	case EFI_UNUSABLE:
		return MEM_BAD;
	case EFI_ACPI_RECLAIM:
		return MEM_ACPI_TABLES;
	case EFI_ACPI_NVS:
		return MEM_ACPI_NVS;
	case EFI_PERSISTENT:
		return MEM_PERSISTENT;
	default:
		return MEM_RESERVED;
	}
}

/* descriptor_size u32, descriptor_version u32, then UEFI memory descriptors */
static int parse_efi_map(struct boot_info *out, const struct tag *t)
{
	int err = need_size(out, t, 16, "the EFI memory map is cut off; bytes");
	uint32_t step;

	if (err)
		return err;
	step = load_le32(t->bytes + 8);
	if (step < EFI_DESC_MIN_BYTES || step % 8 != 0)
		return fail(out, ERR_FORMAT, "the EFI memory map's entries have an impossible size", step);
	for (uint32_t at = 16; at < t->size && !err; at += step) {
		const uint8_t *d = t->bytes + at;
		uint64_t pages;
		uint32_t type;

		if (t->size - at < step)
			return fail(out, ERR_TRUNC, "the EFI memory map's last entry is cut off; bytes", t->size - at);
		pages = load_le64(d + EFI_DESC_PAGES);
		if (pages > UINT64_MAX >> PAGE_SHIFT)
			return fail(out, ERR_RANGE, "an EFI memory map entry is longer than memory; pages", pages);
		type = type_from_efi(load_le32(d + EFI_DESC_TYPE), out->efi_boot_services);
		err = add_region(out, load_le64(d + EFI_DESC_BASE), pages << PAGE_SHIFT, type);
	}
	out->regions_from_efi = true;
	return err;
}

/* addr u64, pitch u32, width u32, height u32, bpp u8, type u8, reserved u16, for RGB six bytes of colour fields.
 * A framebuffer that makes no sense is one we do without. */
static void parse_framebuffer(struct boot_info *out, const struct tag *t)
{
	struct boot_framebuffer fb = {.present = true};
	uint64_t line_bits;

	if (t->size < 32)
		return;
	fb.base = load_le64(t->bytes + 8);
	fb.pitch_bytes = load_le32(t->bytes + 16);
	fb.width = load_le32(t->bytes + 20);
	fb.height = load_le32(t->bytes + 24);
	fb.bits_per_pixel = t->bytes[28];
	fb.type = t->bytes[29];
	if (fb.type == BOOT_FB_RGB) {
		if (t->size < 38)
			return;
		fb.red = (struct boot_color){t->bytes[32], t->bytes[33]};
		fb.green = (struct boot_color){t->bytes[34], t->bytes[35]};
		fb.blue = (struct boot_color){t->bytes[36], t->bytes[37]};
	}
	/* For text, bpp counts the bits of a character cell, or is 0. */
	line_bits = (uint64_t)fb.width * (fb.type == BOOT_FB_TEXT ? 16 : fb.bits_per_pixel);
	if (fb.base == 0 || fb.width == 0 || fb.height == 0 || (uint64_t)fb.pitch_bytes * 8 < line_bits)
		return;
	if (range_wraps(fb.base, (uint64_t)fb.pitch_bytes * fb.height))
		return;
	out->framebuffer = fb;
}

/* The new one (ACPI 2.0 and later) is preferred to the old, in whatever order they come. */
static int parse_rsdp(struct boot_info *out, const struct tag *t, uint32_t bytes)
{
	int err = need_size(out, t, TAG_HEADER_BYTES + bytes, "the ACPI root pointer is cut off; bytes");

	if (err || out->rsdp_bytes >= bytes)
		return err;
	memcpy(out->rsdp, t->bytes + TAG_HEADER_BYTES, bytes);
	out->rsdp_bytes = bytes;
	return 0;
}

static int parse_pointer(struct boot_info *out, const struct tag *t, uint32_t bytes, uint64_t *value)
{
	int err = need_size(out, t, TAG_HEADER_BYTES + bytes, "an address of the boot loader is cut off; bytes");

	if (!err)
		*value = bytes == 8 ? load_le64(t->bytes + 8) : load_le32(t->bytes + 8);
	return err;
}

/* The tags that stand for themselves. A type we do not know is not an error: the specification grows. */
static int parse_tag(struct boot_info *out, const struct tag *t)
{
	switch (t->type) {
	case TAG_CMDLINE:
		return parse_string(out, t, &out->cmdline);
	case TAG_LOADER_NAME:
		return parse_string(out, t, &out->loader);
	case TAG_MODULE:
		return parse_module(out, t);
	case TAG_MEMORY_MAP:
		return parse_memory_map(out, t);
	case TAG_FRAMEBUFFER:
		parse_framebuffer(out, t);
		return 0;
	case TAG_EFI32_SYSTEM_TABLE:
		return parse_pointer(out, t, 4, &out->efi_system_table);
	case TAG_EFI64_SYSTEM_TABLE:
		return parse_pointer(out, t, 8, &out->efi_system_table);
	case TAG_RSDP_OLD:
		return parse_rsdp(out, t, RSDP_OLD_BYTES);
	case TAG_RSDP_NEW:
		return parse_rsdp(out, t, RSDP_NEW_BYTES);
	case TAG_EFI_BOOT_SERVICES:
		out->efi_boot_services = true;
		return 0;
	case TAG_LOAD_BASE:
		out->has_load_base = true;
		return parse_pointer(out, t, 4, &out->load_base);
	default:
		return 0;
	}
}

/* The tag at offset `at`, checked against the end of the block. */
static int read_tag(struct boot_info *out, const uint8_t *info, uint32_t total, uint32_t at, struct tag *t)
{
	if (at > total || total - at < TAG_HEADER_BYTES)
		return fail(out, ERR_TRUNC, "the boot information has no end tag; bytes", total);
	t->bytes = info + at;
	t->type = load_le32(t->bytes);
	t->size = load_le32(t->bytes + 4);
	if (t->size < TAG_HEADER_BYTES)
		return fail(out, ERR_FORMAT, "a boot information tag is shorter than its header; at offset", at);
	if (t->size > total - at)
		return fail(out, ERR_TRUNC, "a boot information tag goes beyond the end; at offset", at);
	return 0;
}

/* The bytes a block says it has.
 * info: 8 bytes readable.  Returns the number, not checked.  Context: any. */
uint64_t multiboot2_info_bytes(const void *info)
{
	return load_le32(info);
}

/* Read the information block.
 * info: as the loader left it; size: bytes that can be read there, at least as many as the block says it has.
 * out: filled from nothing; big, so not on a stack.
 * Returns 0, and out is complete: at least one memory region, strings never NULL. Else out->why and why_value say what is
 * wrong: ERR_TRUNC (ends too early), ERR_FORMAT (breaks the specification), ERR_RANGE, ERR_FULL (more than our tables
 * hold), ERR_NOENT (no memory map); out then has what came before.
 * Context: any, pure.   Source: Multiboot2 "Boot information format". */
int multiboot2_parse(const void *info, size_t size, struct boot_info *out)
{
	struct tag efi_map = {0};
	struct tag t = {0};
	uint32_t total;
	int err = 0;

	memset(out, 0, sizeof(*out));
	out->loader = "";
	out->cmdline = "";
	if (size < INFO_HEADER_BYTES)
		return fail(out, ERR_TRUNC, "the boot information is cut off; bytes", size);
	total = load_le32(info);
	if (total < INFO_HEADER_BYTES + TAG_HEADER_BYTES || total > MULTIBOOT2_MAX_BYTES)
		return fail(out, ERR_FORMAT, "the boot information has an impossible size", total);
	if (total > size)
		return fail(out, ERR_TRUNC, "the boot information is longer than what can be read of it; bytes", total);
	out->info_bytes = total;
	for (uint32_t at = INFO_HEADER_BYTES; !err; at += ALIGN_UP(t.size, TAG_ALIGN)) {
		err = read_tag(out, info, total, at, &t);
		if (err || t.type == TAG_END)
			break;
		if (t.type == TAG_EFI_MEMORY_MAP)
			efi_map = t; /* for later: only if there is no other, and tag 18 may still come */
		else
			err = parse_tag(out, &t);
	}
	if (!err && out->region_count == 0 && efi_map.bytes)
		err = parse_efi_map(out, &efi_map);
	if (!err && out->region_count == 0)
		err = fail(out, ERR_NOENT, "the boot loader gave no memory map", 0);
	return err;
}
