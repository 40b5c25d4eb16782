/* Names for addresses, on small tables. */
#include "kernel/symbols.h"
#include "kernel/lib/compiler.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define BASE 0xffffffff80000000ull

static const uint32_t offsets[] = {0x1000, 0x1010, 0x1400, 0x9000};
static const char names[] = "entry\0b\0main\0last";
static const uint32_t frame_offsets[] = {0x1000, 0x1001, 0x1003, 0x9000};
static const uint16_t frame_words[] = {0, 1, 2, SYMBOL_FRAME_TRAP};
static const struct symbol_table table = {offsets, names, sizeof(names), 4, 4, frame_offsets, frame_words};

static void expect(uint64_t addr, const char *name, uint64_t offset)
{
	uint64_t at = 99;
	const char *found = symbol_lookup(&table, BASE, addr, &at);

	if (name == NULL) {
		assert_null(found);
		return;
	}
	assert_non_null(found);
	assert_string_equal(found, name);
	assert_int_equal(at, offset);
}

static void the_symbol_at_or_below_is_found(void **state)
{
	(void)state;
	expect(BASE + 0x1000, "entry", 0);
	expect(BASE + 0x100f, "entry", 15);
	expect(BASE + 0x1010, "b", 0);
	expect(BASE + 0x13ff, "b", 0x3ef);
	expect(BASE + 0x1400, "main", 0);
	expect(BASE + 0x8fff, "main", 0x7bff);
	expect(BASE + 0x9000, "last", 0);
	expect(~0ull, "last", ~0ull - BASE - 0x9000);
}

static void below_the_first_there_is_none(void **state)
{
	(void)state;
	expect(BASE + 0xfff, NULL, 0);
	expect(BASE, NULL, 0);
	expect(BASE - 1, NULL, 0);
	expect(0, NULL, 0);
}

static void an_empty_or_damaged_table_names_nothing(void **state)
{
	static const struct symbol_table empty = {0};
	/* More offsets than names. */
	static const struct symbol_table damaged = {offsets, names, 6, 4, 0, NULL, NULL};
	uint64_t at;

	(void)state;
	assert_null(symbol_lookup(&empty, BASE, BASE + 5, &at));
	assert_string_equal(symbol_lookup(&damaged, BASE, BASE + 0x1005, &at), "entry");
	assert_null(symbol_lookup(&damaged, BASE, BASE + 0x1400, &at));
}

static void a_frame_is_that_of_the_row_at_or_below(void **state)
{
	static const struct symbol_table empty = {0};

	(void)state;
	assert_int_equal(symbol_frame(&table, BASE, BASE + 0x1000), 0);
	assert_int_equal(symbol_frame(&table, BASE, BASE + 0x1001), 1);
	assert_int_equal(symbol_frame(&table, BASE, BASE + 0x1002), 1);
	assert_int_equal(symbol_frame(&table, BASE, BASE + 0x1003), 2);
	assert_int_equal(symbol_frame(&table, BASE, BASE + 0x8fff), 2);
	assert_int_equal(symbol_frame(&table, BASE, ~0ull), SYMBOL_FRAME_TRAP);
	assert_int_equal(symbol_frame(&table, BASE, BASE + 0xfff), SYMBOL_FRAME_UNKNOWN);
	assert_int_equal(symbol_frame(&table, BASE, BASE - 1), SYMBOL_FRAME_UNKNOWN);
	assert_int_equal(symbol_frame(&empty, BASE, BASE + 0x1000), SYMBOL_FRAME_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_symbol_at_or_below_is_found),
		cmocka_unit_test(below_the_first_there_is_none),
		cmocka_unit_test(an_empty_or_damaged_table_names_nothing),
		cmocka_unit_test(a_frame_is_that_of_the_row_at_or_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
