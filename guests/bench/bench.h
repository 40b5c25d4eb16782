/* The bench guest: operations that a hypervisor may have to intercept, each in a loop, counted by RDTSC. Where one tick is one
 * instruction (Bochs), the figures are exact and repeat; on hardware they are cycles. */
#pragma once

#include "guests/lib/guest.h"

struct bench {
	const char *name;
	void (*op)(void);
	uint16_t batch;   /* operations between two looks at the clock */
	uint16_t batches; /* the quickest one is the figure; the mean shows what came in between */
};

/* Run each that is wanted and print a line `bench NAME COUNT MEAN`, or `skip NAME WHY`. */
void bench_run(const struct bench *list, unsigned count);
/* One line with a figure that was found in another way. */
void bench_report(const char *name, uint32_t count, uint32_t mean);
void bench_skip(const char *name, const char *why);

/* Does the operator want this one? Ask for each operation there is, or bench_name_the_unknown() names it. */
bool bench_wanted(const char *name);
/* At the end: a line `skip NAME ...` for each name that nobody has. */
void bench_name_the_unknown(void);

/* The parts. */
void bench_processor(void);
void bench_ports(void);
void bench_memory(void);
void bench_xapic(void);
void bench_x2apic(void);

/* Interrupts, apic.c: counted by the handlers of handlers.asm. */
#define BENCH_VECTOR 0x50u
extern volatile uint32_t bench_fired;
void bench_gate(void (*handler)(void));
/* Wait until the interrupt has come; what never comes is lost. */
void bench_await(void);
extern bool bench_lost;

static inline void write_cr0(uint32_t v)
{
	__asm__ volatile("mov %0, %%cr0" : : "r"(v) : "memory");
}

static inline uint32_t read_cr0(void)
{
	uint32_t v;

	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	return v;
}
