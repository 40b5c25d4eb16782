/* Order of memory accesses. x86 keeps stores in order and loads in order (SDM 3 "Memory Ordering"); only a load may pass an
 * older store, which mb() prevents. The others keep the compiler from moving anything. */
#pragma once

static inline void compiler_barrier(void)
{
	__asm__ volatile("" : : : "memory");
}

static inline void mb(void)
{
	__asm__ volatile("mfence" : : : "memory");
}

/* Loads (stores) before stay before loads (stores) after, also with write-combining or non-temporal accesses. */
static inline void rmb(void)
{
	__asm__ volatile("lfence" : : : "memory");
}

static inline void wmb(void)
{
	__asm__ volatile("sfence" : : : "memory");
}
