/* kernel/multiboot2.c: blocks that GRUB 2.06 made (tests/fuzz/corpus/multiboot2), and blocks built here, good and broken. */
#include "kernel/lib/bytes.h"
#include "kernel/lib/errors.h"
#include "kernel/multiboot2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct boot_info boot;

static uint8_t block[1 << 18];
static uint32_t block_len;

static void begin(void)
{
	memset(block, 0xee, sizeof(block));
	store_le32(block + 4, 0);
	block_len = 8;
}

/* A tag with this payload, padded to 8 with junk. */
static uint8_t *tag(uint32_t type, const void *payload, size_t len)
{
	uint8_t *t = block + block_len;

	store_le32(t, type);
	store_le32(t + 4, (uint32_t)len + 8);
	memcpy(t + 8, payload, len);
	block_len += (uint32_t)ALIGN_UP(len + 8, (size_t)8);
	return t;
}

static void tag_text(uint32_t type, const char *text)
{
	tag(type, text, strlen(text) + 1);
}

static void tag_module(uint32_t start, uint32_t end, const char *line)
{
	uint8_t payload[4096];

	store_le32(payload, start);
	store_le32(payload + 4, end);
	strcpy((char *)payload + 8, line);
	tag(3, payload, 8 + strlen(line) + 1);
}

static uint8_t *tag_map(uint32_t entry_size, size_t count)
{
	static uint8_t payload[1 << 17];

	memset(payload, 0, sizeof(payload));
	store_le32(payload, entry_size);
	for (size_t i = 0; i < count; i++) {
		store_le64(payload + 8 + i * entry_size, i * 0x100000);
		store_le64(payload + 16 + i * entry_size, 0x80000);
		store_le32(payload + 24 + i * entry_size, 1 + (uint32_t)i % 2);
	}
	return tag(6, payload, 8 + count * entry_size);
}

static void efi_descriptor(uint8_t *d, uint32_t type, uint64_t base, uint64_t pages)
{
	store_le32(d, type);
	store_le64(d + 8, base);
	store_le64(d + 24, pages);
}

/* From a copy of exactly that many bytes, so that a byte too far is noticed. */
static int parse_bytes(const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	int err;

	memcpy(copy, bytes, len);
	memset(&boot, 0x5a, sizeof(boot));
	err = multiboot2_parse(copy, len, &boot);
	memset(copy, 0xcc, len); /* the result must not point into it */
	free(copy);
	assert_true(err == 0 || (boot.why && boot.why[0]));
	return err;
}

static int end_and_parse(void)
{
	tag(0, "", 0);
	store_le32(block, block_len);
	return parse_bytes(block, block_len);
}

static size_t load(const char *name, uint8_t *buf, size_t size)
{
	char path[256];
	FILE *f;
	size_t len;

	snprintf(path, sizeof(path), "tests/fuzz/corpus/multiboot2/%s", name);
	f = fopen(path, "rb");
	if (!f)
		fail_msg("%s: run from the project's root", path);
	len = fread(buf, 1, size, f);
	fclose(f);
	return len;
}

static void check_grub_lines(void)
{
	assert_string_equal(boot.loader, "GRUB 2.06-13+deb12u2");
	assert_string_equal(boot.cmdline, "loglevel=info \"run=list; console linux\" noapicv");
	assert_int_equal(boot.module_count, 3);
	assert_string_equal(boot.modules[0].name, "avatar.conf");
	assert_string_equal(boot.modules[0].args, "");
	assert_string_equal(boot.modules[1].name, "vmlinuz");
	assert_string_equal(boot.modules[1].args, "root=/dev/ram0 \"a b\"");
	assert_string_equal(boot.modules[2].name, "");
	assert_true(boot.has_load_base);
	assert_int_equal(boot.load_base, 0x100000);
}

static void test_grub_bios(void **state)
{
	static uint8_t buf[8192];
	size_t len = load("grub_bios", buf, sizeof(buf));

	(void)state;
	assert_int_equal(multiboot2_info_bytes(buf), len);
	assert_int_equal(parse_bytes(buf, len), 0);
	check_grub_lines();
	assert_int_equal(boot.modules[0].start, 0x104000);
	assert_int_equal(boot.modules[0].end, 0x1042bc);
	assert_int_equal(boot.region_count, 7);
	assert_true(boot.regions[6].base == 0xfd00000000 && boot.regions[6].len == 0x300000000);
	assert_int_equal(boot.regions[6].type, MEM_RESERVED);
	assert_false(boot.regions_from_efi);
	assert_int_equal(boot.rsdp_bytes, 20);
	assert_memory_equal(boot.rsdp, "RSD PTR ", 8);
	assert_int_equal(checksum8(boot.rsdp, 20), 0);
	assert_true(boot.framebuffer.present);
	assert_int_equal(boot.framebuffer.type, BOOT_FB_TEXT);
	assert_int_equal(boot.framebuffer.base, 0xb8000);
	assert_int_equal(boot.framebuffer.width, 80);
	assert_int_equal(boot.framebuffer.height, 25);
	assert_int_equal(boot.framebuffer.pitch_bytes, 160);
	assert_true(boot.efi_system_table == 0);
	assert_int_equal(boot.info_bytes, len);
}

static void test_grub_ovmf(void **state)
{
	static uint8_t buf[8192];
	size_t len = load("grub_ovmf", buf, sizeof(buf));

	(void)state;
	assert_int_equal(parse_bytes(buf, len), 0);
	check_grub_lines();
	assert_int_equal(boot.modules[2].start, 0x4f000);
	assert_int_equal(boot.region_count, 18);
	assert_int_equal(boot.regions[11].type, MEM_EFI_RUNTIME);
	assert_false(boot.regions_from_efi);
	assert_int_equal(boot.rsdp_bytes, 36);
	assert_int_equal(checksum8(boot.rsdp, 36), 0);
	assert_false(boot.framebuffer.present);
	assert_int_equal(boot.efi_system_table, 0x1f5ec018);
	assert_false(boot.efi_boot_services);
}

/* The same block with tag 6 renamed to one nobody knows: the EFI map must say the same about each page. */
static void test_efi_map_alone(void **state)
{
	static uint8_t buf[8192];
	static struct memmap from_grub, from_efi;
	size_t len = load("grub_ovmf", buf, sizeof(buf));
	uint32_t at = 8;

	(void)state;
	assert_int_equal(parse_bytes(buf, len), 0);
	assert_int_equal(memmap_build(&from_grub, boot.regions, boot.region_count, NULL, 0, 40), 0);
	while (load_le32(buf + at) != 6)
		at += ALIGN_UP(load_le32(buf + at + 4), 8u);
	store_le32(buf + at, 0x1006);
	assert_int_equal(parse_bytes(buf, len), 0);
	assert_true(boot.regions_from_efi);
	assert_true(boot.region_count > 18);
	assert_int_equal(memmap_build(&from_efi, boot.regions, boot.region_count, NULL, 0, 40), 0);
	assert_int_equal(from_efi.count, from_grub.count);
	assert_memory_equal(from_efi.ranges, from_grub.ranges, from_grub.count * sizeof(from_grub.ranges[0]));
}

/* However a real block is cut off, and whatever byte of it changes, there is an answer and no bad access. */
static void test_cut_and_changed(void **state)
{
	static uint8_t buf[8192];
	size_t len = load("grub_bios", buf, sizeof(buf));

	(void)state;
	for (size_t cut = 0; cut < len; cut++)
		assert_int_equal(parse_bytes(buf, cut), ERR_TRUNC);
	for (size_t cut = 8; cut < len; cut++) {
		store_le32(buf, (uint32_t)cut); /* and the block says so itself */
		assert_int_not_equal(parse_bytes(buf, cut), 0);
	}
	store_le32(buf, (uint32_t)len);
	for (size_t at = 0; at < len; at++) {
		uint8_t old = buf[at];

		for (unsigned bit = 0; bit < 8; bit++) {
			buf[at] = (uint8_t)(old ^ 1u << bit);
			(void)!parse_bytes(buf, len);
		}
		buf[at] = old;
	}
}

static void test_least(void **state)
{
	(void)state;
	begin();
	tag_map(24, 1);
	assert_int_equal(end_and_parse(), 0);
	assert_int_equal(boot.region_count, 1);
	assert_string_equal(boot.cmdline, "");
	assert_string_equal(boot.loader, "");
	assert_int_equal(boot.module_count, 0);
	assert_int_equal(boot.rsdp_bytes, 0);
	assert_false(boot.framebuffer.present);
	assert_false(boot.has_load_base);
	begin();
	assert_int_equal(end_and_parse(), ERR_NOENT);
	begin();
	tag_map(24, 0);
	assert_int_equal(end_and_parse(), ERR_NOENT);
}

static void test_block_sizes(void **state)
{
	uint8_t header[16] = {0};

	(void)state;
	store_le32(header, 8);
	assert_int_equal(parse_bytes(header, 16), ERR_FORMAT);
	store_le32(header, 0);
	assert_int_equal(parse_bytes(header, 16), ERR_FORMAT);
	store_le32(header, UINT32_MAX);
	assert_int_equal(parse_bytes(header, 16), ERR_FORMAT);
	store_le32(header, 24);
	assert_int_equal(parse_bytes(header, 16), ERR_TRUNC);
	assert_int_equal(boot.why_value, 24);
}

static void test_tag_sizes(void **state)
{
	static const uint32_t bad[] = {0, 1, 7, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin();
		tag_map(24, 1);
		store_le32(tag(99, "payload", 8) + 4, bad[i]);
		assert_int_equal(end_and_parse(), bad[i] < 8 ? ERR_FORMAT : ERR_TRUNC);
		assert_int_equal(boot.why_value, 48);
	}
	begin();
	tag_map(24, 1);
	tag(99, "odd", 3); /* 11 bytes; the next tag begins at 16 */
	tag_text(1, "seen");
	assert_int_equal(end_and_parse(), 0);
	assert_string_equal(boot.cmdline, "seen");
}

static void test_no_end_tag(void **state)
{
	(void)state;
	begin();
	tag_map(24, 1);
	store_le32(block, block_len);
	assert_int_equal(parse_bytes(block, block_len), ERR_TRUNC);
	/* A last tag whose padding would lie outside. */
	tag(99, "abc", 3);
	store_le32(block, block_len - 5);
	assert_int_equal(parse_bytes(block, block_len - 5), ERR_TRUNC);
}

static void test_strings(void **state)
{
	static const uint32_t types[] = {1, 2};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		begin();
		tag_map(24, 1);
		tag(types[i], "open", 4);
		assert_int_equal(end_and_parse(), ERR_FORMAT);
		begin();
		tag_map(24, 1);
		tag(types[i], "", 0);
		assert_int_equal(end_and_parse(), ERR_FORMAT);
	}
	begin();
	tag_map(24, 1);
	tag(3, "\0\0\1\0\0\0\2\0open", 12);
	assert_int_equal(end_and_parse(), ERR_FORMAT);
	begin();
	tag_map(24, 1);
	tag(3, "\0\0\1\0", 4);
	assert_int_equal(end_and_parse(), ERR_FORMAT);
}

static void test_module_lines(void **state)
{
	(void)state;
	begin();
	tag_map(24, 1);
	tag_module(0x1000, 0x1000, "empty");
	tag_module(0, UINT32_MAX, "  \"my disk\"   a=1  b ");
	tag_module(0x3000, 0x3001, "name\ttab");
	assert_int_equal(end_and_parse(), 0);
	assert_int_equal(boot.module_count, 3);
	assert_true(boot.modules[0].start == 0x1000 && boot.modules[0].end == 0x1000);
	assert_true(boot.modules[1].end == UINT32_MAX);
	assert_string_equal(boot.modules[1].name, "my disk");
	assert_string_equal(boot.modules[1].args, "a=1  b ");
	assert_string_equal(boot.modules[2].name, "name");
	assert_string_equal(boot.modules[2].args, "tab");
}

static void test_bad_modules(void **state)
{
	(void)state;
	begin();
	tag_map(24, 1);
	tag_module(0x2000, 0x1fff, "x");
	assert_int_equal(end_and_parse(), ERR_RANGE);
	assert_int_equal(boot.why_value, 0x2000);
	begin();
	tag_map(24, 1);
	tag_module(0x2000, 0x3000, "\"open");
	assert_int_equal(end_and_parse(), ERR_FORMAT);
	for (size_t count = MULTIBOOT2_MAX_MODULES; count <= MULTIBOOT2_MAX_MODULES + 1; count++) {
		begin();
		tag_map(24, 1);
		for (size_t i = 0; i < count; i++)
			tag_module(0x2000, 0x3000, "m");
		assert_int_equal(end_and_parse(), count > MULTIBOOT2_MAX_MODULES ? ERR_FULL : 0);
		assert_int_equal(boot.module_count, MULTIBOOT2_MAX_MODULES);
	}
}

static void test_text_limit(void **state)
{
	static char text[MULTIBOOT2_TEXT_BYTES + 1];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	begin();
	tag_map(24, 1);
	tag_text(1, text);
	assert_int_equal(end_and_parse(), ERR_FULL);
	text[MULTIBOOT2_TEXT_BYTES - 1] = '\0';
	begin();
	tag_map(24, 1);
	tag_text(1, text);
	assert_int_equal(end_and_parse(), 0);
	assert_string_equal(boot.cmdline, text);
	begin();
	tag_map(24, 1);
	tag_text(1, text);
	tag_text(2, "");
	assert_int_equal(end_and_parse(), ERR_FULL);
	begin();
	tag_map(24, 1);
	tag_text(1, text);
	tag_module(0, 0, "");
	assert_int_equal(end_and_parse(), ERR_FULL);
}

static void test_map_entries(void **state)
{
	static const uint32_t bad[] = {0, 1, 16, 20, 23, 25, 28, 0xfffffffc};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		begin();
		store_le32(tag_map(24, 2) + 8, bad[i]);
		assert_int_equal(end_and_parse(), ERR_FORMAT);
		assert_true(boot.why_value == bad[i]);
	}
	begin();
	tag_map(40, 3); /* longer entries of some later version */
	assert_int_equal(end_and_parse(), 0);
	assert_int_equal(boot.region_count, 3);
	assert_int_equal(boot.regions[2].base, 0x200000);
	begin();
	store_le32(tag_map(24, 2) + 4, 16 + 24 + 8);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
	begin();
	store_le32(tag_map(24, 2) + 8, 0xfffffff8);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
	begin();
	tag(6, "\x18\0\0\0", 4);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
	begin();
	tag_map(24, MULTIBOOT2_MAX_REGIONS);
	assert_int_equal(end_and_parse(), 0);
	assert_int_equal(boot.region_count, MULTIBOOT2_MAX_REGIONS);
	begin();
	tag_map(24, MULTIBOOT2_MAX_REGIONS + 1);
	assert_int_equal(end_and_parse(), ERR_FULL);
}

static void test_efi_types(void **state)
{
	/* UEFI 2.10 table 7.6, type 0 on; the last two do not exist. */
	static const uint32_t want[] = {2, 1, 1, 1, 1, 20, 20, 1, 5, 3, 4, 2, 2, 2, 7, 2, 2};
	uint8_t payload[8 + 48 * 17] = {0};

	(void)state;
	store_le32(payload, 48);
	store_le32(payload + 4, 1);
	for (uint32_t i = 0; i < 17; i++)
		efi_descriptor(payload + 8 + 48 * i, i, i * 0x10000, i + 1);
	begin();
	tag(17, payload, sizeof(payload));
	assert_int_equal(end_and_parse(), 0);
	assert_true(boot.regions_from_efi);
	assert_int_equal(boot.region_count, 17);
	for (uint32_t i = 0; i < 17; i++) {
		assert_int_equal(boot.regions[i].type, want[i]);
		assert_true(boot.regions[i].base == i * 0x10000 && boot.regions[i].len == (i + 1) * 0x1000);
	}
	begin();
	tag(17, payload, sizeof(payload));
	tag(18, "", 0); /* boot services still run: their memory is theirs */
	assert_int_equal(end_and_parse(), 0);
	assert_true(boot.efi_boot_services);
	assert_int_equal(boot.regions[3].type, MEM_RESERVED);
	assert_int_equal(boot.regions[4].type, MEM_RESERVED);
	assert_int_equal(boot.regions[7].type, MEM_RAM);
}

static void test_bad_efi_map(void **state)
{
	uint8_t payload[8 + 48] = {0};

	(void)state;
	efi_descriptor(payload + 8, 7, 0, 1ull << 52);
	store_le32(payload, 48);
	begin();
	tag(17, payload, sizeof(payload));
	assert_int_equal(end_and_parse(), ERR_RANGE);
	efi_descriptor(payload + 8, 7, 0, 1);
	for (uint32_t size = 0; size < 48; size++) {
		store_le32(payload, size);
		begin();
		tag(17, payload, sizeof(payload));
		assert_int_equal(end_and_parse(), size == 40 ? ERR_TRUNC : ERR_FORMAT);
	}
	begin();
	tag(17, payload, 4);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
	begin();
	tag(17, payload, 4);
	tag_map(24, 1); /* with a map of the other kind nobody looks at it */
	assert_int_equal(end_and_parse(), 0);
}

static void test_rsdp_order(void **state)
{
	uint8_t old[20] = "old", new[36] = "new";

	(void)state;
	for (unsigned new_first = 0; new_first < 2; new_first++) {
		begin();
		tag_map(24, 1);
		if (new_first)
			tag(15, new, 36);
		tag(14, old, 20);
		if (!new_first)
			tag(15, new, 36);
		assert_int_equal(end_and_parse(), 0);
		assert_int_equal(boot.rsdp_bytes, 36);
		assert_memory_equal(boot.rsdp, new, 36);
	}
	begin();
	tag_map(24, 1);
	tag(14, old, 19);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
	begin();
	tag_map(24, 1);
	tag(15, new, 35);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
}

static void framebuffer_payload(uint8_t p[32], uint64_t base, uint32_t pitch, uint32_t width, uint32_t height)
{
	memset(p, 0, 32);
	store_le64(p, base);
	store_le32(p + 8, pitch);
	store_le32(p + 12, width);
	store_le32(p + 16, height);
	p[20] = 32;
	p[21] = BOOT_FB_RGB;
	memcpy(p + 24, "\x10\x08\x08\x08\x00\x08", 6);
}

static bool framebuffer_accepted(const uint8_t *payload, size_t len)
{
	begin();
	tag_map(24, 1);
	tag(8, payload, len);
	assert_int_equal(end_and_parse(), 0);
	return boot.framebuffer.present;
}

static void test_framebuffer(void **state)
{
	uint8_t p[32];

	(void)state;
	framebuffer_payload(p, 0xc0000000, 4096, 1024, 768);
	assert_true(framebuffer_accepted(p, 30));
	assert_int_equal(boot.framebuffer.base, 0xc0000000);
	assert_int_equal(boot.framebuffer.bits_per_pixel, 32);
	assert_int_equal(boot.framebuffer.red.shift, 16);
	assert_int_equal(boot.framebuffer.green.shift, 8);
	assert_int_equal(boot.framebuffer.blue.bits, 8);
	assert_false(framebuffer_accepted(p, 29)); /* colour fields cut off */
	assert_false(framebuffer_accepted(p, 20));
	framebuffer_payload(p, 0xc0000000, 4095, 1024, 768); /* lines shorter than their pixels */
	assert_false(framebuffer_accepted(p, 30));
	framebuffer_payload(p, 0, 4096, 1024, 768);
	assert_false(framebuffer_accepted(p, 30));
	framebuffer_payload(p, 0xc0000000, 4096, 0, 768);
	assert_false(framebuffer_accepted(p, 30));
	framebuffer_payload(p, 0xc0000000, 4096, 1024, 0);
	assert_false(framebuffer_accepted(p, 30));
	framebuffer_payload(p, UINT64_MAX - 0xfff, UINT32_MAX, 1024, UINT32_MAX);
	assert_false(framebuffer_accepted(p, 30));
}

static void test_efi_pointers(void **state)
{
	uint8_t p[8];

	(void)state;
	store_le64(p, 0x123456789abcdef0);
	begin();
	tag_map(24, 1);
	tag(11, p, 4);
	assert_int_equal(end_and_parse(), 0);
	assert_int_equal(boot.efi_system_table, 0x9abcdef0);
	begin();
	tag_map(24, 1);
	tag(12, p, 8);
	assert_int_equal(end_and_parse(), 0);
	assert_true(boot.efi_system_table == 0x123456789abcdef0);
	begin();
	tag_map(24, 1);
	tag(12, p, 7);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
	begin();
	tag_map(24, 1);
	tag(21, p, 3);
	assert_int_equal(end_and_parse(), ERR_TRUNC);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_grub_bios),     cmocka_unit_test(test_grub_ovmf),
		cmocka_unit_test(test_efi_map_alone), cmocka_unit_test(test_cut_and_changed),
		cmocka_unit_test(test_least),         cmocka_unit_test(test_block_sizes),
		cmocka_unit_test(test_tag_sizes),     cmocka_unit_test(test_no_end_tag),
		cmocka_unit_test(test_strings),       cmocka_unit_test(test_module_lines),
		cmocka_unit_test(test_bad_modules),   cmocka_unit_test(test_text_limit),
		cmocka_unit_test(test_map_entries),   cmocka_unit_test(test_efi_types),
		cmocka_unit_test(test_bad_efi_map),   cmocka_unit_test(test_rsdp_order),
		cmocka_unit_test(test_framebuffer),   cmocka_unit_test(test_efi_pointers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
