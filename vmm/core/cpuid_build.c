/* Computing a VM's CPUID answers: the allow-list applied to this processor, what the configuration hides, and the leaves
 * that are ours. Done once when a VM is made. */
#include "vmm/core/cpuid_policy.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"

#define LEAF1_ECX_XSAVE BIT32(26)
#define LEAF1_EDX_HTT BIT32(28)
#define LEAF7_ECX_PKU BIT32(3)
#define LEAFD1_EAX_XSAVEC BIT32(1)
#define LEAF4_TYPE_MASK 0x1fu
#define TOPOLOGY_SMT 1u
#define TOPOLOGY_CORE 2u
#define GUEST_PHYS_BITS_MAX 48u /* what four levels of second-level tables translate */
#define GUEST_LINEAR_BITS_MAX 48u
#define CACHES_MAX 8u

/* Everything that lives while a policy is computed. */
struct builder {
	struct cpuid_policy *p;
	cpuid_reader *host;
	uint32_t host_max[3]; /* of the basic, (unused) hypervisor and extended class */
	unsigned cpus;
	unsigned core_shift; /* bits of the APIC ID that number the cores */
	uint64_t tsc_hz;
	uint64_t xcr0;
	size_t first_row; /* of the leaf at hand */
	struct cpuid_entry *first;
	uint32_t hidden[CPUID_WORDS][4];
};

/* What the configuration says, and what has no room in the XCR0 that the host allows. */
static int hide_all(struct builder *b, const struct vm_config *config, const char **bad_name)
{
	for (unsigned i = 0; i < config->cpuid_hide_count; i++) {
		const char *name = config->cpuid_hide[i];
		int feature = cpuid_feature_find(name[0] == '-' ? name + 1 : name);

		if (feature < 0) {
			*bad_name = name;
			return ERR_NOENT;
		}
		cpuid_hide(b->hidden, (unsigned)feature);
	}
	if ((b->xcr0 & (XCR0_X87 | XCR0_SSE)) != (XCR0_X87 | XCR0_SSE))
		cpuid_hide(b->hidden, CPUID_F_XSAVE);
	if ((b->xcr0 & XCR0_AVX) == 0)
		cpuid_hide(b->hidden, CPUID_F_AVX);
	if ((b->xcr0 & XCR0_AVX512) != XCR0_AVX512)
		cpuid_hide(b->hidden, CPUID_F_AVX512F);
	if ((b->xcr0 & XCR0_PKRU) == 0)
		cpuid_hide(b->hidden, CPUID_F_PKU);
	return 0;
}

static void clear_hidden(const struct builder *b, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	for (unsigned w = 0; w < CPUID_WORDS; w++)
		if (cpuid_word_leaf[w] == leaf && cpuid_word_subleaf[w] == subleaf)
			for (unsigned reg = 0; reg < 4; reg++)
				out[reg] &= ~b->hidden[w][reg];
}

/* --- one leaf after another, in ascending order --- */

static uint32_t host_max(struct builder *b, uint32_t leaf)
{
	return b->host_max[leaf >> 30];
}

/* The processor's answer through the table's masks. */
static void filtered(struct builder *b, uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	const struct cpuid_row *row;
	uint32_t raw[4] = {0};

	memset(out, 0, 4 * sizeof(out[0]));
	if (leaf <= host_max(b, leaf))
		b->host(leaf, subleaf, raw);
	for (size_t i = b->first_row; (row = cpuid_policy_row(i)) != NULL && row->leaf == leaf; i++)
		if (row->subleaf == subleaf || (row->subleaf == CPUID_EACH && (leaf != 0xd || subleaf >= 2)))
			out[row->reg] = (raw[row->reg] & row->pass) | row->force;
	clear_hidden(b, leaf, subleaf, out);
}

static uint8_t *slot(struct cpuid_policy *p, uint32_t leaf)
{
	uint8_t *table = leaf >> 30 == 0 ? p->basic : leaf >> 30 == 1 ? p->hypervisor : p->extended;

	assert((leaf & 0x3fffffff) < CPUID_TABLE);
	return &table[leaf & 0x3fffffff];
}

static void begin_leaf(struct builder *b, uint32_t leaf)
{
	const struct cpuid_row *row;

	while ((row = cpuid_policy_row(b->first_row)) != NULL && row->leaf < leaf)
		b->first_row++;
	assert(b->p->count < CPUID_MAX_ENTRIES);
	b->first = &b->p->entries[b->p->count];
	*slot(b->p, leaf) = (uint8_t)b->p->count;
}

/* Append the next subleaf of the leaf begun. */
static void add(struct builder *b, enum cpuid_dynamic dynamic, const uint32_t out[4])
{
	struct cpuid_entry *e = &b->p->entries[b->p->count];

	assert(b->p->count < CPUID_MAX_ENTRIES);
	memcpy(e->out, out, sizeof(e->out));
	e->dynamic = (uint8_t)dynamic;
	b->first->last = (uint8_t)(e - b->first);
	b->p->count++;
}

static const uint32_t zero[4];

static void add_plain(struct builder *b, uint32_t leaf)
{
	uint32_t out[4];

	begin_leaf(b, leaf);
	filtered(b, leaf, 0, out);
	add(b, CPUID_STATIC, out);
}

static void add_limits(struct builder *b, uint32_t leaf, uint32_t max)
{
	uint32_t out[4];

	begin_leaf(b, leaf);
	filtered(b, leaf, 0, out);
	out[CPUID_EAX] = max;
	add(b, CPUID_STATIC, out);
}

static void add_leaf_1(struct builder *b)
{
	uint32_t out[4];

	begin_leaf(b, 1);
	filtered(b, 1, 0, out);
	out[CPUID_EBX] |= BIT32(b->core_shift) << 16;
	if (b->cpus > 1)
		out[CPUID_EDX] |= LEAF1_EDX_HTT;
	add(b, CPUID_DYN_LEAF_1, out);
	if ((out[CPUID_ECX] & LEAF1_ECX_XSAVE) == 0)
		b->xcr0 = 0;
}

/* The first and second level belong to a core, what lies beyond to all of them. */
static void add_caches(struct builder *b)
{
	uint32_t cores = BIT32(b->core_shift) - 1;

	begin_leaf(b, 4);
	for (uint32_t subleaf = 0; subleaf < CACHES_MAX; subleaf++) {
		uint32_t out[4];

		filtered(b, 4, subleaf, out);
		if ((out[CPUID_EAX] & LEAF4_TYPE_MASK) == 0)
			break;
		out[CPUID_EAX] |= cores << 26 | ((out[CPUID_EAX] >> 5 & 7) >= 3 ? cores : 0) << 14;
		add(b, CPUID_STATIC, out);
	}
	add(b, CPUID_STATIC, zero);
}

static void add_leaf_7(struct builder *b)
{
	uint32_t raw[4] = {0}, out[4];
	bool pku;

	begin_leaf(b, 7);
	if (host_max(b, 7) >= 7)
		b->host(7, 0, raw);
	filtered(b, 7, 0, out);
	out[CPUID_EAX] = raw[CPUID_EAX] >= 1 ? 1 : 0;
	pku = (out[CPUID_ECX] & LEAF7_ECX_PKU) != 0;
	add(b, pku ? CPUID_DYN_LEAF_7 : CPUID_STATIC, out);
	if (raw[CPUID_EAX] >= 1) {
		filtered(b, 7, 1, out);
		add(b, CPUID_STATIC, out);
	}
	add(b, CPUID_STATIC, zero);
}

static void add_topology(struct builder *b)
{
	uint32_t smt[4] = {0, 1, 0 | TOPOLOGY_SMT << 8, 0};
	uint32_t core[4] = {b->core_shift, b->cpus, 1 | TOPOLOGY_CORE << 8, 0};

	begin_leaf(b, 0xb);
	add(b, CPUID_DYN_TOPOLOGY, smt);
	add(b, CPUID_DYN_TOPOLOGY, core);
	add(b, CPUID_DYN_TOPOLOGY_END, zero);
}

/* --- XSAVE areas, SDM 1 "Managing State Using the XSAVE Feature Set" --- */

/* XCR0 as the guest's features allow it. */
static uint64_t guest_xcr0(const struct builder *b)
{
	uint64_t xcr0 = b->xcr0 & (XCR0_X87 | XCR0_SSE);

	if (xcr0 == 0)
		return 0;
	xcr0 |= cpuid_policy_has(b->p, CPUID_F_AVX) ? XCR0_AVX : 0;
	xcr0 |= cpuid_policy_has(b->p, CPUID_F_AVX512F) ? XCR0_AVX512 : 0;
	xcr0 |= cpuid_policy_has(b->p, CPUID_F_PKU) ? XCR0_PKRU : 0;
	return xcr0;
}

static void add_xsave(struct builder *b)
{
	struct cpuid_policy *p = b->p;
	uint32_t parts[CPUID_XSTATES][4];
	uint32_t top = 1;

	p->xcr0 = guest_xcr0(b);
	if (p->xcr0 == 0)
		return;
	begin_leaf(b, 0xd);
	for (uint32_t i = 2; i < CPUID_XSTATES; i++) {
		memset(parts[i], 0, sizeof(parts[i]));
		if (!bits_test(p->xcr0, i))
			continue;
		filtered(b, 0xd, i, parts[i]);
		p->xstate[i].size = parts[i][CPUID_EAX];
		p->xstate[i].offset = parts[i][CPUID_EBX];
		p->xstate[i].align64 = (parts[i][CPUID_ECX] & BIT32(1)) != 0;
		top = i;
	}
	filtered(b, 0xd, 0, parts[0]);
	parts[0][CPUID_EAX] = (uint32_t)p->xcr0;
	parts[0][CPUID_ECX] = cpuid_xsave_size(p, p->xcr0);
	parts[0][CPUID_EDX] = (uint32_t)(p->xcr0 >> 32);
	add(b, CPUID_DYN_XSAVE, parts[0]);
	filtered(b, 0xd, 1, parts[1]);
	add(b, (parts[1][CPUID_EAX] & LEAFD1_EAX_XSAVEC) != 0 ? CPUID_DYN_XSAVE_COMPACT : CPUID_STATIC, parts[1]);
	for (uint32_t i = 2; i <= top; i++)
		add(b, CPUID_STATIC, parts[i]);
	add(b, CPUID_STATIC, zero);
}

/* --- frequencies and the hypervisor's own leaves --- */

/* Linux reckons in kHz and rounds down: a frequency of 19,999,999 Hz would become 19,999 kHz, 50 ppm off. */
static uint64_t nearest_khz(uint64_t hz)
{
	return (hz + 500) / 1000;
}

static void add_frequencies(struct builder *b)
{
	uint64_t crystal = cpuid_crystal_hz(b->tsc_hz);
	uint64_t mhz = (b->tsc_hz + 500000) / 1000000;
	uint32_t out[4] = {1, crystal == b->tsc_hz ? 1 : 2, 0, 0};

	begin_leaf(b, 0x15);
	out[CPUID_ECX] =
		nearest_khz(crystal) * 1000 > UINT32_MAX ? (uint32_t)crystal : (uint32_t)nearest_khz(crystal) * 1000;
	add(b, CPUID_STATIC, out);
	/* Not 0, however slow an emulator is: a guest would go and measure. */
	mhz = mhz == 0 ? 1 : mhz > UINT16_MAX ? UINT16_MAX : mhz;
	memset(out, 0, sizeof(out));
	out[CPUID_EAX] = (uint32_t)mhz;
	out[CPUID_EBX] = (uint32_t)mhz;
	begin_leaf(b, 0x16);
	add(b, CPUID_STATIC, out);
}

static void add_hypervisor(struct builder *b)
{
	const char *signature = CPUID_HYPERVISOR_SIGNATURE;
	uint32_t out[4] = {CPUID_HYPERVISOR_MAX, load_le32(signature), load_le32(signature + 4),
			   load_le32(signature + 8)};

	static_assert(sizeof(CPUID_HYPERVISOR_SIGNATURE) == 13, "the signature fills three registers");
	begin_leaf(b, CPUID_HYPERVISOR_BASE);
	add(b, CPUID_STATIC, out);
	begin_leaf(b, CPUID_HYPERVISOR_MAX);
	out[CPUID_EAX] = (uint32_t)nearest_khz(b->tsc_hz);
	out[CPUID_EBX] = (uint32_t)nearest_khz(cpuid_crystal_hz(b->tsc_hz));
	out[CPUID_ECX] = 0;
	out[CPUID_EDX] = 0;
	add(b, CPUID_STATIC, out);
}

static void add_addresses(struct builder *b)
{
	uint32_t phys, linear, out[4];

	begin_leaf(b, CPUID_EXTENDED_MAX);
	filtered(b, CPUID_EXTENDED_MAX, 0, out);
	phys = out[CPUID_EAX] & 0xff;
	linear = out[CPUID_EAX] >> 8 & 0xff;
	/* A processor without the leaf has 36 bits and, in long mode, 48. */
	phys = phys == 0 ? 36 : phys > GUEST_PHYS_BITS_MAX ? GUEST_PHYS_BITS_MAX : phys;
	linear = linear == 0 || linear > GUEST_LINEAR_BITS_MAX ? GUEST_LINEAR_BITS_MAX : linear;
	out[CPUID_EAX] = linear << 8 | phys;
	b->p->phys_bits = phys;
	add(b, CPUID_STATIC, out);
}

/* --- what the features allow in control registers --- */

static uint64_t guest_cr4(const struct cpuid_policy *p)
{
	static const struct {
		uint16_t feature;
		uint64_t bits;
	} rows[] = {
		{CPUID_F1(EDX, 1), CR4_VME | CR4_PVI},
		{CPUID_F1(EDX, 4), CR4_TSD},
		{CPUID_F1(EDX, 2), CR4_DE},
		{CPUID_F1(EDX, 3), CR4_PSE},
		{CPUID_F1(EDX, 6), CR4_PAE},
		{CPUID_F1(EDX, 7), CR4_MCE},
		{CPUID_F1(EDX, 13), CR4_PGE},
		{CPUID_F1(EDX, 24), CR4_OSFXSR},
		{CPUID_F1(EDX, 25), CR4_OSXMMEXCPT},
		{CPUID_F_PCID, CR4_PCIDE},
		{CPUID_F_XSAVE, CR4_OSXSAVE},
		{CPUID_F7(EBX, 0), CR4_FSGSBASE},
		{CPUID_F7(EBX, 7), CR4_SMEP},
		{CPUID_F7(EBX, 20), CR4_SMAP},
		{CPUID_F7(ECX, 2), CR4_UMIP},
		{CPUID_F_PKU, CR4_PKE},
	};
	uint64_t cr4 = CR4_PCE;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		cr4 |= cpuid_policy_has(p, rows[i].feature) ? rows[i].bits : 0;
	return cr4;
}

static uint64_t guest_efer(const struct cpuid_policy *p)
{
	uint64_t efer = 0;

	efer |= cpuid_policy_has(p, CPUID_FX(EDX, 11)) ? EFER_SCE : 0;
	efer |= cpuid_policy_has(p, CPUID_FX(EDX, 29)) ? EFER_LME | EFER_LMA : 0;
	efer |= cpuid_policy_has(p, CPUID_FX(EDX, 20)) ? EFER_NXE : 0;
	return efer;
}

static void read_host_limits(struct builder *b)
{
	uint32_t out[4];

	b->host(0, 0, out);
	b->host_max[0] = out[CPUID_EAX];
	b->host(0x80000000, 0, out);
	b->host_max[2] = out[CPUID_EAX];
}

static void add_leaves(struct builder *b)
{
	static const uint32_t middle[] = {0x5, 0x6},
			      brand[] = {0x80000001, 0x80000002, 0x80000003, 0x80000004, 0x80000006};

	add_limits(b, 0, CPUID_BASIC_MAX);
	add_leaf_1(b);
	add_plain(b, 2);
	add_caches(b);
	for (size_t i = 0; i < ARRAY_LEN(middle); i++)
		add_plain(b, middle[i]);
	add_leaf_7(b);
	add_plain(b, 0xa);
	add_topology(b);
	add_xsave(b);
	add_frequencies(b);
	add_hypervisor(b);
	add_limits(b, 0x80000000, CPUID_EXTENDED_MAX);
	for (size_t i = 0; i < ARRAY_LEN(brand); i++)
		add_plain(b, brand[i]);
	add_plain(b, 0x80000007);
	add_addresses(b);
}

/* Leaves that do not exist answer as the highest basic one does: "If a value entered for CPUID.EAX is higher than the
 * maximum input value ..., the data for the highest basic information leaf is returned." */
static void fill_beyond(struct cpuid_policy *p)
{
	for (unsigned i = CPUID_BASIC_MAX + 1; i < CPUID_TABLE; i++)
		p->basic[i] = p->basic[CPUID_BASIC_MAX];
	for (unsigned i = (CPUID_EXTENDED_MAX & 0xff) + 1; i < CPUID_TABLE; i++)
		p->extended[i] = p->basic[CPUID_BASIC_MAX];
}

static void find_plain(struct cpuid_policy *p)
{
	for (unsigned i = 0; i < CPUID_TABLE; i++) {
		const struct cpuid_entry *e = &p->entries[p->basic[i]];

		p->plain[i] = e->dynamic == CPUID_STATIC && e->last == 0 ? e : NULL;
	}
}

int cpuid_policy_init(struct cpuid_policy *p, const struct vm_config *config, cpuid_reader *host, uint64_t tsc_hz,
		      uint64_t xcr0, const char **bad_name)
{
	struct builder b = {.p = p, .host = host, .cpus = config->cpus, .tsc_hz = tsc_hz, .xcr0 = xcr0};
	int err;

	assert(config->cpus >= 1 && config->cpus <= VM_MAX_VCPUS);
	memset(p, 0, sizeof(*p));
	err = hide_all(&b, config, bad_name);
	if (err != 0)
		return err;
	b.core_shift = log2_ceil(config->cpus);
	p->count = 1; /* entry 0: the leaves that say nothing */
	read_host_limits(&b);
	add_leaves(&b);
	fill_beyond(p);
	find_plain(p);
	p->cr4 = guest_cr4(p);
	p->efer = guest_efer(p);
	return 0;
}
