/* Memory types, and what the MTRRs of this machine say of a host-physical range, as a pure function of the raw MSR values.
 * It is used to choose the type in second-level leaves. Follows SDM 3 "Memory Type Range Registers (MTRRs)" and
 * "Precedences of MTRRs" (12.11). */
#pragma once

#include "kernel/lib/compiler.h"

/* The encoding that MTRRs, PAT and EPT entries share: SDM 3 "Memory Types That Can Be Encoded in MTRRs". */
enum memtype {
	MEMTYPE_UC = 0,
	MEMTYPE_WC = 1,
	MEMTYPE_WT = 4,
	MEMTYPE_WP = 5,
	MEMTYPE_WB = 6,
	MEMTYPE_COUNT = 8 /* size of a table indexed by type: 2, 3 and 7 are reserved */
};

#define MTRR_FIXED_COUNT 11u
#define MTRR_VARIABLE_MAX 32u

struct mtrr_variable {
	uint64_t base; /* IA32_MTRR_PHYSBASEn */
	uint64_t mask; /* IA32_MTRR_PHYSMASKn */
};

/* Raw MSR values. A machine without MTRRs is described by all zeroes: everything is uncacheable then. */
struct mtrr_state {
	uint64_t def_type;                /* IA32_MTRR_DEF_TYPE */
	uint64_t fixed[MTRR_FIXED_COUNT]; /* 64K_00000, 16K_80000, 16K_A0000, 4K_C0000 ... 4K_F8000 */
	bool has_fixed;                   /* IA32_MTRRCAP.FIX: the processor has the fixed ranges */
	unsigned variable_count;          /* IA32_MTRRCAP.VCNT; more than MTRR_VARIABLE_MAX are not looked at */
	struct mtrr_variable variable[MTRR_VARIABLE_MAX];
	unsigned maxphyaddr; /* CPUID 0x80000008 EAX[7:0] */
};

bool memtype_is_valid(unsigned type);
const char *memtype_name(enum memtype type);

/* Are the MTRRs of two CPUs alike, as SDM 3 "MTRR Considerations in MP Systems" wants it? Ranges that are not valid do not
 * count. why: gets the first difference in words. */
bool mtrr_same(const struct mtrr_state *first, const struct mtrr_state *here, char *why, size_t why_size);

enum memtype mtrr_type_at(const struct mtrr_state *m, uint64_t hpa);
enum memtype mtrr_uniform_block(const struct mtrr_state *m, uint64_t hpa, uint64_t max_len, uint64_t *len);
