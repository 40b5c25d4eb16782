/* A program that is bound by the kernel: system calls, page faults, pipes, fork and exec, files. Always the same amount of work,
 * times N (work N, 1 by default); prints what each part and all of it took, in ticks of the TSC. As process 1 it sleeps for
 * ever when it is done, so that it can be /init. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS 20000u
#define PIPE_BYTES 5000u
#define PIPE_TURNS 1000u
#define FAULT_PAGES 1024u
#define FAULT_ROUNDS 8u
#define FORKS 100u
#define EXECS 20u
#define FILES 200u
#define PAGE 4096u

static const char *self_path;
static unsigned times = 1;

static long must(long result, const char *what)
{
	if (result < 0) {
		printf("work: FAIL %s: %s\n", what, strerror(errno));
		fflush(stdout);
		_exit(1);
	}
	return result;
}

static uint64_t rdtsc(void)
{
	uint32_t low, high;

	__asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
	return (uint64_t)high << 32 | low;
}

static uint64_t calls(void)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < CALLS; i++)
		sum += syscall(SYS_getppid) >= 0;
	return sum;
}

/* A byte in and out again. */
static uint64_t pipe_bytes(void)
{
	uint64_t sum = 0;
	uint8_t byte;
	int fds[2];

	must(pipe(fds), "pipe");
	for (unsigned i = 0; i < PIPE_BYTES; i++) {
		byte = (uint8_t)i;
		must(write(fds[1], &byte, 1), "write");
		must(read(fds[0], &byte, 1), "read");
		sum += byte;
	}
	close(fds[0]);
	close(fds[1]);
	return sum;
}

static void echo_child(int in, int out)
{
	uint32_t value;

	while (read(in, &value, sizeof(value)) == sizeof(value)) {
		value = value * 3 + 1;
		if (write(out, &value, sizeof(value)) != sizeof(value))
			_exit(1);
	}
	_exit(0);
}

static void reap(pid_t pid)
{
	int status;

	must(waitpid(pid, &status, 0), "waitpid");
	errno = EIO;
	must(status == 0 ? 0 : -1, "a child");
}

/* Two processes that take turns. */
static uint64_t pipe_turns(void)
{
	uint32_t value = 1;
	int to[2], from[2];
	pid_t pid;

	must(pipe2(to, O_CLOEXEC), "pipe");
	must(pipe2(from, O_CLOEXEC), "pipe");
	pid = (pid_t)must(fork(), "fork");
	if (pid == 0) {
		close(to[1]);
		echo_child(to[0], from[1]);
	}
	for (unsigned i = 0; i < PIPE_TURNS; i++) {
		must(write(to[1], &value, sizeof(value)), "write");
		must(read(from[0], &value, sizeof(value)), "read");
	}
	close(to[1]);
	reap(pid);
	close(to[0]);
	close(from[0]);
	close(from[1]);
	return value;
}

static uint64_t faults(void)
{
	uint64_t sum = 0;

	for (unsigned r = 0; r < FAULT_ROUNDS; r++) {
		uint8_t *p = mmap(NULL, FAULT_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		must(p == MAP_FAILED ? -1 : 0, "mmap");
		for (unsigned i = 0; i < FAULT_PAGES; i++) {
			sum += p[i * PAGE];
			p[i * PAGE] = 1;
			sum += p[i * PAGE];
		}
		must(munmap(p, FAULT_PAGES * PAGE), "munmap");
	}
	return sum;
}

static uint64_t forks(void)
{
	for (unsigned i = 0; i < FORKS; i++) {
		pid_t pid = (pid_t)must(fork(), "fork");

		if (pid == 0)
			_exit(0);
		reap(pid);
	}
	return FORKS;
}

static uint64_t execs(void)
{
	for (unsigned i = 0; i < EXECS; i++) {
		pid_t pid = (pid_t)must(fork(), "fork");

		if (pid == 0) {
			execl(self_path, self_path, "nothing", (char *)NULL);
			_exit(1);
		}
		reap(pid);
	}
	return EXECS;
}

static uint64_t files(void)
{
	char name[32], data[1000];
	uint64_t sum = 0;

	memset(data, 'x', sizeof(data));
	for (unsigned i = 0; i < FILES; i++) {
		int fd;

		snprintf(name, sizeof(name), "/tmp/work.%u", i);
		fd = (int)must(open(name, O_CREAT | O_RDWR | O_TRUNC, 0600), name);
		sum += (uint64_t)must(write(fd, data, sizeof(data)), "write to a file");
		must(lseek(fd, 0, SEEK_SET), "lseek");
		sum += (uint64_t)must(read(fd, data, sizeof(data)), "read of a file");
		close(fd);
		must(unlink(name), "unlink");
	}
	return sum;
}

static const struct {
	const char *name;
	uint64_t (*run)(void);
} parts[] = {
	{"calls", calls}, {"pipe-bytes", pipe_bytes}, {"pipe-turns", pipe_turns}, {"faults", faults},
	{"forks", forks}, {"execs", execs},           {"files", files},
};
#define PARTS (sizeof(parts) / sizeof(parts[0]))

/* Nothing is printed before all is done: a console is slow. */
static void run(void)
{
	uint64_t ticks[PARTS], begin, sum = 0;

	memset(ticks, 0, sizeof(ticks));
	begin = rdtsc();
	for (unsigned n = 0; n < times; n++)
		for (unsigned i = 0; i < PARTS; i++) {
			uint64_t part_begin = rdtsc();

			sum = sum * 31 + parts[i].run();
			ticks[i] += rdtsc() - part_begin;
		}
	begin = rdtsc() - begin;
	for (unsigned i = 0; i < PARTS; i++)
		printf("work: part %s tsc=%llu\n", parts[i].name, (unsigned long long)ticks[i]);
	printf("work: OK sum=%016llx tsc=%llu\n", (unsigned long long)sum, (unsigned long long)begin);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	self_path = access("/proc/self/exe", X_OK) == 0 ? "/proc/self/exe" : argv[0];
	if (argc == 2 && strcmp(argv[1], "nothing") == 0)
		return 0;
	/* As /init it is given the words of the kernel's command line that the kernel does not know. */
	if (argc == 2 && getpid() != 1)
		times = (unsigned)atoi(argv[1]);
	if (times < 1) {
		fprintf(stderr, "usage: work [N]\n");
		return 2;
	}
	run();
	while (getpid() == 1)
		pause();
	return 0;
}
