/* Exits on control registers and XSETBV: what is written, what faults, and that a fault changes nothing. */
#include "tests/unit/vm_fixture.h"

#include "arch/x86/msr.h"
#include "kernel/lib/bytes.h"
#include "vmm/exit/dispatch.h"

static struct vm *vm;
static struct vcpu *v;

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_image();
	vm = fx_vm("a", "1");
	v = vm->vcpus[0];
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_ET);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static enum verdict cr_exit(uint8_t cr, uint8_t op, uint8_t gpr, uint16_t msw)
{
	struct vm_exit e = {.reason = EXIT_CR_ACCESS};

	e.cr.cr = cr;
	e.cr.op = op;
	e.cr.gpr = gpr;
	e.cr.msw = msw;
	return exit_dispatch(v, &e);
}

static enum verdict mov_to(uint8_t cr, uint64_t value)
{
	v->gpr[GPR_RBX] = value;
	return cr_exit(cr, CR_MOV_TO, GPR_RBX, 0);
}

static void expect_gp(enum verdict verdict)
{
	assert_int_equal(verdict, VERDICT_RESUME);
	assert_true(v->inject.valid);
	assert_int_equal(v->inject.vector, 13);
	assert_true(v->inject.has_error);
	assert_int_equal(v->inject.error, 0);
	v->inject.valid = false;
}

static void test_cr0(void **state)
{
	(void)state;
	assert_int_equal(mov_to(0, CR0_PE | CR0_WP), VERDICT_SKIP);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_WP | CR0_ET); /* ET is hard-wired */
	expect_gp(mov_to(0, CR0_PG));                                         /* paging needs protection */
	expect_gp(mov_to(0, CR0_PE | CR0_NW));                                /* NW without CD */
	expect_gp(mov_to(0, CR0_PE | BIT64(32)));
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_WP | CR0_ET);
	assert_int_equal(v->hw->skips, 0); /* only the loop moves RIP */
}

static void test_from_rsp(void **state)
{
	(void)state;
	vcpu_set_gpr(v, GPR_RSP, CR0_PE | CR0_AM);
	v->gpr[GPR_RSP] = 0; /* the slot is nobody's */
	assert_int_equal(cr_exit(0, CR_MOV_TO, GPR_RSP, 0), VERDICT_SKIP);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_AM | CR0_ET);
}

static void test_long_mode_entry_needs_pae(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_EFER, EFER_LME);
	expect_gp(mov_to(0, CR0_PE | CR0_PG));
	vcpu_hw_set(v, VCPU_CR4, CR4_PAE);
	vcpu_hw_set(v, VCPU_EFER, EFER_LME | EFER_LMA); /* the backend's part of the same step */
	assert_int_equal(mov_to(0, CR0_PE | CR0_PG), VERDICT_SKIP);
}

static void test_leaving_paging_in_64bit_code(void **state)
{
	struct segment cs = {8, SEGMENT_CODE64, false, UINT32_MAX, 0};

	(void)state;
	vcpu_hw_set(v, VCPU_CR4, CR4_PAE);
	vcpu_hw_set(v, VCPU_EFER, EFER_LME | EFER_LMA);
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_PG | CR0_ET);
	vcpu_hw_set_segment(v, SEG_CS, &cs);
	expect_gp(mov_to(0, CR0_PE));
	cs.access = SEGMENT_CODE32;
	vcpu_hw_set_segment(v, SEG_CS, &cs);
	assert_int_equal(mov_to(0, CR0_PE), VERDICT_SKIP);
}

static void test_clts_and_lmsw(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_TS | CR0_ET | CR0_WP);
	assert_int_equal(cr_exit(0, CR_CLTS, 0, 0), VERDICT_SKIP);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_ET | CR0_WP);
	/* LMSW: bits 3:0 only, and PE stays (SDM 2 "LMSW"). */
	assert_int_equal(cr_exit(0, CR_LMSW, 0, 0xfffe), VERDICT_SKIP);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_WP);
	assert_int_equal(cr_exit(0, CR_LMSW, 0, 0), VERDICT_SKIP);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_ET | CR0_WP);
}

static void test_cr4(void **state)
{
	(void)state;
	assert_int_equal(mov_to(4, CR4_PAE | CR4_PGE | CR4_OSFXSR), VERDICT_SKIP);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR4), CR4_PAE | CR4_PGE | CR4_OSFXSR);
	expect_gp(mov_to(4, CR4_PAE | CR4_VMXE)); /* guests have no VMX */
	expect_gp(mov_to(4, CR4_PAE | BIT64(31)));
	expect_gp(mov_to(4, CR4_PAE | BIT64(63)));
	expect_gp(mov_to(4, CR4_PAE | CR4_PCIDE)); /* not in long mode */
	assert_int_equal(vcpu_hw_get(v, VCPU_CR4), CR4_PAE | CR4_PGE | CR4_OSFXSR);
	fake_machine.cr4_allowed &= ~CR4_PGE; /* what the processor cannot do in a guest */
	expect_gp(mov_to(4, CR4_PAE | CR4_PGE));
	fake_machine.cr4_allowed |= CR4_PGE;
}

static void test_pae_paging_loads_the_pdptes(void **state)
{
	uint8_t table[32];

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		store_le64(table + 8 * i, i == 3 ? 0x1e6 : 0x101000 + i * 0x1000 + 1); /* the last is not present */
	assert_int_equal(guest_mem_write(&vm->mem, 0x100020, table, sizeof(table)), 0);
	vcpu_hw_set(v, VCPU_CR3, 0x100020);
	vcpu_hw_set(v, VCPU_CR4, CR4_PAE);
	assert_int_equal(mov_to(0, CR0_PE | CR0_PG), VERDICT_SKIP);
	assert_int_equal(v->hw->pdptes[0], 0x101001);
	assert_int_equal(v->hw->pdptes[2], 0x103001);
	assert_int_equal(v->hw->pdptes[3], 0x1e6);
}

static void test_bad_pdptes_fault(void **state)
{
	uint8_t table[32] = {0};

	(void)state;
	vcpu_hw_set(v, VCPU_CR3, 0x100000);
	vcpu_hw_set(v, VCPU_CR4, CR4_PAE);
	store_le64(table + 8, 0x101003); /* a reserved bit */
	assert_int_equal(guest_mem_write(&vm->mem, 0x100000, table, sizeof(table)), 0);
	expect_gp(mov_to(0, CR0_PE | CR0_PG));
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_ET);
	store_le64(table + 8, BIT64(45) | 1); /* above the guest's physical addresses */
	assert_int_equal(guest_mem_write(&vm->mem, 0x100000, table, sizeof(table)), 0);
	expect_gp(mov_to(0, CR0_PE | CR0_PG));
	vcpu_hw_set(v, VCPU_CR3, 0xfffff000); /* no RAM there */
	expect_gp(mov_to(0, CR0_PE | CR0_PG));
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_ET);
	assert_string_equal(vm->crash, "");
}

static void test_cr8_is_the_task_priority(void **state)
{
	(void)state;
	assert_int_equal(mov_to(8, 0xb), VERDICT_SKIP);
	assert_int_equal(vlapic_get_cr8(v->lapic), 0xb);
	v->gpr[GPR_R9] = UINT64_MAX;
	assert_int_equal(cr_exit(8, CR_MOV_FROM, GPR_R9, 0), VERDICT_SKIP);
	assert_int_equal(v->gpr[GPR_R9], 0xb);
	expect_gp(mov_to(8, 0x10));
	assert_int_equal(vlapic_get_cr8(v->lapic), 0xb);
}

static void test_lower_cr8_lets_an_interrupt_through(void **state)
{
	(void)state;
	vlapic_mmio_write(v->lapic, 0xf0, 4, 0x1ff);
	assert_int_equal(mov_to(8, 0xf), VERDICT_SKIP);
	assert_true(vlapic_deliver(v->lapic, 0, 0x40, false));
	assert_int_equal(vlapic_pending(v->lapic), -1);
	v->requests = 0;
	assert_int_equal(mov_to(8, 0), VERDICT_SKIP);
	assert_int_equal(vlapic_pending(v->lapic), 0x40);
	assert_true(v->requests & VCPU_REQ_EVENT);
}

static void test_what_never_leaves_stops_the_vm(void **state)
{
	(void)state;
	assert_int_equal(cr_exit(3, CR_MOV_TO, GPR_RAX, 0), VERDICT_CRASH);
	assert_non_null(strstr(vm->crash, "CR3"));
}

static enum verdict set_xcr(uint32_t index, uint64_t value)
{
	struct vm_exit e = {.reason = EXIT_XSETBV};

	v->gpr[GPR_RCX] = BIT64(40) | index;
	v->gpr[GPR_RAX] = BIT64(50) | (uint32_t)value;
	v->gpr[GPR_RDX] = value >> 32;
	return exit_dispatch(v, &e);
}

static void test_xsetbv(void **state)
{
	(void)state;
	assert_int_equal(set_xcr(0, XCR0_X87 | XCR0_SSE | XCR0_AVX), VERDICT_SKIP);
	assert_int_equal(vcpu_hw_get(v, VCPU_XCR0), XCR0_X87 | XCR0_SSE | XCR0_AVX);
	expect_gp(set_xcr(0, XCR0_SSE));
	expect_gp(set_xcr(0, XCR0_X87 | XCR0_AVX));
	expect_gp(set_xcr(0, XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_AVX512)); /* the host does not let it */
	expect_gp(set_xcr(1, XCR0_X87));
	expect_gp(set_xcr(0, BIT64(63) | XCR0_X87));
	assert_int_equal(vcpu_hw_get(v, VCPU_XCR0), XCR0_X87 | XCR0_SSE | XCR0_AVX);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_cr0),
		T(test_from_rsp),
		T(test_long_mode_entry_needs_pae),
		T(test_leaving_paging_in_64bit_code),
		T(test_clts_and_lmsw),
		T(test_cr4),
		T(test_pae_paging_loads_the_pdptes),
		T(test_bad_pdptes_fault),
		T(test_cr8_is_the_task_priority),
		T(test_lower_cr8_lets_an_interrupt_through),
		T(test_what_never_leaves_stops_the_vm),
		T(test_xsetbv),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
