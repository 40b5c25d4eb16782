/* Two CPUs compare their time stamp counters: see tsc_sync.h. */
#include "arch/x86/tsc_sync.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/msr_safe.h"
#include "kernel/lib/bits.h"

#define ROUNDS 200u /* the best of them count; with less than ROUNDS_LEAST there is no best */
#define ROUNDS_LEAST 10u
#define CORRECTIONS 3u /* the last ones mend what the first did not hit to the tick */

#define CPUID_7_EBX_TSC_ADJUST 1u

static bool has_tsc_adjust(void)
{
	uint32_t regs[4];

	cpuid(0, 0, regs);
	if (regs[0] < 7)
		return false;
	cpuid(7, 0, regs);
	return bits_test(regs[1], CPUID_7_EBX_TSC_ADJUST);
}

void tsc_add(int64_t ticks)
{
	uint64_t adjust;

	if (has_tsc_adjust() && rdmsr_safe(MSR_TSC_ADJUST, &adjust) == 0 &&
	    wrmsr_safe(MSR_TSC_ADJUST, adjust + (uint64_t)ticks) == 0)
		return;
	(void)!wrmsr_safe(MSR_TSC, rdtsc_ordered() + (uint64_t)ticks);
}

/* One round: the follower acts, then answers. Returns with what it wrote visible. */
static void ask(struct tsc_sync *s)
{
	uint32_t round = s->asked + 1;

	__atomic_store_n(&s->asked, round, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&s->answered, __ATOMIC_ACQUIRE) != round)
		pause();
}

/* As many rounds as fit the time: where CPUs share a core of an emulator's host, each takes a turn of its scheduler. */
static void measure(struct tsc_sync *s, uint64_t ticks, struct tsc_skew *skew)
{
	uint64_t begin = rdtsc();

	tsc_skew_begin(skew);
	for (unsigned i = 0; i < ROUNDS && (i < ROUNDS_LEAST || rdtsc() - begin < ticks); i++) {
		uint64_t t0 = rdtsc_ordered();

		ask(s);
		tsc_skew_add(skew, t0, s->t1, rdtsc_ordered());
	}
}

int64_t tsc_sync_lead(struct tsc_sync *s, uint64_t ticks, int64_t *after, uint64_t *error)
{
	struct tsc_skew skew;
	int64_t before;

	measure(s, ticks, &skew);
	before = tsc_skew_value(&skew);
	for (unsigned i = 0; i < CORRECTIONS && tsc_skew_value(&skew) != 0; i++) {
		s->adjust = -tsc_skew_value(&skew);
		ask(s);
		s->adjust = 0;
		measure(s, ticks, &skew);
	}
	__atomic_store_n(&s->done, true, __ATOMIC_RELEASE);
	*after = tsc_skew_value(&skew);
	*error = tsc_skew_error(&skew);
	return before;
}

void tsc_sync_follow(struct tsc_sync *s)
{
	while (!__atomic_load_n(&s->done, __ATOMIC_ACQUIRE)) {
		uint32_t round = __atomic_load_n(&s->asked, __ATOMIC_ACQUIRE);

		if (round == s->answered) {
			pause();
			continue;
		}
		if (s->adjust != 0)
			tsc_add(s->adjust);
		s->t1 = rdtsc_ordered();
		__atomic_store_n(&s->answered, round, __ATOMIC_RELEASE);
	}
}
