/* Memory types by MTRR. Pure: the raw MSR values come from the caller. Where the manual leaves a combination undefined or
 * an encoding reserved, the answer is uncacheable: slow, but never wrong. Follows SDM 3 "Memory Type Range Registers
 * (MTRRs)" and "Precedences of MTRRs" (12.11.4.1). */
#include "vmm/mem/memtype.h"

#include "kernel/lib/format.h"

#define MTRR_DEF_TYPE_FE BIT64(10) /* fixed ranges enabled */
#define MTRR_DEF_TYPE_E BIT64(11)  /* MTRRs enabled */
#define MTRR_MASK_VALID BIT64(11)
#define MTRR_TYPE_MASK 0xffu

#define FIXED_END MIB

bool memtype_is_valid(unsigned type)
{
	return type == MEMTYPE_UC || type == MEMTYPE_WC || type == MEMTYPE_WT || type == MEMTYPE_WP ||
	       type == MEMTYPE_WB;
}

/* The manual's abbreviation; "?" for a reserved encoding. */
const char *memtype_name(enum memtype type)
{
	static const char *const names[MEMTYPE_COUNT] = {
		[MEMTYPE_UC] = "UC", [MEMTYPE_WC] = "WC", [MEMTYPE_WT] = "WT", [MEMTYPE_WP] = "WP", [MEMTYPE_WB] = "WB",
	};

	return (unsigned)type < MEMTYPE_COUNT && names[type] ? names[type] : "?";
}

static enum memtype type_of_field(uint64_t field)
{
	unsigned type = (unsigned)(field & MTRR_TYPE_MASK);

	return memtype_is_valid(type) ? (enum memtype)type : MEMTYPE_UC;
}

static uint64_t width_mask(const struct mtrr_state *m)
{
	return m->maxphyaddr >= 64 ? UINT64_MAX : BIT64(m->maxphyaddr) - 1;
}

static unsigned variable_count(const struct mtrr_state *m)
{
	return m->variable_count < MTRR_VARIABLE_MAX ? m->variable_count : MTRR_VARIABLE_MAX;
}

/* The address bits that a variable range compares; 0 when the range is not valid. */
static uint64_t variable_mask(const struct mtrr_state *m, unsigned i)
{
	if (!(m->variable[i].mask & MTRR_MASK_VALID))
		return 0;
	return m->variable[i].mask & width_mask(m) & ~(PAGE_SIZE - 1);
}

static bool fixed_applies(const struct mtrr_state *m, uint64_t hpa)
{
	return hpa < FIXED_END && m->has_fixed && (m->def_type & MTRR_DEF_TYPE_FE);
}

/* Size of the fixed range that holds an address below 1 MiB: eight of 64 KiB, sixteen of 16 KiB, sixty-four of 4 KiB. */
static uint64_t fixed_size(uint64_t hpa)
{
	return hpa < 0x80000 ? 64 * KIB : hpa < 0xc0000 ? 16 * KIB : 4 * KIB;
}

static enum memtype fixed_type(const struct mtrr_state *m, uint64_t hpa)
{
	uint64_t range;

	if (hpa < 0x80000)
		range = hpa / (64 * KIB);
	else if (hpa < 0xc0000)
		range = 8 + (hpa - 0x80000) / (16 * KIB);
	else
		range = 24 + (hpa - 0xc0000) / (4 * KIB);
	return type_of_field(m->fixed[range / 8] >> (8 * (range % 8)));
}

/* Two ranges hold the same address: UC wins, then WT over WB; what else differs is undefined. */
static enum memtype combine(enum memtype a, enum memtype b)
{
	if (a == b)
		return a;
	if ((a == MEMTYPE_WT && b == MEMTYPE_WB) || (a == MEMTYPE_WB && b == MEMTYPE_WT))
		return MEMTYPE_WT;
	return MEMTYPE_UC;
}

static enum memtype variable_type(const struct mtrr_state *m, uint64_t hpa)
{
	enum memtype type = MEMTYPE_UC;
	bool found = false;

	for (unsigned i = 0; i < variable_count(m); i++) {
		uint64_t mask = variable_mask(m, i);

		if (!mask || ((hpa ^ m->variable[i].base) & mask))
			continue;
		enum memtype t = type_of_field(m->variable[i].base);
		type = found ? combine(type, t) : t;
		found = true;
	}
	return found ? type : type_of_field(m->def_type);
}

/* The memory type the MTRRs give the byte at hpa. */
enum memtype mtrr_type_at(const struct mtrr_state *m, uint64_t hpa)
{
	if (!(m->def_type & MTRR_DEF_TYPE_E))
		return MEMTYPE_UC;
	return fixed_applies(m, hpa) ? fixed_type(m, hpa) : variable_type(m, hpa);
}

static uint64_t min_above(uint64_t candidate, uint64_t hpa, uint64_t best)
{
	return candidate > hpa && candidate < best ? candidate : best;
}

/* The next address after hpa where a variable range may begin or end. */
static uint64_t variable_boundary(const struct mtrr_state *m, uint64_t hpa, unsigned i, uint64_t best)
{
	uint64_t mask = variable_mask(m, i);
	uint64_t size = mask & -mask;
	uint64_t base = m->variable[i].base & mask;

	if (!mask)
		return best;
	/* A mask with gaps repeats its range: any multiple of its grain may be an edge. */
	if (mask + size != width_mask(m) + 1)
		return min_above(ALIGN_DOWN(hpa, size) + size, hpa, best);
	return min_above(base + size, hpa, min_above(base, hpa, best));
}

static uint64_t next_boundary(const struct mtrr_state *m, uint64_t hpa, uint64_t best)
{
	if (!(m->def_type & MTRR_DEF_TYPE_E))
		return best;
	if (fixed_applies(m, hpa))
		return min_above(ALIGN_DOWN(hpa, fixed_size(hpa)) + fixed_size(hpa), hpa, best);
	for (unsigned i = 0; i < variable_count(m); i++)
		best = variable_boundary(m, hpa, i, best);
	return best;
}

/* The type at hpa, and how far from there it stays the same.
 * max_len: bytes to look at, at least 1; hpa + max_len does not wrap.
 * len: bytes from hpa on that all have the returned type, at most max_len. */
enum memtype mtrr_uniform_block(const struct mtrr_state *m, uint64_t hpa, uint64_t max_len, uint64_t *len)
{
	enum memtype type = mtrr_type_at(m, hpa);
	uint64_t end = hpa + max_len;
	uint64_t at = hpa;

	do
		at = next_boundary(m, at, end);
	while (at < end && mtrr_type_at(m, at) == type);
	*len = at - hpa;
	return type;
}

static bool same(const char *name, uint64_t first, uint64_t here, char *why, size_t why_size)
{
	if (first != here)
		fmt_snprintf(why, why_size, "%s is 0x%llx, on the first CPU 0x%llx", name, (unsigned long long)here,
			     (unsigned long long)first);
	return first == here;
}

static bool same_variable(const struct mtrr_variable *first, const struct mtrr_variable *here, unsigned i, char *why,
			  size_t why_size)
{
	char name[32];

	if (((first->mask | here->mask) & MTRR_MASK_VALID) == 0)
		return true;
	fmt_snprintf(name, sizeof(name), "IA32_MTRR_PHYSMASK%u", i);
	if (!same(name, first->mask, here->mask, why, why_size))
		return false;
	fmt_snprintf(name, sizeof(name), "IA32_MTRR_PHYSBASE%u", i);
	return same(name, first->base, here->base, why, why_size);
}

bool mtrr_same(const struct mtrr_state *first, const struct mtrr_state *here, char *why, size_t why_size)
{
	static const char *const fixed[MTRR_FIXED_COUNT] = {
		"IA32_MTRR_FIX64K_00000", "IA32_MTRR_FIX16K_80000", "IA32_MTRR_FIX16K_A0000", "IA32_MTRR_FIX4K_C0000",
		"IA32_MTRR_FIX4K_C8000",  "IA32_MTRR_FIX4K_D0000",  "IA32_MTRR_FIX4K_D8000",  "IA32_MTRR_FIX4K_E0000",
		"IA32_MTRR_FIX4K_E8000",  "IA32_MTRR_FIX4K_F0000",  "IA32_MTRR_FIX4K_F8000",
	};

	if (!same("IA32_MTRR_DEF_TYPE", first->def_type, here->def_type, why, why_size) ||
	    !same("the number of MTRRs", first->variable_count, here->variable_count, why, why_size))
		return false;
	for (unsigned i = 0; i < MTRR_FIXED_COUNT; i++) {
		if (!same(fixed[i], first->fixed[i], here->fixed[i], why, why_size))
			return false;
	}
	for (unsigned i = 0; i < variable_count(first); i++) {
		if (!same_variable(&first->variable[i], &here->variable[i], i, why, why_size))
			return false;
	}
	return true;
}
