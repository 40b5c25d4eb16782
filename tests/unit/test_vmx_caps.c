/* Capabilities and control words against the recorded MSRs of twelve processor models, and the fitting rule against SDM 3
 * "Algorithms for Determining VMX Capabilities". */
#include "arch/x86/regs.h"
#include "kernel/lib/string.h"
#include "tests/unit/cpu_dumps/cpu_dumps.h"
#include "vmm/vmx/ept_format.h"
#include "vmm/vmx/vmcs_fields.h"
#include "vmm/vmx/vmx_bits.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct cpu_dump *dump_of(const char *model)
{
	for (size_t i = 0; i < ARRAY_LEN(cpu_dumps); i++) {
		if (str_eq(cpu_dumps[i].model, model))
			return &cpu_dumps[i];
	}
	fail_msg("no dump of %s", model);
	return NULL;
}

static void parse(const char *model, struct vmx_caps *caps)
{
	vmx_caps_parse(&dump_of(model)->raw, caps);
}

static void fit_takes_what_is_allowed(void **state)
{
	uint32_t out;

	(void)state;
	/* must 0x16, may 0x7f */
	assert_int_equal(ctls_fit(0x40, 0x09, 0x0000007f00000016ull, &out), 0);
	assert_int_equal(out, 0x5f);
	/* A wish that is not allowed is dropped, a requirement is reported. */
	assert_int_equal(ctls_fit(0x80, 0, 0x0000007f00000016ull, &out), 0);
	assert_int_equal(out, 0x16);
	assert_int_equal(ctls_fit(0, 0x180, 0x000000ff00000016ull, &out), 0x100);
	assert_int_equal(ctls_fit(0, 0xffffffff, 0, &out), 0xffffffff);
	assert_int_equal(out, 0);
	assert_int_equal(ctls_fit(0xffffffff, 0xffffffff, UINT64_MAX, &out), 0);
	assert_int_equal(out, 0xffffffff);
}

static void basic_fields_are_parsed(void **state)
{
	struct vmx_caps caps;

	(void)state;
	parse("corei7_skylake_x", &caps);
	assert_int_equal(caps.revision, 0x2b);
	assert_int_equal(caps.region_bytes, 4096);
	assert_true(caps.true_ctls && caps.vmcs_write_back && !caps.addr_32bit && !caps.any_error_code);
	assert_int_equal(caps.timer_shift, 0);
	assert_true(caps.exits_store_lma && caps.inject_zero_len);
	assert_int_equal(caps.activity, 0xf);
	assert_int_equal(caps.cr3_targets, 4);
	assert_int_equal(caps.max_msr_list, 512);
	assert_int_equal(caps.cr0_fixed0, 0x80000021);
	assert_int_equal(caps.cr4_fixed0, CR4_VMXE);
	assert_int_equal(caps.cr4_fixed1, 0x3727ff);
	assert_int_equal(caps.vm_functions, 1);

	parse("tigerlake", &caps);
	assert_int_equal(caps.revision, 4);
	assert_true(caps.any_error_code);
	parse("corei7_haswell_4770", &caps);
	assert_false(caps.inject_zero_len);
}

/* The TRUE registers win: by the old one CR3 accesses would have to leave the guest. */
static void true_controls_win(void **state)
{
	struct vmx_raw_msrs raw = dump_of("corei7_skylake_x")->raw;
	struct vmx_caps caps;

	(void)state;
	vmx_caps_parse(&raw, &caps);
	assert_int_equal(caps.ctl[VMX_CTL_PROC].must, 0x04006172);
	raw.vmx[0] &= ~BIT64(55);
	vmx_caps_parse(&raw, &caps);
	assert_int_equal(caps.ctl[VMX_CTL_PROC].must, 0x0401e172);
	assert_true(vmx_caps_may(&caps, VMX_CTL_PROC, PROC_CR3_LOAD));
}

static void later_msrs_exist_when_earlier_ones_say_so(void **state)
{
	struct vmx_raw_msrs raw = {0};

	(void)state;
	assert_true(vmx_raw_exists(&raw, MSR_VMX_BASIC));
	assert_true(vmx_raw_exists(&raw, MSR_VMX_VMCS_ENUM));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_PROCBASED_CTLS2));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_EPT_VPID_CAP));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_TRUE_PINBASED_CTLS));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_VMFUNC));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_PROCBASED_CTLS3));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_EXIT_CTLS2));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_BASIC - 1));
	raw.vmx[MSR_VMX_PROCBASED_CTLS - MSR_VMX_BASIC] = (uint64_t)PROC_SECONDARY << 32;
	assert_true(vmx_raw_exists(&raw, MSR_VMX_PROCBASED_CTLS2));
	raw.vmx[MSR_VMX_PROCBASED_CTLS2 - MSR_VMX_BASIC] = (uint64_t)PROC2_VPID << 32;
	assert_true(vmx_raw_exists(&raw, MSR_VMX_EPT_VPID_CAP));
	assert_false(vmx_raw_exists(&raw, MSR_VMX_VMFUNC));
}

struct expected {
	const char *model;
	uint32_t word[VMX_CTL_WORDS]; /* pin, proc, proc2, exit, entry */
};

/* With RDTSCP, INVPCID and XSAVES in CPUID as far as the control is there. Written down from the manual's bit numbers and
 * the recorded MSRs, by hand. */
static const struct expected expected_words[] = {
	{"corei5_arrandale_m520", {0x7f, 0xb6206dfa, 0x000000eb, 0x7fefff, 0xd1ff}},
	{"corei7_sandy_bridge_2600k", {0x7f, 0xb6206dfa, 0x000000eb, 0x7fefff, 0xd1ff}},
	{"corei7_haswell_4770", {0x7f, 0xb6206dfa, 0x000017eb, 0x7fefff, 0xd1ff}},
	{"broadwell_ult", {0x7f, 0xb6206dfa, 0x000017eb, 0x7fefff, 0xd1ff}},
	{"corei7_skylake_x", {0x7f, 0xb6206dfa, 0x001017eb, 0x7fefff, 0xd1ff}},
	{"corei3_cnl", {0x7f, 0xb6206dfa, 0x001014eb, 0x7fefff, 0xd1ff}},
	{"corei7_icelake_u", {0x7f, 0xb6206dfa, 0x001017eb, 0x7fefff, 0xd1ff}},
	{"tigerlake", {0x7f, 0xb6206dfa, 0x001017eb, 0x7fefff, 0xd1ff}},
};

static void words_fit_each_model(void **state)
{
	const struct vmx_cpu_features features = {.rdtscp = true, .invpcid = true, .xsaves = true};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(expected_words); i++) {
		struct vmx_missing missing;
		struct vmx_ctls ctls;
		struct vmx_caps caps;

		parse(expected_words[i].model, &caps);
		assert_int_equal(vmx_ctls_choose(&caps, &features, &ctls, &missing), 0);
		assert_true(ctls.has_timer && ctls.keeps_timer && ctls.has_vpid);
		for (unsigned w = 0; w < VMX_CTL_WORDS; w++) {
			uint32_t must = caps.ctl[w].must, may = caps.ctl[w].may;

			assert_int_equal(ctls.word[w] & must, must);
			assert_int_equal(ctls.word[w] & ~may, 0);
			if (ctls.word[w] != expected_words[i].word[w])
				fail_msg("%s, %s: 0x%x, expected 0x%x", expected_words[i].model,
					 vmx_ctl_word_name((enum vmx_ctl_word)w), ctls.word[w],
					 expected_words[i].word[w]);
		}
	}
}

static void missing_requirements_are_named(void **state)
{
	const struct vmx_cpu_features none = {0};
	struct vmx_missing missing;
	struct vmx_ctls ctls;
	struct vmx_caps caps;

	(void)state;
	parse("core2_penryn_t9600", &caps);
	assert_int_not_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_int_equal(missing.word, VMX_CTL_PROC2);
	assert_int_equal(missing.bits, PROC2_EPT | PROC2_UNRESTRICTED_GUEST);

	parse("corei5_lynnfield_750", &caps);
	assert_int_not_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_int_equal(missing.word, VMX_CTL_PROC2);
	assert_int_equal(missing.bits, PROC2_UNRESTRICTED_GUEST);

	parse("corei7_skylake_x", &caps);
	caps.ctl[VMX_CTL_PIN].may &= ~PIN_VIRTUAL_NMIS;
	assert_int_not_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_int_equal(missing.word, VMX_CTL_PIN);
	assert_string_equal(vmx_ctl_name(missing.word, 5), "virtual NMIs");
}

/* A tag that cannot be invalidated would keep stale translations alive. */
static void vpid_needs_invvpid(void **state)
{
	const struct vmx_cpu_features none = {0};
	struct vmx_missing missing;
	struct vmx_ctls ctls;
	struct vmx_caps caps;

	(void)state;
	parse("corei7_skylake_x", &caps);
	caps.ept_vpid &= ~VPID_CAP_SINGLE;
	assert_int_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_true(ctls.has_vpid);
	caps.ept_vpid &= ~VPID_CAP_ALL;
	assert_int_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_false(ctls.has_vpid);
	caps.ept_vpid |= VPID_CAP_SINGLE;
	caps.ept_vpid &= ~VPID_CAP_INVVPID;
	assert_int_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_false(ctls.has_vpid);
}

static void options_take_away(void **state)
{
	static const char *const words[] = {"noapicv", "novpid", "nopreempt", "no1g", "noeptad",
					    "noxsave", "nople",  "noept",     "noug"};
	struct vmx_raw_msrs raw = dump_of("corei7_skylake_x")->raw;
	const struct vmx_cpu_features none = {0};
	struct vmx_options o = {0};
	struct vmx_missing missing;
	struct vmx_ctls ctls;
	struct vmx_caps caps;

	(void)state;
	assert_false(vmx_option_set(&o, "quiet"));
	assert_false(vmx_option_set(&o, ""));
	for (size_t i = 0; i < 7; i++)
		assert_true(vmx_option_set(&o, words[i]));
	vmx_options_apply(&o, &raw);
	vmx_caps_parse(&raw, &caps);
	assert_int_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_false(ctls.has_timer || ctls.keeps_timer || ctls.has_vpid);
	assert_false(vmx_caps_may(&caps, VMX_CTL_PROC2, PROC2_VIRTUAL_INTERRUPTS));
	assert_false(vmx_caps_may(&caps, VMX_CTL_PROC2, PROC2_APIC_REGISTERS));
	assert_false(vmx_caps_may(&caps, VMX_CTL_PROC2, PROC2_XSAVES));
	assert_false(vmx_caps_may(&caps, VMX_CTL_PROC2, PROC2_PAUSE_LOOP));
	assert_int_equal(caps.ept_vpid & (EPT_CAP_1G | EPT_CAP_ACCESSED_DIRTY), 0);
	assert_true(caps.ept_vpid & EPT_CAP_2M);
	assert_true(vmx_option_set(&o, words[8]));
	vmx_options_apply(&o, &raw);
	vmx_caps_parse(&raw, &caps);
	assert_int_not_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_int_equal(missing.bits, PROC2_UNRESTRICTED_GUEST);
	assert_true(vmx_option_set(&o, words[7]));
	vmx_options_apply(&o, &raw);
	vmx_caps_parse(&raw, &caps);
	assert_int_not_equal(vmx_ctls_choose(&caps, &none, &ctls, &missing), 0);
	assert_int_equal(missing.bits, PROC2_EPT | PROC2_UNRESTRICTED_GUEST);

	memset(&o, 0, sizeof(o));
	assert_true(vmx_option_set(&o, "test-featurectl-locked"));
	assert_int_equal(raw.feature_control, 5);
	vmx_options_apply(&o, &raw);
	assert_int_equal(raw.feature_control, FEATURE_CONTROL_LOCK);
}

static void every_listed_word_is_known(void **state)
{
	struct vmx_options o;

	(void)state;
	for (unsigned i = 0; vmx_option_words[i]; i++)
		assert_true(vmx_option_set(&o, vmx_option_words[i]));
}

static void guests_get_no_control_bits_that_are_not_switched(void **state)
{
	const struct vmx_options none = {0};
	struct vmx_options no_xsave = {.no_xsave = true};
	struct vmx_caps caps;
	uint64_t cr4;

	(void)state;
	parse("tigerlake", &caps);
	cr4 = vmx_guest_cr4_allowed(&caps, &none);
	assert_int_equal(cr4 & (CR4_VMXE | CR4_SMXE | CR4_CET | CR4_PKS | BIT64(19) | BIT64(25)), 0);
	assert_int_equal(cr4 & (CR4_PAE | CR4_OSXSAVE | CR4_PKE | CR4_UMIP | CR4_SMAP),
			 CR4_PAE | CR4_OSXSAVE | CR4_PKE | CR4_UMIP | CR4_SMAP);
	assert_int_equal(vmx_guest_cr4_allowed(&caps, &no_xsave), cr4 & ~(CR4_OSXSAVE | CR4_PKE));
	parse("corei5_arrandale_m520", &caps);
	cr4 = vmx_guest_cr4_allowed(&caps, &none);
	assert_int_equal(cr4 & (CR4_OSXSAVE | CR4_SMEP | CR4_FSGSBASE), 0);
	assert_int_equal(vmx_guest_cr0_allowed(&caps), 0xffffffff);
}

static void names_are_the_manuals(void **state)
{
	(void)state;
	assert_string_equal(vmx_ctl_name(VMX_CTL_PROC2, 7), "unrestricted guest");
	assert_string_equal(vmx_ctl_name(VMX_CTL_PROC2, 31), "reserved");
	assert_string_equal(vmx_ctl_name(VMX_CTL_PIN, 6), "activate VMX-preemption timer");
	assert_string_equal(vmx_ctl_name(VMX_CTL_EXIT, 15), "acknowledge interrupt on exit");
	assert_string_equal(vmx_ctl_name(VMX_CTL_ENTRY, 9), "IA-32e mode guest");
}

static void fields_are_in_order_and_found(void **state)
{
	(void)state;
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint32_t encoding = vmcs_field_encoding(i);

		assert_int_equal(vmcs_field_index(encoding), (int)i);
		assert_int_equal(encoding & 1, 0);
		if (i > 0)
			assert_true(encoding > vmcs_field_encoding(i - 1));
	}
	assert_int_equal(vmcs_field_index(0x681d), -1);
	assert_int_equal(vmcs_field_index(UINT32_MAX), -1);
	assert_string_equal(vmcs_field_name(0x681e), "GUEST_RIP");
	assert_string_equal(vmcs_field_name(0xffff), "?");
	assert_int_equal(vmcs_field_bytes(VMCS_VPID), 2);
	assert_int_equal(vmcs_field_bytes(VMCS_EPT_POINTER), 8);
	assert_int_equal(vmcs_field_bytes(VMCS_PIN_CTLS), 4);
	assert_int_equal(vmcs_field_bytes(VMCS_GUEST_RIP), 8);
	assert_int_equal(vmcs_field_type(VMCS_EXIT_REASON), VMCS_TYPE_READ_ONLY);
	assert_int_equal(vmcs_field_type(VMCS_HOST_RSP), VMCS_TYPE_HOST);
	assert_int_equal(vmcs_field_type(VMCS_GUEST_RSP), VMCS_TYPE_GUEST);
	assert_int_equal(vmcs_field_type(VMCS_MSR_BITMAP), VMCS_TYPE_CONTROL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fit_takes_what_is_allowed),
		cmocka_unit_test(basic_fields_are_parsed),
		cmocka_unit_test(true_controls_win),
		cmocka_unit_test(later_msrs_exist_when_earlier_ones_say_so),
		cmocka_unit_test(words_fit_each_model),
		cmocka_unit_test(missing_requirements_are_named),
		cmocka_unit_test(vpid_needs_invvpid),
		cmocka_unit_test(options_take_away),
		cmocka_unit_test(every_listed_word_is_known),
		cmocka_unit_test(guests_get_no_control_bits_that_are_not_switched),
		cmocka_unit_test(names_are_the_manuals),
		cmocka_unit_test(fields_are_in_order_and_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
