/* Pre-flight on the recorded processors: what is found, what is missing, and the words for it. */
#include "kernel/lib/string.h"
#include "tests/unit/cpu_dumps/cpu_dumps.h"
#include "vmm/vmx/preflight.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const struct cpu_dump *current;
static char printed[16384];

static void cpuid_of_dump(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(out[0]));
	for (unsigned i = 0; i < current->leaf_count; i++) {
		if (current->leaves[i].leaf == leaf && current->leaves[i].subleaf == subleaf)
			memcpy(out, current->leaves[i].regs, sizeof(current->leaves[i].regs));
	}
}

static void probe(const char *model, struct vmx_probe *out)
{
	current = NULL;
	for (size_t i = 0; i < ARRAY_LEN(cpu_dumps); i++) {
		if (str_eq(cpu_dumps[i].model, model))
			current = &cpu_dumps[i];
	}
	assert_non_null(current);
	out->raw = current->raw;
	cpu_snapshot_take(cpuid_of_dump, &out->cpu);
}

static void evaluate(const char *model, const struct vmx_options *options, uint64_t memory, struct preflight *out)
{
	struct vmx_probe p;

	probe(model, &p);
	preflight_evaluate(&p, options, memory, out);
}

static const struct preflight_item *item(const struct preflight *p, const char *name)
{
	for (unsigned i = 0; i < p->count; i++) {
		if (str_eq(p->items[i].name, name))
			return &p->items[i];
	}
	fail_msg("no item %s", name);
	return NULL;
}

static void collect(void *ctx, const char *text)
{
	(void)ctx;
	assert_null(strchr(text, '\n'));
	assert_true(strlen(printed) + strlen(text) + 2 < sizeof(printed));
	strcat(printed, text);
	strcat(printed, "\n");
}

static const char *print(const struct preflight *p)
{
	printed[0] = '\0';
	preflight_print(p, collect, NULL);
	return printed;
}

static const struct vmx_options none;

static void models_that_can_do_it(void **state)
{
	static const char *const models[] = {"corei5_arrandale_m520", "corei7_sandy_bridge_2600k",
					     "corei7_haswell_4770",   "broadwell_ult",
					     "corei7_skylake_x",      "corei3_cnl",
					     "corei7_icelake_u",      "tigerlake"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		struct preflight p;

		evaluate(models[i], &none, 256 * MIB, &p);
		assert_int_equal(p.missing, 0);
		assert_null(strstr(print(&p), "No guest can run"));
		assert_null(strstr(print(&p), "MISSING"));
	}
}

static void skylake_row_by_row(void **state)
{
	static const struct {
		const char *name, *source;
		bool found;
	} rows[] = {
		{"long mode", "CPUID.80000001H:EDX[29]", true},
		{"VT-x", "CPUID.1:ECX[5]", true},
		{"VT-x switched on", "MSR 0x3a = 0x5", true},
		{"EPT", "MSR 0x48b bit 33", true},
		{"unrestricted guest", "MSR 0x48b bit 39", true},
		{"EPT 2 MiB pages", "MSR 0x48c bit 16", true},
		{"EPT 1 GiB pages", "MSR 0x48c bit 17", true},
		{"EPT accessed/dirty", "MSR 0x48c bit 21", true},
		{"VPID", "MSR 0x48b bit 37", true},
		{"preemption timer", "MSR 0x481 bit 38", true},
		{"TPR shadow", "MSR 0x482 bit 53", true},
		{"APIC-register virtualization", "MSR 0x48b bit 40", true},
		{"virtual-interrupt delivery", "MSR 0x48b bit 41", true},
		{"posted interrupts", "MSR 0x481 bit 39", false},
		{"x2APIC", "CPUID.1:ECX[21]", true},
		{"invariant TSC", "CPUID.80000007H:EDX[8]", true},
		{"TSC deadline", "CPUID.1:ECX[24]", true},
		{"TSC scaling", "MSR 0x48b bit 57", true},
	};
	struct preflight p;

	(void)state;
	evaluate("corei7_skylake_x", &none, 256 * MIB, &p);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct preflight_item *it = item(&p, rows[i].name);

		assert_string_equal(it->source, rows[i].source);
		assert_int_equal(it->found, rows[i].found);
	}
	assert_string_equal(item(&p, "processor")->text, "Intel(R) Core(TM) i7-7800X CPU @ 3.50GHz");
	assert_string_equal(item(&p, "memory")->text, "256 MiB free");
	assert_string_equal(item(&p, "VT-x switched on")->text, "switched on by firmware");
	assert_non_null(strstr(item(&p, "VT-x")->firmware, "Intel Virtualization Technology"));
}

static void arrandale_lacks_only_what_it_may(void **state)
{
	struct preflight p;

	(void)state;
	evaluate("corei5_arrandale_m520", &none, 256 * MIB, &p);
	assert_true(item(&p, "unrestricted guest")->found);
	assert_false(item(&p, "EPT accessed/dirty")->found);
	assert_false(item(&p, "EPT 1 GiB pages")->found);
	assert_false(item(&p, "APIC-register virtualization")->found);
	assert_false(item(&p, "XSAVE")->found);
	assert_int_equal(p.missing, 0);
}

static void without_vtx_one_reason(void **state)
{
	static const char *const models[] = {"p4_prescott_celeron_336", "ryzen"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(models); i++) {
		struct preflight p;
		const char *text;

		evaluate(models[i], &none, 256 * MIB, &p);
		assert_true(p.missing > 1);
		text = print(&p);
		assert_non_null(strstr(text, "No guest can run: VT-x is required and missing (CPUID.1:ECX[5])"));
		assert_non_null(strstr(text, "usually called: Intel Virtualization Technology"));
		assert_null(strstr(text, "No guest can run: EPT"));
		assert_true(item(&p, "EPT")->follows);
		assert_true(item(&p, "long mode")->found);
	}
}

static void without_ept(void **state)
{
	struct preflight p;
	const char *text;

	(void)state;
	evaluate("core2_penryn_t9600", &none, 256 * MIB, &p);
	assert_true(item(&p, "VT-x")->found);
	assert_false(item(&p, "EPT")->found);
	text = print(&p);
	assert_non_null(strstr(text, "No guest can run: EPT is required and missing (MSR 0x48b bit 33)"));
	assert_null(strstr(text, "No guest can run: VT-x"));
}

static void without_unrestricted_guest(void **state)
{
	struct preflight p;
	const char *text;

	(void)state;
	evaluate("corei5_lynnfield_750", &none, 256 * MIB, &p);
	assert_true(item(&p, "EPT")->found);
	assert_int_equal(p.missing, 1);
	text = print(&p);
	assert_non_null(
		strstr(text, "No guest can run: unrestricted guest is required and missing (MSR 0x48b bit 39)"));
}

static void feature_control_states(void **state)
{
	struct vmx_options locked = {.test_featurectl_locked = true};
	struct vmx_probe pr;
	struct preflight p;

	(void)state;
	evaluate("corei7_skylake_x", &locked, 256 * MIB, &p);
	assert_int_equal(p.missing, 1);
	assert_string_equal(item(&p, "VT-x switched on")->text, "firmware has locked VT-x off");
	assert_non_null(strstr(print(&p), "No guest can run: VT-x switched on is required and missing (MSR 0x3a = 0x1: "
					  "firmware has locked VT-x off)"));
	assert_non_null(strstr(printed, "usually called"));

	probe("corei7_skylake_x", &pr);
	pr.raw.feature_control = 0;
	preflight_evaluate(&pr, &none, 256 * MIB, &p);
	assert_int_equal(p.missing, 0);
	assert_string_equal(item(&p, "VT-x switched on")->text, "unlocked: switched on and locked by us");
	pr.raw.feature_control = FEATURE_CONTROL_LOCK | FEATURE_CONTROL_VMX_IN_SMX;
	preflight_evaluate(&pr, &none, 256 * MIB, &p);
	assert_int_equal(p.missing, 1);
}

static void a_control_without_a_row_of_its_own(void **state)
{
	struct vmx_probe pr;
	struct preflight p;

	(void)state;
	probe("corei7_skylake_x", &pr);
	pr.raw.vmx[MSR_VMX_TRUE_PINBASED_CTLS - MSR_VMX_BASIC] &= ~(BIT64(5) << 32);
	preflight_evaluate(&pr, &none, 256 * MIB, &p);
	assert_int_equal(p.missing, 1);
	assert_string_equal(item(&p, "other VT-x controls")->text, "no \"virtual NMIs\" (pin-based controls)");
}

static void options_are_blamed_on_the_boot_line(void **state)
{
	struct vmx_options o = {.no_vpid = true, .no_apicv = true, .no_preempt = true, .no_xsave = true, .no_1g = true};
	struct preflight p;

	(void)state;
	evaluate("corei7_skylake_x", &o, 256 * MIB, &p);
	assert_int_equal(p.missing, 0);
	assert_false(item(&p, "VPID")->found);
	assert_string_equal(item(&p, "VPID")->text, "taken away by the boot line");
	assert_string_equal(item(&p, "preemption timer")->text, "taken away by the boot line");
	assert_string_equal(item(&p, "virtual-interrupt delivery")->text, "taken away by the boot line");
	assert_string_equal(item(&p, "XSAVE")->text, "taken away by the boot line");
	assert_string_equal(item(&p, "EPT 1 GiB pages")->text, "taken away by the boot line");
	/* What was never there is not the boot line's doing. */
	assert_string_equal(item(&p, "posted interrupts")->text, "");
	assert_non_null(strstr(print(&p), "taken away by the boot line; each exit drops cached translations"));
}

static void too_little_memory(void **state)
{
	struct preflight p;

	(void)state;
	evaluate("corei7_skylake_x", &none, PREFLIGHT_MIN_MEMORY - 1, &p);
	assert_int_equal(p.missing, 1);
	assert_non_null(strstr(print(&p), "No guest can run: memory is required and missing"));
	evaluate("corei7_skylake_x", &none, PREFLIGHT_MIN_MEMORY, &p);
	assert_int_equal(p.missing, 0);
}

static void widths(void **state)
{
	struct vmx_probe pr;

	(void)state;
	probe("corei7_skylake_x", &pr);
	assert_int_equal(cpu_snapshot_phys_bits(&pr.cpu), 40);
	assert_int_equal(cpu_snapshot_linear_bits(&pr.cpu), 48);
	assert_string_equal(pr.cpu.vendor, "GenuineIntel");
	pr.cpu.ext8[0] = 0x3934;
	assert_int_equal(cpu_snapshot_phys_bits(&pr.cpu), 52);
	assert_int_equal(cpu_snapshot_linear_bits(&pr.cpu), 57);
	pr.cpu.ext8[0] = 0; /* no such leaf: what the manual says then */
	assert_int_equal(cpu_snapshot_phys_bits(&pr.cpu), 36);
	assert_int_equal(cpu_snapshot_linear_bits(&pr.cpu), 48);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(models_that_can_do_it),
		cmocka_unit_test(skylake_row_by_row),
		cmocka_unit_test(arrandale_lacks_only_what_it_may),
		cmocka_unit_test(without_vtx_one_reason),
		cmocka_unit_test(without_ept),
		cmocka_unit_test(without_unrestricted_guest),
		cmocka_unit_test(feature_control_states),
		cmocka_unit_test(a_control_without_a_row_of_its_own),
		cmocka_unit_test(options_are_blamed_on_the_boot_line),
		cmocka_unit_test(too_little_memory),
		cmocka_unit_test(widths),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
