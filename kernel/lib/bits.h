/* Bit fields of registers by their manual positions, and powers of two. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/assert.h"

/* A mask of bits hi..lo, both included: bits_mask(7, 4) = 0xf0. */
static inline uint64_t bits_mask(unsigned hi, unsigned lo)
{
	return (UINT64_MAX >> (63 - (hi - lo))) << lo;
}

static inline uint64_t bits_extract(uint64_t v, unsigned hi, unsigned lo)
{
	return (v >> lo) & (UINT64_MAX >> (63 - (hi - lo)));
}

/* v with bits hi..lo replaced by the low bits of field. */
static inline uint64_t bits_insert(uint64_t v, unsigned hi, unsigned lo, uint64_t field)
{
	uint64_t mask = bits_mask(hi, lo);

	return (v & ~mask) | ((field << lo) & mask);
}

static inline bool bits_test(uint64_t v, unsigned bit)
{
	return (v >> bit & 1) != 0;
}

/* Numbers of the lowest and the highest bit set; v is not 0. */
static inline unsigned bits_ffs(uint64_t v)
{
	assert(v != 0);
	return (unsigned)__builtin_ctzll(v);
}

static inline unsigned bits_fls(uint64_t v)
{
	assert(v != 0);
	return 63 ^ (unsigned)__builtin_clzll(v); /* which BSR says at once; a difference is reckoned */
}

/* How many bits are set (the builtin would call libgcc). */
static inline unsigned bits_count(uint64_t v)
{
	v -= v >> 1 & 0x5555555555555555ull;
	v = (v & 0x3333333333333333ull) + (v >> 2 & 0x3333333333333333ull);
	v = (v + (v >> 4)) & 0x0f0f0f0f0f0f0f0full;
	return (unsigned)(v * 0x0101010101010101ull >> 56);
}

/* Sign-extend the low `width` bits (1..64). */
static inline int64_t bits_sign_extend(uint64_t v, unsigned width)
{
	uint64_t sign = 1ull << (width - 1);

	v &= UINT64_MAX >> (64 - width);
	return (int64_t)((v ^ sign) - sign);
}

static inline bool is_pow2(uint64_t v)
{
	return v != 0 && (v & (v - 1)) == 0;
}

static inline unsigned log2_floor(uint64_t v)
{
	return bits_fls(v);
}

static inline unsigned log2_ceil(uint64_t v)
{
	return bits_fls(v) + (is_pow2(v) ? 0 : 1);
}
