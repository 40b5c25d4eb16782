/* How fast the TSC runs: measured against a clock that is known, and compared with what CPUID claims. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/ref_clock.h"
#include "kernel/lib/errors.h"

/* What passed on both clocks between two readings. */
struct tsc_window {
	uint64_t ref_ticks;
	uint64_t tsc_ticks;
};

uint64_t tsc_window_hz(const struct tsc_window *w, const struct ref_clock *clock);
uint64_t tsc_windows_hz(const struct tsc_window *w, size_t count, const struct ref_clock *clock);

/* Clocks to measure with, the first that works is taken. */
struct tsc_sources {
	uintptr_t hpet_base;  /* where its registers are mapped; 0: none */
	uint16_t pm_timer;    /* port; 0: none */
	uint32_t cpuid_15[4]; /* EAX, EBX, ECX, EDX of leaf 0x15; zeros: there is no such leaf */
	uint32_t cpuid_16[4];
};

enum tsc_verdict {
	TSC_CPUID_SILENT,
	TSC_CPUID_AGREES,
	TSC_CPUID_LIES, /* the measurement counts */
};

struct tsc_result {
	uint64_t hz; /* to be used */
	uint64_t measured_hz;
	uint64_t cpuid_hz;  /* 0: CPUID says nothing */
	const char *source; /* "HPET", "PM timer", "PIT" */
	enum tsc_verdict verdict;
};

uint64_t tsc_cpuid_hz(const uint32_t leaf_15[4], const uint32_t leaf_16[4], bool *exact);
void tsc_compare(struct tsc_result *r, const uint32_t leaf_15[4], const uint32_t leaf_16[4]);
int tsc_measure(const struct hw_io *hw, const struct ref_clock *clock, uint64_t *hz) MUST_CHECK;
int tsc_calibrate(const struct hw_io *hw, const struct tsc_sources *sources, struct tsc_result *out) MUST_CHECK;
const char *tsc_describe(const struct tsc_result *r, char *buf, size_t size_bytes);
