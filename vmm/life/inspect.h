/* A VM seen from outside, as lines of text: for the post-mortem and for the monitor. It changes nothing in the VM. */
#pragma once

#include "vmm/core/vm.h"

/* Where the lines go: without a line end. */
struct text_lines {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

/* Interrupts that have come to this vCPU since it was made, from its local APIC and the 8259 pair, whoever delivers them;
 * not those that it sends itself without an exit, which only the processor sees. Context: any CPU. */
uint64_t inspect_interrupts(const struct vcpu *v);

/* General, control and segment registers. */
void inspect_regs(struct vcpu *v, const struct text_lines *out);

/* The newest `count` exits, oldest of them first. */
void inspect_trace(const struct vcpu *v, unsigned count, uint64_t tsc_hz, const struct text_lines *out);

/* How RIP is found: gva -> gpa by the guest's page tables, gpa -> hpa by ours, each step; and the code there, decoded. */
void inspect_rip(struct vcpu *v, const struct text_lines *out);

/* Bytes in rows of 16 with their address, as hexadecimal and ASCII. */
void inspect_bytes(uint64_t address, const uint8_t *bytes, size_t len, const struct text_lines *out);

/* Read guest memory at a virtual address, through the page tables as the vCPU has them. Returns the number of bytes read;
 * fewer than len when a page is not mapped or not RAM. */
size_t inspect_read_gva(struct vcpu *v, uint64_t gva, void *buf, size_t len);
