/* Numbers out of text, whole or not at all: a number that overflows or has something behind it is an error. */
#pragma once

#include "kernel/lib/compiler.h"

/* "42", "0x2a". The _n forms take exactly len characters, which need no terminator. */
MUST_CHECK int parse_u64(const char *s, uint64_t *out);
MUST_CHECK int parse_u64_n(const char *s, size_t len, uint64_t *out);

/* The same with an optional K, M, G or T (1024 each step), also as "KiB" and in lower case: "256M", "4KiB", "1g". */
MUST_CHECK int parse_size(const char *s, uint64_t *out_bytes);
MUST_CHECK int parse_size_n(const char *s, size_t len, uint64_t *out_bytes);

/* "0,2-3" to a bit for each CPU, 0 to 63; "all" to all of them. fmt_cpu_list() is its reverse. */
MUST_CHECK int parse_cpu_list(const char *s, uint64_t *out_cpus);
