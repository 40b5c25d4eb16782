/* Memory and string functions with the meaning ISO C gives them (7.24), and str_copy(). On the host they are the C
 * library's, so that the sanitizers see through them. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/errors.h"

#if __STDC_HOSTED__
#include <string.h>
#else
void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int c, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);
#endif

/* Copy a string into a buffer of dst_bytes (at least 1); the copy is terminated always.
 * Returns 0; ERR_TRUNC when only the beginning fitted. */
static inline int str_copy(char *dst, const char *src, size_t dst_bytes)
{
	size_t len = strnlen(src, dst_bytes);
	int err = 0;

	if (len == dst_bytes) {
		if (dst_bytes == 0)
			return ERR_TRUNC;
		len = dst_bytes - 1;
		err = ERR_TRUNC;
	}
	memcpy(dst, src, len);
	dst[len] = '\0';
	return err;
}

static inline bool str_eq(const char *a, const char *b)
{
	return strcmp(a, b) == 0;
}

static inline bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}
