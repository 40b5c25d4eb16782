/* The line editor against a terminal that is just a buffer: what the line holds after which keys. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/lib/string.h"
#include "vmm/monitor/line_edit.h"

static char screen[4096];
static size_t screen_len;

static void fake_write(void *ctx, const void *data, size_t len)
{
	(void)ctx;
	assert_true(screen_len + len < sizeof(screen));
	memcpy(screen + screen_len, data, len);
	screen_len += len;
	screen[screen_len] = '\0';
}

static const struct terminal term = {.write = fake_write};

static void complete(void *ctx, const char *line, const char *prefix, void (*add)(void *ctx2, const char *word),
		     void *ctx2)
{
	(void)ctx;
	(void)prefix;
	if (line[0] == '\0') {
		add(ctx2, "pause");
		add(ctx2, "panic");
		add(ctx2, "list");
	} else {
		add(ctx2, "linux");
	}
}

static void begin(struct line_editor *e)
{
	line_edit_init(e, &term, "> ", complete, NULL);
	line_edit_begin(e);
}

/* Feed keys; returns the last event. */
static enum line_event type(struct line_editor *e, const char *keys)
{
	enum line_event event = LINE_EDITING;

	screen_len = 0;
	for (; *keys != '\0'; keys++)
		event = line_edit_feed(e, (uint8_t)*keys);
	return event;
}

static void expect(const char *keys, const char *line)
{
	struct line_editor e;

	begin(&e);
	type(&e, keys);
	assert_string_equal(e.text, line);
	assert_int_equal(strlen(e.text), e.len);
	assert_true(e.cursor <= e.len);
}

static void test_editing_keys(void **state)
{
	(void)state;
	expect("hello", "hello");
	expect("helo\x1b[Dl", "hello");         /* left */
	expect("ello\x01h", "hello");           /* Ctrl-A */
	expect("ello\x1b[Hh\x1b[F!", "hello!"); /* Home, End */
	expect("ello\x1bOHh\x1bOF!", "hello!");
	expect("ello\x1b[1~h\x1b[4~!", "hello!");
	expect("ab\x01\x05"
	       "c",
	       "abc");                 /* Ctrl-E */
	expect("hellx\x7fo", "hello"); /* backspace */
	expect("hellx\bo", "hello");
	expect("xhello\x01\x1b[3~", "hello"); /* Delete */
	expect("hello world\x17", "hello ");  /* Ctrl-W */
	expect("hello world\x15x", "x");      /* Ctrl-U */
	expect("hello\x01\x1b[C\x0b", "h");   /* right, Ctrl-K */
	expect("\x7f\x7f\x1b[D\x1b[3~\x0b\x15\x17", "");
	expect("a\x1b[1;5Cb", "ab"); /* unknown sequences are swallowed whole */
}

static void test_line_ends(void **state)
{
	struct line_editor e;

	(void)state;
	begin(&e);
	assert_int_equal(type(&e, "abc\r"), LINE_READY);
	assert_string_equal(e.text, "abc");
	line_edit_begin(&e);
	assert_int_equal(type(&e, "\n"), LINE_EDITING); /* the LF of CR LF */
	assert_int_equal(type(&e, "x\n"), LINE_READY);
	line_edit_begin(&e);
	assert_int_equal(type(&e, "x\x03"), LINE_CANCELED);
}

static void test_history(void **state)
{
	struct line_editor e;

	(void)state;
	begin(&e);
	type(&e, "one\r");
	line_edit_begin(&e);
	type(&e, "two\r");
	line_edit_begin(&e);
	type(&e, "two\r"); /* the same again is not remembered twice */
	line_edit_begin(&e);
	type(&e, "dra\x1b[A");
	assert_string_equal(e.text, "two");
	type(&e, "\x1b[A");
	assert_string_equal(e.text, "one");
	type(&e, "\x1b[A"); /* nothing older */
	assert_string_equal(e.text, "one");
	type(&e, "\x1b[B\x1b[B");
	assert_string_equal(e.text, "dra");
	type(&e, "\x1b[B");
	assert_string_equal(e.text, "dra");
	for (int i = 0; i < 40; i++) {
		char keys[8] = {(char)('a' + i % 26), (char)('a' + i / 26), '\r', 0};

		line_edit_begin(&e);
		type(&e, keys);
	}
	line_edit_begin(&e);
	for (int i = 0; i < 100; i++)
		type(&e, "\x1b[A");
	assert_string_equal(e.text, "ya"); /* line 24, the oldest of the last 16 */
}

static void test_completion(void **state)
{
	struct line_editor e;

	(void)state;
	expect("l\t", "list ");
	expect("pa\t", "pa");
	expect("pan\t", "panic ");
	expect("zz\t", "zz");
	expect("console l\t", "console linux ");
	begin(&e);
	type(&e, "pa\t");
	assert_non_null(strstr(screen, "pause"));
	assert_non_null(strstr(screen, "panic"));
	assert_null(strstr(screen, "list"));
}

static void test_utf8(void **state)
{
	struct line_editor e;

	(void)state;
	expect("h\xc3\xbcx\x7f\x7fi", "hi"); /* backspace takes the whole of it */
	expect("\xe2\x82\xac"
	       "1\x1b[D\x1b[Da\x1b[Cb",
	       "a\xe2\x82\xac"
	       "b1"); /* left, left, right */
	expect("\xf0\x9f\x98\x80"
	       "b\x01\x1b[3~",
	       "b"); /* Delete */
	expect("\xc3\xa4\xc3\xb6\x1b[D\xc3\xbc", "\xc3\xa4\xc3\xbc\xc3\xb6");
	begin(&e);
	type(&e, "\xc3\xa4\xc3\xb6\xc3\xbc\x1b[D");
	assert_non_null(strstr(screen, "\x1b[1D")); /* one column, not two bytes */
	expect("\x80\x80\x7f\x7f\x7f", "");         /* not UTF-8 at all: no harm done */
}

static void keys_complete(void *ctx, const char *line, const char *prefix, void (*add)(void *ctx2, const char *word),
			  void *ctx2)
{
	(void)ctx;
	(void)line;
	(void)prefix;
	add(ctx2, "kernel=");
}

static void test_completion_goes_on_behind_an_equals_sign(void **state)
{
	struct line_editor e;

	(void)state;
	line_edit_init(&e, &term, "> ", keys_complete, NULL);
	line_edit_begin(&e);
	type(&e, "ke\t");
	assert_string_equal(e.text, "kernel=");
}

static void test_full_line(void **state)
{
	struct line_editor e;

	(void)state;
	begin(&e);
	for (unsigned i = 0; i < LINE_MAX - 1; i++)
		type(&e, "x");
	assert_int_equal(type(&e, "\r"), LINE_READY);
	line_edit_begin(&e);
	for (unsigned i = 0; i < LINE_MAX; i++)
		type(&e, "x");
	assert_int_equal(e.len, LINE_MAX - 1);
	type(&e, "\x01y");
	assert_int_equal(e.len, LINE_MAX - 1);
	assert_int_equal(type(&e, "\r"), LINE_TOO_LONG);
	/* Who goes on editing has seen what is there. */
	line_edit_begin(&e);
	for (unsigned i = 0; i < LINE_MAX; i++)
		type(&e, "x");
	assert_int_equal(type(&e, "\x7f\r"), LINE_READY);
	line_edit_begin(&e);
	assert_int_equal(type(&e, "y\r"), LINE_READY);
}

static void test_echo_is_one_byte(void **state)
{
	struct line_editor e;

	(void)state;
	begin(&e);
	type(&e, "a");
	assert_int_equal(screen_len, 1);
	screen_len = 0;
	line_edit_hide(&e);
	line_edit_show(&e);
	assert_string_equal(screen, "\r\x1b[K\r> a\x1b[K");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_editing_keys), cmocka_unit_test(test_line_ends),
		cmocka_unit_test(test_history),      cmocka_unit_test(test_completion),
		cmocka_unit_test(test_utf8),         cmocka_unit_test(test_completion_goes_on_behind_an_equals_sign),
		cmocka_unit_test(test_full_line),    cmocka_unit_test(test_echo_is_one_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
