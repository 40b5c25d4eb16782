/* The NMIs between CPUs: see nmi.h. The handler takes no locks and cannot fault. It also runs by INT 2 after an NMI has left
 * a guest, with further NMIs blocked until its IRET.
 *
 * NMIs that come while another is handled are merged into one. So a kick is counted not by the NMI but by a flag: whoever
 * sets it sends the NMI, and whoever finds it set knows that one is under way. Thus there is at most one at a time for each
 * CPU, and one that finds the flag clear was not ours. */
#include "arch/x86/nmi.h"

#include "arch/x86/percpu.h"

void (*nmi_kick_hook)(struct trap_frame *frame);

static void (*send)(uint32_t apic_id);

extern const uint8_t cpu_wait_window[], cpu_wait_done[];
void cpu_wait(const volatile bool *unless);

void cpu_kick(uint32_t index)
{
	struct percpu *cpu = percpu_get(index);

	if (cpu == NULL || !__atomic_load_n(&cpu->online, __ATOMIC_ACQUIRE))
		return;
	if (!__atomic_exchange_n(&cpu->kicked, true, __ATOMIC_SEQ_CST))
		send(cpu->apic_id);
}

/* On its way into a sleep, past the look at the mark: it must not sleep. */
static void leave_window(struct trap_frame *frame)
{
	if (frame->rip >= (uint64_t)cpu_wait_window && frame->rip < (uint64_t)cpu_wait_done)
		frame->rip = (uint64_t)cpu_wait_done;
}

static void nmi(struct trap_frame *frame)
{
	struct percpu *cpu = this_cpu();

	if (!__atomic_exchange_n(&cpu->kicked, false, __ATOMIC_SEQ_CST))
		trap_fatal(frame);
	cpu->kicks++;
	cpu->woken = true;
	leave_window(frame);
	if (nmi_kick_hook)
		nmi_kick_hook(frame);
}

void cpu_sleep(void)
{
	struct percpu *cpu = this_cpu();

	cpu_wait(&cpu->woken);
	cpu->woken = false;
}

void nmi_init(void (*send_nmi)(uint32_t apic_id))
{
	send = send_nmi;
	trap_set_handler(VECTOR_NMI, nmi);
}
