/* What the machine gives to its VMs: memory, time, CPUs, boot images. One object, made by main, handed to everything here.
 * The list of VMs, and a VM's life, belong to the boot CPU: other CPUs only run vCPUs. */
#pragma once

#include "kernel/heap.h"
#include "kernel/lib/page_source.h"
#include "vmm/life/images.h"
#include "vmm/mem/memtype.h"
#include "vmm/mem/slpt.h"

#define HOST_MAX_VMS 256u
#define HOST_NAME_CHAINS 256u

struct vm;
struct runner;
struct sched;

struct vmm_host {
	struct page_source pages;
	struct heap *heap;
	uint64_t tsc_hz;
	uint64_t (*wall_seconds)(void); /* seconds since 1970, now */
	uint64_t (*free_bytes)(void);   /* memory that can still be given away */
	bool (*idle_work)(
		void); /* a bounded piece of work for a CPU with nothing to do; false: there is none. Or NULL */
	uint32_t *(*attention)(uint32_t cpu); /* that CPU's attention word, see runner.h */
	void (*kick)(uint32_t cpu);       /* sets that word, and calls the CPU out of its guest or its sleep by NMI */
	void (*kick_guest)(uint32_t cpu); /* makes the CPU look at the requests of the vCPU that it runs */
	struct runner *runners;           /* by CPU number; made by runners_init() */
	unsigned cpu_count;               /* runners there are; not each of them need be present */
	struct sched *sched;
	/* A VM has ended, another CPU has logged, something was typed: the boot CPU's own loop is wanted; atomic. */
	uint32_t called;
	unsigned vm_count;
	unsigned next_id;
	bool can_run; /* the machine has what VMs need; else only the monitor works */
	struct slpt_format slpt_format;
	struct slpt apic_tables; /* of the APIC's page, see platform.h; without a root when there is none */
	struct mtrr_state mtrr;
	struct vm *by_name[HOST_NAME_CHAINS]; /* by a hash of the name, see host.c */
	struct vm *vms[HOST_MAX_VMS];         /* in order of creation, no holes */
	struct image_store images;
};

/* A VM joins the list, and gets its number: its name is not there yet, and there is room. It leaves the list.
 * Context: the boot CPU. */
void host_add(struct vmm_host *host, struct vm *vm);
void host_remove(struct vmm_host *host, struct vm *vm);

/* The VM of that name, or NULL. */
struct vm *host_find(const struct vmm_host *host, const char *name);
