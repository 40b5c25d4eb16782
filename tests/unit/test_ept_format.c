/* EPT format and pointer from recorded and invented IA32_VMX_EPT_VPID_CAP values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "vmm/vmx/ept_format.h"

#define CAP_SKYLAKE 0x00000f0106334141ull
#define CAP_ARRANDALE 0x00000f0106114141ull /* no A/D flags */

static void test_pointer(void **state)
{
	uint64_t eptp = 0;

	(void)state;
	assert_int_equal(ept_pointer(CAP_SKYLAKE, 0x123000, &eptp), 0);
	assert_int_equal(eptp, 0x123000 | 6 | 3 << 3 | 1 << 6);
	assert_int_equal(ept_pointer(CAP_ARRANDALE, 0x123000, &eptp), 0);
	assert_int_equal(eptp, 0x123000 | 6 | 3 << 3);
	assert_int_equal(ept_pointer(EPT_CAP_WALK_4 | EPT_CAP_STRUCT_UC, 0x123000, &eptp), 0);
	assert_int_equal(eptp, 0x123000 | 3 << 3);
	eptp = 7;
	assert_int_equal(ept_pointer(EPT_CAP_WALK_4, 0x123000, &eptp), ERR_NOSUP);
	assert_int_equal(ept_pointer(EPT_CAP_STRUCT_WB, 0x123000, &eptp), ERR_NOSUP);
	assert_int_equal(ept_pointer(CAP_SKYLAKE, 0x123800, &eptp), ERR_ALIGN);
	assert_int_equal(eptp, 7);
}

static void test_format(void **state)
{
	struct slpt_format f;

	(void)state;
	assert_int_equal(ept_format_init(&f, CAP_SKYLAKE, 40), 0);
	assert_int_equal(f.levels, 4);
	assert_int_equal(f.gpa_bits, 40);
	assert_int_equal(f.hpa_bits, 40);
	assert_int_equal(f.leaf_levels, 7);
	assert_int_equal(f.prot_bits[SLPT_X], 4);
	assert_int_equal(f.prot_bits[SLPT_W], SLPT_UNENCODABLE);
	assert_int_equal(f.prot_bits[SLPT_NONE], SLPT_UNENCODABLE);
	assert_int_equal(f.memtype_bits[MEMTYPE_WB], 0x30);
	assert_int_equal(f.memtype_bits[2], SLPT_UNENCODABLE);
	assert_int_equal(ept_format_init(&f, CAP_SKYLAKE, 52), 0);
	assert_int_equal(f.gpa_bits, 48); /* what four levels reach */
	assert_int_equal(f.hpa_bits, 52);
	assert_int_equal(ept_format_init(&f, EPT_CAP_WALK_4 | EPT_CAP_1G, 36), 0);
	assert_int_equal(f.leaf_levels, 1);
	assert_int_equal(f.prot_bits[SLPT_X], SLPT_UNENCODABLE);
	assert_int_equal(ept_format_init(&f, EPT_CAP_WALK_4 | EPT_CAP_2M, 36), 0);
	assert_int_equal(f.leaf_levels, 3);
	assert_int_equal(ept_format_init(&f, CAP_SKYLAKE & ~EPT_CAP_WALK_4, 40), ERR_NOSUP);
	assert_int_equal(ept_format_init(&f, CAP_SKYLAKE, 0), ERR_INVAL);
	assert_int_equal(ept_format_init(&f, CAP_SKYLAKE, 53), ERR_INVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_pointer), cmocka_unit_test(test_format)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
