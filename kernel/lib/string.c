/* The freestanding C library's memory and string functions. The compiler also calls memcpy, memmove, memset and memcmp by
 * itself, so this file is built without builtins and without loop-to-memset conversion. Big blocks go by REP MOVSQ/STOSQ,
 * which both silicon and emulators run fast; small ones by plain words, because REP has a start-up cost. */
#include "kernel/lib/string.h"

enum { REP_MIN_BYTES = 128 };

static inline uint64_t load64(const uint8_t *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static inline void store64(uint8_t *p, uint64_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

/* From the lowest address up, each word read before it is written: right also when dst lies below an overlapping src. */
static inline void copy_ascending(uint8_t *d, const uint8_t *s, size_t n)
{
	if (n >= REP_MIN_BYTES) {
		size_t words = n / 8;

		__asm__ volatile("rep movsq" : "+D"(d), "+S"(s), "+c"(words) : : "memory");
		n %= 8;
	}
	for (; n >= 8; n -= 8, d += 8, s += 8)
		store64(d, load64(s));
	while (n-- > 0)
		*d++ = *s++;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
	copy_ascending(dst, src, n);
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	uint8_t *d = dst;
	const uint8_t *s = src;

	if ((uintptr_t)d - (uintptr_t)s >= n) { /* below the source, or behind its end */
		copy_ascending(d, s, n);
		return dst;
	}
	for (; n >= 8; n -= 8)
		store64(d + n - 8, load64(s + n - 8));
	while (n-- > 0)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	uint8_t *d = dst;
	uint64_t pattern = (uint8_t)c * 0x0101010101010101ull;

	if (n >= REP_MIN_BYTES) {
		size_t words = n / 8;

		__asm__ volatile("rep stosq" : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
		n %= 8;
	}
	for (; n >= 8; n -= 8, d += 8)
		store64(d, pattern);
	while (n-- > 0)
		*d++ = (uint8_t)c;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const uint8_t *p = a;
	const uint8_t *q = b;

	for (; n >= 8 && load64(p) == load64(q); n -= 8, p += 8, q += 8)
		;
	for (; n > 0; n--, p++, q++)
		if (*p != *q)
			return *p < *q ? -1 : 1;
	return 0;
}

void *memchr(const void *s, int c, size_t n)
{
	const uint64_t ones = 0x0101010101010101ull;
	const uint64_t pattern = (uint8_t)c * ones;
	const uint8_t *p = s;

	/* A byte is zero where subtracting one borrows from its highest bit, and that was not set. */
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t differs = load64(p) ^ pattern;

		if (((differs - ones) & ~differs & ones << 7) != 0)
			break;
	}
	for (; n > 0; n--, p++)
		if (*p == (uint8_t)c)
			return (void *)(uintptr_t)p;
	return NULL;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n] != '\0')
		n++;
	return n;
}

size_t strnlen(const char *s, size_t max)
{
	size_t n = 0;

	while (n < max && s[n] != '\0')
		n++;
	return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
	for (; n > 0; n--, a++, b++) {
		if (*a != *b)
			return (uint8_t)*a < (uint8_t)*b ? -1 : 1;
		if (*a == '\0')
			break;
	}
	return 0;
}

int strcmp(const char *a, const char *b)
{
	return strncmp(a, b, PTRDIFF_MAX);
}

char *strchr(const char *s, int c)
{
	for (;; s++) {
		if (*s == (char)c)
			return (char *)(uintptr_t)s;
		if (*s == '\0')
			return NULL;
	}
}

char *strrchr(const char *s, int c)
{
	const char *last = NULL;

	for (;; s++) {
		if (*s == (char)c)
			last = s;
		if (*s == '\0')
			return (char *)(uintptr_t)last;
	}
}

char *strstr(const char *haystack, const char *needle)
{
	size_t len = strlen(needle);

	for (;; haystack++) {
		if (strncmp(haystack, needle, len) == 0)
			return (char *)(uintptr_t)haystack;
		if (*haystack == '\0')
			return NULL;
	}
}
