/* The local APIC of the CPU that asks: interrupts acknowledged, the timer, interrupts to other CPUs. One struct serves all
 * CPUs; after lapic_init() and lapic_timer_calibrate() on the first of them it is only read. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/regs/lapic.h"
#include "kernel/lib/errors.h"

struct lapic_config {
	uintptr_t base;    /* where the page at hpa is mapped, uncached; unused when x2APIC is taken */
	uint64_t hpa;      /* LAPIC_DEFAULT_BASE, or what the MADT says */
	bool x2apic;       /* CPUID.1:ECX[21], and wanted */
	bool tsc_deadline; /* CPUID.1:ECX[24], and wanted */
	uint8_t timer_vector;
	uint8_t error_vector;
	uint8_t spurious_vector; /* bits 3:0 set, for old parts */
};

struct lapic {
	const struct hw_io *hw;
	struct lapic_config config;
	bool x2apic;       /* which face is used */
	uint64_t tsc_hz;   /* 0: not calibrated yet */
	uint64_t timer_hz; /* of the counter, divided by 1 */
};

void lapic_init(struct lapic *l, const struct hw_io *hw, const struct lapic_config *config);
void lapic_cpu_enable(const struct lapic *l);
uint32_t lapic_id(const struct lapic *l);
void lapic_eoi(const struct lapic *l);
uint32_t lapic_errors(const struct lapic *l);

/* lvt: what LINT0 or LINT1 is to do, LAPIC_LVT_*. */
void lapic_lint(const struct lapic *l, unsigned pin, uint32_t lvt);

int lapic_timer_calibrate(struct lapic *l, uint64_t tsc_hz) MUST_CHECK;
void lapic_timer_arm(const struct lapic *l, uint64_t at_tsc);
void lapic_timer_stop(const struct lapic *l);
bool lapic_timer_pending(const struct lapic *l);

/* what: LAPIC_ICR_DM_* with a vector where it needs one. */
void lapic_send(const struct lapic *l, uint32_t apic_id, uint32_t what);
void lapic_send_others(const struct lapic *l, uint32_t what);
