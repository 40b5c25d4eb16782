/* Numbers out of text. Everything is bounded by a length, and every step is checked for overflow before it is taken. */
#include "kernel/lib/parse.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"

/* The value of a digit in base 10 or 16, or base when it is none. */
static unsigned digit_value(char c, unsigned base)
{
	unsigned v = base;

	if (c >= '0' && c <= '9')
		v = (unsigned)(c - '0');
	else if (c >= 'a' && c <= 'f')
		v = (unsigned)(c - 'a') + 10;
	else if (c >= 'A' && c <= 'F')
		v = (unsigned)(c - 'A') + 10;
	return v < base ? v : base;
}

/* Decimal, or hexadecimal behind 0x.
 * Returns 0; ERR_INVAL when it is empty or has a character that is no digit; ERR_RANGE above 2^64 - 1. */
int parse_u64_n(const char *s, size_t len, uint64_t *out)
{
	unsigned base = 10;
	uint64_t v = 0;
	bool too_big = false;

	if (len >= 2 && s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
		base = 16;
		s += 2;
		len -= 2;
	}
	if (len == 0)
		return ERR_INVAL;
	for (; len > 0; len--, s++) {
		unsigned d = digit_value(*s, base);

		if (d == base)
			return ERR_INVAL;
		too_big = too_big || v > (UINT64_MAX - d) / base;
		v = v * base + d;
	}
	if (too_big)
		return ERR_RANGE;
	*out = v;
	return 0;
}

/* parse_u64_n() on a terminated string. */
int parse_u64(const char *s, uint64_t *out)
{
	return parse_u64_n(s, strlen(s), out);
}

/* The number of bits a unit letter shifts by, 0 for any other character. */
static unsigned unit_shift(char c)
{
	switch (c) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	case 't':
	case 'T':
		return 40;
	default:
		return 0;
	}
}

/* A size: digits and an optional unit, K M G T, each also followed by "iB".
 * Returns 0; ERR_INVAL when it is no such thing; ERR_RANGE above 2^64 - 1 bytes. */
int parse_size_n(const char *s, size_t len, uint64_t *out_bytes)
{
	unsigned shift;
	uint64_t v;
	int err;

	if (len > 2 && s[len - 2] == 'i' && s[len - 1] == 'B' && unit_shift(s[len - 3]) != 0)
		len -= 2;
	shift = len > 0 ? unit_shift(s[len - 1]) : 0;
	if (shift != 0)
		len--;
	err = parse_u64_n(s, len, &v);
	if (err)
		return err;
	if (v > UINT64_MAX >> shift)
		return ERR_RANGE;
	*out_bytes = v << shift;
	return 0;
}

/* parse_size_n() on a terminated string. */
int parse_size(const char *s, uint64_t *out_bytes)
{
	return parse_size_n(s, strlen(s), out_bytes);
}

/* The CPU number at *at, which moves behind it. */
static int parse_cpu(const char **at, unsigned *cpu)
{
	unsigned v = 0;

	if (digit_value(**at, 10) == 10)
		return ERR_INVAL;
	for (; digit_value(**at, 10) != 10; ++*at) {
		v = v * 10 + digit_value(**at, 10);
		if (v > 63)
			return ERR_RANGE;
	}
	*cpu = v;
	return 0;
}

/* CPUs and ranges of CPUs, separated by commas, or "all".
 * Returns 0; ERR_INVAL when it is no such thing; ERR_RANGE for a CPU above 63, or a range that goes down. */
int parse_cpu_list(const char *s, uint64_t *out_cpus)
{
	uint64_t cpus = 0;
	unsigned first, last;
	int err;

	if (str_eq(s, "all")) {
		*out_cpus = UINT64_MAX;
		return 0;
	}
	do {
		err = parse_cpu(&s, &first);
		last = first;
		if (!err && *s == '-') {
			s++;
			err = parse_cpu(&s, &last);
		}
		if (err)
			return err;
		if (last < first)
			return ERR_RANGE;
		cpus |= bits_mask(last, first);
	} while (*s++ == ',');
	if (s[-1] != '\0')
		return ERR_INVAL;
	*out_cpus = cpus;
	return 0;
}
