/* selftest=NAME for what several CPUs do together. Each ends in a panic when something does not hold, or in a line that says
 * what held. They use CPUs that are parked (smp_run()). Privileged: it reads the TSC and sends NMIs. */
#include "tests/selftest/selftest.h"

#include "arch/x86/insn.h"
#include "arch/x86/nmi.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spinlock.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"

#define KICKS_EACH 100u
#define TURNS 5000u
#define LOCKS_MS 1000u
#define LINES_EACH 100u
#define TLB_ROUNDS 50u
/* Behind the stacks of all CPUs there may be. */
#define TEST_VA (STACK_WINDOW_BASE + 0x10000000ull)

static uint32_t others(const struct machine *m)
{
	return m->cpus.running - 1;
}

/* On all CPUs at once, this one too. */
static void everywhere(const struct machine *m, void (*fn)(void *ctx), void *ctx)
{
	for (uint32_t i = 1; i < m->cpus.running; i++)
		smp_run(i, fn, ctx);
	fn(ctx);
	for (uint32_t i = 1; i < m->cpus.running; i++)
		smp_wait(i);
}

/* --- kick: a CPU that sleeps wakes by each kick of either kind, and none is taken that was not sent --- */

static void kick_one(const struct machine *m, uint32_t index)
{
	struct percpu *cpu = percpu_get(index);
	uint64_t kicks = cpu->kicks;

	for (unsigned i = 0; i < KICKS_EACH; i++) {
		uint64_t sleeps = __atomic_load_n(&cpu->sleeps, __ATOMIC_ACQUIRE), begin = rdtsc();

		if (i % 2 == 0)
			cpu_kick(index);
		else
			cpu_kick_guest(index);
		while (__atomic_load_n(&cpu->sleeps, __ATOMIC_ACQUIRE) == sleeps) {
			if (rdtsc() - begin > m->tsc.hz)
				panic("CPU %u sleeps on after kick %u", index, i);
			pause();
		}
	}
	/* One that comes before the last one's NMI has been taken rides along with it. */
	kicks = __atomic_load_n(&cpu->kicks, __ATOMIC_ACQUIRE) - kicks;
	if (kicks == 0 || kicks > KICKS_EACH)
		panic("CPU %u took %llu kicks of %u", index, (unsigned long long)kicks, KICKS_EACH);
}

static void test_kick(struct machine *m)
{
	for (uint32_t i = 1; i < m->cpus.running; i++)
		kick_one(m, i);
	log_info("selftest: %u kicks, each woke its CPU", others(m) * KICKS_EACH);
}

/* --- tsc: readings by turns on two CPUs never go back --- */

struct ping_pong {
	uint32_t turn; /* even: the first CPU's */
	uint64_t last;
	uint64_t back; /* the farthest that a reading was before the one that came before it */
};

static void play(struct ping_pong *p, uint32_t side)
{
	uint32_t turn;

	for (;;) {
		uint64_t now;

		do {
			turn = __atomic_load_n(&p->turn, __ATOMIC_ACQUIRE);
			pause();
		} while (turn < TURNS && turn % 2 != side);
		if (turn >= TURNS)
			return;
		now = rdtsc_ordered() - (uint64_t)this_cpu()->tsc_delta;
		if (now < p->last && p->last - now > p->back)
			p->back = p->last - now;
		p->last = now;
		__atomic_store_n(&p->turn, turn + 1, __ATOMIC_RELEASE);
	}
}

static void play_second(void *ctx)
{
	play(ctx, 1);
}

static void test_tsc(struct machine *m)
{
	for (uint32_t i = 1; i < m->cpus.running; i++) {
		struct ping_pong p = {0};

		smp_run(i, play_second, &p);
		play(&p, 0);
		smp_wait(i);
		if (p.back != 0)
			panic("CPU %u and the first: time went back by %llu ticks", i, (unsigned long long)p.back);
	}
	log_info("selftest: time did not go back in %u turns with each of %u CPUs", TURNS, others(m));
}

/* --- locks: a counter under a lock, and the allocators under theirs --- */

static struct spinlock count_lock = SPINLOCK_RANKED(LOCK_RANK_LIFE, "selftest");
static uint64_t count, count_twice; /* two words: what is torn shows */
static uint64_t rounds;             /* of all CPUs, counted without the lock */
static uint64_t until;              /* TSC: each CPU goes on until then, so that slow ones do as much as they can */

static void count_locked(void *ctx)
{
	uint64_t mine;

	(void)ctx;
	for (mine = 0; rdtsc() < until; mine++) {
		while (mine % 8 == 0 && !spin_trylock(&count_lock))
			pause();
		if (mine % 8 != 0)
			spin_lock(&count_lock);
		if (count_twice != 2 * count)
			panic("two CPUs hold one lock: %llu and %llu", (unsigned long long)count,
			      (unsigned long long)count_twice);
		count++;
		count_twice += 2;
		spin_unlock(&count_lock);
	}
	__atomic_add_fetch(&rounds, mine, __ATOMIC_SEQ_CST);
}

/* Each object is filled with its CPU's number, and has it still when it is given back. */
static void use_heap(struct heap *h, uint32_t round)
{
	size_t bytes = 16 + round * 97 % 6000;
	uint8_t mark = (uint8_t)(this_cpu()->index + 1), *object = heap_alloc(h, bytes);

	if (object == NULL) {
		panic("no memory for %llu bytes", (unsigned long long)bytes);
		return;
	}
	memset(object, mark, bytes);
	for (size_t i = 0; i < bytes; i += 61) {
		if (object[i] != mark)
			panic("CPU %u: object %p is somebody else's too", mark - 1u, (void *)object);
	}
	heap_free(h, object);
}

static void allocate(void *ctx)
{
	struct machine *m = ctx;
	uint32_t i;

	for (i = 0; rdtsc() < until; i++) {
		uint64_t page = page_alloc(&m->pages, i % 4);

		if (page == PAGE_NONE)
			panic("no pages of order %u", i % 4);
		*(volatile uint64_t *)hva_of(page) = this_cpu()->index;
		use_heap(&m->heap, i);
		if (*(volatile uint64_t *)hva_of(page) != this_cpu()->index)
			panic("CPU %u: page 0x%llx is somebody else's too", this_cpu()->index,
			      (unsigned long long)page);
		page_free(&m->pages, page, i % 4);
	}
	__atomic_add_fetch(&rounds, i, __ATOMIC_SEQ_CST);
}

static void test_locks(struct machine *m)
{
	uint64_t free_bytes = page_alloc_free_bytes(&m->pages), used = m->heap.bytes_used;

	until = rdtsc() + m->tsc.hz / 1000 * LOCKS_MS;
	everywhere(m, count_locked, NULL);
	if (count != rounds)
		panic("%llu counted of %llu", (unsigned long long)count, (unsigned long long)rounds);
	rounds = 0;
	until = rdtsc() + m->tsc.hz / 1000 * LOCKS_MS;
	everywhere(m, allocate, m);
	if (m->heap.bytes_used != used ||
	    page_alloc_free_bytes(&m->pages) + m->heap.pages_held * PAGE_SIZE < free_bytes)
		panic("memory is missing");
	log_info("selftest: %u CPUs counted to %llu, and allocated %llu times", m->cpus.running,
		 (unsigned long long)count, (unsigned long long)rounds);
}

/* --- log: lines of all CPUs, none lost --- */

static void log_lines(void *ctx)
{
	(void)ctx;
	for (unsigned i = 0; i < LINES_EACH; i++)
		log_info("selftest: CPU %u says %u", this_cpu()->index, i);
}

static void test_log(struct machine *m)
{
	everywhere(m, log_lines, NULL);
	log_info("selftest: %u lines logged", m->cpus.running * LINES_EACH);
}

/* --- tlb: what is unmapped on one CPU is gone on all --- */

static void check_word(void *ctx)
{
	uint64_t want = *(const uint64_t *)ctx, found = *(volatile uint64_t *)TEST_VA;

	if (found != want)
		panic("CPU %u sees %llu where %llu stands: a translation is stale", this_cpu()->index,
		      (unsigned long long)found, (unsigned long long)want);
}

/* The page before, now somebody else's, says what a stale translation would lead to. */
static void test_tlb(struct machine *m)
{
	uint64_t value;

	for (value = 1; value <= TLB_ROUNDS; value++) {
		uint64_t before;

		if (paging_alloc_at(TEST_VA, PAGE_SIZE) != 0)
			panic("no page to map");
		*(volatile uint64_t *)TEST_VA = value;
		everywhere(m, check_word, &value);
		paging_free_at(TEST_VA, PAGE_SIZE);
		before = page_alloc(&m->pages, 0);
		*(volatile uint64_t *)hva_of(before) = 0;
		if (paging_alloc_at(TEST_VA, PAGE_SIZE) != 0)
			panic("no page to map");
		*(volatile uint64_t *)TEST_VA = value;
		everywhere(m, check_word, &value);
		paging_free_at(TEST_VA, PAGE_SIZE);
		page_free(&m->pages, before, 0);
	}
	log_info("selftest: %u mappings taken away, none seen any more", 2 * TLB_ROUNDS);
}

/* --- panics --- */

/* ctx: NULL, or what has to become true first. */
static void panic_here(void *ctx)
{
	const bool *when = ctx;

	while (when != NULL && !__atomic_load_n(when, __ATOMIC_ACQUIRE))
		pause();
	panic("asked for by the boot line");
}

/* Not while the first CPU still sends the call: the screen is to show it waiting. */
static void test_panic_ap(struct machine *m)
{
	static bool waits;

	if (others(m) == 0)
		panic("there is no other CPU");
	smp_run(1, panic_here, &waits);
	__atomic_store_n(&waits, true, __ATOMIC_RELEASE);
	smp_wait(1);
}

static bool second_is_there;

/* On the first CPU, in an NMI, where no other NMI comes in: the other one panics meanwhile, and calls. */
static void panic_second(struct trap_frame *frame)
{
	(void)frame;
	if (this_cpu()->index != 0)
		return;
	__atomic_store_n(&second_is_there, true, __ATOMIC_RELEASE);
	while (!panic_begun())
		pause();
	panic("asked for too");
}

static void kick_and_panic(void *ctx)
{
	cpu_kick(0);
	while (!__atomic_load_n(&second_is_there, __ATOMIC_ACQUIRE))
		pause();
	panic_here(ctx);
}

static void test_panic_two(struct machine *m)
{
	if (others(m) == 0)
		panic("there is no other CPU");
	nmi_kick_hook = panic_second;
	smp_run(1, kick_and_panic, NULL);
	smp_wait(1);
}

/* --- the checks on locks, in builds that have them --- */

static struct spinlock inner = SPINLOCK_RANKED(LOCK_RANK_SCHED, "inner");
static struct spinlock outer = SPINLOCK_RANKED(LOCK_RANK_VM, "outer");

static void unchecked(void)
{
	log_info("selftest: this build does not check locks (DEBUG=1 does)");
}

static void test_lock_order(struct machine *m)
{
	(void)m;
	spin_lock(&inner);
	spin_lock(&outer);
	unchecked();
}

static void test_lock_twice(struct machine *m)
{
	(void)m;
	spin_lock(&outer);
	if (AVATAR_DEBUG)
		spin_lock(&outer);
	unchecked();
}

static void unlock_inner(void *ctx)
{
	(void)ctx;
	spin_unlock(&inner);
}

static void test_lock_other(struct machine *m)
{
	spin_lock(&inner);
	if (others(m) != 0)
		smp_run(1, unlock_inner, NULL);
	smp_wait(1);
	unchecked();
}

static void take_in_nmi(struct trap_frame *frame)
{
	(void)frame;
	if (AVATAR_DEBUG)
		spin_lock(&inner);
}

static void test_lock_nmi(struct machine *m)
{
	(void)m;
	nmi_kick_hook = take_in_nmi;
	cpu_kick(0);
	nmi_kick_hook = NULL;
	unchecked();
}

static const struct {
	const char *name;
	void (*run)(struct machine *m);
} tests[] = {
	{"kick", test_kick},
	{"tsc", test_tsc},
	{"locks", test_locks},
	{"log", test_log},
	{"tlb", test_tlb},
	{"panic-ap", test_panic_ap},
	{"panic-two", test_panic_two},
	{"lock-order", test_lock_order},
	{"lock-twice", test_lock_twice},
	{"lock-other", test_lock_other},
	{"lock-nmi", test_lock_nmi},
};

bool selftest_smp(struct machine *m, const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		if (str_eq(name, tests[i].name)) {
			log_info("selftest: %s", name);
			tests[i].run(m);
			return true;
		}
	}
	return false;
}
