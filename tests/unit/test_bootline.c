/* kernel/bootline.c: the quoting of GRUB and of people, look-up, limits. */
#include "kernel/bootline.h"
#include "kernel/lib/errors.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static struct bootline bl;

static void parse(const char *line)
{
	assert_int_equal(bootline_parse(&bl, line), 0);
}

static void check_word(size_t i, const char *key, const char *value)
{
	assert_true(i < bl.count);
	assert_string_equal(bl.words[i].key, key);
	if (value)
		assert_string_equal(bl.words[i].value, value);
	else
		assert_null(bl.words[i].value);
}

static void test_words(void **state)
{
	(void)state;
	parse("  loglevel=info\tnoapicv  console=com1=x empty= ");
	assert_int_equal(bl.count, 4);
	check_word(0, "loglevel", "info");
	check_word(1, "noapicv", NULL);
	check_word(2, "console", "com1=x");
	check_word(3, "empty", "");
	parse("");
	assert_int_equal(bl.count, 0);
	parse(" \t\r\n ");
	assert_int_equal(bl.count, 0);
}

static void test_quotes(void **state)
{
	(void)state;
	parse("run=\"list; console linux\" x");
	check_word(0, "run", "list; console linux");
	check_word(1, "x", NULL);
	/* What GRUB 2.06 makes of the same line. */
	parse("loglevel=info \"run=list; console linux\" noapicv");
	assert_int_equal(bl.count, 3);
	check_word(1, "run", "list; console linux");
	/* run='echo "a\b" it'"'"'s' comes out of GRUB like this. */
	parse("\"run=echo \\\"a\\\\b\\\" it\\'s\"");
	assert_int_equal(bl.count, 1);
	check_word(0, "run", "echo \"a\\b\" it's");
	parse("a=b\" c\"d\\ e\"\" \"\" f");
	assert_int_equal(bl.count, 2);
	check_word(0, "a", "b cd e");
	check_word(1, "f", NULL);
	parse("trailing\\");
	check_word(0, "trailing\\", NULL);
}

static void test_errors(void **state)
{
	(void)state;
	assert_int_equal(bootline_parse(&bl, "good run=\"open"), ERR_FORMAT);
	assert_int_equal(bl.count, 1);
	check_word(0, "good", NULL);
	assert_int_equal(bootline_parse(&bl, "\""), ERR_FORMAT);
	assert_int_equal(bootline_parse(&bl, "good =value"), ERR_FORMAT);
	assert_int_equal(bl.count, 1);
}

static void test_limits(void **state)
{
	static char line[BOOTLINE_MAX_BYTES + 64];

	(void)state;
	for (size_t i = 0; i < BOOTLINE_MAX_WORDS; i++)
		memcpy(line + 2 * i, "w ", 3);
	parse(line);
	assert_int_equal(bl.count, BOOTLINE_MAX_WORDS);
	strcat(line, "w");
	assert_int_equal(bootline_parse(&bl, line), ERR_FULL);
	assert_int_equal(bl.count, BOOTLINE_MAX_WORDS);
	memset(line, 'x', sizeof(line));
	line[BOOTLINE_MAX_BYTES - 1] = '\0';
	parse(line);
	assert_int_equal(strlen(bl.words[0].key), BOOTLINE_MAX_BYTES - 1);
	line[BOOTLINE_MAX_BYTES - 1] = 'x';
	line[BOOTLINE_MAX_BYTES] = '\0';
	assert_int_equal(bootline_parse(&bl, line), ERR_FULL);
	assert_int_equal(bl.count, 0);
}

static void test_look_up(void **state)
{
	uint64_t n;

	(void)state;
	parse("a=1 flag b=off c=no d=0 e=yes mem=256M bad=12q a=2");
	assert_string_equal(bootline_value(&bl, "a"), "2");
	assert_string_equal(bootline_value(&bl, "flag"), "");
	assert_null(bootline_value(&bl, "fla"));
	assert_null(bootline_value(&bl, ""));
	assert_true(bootline_flag(&bl, "flag"));
	assert_true(bootline_flag(&bl, "e"));
	assert_false(bootline_flag(&bl, "b"));
	assert_false(bootline_flag(&bl, "c"));
	assert_false(bootline_flag(&bl, "d"));
	assert_false(bootline_flag(&bl, "none"));
	assert_int_equal(bootline_number(&bl, "mem", 7, &n), 0);
	assert_int_equal(n, 256 * MIB);
	assert_int_equal(bootline_number(&bl, "none", 7, &n), 0);
	assert_int_equal(n, 7);
	assert_int_equal(bootline_number(&bl, "bad", 7, &n), ERR_INVAL);
	assert_int_equal(bootline_number(&bl, "flag", 7, &n), ERR_INVAL);
	assert_int_equal(n, 7);
}

static void test_unknown(void **state)
{
	static const char *const known[] = {"run", "console", NULL};
	size_t i;

	(void)state;
	parse("run=x colsole=com1 console=com2 rum=1");
	i = bootline_unknown(&bl, known, 0);
	assert_string_equal(bl.words[i].key, "colsole");
	i = bootline_unknown(&bl, known, i + 1);
	assert_string_equal(bl.words[i].key, "rum");
	assert_int_equal(bootline_unknown(&bl, known, i + 1), bl.count);
}

static void test_next_word(void **state)
{
	const char *line = "  a\\ b \"\"  c";
	char word[4];

	(void)state;
	assert_int_equal(bootline_next_word(&line, word, sizeof(word)), 3);
	assert_string_equal(word, "a b");
	assert_int_equal(bootline_next_word(&line, word, sizeof(word)), 0);
	assert_string_equal(line, "c");
	assert_int_equal(bootline_next_word(&line, word, 1), ERR_FULL);
	assert_int_equal(bootline_next_word(&line, word, 0), ERR_FULL);
	assert_int_equal(bootline_next_word(&line, word, 2), 1);
	assert_int_equal(*line, 0);
	assert_int_equal(bootline_next_word(&line, word, 1), 0);
	assert_string_equal(word, "");
}

/* Any line of these characters is either refused or gives words that all lie inside the text. */
static void test_random(void **state)
{
	static const char alphabet[] = "ab= \"\\\t'";

	(void)state;
	for (unsigned round = 0; round < 100000; round++) {
		size_t len = (size_t)rand() % 40;
		char *line = malloc(len + 1);

		for (size_t i = 0; i < len; i++)
			line[i] = alphabet[rand() % 8];
		line[len] = '\0';
		if (bootline_parse(&bl, line) == 0)
			for (size_t i = 0; i < bl.count; i++) {
				assert_true(bl.words[i].key >= bl.text && bl.words[i].key[0] != '\0');
				assert_true(strlen(bl.words[i].key) <= len);
			}
		free(line);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),     cmocka_unit_test(test_quotes),  cmocka_unit_test(test_errors),
		cmocka_unit_test(test_limits),    cmocka_unit_test(test_look_up), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_next_word), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
