/* Parts with 8-bit registers on a wider bus: a word or dword access reaches them as one byte access per address, lowest
 * address first. Not inlined: the frequent access is one byte, and should pay for no loop. */
#pragma once

#include "kernel/lib/compiler.h"

static __attribute__((noinline)) UNUSED uint64_t bytewise_read(uint8_t (*read)(void *ctx, unsigned reg), void *ctx,
							       uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)read(ctx, (unsigned)offset + i) << (8 * i);
	return value;
}

static __attribute__((noinline)) UNUSED void bytewise_write(void (*write)(void *ctx, unsigned reg, uint8_t value),
							    void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	for (unsigned i = 0; i < size; i++)
		write(ctx, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
}
