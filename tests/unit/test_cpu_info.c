/* CPUID into names, from recordings of three processors and from answers that leave things out. */
#include "arch/x86/cpuid.h"
#include "kernel/lib/string.h"
#include "tests/unit/cpuid_dumps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static const struct cpuid_dump *dump;
static size_t dump_len;

static void replay(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 16);
	for (size_t i = 0; i < dump_len; i++) {
		if (dump[i].leaf == leaf && dump[i].subleaf == subleaf)
			memcpy(out, dump[i].out, 16);
	}
}

static struct cpu_info read_dump(const struct cpuid_dump *d, size_t len)
{
	struct cpu_info info;

	dump = d;
	dump_len = len;
	cpu_info_read(replay, &info);
	return info;
}

static void a_haswell_is_known(void **state)
{
	struct cpu_info info = read_dump(dump_haswell, ARRAY_LEN(dump_haswell));

	(void)state;
	assert_string_equal(info.vendor, "GenuineIntel");
	assert_int_equal(info.family, 6);
	assert_int_equal(info.model, 0x3c);
	assert_int_equal(info.stepping, 3);
	assert_int_equal(info.phys_bits, 40);
	assert_int_equal(info.linear_bits, 48);
	assert_true(info.pat && info.pge && info.mce && info.pages_1g && info.smep);
	assert_false(info.smap || info.umip || info.hypervisor);
}

/* Numbers as SDM 2 tells to put them together: family 0FH adds the extended family, 06H and 0FH the extended model. */
static void families_and_models(void **state)
{
	static const struct {
		uint32_t signature;
		unsigned family, model, stepping;
	} cases[] = {
		{0x00000f41, 15, 4, 1},   /* Pentium 4 "Prescott" */
		{0x00800f12, 0x17, 1, 2}, /* Zen */
		{0x000806d1, 6, 0x8d, 1}, /* Tiger Lake */
		{0x00a50f00, 0x19, 0x50, 0},
		{0x00010513, 5, 1, 3}, /* the extended model counts only in families 6 and 15 */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct cpuid_dump d = {1, 0, {cases[i].signature, 0, 0, 0}};
		struct cpu_info info = read_dump(&d, 1);

		assert_int_equal(info.family, cases[i].family);
		assert_int_equal(info.model, cases[i].model);
		assert_int_equal(info.stepping, cases[i].stepping);
	}
}

static void what_is_missing_is_assumed_small(void **state)
{
	struct cpu_info info = read_dump(NULL, 0);

	(void)state;
	assert_string_equal(info.vendor, "");
	assert_string_equal(info.brand, "");
	assert_int_equal(info.phys_bits, 36);
	assert_int_equal(info.linear_bits, 48);
	assert_false(info.pages_1g || info.smep || info.pat);
}

/* Leaf 7 of a processor that has only leaves up to 6 answers with leaf 6: it must not be asked. */
static void leaves_beyond_the_last_are_not_believed(void **state)
{
	static const struct cpuid_dump d[] = {
		{0, 0, {6, 0, 0, 0}},
		{7, 0, {0, 0xffffffff, 0xffffffff, 0xffffffff}},
		{0x80000000, 0, {0x80000000, 0, 0, 0}},
		{0x80000001, 0, {0, 0, 0, 0xffffffff}},
		{0x80000008, 0, {0x3030, 0, 0, 0}},
	};
	struct cpu_info info = read_dump(d, ARRAY_LEN(d));

	(void)state;
	assert_false(info.smep || info.smap || info.umip || info.pages_1g);
	assert_int_equal(info.phys_bits, 36);
}

static void the_brand_loses_its_blanks(void **state)
{
	struct cpuid_dump d[] = {
		{0x80000000, 0, {0x80000004, 0, 0, 0}},
		{0x80000002, 0, {0}},
		{0x80000003, 0, {0}},
		{0x80000004, 0, {0}},
	};
	struct cpu_info info;

	(void)state;
	memcpy(d[1].out, "       Ab CPU @ ", 16);
	memcpy(d[2].out, "123456789.1234G ", 16);
	memcpy(d[3].out, "fills all of it!", 16);
	info = read_dump(d, ARRAY_LEN(d));
	assert_string_equal(info.brand, "Ab CPU @ 123456789.1234G fills all of it!");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_haswell_is_known),
		cmocka_unit_test(families_and_models),
		cmocka_unit_test(what_is_missing_is_assumed_small),
		cmocka_unit_test(leaves_beyond_the_last_are_not_believed),
		cmocka_unit_test(the_brand_loses_its_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
