/* Plain ELF of both classes, and ELF with a PVH note. */
#include "tests/unit/load_fixture.h"

#define TEXT 0x180u
#define FILE_BYTES 0x300u
#define TEXT_AT 0x100u
#define NOTE_AT 0x280u
#define BSS 0x1000u
#define PADDR 0x400000u
#define VADDR 0xffffffff80400000ull

static uint8_t elf[FILE_BYTES];

/* Segment 0: text, 1: note or other. */
static void make64(uint32_t second_type)
{
	memset(elf, 0, sizeof(elf));
	memcpy(elf, "\177ELF\2\1\1", 7);
	store_le16(elf + 16, 2);
	store_le16(elf + 18, 62);
	store_le64(elf + 24, VADDR + 0x20);
	store_le64(elf + 32, 64);
	store_le16(elf + 54, 56);
	store_le16(elf + 56, 2);
	store_le32(elf + 64, 1);
	store_le64(elf + 64 + 8, TEXT_AT);
	store_le64(elf + 64 + 16, VADDR);
	store_le64(elf + 64 + 24, PADDR);
	store_le64(elf + 64 + 32, TEXT);
	store_le64(elf + 64 + 40, TEXT + BSS);
	store_le32(elf + 120, second_type);
	store_le64(elf + 120 + 8, NOTE_AT);
	store_le64(elf + 120 + 32, FILE_BYTES - NOTE_AT);
	for (unsigned i = 0; i < TEXT; i++)
		elf[TEXT_AT + i] = (uint8_t)(i * 3 + 1);
	/* A note of another owner with an odd name, then ours. */
	store_le32(elf + NOTE_AT, 5);
	store_le32(elf + NOTE_AT + 4, 3);
	store_le32(elf + NOTE_AT + 8, 18);
	memcpy(elf + NOTE_AT + 12, "Other", 5);
	store_le32(elf + NOTE_AT + 24, 4);
	store_le32(elf + NOTE_AT + 28, 4);
	store_le32(elf + NOTE_AT + 32, 18);
	memcpy(elf + NOTE_AT + 36, "Xen", 4);
	store_le32(elf + NOTE_AT + 40, PADDR + 0x40);
}

static void make32(void)
{
	memset(elf, 0, sizeof(elf));
	memcpy(elf, "\177ELF\1\1\1", 7);
	store_le16(elf + 16, 2);
	store_le16(elf + 18, 3);
	store_le32(elf + 24, PADDR + 8);
	store_le32(elf + 28, 52);
	store_le16(elf + 42, 32);
	store_le16(elf + 44, 1);
	store_le32(elf + 52, 1);
	store_le32(elf + 56, TEXT_AT);
	store_le32(elf + 60, PADDR);
	store_le32(elf + 64, PADDR);
	store_le32(elf + 68, TEXT);
	store_le32(elf + 72, TEXT);
}

static void test_64(void **state)
{
	(void)state;
	make64(0);
	fx_req.cmdline = "root=none";
	assert_int_equal(guest_mem_fill(&fx_mem, PADDR, 0xee, 0x10000), 0);
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	fx_long64_is_sane();
	assert_int_equal(fx_start.rip, PADDR + 0x20);
	assert_memory_equal(fx_at(PADDR), elf + TEXT_AT, TEXT);
	for (unsigned i = 0; i < BSS; i++)
		assert_int_equal(*fx_at(PADDR + TEXT + i), 0);
	assert_int_equal(*fx_at(PADDR + TEXT + BSS), 0xee);
	fx_string_is(fx_u32(fx_start.gpr[START_RSI] + 0x228), "root=none");
	assert_int_equal(*fx_at(fx_start.gpr[START_RSI] + 0x1e8), ARRAY_LEN(fx_map));
	/* A physical entry beside virtual segments. */
	store_le64(elf + 24, PADDR + 0x30);
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	assert_int_equal(fx_start.rip, PADDR + 0x30);
}

static void test_32(void **state)
{
	(void)state;
	make32();
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	fx_protected32_is_sane();
	assert_int_equal(fx_start.rip, PADDR + 8);
	for (size_t n = 0; n < TEXT_AT + TEXT; n++)
		assert_int_not_equal(fx_load(elf, n), 0);
}

static void test_pvh(void **state)
{
	uint64_t info, map, modules;

	(void)state;
	make64(4);
	fx_req.cmdline = "quiet";
	fx_req.initrd = elf;
	fx_req.initrd_size = 100;
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	fx_protected32_is_sane();
	assert_int_equal(fx_start.rip, PADDR + 0x40);
	info = fx_start.gpr[START_RBX];
	assert_int_equal(fx_u32(info), 0x336ec578);
	assert_int_equal(fx_u32(info + 4), 1);
	assert_int_equal(fx_u32(info + 12), 1);
	modules = fx_u64(info + 16);
	assert_memory_equal(fx_at(fx_u64(modules)), elf, 100);
	assert_int_equal(fx_u64(modules + 8), 100);
	fx_string_is(fx_u64(info + 24), "quiet");
	assert_int_equal(fx_u64(info + 32), 0xf0010);
	map = fx_u64(info + 40);
	assert_int_equal(fx_u32(info + 48), ARRAY_LEN(fx_map));
	for (unsigned i = 0; i < ARRAY_LEN(fx_map); i++) {
		assert_int_equal(fx_u64(map + 24 * i), fx_map[i].base);
		assert_int_equal(fx_u64(map + 24 * i + 8), fx_map[i].len);
		assert_int_equal(fx_u32(map + 24 * i + 16), fx_map[i].type);
	}
	/* The description may have 8 bytes. */
	store_le32(elf + NOTE_AT + 28, 8);
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	store_le64(elf + NOTE_AT + 40, 0x100000000ull + PADDR);
	fx_fails(elf, sizeof(elf), ERR_RANGE, "the entry 0x100400000 lies outside");
	fx_req.module_count = 1;
	fx_fails(elf, sizeof(elf), ERR_INVAL, "module: a PVH kernel takes an initrd");
}

static void test_bad_notes(void **state)
{
	(void)state;
	make64(4);
	/* Sizes that reach out: no note then, so a plain ELF. */
	store_le32(elf + NOTE_AT, 0xffffffff);
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	assert_int_equal(fx_start.mode, START_LONG64);
	make64(4);
	store_le32(elf + NOTE_AT + 4, 0xfffffffd);
	assert_int_equal(fx_load(elf, sizeof(elf)), 0);
	assert_int_equal(fx_start.mode, START_LONG64);
	make64(4);
	for (unsigned cut = 0; cut < FILE_BYTES - NOTE_AT; cut++) {
		store_le64(elf + 120 + 32, cut);
		assert_int_equal(fx_load(elf, sizeof(elf)), 0);
		assert_int_equal(fx_start.mode, cut < 44 ? START_LONG64 : START_PROTECTED32);
	}
	for (size_t n = 0; n < sizeof(elf) - 1; n++)
		assert_true(fx_load(elf, n) != 0 || n >= NOTE_AT);
}

static void test_lies(void **state)
{
	(void)state;
#define LIE(store, err, words)                                                                                         \
	do {                                                                                                           \
		make64(0);                                                                                             \
		store;                                                                                                 \
		fx_fails(elf, sizeof(elf), err, words);                                                                \
	} while (0)
	LIE(elf[4] = 3, ERR_FORMAT, "ELF class 3");
	LIE(elf[5] = 2, ERR_FORMAT, "data encoding 2");
	LIE(elf[6] = 0, ERR_FORMAT, "version 0");
	LIE(store_le16(elf + 16, 1), ERR_FORMAT, "ELF type 1 is no executable");
	LIE(store_le16(elf + 18, 183), ERR_FORMAT, "ELF machine 183");
	LIE(store_le16(elf + 54, 55), ERR_FORMAT, "program headers of 55 bytes, must be 56");
	LIE(store_le16(elf + 56, 0), ERR_FORMAT, "0 ELF program headers");
	LIE(store_le16(elf + 56, 65), ERR_FORMAT, "65 ELF program headers");
	LIE(store_le64(elf + 32, FILE_BYTES - 100), ERR_TRUNC, "program headers at 0x29c reach beyond");
	LIE(store_le64(elf + 32, UINT64_MAX), ERR_TRUNC, "reach beyond");
	LIE(store_le64(elf + 72, FILE_BYTES), ERR_TRUNC, "ELF segment 0 has 0x180 bytes at 0x300");
	LIE(store_le64(elf + 72, UINT64_MAX - 1), ERR_TRUNC, "ELF segment 0 has");
	LIE(store_le64(elf + 104, TEXT - 1), ERR_FORMAT, "segment 0 takes 0x17f bytes of memory for 0x180");
	LIE(store_le64(elf + 104, UINT64_MAX), ERR_RANGE, "above 4 GiB");
	LIE(store_le64(elf + 88, UINT64_MAX - 10), ERR_RANGE, "above 4 GiB");
	LIE(store_le64(elf + 88, 0xa0000), ERR_RANGE, "at 0xa0000 is not all inside the guest's memory");
	LIE(store_le64(elf + 24, VADDR + TEXT + BSS), ERR_FORMAT, "lies in no segment");
	LIE(store_le32(elf + 64, 6), ERR_FORMAT, "nothing to load");
	LIE(store_le32(elf + 120, 1); store_le64(elf + 144, PADDR + 0x100);
	    store_le64(elf + 160, 0x100), ERR_OVERLAP, "overlaps kernel at 0x400000");
	LIE(fx_req.module_count = 1, ERR_INVAL, "takes no modules");
}

static void test_multiboot2_refused(void **state)
{
	(void)state;
	make64(0);
	store_le32(elf + TEXT_AT, 0xe85250d6);
	store_le32(elf + TEXT_AT + 4, 0);
	store_le32(elf + TEXT_AT + 8, 24);
	store_le32(elf + TEXT_AT + 12, 0u - (0xe85250d6u + 24));
	fx_fails(elf, sizeof(elf), ERR_NOSUP, "a Multiboot2 kernel");
	elf[0] = 0;
	fx_fails(elf, sizeof(elf), ERR_NOSUP, "a Multiboot2 kernel");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_64, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_32, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_pvh, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_bad_notes, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_lies, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_multiboot2_refused, fx_setup, fx_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
