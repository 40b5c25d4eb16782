/* A walk through the guest's own page tables: guest-virtual to guest-physical, as the processor would do it, with the
 * steps taken (for the post-mortem) or the page fault's error code (for the guest). Follows SDM 3 "Paging" (chapter 4). */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/mem/guest_mem.h"

enum guest_paging { GUEST_PAGING_NONE, GUEST_PAGING_32BIT, GUEST_PAGING_PAE, GUEST_PAGING_4LEVEL, GUEST_PAGING_5LEVEL };

/* The registers that decide, as the guest sees them. */
struct guest_walk_cpu {
	uint64_t cr0;
	uint64_t cr3;
	uint64_t cr4;
	uint64_t efer;
	uint64_t rflags;     /* AC, for SMAP */
	unsigned maxphyaddr; /* as the guest's CPUID says; entries with higher bits set are reserved */
};

/* The access, as a set. None of them: an explicit supervisor read. */
enum guest_access {
	GUEST_ACCESS_READ = 0,
	GUEST_ACCESS_WRITE = 1 << 0,
	GUEST_ACCESS_FETCH = 1 << 1,
	GUEST_ACCESS_USER = 1 << 2,     /* CPL 3, and not a system access */
	GUEST_ACCESS_IMPLICIT = 1 << 3, /* system structures: descriptor tables, TSS */
	GUEST_ACCESS_ANY = 1 << 4,      /* translate only: rights are not looked at (monitor, post-mortem) */
	GUEST_ACCESS_SET_AD = 1 << 5    /* on success set accessed and dirty flags, as the processor does */
};

/* Error code of a page fault: SDM 3 "Page-Fault Exceptions". */
#define PF_ERROR_PRESENT BIT32(0)
#define PF_ERROR_WRITE BIT32(1)
#define PF_ERROR_USER BIT32(2)
#define PF_ERROR_RESERVED BIT32(3)
#define PF_ERROR_FETCH BIT32(4)

#define GUEST_WALK_LEVELS 5u

struct guest_walk_step {
	const char *name; /* "PML4E" */
	uint64_t entry_gpa;
	uint64_t value;
};

struct guest_walk {
	enum guest_paging paging;
	uint64_t gpa;       /* on success */
	uint64_t page_size; /* on success: bytes; without paging 4 KiB */
	uint32_t pf_error;  /* with ERR_FAULT */
	unsigned step_count;
	struct guest_walk_step steps[GUEST_WALK_LEVELS]; /* from the top */
	/* Accumulated rights of the page, on success. */
	bool writable;
	bool user;
	bool no_execute;
};

enum guest_paging guest_walk_paging(const struct guest_walk_cpu *cpu);
MUST_CHECK int guest_walk(const struct guest_mem *mem, const struct guest_walk_cpu *cpu, uint64_t gva, unsigned access,
			  struct guest_walk *walk);
size_t guest_walk_read(const struct guest_mem *mem, const struct guest_walk_cpu *cpu, uint64_t gva, unsigned access,
		       void *buf, size_t len);
