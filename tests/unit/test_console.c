/* A VM's console: nothing lost while a reader is attached, the newest kept when nobody is, texts found once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/lib/string.h"
#include "vmm/life/console.h"

static struct console c;
static uint8_t scrollback[CONSOLE_SCROLLBACK_BYTES];
static unsigned news;

static void count_news(void *ctx)
{
	(*(unsigned *)ctx)++;
}

static void print(const char *s)
{
	for (; *s != '\0'; s++)
		assert_true(console_put(&c, (uint8_t)*s));
}

static void test_scrollback_keeps_the_newest(void **state)
{
	static uint8_t all[CONSOLE_SCROLLBACK_BYTES + 10];

	(void)state;
	console_init(&c, scrollback, count_news, &news);
	for (unsigned i = 0; i < CONSOLE_SCROLLBACK_BYTES + 100; i++)
		assert_true(console_put(&c, (uint8_t)(i * 7 + i / 256)));
	assert_int_equal(console_read(&c, 0, all, sizeof(all)), CONSOLE_SCROLLBACK_BYTES);
	for (unsigned i = 0; i < CONSOLE_SCROLLBACK_BYTES; i++)
		assert_int_equal(all[i], (uint8_t)((i + 100) * 7 + (i + 100) / 256));
}

/* The next bytes that the reader gets are these, and no more. */
static void takes(const char *text)
{
	char got[64] = "";

	assert_int_equal(console_take(&c, got, sizeof(got)), strlen(text));
	assert_string_equal(got, text);
}

static void test_a_reader_gets_all_from_the_oldest_on(void **state)
{
	char two[3] = "";

	(void)state;
	console_init(&c, scrollback, count_news, &news);
	print("before ");
	console_attach(&c);
	print("after");
	takes("before after");
	assert_true(console_all_taken(&c));
	print("abc");
	assert_false(console_all_taken(&c));
	assert_int_equal(console_take(&c, two, 2), 2);
	assert_string_equal(two, "ab");
	takes("c");
	console_detach(&c);
	print("unseen");
	console_attach(&c);
	takes("before afterabcunseen");
}

/* He is called for the first byte after he has found nothing, and for no other. */
static void test_a_reader_is_called(void **state)
{
	(void)state;
	console_init(&c, scrollback, count_news, &news);
	news = 0;
	print("nobody is here");
	console_attach(&c);
	takes("nobody is here");
	print("a");
	assert_int_equal(news, 0); /* he looks again by himself */
	takes("a");
	takes("");
	print("b");
	assert_int_equal(news, 1);
	print("c");
	assert_int_equal(news, 1);
	takes("bc");
	takes("");
	console_detach(&c);
	print("d");
	assert_int_equal(news, 1);
}

static void test_a_slow_reader_pushes_back(void **state)
{
	static uint8_t all[CONSOLE_SCROLLBACK_BYTES + 100];

	(void)state;
	console_init(&c, scrollback, count_news, &news);
	for (unsigned i = 0; i < 100; i++)
		assert_true(console_put(&c, 'x'));
	console_attach(&c);
	assert_int_equal(console_take(&c, all, 60), 60);
	for (unsigned i = 0; i < CONSOLE_SCROLLBACK_BYTES - 40; i++)
		assert_true(console_put(&c, (uint8_t)(i * 7 + i / 256)));
	news = 0;
	assert_false(console_put(&c, '!')); /* refused, and not kept: the UART has it */
	assert_false(console_put(&c, '!'));
	assert_int_equal(news, 0);
	assert_int_equal(console_take(&c, all, 1), 1);
	assert_true(console_put(&c, '!'));
	assert_false(console_put(&c, '?'));
	assert_int_equal(console_take(&c, all, sizeof(all)), CONSOLE_SCROLLBACK_BYTES);
	for (unsigned i = 39; i < CONSOLE_SCROLLBACK_BYTES - 1; i++)
		assert_int_equal(all[i], (uint8_t)((i - 39) * 7 + (i - 39) / 256));
	assert_int_equal(all[CONSOLE_SCROLLBACK_BYTES - 1], '!');
	/* Who goes keeps nobody waiting. */
	for (unsigned i = 0; i < CONSOLE_SCROLLBACK_BYTES; i++)
		assert_true(console_put(&c, 'y'));
	assert_false(console_put(&c, 'z'));
	console_detach(&c);
	assert_true(console_put(&c, 'z'));
	console_attach(&c);
	assert_int_equal(console_take(&c, all, sizeof(all)), CONSOLE_SCROLLBACK_BYTES);
	assert_int_equal(all[CONSOLE_SCROLLBACK_BYTES - 1], 'z');
}

static void test_find(void **state)
{
	(void)state;
	console_init(&c, scrollback, count_news, &news);
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
	console_init(&c, scrollback, count_news, &news);
	assert_int_equal(console_type(&c, big, sizeof(big)), CONSOLE_INPUT_BYTES);
	assert_true(ring_pop(&c.input, &byte));
	assert_int_equal(console_type(&c, "ab", 2), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scrollback_keeps_the_newest),
		cmocka_unit_test(test_a_reader_gets_all_from_the_oldest_on),
		cmocka_unit_test(test_a_reader_is_called),
		cmocka_unit_test(test_a_slow_reader_pushes_back),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_input),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
