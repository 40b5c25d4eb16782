/* What the compiler offers beyond C11, under names of our own. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MUST_CHECK __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))
#define ALIGNED(n) __attribute__((aligned(n)))
#define PACKED __attribute__((packed))
#define SECTION(name) __attribute__((section(name)))
#define UNUSED __attribute__((unused))
/* In a file that is built for speed (HOT in the Makefile): off the paths that guests wait for. Such a function is built for size,
 * and not inlined into such a path, where it would make room for its registers. */
#define COLD __attribute__((noinline, cold))

#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

#define KIB (1024ull)
#define MIB (1024ull * KIB)
#define GIB (1024ull * MIB)

#define PAGE_SHIFT 12u
#define PAGE_SIZE 4096ull
#define PAGE_SIZE_2M (2 * MIB)
#define PAGE_SIZE_1G (1 * GIB)

#define BIT32(n) (1u << (n))
#define BIT64(n) (1ull << (n))

/* Round to a power of two. */
#define ALIGN_UP(x, a) (((x) + ((a)-1)) & ~((__typeof__(x))(a)-1))
#define ALIGN_DOWN(x, a) ((x) & ~((__typeof__(x))(a)-1))
#define IS_ALIGNED(x, a) (((x) & ((__typeof__(x))(a)-1)) == 0)

/* Checks that cost too much for every day: 1 in builds with DEBUG=1. Ask by a plain `if`. */
#ifndef AVATAR_DEBUG
#define AVATAR_DEBUG 0
#endif
