/* What a guest sees of CPUID. An allow-list: a bit that no row of the table passes is zero (vmm/core/cpuid_rows.c has the
 * table, a reason beside each row). Computed once per VM; a CPUID exit is then a look into an array, plus the few fields
 * that change while a guest runs. SDM 2 "CPUID - CPU Identification". */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/errors.h"
#include "vmm/core/vcpu.h"
#include "vmm/core/vm_config.h"

enum cpuid_reg { CPUID_EAX, CPUID_EBX, CPUID_ECX, CPUID_EDX };

/* --- the table --- */

#define CPUID_EACH UINT8_MAX /* subleaf of a row that holds for every subleaf */

struct cpuid_row {
	uint32_t leaf;
	uint8_t subleaf;
	uint8_t reg;    /* enum cpuid_reg */
	uint32_t pass;  /* bits as the processor gives them */
	uint32_t force; /* bits that are on whatever the processor says */
	const char *why;
};

/* Row i, or NULL behind the last one: for `info cpuid`. Sorted by leaf. */
const struct cpuid_row *cpuid_policy_row(size_t i);

/* --- features by name --- */

/* The leaves that hold feature bits. */
enum cpuid_word {
	CPUID_WORD_1,
	CPUID_WORD_6,
	CPUID_WORD_7_0,
	CPUID_WORD_7_1,
	CPUID_WORD_D_1,
	CPUID_WORD_80000001,
	CPUID_WORD_80000007,
	CPUID_WORDS
};

extern const uint32_t cpuid_word_leaf[CPUID_WORDS];
extern const uint8_t cpuid_word_subleaf[CPUID_WORDS];

/* One feature bit as a number. */
#define CPUID_FEATURE(word, reg, bit) ((unsigned)(word) << 7 | (unsigned)(reg) << 5 | (bit))

/* Those that the code speaks of; CPUID_F1(ECX, 26) is bit 26 of ECX in leaf 1. */
#define CPUID_F1(reg, bit) CPUID_FEATURE(CPUID_WORD_1, CPUID_##reg, bit)
#define CPUID_F7(reg, bit) CPUID_FEATURE(CPUID_WORD_7_0, CPUID_##reg, bit)
#define CPUID_FX(reg, bit) CPUID_FEATURE(CPUID_WORD_80000001, CPUID_##reg, bit)
#define CPUID_F_PCID CPUID_F1(ECX, 17)
#define CPUID_F_XSAVE CPUID_F1(ECX, 26)
#define CPUID_F_AVX CPUID_F1(ECX, 28)
#define CPUID_F_AVX2 CPUID_F7(EBX, 5)
#define CPUID_F_AVX512F CPUID_F7(EBX, 16)
#define CPUID_F_PKU CPUID_F7(ECX, 3)
#define CPUID_F_RDTSCP CPUID_FX(EDX, 27)

/* The number of the feature that Linux's /proc/cpuinfo gives this name, or -1. */
int cpuid_feature_find(const char *name);

/* Mark a feature as hidden, and all that make no sense without it. */
void cpuid_hide(uint32_t hidden[CPUID_WORDS][4], unsigned feature);

/* --- a VM's answers --- */

#define CPUID_BASIC_MAX 0x16u /* the highest basic leaf we show: TSC and processor frequency */
#define CPUID_EXTENDED_MAX 0x80000008u
#define CPUID_HYPERVISOR_BASE 0x40000000u
#define CPUID_HYPERVISOR_MAX 0x40000010u
#define CPUID_HYPERVISOR_SIGNATURE "AvatarVtxVMM" /* in EBX, ECX, EDX of leaf 40000000H */

#define CPUID_TABLE 0x20u /* leaves of each class that are looked up directly */
#define CPUID_MAX_ENTRIES 64u
#define CPUID_XSTATES 20u /* state components we could show */

/* What of an answer is not known before the guest asks. */
enum cpuid_dynamic {
	CPUID_STATIC,
	CPUID_DYN_LEAF_1,   /* APIC ID, OSXSAVE, APIC */
	CPUID_DYN_LEAF_7,   /* OSPKE */
	CPUID_DYN_TOPOLOGY, /* x2APIC ID */
	CPUID_DYN_TOPOLOGY_END,
	CPUID_DYN_XSAVE,        /* size of the area for XCR0 */
	CPUID_DYN_XSAVE_COMPACT /* and in the compacted form */
};

struct cpuid_entry {
	uint32_t out[4];
	uint8_t dynamic; /* enum cpuid_dynamic */
	uint8_t last; /* in a leaf's first entry: how many entries follow; the last one is for all higher subleaves */
};

struct cpuid_policy {
	uint8_t basic[CPUID_TABLE];                    /* leaf -> entry */
	uint8_t extended[CPUID_TABLE];                 /* leaf - 80000000H -> entry */
	uint8_t hypervisor[CPUID_TABLE];               /* leaf - 40000000H -> entry */
	struct cpuid_entry entries[CPUID_MAX_ENTRIES]; /* entry 0: all zero */
	/* Basic leaf -> its answer, when that is one for all subleaves, and always the same. */
	const struct cpuid_entry *plain[CPUID_TABLE];
	unsigned count;
	uint64_t xcr0;      /* bits the guest may set in XCR0; 0 without XSAVE */
	uint64_t cr4;       /* bits the guest may set in CR4, as far as CPUID decides */
	uint64_t efer;      /* bits the guest may set in EFER */
	unsigned phys_bits; /* width of a guest-physical address */
	struct {
		uint32_t size, offset;
		bool align64; /* in the compacted form */
	} xstate[CPUID_XSTATES];
};

/* Reads the processor's CPUID: vcpu_hw_cpuid(), which also clears what the backend cannot give a guest. */
typedef void cpuid_reader(uint32_t leaf, uint32_t subleaf, uint32_t out[4]);

/* The frequency that leaf 15H calls the core crystal's, and with it that of the APIC timer: the TSC's own, or half of it
 * when that is more than 32 bits of Hz. */
static inline uint64_t cpuid_crystal_hz(uint64_t tsc_hz)
{
	return tsc_hz > UINT32_MAX ? tsc_hz / 2 : tsc_hz;
}

/* Compute a VM's answers.
 * config: cpus and cpuid_hide are used.  tsc_hz: measured.  xcr0: bits of XCR0 that the host lets a guest set.
 * Returns 0; ERR_NOENT: a name in cpuid_hide is no feature, *bad_name points at it (into config). */
MUST_CHECK int cpuid_policy_init(struct cpuid_policy *p, const struct vm_config *config, cpuid_reader *host,
				 uint64_t tsc_hz, uint64_t xcr0, const char **bad_name);

/* The answer's entry; cpuid_answer() gives it when it is CPUID_STATIC, otherwise cpuid_policy_apply(). */
const struct cpuid_entry *cpuid_policy_find_other(const struct cpuid_policy *p, uint32_t leaf);

static inline const struct cpuid_entry *cpuid_policy_find(const struct cpuid_policy *p, uint32_t leaf, uint32_t subleaf)
{
	const struct cpuid_entry *e;

	if (leaf < CPUID_TABLE)
		e = &p->entries[p->basic[leaf]];
	else
		e = cpuid_policy_find_other(p, leaf);
	return e + (subleaf < e->last ? subleaf : e->last);
}

struct cpuid_inputs {
	uint32_t apic_id;
	bool apic_enabled; /* IA32_APIC_BASE.EN */
	uint64_t cr4;
	uint64_t xcr0;
};

static inline void cpuid_answer(const struct cpuid_entry *e, uint64_t gpr[GPR_COUNT])
{
	gpr[GPR_RAX] = e->out[CPUID_EAX];
	gpr[GPR_RBX] = e->out[CPUID_EBX];
	gpr[GPR_RCX] = e->out[CPUID_ECX];
	gpr[GPR_RDX] = e->out[CPUID_EDX];
}

/* What the entry says, into the four registers, completed by what it depends on. */
void cpuid_policy_apply(const struct cpuid_policy *p, const struct cpuid_entry *e, uint32_t subleaf,
			const struct cpuid_inputs *in, uint64_t gpr[GPR_COUNT]);

/* Bytes of the XSAVE area, standard form, that holds the components of xcr0. */
uint32_t cpuid_xsave_size(const struct cpuid_policy *p, uint64_t xcr0);

/* Does the guest see the feature CPUID_FEATURE(...)? */
bool cpuid_policy_has(const struct cpuid_policy *p, unsigned feature);
