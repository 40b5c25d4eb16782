/* The bus: registration's refusals, routing of whole and split accesses, counting, and a random workload against an
 * owner table of one entry per address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "tests/fake/assert_expect.h"
#include "vmm/bus/bus.h"

/* A part that notes what it was asked and answers with its id and the offset. */
struct part {
	uint8_t id;
	unsigned reads, writes;
	uint64_t offset;
	unsigned size;
	uint64_t value;
};

static uint64_t part_read(void *ctx, uint64_t offset, unsigned size)
{
	struct part *p = ctx;

	p->reads++;
	p->offset = offset;
	p->size = size;
	return 0xa5a5a5a5a5a50000ull | (uint64_t)p->id << 8 | (offset & 0xff);
}

static void part_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct part *p = ctx;

	p->writes++;
	p->offset = offset;
	p->size = size;
	p->value = value;
}

static const struct bus_ops part_ops = {.read = part_read, .write = part_write};

static void test_register_refuses(void **state)
{
	static const struct bus_ops no_read = {.write = part_write}, no_write = {.read = part_read};
	struct part p = {0};
	struct bus b;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_register(&b, 0x10, 0, &part_ops, &p, "p"), ERR_INVAL);
	assert_int_equal(bus_register(&b, 0x10, 1, NULL, &p, "p"), ERR_INVAL);
	assert_int_equal(bus_register(&b, 0x10, 1, &no_read, &p, "p"), ERR_INVAL);
	assert_int_equal(bus_register(&b, 0x10, 1, &no_write, &p, "p"), ERR_INVAL);
	assert_int_equal(bus_register(&b, UINT64_MAX, 2, &part_ops, &p, "p"), ERR_RANGE);
	assert_int_equal(bus_register(&b, 1, UINT64_MAX, &part_ops, &p, "p"), 0);
	assert_int_equal(bus_register(&b, 0, 1, &part_ops, &p, "p"), 0);
	assert_int_equal(bus_register(&b, UINT64_MAX, 1, &part_ops, &p, "p"), ERR_OVERLAP);
	assert_int_equal(b.count, 2);
}

static void test_register_overlap(void **state)
{
	static const struct {
		uint64_t base, len;
		int want;
	} rows[] = {
		{0x100, 0x10, ERR_OVERLAP},
		{0x0ff, 2, ERR_OVERLAP},
		{0x10f, 1, ERR_OVERLAP},
		{0x10f, 0x100, ERR_OVERLAP},
		{0x0f0, 0x10, 0},
		{0x110, 0x10, 0},
		{0x000, 0x200, ERR_OVERLAP},
		{0x105, 1, ERR_OVERLAP},
		{0x120, 1, 0},
		{0x11f, 1, ERR_OVERLAP},
		{0x121, UINT64_MAX - 0x120, 0},
	};
	struct part p = {0};
	struct bus b;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_register(&b, 0x100, 0x10, &part_ops, &p, "p"), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(bus_register(&b, rows[i].base, rows[i].len, &part_ops, &p, "p"), rows[i].want);
	for (unsigned i = 1; i < b.count; i++)
		assert_true(b.ranges[i - 1].base < b.ranges[i].base);
}

static void test_register_full(void **state)
{
	struct part p = {0};
	struct bus b;

	(void)state;
	bus_init(&b);
	for (unsigned i = 0; i < BUS_MAX_RANGES; i++)
		assert_int_equal(bus_register(&b, 1000 - i * 2, 1, &part_ops, &p, "p"), 0);
	assert_int_equal(bus_register(&b, 5000, 1, &part_ops, &p, "p"), ERR_FULL);
	assert_int_equal(bus_unregister(&b, 5000), ERR_NOENT);
	assert_int_equal(bus_unregister(&b, 999), ERR_NOENT);
	assert_int_equal(bus_unregister(&b, 0), ERR_NOENT);
	assert_int_equal(bus_unregister(&b, 1000), 0);
	assert_int_equal(bus_unregister(&b, 1000), ERR_NOENT);
	assert_int_equal(bus_register(&b, 5000, 1, &part_ops, &p, "p"), 0);
	assert_int_equal(b.count, BUS_MAX_RANGES);
}

static void test_whole_access(void **state)
{
	struct part p = {.id = 7};
	struct bus b;
	uint64_t v = 0;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_register(&b, 0x3f8, 8, &part_ops, &p, "uart"), 0);
	assert_true(bus_read(&b, 0x3fa, 4, &v));
	assert_int_equal(p.offset, 2);
	assert_int_equal(p.size, 4);
	assert_int_equal(v, 0xa5a50702u);
	assert_true(bus_read(&b, 0x3f8, 8, &v));
	assert_int_equal(v, 0xa5a5a5a5a5a50700ull);
	assert_true(bus_read(&b, 0x3ff, 1, &v));
	assert_int_equal(v, 0x07);
	assert_true(bus_write(&b, 0x3f9, 2, 0x12345678));
	assert_int_equal(p.value, 0x5678);
	assert_int_equal(b.ranges[0].reads, 3);
	assert_int_equal(b.ranges[0].writes, 1);
	assert_int_equal(b.nobodys.reads + b.nobodys.writes, 0);
	assert_string_equal(bus_find(&b, 0x3ff)->name, "uart");
	assert_null(bus_find(&b, 0x400));
	assert_null(bus_find(&b, 0x3f7));
}

static void test_split_access(void **state)
{
	struct part p = {.id = 1}, q = {.id = 2};
	struct bus b;
	uint64_t v = 0;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_register(&b, 0x60, 1, &part_ops, &p, "p"), 0);
	assert_int_equal(bus_register(&b, 0x61, 1, &part_ops, &q, "q"), 0);
	assert_true(bus_read(&b, 0x60, 2, &v));
	assert_int_equal(v, 0x0000);
	assert_int_equal(p.reads, 1);
	assert_int_equal(q.reads, 1);
	assert_int_equal(q.size, 1);
	assert_true(bus_write(&b, 0x60, 2, 0xbbaa));
	assert_int_equal(p.value, 0xaa);
	assert_int_equal(q.value, 0xbb);
	assert_int_equal(b.nobodys.reads, 0);

	assert_false(bus_read(&b, 0x5f, 4, &v)); /* a byte before, and one behind */
	assert_int_equal(v, 0xff0000ff);
	assert_int_equal(b.nobodys.reads, 1);
	assert_int_equal(b.last_unclaimed, 0x5f);
	assert_false(bus_write(&b, 0x61, 2, 0x2211));
	assert_int_equal(q.value, 0x11);
	assert_int_equal(b.nobodys.writes, 1);
	assert_int_equal(b.last_unclaimed, 0x62);
}

static void test_nobody(void **state)
{
	struct bus b;
	uint64_t v = 0;

	(void)state;
	bus_init(&b);
	for (unsigned size = 1; size <= 8; size++) {
		assert_false(bus_read(&b, UINT64_MAX - 1, size, &v)); /* wraps for the greater sizes */
		assert_int_equal(v, UINT64_MAX >> (64 - 8 * size));
		assert_false(bus_write(&b, 0x80, size, 1));
	}
	assert_int_equal(b.nobodys.reads, 8);
	assert_int_equal(b.nobodys.writes, 8);
	assert_true(ASSERT_FAILS(bus_read(&b, 0, 0, &v)));
	assert_true(ASSERT_FAILS(bus_write(&b, 0, 9, 0)));
}

/* Where nobody is, the stretch between two ranges answers; a range that is registered there takes its place at once. */
static void test_nobodys_stretch(void **state)
{
	struct part p = {.id = 1};
	struct bus b;
	uint64_t v = 0;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_register(&b, 0x40, 4, &part_ops, &p, "p"), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_false(bus_read(&b, 0x3f, 1, &v)); /* below the first */
	assert_false(bus_read(&b, 0x44, 4, &v));         /* behind the last */
	assert_int_equal(v, UINT32_MAX);
	assert_int_equal(b.last_unclaimed, 0x44);
	assert_false(bus_read(&b, 0x42, 4, &v)); /* half of it */
	assert_int_equal(b.nobodys.reads, 4);
	assert_int_equal(bus_register(&b, 0x44, 4, &part_ops, &p, "q"), 0);
	assert_true(bus_read(&b, 0x44, 4, &v));
	assert_false(bus_write(&b, 0x48, 1, 0));
	assert_int_equal(bus_unregister(&b, 0x44), 0);
	assert_false(bus_read(&b, 0x44, 1, &v));
	assert_int_equal(b.nobodys.writes, 1);
}

static void test_end_of_space(void **state)
{
	struct part p = {.id = 3};
	struct bus b;
	uint64_t v = 0;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_register(&b, UINT64_MAX - 3, 4, &part_ops, &p, "top"), 0);
	assert_true(bus_read(&b, UINT64_MAX - 3, 4, &v));
	assert_false(bus_read(&b, UINT64_MAX - 3, 8, &v)); /* the second half wraps to 0, nobody's */
	assert_int_equal(v >> 32, 0xffffffff);
	assert_true(bus_read(&b, UINT64_MAX, 1, &v));
	assert_int_equal(v, 3);
}

/* Around both ends of a range, and where the space ends: against the same question asked byte by byte. */
static void test_takes(void **state)
{
	static const struct bus_range ranges[] = {{.base = 0, .len = 1},          {.base = 0x100, .len = 2},
						  {.base = 0x100, .len = 16},     {.base = 3, .len = UINT64_MAX - 3},
						  {.base = 1, .len = UINT64_MAX}, {.base = UINT64_MAX - 3, .len = 4},
						  {.base = 0x100, .len = 0}};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(ranges); i++) {
		const struct bus_range *r = &ranges[i];

		for (unsigned size = 1; size <= 8; size++) {
			for (unsigned at = 0; at < 64; at++) {
				uint64_t addr = (at < 32 ? r->base : r->base + r->len) - 16 + at % 32;
				bool all = true;

				for (unsigned byte = 0; byte < size; byte++)
					all &= addr + byte >= addr && range_has(r->base, r->len, addr + byte);
				assert_int_equal(bus_range_takes(r, addr, size), all);
			}
		}
	}
}

/* The guess of the last access must not outlive the range it pointed to. */
static void test_hint_after_unregister(void **state)
{
	struct part p = {.id = 1}, q = {.id = 2};
	struct bus b;
	uint64_t v = 0;

	(void)state;
	bus_init(&b);
	assert_int_equal(bus_register(&b, 0x10, 4, &part_ops, &p, "p"), 0);
	assert_int_equal(bus_register(&b, 0x20, 4, &part_ops, &q, "q"), 0);
	assert_true(bus_read(&b, 0x20, 4, &v));
	assert_int_equal(bus_unregister(&b, 0x20), 0);
	assert_false(bus_read(&b, 0x20, 4, &v));
	assert_int_equal(q.reads, 1);
	assert_int_equal(bus_register(&b, 0x08, 4, &part_ops, &q, "q"), 0); /* now in front of p */
	assert_true(bus_read(&b, 0x10, 1, &v));
	assert_int_equal(p.reads, 1);
	assert_true(bus_read(&b, 0x08, 1, &v));
	assert_int_equal(q.reads, 2);
}

#define SPACE 96u

/* Random registrations and accesses; owner[] is the truth. */
static void test_random(void **state)
{
	struct part parts[SPACE];
	int owner[SPACE + 8];
	struct bus b;

	(void)state;
	srand(1);
	bus_init(&b);
	memset(parts, 0, sizeof(parts));
	for (unsigned i = 0; i < ARRAY_LEN(owner); i++)
		owner[i] = -1;
	for (unsigned i = 0; i < SPACE; i++)
		parts[i].id = (uint8_t)(i + 1);
	for (unsigned step = 0; step < 200000; step++) {
		unsigned base = (unsigned)rand() % SPACE, len = 1 + (unsigned)rand() % 6;
		unsigned size = 1u << (rand() % 4), action = (unsigned)rand() % 8;

		if (action == 0) {
			bool clash = base + len > SPACE;

			if (clash)
				continue;
			for (unsigned i = 0; i < len; i++)
				clash |= owner[base + i] >= 0;
			bool full = b.count == BUS_MAX_RANGES;
			int got = bus_register(&b, base, len, &part_ops, &parts[base], "x");

			assert_int_equal(got, clash ? ERR_OVERLAP : full ? ERR_FULL : 0);
			for (unsigned i = 0; i < len && got == 0; i++)
				owner[base + i] = (int)base;
		} else if (action == 1) {
			bool there = owner[base] == (int)base;

			assert_int_equal(bus_unregister(&b, base), there ? 0 : ERR_NOENT);
			for (unsigned i = base; there && i < SPACE && owner[i] == (int)base; i++)
				owner[i] = -1;
		} else {
			bool claimed = true, whole = true;
			uint64_t got = 0;

			for (unsigned i = 0; i < size; i++) {
				claimed &= owner[base + i] >= 0;
				whole &= owner[base + i] == owner[base];
			}
			assert_int_equal(bus_read(&b, base, size, &got), claimed);
			for (unsigned i = 0; i < size && !(whole && claimed); i++) {
				int o = owner[base + i];

				assert_int_equal(got >> (8 * i) & 0xff, o < 0 ? 0xff : base + i - (unsigned)o);
			}
			if (whole && claimed) {
				uint64_t full = 0xa5a5a5a5a5a50000ull | (unsigned)(owner[base] + 1) << 8 |
						(base - (unsigned)owner[base]);

				assert_int_equal(got, full & (UINT64_MAX >> (64 - 8 * size)));
			}
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_register_refuses),
		cmocka_unit_test(test_register_overlap),
		cmocka_unit_test(test_register_full),
		cmocka_unit_test(test_whole_access),
		cmocka_unit_test(test_split_access),
		cmocka_unit_test(test_nobody),
		cmocka_unit_test(test_nobodys_stretch),
		cmocka_unit_test(test_end_of_space),
		cmocka_unit_test(test_hint_after_unregister),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_takes),
	};

	return cmocka_run_group_tests_name("bus", tests, NULL, NULL);
}
