/* Command lines and scripts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "vmm/monitor/words.h"

static void expect(const char *line, int count, const char *const *words)
{
	char copy[128];
	char *got[4];

	strcpy(copy, line);
	assert_int_equal(words_split(copy, got, 4), count);
	for (int i = 0; i < count; i++)
		assert_string_equal(got[i], words[i]);
}

static void test_split(void **state)
{
	(void)state;
	expect("", 0, NULL);
	expect("   ", 0, NULL);
	expect("a", 1, (const char *[]){"a"});
	expect("  a  bc   d ", 3, (const char *[]){"a", "bc", "d"});
	expect("wait linux \"login: \" 10", 4, (const char *[]){"wait", "linux", "login: ", "10"});
	expect("k=\"a b\"c", 1, (const char *[]){"k=a bc"});
	expect("a\\ b \\\"c\\\" \"d\\\"e\"", 3, (const char *[]){"a b", "\"c\"", "d\"e"});
	expect("\"\" x", 2, (const char *[]){"", "x"});
	expect("a b c d e", ERR_FULL, NULL);
	expect("a \"b", ERR_FORMAT, NULL);
	expect("a\\", 1, (const char *[]){"a\\"});
}

static void test_script(void **state)
{
	const char *script = " list ; wait a \"x; y\" 5;; console a";
	char out[32];
	size_t at = 0;

	(void)state;
	assert_true(words_next_command(script, &at, out, sizeof(out)) > 0);
	assert_string_equal(out, "list ");
	words_next_command(script, &at, out, sizeof(out));
	assert_string_equal(out, "wait a \"x; y\" 5");
	words_next_command(script, &at, out, sizeof(out));
	assert_string_equal(out, "console a");
	assert_int_equal(words_next_command(script, &at, out, sizeof(out)), 0);
	assert_int_equal(words_next_command(script, &at, out, sizeof(out)), 0);
	at = 0;
	assert_int_equal(words_next_command("abcdefgh", &at, out, 4), 8); /* too long: cut, and said so */
	assert_string_equal(out, "abc");
	at = 0;
	script = "echo \\\"a;echo b\\;c; echo \"d\\\";e\"";
	words_next_command(script, &at, out, sizeof(out));
	assert_string_equal(out, "echo \\\"a"); /* a quote behind a backslash opens nothing */
	words_next_command(script, &at, out, sizeof(out));
	assert_string_equal(out, "echo b\\;c");
	words_next_command(script, &at, out, sizeof(out));
	assert_string_equal(out, "echo \"d\\\";e\"");
	at = 0;
	words_next_command("x\\", &at, out, sizeof(out));
	assert_string_equal(out, "x\\");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_split), cmocka_unit_test(test_script)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
