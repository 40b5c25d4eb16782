/* A bitmap in the caller's array of 64-bit words. Not atomic. The number of bits is the caller's to remember. */
#pragma once

#include "kernel/lib/bits.h"

#define BITMAP_WORDS(bits) (((bits) + 63) / 64)

/* What the searches return when there is none. */
#define BITMAP_NONE SIZE_MAX

static inline bool bitmap_test(const uint64_t *map, size_t bit)
{
	return (map[bit / 64] >> (bit % 64) & 1) != 0;
}

static inline void bitmap_set(uint64_t *map, size_t bit)
{
	map[bit / 64] |= BIT64(bit % 64);
}

static inline void bitmap_clear(uint64_t *map, size_t bit)
{
	map[bit / 64] &= ~BIT64(bit % 64);
}

static inline void bitmap_assign(uint64_t *map, size_t bit, bool value)
{
	if (value)
		bitmap_set(map, bit);
	else
		bitmap_clear(map, bit);
}

static inline void bitmap_set_range(uint64_t *map, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bitmap_set(map, first + i);
}

static inline void bitmap_clear_range(uint64_t *map, size_t first, size_t count)
{
	for (size_t i = 0; i < count; i++)
		bitmap_clear(map, first + i);
}

/* The first bit at or behind `from` and below bits that, after the flip, is set. */
static inline size_t bitmap_search(const uint64_t *map, size_t bits, size_t from, uint64_t flip)
{
	while (from < bits) {
		uint64_t rest = (map[from / 64] ^ flip) >> (from % 64);

		if (rest != 0) {
			from += bits_ffs(rest);
			return from < bits ? from : BITMAP_NONE;
		}
		from = (from / 64 + 1) * 64;
	}
	return BITMAP_NONE;
}

/* The first set / clear bit in [from, bits), or BITMAP_NONE. */
static inline size_t bitmap_next_set(const uint64_t *map, size_t bits, size_t from)
{
	return bitmap_search(map, bits, from, 0);
}

static inline size_t bitmap_next_clear(const uint64_t *map, size_t bits, size_t from)
{
	return bitmap_search(map, bits, from, UINT64_MAX);
}

static inline size_t bitmap_count(const uint64_t *map, size_t bits)
{
	size_t count = 0;

	for (size_t i = 0; i < bits / 64; i++)
		count += bits_count(map[i]);
	if (bits % 64 != 0)
		count += bits_count(map[bits / 64] & (BIT64(bits % 64) - 1));
	return count;
}
