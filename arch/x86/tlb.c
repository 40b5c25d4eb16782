/* Dropping cached translations everywhere: see tlb.h. A demand is a number that only grows; each CPU notes up to which it has
 * answered. So demands of several CPUs at once need no lock, and one flush answers all that came before it. */
#include "arch/x86/tlb.h"

#include "arch/x86/insn.h"
#include "arch/x86/nmi.h"
#include "arch/x86/paging.h"
#include "arch/x86/percpu.h"
#include "kernel/lib/assert.h"

static uint64_t demanded;

void tlb_answer(void)
{
	struct percpu *cpu = this_cpu();
	uint64_t now = __atomic_load_n(&demanded, __ATOMIC_SEQ_CST);

	if (now == cpu->flushed)
		return;
	paging_flush();
	__atomic_store_n(&cpu->flushed, now, __ATOMIC_RELEASE);
}

static bool has_answered(const struct percpu *cpu, uint64_t number)
{
	return !__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE) ||
	       __atomic_load_n(&cpu->flushed, __ATOMIC_ACQUIRE) >= number;
}

/* A CPU that is not up yet has cached nothing that matters: before it comes up, it flushes. */
void tlb_flush_all_cpus(void)
{
	uint64_t number = __atomic_add_fetch(&demanded, 1, __ATOMIC_SEQ_CST);
	const struct percpu *me = this_cpu();

	assert(!me->in_nmi);
	for (uint32_t i = 0; i < CPU_MAX; i++) {
		const struct percpu *cpu = percpu_get(i);

		if (cpu != NULL && cpu != me && !has_answered(cpu, number))
			cpu_kick(i);
	}
	paging_flush();
	for (uint32_t i = 0; i < CPU_MAX; i++) {
		const struct percpu *cpu = percpu_get(i);

		while (cpu != NULL && cpu != me && !has_answered(cpu, number))
			pause();
	}
}
