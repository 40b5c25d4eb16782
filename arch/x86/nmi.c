/* The NMIs between CPUs: see nmi.h. The handler takes no locks and cannot fault. It also runs by INT 2 after an NMI that is no
 * kick has left a guest, with further NMIs blocked until its IRET.
 *
 * NMIs that come while another is handled are merged into one. So a kick is counted not by the NMI but by a flag: whoever
 * sets it sends the NMI, and whoever finds it set knows that one is under way. Thus there is at most one at a time for each
 * CPU, and one that finds the flag clear was not ours. */
#include "arch/x86/nmi.h"

#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/tlb.h"

#define STOP_PATIENCE_TICKS 2000000000ull /* of the TSC: about a second */

void (*nmi_kick_hook)(struct trap_frame *frame);

static void (*send)(uint32_t apic_id);
static bool stop_all; /* whoever takes an NMI from now on, stops */

void cpu_sleep_unless_wanted(void);
extern const uint8_t cpu_sleep_window[], cpu_sleep_done[];

void cpu_kick(uint32_t index)
{
	struct percpu *cpu = percpu_get(index);

	if (cpu == NULL || !__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&cpu->attention, 1, __ATOMIC_SEQ_CST);
	cpu_kick_guest(index);
}

void cpu_kick_guest(uint32_t index)
{
	struct percpu *cpu = percpu_get(index);

	if (!__atomic_exchange_n(&cpu->kicked, true, __ATOMIC_SEQ_CST))
		send(cpu->apic_id);
}

/* On its way into a sleep, past the look at the attention word: it must not sleep. */
static void leave_window(struct trap_frame *frame)
{
	if (frame->rip >= (uint64_t)cpu_sleep_window && frame->rip < (uint64_t)cpu_sleep_done)
		frame->rip = (uint64_t)cpu_sleep_done;
}

/* With NMIs blocked. Whoever finds the flag set, and so sends no NMI, wrote down what it wants before it looked; after the exchange
 * this CPU sees that. */
bool nmi_take_kick(void)
{
	struct percpu *cpu = this_cpu();

	if (__atomic_load_n(&stop_all, __ATOMIC_ACQUIRE))
		return false;
	if (!__atomic_exchange_n(&cpu->kicked, false, __ATOMIC_SEQ_CST))
		return false;
	cpu->kicks++;
	tlb_answer();
	return true;
}

static void nmi(struct trap_frame *frame)
{
	struct percpu *cpu = this_cpu();

	if (!nmi_take_kick()) {
		if (__atomic_load_n(&stop_all, __ATOMIC_ACQUIRE))
			cpu_stop_here(frame, NULL);
		trap_fatal(frame);
	}
	cpu->in_nmi = true;
	/* It may have looked at the guest's requests already. */
	__atomic_store_n(&cpu->attention, 1, __ATOMIC_SEQ_CST);
	leave_window(frame);
	if (nmi_kick_hook)
		nmi_kick_hook(frame);
	cpu->in_nmi = false;
}

/* The NMI may find the CPU here: then it has its note already. */
void cpu_stop_here(const struct trap_frame *at, const char *why)
{
	struct percpu *cpu = this_cpu();

	if (!cpu->stopped) {
		cpu->stopped_at = *at;
		cpu->stopped_why = why;
		__atomic_store_n(&cpu->stopped, true, __ATOMIC_RELEASE);
	}
	for (;;) {
		cli();
		hlt();
	}
}

void cpu_stop_others(void)
{
	const struct percpu *me = this_cpu();
	uint64_t begin;

	__atomic_store_n(&stop_all, true, __ATOMIC_SEQ_CST);
	for (uint32_t i = 0; i < CPU_MAX; i++) {
		const struct percpu *cpu = percpu_get(i);

		if (cpu != NULL && cpu != me && __atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
			send(cpu->apic_id);
	}
	begin = rdtsc();
	for (uint32_t i = 0; i < CPU_MAX; i++) {
		const struct percpu *cpu = percpu_get(i);

		if (cpu == NULL || cpu == me || !__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
			continue;
		while (!__atomic_load_n(&cpu->stopped, __ATOMIC_ACQUIRE) && rdtsc() - begin < STOP_PATIENCE_TICKS)
			pause();
	}
}

/* See nmi.asm. */
void cpu_sleep(void)
{
	spin_assert_none_held();
	cpu_sleep_unless_wanted();
}

void nmi_init(void (*send_nmi)(uint32_t apic_id))
{
	send = send_nmi;
	trap_set_handler(VECTOR_NMI, nmi);
}
