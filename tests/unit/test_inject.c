/* What goes into the guest next, against the fake processor: order, windows, error codes, double and triple faults. And the
 * two small things beside it: the flight recorder's reader, and a VM's crash text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "arch/x86/regs.h"
#include "tests/fake/fake_vcpu_hw.h"
#include "vmm/core/inject.h"
#include "vmm/core/vm.h"

static struct vm vm;
static struct vcpu v;
static struct {
	int vectors[8];
	unsigned count, takes;
	bool gone; /* take() finds nothing, although next() did */
} irqs;

static int next(void *ctx)
{
	(void)ctx;
	return irqs.count == 0 ? -1 : irqs.vectors[irqs.count - 1];
}

static int take(void *ctx, int given)
{
	(void)ctx;
	assert_int_equal(given, next(NULL));
	irqs.takes++;
	if (irqs.gone) {
		irqs.count = 0;
		return -1;
	}
	return irqs.vectors[--irqs.count];
}

static const struct irq_source source = {.next = next, .take = take};

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&v, 0, sizeof(v));
	memset(&irqs, 0, sizeof(irqs));
	v.vm = &vm;
	v.index = 3;
	assert_int_equal(vcpu_hw_create(&v), 0);
	vcpu_hw_set(&v, VCPU_CR0, CR0_PE);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vcpu_hw_destroy(&v);
	return 0;
}

static void allow(bool on)
{
	vcpu_hw_set(&v, VCPU_RFLAGS, RFLAGS_FIXED1 | (on ? RFLAGS_IF : 0));
}

static void assert_injects(uint8_t type, uint8_t vector)
{
	assert_true(v.inject.valid);
	assert_int_equal(v.inject.type, type);
	assert_int_equal(v.inject.vector, vector);
}

static void test_nothing(void **state)
{
	(void)state;
	allow(true);
	v.hw->irq_window = v.hw->nmi_window = true;
	assert_true(vcpu_inject_pending(&v, &source));
	assert_false(v.inject.valid);
	assert_false(v.hw->irq_window);
	assert_false(v.hw->nmi_window);
}

static void test_interrupt(void **state)
{
	(void)state;
	irqs.vectors[0] = 0x30;
	irqs.count = 1;
	/* Not now: the guest is watched for the moment. */
	allow(false);
	assert_true(vcpu_inject_pending(&v, &source));
	assert_false(v.inject.valid);
	assert_true(v.hw->irq_window);
	assert_int_equal(irqs.takes, 0);
	v.hw->shadow = true;
	allow(true);
	assert_true(vcpu_inject_pending(&v, &source));
	assert_false(v.inject.valid);
	v.hw->shadow = false;
	assert_true(vcpu_inject_pending(&v, &source));
	assert_injects(EVENT_EXTERNAL_INTERRUPT, 0x30);
	assert_false(v.inject.has_error);
	assert_false(v.hw->irq_window);
	assert_int_equal(irqs.takes, 1);
}

static void test_interrupt_behind_interrupt(void **state)
{
	(void)state;
	allow(true);
	irqs.vectors[0] = 0x30;
	irqs.vectors[1] = 0x40;
	irqs.count = 2;
	assert_true(vcpu_inject_pending(&v, &source));
	assert_injects(EVENT_EXTERNAL_INTERRUPT, 0x40);
	assert_true(v.hw->irq_window);
}

static void test_interrupt_gone(void **state)
{
	(void)state;
	allow(true);
	irqs.vectors[0] = 0x30;
	irqs.count = 1;
	irqs.gone = true;
	assert_true(vcpu_inject_pending(&v, &source));
	assert_false(v.inject.valid);
	assert_false(v.hw->irq_window);
}

static void test_cut_off_event_goes_first(void **state)
{
	(void)state;
	allow(true);
	irqs.vectors[0] = 0x30;
	irqs.count = 1;
	v.nmi_pending = true;
	v.inject = (struct event){.valid = true, .vector = 0x80, .type = EVENT_SOFTWARE_INTERRUPT, .insn_len = 2};
	assert_true(vcpu_inject_pending(&v, &source));
	assert_injects(EVENT_SOFTWARE_INTERRUPT, 0x80);
	assert_int_equal(v.inject.insn_len, 2);
	assert_true(v.nmi_pending);
	assert_true(v.hw->nmi_window);
	assert_true(v.hw->irq_window);
	assert_int_equal(irqs.takes, 0);
}

static void test_nmi(void **state)
{
	(void)state;
	allow(false);
	irqs.vectors[0] = 0x30;
	irqs.count = 1;
	v.nmi_pending = true;
	v.hw->nmi_blocked = true;
	assert_true(vcpu_inject_pending(&v, &source));
	assert_false(v.inject.valid);
	assert_true(v.hw->nmi_window);
	v.hw->nmi_blocked = false;
	allow(true);
	assert_true(vcpu_inject_pending(&v, &source));
	assert_injects(EVENT_NMI, 2);
	assert_false(v.nmi_pending);
	assert_false(v.hw->nmi_window);
	assert_true(v.hw->irq_window);
}

static void test_error_codes(void **state)
{
	(void)state;
	v.requests = 0;
	vcpu_queue_exception(&v, VECTOR_PF, true, 6);
	assert_injects(EVENT_EXCEPTION, VECTOR_PF);
	assert_int_equal(v.requests, VCPU_REQ_ENTRY); /* or the backend would go on without it */
	assert_true(v.inject.has_error);
	assert_int_equal(v.inject.error, 6);
	v.inject.valid = false;
	vcpu_queue_ud(&v);
	assert_injects(EVENT_EXCEPTION, VECTOR_UD);
	assert_false(v.inject.has_error);
	/* Real mode pushes none. */
	v.inject.valid = false;
	vcpu_hw_set(&v, VCPU_CR0, 0);
	vcpu_queue_gp(&v);
	assert_injects(EVENT_EXCEPTION, VECTOR_GP);
	assert_false(v.inject.has_error);
}

/* The table of SDM 3 "Conditions for Generating a Double Fault". */
static void test_double_faults(void **state)
{
	static const uint8_t benign[] = {VECTOR_DB, VECTOR_BP, VECTOR_OF, VECTOR_BR, VECTOR_UD,
					 VECTOR_NM, VECTOR_MF, VECTOR_AC, VECTOR_MC, VECTOR_XM};
	static const uint8_t contributory[] = {VECTOR_DE, VECTOR_TS, VECTOR_NP, VECTOR_SS, VECTOR_GP, VECTOR_CP};
	static const uint8_t page[] = {VECTOR_PF, VECTOR_VE};
	static const struct {
		const uint8_t *vectors;
		size_t count;
	} classes[] = {{benign, sizeof(benign)}, {contributory, sizeof(contributory)}, {page, sizeof(page)}};
	static const bool doubled[3][3] = {{false, false, false}, {false, true, false}, {false, true, true}};

	(void)state;
	for (unsigned a = 0; a < 3; a++)
		for (unsigned b = 0; b < 3; b++)
			for (size_t i = 0; i < classes[a].count * classes[b].count; i++) {
				uint8_t first = classes[a].vectors[i / classes[b].count];
				uint8_t second = classes[b].vectors[i % classes[b].count];

				v.inject.valid = false;
				vcpu_queue_exception(&v, first, false, 0);
				vcpu_queue_exception(&v, second, true, 5);
				assert_injects(EVENT_EXCEPTION, doubled[a][b] ? VECTOR_DF : second);
				assert_true(v.inject.has_error);
				assert_int_equal(v.inject.error, doubled[a][b] ? 0 : 5);
			}
	assert_int_equal(vm.crash[0], 0);
}

static void test_fault_meets_other_events(void **state)
{
	static const uint8_t types[] = {EVENT_EXTERNAL_INTERRUPT, EVENT_NMI, EVENT_SOFTWARE_INTERRUPT,
					EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, EVENT_SOFTWARE_EXCEPTION};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(types); i++) {
		/* An INT 14 is no page fault. */
		v.inject = (struct event){.valid = true, .vector = 14, .type = types[i]};
		v.nmi_pending = false;
		vcpu_queue_gp(&v);
		assert_injects(EVENT_EXCEPTION, VECTOR_GP);
		assert_int_equal(v.nmi_pending, types[i] == EVENT_NMI);
	}
}

static void test_triple_fault(void **state)
{
	(void)state;
	vcpu_queue_gp(&v);
	vcpu_queue_gp(&v);
	assert_injects(EVENT_EXCEPTION, VECTOR_DF);
	/* A benign one does not make it worse. */
	vcpu_queue_ud(&v);
	assert_injects(EVENT_EXCEPTION, VECTOR_UD);
	v.inject.vector = VECTOR_DF;
	assert_true(vcpu_inject_pending(&v, &source));
	vcpu_queue_exception(&v, VECTOR_PF, true, 0);
	assert_non_null(strstr(vm.crash, "triple fault"));
	assert_int_equal(vm.crashed_vcpu, 3);
	assert_false(vcpu_inject_pending(&v, &source));
}

static void test_crash_text(void **state)
{
	char long_text[400];

	(void)state;
	vm_set_crash(&vm, NULL, "first %d", 1);
	vm_set_crash(&vm, &v, "second");
	assert_string_equal(vm.crash, "first 1");
	assert_int_equal(vm.crashed_vcpu, 0);
	memset(long_text, 'x', sizeof(long_text));
	long_text[sizeof(long_text) - 1] = '\0';
	vm.crash[0] = '\0';
	vm.crash_noted = false;
	vm_set_crash(&vm, &v, "%s", long_text);
	assert_int_equal(strlen(vm.crash), VM_CRASH_TEXT - 1);
}

static void test_exit_ring(void **state)
{
	static struct exit_ring ring;
	struct exit_record r;

	(void)state;
	assert_false(exit_ring_at(&ring, 0, &r));
	for (uint64_t i = 0; i < 3 * EXIT_RING_ENTRIES / 2; i++) {
		struct vm_exit e = {.reason = 10, .tsc = i, .rip = i * 2, .value = i * 3, .qualification = i * 4};

		exit_ring_add(&ring, &e);
		assert_int_equal(exit_ring_count(&ring), i + 1);
		assert_true(exit_ring_at(&ring, 0, &r));
		assert_int_equal(r.tsc, i);
		if (i < EXIT_RING_ENTRIES) {
			assert_true(exit_ring_at(&ring, (unsigned)i, &r));
			assert_int_equal(r.tsc, 0);
			assert_false(exit_ring_at(&ring, (unsigned)i + 1, &r));
		}
	}
	assert_true(exit_ring_at(&ring, EXIT_RING_ENTRIES - 1, &r));
	assert_int_equal(r.tsc, EXIT_RING_ENTRIES / 2);
	assert_false(exit_ring_at(&ring, EXIT_RING_ENTRIES, &r));
	assert_false(exit_ring_at(&ring, UINT32_MAX, &r));
	assert_true(exit_ring_at(&ring, 1, &r));
	assert_int_equal(r.value, (3 * EXIT_RING_ENTRIES / 2 - 2) * 3);
}

/* What the fields of an entry hold when all their bits are used, and that none spoils its neighbour. */
static void test_exit_ring_packs(void **state)
{
	static struct exit_ring ring;
	struct exit_record r;

	(void)state;
	exit_ring_put(&ring, 0x1234fedcba987654, 0xffff876543210fed, 0x25, 0x1122334489abcdef, 0x000fedcba9876543);
	exit_ring_put(&ring, UINT64_MAX, 0x00007fffffffffff, 0x7f, UINT64_MAX, UINT64_MAX);
	exit_ring_put_insn(&ring, 3, 2, 0x7f, 1);
	assert_true(exit_ring_at(&ring, 2, &r));
	assert_true(r.tsc == 0xfedcba987654 && r.rip == 0xffff876543210fed && r.value == 0x000fedcba9876543);
	assert_true(r.reason == 0x25 && r.qualification == 0x89abcdef);
	assert_true(exit_ring_at(&ring, 1, &r));
	assert_true(r.tsc == 0xffffffffffff && r.rip == 0x00007fffffffffff && r.value == 0x00ffffffffffffff);
	assert_true(r.reason == 0x7f && r.qualification == UINT32_MAX);
	assert_true(exit_ring_at(&ring, 0, &r));
	assert_true(r.tsc == 3 && r.rip == 2 && r.value == 1 && r.reason == 0x7f && r.qualification == 0);
	assert_int_equal(exit_ring_count(&ring), 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupt_behind_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupt_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cut_off_event_goes_first, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nmi, setup, teardown),
		cmocka_unit_test_setup_teardown(test_error_codes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_double_faults, setup, teardown),
		cmocka_unit_test_setup_teardown(test_fault_meets_other_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_triple_fault, setup, teardown),
		cmocka_unit_test_setup_teardown(test_crash_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_exit_ring_packs, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
