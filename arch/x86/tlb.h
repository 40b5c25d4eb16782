/* Translations of the host's own tables, on all CPUs. Whoever takes a mapping away or gives it fewer rights, changes the tables,
 * then calls this, then may use the memory for something else. */
#pragma once

#include "kernel/lib/compiler.h"

/* No CPU uses a translation cached before the call when it returns. Waits for all CPUs that are up; they answer by NMI, so any
 * lock may be held. Not from an NMI. */
void tlb_flush_all_cpus(void);

/* For the NMI handler: drop the translations when somebody wants it. */
void tlb_answer(void);
