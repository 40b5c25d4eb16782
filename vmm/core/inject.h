/* Which event goes into the guest next: one that an exit cut off or a fault of ours, an NMI, an interrupt, in this order
 * (SDM 3 "Priority Among Simultaneous Exceptions and Interrupts"). */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/core/vcpu.h"

/* Is there an interrupt that the guest would take now, if its IF let it? */
enum irq_waits {
	IRQ_NONE,
	IRQ_TO_INJECT,
	IRQ_TOLD /* the processor has been told, and delivers it by itself */
};

/* Where a vCPU's interrupts come from: its local APIC and, for the one that is wired to it, the 8259 pair. */
struct irq_source {
	enum irq_waits (*peek)(void *ctx);
	/* Before an entry: let the processor know of what it delivers by itself; then the vector that is to be injected, or -1. */
	int (*next)(void *ctx);
	/* Acknowledge what next() gave: the vector that goes in, or -1 when it has gone since. */
	int (*take)(void *ctx, int next);
	/* Both in one, for a guest that takes an interrupt now and has no threshold set: the vector that goes in, and nothing that
	 * waits behind it wants a window or a threshold; or -1, ask next(). */
	int (*accept)(void *ctx);
	void *ctx;
};

/* What ends a HLT of this vCPU: an interrupt, if IF is set, or an NMI. */
enum irq_waits vcpu_waking_event(struct vcpu *v);

/* Decide what the next entry injects (v->inject) and for what the processor shall come back. Call it before an entry when
 * something may have changed: VCPU_REQ_EVENT, which the caller has cleared first, or v->inject.valid.
 * Returns false when the guest must not be entered again: a triple fault, vm->crash says which.
 * Context: v loaded on this CPU. */
bool vcpu_inject_pending(struct vcpu *v, const struct irq_source *irqs);

/* An exit has cut off the delivery of this event: it goes in again at the next entry, unless a fault of the exit's handler
 * joins it as a double fault, or replaces it. */
void vcpu_requeue(struct vcpu *v, const struct event *event);
