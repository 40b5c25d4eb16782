/* The self-tests: what of build/avatar-test.elf is not in build/avatar.elf. */
#pragma once

#include "kernel/main.h"

/* A test of what several CPUs do together. Returns false when there is none of that name. */
bool selftest_smp(struct machine *m, const char *name);

/* The entry checker against the processor: a field of a good VMCS is broken after the other, and what the checker names is
 * compared with what was broken, and with the processor's refusal. One line of the log each.
 * Context: no vCPU loaded on this CPU, IF = 0. */
void selftest_doctor(struct machine *m);
