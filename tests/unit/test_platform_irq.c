/* The board's interrupt wires with a processor that takes part in the local APIC: who is told what before an entry, and when
 * the APIC's page is in the second-level tables. */
#include "tests/unit/vm_fixture.h"

#include "drivers/regs/lapic.h"

#define APIC_PAGE 0x7654000ull

static struct vm *vm;
static struct vcpu *v;

static void begin(enum vcpu_apic_help help)
{
	fx_host_init();
	fx_image();
	fake_machine.apic_help = help;
	fake_machine.apic_access_page = APIC_PAGE;
	platform_share_apic_page(&fx_host);
	vm = fx_vm("a", "2");
	v = vm->vcpus[0];
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
}

static void end(void)
{
	slpt_destroy(&fx_host.apic_tables);
	fx_host_destroy();
	fake_machine.apic_help = VCPU_APIC_NONE;
	fake_machine.apic_access_page = 0;
}

static bool prepare(void)
{
	return vcpu_inject_pending(v, v->irqs);
}

static void write_base(struct vcpu *cpu, uint64_t bits)
{
	assert_int_equal(vlapic_msr_write(cpu->lapic, MSR_IA32_APIC_BASE_INDEX, LAPIC_DEFAULT_BASE | bits), 0);
}

static bool page_is_mapped(void)
{
	struct slpt_leaf leaf;

	return slpt_lookup(&vm->slpt, LAPIC_DEFAULT_BASE, &leaf) == 0 && leaf.hpa == APIC_PAGE;
}

static void test_the_processor_is_told(void **state)
{
	(void)state;
	begin(VCPU_APIC_ALL);
	assert_ptr_equal(v->hw->apic_page, vlapic_page(v->lapic));
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x61, false);
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x51, true);
	assert_true(v->requests & VCPU_REQ_EVENT);
	assert_true(prepare());
	assert_false(v->inject.valid || v->hw->irq_window); /* it delivers by itself, as soon as the guest takes it */
	assert_int_equal(v->hw->apic_requested, 0x61);
	assert_int_equal(v->hw->apic_in_service, 0);
	assert_true(v->hw->apic_eoi_exits[1] == 1ull << 0x11);
	assert_int_equal(vcpu_waking_event(v), IRQ_TOLD);
	vcpu_hw_set(v, VCPU_RFLAGS, 2);
	assert_int_equal(vcpu_waking_event(v), IRQ_NONE);
	/* What it has carried out since is its own: one more is only added. */
	v->hw->apic_requested = 0x51;
	v->hw->apic_in_service = 0x61;
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x41, false);
	assert_true(prepare());
	assert_true(v->hw->apic_requested == 0x51 && v->hw->apic_in_service == 0x61);
	/* After a reset it is told anew. */
	vlapic_reset(v->lapic, true);
	assert_true(prepare());
	assert_true(v->hw->apic_requested == 0 && v->hw->apic_in_service == 0);
	end();
}

/* Its own timer fires, or it sends itself an IPI: nothing has to be asked before the next entry. */
static void test_the_processor_is_told_of_ones_own(void **state)
{
	(void)state;
	begin(VCPU_APIC_ALL);
	assert_true(prepare());
	__atomic_store_n(&v->requests, 0, __ATOMIC_RELAXED);
	write_base(v, APIC_BASE_EN | APIC_BASE_EXTD);
	__atomic_store_n(&v->requests, 0, __ATOMIC_RELAXED);
	assert_int_equal(vlapic_msr_write(v->lapic, X2APIC_MSR(LAPIC_ICR_LOW), 0x40000 | 0x61), 0);
	assert_int_equal(v->requests, 0);
	assert_int_equal(v->hw->apic_requested, 0x61);
	assert_int_equal(vcpu_waking_event(v), IRQ_TOLD);
	end();
}

static void test_the_8259_is_injected_all_the_same(void **state)
{
	(void)state;
	begin(VCPU_APIC_ALL);
	vm->platform->pic.intr_high = true;
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x61, false);
	assert_true(prepare());
	assert_true(v->inject.valid);
	assert_int_equal(v->inject.type, EVENT_EXTERNAL_INTERRUPT);
	assert_int_equal(v->hw->apic_requested, 0x61);
	v->inject.valid = false;
	vcpu_hw_set(v, VCPU_RFLAGS, 2);
	assert_true(prepare());
	assert_false(v->inject.valid);
	assert_true(v->hw->irq_window);
	vm->platform->pic.intr_high = false;
	assert_true(prepare());
	assert_false(v->hw->irq_window);
	end();
}

static int accept_now(void)
{
	return v->irqs->accept(v->irqs->ctx);
}

/* The highest one goes in, and nothing that waits behind it would be let through or wants a threshold. */
static void test_accepted_at_once(void **state)
{
	(void)state;
	begin(VCPU_APIC_TPR);
	assert_int_equal(accept_now(), -1);
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x61, false);
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x62, false);
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x51, false);
	assert_int_equal(accept_now(), 0x62);
	assert_int_equal(vlapic_in_service(v->lapic), 0x62);
	assert_int_equal(accept_now(), -1);
	assert_int_equal(vlapic_tpr_threshold(v->lapic), 0);
	vlapic_eoi(v->lapic);
	assert_true(v->requests & VCPU_REQ_EVENT); /* the next one is heard of again */
	assert_int_equal(accept_now(), 0x61);
	/* It takes what outranks the one in service. */
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x71, false);
	assert_int_equal(accept_now(), 0x71);
	vlapic_eoi(v->lapic);
	vlapic_eoi(v->lapic);
	vlapic_set_cr8(v->lapic, 5);
	assert_int_equal(accept_now(), -1);
	vlapic_set_cr8(v->lapic, 4);
	assert_int_equal(accept_now(), 0x51);
	write_base(v, 0); /* switched off */
	assert_int_equal(accept_now(), -1);
	end();
}

/* Whose turn it is when the 8259 asks as well, and what the processor delivers, is decided elsewhere. */
static void test_not_accepted_at_once(void **state)
{
	(void)state;
	begin(VCPU_APIC_TPR);
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x61, false);
	vm->platform->pic.intr_high = true;
	assert_int_equal(accept_now(), -1);
	assert_int_equal(vlapic_requested(v->lapic), 0x61);
	vm->platform->pic.intr_high = false;
	end();
	begin(VCPU_APIC_ALL);
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x61, false);
	assert_int_equal(accept_now(), -1);
	assert_int_equal(vlapic_requested(v->lapic), 0x61);
	end();
}

static void test_threshold(void **state)
{
	(void)state;
	begin(VCPU_APIC_TPR);
	vlapic_set_cr8(v->lapic, 7);
	vlapic_deliver(v->lapic, VLAPIC_FIXED, 0x61, false);
	assert_true(prepare());
	assert_false(v->inject.valid || v->hw->irq_window);
	assert_int_equal(v->hw->tpr_threshold, 6);
	vlapic_set_cr8(v->lapic, 5);
	assert_true(prepare());
	assert_int_equal(v->inject.vector, 0x61);
	assert_int_equal(v->hw->tpr_threshold, 0);
	end();
}

static void test_modes_and_the_page(void **state)
{
	uint64_t generation;

	(void)state;
	begin(VCPU_APIC_ALL);
	assert_true(page_is_mapped());
	generation = slpt_generation(&vm->slpt);
	v->requests = vm->vcpus[1]->requests = 0;
	write_base(v, APIC_BASE_EN | APIC_BASE_EXTD);
	assert_true(v->hw->x2apic);
	assert_true(v->requests & VCPU_REQ_EVENT);
	assert_false(page_is_mapped());
	assert_true(slpt_generation(&vm->slpt) != generation);
	assert_true(v->requests & vm->vcpus[1]->requests & VCPU_REQ_ENTRY); /* both look at the generation */
	write_base(vm->vcpus[1], APIC_BASE_EN | APIC_BASE_EXTD);
	assert_int_equal(vm_reset(&fx_host, vm, fx_why), 0);
	assert_false(v->hw->x2apic || vm->vcpus[1]->hw->x2apic);
	assert_true(page_is_mapped());
	write_base(vm->vcpus[1], 0); /* off: nothing is there either */
	assert_false(page_is_mapped());
	write_base(vm->vcpus[1], APIC_BASE_EN);
	assert_true(page_is_mapped());
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_processor_is_told),
		cmocka_unit_test(test_the_processor_is_told_of_ones_own),
		cmocka_unit_test(test_the_8259_is_injected_all_the_same),
		cmocka_unit_test(test_accepted_at_once),
		cmocka_unit_test(test_not_accepted_at_once),
		cmocka_unit_test(test_threshold),
		cmocka_unit_test(test_modes_and_the_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
