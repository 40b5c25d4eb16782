/* RDMSR and WRMSR exits: the table, the APIC's MSRs, and the three that make up a vCPU's time. */
#include "tests/unit/vm_fixture.h"

#include "arch/x86/msr.h"
#include "vmm/core/msr_policy.h"
#include "vmm/exit/dispatch.h"
#include "vmm/exit/tsc.h"

static struct vm *vm;
static struct vcpu *v;

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_image();
	vm = fx_vm("a", "1");
	v = vm->vcpus[0];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static void expect_gp(enum verdict verdict)
{
	assert_int_equal(verdict, VERDICT_RESUME);
	assert_true(v->inject.valid);
	assert_int_equal(v->inject.vector, 13);
	v->inject.valid = false;
}

static enum verdict rd(uint32_t msr)
{
	struct vm_exit e = {.reason = EXIT_RDMSR};

	v->gpr[GPR_RCX] = 0xabcd000000000000 | msr; /* the upper half means nothing */
	v->gpr[GPR_RAX] = v->gpr[GPR_RDX] = UINT64_MAX;
	return exit_dispatch(v, &e);
}

static uint64_t get(uint32_t msr)
{
	assert_int_equal(rd(msr), VERDICT_SKIP);
	assert_true(v->gpr[GPR_RAX] <= UINT32_MAX && v->gpr[GPR_RDX] <= UINT32_MAX);
	return v->gpr[GPR_RDX] << 32 | v->gpr[GPR_RAX];
}

static enum verdict wr(uint32_t msr, uint64_t value)
{
	struct vm_exit e = {.reason = EXIT_WRMSR};

	v->gpr[GPR_RCX] = 0x1234000000000000 | msr;
	v->gpr[GPR_RAX] = 0xffffffff00000000 | (uint32_t)value;
	v->gpr[GPR_RDX] = 0xeeeeeeee00000000 | value >> 32;
	return exit_dispatch(v, &e);
}

static void set(uint32_t msr, uint64_t value)
{
	assert_int_equal(wr(msr, value), VERDICT_SKIP);
	assert_false(v->inject.valid);
}

static void test_what_is_not_listed_is_a_fault(void **state)
{
	static const uint32_t msrs[] = {0x2,       0x33,  0x48,       0x122,      0x345,      0x480,      0x6ff,
					0x8ff + 1, 0xda0, 0x40000000, 0x4b564d00, 0xc0000104, 0xc0010000, UINT32_MAX};

	(void)state;
	vcpu_hw_set(v, VCPU_CR0, CR0_PE);
	for (unsigned i = 0; i < ARRAY_LEN(msrs); i++) {
		expect_gp(rd(msrs[i]));
		assert_true(v->gpr[GPR_RAX] == UINT64_MAX && v->gpr[GPR_RDX] == UINT64_MAX); /* nothing half done */
		expect_gp(wr(msrs[i], 0));
	}
}

static void test_fixed_values_cannot_be_written(void **state)
{
	(void)state;
	assert_int_equal(get(MSR_FEATURE_CONTROL), 1);
	expect_gp(wr(MSR_FEATURE_CONTROL, 5));
	set(MSR_BIOS_SIGN_ID, 0);
	assert_true(get(MSR_BIOS_SIGN_ID) != 0);
}

static void test_tsc_and_adjust_move_together(void **state)
{
	int64_t before = v->tsc_offset, offset;
	uint64_t tsc;

	(void)state;
	assert_int_equal(get(MSR_TSC_ADJUST), 0);
	set(MSR_TSC_ADJUST, 0x123456789ab);
	assert_true(get(MSR_TSC_ADJUST) == 0x123456789ab);
	assert_true(v->tsc_offset == before + 0x123456789ab);
	assert_true(v->hw->tsc_offset == v->tsc_offset);
	tsc = get(MSR_TSC);
	assert_true(tsc - (rdtsc() + (uint64_t)v->tsc_offset) + FX_TSC_HZ < 2 * FX_TSC_HZ);

	/* SDM 3 "IA32_TSC_ADJUST MSR": a write of X to the TSC adds X minus its value to TSC_ADJUST. */
	set(MSR_TSC, 1000);
	tsc = get(MSR_TSC);
	assert_true(tsc >= 1000 && tsc < 1000 + 10 * FX_TSC_HZ);
	offset = v->tsc_offset;
	assert_true(get(MSR_TSC_ADJUST) == (uint64_t)(offset - before));
	set(MSR_TSC_ADJUST, 0);
	assert_true(v->tsc_offset == before);
	set(MSR_TSC_ADJUST, UINT64_MAX); /* -1 */
	assert_true(v->tsc_offset == before - 1);
}

static void test_deadline_moves_with_the_tsc(void **state)
{
	uint64_t at, now, clock;

	(void)state;
	set(MSR_APIC_BASE, get(MSR_APIC_BASE) | BIT64(10));
	set(0x832, 0x40030); /* timer: TSC-deadline mode, vector 30H */
	now = get(MSR_TSC);
	set(MSR_TSC_DEADLINE, now + 100 * FX_TSC_HZ);
	at = vclock_next(&v->clock);
	clock = now - vm->tsc_base;
	assert_true(at >= clock + 100 * FX_TSC_HZ - 1 && at <= clock + 100 * FX_TSC_HZ + 1);
	set(MSR_TSC_ADJUST, 10 * FX_TSC_HZ); /* the guest's TSC jumps ahead: the deadline is nearer */
	assert_true(vclock_next(&v->clock) <= at - 10 * FX_TSC_HZ + 1);
	assert_true(get(MSR_TSC_DEADLINE) == now + 100 * FX_TSC_HZ);
}

static void test_x2apic(void **state)
{
	(void)state;
	expect_gp(rd(0x802)); /* not before x2APIC mode */
	expect_gp(wr(0x80b, 0));
	assert_int_equal(get(MSR_APIC_BASE), 0xfee00900);
	set(MSR_APIC_BASE, 0xfee00d00);
	assert_int_equal(get(MSR_APIC_BASE), 0xfee00d00);
	assert_int_equal(get(0x802), 0);
	assert_int_equal(get(0x803) & 0xff, 0x14 | 0x0); /* version: an integrated APIC */
	expect_gp(wr(0x802, 1));                         /* read-only */
	expect_gp(wr(0x80b, 1));                         /* EOI takes only 0 */
	expect_gp(rd(0x80b));                            /* write-only */
	expect_gp(rd(0x80e));                            /* no DFR here */
	expect_gp(wr(0x808, 0x100));                     /* reserved bits */
	set(0x808, 0x20);
	assert_int_equal(get(0x808), 0x20);
	expect_gp(wr(MSR_APIC_BASE, 0xfee00900)); /* x2APIC to xAPIC is not a way there is */
	set(MSR_APIC_BASE, 0xfee00100);
	set(MSR_APIC_BASE, 0xfee00900);
}

static void test_self_ipi_arrives(void **state)
{
	(void)state;
	set(MSR_APIC_BASE, 0xfee00d00);
	set(0x80f, 0x1ff);
	__atomic_store_n(&v->requests, 0, __ATOMIC_RELAXED);
	set(0x83f, 0x55);
	assert_int_equal(vlapic_pending(v->lapic), 0x55);
	assert_true(v->requests & VCPU_REQ_EVENT);
}

static void test_moving_the_apic_is_refused(void **state)
{
	(void)state;
	expect_gp(wr(MSR_APIC_BASE, 0xfec00900));
	expect_gp(wr(MSR_APIC_BASE, 0xfee00900 | BIT64(50)));
	assert_int_equal(get(MSR_APIC_BASE), 0xfee00900);
}

static void test_efer(void **state)
{
	(void)state;
	set(MSR_EFER, EFER_SCE | EFER_NXE | EFER_LME);
	assert_int_equal(get(MSR_EFER), EFER_SCE | EFER_NXE | EFER_LME);
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_PG | CR0_ET);
	expect_gp(wr(MSR_EFER, EFER_SCE)); /* LME while paging is on */
	set(MSR_EFER, EFER_LME);
	assert_int_equal(get(MSR_EFER), EFER_LME | EFER_LMA);
	expect_gp(wr(MSR_EFER, EFER_LME | BIT64(12))); /* SVME */
}

static void test_pat_and_mtrrs(void **state)
{
	(void)state;
	set(MSR_PAT, 0x0606060606060606);
	assert_true(get(MSR_PAT) == 0x0606060606060606);
	expect_gp(wr(MSR_PAT, 0x0602060606060606));
	assert_true(get(MSR_PAT) == 0x0606060606060606);
	assert_int_equal(get(0x200), PLATFORM_PCI_HOLE); /* as firmware left it */
	set(0x202, 0x80000006);
	assert_int_equal(get(0x202), 0x80000006);
	expect_gp(wr(0x202, 0x80000002));
	assert_int_equal(get(0x2ff) & 0xcff, 0xc06);
}

static void test_every_row_answers(void **state)
{
	const struct msr_row *row;

	(void)state;
	for (size_t i = 0; (row = msr_policy_row(i)) != NULL; i++) {
		v->inject.valid = false;
		(void)rd(row->first);
		v->inject.valid = false;
		(void)wr(row->last, UINT64_MAX);
		assert_string_equal(vm->crash, "");
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_what_is_not_listed_is_a_fault),
		T(test_fixed_values_cannot_be_written),
		T(test_tsc_and_adjust_move_together),
		T(test_deadline_moves_with_the_tsc),
		T(test_x2apic),
		T(test_self_ipi_arrives),
		T(test_moving_the_apic_is_refused),
		T(test_efer),
		T(test_pat_and_mtrrs),
		T(test_every_row_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
