/* A VM's console: nothing lost while somebody is attached, the newest kept when nobody is, texts found once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/lib/string.h"
#include "vmm/life/console.h"

static struct console c;
static uint8_t scrollback[CONSOLE_SCROLLBACK_BYTES];
static uint8_t seen[64];
static size_t seen_len, seen_room;

static bool take(void *ctx, uint8_t byte)
{
	(void)ctx;
	if (seen_len == seen_room)
		return false;
	seen[seen_len++] = byte;
	return true;
}

static const struct byte_sink sink = {.put = take};

static void print(const char *s)
{
	for (; *s != '\0'; s++)
		assert_true(console_put(&c, (uint8_t)*s));
}

static void test_scrollback_keeps_the_newest(void **state)
{
	static uint8_t all[CONSOLE_SCROLLBACK_BYTES + 10];

	(void)state;
	console_init(&c, scrollback);
	for (unsigned i = 0; i < CONSOLE_SCROLLBACK_BYTES + 100; i++)
		assert_true(console_put(&c, (uint8_t)(i * 7 + i / 256)));
	assert_int_equal(console_read(&c, 0, all, sizeof(all)), CONSOLE_SCROLLBACK_BYTES);
	for (unsigned i = 0; i < CONSOLE_SCROLLBACK_BYTES; i++)
		assert_int_equal(all[i], (uint8_t)((i + 100) * 7 + (i + 100) / 256));
}

static void test_attached_side_pushes_back(void **state)
{
	uint8_t back[8];

	(void)state;
	console_init(&c, scrollback);
	seen_len = 0;
	seen_room = 3;
	console_attach(&c, &sink);
	print("abc");
	assert_false(console_put(&c, 'd'));
	assert_int_equal(console_read(&c, 0, back, 8), 3); /* what was refused is not kept either: the UART has it */
	seen_room = 64;
	assert_true(console_put(&c, 'd'));
	assert_memory_equal(seen, "abcd", 4);
	console_attach(&c, NULL);
	print("e");
	assert_int_equal(seen_len, 4);
	assert_int_equal(console_read(&c, 0, back, 8), 5);
}

static void test_find(void **state)
{
	(void)state;
	console_init(&c, scrollback);
	print("boot... log");
	assert_false(console_find(&c, "login:"));
	print("in: ");
	assert_true(console_find(&c, "login:"));  /* across two prints */
	assert_false(console_find(&c, "login:")); /* found once */
	print("login:");
	assert_true(console_find(&c, "login:"));
	assert_false(console_find(&c, ""));
	for (unsigned i = 0; i < 3 * CONSOLE_SCROLLBACK_BYTES; i++)
		print("x");
	print("end");
	assert_true(console_find(&c, "xend"));
}

static void test_input(void **state)
{
	uint8_t big[CONSOLE_INPUT_BYTES + 5] = {0}, byte;

	(void)state;
	console_init(&c, scrollback);
	assert_int_equal(console_type(&c, big, sizeof(big)), CONSOLE_INPUT_BYTES);
	assert_true(ring_pop(&c.input, &byte));
	assert_int_equal(console_type(&c, "ab", 2), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scrollback_keeps_the_newest),
		cmocka_unit_test(test_attached_side_pushes_back),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
