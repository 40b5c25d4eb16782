/* kernel/memmap.c: maps of real firmware, hostile maps, and random ones against a model with one flag a byte. */
#include "kernel/lib/errors.h"
#include "kernel/memmap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct memmap map;

static void check_ranges(const struct phys_range *want, size_t count)
{
	uint64_t sum = 0;

	assert_int_equal(map.count, count);
	for (size_t i = 0; i < count; i++) {
		assert_true(map.ranges[i].base == want[i].base);
		assert_true(map.ranges[i].len == want[i].len);
		sum += want[i].len;
	}
	assert_true(map.free_bytes == sum);
}

/* Bochs with 256 MB, BIOS: e8000-100000 and f0000-100000 both reserved, RAM that begins at 0. */
static void test_bochs_bios(void **state)
{
	static const struct mem_region fw[] = {
		{0, 0x9f000, 1},          {0x9f000, 0x1000, 2},    {0xe8000, 0x18000, 2},
		{0x100000, 0xfef0000, 1}, {0xfff0000, 0x10000, 3}, {0xfffc0000, 0x40000, 2},
	};
	static const struct phys_range reserved[] = {
		{0, 0x1000},           /* the low page */
		{0x100000, 0x3028},    /* information block */
		{0x1000000, 0x123456}, /* image */
		{0x1124000, 0x700001}, /* a module */
	};
	static const struct phys_range want[] = {
		{0x1000, 0x9e000},
		{0x104000, 0xefc000},
		{0x1825000, 0xe7cb000},
	};

	(void)state;
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), reserved, ARRAY_LEN(reserved), 40), 0);
	check_ranges(want, ARRAY_LEN(want));
	assert_true(map.ram_bytes == 0x9f000 + 0xfef0000);
	assert_true(map.end == 0xfff0000);
	assert_true(map.clipped_bytes == 0);
}

/* QEMU 7.2 with OVMF and 512 MB, as GRUB 2.06 passes it on; the block and the modules lie below 64 KiB. */
static void test_ovmf(void **state)
{
	static const struct mem_region fw[] = {
		{0x0, 0xa0000, 1},         {0x100000, 0x700000, 1},   {0x800000, 0x8000, 4},
		{0x808000, 0x3000, 1},     {0x80b000, 0x1000, 4},     {0x80c000, 0x4000, 1},
		{0x810000, 0xf0000, 4},    {0x900000, 0x1e1bb000, 1}, {0x1eabb000, 0xc1000, 2},
		{0x1eb7c000, 0x971000, 1}, {0x1f4ed000, 0x100000, 2}, {0x1f5ed000, 0x100000, 20},
		{0x1f6ed000, 0x80000, 2},  {0x1f76d000, 0x12000, 3},  {0x1f77f000, 0x80000, 4},
		{0x1f7ff000, 0x759000, 1}, {0x1ff58000, 0x20000, 2},  {0x1ff78000, 0x88000, 4},
	};
	static const struct phys_range reserved[] = {{0x4000, 0x2bc}, {0x5000, 0x493e0}, {0, 0x1000}, {0x2ff8, 0x10}};
	static const struct phys_range want[] = {
		{0x1000, 0x1000},   {0x4f000, 0x51000},     {0x100000, 0x700000},   {0x808000, 0x3000},
		{0x80c000, 0x4000}, {0x900000, 0x1e1bb000}, {0x1eb7c000, 0x971000}, {0x1f7ff000, 0x759000},
	};

	(void)state;
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), reserved, ARRAY_LEN(reserved), 36), 0);
	check_ranges(want, ARRAY_LEN(want));
	assert_true(map.end == 0x1ff58000);
}

static void test_hostile(void **state)
{
	static const struct mem_region fw[] = {
		{0x100000, 0x100000, 1},
		{0x100000, 0, 2},                     /* nothing */
		{0x180fff, 1, 99},                    /* an unknown type for one byte costs its page */
		{0x17f000, 0x2000, 1},                /* said twice */
		{UINT64_MAX, UINT64_MAX, 1},          /* wraps: not believed as RAM */
		{0x1f0000, UINT64_MAX - 0x100000, 2}, /* wraps: believed as reserved, to the top */
		{0x400000, 0x100000, 1},              /* and so this is not RAM either */
	};
	static const struct phys_range want[] = {{0x100000, 0x80000}, {0x181000, 0x6f000}};

	(void)state;
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), NULL, 0, 36), 0);
	check_ranges(want, ARRAY_LEN(want));
}

static void test_partial_pages(void **state)
{
	/* Two halves of a page make a page; a lone half does not; three bytes in the middle of nowhere neither. */
	static const struct mem_region fw[] = {
		{0x1800, 0x900, 1}, {0x1000, 0x800, 1}, {0x5800, 0x800, 1}, {0x7ffe, 3, 1}, {0x9fff, 0x1002, 1},
	};
	static const struct phys_range want[] = {{0x1000, 0x1000}, {0xa000, 0x1000}};

	(void)state;
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), NULL, 0, 36), 0);
	check_ranges(want, ARRAY_LEN(want));
}

static void test_address_width(void **state)
{
	static const struct mem_region fw[] = {
		{0x1000, 0x1000, 1},         {(1ull << 36) - 0x1000, 0x3000, 1},
		{1ull << 40, 0x5000, 1},     {UINT64_MAX - 0xfff, 0x1000, 1}, /* ends at 2^64 exactly */
		{1ull << 36, UINT64_MAX, 2},
	};
	static const struct phys_range want[] = {{0x1000, 0x1000}, {(1ull << 36) - 0x1000, 0x1000}};

	(void)state;
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), NULL, 0, 36), 0);
	check_ranges(want, ARRAY_LEN(want));
	assert_true(map.clipped_bytes == 0x2000 + 0x5000 + 0x1000);
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), NULL, 0, 31), ERR_INVAL);
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), NULL, 0, 53), ERR_INVAL);
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), NULL, 0, 52), 0);
}

static void test_nothing_free(void **state)
{
	static const struct mem_region fw[] = {{0x1000, 0x1000, 1}};
	static const struct phys_range all = {0x1fff, 1};

	(void)state;
	assert_int_equal(memmap_build(&map, fw, 1, &all, 1, 36), ERR_NOMEM);
	assert_true(map.ram_bytes == 0x1000);
	assert_int_equal(memmap_build(&map, fw, 0, NULL, 0, 36), ERR_NOMEM);
	assert_true(map.end == 0);
}

static void test_table_full(void **state)
{
	static struct mem_region fw[MEMMAP_MAX_RANGES + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(fw); i++)
		fw[i] = (struct mem_region){i * 0x4000, 0x1000, 1};
	assert_int_equal(memmap_build(&map, fw, MEMMAP_MAX_RANGES, NULL, 0, 36), 0);
	assert_int_equal(map.count, MEMMAP_MAX_RANGES);
	assert_int_equal(memmap_build(&map, fw, MEMMAP_MAX_RANGES + 1, NULL, 0, 36), ERR_FULL);
	fw[0] = (struct mem_region){0, UINT32_MAX, 1}; /* swallows the others */
	assert_int_equal(memmap_build(&map, fw, ARRAY_LEN(fw), NULL, 0, 36), 0);
	assert_int_equal(map.count, 1);
}

/* A world of 24 pages, byte by byte. */
enum { WORLD_PAGES = 24, WORLD = WORLD_PAGES * 4096 };

static void random_range(uint64_t *base, uint64_t *len)
{
	*base = (uint64_t)rand() % WORLD;
	*len = (uint64_t)rand() % 4 == 0 ? 0 : (uint64_t)rand() % (WORLD / 3);
	if (rand() % 2) {
		*base = ALIGN_DOWN(*base, PAGE_SIZE);
		*len = ALIGN_UP(*len, PAGE_SIZE);
	}
	if (rand() % 40 == 0)
		*len = UINT64_MAX - (uint64_t)rand() % WORLD;
}

static void test_random(void **state)
{
	static bool ram[WORLD], taken[WORLD];

	(void)state;
	for (unsigned round = 0; round < 800; round++) {
		struct mem_region fw[8];
		struct phys_range reserved[4];
		size_t next = 0;

		memset(ram, 0, sizeof(ram));
		memset(taken, 0, sizeof(taken));
		for (size_t i = 0; i < ARRAY_LEN(fw); i++) {
			random_range(&fw[i].base, &fw[i].len);
			fw[i].type = rand() % 3 ? MEM_RAM : (uint32_t)rand() % 21;
			for (uint64_t x = fw[i].base; x < WORLD && x - fw[i].base < fw[i].len; x++) {
				if (fw[i].type != MEM_RAM)
					taken[x] = true;
				else if (fw[i].base + fw[i].len >= fw[i].base)
					ram[x] = true;
			}
		}
		for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
			random_range(&reserved[i].base, &reserved[i].len);
			for (uint64_t x = reserved[i].base; x < WORLD && x - reserved[i].base < reserved[i].len; x++)
				taken[x] = true;
		}
		(void)!memmap_build(&map, fw, ARRAY_LEN(fw), reserved, ARRAY_LEN(reserved), 36);
		for (size_t page = 0; page < WORLD_PAGES; page++) {
			bool want = true, have;

			for (size_t x = page * 4096; x < (page + 1) * 4096; x++)
				want = want && ram[x] && !taken[x];
			while (next < map.count && map.ranges[next].base + map.ranges[next].len <= page * 4096)
				next++;
			have = next < map.count && map.ranges[next].base <= page * 4096;
			assert_int_equal(have, want);
		}
		for (size_t i = 1; i < map.count; i++)
			assert_true(map.ranges[i - 1].base + map.ranges[i - 1].len < map.ranges[i].base);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bochs_bios),    cmocka_unit_test(test_ovmf),
		cmocka_unit_test(test_hostile),       cmocka_unit_test(test_partial_pages),
		cmocka_unit_test(test_address_width), cmocka_unit_test(test_nothing_free),
		cmocka_unit_test(test_table_full),    cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
