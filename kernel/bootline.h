/* The boot line: words as the operator wrote them behind the image's name in grub.cfg. */
#pragma once

#include "kernel/lib/compiler.h"

enum { BOOTLINE_MAX_WORDS = 64, BOOTLINE_MAX_BYTES = 4096 };

struct bootline_word {
	const char *key;   /* never empty */
	const char *value; /* NULL for a bare word */
};

struct bootline {
	struct bootline_word words[BOOTLINE_MAX_WORDS];
	size_t count;
	char text[BOOTLINE_MAX_BYTES]; /* what key and value point into */
};

/* ERR_FULL (too many words, too long), ERR_FORMAT (quote not closed, a word without a key); bl then has the words so far. */
MUST_CHECK int bootline_parse(struct bootline *bl, const char *line);

/* The value of the last word with the key: NULL when there is none, "" for a bare word. */
const char *bootline_value(const struct bootline *bl, const char *key);
/* Does the key occur at all? key=no, =off and =0 say that it does not. */
bool bootline_flag(const struct bootline *bl, const char *key);
/* A size or number; fallback when the key is not there. ERR_INVAL, ERR_RANGE as parse_size(). */
MUST_CHECK int bootline_number(const struct bootline *bl, const char *key, uint64_t fallback, uint64_t *out);
/* The index, from `from` on, of the first word whose key is not in the NULL-terminated list; count when there is none. */
size_t bootline_unknown(const struct bootline *bl, const char *const *known, size_t from);

/* One word with its quotes and backslashes resolved; *line moves to the next one, and is at the 0 after the last. Returns
 * its length (0 for an empty word, and when there is none), or the negative error of bootline_parse(). */
MUST_CHECK int bootline_next_word(const char **line, char *out, size_t out_bytes);
