/* The end: what happened, where, and what was said last. For our own bugs only. */
#pragma once

#include "kernel/lib/compiler.h"

/* Stop the other CPUs, print the panic screen on all sinks of the log, then halt for ever. */
_Noreturn void panic(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Exceptions of ours that nothing mends come here from now on. */
void panic_init(void);

/* Whether a CPU has begun to panic. Context: any. */
bool panic_begun(void);

/* Called once before the screen is printed: put devices into a state in which the log's sinks write polled, and whole. May be
 * NULL. */
void panic_set_hook(void (*hook)(void));
