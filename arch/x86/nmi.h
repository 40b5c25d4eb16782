/* What one CPU does to another by NMI, which no guest and no interrupt flag can hold off: kick it, so that it looks for what
 * it was asked to do, or stop it for ever. */
#pragma once

#include "arch/x86/traps.h"

/* Before the first kick. send_nmi: sends an NMI to the CPU with that APIC ID, from any CPU. */
void nmi_init(void (*send_nmi)(uint32_t apic_id));

/* Set the attention word of the CPU of that number, and make it leave its guest or its sleep, or not enter it. What it is to
 * look for has been written before. Any CPU, also for itself; not from an NMI. A CPU that is not up is left alone. */
void cpu_kick(uint32_t index);

/* The same for a CPU that runs guests, when what it is to look for is one of the words that it looks at after each exit, and before
 * it sleeps: an NMI that finds it in a guest makes an exit and no more, and one that comes later than such a look sets the
 * attention word there. Any CPU but itself; not from an NMI. */
void cpu_kick_guest(uint32_t index);

/* An NMI has left a guest: if it is that of a kick, see to it. Returns whether it is; else it is the handler's, by INT 2.
 * Context: NMIs are blocked, which nmi_unblock() (insn.h) ends. */
MUST_CHECK bool nmi_take_kick(void);

/* Stop all other CPUs for ever; for the panic. Each notes in its percpu where it was. Waits for them, but not long: one that does
 * not stop has `stopped` false. Any CPU, from anywhere. */
void cpu_stop_others(void);

/* This CPU itself, which was at `at`. why: see percpu.h. */
_Noreturn void cpu_stop_here(const struct trap_frame *at, const char *why);

/* Called in the NMI of a kick, with what it interrupted: VT-x makes an entry that is about to happen not happen by changing
 * frame->rip. Takes no locks. Set once at boot, NULL: nothing. */
extern void (*nmi_kick_hook)(struct trap_frame *frame);

/* Halt until an interrupt or a kick; not at all while this CPU's attention word is set (percpu.h), as each kick does before its
 * NMI or in it. Whoever clears the word, looks for work, finds none and calls this, misses nothing. IF = 0 before and after. */
void cpu_sleep(void);
