/* The checker of VM entries: good VMCSes of every mode pass, and each broken rule is told with its field. The rules are those
 * of SDM 3 "VM Entries"; expectations are written down from the manual, not from the checker. */
#include "arch/x86/regs.h"
#include "kernel/lib/string.h"
#include "tests/unit/cpu_dumps/cpu_dumps.h"
#include "tests/selftest/doctor_cases.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define ACCESS_CODE64 0xa09bu
#define ACCESS_CODE32 0xc09bu
#define ACCESS_DATA32 0xc093u
#define ACCESS_CODE16 0x009bu
#define ACCESS_DATA16 0x0093u
#define ACCESS_V86 0x00f3u
#define HOST_ADDRESS 0xffffffff80001000ull
#define NOT_CANONICAL 0x0000800000000000ull

#define MAX_SEEN 400u

struct world {
	struct vmx_caps caps;
	struct vmx_check_env env;
	struct vmcs_snapshot s;
	struct vmx_violation seen[MAX_SEEN];
	unsigned count;
	char rules[MAX_SEEN][128];
};

static void set(struct world *w, uint32_t field, uint64_t value)
{
	*vmcs_snapshot_field(&w->s, field) = value;
}

static uint64_t get(const struct world *w, uint32_t field)
{
	return vmcs_snapshot_get(&w->s, field);
}

static void set_bits(struct world *w, uint32_t field, uint64_t bits)
{
	set(w, field, get(w, field) | bits);
}

static void clear_bits(struct world *w, uint32_t field, uint64_t bits)
{
	set(w, field, get(w, field) & ~bits);
}

static void note(void *ctx, const struct vmx_violation *v)
{
	struct world *w = ctx;

	assert_true(w->count < ARRAY_LEN(w->seen));
	assert_non_null(v->rule);
	assert_non_null(v->source);
	w->seen[w->count] = *v;
	(void)str_copy(w->rules[w->count], v->rule, sizeof(w->rules[0]));
	w->count++;
}

static unsigned check(struct world *w)
{
	unsigned broken;

	w->count = 0;
	broken = vmx_check(&w->s, &w->env, note, w);
	assert_int_equal(broken, w->count);
	return broken;
}

static void passes(struct world *w)
{
	if (check(w) != 0)
		fail_msg("%s = 0x%llx: %s", vmcs_field_name(w->seen[0].field), (unsigned long long)w->seen[0].value,
			 w->rules[0]);
}

/* Exactly this is complained of (once or for several reasons), and a rule has these words in it. */
static void complains_of(struct world *w, uint32_t field, const char *words)
{
	bool found = false;

	if (check(w) == 0)
		fail_msg("%s: nothing was found", vmcs_field_name(field));
	for (unsigned i = 0; i < w->count; i++) {
		if (w->seen[i].field != field)
			continue;
		assert_int_equal(w->seen[i].value, get(w, field));
		found |= strstr(w->rules[i], words) != NULL;
	}
	if (!found)
		fail_msg("%s: \"%s\" was not said, but %s: %s", vmcs_field_name(field), words,
			 vmcs_field_name(w->seen[0].field), w->rules[0]);
}

static void set_segment(struct world *w, unsigned seg, uint32_t selector, uint64_t base, uint32_t limit,
			uint32_t access)
{
	set(w, VMCS_GUEST_ES_SELECTOR + 2 * seg, selector);
	set(w, VMCS_GUEST_ES_BASE + 2 * seg, base);
	set(w, VMCS_GUEST_ES_LIMIT + 2 * seg, limit);
	set(w, VMCS_GUEST_ES_ACCESS + 2 * seg, access);
}

enum { ES, CS, SS, DS, FS, GS, LDTR, TR };

static void set_data_segments(struct world *w, uint32_t selector, uint64_t base, uint32_t limit, uint32_t access)
{
	static const unsigned segs[] = {ES, SS, DS, FS, GS};

	for (size_t i = 0; i < ARRAY_LEN(segs); i++)
		set_segment(w, segs[i], selector, base, limit, access);
}

static void good_controls(struct world *w)
{
	const struct vmx_cpu_features features = {true, true, true};
	struct vmx_missing missing;
	struct vmx_ctls ctls;

	assert_int_equal(vmx_ctls_choose(&w->caps, &features, &ctls, &missing), 0);
	set(w, VMCS_PIN_CTLS, ctls.word[VMX_CTL_PIN]);
	set(w, VMCS_PROC_CTLS, ctls.word[VMX_CTL_PROC]);
	set(w, VMCS_PROC_CTLS2, ctls.word[VMX_CTL_PROC2]);
	set(w, VMCS_EXIT_CTLS, ctls.word[VMX_CTL_EXIT]);
	set(w, VMCS_ENTRY_CTLS, ctls.word[VMX_CTL_ENTRY]);
	set(w, VMCS_IO_BITMAP_A, 0x100000);
	set(w, VMCS_IO_BITMAP_B, 0x101000);
	set(w, VMCS_MSR_BITMAP, 0x102000);
	set(w, VMCS_EPT_POINTER, 0x10301e | 0x40);
	set(w, VMCS_VPID, 1);
}

static void good_host(struct world *w)
{
	static const uint32_t addresses[] = {VMCS_HOST_GS_BASE,   VMCS_HOST_TR_BASE, VMCS_HOST_GDTR_BASE,
					     VMCS_HOST_IDTR_BASE, VMCS_HOST_RIP,     VMCS_HOST_RSP};

	set(w, VMCS_HOST_CR0, 0x80050033);
	set(w, VMCS_HOST_CR4, CR4_PAE | CR4_VMXE);
	set(w, VMCS_HOST_CR3, 0x200000);
	set(w, VMCS_HOST_EFER, EFER_LME | EFER_LMA | EFER_NXE);
	set(w, VMCS_HOST_PAT, 0x0007040600070406);
	set(w, VMCS_HOST_CS_SELECTOR, 0x08);
	set(w, VMCS_HOST_SS_SELECTOR, 0x10);
	set(w, VMCS_HOST_DS_SELECTOR, 0x10);
	set(w, VMCS_HOST_ES_SELECTOR, 0x10);
	set(w, VMCS_HOST_TR_SELECTOR, 0x18);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++)
		set(w, addresses[i], HOST_ADDRESS);
}

static void good_guest_rest(struct world *w)
{
	set(w, VMCS_GUEST_CR4, CR4_VMXE);
	set(w, VMCS_GUEST_PAT, 0x0007040600070406);
	set(w, VMCS_GUEST_DR7, 0x400);
	set(w, VMCS_GUEST_RFLAGS, RFLAGS_FIXED1);
	set(w, VMCS_LINK_POINTER, UINT64_MAX);
	set(w, VMCS_GUEST_GDTR_LIMIT, 0xffff);
	set(w, VMCS_GUEST_IDTR_LIMIT, 0xffff);
	set_segment(w, LDTR, 0, 0, 0xffff, 0x82);
	set_segment(w, TR, 0, 0, 0xffff, 0x8b);
}

static void good_protected(struct world *w)
{
	set(w, VMCS_GUEST_CR0, CR0_PE | CR0_NE | CR0_ET);
	set_segment(w, CS, 0x08, 0, UINT32_MAX, ACCESS_CODE32);
	set_data_segments(w, 0x10, 0, UINT32_MAX, ACCESS_DATA32);
}

static void good_real(struct world *w)
{
	set(w, VMCS_GUEST_CR0, CR0_NE | CR0_ET | CR0_CD | CR0_NW);
	set_segment(w, CS, 0xf000, 0xffff0000, 0xffff, ACCESS_CODE16);
	set_data_segments(w, 0, 0, 0xffff, ACCESS_DATA16);
	set(w, VMCS_GUEST_RIP, 0xfff0);
}

static void good_64(struct world *w)
{
	good_protected(w);
	set_bits(w, VMCS_GUEST_CR0, CR0_PG);
	set_bits(w, VMCS_GUEST_CR4, CR4_PAE | CR4_PCIDE);
	set(w, VMCS_GUEST_CR3, 0x1000);
	set(w, VMCS_GUEST_EFER, EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE);
	set_bits(w, VMCS_ENTRY_CTLS, ENTRY_CTL_IA32E_GUEST);
	set_segment(w, CS, 0x08, 0, UINT32_MAX, ACCESS_CODE64);
	set(w, VMCS_GUEST_RIP, 0xffffffff81000000);
	set(w, VMCS_GUEST_GS_BASE, 0xffff888000000000);
	set(w, VMCS_GUEST_TR_BASE, 0xfffffe0000003000);
	set(w, VMCS_GUEST_GDTR_BASE, 0xfffffe0000001000);
}

static void good_v86(struct world *w)
{
	good_protected(w);
	set_segment(w, CS, 0x1000, 0x10000, 0xffff, ACCESS_V86);
	set_data_segments(w, 0x2000, 0x20000, 0xffff, ACCESS_V86);
	set_bits(w, VMCS_GUEST_RFLAGS, RFLAGS_VM);
}

static struct world *world_of(const char *model, void (*mode)(struct world *w))
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	for (size_t i = 0; i < ARRAY_LEN(cpu_dumps); i++) {
		if (str_eq(cpu_dumps[i].model, model))
			vmx_caps_parse(&cpu_dumps[i].raw, &w.caps);
	}
	w.env = (struct vmx_check_env){.caps = &w.caps, .phys_bits = 40, .linear_bits = 48, .has_rtm = true};
	good_controls(&w);
	good_host(&w);
	good_guest_rest(&w);
	mode(&w);
	return &w;
}

static struct world *fresh(void (*mode)(struct world *w))
{
	struct world *w = world_of("corei7_skylake_x", mode);

	passes(w);
	return w;
}

static void inject(struct world *w, uint32_t type, uint32_t vector)
{
	set(w, VMCS_ENTRY_INTR_INFO, INTR_VALID | type << INTR_TYPE_SHIFT | vector);
}

static void good_ones_pass(void **state)
{
	static void (*const modes[])(struct world * w) = {good_real, good_protected, good_64, good_v86};
	static const char *const models[] = {"corei7_skylake_x", "corei7_haswell_4770", "tigerlake"};

	(void)state;
	for (size_t m = 0; m < ARRAY_LEN(models); m++) {
		for (size_t i = 0; i < ARRAY_LEN(modes); i++)
			passes(world_of(models[m], modes[i]));
	}
}

/* Variants that the manual allows and a checker may easily refuse. */
static void allowed_oddities_pass(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	set(w, VMCS_GUEST_DS_ACCESS, SEG_ACCESS_UNUSABLE); /* whatever else it holds */
	set(w, VMCS_GUEST_ES_ACCESS, SEG_ACCESS_UNUSABLE | 0xf00);
	set(w, VMCS_GUEST_LDTR_ACCESS, SEG_ACCESS_UNUSABLE | 0x1f);
	set(w, VMCS_GUEST_LDTR_SELECTOR, 4);
	set(w, VMCS_GUEST_LDTR_BASE, NOT_CANONICAL);
	set(w, VMCS_GUEST_TR_ACCESS, 0x83); /* a busy 16-bit TSS */
	passes(w);
	set(w, VMCS_GUEST_CS_ACCESS, 0xc093); /* data in CS, after a switch from real mode */
	passes(w);
	set(w, VMCS_GUEST_CS_ACCESS, 0xc09f); /* conforming */
	passes(w);
	set(w, VMCS_GUEST_FS_ACCESS, 0xc09b); /* readable code in FS */
	passes(w);
	set_bits(w, VMCS_GUEST_RFLAGS, RFLAGS_IF | RFLAGS_TF);
	set(w, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	set(w, VMCS_GUEST_PENDING_DEBUG, PENDING_DEBUG_BS);
	passes(w);
	set(w, VMCS_GUEST_DEBUGCTL, 2); /* BTF: then BS must be off */
	set(w, VMCS_GUEST_PENDING_DEBUG, 0);
	passes(w);
	w = fresh(good_protected);
	set(w, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	passes(w);
	set(w, VMCS_GUEST_INTERRUPTIBILITY, 0);
	set(w, VMCS_GUEST_ACTIVITY, ACTIVITY_HLT);
	passes(w);
	inject(w, INTR_TYPE_NMI, 2);
	passes(w);
	set(w, VMCS_LINK_POINTER, 0x5000);
	passes(w);
	clear_bits(w, VMCS_PROC_CTLS, PROC_SECONDARY); /* then the secondary word is not looked at */
	set(w, VMCS_PROC_CTLS2, UINT32_MAX);
	check(w);
	for (unsigned i = 0; i < w->count; i++)
		assert_int_not_equal(w->seen[i].field, VMCS_PROC_CTLS2);
}

static void injections(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_GP);
	complains_of(w, VMCS_ENTRY_INTR_INFO, "exactly with the vectors");
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_GP | INTR_ERROR_CODE);
	set(w, VMCS_ENTRY_EXCEPTION_ERROR, 0xffff);
	passes(w);
	set(w, VMCS_ENTRY_EXCEPTION_ERROR, 0x10000);
	complains_of(w, VMCS_ENTRY_EXCEPTION_ERROR, "31:16");
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_UD | INTR_ERROR_CODE);
	complains_of(w, VMCS_ENTRY_INTR_INFO, "exactly with the vectors");
	inject(w, INTR_TYPE_SOFTWARE_EXCEPTION, VECTOR_BP);
	set(w, VMCS_ENTRY_INSN_LEN, 1);
	passes(w);
	set(w, VMCS_ENTRY_INSN_LEN, 0); /* allowed here, see MISC bit 30 */
	passes(w);
	w->caps.inject_zero_len = false;
	complains_of(w, VMCS_ENTRY_INSN_LEN, "1 to 15");
	inject(w, INTR_TYPE_OTHER, 0);
	complains_of(w, VMCS_ENTRY_INTR_INFO, "monitor trap flag");
	inject(w, INTR_TYPE_EXTERNAL, 0x30);
	complains_of(w, VMCS_GUEST_RFLAGS, "IF must be 1");
	set_bits(w, VMCS_GUEST_RFLAGS, RFLAGS_IF);
	passes(w);
	set(w, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	complains_of(w, VMCS_GUEST_INTERRUPTIBILITY, "interrupt is injected");
	set(w, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_NMI);
	passes(w);
	inject(w, INTR_TYPE_NMI, 2);
	complains_of(w, VMCS_GUEST_INTERRUPTIBILITY, "blocking by NMI must be 0");

	w = fresh(good_real);
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_GP);
	passes(w);
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_GP | INTR_ERROR_CODE);
	complains_of(w, VMCS_ENTRY_INTR_INFO, "protected mode");

	w = world_of("tigerlake", good_protected);
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_UD | INTR_ERROR_CODE); /* BASIC bit 56 */
	passes(w);
	inject(w, INTR_TYPE_OTHER, 0);
	passes(w);
	inject(w, INTR_TYPE_OTHER, 1);
	complains_of(w, VMCS_ENTRY_INTR_INFO, "vector 0");
}

static void activity(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	set(w, VMCS_GUEST_ACTIVITY, ACTIVITY_HLT);
	set_bits(w, VMCS_GUEST_RFLAGS, RFLAGS_IF);
	inject(w, INTR_TYPE_EXTERNAL, 0x20);
	passes(w);
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_DB);
	passes(w);
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_UD);
	complains_of(w, VMCS_GUEST_ACTIVITY, "ends this state");
	set(w, VMCS_ENTRY_INTR_INFO, 0);
	set(w, VMCS_GUEST_INTERRUPTIBILITY, BLOCKING_STI);
	complains_of(w, VMCS_GUEST_ACTIVITY, "must be active");
	set(w, VMCS_GUEST_INTERRUPTIBILITY, 0);
	set(w, VMCS_GUEST_SS_ACCESS, ACCESS_DATA32 | 3 << 5);
	complains_of(w, VMCS_GUEST_ACTIVITY, "DPL of SS");

	w = fresh(good_protected);
	set(w, VMCS_GUEST_ACTIVITY, ACTIVITY_SHUTDOWN);
	passes(w);
	inject(w, INTR_TYPE_EXTERNAL, 0x20);
	set_bits(w, VMCS_GUEST_RFLAGS, RFLAGS_IF);
	complains_of(w, VMCS_GUEST_ACTIVITY, "ends this state");
	inject(w, INTR_TYPE_HARDWARE_EXCEPTION, VECTOR_MC);
	passes(w);
	set(w, VMCS_GUEST_ACTIVITY, ACTIVITY_WAIT_SIPI);
	complains_of(w, VMCS_GUEST_ACTIVITY, "ends this state");
	set(w, VMCS_ENTRY_INTR_INFO, 0);
	passes(w);
	w->caps.activity = 1;
	complains_of(w, VMCS_GUEST_ACTIVITY, "supports");
	set(w, VMCS_GUEST_ACTIVITY, UINT32_MAX);
	complains_of(w, VMCS_GUEST_ACTIVITY, "supports");
}

struct simple {
	void (*mode)(struct world *w);
	struct {
		uint32_t field;
		uint64_t clear, set;
	} change;
	const char *words;
};

/* One change each, beyond those of the self-test, which are used below. */
static const struct simple simple_cases[] = {
	{good_64, {VMCS_GUEST_CR0, CR0_PG, 0}, "needs PG"},
	{good_64, {VMCS_GUEST_CR4, CR4_PAE, 0}, "needs PAE"},
	{good_64, {VMCS_GUEST_EFER, EFER_LMA, 0}, "LMA must equal"},
	{good_64, {VMCS_GUEST_EFER, EFER_LME, 0}, "LMA must equal LME"},
	{good_64, {VMCS_GUEST_EFER, 0, BIT64(13)}, "reserved"},
	{good_64, {VMCS_GUEST_RIP, UINT64_MAX, NOT_CANONICAL}, "canonical"},
	{good_64, {VMCS_GUEST_RFLAGS, 0, RFLAGS_VM}, "VM must be 0"},
	{good_64, {VMCS_GUEST_CS_ACCESS, 0, SEG_ACCESS_DB}, "64-bit code"},
	{good_64, {VMCS_GUEST_TR_ACCESS, 8, 0}, "busy TSS"},
	{good_64, {VMCS_GUEST_TR_BASE, UINT64_MAX, NOT_CANONICAL}, "canonical"},
	{good_64, {VMCS_GUEST_GDTR_BASE, UINT64_MAX, NOT_CANONICAL}, "canonical"},
	{good_64, {VMCS_GUEST_CR3, 0, BIT64(40)}, "width"},
	{good_64, {VMCS_GUEST_DS_BASE, 0, BIT64(32)}, "63:32"},
	{good_protected, {VMCS_GUEST_DEBUGCTL, 0, BIT64(3)}, "reserved"},
	{good_protected, {VMCS_GUEST_DEBUGCTL, 0, BIT64(40)}, "reserved"},
	{good_protected, {VMCS_GUEST_PAT, 0xffull << 56, 8ull << 56}, "memory type"},
	{good_protected, {VMCS_GUEST_RFLAGS, 0, BIT64(22)}, "reserved"},
	{good_protected, {VMCS_GUEST_RFLAGS, 0, BIT64(63)}, "reserved"},
	{good_protected, {VMCS_GUEST_CS_ACCESS, SEG_ACCESS_TYPE, 10}, "accessed code"},
	{good_protected, {VMCS_GUEST_CS_ACCESS, UINT64_MAX, 0xc09f | 1 << 5}, "conforming"},
	{good_protected, {VMCS_GUEST_CS_ACCESS, 0, BIT64(17)}, "reserved"},
	{good_protected, {VMCS_GUEST_CS_ACCESS, UINT64_MAX, 0xc093 | 1 << 5}, "DPL must be 0"},
	{good_protected, {VMCS_GUEST_SS_ACCESS, 0, BIT64(31)}, "reserved"},
	{good_protected, {VMCS_GUEST_SS_ACCESS, SEG_ACCESS_P, 0}, "P (bit 7)"},
	{good_protected, {VMCS_GUEST_DS_ACCESS, SEG_ACCESS_G, 0}, "must be 1: the limit"},
	{good_protected, {VMCS_GUEST_TR_ACCESS, 0, SEG_ACCESS_S}, "S (bit 4) must be 0"},
	{good_protected, {VMCS_GUEST_TR_ACCESS, SEG_ACCESS_P, 0}, "P (bit 7)"},
	{good_protected, {VMCS_GUEST_LDTR_ACCESS, 0, SEG_ACCESS_S}, "S (bit 4) must be 0"},
	{good_protected, {VMCS_GUEST_PENDING_DEBUG, 0, BIT64(4)}, "reserved"},
	{good_protected, {VMCS_GUEST_PENDING_DEBUG, 0, PENDING_DEBUG_RTM}, "RTM"},
	{good_protected, {VMCS_LINK_POINTER, UINT64_MAX, BIT64(40)}, "width"},
	{good_protected, {VMCS_GUEST_INTERRUPTIBILITY, 0, BLOCKING_ENCLAVE}, "SGX"},
	{good_protected, {VMCS_ENTRY_CTLS, 0, ENTRY_CTL_TO_SMM}, "SMM"},
	{good_protected, {VMCS_ENTRY_CTLS, 0, ENTRY_CTL_END_DUAL_MONITOR}, "SMM"},
	{good_protected, {VMCS_PROC_CTLS, 0, PROC_NMI_WINDOW | 1}, "must be 0"},
	{good_protected, {VMCS_EPT_POINTER, 0, BIT64(40)}, "width"},
	{good_protected, {VMCS_EPT_POINTER, 0, BIT64(7)}, "bit 7"},
	{good_protected, {VMCS_EPT_POINTER, 7, 1}, "memory type"},
	{good_protected, {VMCS_EPT_POINTER, 7ull << 3, 4ull << 3}, "bits 5:3"},
	{good_real, {VMCS_GUEST_SS_ACCESS, 0, 1 << 5}, "DPL must be 0 in real mode"},
	{good_real, {VMCS_GUEST_RFLAGS, 0, RFLAGS_VM}, "VM must be 0"},
	{good_real, {VMCS_GUEST_RIP, 0, BIT64(63)}, "63:32"},
	{good_real, {VMCS_GUEST_CR0, CR0_NE, 0}, "fixed"},
	{good_real, {VMCS_GUEST_CR4, 0, CR4_PCIDE}, "PCIDE"},
	{good_real, {VMCS_GUEST_CR4, 0, CR4_CET}, "fixed"},
	{good_v86, {VMCS_GUEST_CS_BASE, 0, 1}, "times 16"},
	{good_v86, {VMCS_GUEST_ES_LIMIT, 1, 0}, "0xffff"},
	{good_v86, {VMCS_GUEST_FS_ACCESS, 0, SEG_ACCESS_DB}, "0xf3"},
	{good_protected, {VMCS_HOST_CR3, 0, BIT64(40)}, "width"},
	{good_protected, {VMCS_HOST_RIP, UINT64_MAX, NOT_CANONICAL}, "canonical"},
	{good_protected, {VMCS_HOST_EFER, EFER_LME, 0}, "LMA and LME"},
	{good_protected, {VMCS_HOST_PAT, 0, 0xff00}, "memory type"},
	{good_protected, {VMCS_HOST_CR4, 0, CR4_CET}, "fixed"},
	{good_protected, {VMCS_EXIT_CTLS, EXIT_CTL_HOST_64, 0}, "IA-32e mode"},
};

static void simple_breakages(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(simple_cases); i++) {
		const struct simple *c = &simple_cases[i];
		struct world *w = fresh(c->mode);

		clear_bits(w, c->change.field, c->change.clear);
		set_bits(w, c->change.field, c->change.set);
		complains_of(w, c->change.field, c->words);
	}
}

static void apply(struct world *w, const struct doctor_change *c)
{
	set(w, c->field, doctor_new_value(c, get(w, c->field)));
}

/* Whether the case was possible. */
static bool self_test_case(const struct doctor_change *dc)
{
	struct world *w = fresh(good_protected);

	if (!doctor_case_possible(dc, &w->caps))
		return false;
	for (; dc->kind & DOCTOR_SETUP; dc++)
		apply(w, dc);
	passes(w);
	apply(w, dc);
	complains_of(w, dc->field, "");
	return true;
}

/* The cases of the self-test on the processor: the setup breaks nothing, the breakage is named. */
static void self_test_cases(void **state)
{
	static bool seen[UINT16_MAX + 1];
	unsigned distinct = 0, possible = 0;
	bool begins = true;

	(void)state;
	for (unsigned i = 0; i < doctor_change_count; i++) {
		const struct doctor_change *c = &doctor_changes[i];

		if (begins)
			possible += self_test_case(c);
		begins = !(c->kind & DOCTOR_SETUP);
		distinct += begins && !seen[c->field];
		seen[c->field] |= begins;
	}
	assert_true(distinct >= 45 && possible >= 90);
}

static void without_unrestricted_guest(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	clear_bits(w, VMCS_PROC_CTLS2, PROC2_UNRESTRICTED_GUEST);
	complains_of(w, VMCS_GUEST_CR0, "fixed"); /* PG must be 1 now */
	set_bits(w, VMCS_GUEST_CR0, CR0_PG);
	passes(w);
	set(w, VMCS_GUEST_SS_SELECTOR, 0x13);
	complains_of(w, VMCS_GUEST_SS_SELECTOR, "RPL must equal");
	set(w, VMCS_GUEST_SS_SELECTOR, 0x10);
	set(w, VMCS_GUEST_DS_SELECTOR, 0x13);
	complains_of(w, VMCS_GUEST_DS_ACCESS, "less than RPL");
	set(w, VMCS_GUEST_DS_SELECTOR, 0x10);
	set(w, VMCS_GUEST_CS_ACCESS, 0xc093);
	complains_of(w, VMCS_GUEST_CS_ACCESS, "accessed code");
}

static void control_bits_are_named(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	set_bits(w, VMCS_PROC_CTLS2, PROC2_USER_WAIT);
	complains_of(w, VMCS_PROC_CTLS2, "bit 26 (enable user wait and pause) must be 0");
	w = fresh(good_protected);
	clear_bits(w, VMCS_PIN_CTLS, PIN_NMI);
	complains_of(w, VMCS_PIN_CTLS, "\"virtual NMIs\" needs \"NMI exiting\"");
	w = fresh(good_protected);
	clear_bits(w, VMCS_PIN_CTLS, PIN_VIRTUAL_NMIS);
	set_bits(w, VMCS_PROC_CTLS, PROC_NMI_WINDOW);
	complains_of(w, VMCS_PROC_CTLS, "needs \"virtual NMIs\"");
	w = fresh(good_protected);
	clear_bits(w, VMCS_PIN_CTLS, PIN_PREEMPTION_TIMER);
	set_bits(w, VMCS_EXIT_CTLS, EXIT_CTL_SAVE_PREEMPTION_TIMER);
	complains_of(w, VMCS_EXIT_CTLS, "needs \"activate VMX-preemption timer\"");
}

static void apic_virtualization(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	set_bits(w, VMCS_PROC_CTLS, PROC_TPR_SHADOW);
	clear_bits(w, VMCS_PROC_CTLS2, PROC2_VIRTUALIZE_APIC_ACCESSES);
	set_bits(w, VMCS_PROC_CTLS2, PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS | PROC2_VIRTUALIZE_X2APIC);
	set(w, VMCS_VIRTUAL_APIC_ADDR, 0x200000);
	set(w, VMCS_TPR_THRESHOLD, 0xff); /* not looked at with virtual-interrupt delivery */
	passes(w);
	set_bits(w, VMCS_PROC_CTLS2, PROC2_VIRTUALIZE_APIC_ACCESSES);
	set(w, VMCS_APIC_ACCESS_ADDR, 0x201000);
	complains_of(w, VMCS_PROC_CTLS2, "excludes");
	clear_bits(w, VMCS_PROC_CTLS2, PROC2_VIRTUALIZE_X2APIC);
	passes(w);
	clear_bits(w, VMCS_PIN_CTLS, PIN_EXTERNAL_INTERRUPT);
	complains_of(w, VMCS_PROC_CTLS2, "\"external-interrupt exiting\"");
}

static void msr_areas_end_inside_memory(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	set(w, VMCS_EXIT_MSR_STORE_ADDR, BIT64(40) - 32);
	set(w, VMCS_EXIT_MSR_STORE_COUNT, 2);
	passes(w);
	set(w, VMCS_EXIT_MSR_STORE_COUNT, 3);
	complains_of(w, VMCS_EXIT_MSR_STORE_ADDR, "last byte");
	set(w, VMCS_EXIT_MSR_STORE_COUNT, 0); /* then the address is not looked at */
	set(w, VMCS_EXIT_MSR_STORE_ADDR, UINT64_MAX);
	passes(w);
}

static void pae_entries(void **state)
{
	struct world *w = fresh(good_protected);

	(void)state;
	set(w, VMCS_GUEST_PDPTE2, 0x7);
	passes(w); /* no paging: not looked at */
	set_bits(w, VMCS_GUEST_CR0, CR0_PG);
	set_bits(w, VMCS_GUEST_CR4, CR4_PAE);
	complains_of(w, VMCS_GUEST_PDPTE2, "2:1");
	set(w, VMCS_GUEST_PDPTE2, 0x6); /* not present */
	passes(w);
	set(w, VMCS_GUEST_PDPTE2, BIT64(40) | 1);
	complains_of(w, VMCS_GUEST_PDPTE2, "width");
	set(w, VMCS_GUEST_PDPTE2, 0xffffff001 | 0x18); /* cache bits are fine */
	passes(w);
}

static void five_level_paging_widens_addresses(void **state)
{
	struct world *w = fresh(good_64);

	(void)state;
	set(w, VMCS_GUEST_RIP, NOT_CANONICAL);
	complains_of(w, VMCS_GUEST_RIP, "canonical");
	w->env.linear_bits = 57;
	passes(w);
}

/* Whatever is in the VMCS, the checker comes back; and random VMCSes are never good. */
static void random_contents(void **state)
{
	uint64_t seed = 88172645463325252ull;

	(void)state;
	for (unsigned round = 0; round < 2000; round++) {
		struct world *w = world_of("tigerlake", good_protected);

		for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			if (round % 2 == 0 || (seed >> 60) == 0)
				w->s.value[i] = seed;
		}
		if (check(w) == 0 && round % 2 == 0)
			fail_msg("random values passed");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_ones_pass),
		cmocka_unit_test(allowed_oddities_pass),
		cmocka_unit_test(injections),
		cmocka_unit_test(activity),
		cmocka_unit_test(simple_breakages),
		cmocka_unit_test(self_test_cases),
		cmocka_unit_test(without_unrestricted_guest),
		cmocka_unit_test(control_bits_are_named),
		cmocka_unit_test(apic_virtualization),
		cmocka_unit_test(msr_areas_end_inside_memory),
		cmocka_unit_test(pae_entries),
		cmocka_unit_test(five_level_paging_widens_addresses),
		cmocka_unit_test(random_contents),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
