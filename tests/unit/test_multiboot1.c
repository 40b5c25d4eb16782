/* Multiboot 1: both ways of saying where the kernel goes, what it is told, and headers that lie. */
#include "tests/unit/load_fixture.h"

#define LOAD 0x200000u
#define TEXT 0x400u
#define HEADER_AT 0x40u
#define FILE_BYTES (HEADER_AT + TEXT)
#define BSS 0x3000u

static uint8_t k[FILE_BYTES];

static void set_flags(uint32_t flags)
{
	store_le32(k + HEADER_AT, 0x1badb002);
	store_le32(k + HEADER_AT + 4, flags);
	store_le32(k + HEADER_AT + 8, 0u - (0x1badb002u + flags));
}

/* The file is loaded from its byte 0x20 on. */
static void make_kernel(void)
{
	for (unsigned i = 0; i < FILE_BYTES; i++)
		k[i] = (uint8_t)(i * 5 + 3);
	set_flags(0x10003);
	store_le32(k + HEADER_AT + 12, LOAD + 0x20);
	store_le32(k + HEADER_AT + 16, LOAD);
	store_le32(k + HEADER_AT + 20, LOAD + FILE_BYTES - 0x20);
	store_le32(k + HEADER_AT + 24, LOAD + FILE_BYTES - 0x20 + BSS);
	store_le32(k + HEADER_AT + 28, LOAD + 0x100);
}

static int setup(void **state)
{
	make_kernel();
	return fx_setup(state);
}

static void test_addresses(void **state)
{
	const uint32_t end = LOAD + FILE_BYTES - 0x20;

	(void)state;
	assert_int_equal(guest_mem_fill(&fx_mem, LOAD, 0xee, 0x10000), 0);
	assert_int_equal(fx_load(k, sizeof(k)), 0);
	fx_protected32_is_sane();
	assert_int_equal(fx_start.rip, LOAD + 0x100);
	assert_int_equal(fx_start.gpr[START_RAX], 0x2badb002);
	assert_memory_equal(fx_at(LOAD), k + 0x20, FILE_BYTES - 0x20);
	for (unsigned i = 0; i < BSS; i++)
		assert_int_equal(*fx_at(end + i), 0);
	assert_int_equal(*fx_at(end + BSS), 0xee);
	assert_string_equal(load_kind(&(struct load_request){.image = k, .image_size = sizeof(k)}),
			    "Multiboot 1 kernel");
}

static void test_addresses_defaults(void **state)
{
	(void)state;
	store_le32(k + HEADER_AT + 20, 0); /* the whole file */
	store_le32(k + HEADER_AT + 24, 0); /* no bss */
	assert_int_equal(guest_mem_fill(&fx_mem, LOAD, 0xee, 0x10000), 0);
	assert_int_equal(fx_load(k, sizeof(k)), 0);
	assert_memory_equal(fx_at(LOAD), k + 0x20, FILE_BYTES - 0x20);
	assert_int_equal(*fx_at(LOAD + FILE_BYTES - 0x20), 0xee);
}

static void test_info(void **state)
{
	static const char one[] = "first module", two[] = "second";
	const struct load_module modules[] = {
		{one, sizeof(one), "one a=1"}, {two, sizeof(two), NULL}, {NULL, 0, "empty"}};
	const uint32_t kernel_end = LOAD + FILE_BYTES - 0x20 + BSS;
	uint64_t info, mods, map;

	(void)state;
	fx_req.cmdline = "a b c";
	fx_req.modules = modules;
	fx_req.module_count = 3;
	assert_int_equal(fx_load(k, sizeof(k)), 0);
	info = fx_start.gpr[START_RBX];
	assert_in_range(info, 0x10000, 0x9f000);
	assert_int_equal(fx_u32(info), 1 | 4 | 8 | 0x40 | 0x200);
	assert_int_equal(fx_u32(info + 4), 0x9fc00 / 1024);
	assert_int_equal(fx_u32(info + 8), (RAM_END - 0x10000) / 1024 - 1024);
	fx_string_is(fx_u32(info + 16), "a b c");
	fx_string_is(fx_u32(info + 64), "AvatarVt-x");
	assert_int_equal(fx_u32(info + 20), 3);
	mods = fx_u32(info + 24);
	assert_int_equal(fx_u32(mods), (kernel_end + 0xfff) & ~0xfffu);
	assert_int_equal(fx_u32(mods + 4), fx_u32(mods) + sizeof(one));
	fx_string_is(fx_u32(mods), one);
	fx_string_is(fx_u32(mods + 8), "one a=1");
	assert_int_equal(fx_u32(mods + 16), fx_u32(mods) + 0x1000);
	fx_string_is(fx_u32(mods + 16), two);
	fx_string_is(fx_u32(mods + 24), "");
	assert_int_equal(fx_u32(mods + 32), fx_u32(mods + 36));
	fx_string_is(fx_u32(mods + 40), "empty");
	assert_int_equal(fx_u32(info + 44), 24 * ARRAY_LEN(fx_map));
	map = fx_u32(info + 48);
	for (unsigned i = 0; i < ARRAY_LEN(fx_map); i++) {
		assert_int_equal(fx_u32(map + 24 * i), 20);
		assert_int_equal(fx_u64(map + 24 * i + 4), fx_map[i].base);
		assert_int_equal(fx_u64(map + 24 * i + 12), fx_map[i].len);
		assert_int_equal(fx_u32(map + 24 * i + 20), fx_map[i].type);
	}
}

static void test_modules_too_big(void **state)
{
	const struct load_module modules[] = {{k, RAM_END, ""}};

	(void)state;
	fx_req.modules = modules;
	fx_req.module_count = 1;
	fx_fails(k, sizeof(k), ERR_NOMEM, "module: no 32 MiB of free guest memory");
}

static void test_lies(void **state)
{
	(void)state;
#define LIE(offset, value, err, words)                                                                                 \
	do {                                                                                                           \
		make_kernel();                                                                                         \
		store_le32(k + HEADER_AT + (offset), value);                                                           \
		fx_fails(k, FILE_BYTES, err, words);                                                                   \
	} while (0)
	LIE(8, 1, ERR_FORMAT, "no Multiboot header");
	LIE(12, LOAD - 4, ERR_FORMAT, "load_addr 0x200000 does not fit header_addr 0x1ffffc at 0x40");
	LIE(12, LOAD + 0x44, ERR_FORMAT, "does not fit header_addr");
	LIE(16, 0, ERR_FORMAT, "load_addr 0x0 does not fit");
	LIE(20, LOAD + FILE_BYTES - 0x1f, ERR_TRUNC, "0x421 bytes of the file are wanted, it has 0x420");
	LIE(20, LOAD - 1, ERR_TRUNC, "load_end_addr");
	LIE(20, 0xffffffff, ERR_TRUNC, "load_end_addr 0xffffffff");
	LIE(24, LOAD + 0x20, ERR_FORMAT, "bss_end_addr 0x200020 is below");
	LIE(24, 0xffffffff, ERR_RANGE, "kernel: ");
	LIE(28, 0, ERR_RANGE, "entry 0x0 lies outside");
	LIE(28, 0xffffffff, ERR_RANGE, "entry 0xffffffff lies outside");
	make_kernel();
	set_flags(0x10008);
	fx_fails(k, FILE_BYTES, ERR_NOSUP, "flags 0x10008 ask for what is not defined");
	set_flags(0x3);
	fx_fails(k, FILE_BYTES, ERR_FORMAT, "without address fields, and the file is no ELF");
	make_kernel();
	fx_req.initrd = k;
	fx_fails(k, FILE_BYTES, ERR_INVAL, "initrd: a Multiboot kernel takes modules");
}

/* Into the VGA hole and over the loader's own reach. */
static void test_bad_places(void **state)
{
	(void)state;
	store_le32(k + HEADER_AT + 12, 0x9ff20);
	store_le32(k + HEADER_AT + 16, 0x9ff00);
	store_le32(k + HEADER_AT + 20, 0);
	store_le32(k + HEADER_AT + 24, 0);
	fx_fails(k, FILE_BYTES, ERR_RANGE, "kernel: 1 KiB at 0x9ff00 is not all inside the guest's memory");
	/* All of low RAM taken: no room for what the kernel is told. */
	store_le32(k + HEADER_AT + 12, 0x1020);
	store_le32(k + HEADER_AT + 16, 0x1000);
	store_le32(k + HEADER_AT + 24, 0x9f000);
	store_le32(k + HEADER_AT + 28, 0x1000);
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "memory map: no");
}

static void test_header_position(void **state)
{
	static uint8_t big[16384];

	(void)state;
	memset(big, 0, sizeof(big));
	/* On 4 bytes, all within the first 8 KiB. */
	memcpy(big + 8192 - 32, k + HEADER_AT, 32);
	store_le32(big + 8192 - 32 + 12, LOAD + 8192 - 32);
	store_le32(big + 8192 - 32 + 20, 0);
	store_le32(big + 8192 - 32 + 24, 0);
	assert_int_equal(fx_load(big, sizeof(big)), 0);
	memset(big, 0, sizeof(big));
	memcpy(big + 8192 - 8, k + HEADER_AT, 32);
	fx_fails(big, sizeof(big), ERR_FORMAT, "no Multiboot header");
	memset(big, 0, sizeof(big));
	memcpy(big + 66, k + HEADER_AT, 32);
	fx_fails(big, sizeof(big), ERR_FORMAT, "no Multiboot header");
}

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t n = 0; n < FILE_BYTES; n++)
		assert_int_not_equal(fx_load(k, n), 0);
}

/* An ELF file with the header in its segment: entry by virtual address. */
static void test_elf(void **state)
{
	static uint8_t elf[0x200];

	(void)state;
	memset(elf, 0, sizeof(elf));
	memcpy(elf, "\177ELF\1\1\1", 7);
	store_le16(elf + 16, 2);
	store_le16(elf + 18, 3);
	store_le32(elf + 24, 0xc0100010);
	store_le32(elf + 28, 52);
	store_le16(elf + 42, 32);
	store_le16(elf + 44, 1);
	store_le32(elf + 52, 1);
	store_le32(elf + 56, 0x80);
	store_le32(elf + 60, 0xc0100000);
	store_le32(elf + 64, 0x100000);
	store_le32(elf + 68, 0x180);
	store_le32(elf + 72, 0x1000);
	set_flags(3);
	memcpy(elf + 0x80, k + HEADER_AT, 12);
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	assert_int_equal(fx_start.rip, 0x100010);
	assert_int_equal(fx_start.gpr[START_RAX], 0x2badb002);
	assert_memory_equal(fx_at(0x100000), elf + 0x80, 0x180);
	for (size_t n = 0; n < sizeof(elf); n++)
		assert_int_not_equal(fx_load(elf, n), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_addresses_defaults, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_info, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_modules_too_big, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_bad_places, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_header_position, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_every_truncation, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_elf, setup, fx_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
