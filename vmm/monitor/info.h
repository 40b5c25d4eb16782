/* What the monitor shows of the machine itself, and how it switches it off: handed in by the roof, which knows it all. */
#pragma once

#include "drivers/power.h"
#include "drivers/tsc_calibrate.h"
#include "drivers/uart16550.h"
#include "kernel/cpus.h"
#include "kernel/heap.h"
#include "kernel/memmap.h"
#include "kernel/page_alloc.h"
#include "vmm/monitor/monitor.h"
#include "vmm/vmx/preflight.h"

#define AVATAR_VERSION "0.1"

struct monitor_machine {
	const struct preflight *preflight;
	const struct cpu_snapshot *cpu;
	const struct tsc_result *tsc;
	const struct memmap *memmap;
	const struct page_alloc *pages;
	const struct heap *heap;
	struct uart *uart;
	const struct power *power;
	const struct cpu_table *cpus;
	uint64_t image_bytes; /* code, data, what is zeroed at boot, symbols */
	uint64_t boot_ticks;  /* from the loader's jump until the first guest could run */
};

/* What `info` can be asked for, besides VMs: ends with a NULL name. */
struct info_subject {
	const char *name;
	void (*show)(struct monitor *m);
};

extern const struct info_subject info_subjects[];

/* info_policy.c */
void info_cpuid(struct monitor *m);
void info_msr(struct monitor *m);

/* info_vm.c */
void info_vm(struct monitor *m, struct vm *vm);
