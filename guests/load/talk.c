/* Threads that talk to each other: by futex, through pipes, by signals. */
#define _GNU_SOURCE
#include "load.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#define HOPS 300u
#define BLOCKS 40u
#define BLOCK_MAX 4096u
#define SIGNALS 100u

/* A token between two neighbours, changed by each that gets it. */
static struct {
	_Atomic uint32_t turn;
	uint64_t token;
} pairs[MAX_THREADS / 2];

void futex_prepare(void)
{
	for (unsigned i = 0; i < MAX_THREADS / 2; i++) {
		atomic_store(&pairs[i].turn, 0);
		pairs[i].token = stir(i);
	}
}

uint64_t phase_futex(unsigned t)
{
	unsigned pair = t / 2;

	if ((t ^ 1) >= threads)
		return 0;
	for (uint32_t i = t & 1; i < HOPS; i += 2) {
		futex_await(&pairs[pair].turn, i);
		pairs[pair].token = stir(pairs[pair].token + t);
		futex_set(&pairs[pair].turn, i + 1);
	}
	futex_await(&pairs[pair].turn, HOPS);
	return pairs[pair].token;
}

static int pipes[MAX_THREADS][2];

void pipes_prepare(void)
{
	for (unsigned i = 0; i < threads; i++)
		must(pipe2(pipes[i], O_CLOEXEC), "pipe");
}

void pipes_done(void)
{
	for (unsigned i = 0; i < threads; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static size_t block_of(unsigned t, unsigned i, uint8_t *out)
{
	uint64_t seed = stir(t * 77 + i);
	size_t bytes = 1 + seed % BLOCK_MAX;

	for (size_t n = 0; n < bytes; n++)
		out[n] = (uint8_t)(seed >> (n & 31)) ^ (uint8_t)n;
	return bytes;
}

/* In pieces, as the reader may take them. */
static void write_all(int fd, const uint8_t *data, size_t bytes)
{
	while (bytes) {
		size_t done = (size_t)must(write(fd, data, bytes), "write to a pipe");

		data += done;
		bytes -= done;
	}
}

static uint64_t read_all(int fd, size_t bytes)
{
	uint8_t data[512];
	uint64_t sum = 0;

	while (bytes) {
		size_t want = bytes < sizeof(data) ? bytes : sizeof(data);
		size_t got = (size_t)must(read(fd, data, want), "read from a pipe");

		if (got == 0)
			fail("a pipe ended early");
		for (size_t i = 0; i < got; i++)
			sum = sum * 31 + data[i];
		bytes -= got;
	}
	return sum;
}

static uint64_t sum_of(const uint8_t *data, size_t bytes)
{
	uint64_t sum = 0;

	while (bytes--)
		sum = sum * 31 + *data++;
	return sum;
}

/* A ring: each writes a block to the next one, then reads one from the one before. A ring of `threads` blocks fits a pipe. */
uint64_t phase_pipes(unsigned t)
{
	unsigned from = (t + threads - 1) % threads;
	uint8_t data[BLOCK_MAX];
	uint64_t sum = 0;

	for (unsigned i = 0; i < BLOCKS; i++) {
		uint64_t seen;
		size_t bytes = block_of(t, i, data);

		write_all(pipes[t][1], data, bytes);
		bytes = block_of(from, i, data);
		seen = read_all(pipes[from][0], bytes);
		if (seen != sum_of(data, bytes))
			fail("a pipe's block %u of %zu bytes arrived as another one", i, bytes);
		sum = stir(sum ^ seen);
	}
	return sum;
}

static _Thread_local volatile uint64_t signal_sum;
static _Thread_local volatile unsigned signal_count;
static pthread_t whom[MAX_THREADS];
static _Atomic uint32_t signal_ready;

static void on_signal(int number, siginfo_t *info, void *context)
{
	(void)number;
	(void)context;
	signal_sum += stir((uint64_t)info->si_value.sival_int);
	signal_count++;
}

static void send_signal(unsigned to, int value)
{
	union sigval v = {.sival_int = value};
	int error;

	/* The queue is limited: whoever finds it full lets the others take theirs. */
	while ((error = pthread_sigqueue(whom[to], SIGRTMIN, v)) == EAGAIN)
		sched_yield();
	if (error) {
		errno = error;
		must(-1, "pthread_sigqueue");
	}
}

/* A barrier of its own: the last thread opens it for this round. */
static void all_know_each_other(void)
{
	uint32_t mine = atomic_fetch_add(&signal_ready, 1) + 1, last = (mine + threads - 1) / threads * threads, seen;

	futex_wake(&signal_ready);
	while ((seen = atomic_load(&signal_ready)) < last)
		futex_wait(&signal_ready, seen);
}

/* Queued signals: each comes, once, with its value, whatever the receiver is at. */
uint64_t phase_signals(unsigned t)
{
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
	sigset_t block, before;

	signal_sum = 0;
	signal_count = 0;
	must(sigaction(SIGRTMIN, &action, NULL), "sigaction");
	whom[t] = pthread_self();
	all_know_each_other();
	for (unsigned i = 0; i < SIGNALS; i++)
		send_signal((t + 1 + i % threads) % threads, (int)(t * SIGNALS + i));
	sigemptyset(&block);
	sigaddset(&block, SIGRTMIN);
	pthread_sigmask(SIG_BLOCK, &block, &before);
	while (signal_count < SIGNALS)
		sigsuspend(&before);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (signal_count != SIGNALS)
		fail("%u signals came, %u were sent", signal_count, SIGNALS);
	return signal_sum;
}
