/* A load for Linux: load SECONDS [THREADS]. Phases, each done by all threads at once, again and again until the time is over;
 * each does the same work every time, so that its sum is the same every time, on every machine. Ends with
 * "load: OK sum=..." or says what went wrong: another sum than before, a result that cannot be, or a phase that does not end. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Guest seconds after which a phase is taken for stuck. */
#define STALL_SECONDS 120

static struct phase {
	const char *name;
	phase_fn *run;
	void (*prepare)(void);
	void (*done)(void);
	uint64_t sum;
	uint64_t ns;
} phases[] = {
	{"maps", phase_maps, NULL, NULL, 0, 0},
	{"remap", phase_remap, remap_prepare, NULL, 0, 0},
	{"futex", phase_futex, futex_prepare, NULL, 0, 0},
	{"pipes", phase_pipes, pipes_prepare, pipes_done, 0, 0},
	{"signals", phase_signals, NULL, NULL, 0, 0},
	{"fork", phase_fork, NULL, NULL, 0, 0},
	{"float", phase_float, NULL, NULL, 0, 0},
	{"clock", phase_clock, clock_prepare, NULL, 0, 0},
	{"mix", phase_mix, NULL, NULL, 0, 0},
};
#define PHASES (sizeof(phases) / sizeof(phases[0]))

unsigned threads = 4;
const char *self_path;

static struct phase *current;
static uint64_t sums[MAX_THREADS];
/* The round that is under way, and how many threads have ended it. */
static _Atomic uint32_t started, ended;

void fail(const char *fmt, ...)
{
	va_list args;

	printf("load: FAIL in phase %s: ", current ? current->name : "none");
	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf("\n");
	fflush(stdout);
	_exit(1);
}

long must(long result, const char *what)
{
	if (result < 0)
		fail("%s: %s", what, strerror(errno));
	return result;
}

void futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	if (syscall(SYS_futex, word, FUTEX_WAIT, value, NULL, NULL, 0) < 0 && errno != EAGAIN && errno != EINTR)
		fail("futex wait: %s", strerror(errno));
}

void futex_wake(_Atomic uint32_t *word)
{
	must(syscall(SYS_futex, word, FUTEX_WAKE, 1 << 30, NULL, NULL, 0), "futex wake");
}

void futex_await(_Atomic uint32_t *word, uint32_t value)
{
	uint32_t seen;

	while ((seen = atomic_load(word)) != value)
		futex_wait(word, seen);
}

void futex_set(_Atomic uint32_t *word, uint32_t value)
{
	atomic_store(word, value);
	futex_wake(word);
}

static void *worker(void *arg)
{
	unsigned t = (unsigned)(uintptr_t)arg;

	for (uint32_t round = 1;; round++) {
		futex_await(&started, round);
		sums[t] = current->run(t);
		atomic_fetch_add(&ended, 1);
		futex_wake(&ended);
	}
	return NULL;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* All threads end the phase, or it is stuck. */
static void await_threads(void)
{
	struct timespec second = {1, 0};
	uint64_t begin = now_ns();
	uint32_t seen;

	while ((seen = atomic_load(&ended)) != threads) {
		syscall(SYS_futex, &ended, FUTEX_WAIT, seen, &second, NULL, 0);
		if (now_ns() - begin > STALL_SECONDS * 1000000000ull)
			fail("STALL, %u of %u threads ended it in %u s", seen, threads, STALL_SECONDS);
	}
}

static uint64_t run_phase(struct phase *p)
{
	uint64_t begin = now_ns(), sum = 0;

	current = p;
	if (p->prepare)
		p->prepare();
	atomic_store(&ended, 0);
	atomic_fetch_add(&started, 1);
	futex_wake(&started);
	await_threads();
	for (unsigned t = 0; t < threads; t++)
		sum = stir(sum ^ sums[t]);
	if (p->done)
		p->done();
	p->ns += now_ns() - begin;
	return sum;
}

static void run_round(unsigned round)
{
	for (unsigned i = 0; i < PHASES; i++) {
		struct phase *p = &phases[i];
		uint64_t sum = run_phase(p);

		if (round == 0)
			p->sum = sum;
		if (sum != p->sum)
			fail("sum %016llx in round %u, %016llx before", (unsigned long long)sum, round,
			     (unsigned long long)p->sum);
	}
}

static void report(unsigned rounds)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < PHASES; i++) {
		struct phase *p = &phases[i];

		printf("load: phase %s sum=%016llx ms=%llu\n", p->name, (unsigned long long)p->sum,
		       (unsigned long long)(p->ns / rounds / 1000000));
		sum = stir(sum ^ p->sum);
	}
	printf("load: OK sum=%016llx rounds=%u threads=%u\n", (unsigned long long)sum, rounds, threads);
}

static int child(const char *seed)
{
	printf("%016llx", (unsigned long long)child_sum(strtoull(seed, NULL, 10)));
	return 0;
}

int main(int argc, char **argv)
{
	unsigned seconds, rounds = 0;
	uint64_t begin = now_ns();

	self_path = access("/proc/self/exe", X_OK) == 0 ? "/proc/self/exe" : argv[0];
	if (argc == 3 && strcmp(argv[1], "child") == 0)
		return child(argv[2]);
	if (argc < 2) {
		fprintf(stderr, "usage: load SECONDS [THREADS]\n");
		return 2;
	}
	seconds = (unsigned)atoi(argv[1]);
	if (argc > 2)
		threads = (unsigned)atoi(argv[2]);
	if (threads < 1 || threads > MAX_THREADS) {
		fprintf(stderr, "load: 1 to %u threads\n", MAX_THREADS);
		return 2;
	}
	for (uintptr_t t = 0; t < threads; t++) {
		pthread_t thread;

		errno = pthread_create(&thread, NULL, worker, (void *)t);
		must(errno ? -1 : 0, "pthread_create");
	}
	do
		run_round(rounds++);
	while (now_ns() - begin < seconds * 1000000000ull);
	report(rounds);
	return 0;
}
