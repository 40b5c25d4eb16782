/* A walk of the guest's own page tables, as its processor would do it: linear to guest-physical address, or the page fault
 * that it would get. Pure; changes nothing, accessed and dirty flags included. Follows SDM 3 "Paging" (32-bit, PAE, 4-level
 * and 5-level), without protection keys and shadow stacks, which guests are not offered. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/mem/guest_mem.h"

/* The registers that decide. */
struct guest_paging {
	uint64_t cr0, cr3, cr4, efer, rflags;
};

/* What kind of access; bits as in a page-fault error code. */
enum guest_access { GUEST_READ = 0, GUEST_WRITE = 1u << 1, GUEST_USER = 1u << 2, GUEST_FETCH = 1u << 4 };

#define GUEST_FAULT_PRESENT BIT32(0)
#define GUEST_FAULT_RESERVED BIT32(3)

#define GUEST_WALK_STEPS 5u

struct guest_walk_step {
	uint64_t entry_gpa;
	uint64_t entry;
};

struct guest_walk {
	uint64_t gpa;       /* on success */
	uint64_t page_size; /* on success: of the page that maps it; 0: paging is off */
	uint32_t error;     /* on ERR_FAULT: the error code of the page fault */
	unsigned steps;     /* how many tables were looked into, whatever came out */
	struct guest_walk_step step[GUEST_WALK_STEPS];
};

/* gva: linear.  access: enum guest_access.  phys_bits: width of a guest-physical address.
 * Returns 0; ERR_FAULT: a page fault, out->error; ERR_RANGE: a table lies outside the guest's RAM (hardware reads ones or
 * whatever is there; nobody depends on it). */
MUST_CHECK int guest_walk(const struct guest_mem *mem, const struct guest_paging *regs, uint64_t gva, unsigned access,
			  unsigned phys_bits, struct guest_walk *out);
