/* Shared by the loaders' tests: a guest with 32 MiB of RAM in the layout of a PC, a request on it, and helpers. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/bytes.h"
#include "kernel/lib/errors.h"
#include "tests/fake/fake_pages.h"
#include "vmm/load/load.h"

#define RAM_END (32 * MIB)

static const struct guest_range fx_ranges[] = {{0, 0xa0000}, {0x100000, RAM_END - 0x100000}};
static const struct guest_map_entry fx_map[] = {
	{0, 0x9fc00, GUEST_MAP_RAM},
	{0x9fc00, 0x400, GUEST_MAP_RESERVED},
	{0xe0000, 0x20000, GUEST_MAP_RESERVED},
	{0x100000, RAM_END - 0x100000 - 0x10000, GUEST_MAP_RAM},
	{RAM_END - 0x10000, 0x10000, GUEST_MAP_ACPI},
};

static struct fake_pages fx_pages;
static struct guest_mem fx_mem;
static struct load_request fx_req;
static struct start_state fx_start;
static char fx_why[200];

static UNUSED int fx_setup(void **state)
{
	(void)state;
	fake_pages_init(&fx_pages, 16384, 0x40000000);
	assert_int_equal(guest_mem_create(&fx_mem, &fx_pages.source, fx_ranges, 2, GUEST_MEM_ZERO), 0);
	fx_req = (struct load_request){.map = fx_map, .map_count = ARRAY_LEN(fx_map), .acpi_rsdp = 0xf0010};
	return 0;
}

static UNUSED int fx_teardown(void **state)
{
	(void)state;
	guest_mem_destroy(&fx_mem);
	fake_pages_destroy(&fx_pages);
	return 0;
}

/* Load exactly these bytes from the heap, so that a read behind their end is seen. */
static UNUSED int fx_load(const void *image, size_t size)
{
	uint8_t *copy = malloc(size ? size : 1);
	int err;

	memcpy(copy, image, size);
	if (size == 0)
		fx_req.image = copy + 1;
	else
		fx_req.image = copy;
	fx_req.image_size = size;
	memset(fx_why, 'x', sizeof(fx_why));
	err = load_image(&fx_mem, &fx_req, &fx_start, fx_why, sizeof(fx_why));
	assert_non_null(memchr(fx_why, 0, sizeof(fx_why)));
	/* Words if and only if it failed. */
	assert_int_equal(err != 0, fx_why[0] != '\0');
	free(copy);
	return err;
}

static UNUSED void fx_fails(const void *image, size_t size, int err, const char *words)
{
	int got = fx_load(image, size);

	if (got != err || !strstr(fx_why, words))
		fail_msg("expected %d \"%s\", got %d \"%s\"", err, words, got, fx_why);
}

static UNUSED uint8_t *fx_at(uint64_t gpa)
{
	uint8_t *p = guest_mem_ptr(&fx_mem, gpa, 1);

	assert_non_null(p);
	return p;
}

static UNUSED uint32_t fx_u32(uint64_t gpa)
{
	uint32_t v;

	assert_int_equal(guest_mem_read(&fx_mem, gpa, &v, sizeof(v)), 0);
	return v;
}

static UNUSED uint64_t fx_u64(uint64_t gpa)
{
	uint64_t v;

	assert_int_equal(guest_mem_read(&fx_mem, gpa, &v, sizeof(v)), 0);
	return v;
}

static UNUSED void fx_string_is(uint64_t gpa, const char *s)
{
	char got[256] = "";

	assert_in_range(strlen(s) + 1, 1, sizeof(got));
	assert_int_equal(guest_mem_read(&fx_mem, gpa, got, strlen(s) + 1), 0);
	assert_string_equal(got, s);
}

/* Where the 4-level tables at cr3 map a linear address; UINT64_MAX: nowhere. */
static UNUSED uint64_t fx_walk(uint64_t cr3, uint64_t gva)
{
	uint64_t table = cr3;

	for (int shift = 39; shift >= 12; shift -= 9) {
		uint64_t entry = fx_u64(table + (gva >> shift & 511) * 8);

		if (!(entry & 1))
			return UINT64_MAX;
		if (shift == 12 || (entry & 0x80))
			return (entry & 0xffffffffff000ull & ~((1ull << shift) - 1)) | (gva & ((1ull << shift) - 1));
		table = entry & 0xffffffffff000ull;
	}
	return UINT64_MAX;
}

static UNUSED void fx_long64_is_sane(void)
{
	assert_int_equal(fx_start.mode, START_LONG64);
	for (uint64_t gva = 0; gva < 4 * GIB; gva += 0x1f3a7d1)
		assert_int_equal(fx_walk(fx_start.cr3, gva), gva);
	assert_int_equal(fx_walk(fx_start.cr3, 4 * GIB), UINT64_MAX);
	assert_int_equal(fx_u64(fx_start.gdt_base + fx_start.cs), 0x00af9b000000ffffull);
	assert_int_equal(fx_u64(fx_start.gdt_base + fx_start.ds), 0x00cf93000000ffffull);
	assert_true(fx_start.cs < fx_start.gdt_limit && fx_start.ds < fx_start.gdt_limit);
	assert_int_equal(fx_u64(fx_start.gdt_base), 0);
}

static UNUSED void fx_protected32_is_sane(void)
{
	assert_int_equal(fx_start.mode, START_PROTECTED32);
	assert_int_equal(fx_u64(fx_start.gdt_base + fx_start.cs), 0x00cf9b000000ffffull);
	assert_int_equal(fx_u64(fx_start.gdt_base + fx_start.ds), 0x00cf93000000ffffull);
}
