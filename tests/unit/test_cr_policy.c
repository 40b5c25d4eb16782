/* Which values control registers take: each rule of the SDM alone, the states around it, and the normal way into long mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"
#include "vmm/core/cr_policy.h"

static const struct cr_state real_mode = {.cr0 = CR0_ET};
static const struct cr_state long_mode = {
	.cr0 = CR0_PE | CR0_PG | CR0_WP | CR0_ET, .cr4 = CR4_PAE, .efer = EFER_LME | EFER_LMA, .code64 = true};

static void refused(const char *words, const char *expected)
{
	assert_non_null(words);
	assert_non_null(strstr(words, expected));
}

static void test_cr0(void **state)
{
	struct cr_state now;

	(void)state;
	assert_null(cr0_refusal(&real_mode, CR0_PE));
	assert_null(cr0_refusal(&real_mode, 0xffffffff));
	for (unsigned bit = 32; bit < 64; bit++)
		refused(cr0_refusal(&real_mode, CR0_PE | BIT64(bit)), "63:32");
	refused(cr0_refusal(&real_mode, CR0_PG), "without protection");
	refused(cr0_refusal(&real_mode, CR0_NW), "NW");
	assert_null(cr0_refusal(&real_mode, CR0_NW | CR0_CD));
	assert_null(cr0_refusal(&real_mode, CR0_CD));
	/* Into long mode. */
	now = (struct cr_state){.cr0 = CR0_PE, .efer = EFER_LME, .cr4 = CR4_PAE};
	assert_null(cr0_refusal(&now, CR0_PE | CR0_PG));
	now.code64 = true;
	refused(cr0_refusal(&now, CR0_PE | CR0_PG), "CS.L");
	now.code64 = false;
	now.cr4 = 0;
	refused(cr0_refusal(&now, CR0_PE | CR0_PG), "CR4.PAE");
	now.efer = 0;
	assert_null(cr0_refusal(&now, CR0_PE | CR0_PG));
	/* And out of it. */
	now = long_mode;
	refused(cr0_refusal(&now, CR0_PE), "64-bit mode");
	now.code64 = false;
	assert_null(cr0_refusal(&now, CR0_PE));
	now.cr4 |= CR4_PCIDE;
	refused(cr0_refusal(&now, CR0_PE), "PCIDE");
	/* What does not touch paging is free. */
	assert_null(cr0_refusal(&now, now.cr0 & ~CR0_WP));
	assert_null(cr0_refusal(&long_mode, long_mode.cr0 | CR0_TS));
}

static void test_cr0_effective(void **state)
{
	(void)state;
	assert_int_equal(cr0_effective(0), CR0_ET);
	assert_int_equal(cr0_effective(0xffffffff), 0xe005003f);
	assert_int_equal(cr0_effective(CR0_PE | CR0_PG), CR0_PE | CR0_PG | CR0_ET);
}

static void test_cr4(void **state)
{
	const uint64_t allowed = 0x3717ff;
	struct cr_state now = real_mode;

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++) {
		const char *words = cr4_refusal(&now, BIT64(bit), allowed);

		if (bit == 17)
			refused(words, "outside long mode");
		else if (bits_test(allowed, bit))
			assert_null(words);
		else
			refused(words, "does not have");
	}
	refused(cr4_refusal(&long_mode, 0, allowed), "PAE");
	refused(cr4_refusal(&long_mode, CR4_PAE | CR4_LA57, allowed), "LA57");
	now = long_mode;
	assert_null(cr4_refusal(&now, CR4_PAE | CR4_PCIDE, allowed));
	now.cr3 = 0x1001;
	refused(cr4_refusal(&now, CR4_PAE | CR4_PCIDE, allowed), "CR3");
	/* Once set, it stays set whatever CR3 holds. */
	now.cr4 |= CR4_PCIDE;
	assert_null(cr4_refusal(&now, CR4_PAE | CR4_PCIDE | CR4_SMEP, allowed));
	now.cr0 &= ~CR0_WP;
	refused(cr4_refusal(&now, now.cr4 | CR4_CET, allowed | CR4_CET), "WP");
}

static void test_xcr0(void **state)
{
	const uint64_t allowed = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_MPX | XCR0_AVX512 | XCR0_PKRU | XCR0_AMX;

	(void)state;
	assert_null(xcr0_refusal(0, 1, allowed));
	assert_null(xcr0_refusal(0, 3, allowed));
	assert_null(xcr0_refusal(0, 7, allowed));
	assert_null(xcr0_refusal(0, 0xe7, allowed));
	assert_null(xcr0_refusal(0, 0x201, allowed));
	assert_null(xcr0_refusal(0, allowed, allowed));
	refused(xcr0_refusal(1, 7, allowed), "only XCR0");
	refused(xcr0_refusal(0, 0, allowed), "x87");
	refused(xcr0_refusal(0, 6, allowed), "x87");
	refused(xcr0_refusal(0, 5, allowed), "without SSE");
	refused(xcr0_refusal(0, 0x0b, allowed), "MPX");
	refused(xcr0_refusal(0, 0x67, allowed), "AVX-512");
	refused(xcr0_refusal(0, 0xe3, allowed), "AVX-512");
	refused(xcr0_refusal(0, 0x20007, allowed), "AMX");
	refused(xcr0_refusal(0, 0xe7, 7), "does not have");
	refused(xcr0_refusal(0, 1ull << 63 | 1, allowed), "does not have");
	refused(xcr0_refusal(0, 3, 0), "does not have");
}

static void test_efer(void **state)
{
	const uint64_t allowed = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE;

	(void)state;
	for (unsigned bit = 0; bit < 64; bit++)
		assert_int_equal(efer_refusal(&real_mode, BIT64(bit), allowed) == NULL, bits_test(allowed, bit));
	refused(efer_refusal(&long_mode, EFER_SCE, allowed), "LME");
	assert_null(efer_refusal(&long_mode, EFER_LME | EFER_SCE, allowed));
	assert_int_equal(efer_effective(EFER_LME, CR0_PE), EFER_LME);
	assert_int_equal(efer_effective(EFER_LME, CR0_PE | CR0_PG), EFER_LME | EFER_LMA);
	assert_int_equal(efer_effective(EFER_LMA, CR0_PE | CR0_PG), 0);
	assert_int_equal(efer_effective(EFER_LME | EFER_LMA | EFER_NXE, CR0_PE), EFER_LME | EFER_NXE);
}

static void test_pat(void **state)
{
	(void)state;
	assert_null(pat_refusal(0x0007040600070406));
	for (unsigned type = 0; type < 256; type++) {
		bool legal = type <= 7 && type != 2 && type != 3;

		for (unsigned i = 0; i < 8; i++)
			assert_int_equal(pat_refusal((uint64_t)type << i * 8) == NULL, legal);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cr0),  cmocka_unit_test(test_cr0_effective), cmocka_unit_test(test_cr4),
		cmocka_unit_test(test_xcr0), cmocka_unit_test(test_efer),          cmocka_unit_test(test_pat),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
