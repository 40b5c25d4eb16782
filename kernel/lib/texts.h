/* Tables of names without a table of pointers, which would often be longer than the names: texts that stand one behind the
 * other in one array, each with its terminator. */
#pragma once

#include "kernel/lib/compiler.h"

/* Text n, from 0. There must be more than n. */
const char *text_nth(const char *texts, size_t n);

/* The number of the text that is equal to s, among the first `count`; or -1. */
int text_find(const char *texts, size_t count, const char *s);
