/* bzImages: what a good one gets, every field that may lie, every length a file may be cut to. */
#include "tests/unit/load_fixture.h"

#define SETUP_SECTS 2u
#define CODE_AT ((SETUP_SECTS + 1) * 512)
#define CODE_BYTES 0x800u
#define FILE_BYTES (CODE_AT + CODE_BYTES)
#define INIT_SIZE 0x300000u
#define PREF 0x1000000u

static uint8_t k[FILE_BYTES + 64]; /* a signature may follow */
static char initrd[10000];

static void make_kernel(void)
{
	memset(k, 0, sizeof(k));
	for (unsigned i = 0; i < CODE_BYTES; i++)
		k[CODE_AT + i] = (uint8_t)(i * 7 + 1);
	k[0x1f1] = SETUP_SECTS;
	store_le32(k + 0x1f4, CODE_BYTES / 16);
	store_le16(k + 0x1fe, 0xaa55);
	k[0x200] = 0xeb;
	k[0x201] = 0x26c - 0x202;
	store_le32(k + 0x202, 0x53726448);
	store_le16(k + 0x206, 0x20f);
	k[0x211] = 1;
	store_le32(k + 0x214, 0x100000);
	store_le32(k + 0x22c, 0x7fffffff);
	store_le32(k + 0x230, 0x200000);
	k[0x234] = 1;
	k[0x235] = 21;
	store_le16(k + 0x236, 0x3f);
	store_le32(k + 0x238, 2047);
	store_le32(k + 0x248, 0x100);
	store_le32(k + 0x24c, 0x200);
	store_le64(k + 0x258, PREF);
	store_le32(k + 0x260, INIT_SIZE);
}

static int setup(void **state)
{
	make_kernel();
	memset(initrd, 'i', sizeof(initrd));
	return fx_setup(state);
}

static void test_64bit(void **state)
{
	uint64_t zp, ramdisk;

	(void)state;
	fx_req.cmdline = "console=ttyS0";
	fx_req.initrd = initrd;
	fx_req.initrd_size = sizeof(initrd);
	assert_int_equal(fx_load(k, sizeof(k)), 0);
	assert_string_equal(load_kind(&(struct load_request){.image = k, .image_size = sizeof(k)}), "Linux bzImage");
	fx_long64_is_sane();
	assert_int_equal(fx_start.rip, PREF + 0x200);
	assert_memory_equal(fx_at(PREF), k + CODE_AT, CODE_BYTES);
	zp = fx_start.gpr[START_RSI];
	for (unsigned i = 0; i < START_GPR_COUNT; i++)
		if (i != START_RSI)
			assert_int_equal(fx_start.gpr[i], 0);

	/* The zero page: nothing from before the header, the header, our answers. */
	for (unsigned i = 0; i < 0x1f1; i++)
		if (i != 0x1e8 && (i < 0x70 || i >= 0x78))
			assert_int_equal(*fx_at(zp + i), 0);
	assert_int_equal(fx_u64(zp + 0x70), 0xf0010);
	assert_int_equal(fx_u32(zp + 0x202), 0x53726448);
	assert_int_equal(fx_u32(zp + 0x260), INIT_SIZE);
	assert_int_equal(*fx_at(zp + 0x210), 0xff);
	assert_int_equal(*fx_at(zp + 0x211) & 1, 1);
	assert_int_equal(fx_u32(zp + 0x214), PREF);
	assert_int_equal(fx_u32(zp + 0x26c), 0);
	fx_string_is(fx_u32(zp + 0x228), "console=ttyS0");
	ramdisk = fx_u32(zp + 0x218);
	assert_int_equal(fx_u32(zp + 0x21c), sizeof(initrd));
	assert_memory_equal(fx_at(ramdisk), initrd, sizeof(initrd));
	/* As high as RAM in the map allows, on a page. */
	assert_int_equal(ramdisk, (RAM_END - 0x10000 - sizeof(initrd)) & ~0xfffull);
	assert_int_equal(*fx_at(zp + 0x1e8), ARRAY_LEN(fx_map));
	for (unsigned i = 0; i < ARRAY_LEN(fx_map); i++) {
		assert_int_equal(fx_u64(zp + 0x2d0 + 20 * i), fx_map[i].base);
		assert_int_equal(fx_u64(zp + 0x2d0 + 20 * i + 8), fx_map[i].len);
		assert_int_equal(fx_u32(zp + 0x2d0 + 20 * i + 16), fx_map[i].type);
	}
	/* All our own pieces in low RAM, apart from each other and from what is not RAM. */
	assert_in_range(zp, 0x10000, 0x9f000 - 4096);
	assert_in_range(fx_start.cr3, 0x10000, 0x9f000 - 6 * 4096);
	assert_true(zp + 4096 <= fx_start.cr3 || fx_start.cr3 + 6 * 4096 <= zp);
}

static void test_32bit(void **state)
{
	(void)state;
	store_le16(k + 0x236, 0);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	fx_protected32_is_sane();
	assert_int_equal(fx_start.rip, PREF);
	fx_string_is(fx_u32(fx_start.gpr[START_RSI] + 0x228), "");
	assert_int_equal(fx_u32(fx_start.gpr[START_RSI] + 0x218), 0);
	assert_int_equal(fx_u32(fx_start.gpr[START_RSI] + 0x21c), 0);
}

static void test_placement(void **state)
{
	(void)state;
	/* The preferred place is not RAM: the lowest aligned one. */
	store_le64(k + 0x258, 0x40000000);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	assert_int_equal(fx_start.rip, 0x200000 + 0x200);
	/* It reaches into the ACPI tables at the end. */
	store_le64(k + 0x258, RAM_END - INIT_SIZE);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	assert_int_equal(fx_start.rip, 0x200000 + 0x200);
	/* It is not aligned. */
	store_le64(k + 0x258, 0x1000000 + 0x1000);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	assert_int_equal(fx_start.rip, 0x200000 + 0x200);
	/* It wraps. */
	store_le64(k + 0x258, 0xffffffffffe00000ull);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	store_le32(k + 0x260, 0xfffffff0u);
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "kernel: no 4 GiB of free guest memory");
	make_kernel();
	store_le32(k + 0x260, RAM_END);
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "kernel: no 32 MiB");
}

static void test_not_relocatable(void **state)
{
	(void)state;
	k[0x234] = 0;
	store_le32(k + 0x230, 0); /* means nothing then */
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	assert_int_equal(fx_start.rip, 0x100000 + 0x200);
	assert_memory_equal(fx_at(0x100000), k + CODE_AT, CODE_BYTES);
	store_le64(k + 0x258, 0x100000);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	store_le64(k + 0x258, RAM_END - 0x1000);
	fx_fails(k, FILE_BYTES, ERR_RANGE, "kernel's final place: 3 MiB at 0x1fff000 is not all inside");
	store_le64(k + 0x258, 0xfffffffffffff000ull);
	fx_fails(k, FILE_BYTES, ERR_RANGE, "wrap");
}

static void test_initrd(void **state)
{
	uint64_t zp;

	(void)state;
	fx_req.initrd = initrd;
	fx_req.initrd_size = sizeof(initrd);
	/* initrd_addr_max is the last byte that may be used. */
	store_le32(k + 0x22c, 0x7fffff);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	zp = fx_start.gpr[START_RSI];
	assert_int_equal(fx_u32(zp + 0x218), 0x7fd000);
	/* Never inside the kernel's room. */
	store_le32(k + 0x22c, PREF + INIT_SIZE - 1);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	assert_int_equal(fx_u32(fx_start.gpr[START_RSI] + 0x218), PREF - 0x3000);
	store_le32(k + 0x22c, 0x100000);
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "initrd: no 9.8 KiB of free guest memory between 0x100000 and 0x100001");
	store_le32(k + 0x22c, 0xffffffff);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	/* An empty one is none. */
	fx_req.initrd_size = 0;
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	assert_int_equal(fx_u32(fx_start.gpr[START_RSI] + 0x218), 0);
	/* Larger than the machine: nothing is read of it. */
	fx_req.initrd_size = UINT64_MAX;
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "initrd: no");
	fx_req.initrd_size = RAM_END;
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "initrd: no 32 MiB");
}

static void test_lies(void **state)
{
	(void)state;
#define LIE(store, err, words)                                                                                         \
	do {                                                                                                           \
		make_kernel();                                                                                         \
		store;                                                                                                 \
		fx_fails(k, FILE_BYTES, err, words);                                                                   \
	} while (0)
	LIE(k[0x1f1] = 40, ERR_TRUNC, "kernel: setup_sects says 40 sectors after the first, the file has 6");
	LIE(k[0x1f1] = 0;
	    store_le32(k + 0x1f4, 0x100), ERR_TRUNC, "syssize says 4096 bytes of code, the file has 1024");
	LIE(store_le32(k + 0x1f4, 0), ERR_FORMAT, "syssize says there is no code");
	LIE(store_le32(k + 0x1f4, 0xffffffff), ERR_TRUNC, "syssize says 68719476720 bytes of code, the file has 2048");
	LIE(store_le32(k + 0x1f4, CODE_BYTES / 16 + 1), ERR_TRUNC, "syssize says 2064 bytes");
	LIE(store_le16(k + 0x206, 0x20b), ERR_NOSUP, "boot protocol 2.11, needed is 2.12");
	LIE(store_le16(k + 0x206, 0), ERR_NOSUP, "boot protocol 0.00");
	LIE(k[0x211] = 0, ERR_NOSUP, "zImage");
	LIE(k[0x200] = 0xe9, ERR_FORMAT, "the set-up header ends at");
	LIE(k[0x201] = 0x20, ERR_FORMAT, "the set-up header ends at 0x222");
	LIE(k[0x201] = 0xff, ERR_FORMAT, "the set-up header ends at 0x301");
	LIE(store_le32(k + 0x230, 0), ERR_FORMAT, "kernel_alignment 0x0");
	LIE(store_le32(k + 0x230, 0x300000), ERR_FORMAT, "kernel_alignment 0x300000");
	LIE(store_le32(k + 0x230, 0x80000000), ERR_FORMAT, "kernel_alignment 0x80000000");
	LIE(k[0x235] = 22, ERR_FORMAT, "min_alignment 2^22 is larger");
	LIE(k[0x235] = 255, ERR_FORMAT, "min_alignment 2^255");
	LIE(store_le32(k + 0x260, CODE_BYTES - 1), ERR_FORMAT, "init_size 0x7ff is less than the code's 0x800");
	LIE(store_le64(k + 0x258, 0x8000), ERR_FORMAT, "pref_address 0x8000 is below 1 MiB");
	LIE(store_le32(k + 0x248, CODE_BYTES), ERR_FORMAT, "payload of 0x200 bytes at 0x800 lies outside");
	LIE(store_le32(k + 0x24c, 0xffffffff), ERR_FORMAT, "payload of 0xffffffff");
	LIE(store_le32(k + 0x238, 3);
	    fx_req.cmdline = "quiet", ERR_RANGE, "cmdline: 5 characters, this kernel takes 3");
	fx_req.cmdline = NULL;
	LIE(store_le32(k + 0x1f4, 0x20); store_le32(k + 0x248, 0);
	    store_le32(k + 0x24c, 0), ERR_FORMAT, "512 bytes of code end before the 64-bit entry");
	LIE(fx_req.module_count = 1, ERR_INVAL, "module: a Linux kernel takes an initrd");
	fx_req.module_count = 0;
	make_kernel();
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
}

static void test_cmdline_just_fits(void **state)
{
	char line[2048];

	(void)state;
	memset(line, 'a', sizeof(line));
	line[2047] = 0;
	fx_req.cmdline = line;
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	store_le32(k + 0x238, 2046);
	fx_fails(k, FILE_BYTES, ERR_RANGE, "cmdline: 2047 characters, this kernel takes 2046");
}

static void test_every_truncation(void **state)
{
	(void)state;
	for (size_t n = 0; n < FILE_BYTES; n++)
		assert_int_not_equal(fx_load(k, n), 0);
	for (size_t n = FILE_BYTES; n <= sizeof(k); n++)
		assert_int_equal(fx_load(k, n), 0);
	fx_fails(k, 0x240, ERR_TRUNC, "ends inside the set-up header");
}

static void test_map_too_long(void **state)
{
	struct guest_map_entry map[129];

	(void)state;
	for (unsigned i = 0; i < 129; i++)
		map[i] = (struct guest_map_entry){0x100000000ull + i * 0x1000, 0x800, GUEST_MAP_RESERVED};
	map[0] = fx_map[0];
	map[1] = fx_map[3];
	fx_req.map = map;
	fx_req.map_count = 128;
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	fx_req.map_count = 129;
	fx_fails(k, FILE_BYTES, ERR_FULL, "memory map: 129 entries");
}

/* The map promises RAM that the memory object does not have, or has no low RAM at all. */
static void test_bad_maps(void **state)
{
	struct guest_map_entry map[2] = {{0, 0x9f000, GUEST_MAP_RAM}, {0x100000, 64 * MIB, GUEST_MAP_RAM}};

	(void)state;
	fx_req.map = map;
	fx_req.map_count = 2;
	store_le64(k + 0x258, 40 * MIB);
	assert_int_equal(fx_load(k, FILE_BYTES), 0);
	assert_int_equal(fx_start.rip, 0x200200);
	fx_req.map = map + 1;
	fx_req.map_count = 1;
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "cmdline: no");
	fx_req.map_count = 0;
	fx_fails(k, FILE_BYTES, ERR_NOMEM, "kernel: no");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_64bit, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_32bit, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_placement, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_not_relocatable, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_initrd, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_lies, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_cmdline_just_fits, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_every_truncation, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_map_too_long, setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_bad_maps, setup, fx_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
