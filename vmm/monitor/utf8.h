/* UTF-8, as far as a terminal needs it: where a character begins and ends. RFC 3629. */
#pragma once

#include "kernel/lib/compiler.h"

/* A byte that goes on with a character, and takes no column of its own. */
static inline bool utf8_continues(char byte)
{
	return ((uint8_t)byte & 0xc0) == 0x80;
}

/* Bytes of the character at s, of which len are there; 0 when they are not UTF-8. */
size_t utf8_length(const char *s, size_t len);
