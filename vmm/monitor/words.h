/* A command line into words: separated by blanks, "double quotes" keep blanks, a backslash keeps the next character. Pure. */
#pragma once

#include "kernel/lib/compiler.h"

/* Splits in place. Returns the number of words; ERR_FULL (more than max), ERR_FORMAT (a quote is not closed). */
MUST_CHECK int words_split(char *line, char **words, int max);

/* The next command of a script, where `;` outside quotes separates: copies it to out, and moves *at behind it. Returns its
 * length, 0 at the end; one that is out_size or longer has been cut. */
size_t words_next_command(const char *script, size_t *at, char *out, size_t out_size);
