/* What each CPU has for itself. GS points to it while the hypervisor runs: the base is set once per CPU and restored by
 * every VM exit (host state), never by SWAPGS, so that a guest's IA32_KERNEL_GS_BASE can stay in the processor. */
#pragma once

#include "arch/x86/gdt.h"
#include "arch/x86/lock_order.h"
#include "arch/x86/traps.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/compiler.h"
#include "kernel/lib/page_source.h"

#define CPU_MAX 64u

/* Stacks of a CPU: the one it runs on, and one for each exception that may strike when that one cannot be used. */
enum cpu_stack { CPU_STACK_MAIN, CPU_STACK_NMI, CPU_STACK_DOUBLE_FAULT, CPU_STACK_MACHINE_CHECK, CPU_STACK_COUNT };

#define CPU_STACK_MAIN_BYTES 0x8000u
#define CPU_STACK_IST_BYTES 0x2000u

/* One block of memory; below each stack lies a page that is never mapped once the final page tables are in use. */
struct cpu_stacks {
	uint8_t guard_main[PAGE_SIZE];
	uint8_t main[CPU_STACK_MAIN_BYTES];
	struct {
		uint8_t guard[PAGE_SIZE];
		uint8_t stack[CPU_STACK_IST_BYTES];
	} ist[CPU_STACK_COUNT - 1];
};

/* What an upper floor hangs on each CPU; the owner of a slot is the folder it is named after. */
enum percpu_slot { PERCPU_VMX, PERCPU_SCHED, PERCPU_TIME, PERCPU_MONITOR, PERCPU_SLOT_COUNT };

struct percpu {
	struct percpu *self; /* first: read through GS */
	uint32_t index;      /* 0 = the CPU that booted */
	uint32_t apic_id;
	uint32_t
		attention; /* somebody wants this CPU: it enters no guest and does not halt; atomic; by offset in assembly */
	void *slot[PERCPU_SLOT_COUNT];
	uint64_t spurious;   /* interrupts nobody had a handler for */
	uint64_t fixups;     /* faults mended by the exception table */
	bool online;         /* up, and takes kicks; set by the CPU itself */
	bool kicked;         /* an NMI of ours is under way to it (nmi.c) */
	uint64_t kicks;      /* NMIs of ours that it has taken */
	uint64_t sleeps;     /* times that it went to sleep with nothing to run */
	uint64_t timer_at;   /* what its timer is armed for (kernel/idle.c) */
	bool timer_came;     /* the interrupt of that timer has, since the last look (kernel/idle.c) */
	int64_t tsc_delta;   /* its TSC less the first CPU's, as far as known */
	uint32_t protection; /* PROTECTION_* that are on (paging.h) */
	bool in_nmi;
	struct locks_held locks; /* only with DEBUG=1 */
	uint64_t flushed;        /* up to which demand it has dropped its translations (tlb.c) */
	/* When another CPU has stopped it, or it has panicked second: where it was. */
	struct trap_frame stopped_at;
	const char *stopped_why; /* what it was about to panic of, NULL: nothing */
	bool stopped;            /* the two above are filled in, and it does nothing any more */
	struct cpu_stacks *stacks;
	struct gdt gdt;
	struct tss tss;
} ALIGNED(16);

static_assert(offsetof(struct percpu, attention) == 16, "PERCPU_ATTENTION in nmi.asm and enter.asm");

static inline struct percpu *this_cpu(void)
{
	struct percpu *cpu;

	/* Volatile: it must not be carried over a place where the code goes on on another CPU's stack. */
	__asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* The boot CPU's, usable before there is an allocator. */
extern struct percpu bsp_percpu;
extern struct cpu_stacks bsp_stacks;

struct percpu *percpu_init_bsp(void);
MUST_CHECK int percpu_create(uint32_t index, uint32_t apic_id, const struct page_source *pages, struct percpu **out);
void percpu_destroy(struct percpu *cpu, const struct page_source *pages);
void percpu_load(struct percpu *cpu);

/* Which CPU of those created (NULL: none with that number), for messages and for IPIs. */
struct percpu *percpu_get(uint32_t index);
uint32_t percpu_count(void);

/* Bounds of a stack: [*base, *top). */
void cpu_stack_bounds(const struct cpu_stacks *s, enum cpu_stack which, uint64_t *base, uint64_t *top);
