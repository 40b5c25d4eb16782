/* Little-endian numbers at any address, and the byte sum that firmware tables carry. The builtin becomes one load or store
 * also in a freestanding build, where memcpy() would be a call. */
#pragma once

#include "kernel/lib/compiler.h"

static inline uint16_t load_le16(const void *p)
{
	uint16_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint32_t load_le32(const void *p)
{
	uint32_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static inline uint64_t load_le64(const void *p)
{
	uint64_t v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}

static inline void store_le16(void *p, uint16_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

static inline void store_le32(void *p, uint32_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

static inline void store_le64(void *p, uint64_t v)
{
	__builtin_memcpy(p, &v, sizeof(v));
}

/* The sum of all bytes modulo 256; 0 for an ACPI or SMBIOS table that is whole. */
static inline uint8_t checksum8(const void *p, size_t len)
{
	const uint64_t even = 0x00ff00ff00ff00ffull;
	const uint8_t *bytes = p;
	uint64_t sum = 0;

	/* Eight bytes at a time, as four sums of which only the low eight bits matter. */
	for (; len >= 8; len -= 8, bytes += 8) {
		uint64_t word = load_le64(bytes);

		sum = (sum & even) + (word & even) + (word >> 8 & even);
	}
	sum += sum >> 32;
	sum += sum >> 16;
	while (len-- > 0)
		sum += *bytes++;
	return (uint8_t)sum;
}
