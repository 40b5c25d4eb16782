/* Memory that one thread maps and another unmaps, and a page whose mapping changes while others read it: every unmapping on
 * one CPU has to reach the TLBs of those on which the other threads run. */
#define _GNU_SOURCE
#include "load.h"

#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096u
#define WORDS (PAGE / sizeof(uint64_t))
#define MAPS 40u
#define REMAPS 60u
#define FRAMES 3u
#define READS 50u

static uint64_t *map(unsigned pages)
{
	void *p = mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		must(-1, "mmap");
	return p;
}

static unsigned pages_of(unsigned t, unsigned i)
{
	return 1 + (unsigned)(stir(t * 1000 + i) % 12);
}

static void fill(uint64_t *p, unsigned pages, uint64_t seed)
{
	for (unsigned i = 0; i < pages; i++) {
		p[i * WORDS] = stir(seed + i);
		p[i * WORDS + WORDS - 1] = stir(seed ^ i);
	}
}

/* Fresh memory is zero but for what fill() put there. */
static uint64_t take_sum(const uint64_t *p, unsigned pages)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < pages; i++)
		sum = stir(sum ^ p[i * WORDS] ^ p[i * WORDS + WORDS - 1] ^ p[i * WORDS + WORDS / 2] * 3);
	return sum;
}

static uint64_t throw_away(uint64_t *p, unsigned pages)
{
	must(madvise(p, PAGE, MADV_DONTNEED), "madvise");
	if (p[0] || p[WORDS - 1])
		fail("a page that was thrown away still has 0x%llx", (unsigned long long)p[0]);
	must(mprotect(p, (size_t)pages * PAGE, PROT_READ), "mprotect");
	return take_sum(p, pages);
}

/* Map and fill for the next thread; take what the one before has filled, and unmap it. */
static uint64_t *slots[MAX_THREADS];
static _Atomic uint32_t full[MAX_THREADS];

uint64_t phase_maps(unsigned t)
{
	unsigned from = (t + threads - 1) % threads;
	uint64_t sum = 0;

	for (unsigned i = 0; i < MAPS; i++) {
		unsigned pages = pages_of(from, i);
		uint64_t *p = map(pages_of(t, i));

		fill(p, pages_of(t, i), stir(t) + i);
		futex_await(&full[t], 0);
		slots[t] = p;
		futex_set(&full[t], 1);
		futex_await(&full[from], 1);
		p = slots[from];
		futex_set(&full[from], 0);
		sum = stir(sum ^ take_sum(p, pages));
		sum = stir(sum ^ throw_away(p, pages));
		must(munmap(p, (size_t)pages * PAGE), "munmap");
	}
	return sum;
}

uint64_t maps_alone(unsigned t)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < MAPS; i++) {
		unsigned pages = pages_of(t, i);
		uint64_t *p = map(pages);

		fill(p, pages, stir(t) + i);
		sum = stir(sum ^ take_sum(p, pages) ^ throw_away(p, pages));
		must(munmap(p, (size_t)pages * PAGE), "munmap");
	}
	return sum;
}

static int frames_fd = -1;
static volatile uint64_t *window;
static _Atomic uint32_t generation, readers;

static void show(unsigned frame)
{
	void *at = mmap((void *)window, PAGE, PROT_READ, MAP_SHARED | (window ? MAP_FIXED : 0), frames_fd,
			(off_t)frame * PAGE);

	if (at == MAP_FAILED)
		must(-1, "mmap of a shared page");
	window = at;
}

void remap_prepare(void)
{
	if (frames_fd < 0) {
		frames_fd = (int)must(memfd_create("frames", MFD_CLOEXEC), "memfd_create");
		for (unsigned i = 0; i < FRAMES; i++) {
			uint64_t value = stir(i);

			must(pwrite(frames_fd, &value, sizeof(value), (off_t)i * PAGE), "pwrite");
		}
		must(ftruncate(frames_fd, FRAMES * PAGE), "ftruncate");
		show(0);
	}
	atomic_store(&generation, 0);
	atomic_store(&readers, 0);
}

/* The first thread changes the mapping, once all others have read the last one. */
static uint64_t change(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 1; i <= REMAPS; i++) {
		show(i % FRAMES);
		futex_set(&generation, i);
		sum = stir(sum ^ *window);
		futex_await(&readers, i * (threads - 1));
	}
	return sum;
}

static uint64_t watch(void)
{
	uint64_t sum = 0;

	for (uint32_t i = 1; i <= REMAPS; i++) {
		futex_await(&generation, i);
		for (unsigned r = 0; r < READS; r++)
			if (*window != stir(i % FRAMES))
				fail("an old page is seen after its mapping has changed, change %u, read %u", i, r);
		sum = stir(sum ^ *window);
		atomic_fetch_add(&readers, 1);
		futex_wake(&readers);
	}
	return sum;
}

uint64_t phase_remap(unsigned t)
{
	return t == 0 ? change() : watch();
}
