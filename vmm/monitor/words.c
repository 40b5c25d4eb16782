/* Words of a command line, commands of a script. */
#include "vmm/monitor/words.h"

#include "kernel/lib/errors.h"

/* Copy one word down over its own quotes and backslashes. Returns where the input goes on, or NULL: quote not closed. */
static char *word_copy(char *from, char **end)
{
	bool quoted = false;
	char *to;

	while (*from > ' ' && *from != '"' && *from != '\\')
		from++; /* stays where it is */
	to = from;
	for (; *from != '\0' && (quoted || *from != ' '); from++) {
		if (*from == '"') {
			quoted = !quoted;
			continue;
		}
		if (*from == '\\' && from[1] != '\0')
			from++;
		*to++ = *from;
	}
	*end = to;
	return quoted ? NULL : from;
}

int words_split(char *line, char **words, int max)
{
	int count = 0;

	for (;;) {
		char *end, *next;
		bool last;

		while (*line == ' ')
			line++;
		if (*line == '\0')
			return count;
		if (count == max)
			return ERR_FULL;
		next = word_copy(line, &end);
		if (next == NULL)
			return ERR_FORMAT;
		words[count++] = line;
		last = *next == '\0';
		*end = '\0';
		line = last ? next : next + 1;
		if (last)
			return count;
	}
}

size_t words_next_command(const char *script, size_t *at, char *out, size_t out_size)
{
	size_t len = 0;

	while (len == 0 && script[*at] != '\0') {
		bool quoted = false;

		for (; script[*at] != '\0' && (quoted || script[*at] != ';'); ++*at) {
			bool escape = script[*at] == '\\' && script[*at + 1] != '\0';

			if (script[*at] == '"')
				quoted = !quoted;
			if (len == 0 && script[*at] == ' ')
				continue;
			/* A backslash and what it keeps go on together: words_split() resolves them. */
			for (unsigned n = escape ? 2 : 1; n > 0; n--, len++) {
				if (len + 1 < out_size)
					out[len] = script[*at + (escape ? 2 : 1) - n];
			}
			if (escape)
				++*at;
		}
		if (script[*at] == ';')
			++*at;
	}
	out[len < out_size ? len : out_size - 1] = '\0';
	return len;
}
