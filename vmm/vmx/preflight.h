/* What the hypervisor needs of a machine and what it would like: a table with, for each thing, what was found, which bit
 * says so, what firmware calls the switch, and what happens without it. A pure function of the raw values. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/vmx/vmx_caps.h"

/* The CPUID leaves that matter here, as the processor gave them (EAX, EBX, ECX, EDX; 0 beyond the highest leaf). */
struct cpu_snapshot {
	uint32_t max_leaf, max_ext_leaf;
	uint32_t leaf1[4];
	uint32_t leaf7[4];
	uint32_t leaf_d[4];  /* subleaf 0: XCR0 bits in EAX and EDX */
	uint32_t leaf_d1[4]; /* subleaf 1: XSAVEOPT, XSAVES ... */
	uint32_t ext1[4];
	uint32_t ext7[4];
	uint32_t ext8[4];
	char vendor[13];
	char brand[49]; /* without leading blanks; empty when the processor has none */
};

typedef void cpuid_fn(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

void cpu_snapshot_take(cpuid_fn *fn, struct cpu_snapshot *out);
unsigned cpu_snapshot_phys_bits(const struct cpu_snapshot *s);
unsigned cpu_snapshot_linear_bits(const struct cpu_snapshot *s);
bool cpu_snapshot_has_vmx(const struct cpu_snapshot *s);
void cpu_snapshot_features(const struct cpu_snapshot *s, const struct vmx_options *o, struct vmx_cpu_features *out);

/* As if the processor lacked what the options take away. */
void cpu_snapshot_apply(const struct vmx_options *o, struct cpu_snapshot *s);

struct vmx_probe {
	struct cpu_snapshot cpu;
	struct vmx_raw_msrs raw; /* all 0 without VT-x */
};

MUST_CHECK bool vmx_probe_same(const struct vmx_probe *first, const struct vmx_probe *here, char *why, size_t why_size);

enum preflight_need { PREFLIGHT_INFO, PREFLIGHT_WANTED, PREFLIGHT_REQUIRED };

#define PREFLIGHT_FOUND_TEXT 64u
#define PREFLIGHT_SOURCE_TEXT 32u

struct preflight_item {
	const char *name;     /* "unrestricted guest" */
	const char *firmware; /* usual names of the setting; NULL: firmware cannot switch it */
	const char *without;  /* what happens without it */
	enum preflight_need need;
	bool found;
	bool follows;                       /* missing only because VT-x as a whole is */
	char source[PREFLIGHT_SOURCE_TEXT]; /* "MSR 0x48b bit 39" */
	char text[PREFLIGHT_FOUND_TEXT];    /* what was found in words, where yes and no do not say it; else empty */
};

enum { PREFLIGHT_ITEMS_MAX = 32 };

struct preflight {
	struct preflight_item items[PREFLIGHT_ITEMS_MAX];
	unsigned count;
	unsigned missing; /* required items not found */
};

/* Below this no guest and its hypervisor fit. */
#define PREFLIGHT_MIN_MEMORY (64 * MIB)

/* probe: raw values, as read.  options: what the boot line takes away.  memory_bytes: RAM free after boot. */
void preflight_evaluate(const struct vmx_probe *probe, const struct vmx_options *options, uint64_t memory_bytes,
			struct preflight *out);

/* The table, then (when something required is missing) why no guest can run. One line a call, no newline in it. */
void preflight_print(const struct preflight *p, void (*line)(void *ctx, const char *text), void *ctx);
