/* The second of the two places where this kernel takes interrupts: waiting, with nothing to run. (The other is a VM exit.) */
#pragma once

#include "kernel/lib/compiler.h"

/* What arms a timer interrupt of this CPU for a host TSC value; UINT64_MAX: none. pending: where IA32_TSC_DEADLINE does that, and
 * nothing else, has the interrupt been raised, and not been taken yet? Else NULL. Handed in once at boot. */
void idle_set_timer(void (*arm)(uint64_t tsc), bool (*pending)(void));
bool idle_timer_is_deadline(void);

/* When it returns, the interrupt of a timer that has fired has had its handler. As idle_window(). */
void idle_timer_settle(void);

/* Called by the handler of that interrupt. The other one: has it come to this CPU since the last call? */
void idle_timer_interrupt(void);
bool idle_timer_came(void);

/* Halt until an interrupt or a kick (arch/x86/nmi.h) comes, at the latest at tsc; at once when a kick has come since the last
 * time. Returns after the interrupt's handler has run; the timer is neither armed nor its interrupt pending. IF = 0 before and
 * after. */
void idle_until(uint64_t tsc);

/* Have the timer's interrupt come at tsc, while something else runs: for processors that leave a guest by an interrupt only.
 * Cheap when the time is the one already set. Cancelled by idle_until(). */
void idle_alarm(uint64_t tsc);

/* Let every interrupt that is pending now have its handler, and go on. IF = 0 before and after. */
void idle_window(void);
