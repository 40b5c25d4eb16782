/* Between the files of the load only: what its phases share. See main.c. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdnoreturn.h>

#define MAX_THREADS 16u

extern unsigned threads;
/* The path by which we can be executed again. */
extern const char *self_path;

/* A phase: the same work each time, done by all threads at once; what thread `t` has seen, as a sum. */
typedef uint64_t phase_fn(unsigned t);
phase_fn phase_maps, phase_remap, phase_futex, phase_pipes, phase_signals, phase_fork, phase_float, phase_clock,
	phase_mix;
/* Before the threads of each round begin; NULL: nothing to do. */
void remap_prepare(void);
void futex_prepare(void);
void pipes_prepare(void);
void pipes_done(void);
void clock_prepare(void);

/* Parts of phases that need no other thread. */
uint64_t maps_alone(unsigned t);

/* Says what went wrong and ends everything. */
noreturn void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* `what` did what its manual says, or fail with errno. */
long must(long result, const char *what);

/* SplitMix64: a step of a generator, and a way to stir one number into another. */
static inline uint64_t stir(uint64_t x)
{
	x += 0x9e3779b97f4a7c15u;
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

/* Sleep while *word is `value`; wake those that do. */
void futex_wait(_Atomic uint32_t *word, uint32_t value);
void futex_wake(_Atomic uint32_t *word);
/* Sleep until it is `value`. */
void futex_await(_Atomic uint32_t *word, uint32_t value);
void futex_set(_Atomic uint32_t *word, uint32_t value);

/* What `load child SEED` prints. */
uint64_t child_sum(uint64_t seed);
