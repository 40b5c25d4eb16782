/* The checker's rules on the guest's segment and descriptor-table registers. SDM 3 "Checks on Guest Segment Registers",
 * "Checks on Guest Descriptor-Table Registers". The fields of ES, CS, SS, DS, FS, GS, LDTR, TR follow each other in this
 * order, so one number names a register. */
#include "arch/x86/regs.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/vmx/vmx_check_rules.h"

#define SELECTOR_RPL 3u
#define V86_ACCESS 0xf3u

struct seg {
	enum vcpu_seg which;
	uint32_t selector, limit, access; /* values */
	uint64_t base;
};

static uint32_t selector_field(enum vcpu_seg which)
{
	return VMCS_GUEST_ES_SELECTOR + 2u * which;
}

static uint32_t base_field(enum vcpu_seg which)
{
	return VMCS_GUEST_ES_BASE + 2u * which;
}

static uint32_t limit_field(enum vcpu_seg which)
{
	return VMCS_GUEST_ES_LIMIT + 2u * which;
}

static uint32_t access_field(enum vcpu_seg which)
{
	return VMCS_GUEST_ES_ACCESS + 2u * which;
}

static struct seg segment(const struct check *c, enum vcpu_seg which)
{
	return (struct seg){which, (uint32_t)field(c, selector_field(which)), (uint32_t)field(c, limit_field(which)),
			    (uint32_t)field(c, access_field(which)), field(c, base_field(which))};
}

static bool usable(const struct seg *s)
{
	return !(s->access & SEG_ACCESS_UNUSABLE);
}

static unsigned type_of(const struct seg *s)
{
	return s->access & SEG_ACCESS_TYPE;
}

static unsigned dpl_of(const struct seg *s)
{
	return s->access >> SEG_ACCESS_DPL_SHIFT & 3;
}

static bool unrestricted(const struct check *c)
{
	return ctl(c, VMX_CTL_PROC2, PROC2_UNRESTRICTED_GUEST);
}

static bool v8086(const struct check *c)
{
	return (field(c, VMCS_GUEST_RFLAGS) & RFLAGS_VM) != 0;
}

/* The rule is about the access rights of one register. */
static void access_rule(struct check *c, const struct seg *s, bool ok, const char *rule)
{
	check_that(c, ok, access_field(s->which), rule);
}

/* What all usable registers have in common. */
static void check_common_access(struct check *c, const struct seg *s, bool system)
{
	bool g = (s->access & SEG_ACCESS_G) != 0;

	access_rule(c, s, ((s->access & SEG_ACCESS_S) == 0) == system,
		    system ? "S (bit 4) must be 0" : "S (bit 4) must be 1");
	access_rule(c, s, s->access & SEG_ACCESS_P, "P (bit 7) must be 1");
	access_rule(c, s, !(s->access & SEG_ACCESS_RESERVED), "bits 11:8 and 31:17 are reserved and must be 0");
	access_rule(c, s, !g || (s->limit & 0xfff) == 0xfff,
		    "G (bit 15) must be 0: the limit's bits 11:0 are not all 1");
	access_rule(c, s, g || s->limit >> 20 == 0, "G (bit 15) must be 1: the limit's bits 31:20 are not all 0");
}

static void check_v86_segment(struct check *c, const struct seg *s)
{
	check_that(c, s->base == (uint64_t)s->selector << 4, base_field(s->which),
		   "in virtual-8086 mode the base must be the selector times 16");
	check_that(c, s->limit == 0xffff, limit_field(s->which), "in virtual-8086 mode the limit must be 0xffff");
	check_that(c, s->access == V86_ACCESS, access_field(s->which),
		   "in virtual-8086 mode the access rights must be 0xf3");
}

static void check_cs(struct check *c, const struct seg *cs, const struct seg *ss)
{
	unsigned type = type_of(cs), dpl = dpl_of(cs);
	bool data = type == 3;

	access_rule(c, cs, type == 9 || type == 11 || type == 13 || type == 15 || (data && unrestricted(c)),
		    "CS must be accessed code (type 9, 11, 13, 15; 3 in an unrestricted guest)");
	access_rule(c, cs, !data || dpl == 0, "DPL must be 0 when CS is of type 3");
	if (type == 9 || type == 11)
		access_rule(c, cs, dpl == dpl_of(ss), "DPL of non-conforming code must equal that of SS");
	if (type == 13 || type == 15)
		access_rule(c, cs, dpl <= dpl_of(ss), "DPL of conforming code must not exceed that of SS");
	if (ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_IA32E_GUEST) && (cs->access & SEG_ACCESS_L))
		access_rule(c, cs, !(cs->access & SEG_ACCESS_DB), "D/B (bit 14) must be 0 in 64-bit code");
	check_zero(c, base_field(SEG_CS), 63, 32);
	check_common_access(c, cs, false);
}

static void check_ss(struct check *c, const struct seg *ss, const struct seg *cs)
{
	unsigned rpl = ss->selector & SELECTOR_RPL;

	if (!unrestricted(c)) {
		check_that(c, rpl == (cs->selector & SELECTOR_RPL), selector_field(SEG_SS),
			   "RPL must equal that of CS");
		access_rule(c, ss, dpl_of(ss) == rpl, "DPL must equal the selector's RPL");
	}
	if (type_of(cs) == 3 || !(field(c, VMCS_GUEST_CR0) & CR0_PE))
		access_rule(c, ss, dpl_of(ss) == 0, "DPL must be 0 in real mode and when CS is of type 3");
	if (!usable(ss))
		return;
	access_rule(c, ss, type_of(ss) == 3 || type_of(ss) == 7, "SS must be accessed writable data (type 3 or 7)");
	check_zero(c, base_field(SEG_SS), 63, 32);
	check_common_access(c, ss, false);
}

static void check_data_segment(struct check *c, const struct seg *s)
{
	unsigned type = type_of(s);

	if (s->which == SEG_FS || s->which == SEG_GS)
		check_canonical(c, base_field(s->which));
	if (!usable(s))
		return;
	access_rule(c, s, type & 1, "the segment must be accessed (type bit 0)");
	access_rule(c, s, !(type & 8) || (type & 2), "code must be readable (type bit 1)");
	if (!unrestricted(c) && type < 12)
		access_rule(c, s, dpl_of(s) >= (s->selector & SELECTOR_RPL), "DPL must not be less than RPL");
	if (s->which == SEG_DS || s->which == SEG_ES)
		check_zero(c, base_field(s->which), 63, 32);
	check_common_access(c, s, false);
}

static void check_tr(struct check *c, const struct seg *tr)
{
	bool ia32e = ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_IA32E_GUEST);

	check_zero(c, selector_field(SEG_TR), 2, 2);
	check_canonical(c, base_field(SEG_TR));
	access_rule(c, tr, type_of(tr) == 11 || (type_of(tr) == 3 && !ia32e),
		    "TR must be a busy TSS (type 11; outside IA-32e mode also 3)");
	access_rule(c, tr, usable(tr), "TR must be usable (bit 16)");
	check_common_access(c, tr, true);
}

static void check_ldtr(struct check *c, const struct seg *ldtr)
{
	if (!usable(ldtr))
		return;
	check_zero(c, selector_field(SEG_LDTR), 2, 2);
	check_canonical(c, base_field(SEG_LDTR));
	access_rule(c, ldtr, type_of(ldtr) == 2, "LDTR must be an LDT (type 2)");
	check_common_access(c, ldtr, true);
}

static void check_tables(struct check *c)
{
	static const uint32_t limits[] = {VMCS_GUEST_GDTR_LIMIT, VMCS_GUEST_IDTR_LIMIT};

	check_canonical(c, VMCS_GUEST_GDTR_BASE);
	check_canonical(c, VMCS_GUEST_IDTR_BASE);
	for (size_t i = 0; i < ARRAY_LEN(limits); i++)
		check_zero(c, limits[i], 31, 16);
}

static void check_code_and_data(struct check *c)
{
	static const enum vcpu_seg data[] = {SEG_DS, SEG_ES, SEG_FS, SEG_GS};
	struct seg cs = segment(c, SEG_CS), ss = segment(c, SEG_SS);

	if (v8086(c)) {
		check_v86_segment(c, &cs);
		check_v86_segment(c, &ss);
	} else {
		check_cs(c, &cs, &ss);
		check_ss(c, &ss, &cs);
	}
	for (size_t i = 0; i < ARRAY_LEN(data); i++) {
		struct seg s = segment(c, data[i]);

		if (v8086(c))
			check_v86_segment(c, &s);
		else
			check_data_segment(c, &s);
	}
}

void check_guest_segments(struct check *c)
{
	struct seg tr = segment(c, SEG_TR), ldtr = segment(c, SEG_LDTR);

	c->source = "Checks on Guest Segment Registers";
	check_code_and_data(c);
	check_tr(c, &tr);
	check_ldtr(c, &ldtr);
	c->source = "Checks on Guest Descriptor-Table Registers";
	check_tables(c);
}
