/* A guest that uses all its CPUs. cpus.c starts them and gives them work, apic.c is the local APIC by either of its faces;
 * each of the other files holds items: functions that look at one thing and report with smp_check(). 32-bit, flat, no paging
 * until shootdown.c turns it on. */
#pragma once

#include "guests/lib/guest.h"

#define SMP_MAX_CPUS 32u
#define SMP_STACK_BYTES 8192u

/* Vectors. */
#define SMP_VECTOR_WAKE 0x41u
#define SMP_VECTOR_HIT 0x42u
#define SMP_VECTOR_PING 0x43u
#define SMP_VECTOR_SHOOT 0x44u
#define SMP_VECTOR_TIMER 0x45u
#define SMP_VECTOR_SPURIOUS 0xffu

#define CACHE_ALIGNED ALIGNED(64)

struct smp_cpu {
	void (*volatile job)(void);          /* NULL: idle */
	volatile uint32_t online;            /* times that this CPU has come up */
	volatile uint32_t came_by;           /* page of the trampoline that it came by last */
	volatile uint32_t hits, nmis, ticks; /* interrupts taken, each CPU's own */
	uint32_t apic_id, ldr;
} CACHE_ALIGNED;

extern struct smp_cpu smp_cpus[SMP_MAX_CPUS];
extern unsigned smp_count; /* those that are online */
/* Ticks of the TSC in a second. */
extern uint64_t smp_tsc_hz;

/* cpus.c */
unsigned smp_self(void);
/* Start those that `cpus=N` says are there; how many came. */
unsigned smp_start(void);
/* One that was stopped by INIT comes back by a trampoline of its own page; false: it does not. */
bool smp_restart(unsigned cpu);
/* Give a CPU work, or all of them (this one included) and wait until they have done it. */
void smp_give(unsigned cpu, void (*job)(void));
bool smp_wait(unsigned cpu);
void smp_on(unsigned cpu, void (*job)(void));
void smp_on_all(void (*job)(void));
/* Turns true within some seconds of guest time, or false is returned. */
bool smp_until(bool (*condition)(void *arg), void *arg);
bool smp_reaches(volatile uint32_t *counter, uint32_t value);
void smp_pause(uint32_t turns);
void smp_ap_main(uint32_t cpu, uint32_t page);

static inline void cpu_relax(void)
{
	__asm__ volatile("pause" : : : "memory");
}

/* apic.c */
extern bool apic_x2;
bool apic_has_x2(void);
void apic_enable(void); /* this CPU's, in the face that apic_x2 says */
uint32_t apic_read(uint32_t reg);
void apic_write(uint32_t reg, uint32_t v);
uint32_t apic_id(void);
void apic_eoi(void);
/* dest: an APIC ID or logical destination as this face has them, unshifted. low: the lower half of ICR. */
void apic_icr(uint32_t dest, uint32_t low);

/* main.c: count a failure of the item that runs, and say what was seen. Any CPU may. */
void smp_check(bool ok, const char *what, uint32_t a, uint32_t b);
/* A figure of the item that runs. */
void smp_figure(const char *what, uint64_t value);

/* A ticket lock. */
struct smp_lock {
	volatile uint32_t next, serving;
};
void smp_lock(struct smp_lock *l);
void smp_unlock(struct smp_lock *l);

static inline uint32_t fetch_add(volatile uint32_t *p, uint32_t n)
{
	__asm__ volatile("lock xadd %0, %1" : "+r"(n), "+m"(*p) : : "memory");
	return n;
}

/* n / by; the compiler would call a function for it that is not there. */
static inline uint64_t divide(uint64_t n, uint32_t by)
{
	uint32_t high = (uint32_t)(n >> 32), low = (uint32_t)n, rest = high % by;

	high /= by;
	__asm__("divl %2" : "+a"(low), "+d"(rest) : "r"(by));
	return (uint64_t)high << 32 | low;
}

/* The items. */
void item_start(void);
void item_restart(void);
void item_parked(void);
void item_physical(void);
void item_shorthand(void);
void item_logical(void);
void item_cluster(void);
void item_lowest(void);
void item_self_ipi(void);
void item_nmi(void);
void item_ping(void);
void item_lock(void);
void item_barrier(void);
void item_shootdown(void);
void item_tsc(void);
void item_timer(void);
void item_switch(void);
/* storm.c: never comes back. */
void smp_neighbour(void);
/* Paging as shootdown.c has turned it on; nothing before. */
void paging_join(void);
