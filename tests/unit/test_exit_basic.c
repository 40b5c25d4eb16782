/* Exit handlers that need no device of their own: ports, instructions the guest does not have, the table's edges. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/regs.h"
#include "kernel/lib/string.h"
#include "tests/fake/fake_vcpu_hw.h"
#include "vmm/core/inject.h"
#include "vmm/core/vm.h"
#include "vmm/exit/dispatch.h"

static struct vm vm;
static struct vcpu vcpu;
static enum irq_waits waiting;

static enum irq_waits peek(void *ctx)
{
	(void)ctx;
	return waiting;
}

static const struct irq_source irqs = {.peek = peek};
static uint64_t reg_value, last_offset;
static unsigned last_size;

static uint64_t dev_read(void *ctx, uint64_t offset, unsigned size)
{
	(void)ctx;
	last_offset = offset;
	last_size = size;
	return reg_value;
}

static void dev_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)ctx;
	last_offset = offset;
	last_size = size;
	reg_value = value;
}

static const struct bus_ops dev = {.read = dev_read, .write = dev_write};

static void power_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)offset;
	(void)size;
	(void)value;
	((struct vm *)ctx)->request = VM_REQUEST_POWEROFF;
}

static const struct bus_ops power = {.read = dev_read, .write = power_write};

static int setup(void **state)
{
	(void)state;
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	vcpu.irqs = &irqs;
	waiting = IRQ_NONE;
	vcpu.vm = &vm;
	vm.vcpus[0] = &vcpu;
	vm.vcpu_count = 1;
	bus_init(&vm.ports);
	bus_init(&vm.mmio);
	assert_int_equal(vcpu_hw_create(&vcpu), 0);
	assert_int_equal(bus_register(&vm.ports, 0x100, 16, &dev, NULL, "dev"), 0);
	assert_int_equal(bus_register(&vm.ports, 0x604, 2, &power, &vm, "power"), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vcpu_hw_destroy(&vcpu);
	return 0;
}

static enum verdict io(uint16_t port, uint8_t size, bool in)
{
	struct vm_exit e = {.reason = EXIT_IO};

	e.io.port = port;
	e.io.access = (uint16_t)((size - 1) | (in ? EXIT_IO_IN : 0));
	return exit_dispatch(&vcpu, &e);
}

static void test_in_replaces_what_the_size_says(void **state)
{
	(void)state;
	reg_value = 0xaabbccdd11223344;
	vcpu.gpr[GPR_RAX] = 0xffffffffffffffff;
	assert_int_equal(io(0x104, 1, true), VERDICT_SKIP);
	assert_int_equal(last_offset, 4);
	assert_true(vcpu.gpr[GPR_RAX] == 0xffffffffffffff44);
	io(0x104, 2, true);
	assert_true(vcpu.gpr[GPR_RAX] == 0xffffffffffff3344);
	io(0x104, 4, true);
	assert_true(vcpu.gpr[GPR_RAX] == 0x11223344); /* a 32-bit result clears the upper half */
}

/* Known or not who was there before, an access that is not wholly one device's is split. */
static void test_an_access_over_the_end_is_split(void **state)
{
	(void)state;
	reg_value = 0x11223344;
	for (unsigned known = 0; known < 2; known++) {
		assert_int_equal(io(0x10e, 4, true), VERDICT_SKIP);
		assert_true(vcpu.gpr[GPR_RAX] == 0xffff4444);
		assert_int_equal(last_size, 1);
		assert_int_equal(io(0x0fe, 4, true), VERDICT_SKIP);
		assert_true(vcpu.gpr[GPR_RAX] == 0x4444ffff);
		assert_int_equal(io(0x10c, 4, true), VERDICT_SKIP);
		assert_true(vcpu.gpr[GPR_RAX] == 0x11223344);
	}
}

/* Bytes where another range was accessed before: 0x3100 has the same slot of the bus's guesses as 0x100. */
static void test_bytes_of_another_range(void **state)
{
	(void)state;
	for (unsigned turn = 0; turn < 2; turn++) {
		reg_value = 0x55;
		io(0x3100, 1, true);
		assert_int_equal(vcpu.gpr[GPR_RAX], 0xff);
		io(0x100, 1, true);
		assert_int_equal(vcpu.gpr[GPR_RAX], 0x55);
		vcpu.gpr[GPR_RAX] = 0x66;
		io(0x3100, 1, false);
		assert_int_equal(reg_value, 0x55);
		io(0x100, 1, false);
		assert_int_equal(reg_value, 0x66);
	}
}

static void test_out_sends_the_low_bytes(void **state)
{
	(void)state;
	vcpu.gpr[GPR_RAX] = 0x8877665544332211;
	io(0x100, 1, false);
	assert_int_equal(reg_value, 0x11);
	io(0x100, 2, false);
	assert_int_equal(reg_value, 0x2211);
	io(0x100, 4, false);
	assert_true(reg_value == 0x44332211);
	assert_int_equal(last_size, 4);
	assert_true(vcpu.gpr[GPR_RAX] == 0x8877665544332211);
}

static void test_nobodys_port_reads_ones(void **state)
{
	(void)state;
	vcpu.gpr[GPR_RAX] = 0;
	assert_int_equal(io(0x3000, 4, true), VERDICT_SKIP);
	assert_true(vcpu.gpr[GPR_RAX] == 0xffffffff);
	assert_int_equal(io(0xffff, 4, true), VERDICT_SKIP); /* the last ports, wrapping */
	assert_int_equal(io(0x3000, 1, false), VERDICT_SKIP);
	assert_true(vm.ports.nobodys.reads > 0 && vm.ports.nobodys.writes > 0);
}

static void test_a_port_can_end_the_run(void **state)
{
	(void)state;
	assert_int_equal(io(0x604, 2, false), VERDICT_STOP);
	assert_int_equal(vm.request, VM_REQUEST_POWEROFF);
}

static void test_vmx_instructions_are_invalid_opcodes(void **state)
{
	static const uint32_t reasons[] = {EXIT_VMXON,   EXIT_VMXOFF,  EXIT_VMLAUNCH, EXIT_VMRESUME, EXIT_VMCLEAR,
					   EXIT_VMPTRLD, EXIT_VMPTRST, EXIT_VMREAD,   EXIT_VMWRITE,  EXIT_INVEPT,
					   EXIT_INVVPID, EXIT_GETSEC,  EXIT_MONITOR,  EXIT_MWAIT,    EXIT_VMFUNC,
					   EXIT_ENCLS,   EXIT_PCONFIG};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++) {
		struct vm_exit e = {.reason = reasons[i]};

		vcpu.inject.valid = false;
		assert_int_equal(exit_dispatch(&vcpu, &e), VERDICT_RESUME);
		assert_true(vcpu.inject.valid);
		assert_int_equal(vcpu.inject.vector, 6);
		assert_false(vcpu.inject.has_error);
		assert_int_equal(vcpu.exit_counts[reasons[i]], 1);
	}
}

static void test_what_has_no_row_stops_the_vm(void **state)
{
	static const uint32_t reasons[] = {EXIT_SIPI,         EXIT_RSM, EXIT_MTF,  EXIT_PML_FULL,
					   EXIT_REASON_COUNT, 0x12345,  UINT32_MAX};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(reasons); i++) {
		struct vm_exit e = {.reason = reasons[i]};

		vm.crash[0] = '\0';
		vm.crash_noted = false;
		assert_int_equal(exit_dispatch(&vcpu, &e), VERDICT_CRASH);
		assert_non_null(strstr(vm.crash, "no handler"));
	}
	for (uint32_t reason = 0; reason < EXIT_REASON_COUNT; reason++)
		assert_non_null(exit_handlers[reason]);
}

static void test_simple_verdicts(void **state)
{
	static const struct {
		uint32_t reason;
		enum verdict verdict;
	} rows[] = {
		{EXIT_HLT, VERDICT_WAIT},           {EXIT_WBINVD, VERDICT_SKIP},
		{EXIT_INVD, VERDICT_SKIP},          {EXIT_PAUSE, VERDICT_YIELD},
		{EXIT_VMCALL, VERDICT_SKIP},        {EXIT_PREEMPTION_TIMER, VERDICT_RESUME},
		{EXIT_TRIPLE_FAULT, VERDICT_CRASH}, {EXIT_TASK_SWITCH, VERDICT_CRASH},
		{EXIT_INIT, VERDICT_RESUME},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct vm_exit e = {.reason = rows[i].reason};

		assert_int_equal(exit_dispatch(&vcpu, &e), rows[i].verdict);
	}
}

/* With something that waits already HLT is like any other instruction. */
static void test_halt(void **state)
{
	static const struct {
		enum irq_waits waits;
		bool nmi, irqs_on;
		enum verdict verdict;
		uint32_t requests;
	} rows[] = {
		{IRQ_NONE, false, true, VERDICT_WAIT, 0},
		{IRQ_TO_INJECT, false, true, VERDICT_SKIP, VCPU_REQ_EVENT},
		{IRQ_TOLD, false, true, VERDICT_SKIP, 0}, /* the processor delivers it */
		{IRQ_TO_INJECT, false, false, VERDICT_WAIT, 0},
		{IRQ_TOLD, false, false, VERDICT_WAIT, 0},
		{IRQ_NONE, true, false, VERDICT_SKIP, VCPU_REQ_EVENT},
	};

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
		struct vm_exit e = {.reason = EXIT_HLT};

		waiting = rows[i].waits;
		vcpu.nmi_pending = rows[i].nmi;
		vcpu.requests = 0;
		vcpu_hw_set(&vcpu, VCPU_RFLAGS, rows[i].irqs_on ? 0x202 : 2);
		assert_int_equal(exit_dispatch(&vcpu, &e), rows[i].verdict);
		assert_int_equal(vcpu.requests, rows[i].requests);
	}
}

static void test_host_events_reach_the_host(void **state)
{
	struct vm_exit irq = {.reason = EXIT_EXTERNAL_INTERRUPT}, nmi = {.reason = EXIT_EXCEPTION_NMI};
	struct vm_exit gp = {.reason = EXIT_EXCEPTION_NMI};

	(void)state;
	fake_machine.host_events = 0;
	assert_int_equal(exit_dispatch(&vcpu, &irq), VERDICT_YIELD);
	nmi.event = (struct event){.valid = true, .vector = 2, .type = EVENT_NMI};
	assert_int_equal(exit_dispatch(&vcpu, &nmi), VERDICT_YIELD);
	assert_int_equal(fake_machine.host_events, 2);
	vcpu_hw_set(&vcpu, VCPU_CR0, CR0_PE); /* real mode has no error codes */
	gp.event =
		(struct event){.valid = true, .vector = 13, .type = EVENT_EXCEPTION, .has_error = true, .error = 0x10};
	assert_int_equal(exit_dispatch(&vcpu, &gp), VERDICT_RESUME);
	assert_int_equal(vcpu.inject.vector, 13);
	assert_int_equal(vcpu.inject.error, 0x10);
}

/* INT1 is given back as what it was, with the very next entry: later it would be injected at another RIP. */
static void test_int1_goes_back_at_once(void **state)
{
	struct vm_exit int1 = {
		.reason = EXIT_EXCEPTION_NMI,
		.event = {.valid = true, .vector = 1, .type = EVENT_PRIVILEGED_SOFTWARE_EXCEPTION, .insn_len = 1},
	};

	(void)state;
	vcpu.requests = 0;
	assert_int_equal(exit_dispatch(&vcpu, &int1), VERDICT_RESUME);
	assert_true(vcpu.inject.valid && vcpu.inject.insn_len == 1);
	assert_int_equal(vcpu.requests, VCPU_REQ_EVENT);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_in_replaces_what_the_size_says),
		T(test_an_access_over_the_end_is_split),
		T(test_bytes_of_another_range),
		T(test_out_sends_the_low_bytes),
		T(test_nobodys_port_reads_ones),
		T(test_a_port_can_end_the_run),
		T(test_vmx_instructions_are_invalid_opcodes),
		T(test_what_has_no_row_stops_the_vm),
		T(test_simple_verdicts),
		T(test_halt),
		T(test_host_events_reach_the_host),
		T(test_int1_goes_back_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
