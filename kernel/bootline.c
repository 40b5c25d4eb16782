/* Splits the boot line into words. GRUB resolves the quotes of grub.cfg and then writes each word that has a blank in it
 * back as "word", quoted as a whole, with a backslash before each \ ' and "; a line written by hand has key="text". Both
 * forms read the same here: double quotes may stand anywhere in a word, a backslash makes the next character plain. */
#include "kernel/bootline.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Read the next word.
 * *line: terminated text; moved behind the word.  out: out_bytes long, gets the word, terminated.
 * Returns the word's length, which is 0 for an empty word ("") as well as at the end, where **line is 0; ERR_FULL when
 * it does not fit; ERR_FORMAT when a quote is not closed.  Context: any. */
int bootline_next_word(const char **line, char *out, size_t out_bytes)
{
	const char *p = *line;
	bool quoted = false;
	size_t len = 0;

	while (is_blank(*p))
		p++;
	for (; *p != '\0' && (quoted || !is_blank(*p)); p++) {
		if (*p == '"') {
			quoted = !quoted;
			continue;
		}
		if (*p == '\\' && p[1] != '\0')
			p++;
		if (len + 1 >= out_bytes)
			return ERR_FULL;
		out[len++] = *p;
	}
	if (quoted)
		return ERR_FORMAT;
	while (is_blank(*p)) /* so that the end of the line can be told from an empty word */
		p++;
	if (out_bytes == 0)
		return ERR_FULL;
	out[len] = '\0';
	*line = p;
	return (int)len;
}

/* key=value, in place. */
static struct bootline_word split_word(char *word)
{
	char *equals = strchr(word, '=');

	if (!equals)
		return (struct bootline_word){.key = word};
	*equals = '\0';
	return (struct bootline_word){.key = word, .value = equals + 1};
}

/* Split a boot line.
 * line: terminated; not kept.
 * Returns 0; ERR_FULL for more than BOOTLINE_MAX_WORDS words or BOOTLINE_MAX_BYTES; ERR_FORMAT for a quote that is not
 * closed or a word that begins with '='. On error the words before the bad one are there.  Context: any. */
int bootline_parse(struct bootline *bl, const char *line)
{
	size_t used = 0;

	bl->count = 0;
	while (is_blank(*line))
		line++;
	while (*line != '\0') {
		char *word = bl->text + used;
		int len = bootline_next_word(&line, word, sizeof(bl->text) - used);

		if (len < 0)
			return len;
		if (len == 0)
			continue;
		if (word[0] == '=')
			return ERR_FORMAT;
		if (bl->count == BOOTLINE_MAX_WORDS)
			return ERR_FULL;
		bl->words[bl->count++] = split_word(word);
		used += (size_t)len + 1;
	}
	return 0;
}

static const struct bootline_word *find_word(const struct bootline *bl, const char *key)
{
	for (size_t i = bl->count; i-- > 0;)
		if (str_eq(bl->words[i].key, key))
			return &bl->words[i];
	return NULL;
}

/* A key's value; the last one counts when the key occurs more than once.
 * Returns NULL when it does not occur, "" when it has no value.  Context: any. */
const char *bootline_value(const struct bootline *bl, const char *key)
{
	const struct bootline_word *w = find_word(bl, key);

	if (!w)
		return NULL;
	return w->value ? w->value : "";
}

/* Is a switch on?
 * Returns true for key and key=anything but no, off and 0.  Context: any. */
bool bootline_flag(const struct bootline *bl, const char *key)
{
	const char *value = bootline_value(bl, key);

	return value && !str_eq(value, "no") && !str_eq(value, "off") && !str_eq(value, "0");
}

/* A key's value as a number or size.
 * Returns 0, *out being fallback when the key does not occur; ERR_INVAL, ERR_RANGE as parse_size(), *out unchanged. */
int bootline_number(const struct bootline *bl, const char *key, uint64_t fallback, uint64_t *out)
{
	const char *value = bootline_value(bl, key);

	if (value)
		return parse_size(value, out);
	*out = fallback;
	return 0;
}

/* Find words nobody knows, for a warning.
 * known: NULL-terminated list of keys.  from: index to begin at.
 * Returns the index of the first such word, or bl->count.  Context: any. */
size_t bootline_unknown(const struct bootline *bl, const char *const *known, size_t from)
{
	for (size_t i = from; i < bl->count; i++) {
		const char *const *k = known;

		while (*k && !str_eq(*k, bl->words[i].key))
			k++;
		if (!*k)
			return i;
	}
	return bl->count;
}
