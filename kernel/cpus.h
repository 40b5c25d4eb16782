/* The CPUs of the machine as the boot has found them, those that do not run among them; and what those that run go on to. */
#pragma once

#include "kernel/lib/compiler.h"

enum { CPU_RECORDS_MAX = 128, CPU_WHY_BYTES = 112 };

#define CPU_NO_INDEX UINT32_MAX

struct cpu_record {
	uint32_t apic_id;
	uint32_t index;          /* number of its percpu; CPU_NO_INDEX: it does not run */
	int64_t tsc_delta;       /* its TSC less the first CPU's, after correction */
	uint32_t protection;     /* PROTECTION_* that are on */
	uint64_t bytes;          /* of memory that it has for itself; the first one's are in the image */
	char why[CPU_WHY_BYTES]; /* why it does not run; empty for one that does */
};

/* Written by the boot, then read only. */
struct cpu_table {
	struct cpu_record records[CPU_RECORDS_MAX];
	unsigned count;   /* of records */
	unsigned running; /* they have the numbers 0 to running - 1 */
	unsigned missed;  /* CPUs that the table has no room for */
};

/* What the CPUs but the first do once all are up: never returns. NULL: they sleep, and look again after each kick. */
extern void (*ap_main)(void);
