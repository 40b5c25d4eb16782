/* The audit of the processor around a VM exit, for builds with DEBUG=1: see audit.h. Each function panics when something is
 * wrong. Context: on the CPU itself, in VMX operation, IF = 0. */
#pragma once

struct vcpu;
struct vmx_cpu;

/* Note what this CPU's registers are: before its first VM entry, after its control registers are set. */
void audit_begin(struct vmx_cpu *cpu);

/* No lock is held, v is loaded here, and nobody has changed what of v's is in the processor. */
void audit_before_entry(const struct vcpu *v);

/* The exit has left the host's registers as they should be, and v's where they should be. */
void audit_after_exit(const struct vcpu *v);
