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
	const uint8_t *bytes = p;
	uint8_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + bytes[i]);
	return sum;
}
