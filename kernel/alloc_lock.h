/* The lock an allocator takes around each operation, handed down: the kernel gives a spinlock once there is more than one
 * CPU, host tests and early boot give none. */
#pragma once

#include "kernel/lib/compiler.h"

struct alloc_lock {
	void (*acquire)(void *ctx); /* NULL: no lock */
	void (*release)(void *ctx);
	void *ctx;
};

static inline void alloc_lock_acquire(const struct alloc_lock *l)
{
	if (l->acquire)
		l->acquire(l->ctx);
}

static inline void alloc_lock_release(const struct alloc_lock *l)
{
	if (l->acquire)
		l->release(l->ctx);
}
