/* Order of memory accesses. x86 keeps stores in order and loads in order (SDM 3 "Memory Ordering"); only a load may pass an
 * older store, which mb() prevents. */
#pragma once

static inline void mb(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

/* Loads before stay before loads after, also of write-combining memory; and no later instruction begins before them. */
static inline void rmb(void)
{
	__asm__ volatile("lfence" : : : "memory");
}
