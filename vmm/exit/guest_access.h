/* Guest memory by linear address, as an instruction that a handler carries out would see it: translated by the guest's
 * tables with the guest's rights; a page fault is the guest's. */
#pragma once

#include "vmm/core/vcpu.h"
#include "vmm/decode/decode.h"
#include "vmm/mem/guest_walk.h"

/* The registers that decide a walk, as they are now. */
struct guest_walk_cpu guest_walk_cpu_of(struct vcpu *v);

/* GUEST_ACCESS_USER when the vCPU runs at CPL 3, else 0. */
unsigned guest_privilege(struct vcpu *v);

/* How the processor reads the code at CS:RIP, and the linear address of an RIP. */
enum insn_mode guest_code_mode(struct vcpu *v);
uint64_t guest_linear_rip(struct vcpu *v, uint64_t rip);

/* Translate as a data access of the guest's would be, accessed and dirty flags set. access: enum guest_access.
 * Returns 0; ERR_FAULT: the page fault (or #GP for an address that is not canonical) is queued for the guest, or nothing is
 * since its other CPUs rewrite the tables all the time, and the instruction is to be tried again; ERR_RANGE: page tables
 * outside its RAM. */
MUST_CHECK int guest_translate(struct vcpu *v, uint64_t gva, unsigned access, uint64_t *gpa);

/* Copy between a buffer and RAM at a linear address, page by page.
 * Returns 0; ERR_FAULT as above; ERR_RANGE: not RAM, or tables outside of it. What lies before the failure is copied. */
MUST_CHECK int guest_read_gva(struct vcpu *v, uint64_t gva, void *buf, size_t len, unsigned access);
MUST_CHECK int guest_write_gva(struct vcpu *v, uint64_t gva, const void *buf, size_t len, unsigned access);
