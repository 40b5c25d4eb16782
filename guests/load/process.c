/* Processes that are made out of a process with many threads; the state of the floating-point unit; the clock. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FORKS 6u
#define EXEC_EACH 3u
#define COW_PAGES 24u
#define PAGE 4096u
#define FLOAT_TURNS 100000u
#define CLOCK_TURNS 500u
#define NAP_NS 2000000

/* Each thread's part is copied on write by its children, while it writes itself. */
static uint64_t cow[MAX_THREADS][COW_PAGES * PAGE / sizeof(uint64_t)] __attribute__((aligned(4096)));

uint64_t child_sum(uint64_t seed)
{
	uint64_t sum = seed;

	for (unsigned i = 0; i < 1000; i++)
		sum = stir(sum);
	return sum;
}

static uint64_t write_pages(unsigned t, uint64_t seed)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < COW_PAGES; i++) {
		uint64_t *word = &cow[t][i * PAGE / sizeof(uint64_t)];

		sum = stir(sum ^ *word);
		*word = stir(seed + i);
	}
	return sum;
}

/* The child sees the pages as they were at the fork, not as we write them now. */
static uint64_t fork_once(unsigned t, unsigned i)
{
	uint64_t seen;
	int fds[2], status;
	pid_t pid;

	must(pipe2(fds, O_CLOEXEC), "pipe");
	pid = (pid_t)must(fork(), "fork");
	if (pid == 0) {
		seen = write_pages(t, 12345);
		_exit(write(fds[1], &seen, sizeof(seen)) == sizeof(seen) ? 42 : 1);
	}
	write_pages(t, t * 100 + i);
	if (must(read(fds[0], &seen, sizeof(seen)), "read from a child") != sizeof(seen))
		fail("a child says nothing");
	must(waitpid(pid, &status, 0), "waitpid");
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 42)
		fail("a child ended with status 0x%x", (unsigned)status);
	close(fds[0]);
	close(fds[1]);
	return seen;
}

static void become_child(int out, unsigned seed)
{
	char text[16], *argv[] = {(char *)self_path, (char *)"child", text, NULL};

	snprintf(text, sizeof(text), "%u", seed);
	dup2(out, 1);
	execv(self_path, argv);
	_exit(1);
}

static uint64_t exec_once(unsigned seed)
{
	char text[17] = "";
	size_t have = 0;
	int fds[2], status;
	pid_t pid;

	must(pipe2(fds, O_CLOEXEC), "pipe");
	pid = (pid_t)must(fork(), "fork");
	if (pid == 0)
		become_child(fds[1], seed);
	close(fds[1]);
	while (have < 16) {
		long got = must(read(fds[0], text + have, 16 - have), "read from a program");

		if (got == 0)
			break;
		have += (size_t)got;
	}
	must(waitpid(pid, &status, 0), "waitpid");
	close(fds[0]);
	if (status != 0 || strtoull(text, NULL, 16) != child_sum(seed))
		fail("a program ended with status 0x%x and said '%s'", (unsigned)status, text);
	return strtoull(text, NULL, 16);
}

uint64_t phase_fork(unsigned t)
{
	uint64_t sum = 0;

	write_pages(t, t);
	for (unsigned i = 0; i < FORKS; i++) {
		sum = stir(sum ^ fork_once(t, i));
		if (i % EXEC_EACH == 0)
			sum = stir(sum ^ exec_once(t * 1000 + i));
	}
	return sum;
}

typedef double four __attribute__((vector_size(32)));

/* A chaotic map in four lanes: one wrong bit in a register, and the end is another one. */
#define FOUR_LANES(x)                                                                                                  \
	for (unsigned i = 0; i < FLOAT_TURNS; i++)                                                                     \
	x = 3.9 * x * (1.0 - x)

static void lanes_sse(four *x)
{
	four v = *x;

	FOUR_LANES(v);
	*x = v;
}

__attribute__((target("avx"))) static void lanes_avx(four *x)
{
	four v = *x;

	FOUR_LANES(v);
	*x = v;
}

static uint64_t bits_of(double d)
{
	uint64_t bits;

	memcpy(&bits, &d, sizeof(bits));
	return bits;
}

/* The x87's registers are 80 bits wide. */
static uint64_t x87(unsigned t)
{
	volatile double start = 0.1 + t * 0.01;
	long double x = start;

	for (unsigned i = 0; i < FLOAT_TURNS; i++)
		x = 3.9L * x * (1.0L - x);
	return bits_of((double)x);
}

uint64_t phase_float(unsigned t)
{
	four x = {0.1 + t * 0.001, 0.2 + t * 0.001, 0.3, 0.4};
	uint64_t sum = x87(t);

	if (__builtin_cpu_supports("avx"))
		lanes_avx(&x);
	else
		lanes_sse(&x);
	for (unsigned i = 0; i < 4; i++)
		sum = stir(sum ^ bits_of(x[i]));
	return sum;
}

static pthread_mutex_t clock_lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t last;
static unsigned looks;

void clock_prepare(void)
{
	looks = 0;
}

static uint64_t monotonic(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t), "clock_gettime");
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Seen by one thread after the other, time only grows; and no sleep is too short. */
uint64_t phase_clock(unsigned t)
{
	struct timespec nap = {0, NAP_NS};
	uint64_t begin;

	(void)t;
	for (unsigned i = 0; i < CLOCK_TURNS; i++) {
		uint64_t now;

		pthread_mutex_lock(&clock_lock);
		now = monotonic();
		if (now < last)
			fail("time went back by %llu ns", (unsigned long long)(last - now));
		last = now;
		looks++;
		pthread_mutex_unlock(&clock_lock);
	}
	begin = monotonic();
	must(nanosleep(&nap, NULL), "nanosleep");
	if (monotonic() - begin < NAP_NS)
		fail("a sleep of %u ns took %llu", NAP_NS, (unsigned long long)(monotonic() - begin));
	return CLOCK_TURNS;
}

/* Different things side by side. */
uint64_t phase_mix(unsigned t)
{
	switch (t % 3) {
	case 0:
		return phase_fork(t);
	case 1:
		return phase_float(t);
	default:
		return maps_alone(t);
	}
}
