/* Words of a command line, commands of a script. */
#include "vmm/monitor/words.h"

#include "kernel/lib/errors.h"

/* Copy one word down over its own quotes and backslashes. Returns where the input goes on, or NULL: quote not closed. */
static char *word_copy(char *from, char **end)
{
	bool quoted = false;
	char *to = from;

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

	while (script[*at] != '\0') {
		bool quoted = false;

		len = 0;
		for (; script[*at] != '\0' && (quoted || script[*at] != ';'); ++*at) {
			if (script[*at] == '"')
				quoted = !quoted;
			if (len == 0 && script[*at] == ' ')
				continue;
			if (len + 1 < out_size)
				out[len++] = script[*at];
		}
		if (script[*at] == ';')
			++*at;
		if (len > 0)
			break;
	}
	out[len] = '\0';
	return len;
}
