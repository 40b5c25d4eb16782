/* Which state components have a place in an XSAVE area, and how large the area is, on recorded processors and on such as say
 * nonsense. */
#include "arch/x86/regs.h"
#include "kernel/lib/string.h"
#include "tests/unit/cpuid_dumps.h"
#include "vmm/vmx/xsave_area.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define ALL (XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512 | XCR0_PKRU)

static const struct cpuid_dump *dump;
static size_t dump_len;
static struct cpuid_dump changed; /* instead of the dump's line; leaf 0: none */

static void reader(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 16);
	for (size_t i = 0; i < dump_len; i++)
		if (dump[i].leaf == leaf && dump[i].subleaf == subleaf)
			memcpy(out, dump[i].out, 16);
	if (changed.leaf == leaf && changed.subleaf == subleaf)
		memcpy(out, changed.out, 16);
}

#define USE(name) (dump = dump_##name, dump_len = ARRAY_LEN(dump_##name))

static void give(uint32_t component, uint32_t size, uint32_t offset)
{
	changed = (struct cpuid_dump){0xd, component, {size, offset, 0, 0}};
}

static int setup(void **state)
{
	(void)state;
	memset(&changed, 0, sizeof(changed));
	return 0;
}

static void recorded_processors(void **state)
{
	(void)state;
	USE(haswell);
	assert_int_equal(xsave_described(reader, 7), 7);
	assert_int_equal(xsave_area_bytes(reader, 7), 0x340);
	assert_int_equal(xsave_area_bytes(reader, 3), 576);
	USE(skylake_x);
	assert_int_equal(xsave_described(reader, 0xe7), 0xe7);
	assert_int_equal(xsave_area_bytes(reader, 0xe7), 0xa80);
	assert_int_equal(xsave_area_bytes(reader, 7), 0x340);
}

/* Bochs 2.7's tigerlake: PKRU is in XCR0, subleaf 9 is all zeros. */
static void claimed_without_a_place(void **state)
{
	(void)state;
	USE(tigerlake);
	assert_int_equal(xsave_described(reader, ALL), ALL & ~XCR0_PKRU);
	assert_int_equal(xsave_area_bytes(reader, ALL & ~XCR0_PKRU), 0xa80);
	give(9, 8, 0xa80);
	assert_int_equal(xsave_described(reader, ALL), ALL);
	assert_int_equal(xsave_area_bytes(reader, ALL), 0xa88);
}

static void nonsense(void **state)
{
	(void)state;
	USE(tigerlake);
	give(9, 8, 512); /* inside the header */
	assert_int_equal(xsave_described(reader, ALL), ALL & ~XCR0_PKRU);
	give(9, 65, 0xa80); /* beyond what subleaf 0 says */
	assert_int_equal(xsave_described(reader, ALL), ALL & ~XCR0_PKRU);
	give(9, UINT32_MAX, UINT32_MAX);
	assert_int_equal(xsave_described(reader, ALL), ALL & ~XCR0_PKRU);
	/* AVX-512 is all of its three or none; the legacy components need no line. */
	give(6, 0, 0);
	assert_int_equal(xsave_described(reader, ALL), 7);
	assert_int_equal(xsave_described(reader, 3), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(recorded_processors, setup),
		cmocka_unit_test_setup(claimed_without_a_place, setup),
		cmocka_unit_test_setup(nonsense, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
