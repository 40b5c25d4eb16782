/* CPUID exits: the VM's prepared answers, and what depends on the moment. */
#include "tests/unit/vm_fixture.h"

#include "vmm/exit/dispatch.h"

static struct vm *vm;
static struct vcpu *v;

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_image();
	vm = fx_vm("a", "2");
	v = vm->vcpus[0];
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static void ask(uint64_t rax, uint64_t rcx)
{
	struct vm_exit e = {.reason = EXIT_CPUID};

	v->gpr[GPR_RAX] = rax;
	v->gpr[GPR_RBX] = v->gpr[GPR_RDX] = UINT64_MAX;
	v->gpr[GPR_RCX] = rcx;
	assert_int_equal(exit_dispatch(v, &e), VERDICT_SKIP);
	/* All four are 32-bit results, so the upper halves are gone (SDM 2 "CPUID"). */
	assert_true(v->gpr[GPR_RAX] <= UINT32_MAX && v->gpr[GPR_RBX] <= UINT32_MAX);
	assert_true(v->gpr[GPR_RCX] <= UINT32_MAX && v->gpr[GPR_RDX] <= UINT32_MAX);
}

static void test_vendor_and_hypervisor(void **state)
{
	char text[13] = "";

	(void)state;
	ask(0, 0);
	assert_int_equal(v->gpr[GPR_RAX], CPUID_BASIC_MAX);
	assert_int_equal(v->gpr[GPR_RBX], 0x756e6547);
	ask(0x40000000, 0);
	memcpy(text, &v->gpr[GPR_RBX], 4);
	memcpy(text + 4, &v->gpr[GPR_RCX], 4);
	memcpy(text + 8, &v->gpr[GPR_RDX], 4);
	assert_string_equal(text, CPUID_HYPERVISOR_SIGNATURE);
	ask(1, 0);
	assert_true(v->gpr[GPR_RCX] & BIT64(31));
	assert_false(v->gpr[GPR_RCX] & BIT64(5)); /* no VMX for guests */
}

static void test_only_the_low_halves_ask(void **state)
{
	uint64_t first[4];

	(void)state;
	ask(4, 1);
	memcpy(first, v->gpr, sizeof(first));
	ask(0xdeadbeef00000004, 0xcafe000000000001);
	assert_memory_equal(v->gpr, first, sizeof(first));
}

static void test_apic_id_is_the_cpus(void **state)
{
	(void)state;
	ask(1, 0);
	assert_int_equal(v->gpr[GPR_RBX] >> 24, 0);
	v = vm->vcpus[1];
	ask(1, 0);
	assert_int_equal(v->gpr[GPR_RBX] >> 24, 1);
	ask(0xb, 0);
	assert_int_equal(v->gpr[GPR_RDX], 1);
}

static void test_osxsave_follows_cr4(void **state)
{
	(void)state;
	ask(1, 0);
	assert_true(v->gpr[GPR_RCX] & BIT64(26));
	assert_false(v->gpr[GPR_RCX] & BIT64(27));
	vcpu_hw_set(v, VCPU_CR4, CR4_OSXSAVE);
	ask(1, 0);
	assert_true(v->gpr[GPR_RCX] & BIT64(27));
}

static void test_xsave_area_follows_xcr0(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_XCR0, XCR0_X87);
	ask(0xd, 0);
	assert_int_equal(v->gpr[GPR_RBX], 0x240);
	assert_int_equal(v->gpr[GPR_RCX], 0x340); /* AVX is the most it may switch on */
	vcpu_hw_set(v, VCPU_XCR0, XCR0_X87 | XCR0_SSE | XCR0_AVX);
	ask(0xd, 0);
	assert_int_equal(v->gpr[GPR_RBX], 0x340);
}

static void test_apic_bit_follows_the_apic(void **state)
{
	uint64_t base;

	(void)state;
	ask(1, 0);
	assert_true(v->gpr[GPR_RDX] & BIT64(9));
	assert_int_equal(vlapic_msr_read(v->lapic, 0x1b, &base), 0);
	assert_int_equal(vlapic_msr_write(v->lapic, 0x1b, base & ~BIT64(11)), 0);
	ask(1, 0);
	assert_false(v->gpr[GPR_RDX] & BIT64(9));
}

static void test_any_leaf_has_an_answer(void **state)
{
	static const uint32_t leaves[] = {0x17,       0x1f,       0x20,       0x3fffffff, 0x40000001,
					  0x40000011, 0x7fffffff, 0x80000009, 0xc0000000, UINT32_MAX};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(leaves); i++) {
		ask(leaves[i], 0);
		ask(leaves[i], UINT32_MAX);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_vendor_and_hypervisor),  T(test_only_the_low_halves_ask), T(test_apic_id_is_the_cpus),
		T(test_osxsave_follows_cr4),    T(test_xsave_area_follows_xcr0), T(test_apic_bit_follows_the_apic),
		T(test_any_leaf_has_an_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
