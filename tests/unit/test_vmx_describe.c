/* Exit qualifications taken apart and put into words, against the tables of SDM 3 "Basic VM-Exit Information"; the words for
 * errors; and the registers after reset, through the fake seam. */
#include "arch/x86/regs.h"
#include "kernel/lib/string.h"
#include "tests/fake/fake_vcpu_hw.h"
#include "vmm/vmx/exit_decode.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_words.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const char *said(uint32_t reason, uint64_t qual, uint64_t value)
{
	static char text[200];
	int len = vmx_describe_exit(text, sizeof(text), reason, qual, value);

	assert_int_equal(len, strlen(text));
	return text;
}

static void io_exits(void **state)
{
	struct vm_exit e = {0};

	(void)state;
	vmx_decode_io(0x03fd0008, &e);
	assert_int_equal(e.io.port, 0x3fd);
	assert_int_equal(vm_exit_io_size(&e), 1);
	assert_true(vm_exit_io_in(&e) && !(e.io.access & EXIT_IO_STRING));
	assert_string_equal(said(EXIT_IO, 0x03fd0008, 0x3fd), "read of port 0x3fd, 1 byte");
	assert_string_equal(said(EXIT_IO, 0x00800040, 0x80), "write to port 0x80, 1 byte");
	assert_string_equal(said(EXIT_IO, 0x0cf80003, 0xcf8), "write to port 0xcf8, 4 bytes");
	assert_string_equal(said(EXIT_IO, 0x01f00039, 0x1f0), "read of port 0x1f0, 2 bytes, string, repeated");

	/* REP OUTSB with 64-bit addresses and an FS prefix; INS uses ES whatever the information says. */
	vmx_decode_io(0x03f80030, &e);
	vmx_decode_io_string(2 << 7 | 4 << 15, 0xffff888000001000, &e);
	assert_true((e.io.access & EXIT_IO_STRING) && (e.io.access & EXIT_IO_REP) && !vm_exit_io_in(&e));
	assert_int_equal(e.io.addr_size, 8);
	assert_int_equal(e.io.seg, SEG_FS);
	assert_int_equal(e.io.gva, 0xffff888000001000);
	vmx_decode_io(0x03f80018, &e);
	vmx_decode_io_string(0 << 7 | 3 << 15, 0x500, &e);
	assert_int_equal(e.io.addr_size, 2);
	assert_int_equal(e.io.seg, SEG_ES);
	vmx_decode_io_string(1 << 7, 0x500, &e);
	assert_int_equal(e.io.addr_size, 4);
}

static void control_register_exits(void **state)
{
	struct vm_exit e = {0};

	(void)state;
	vmx_decode_cr(0x300, &e);
	assert_int_equal(e.cr.cr, 0);
	assert_int_equal(e.cr.op, CR_MOV_TO);
	assert_int_equal(e.cr.gpr, 3);
	assert_string_equal(said(EXIT_CR_ACCESS, 0x300, 0), "MOV to CR0 from RBX");
	assert_string_equal(said(EXIT_CR_ACCESS, 0xf18, 8), "MOV from CR8 to R15");
	assert_string_equal(said(EXIT_CR_ACCESS, 0x20, 0), "CLTS");
	vmx_decode_cr(0x00110030, &e);
	assert_int_equal(e.cr.op, CR_LMSW);
	assert_int_equal(e.cr.msw, 0x11);
	assert_string_equal(said(EXIT_CR_ACCESS, 0x00110030, 0), "LMSW of 0x11");
	vmx_decode_dr(0x0a17, &e);
	assert_int_equal(e.dr.dr, 7);
	assert_int_equal(e.dr.gpr, 10);
	assert_true(e.dr.from);
	assert_string_equal(said(EXIT_DR_ACCESS, 0x0a17, 7), "MOV from DR7 to R10");
	assert_string_equal(said(EXIT_DR_ACCESS, 0x0006, 6), "MOV to DR6 from RAX");
}

static void ept_violations(void **state)
{
	struct vm_exit e = {0};

	(void)state;
	vmx_decode_ept_violation(0x1aa, 0x600000, &e); /* a write to a page that may be read and executed */
	assert_int_equal(e.mem.access,
			 EXIT_MEM_WRITE | EXIT_MEM_READABLE | EXIT_MEM_EXECUTABLE | EXIT_MEM_GVA | EXIT_MEM_OPERAND);
	assert_false(vm_exit_by_walk(&e));
	assert_int_equal(e.mem.gpa, 0x600000);
	assert_string_equal(said(EXIT_EPT_VIOLATION, 0x1aa, 0x600000), "write at gpa 0x600000: mapped r-x");
	assert_string_equal(said(EXIT_EPT_VIOLATION, 0x181, 0xfee00020),
			    "read at gpa 0xfee00020: nothing is mapped there");
	assert_string_equal(said(EXIT_EPT_VIOLATION, 0x184, 0x1000),
			    "instruction fetch at gpa 0x1000: nothing is mapped there");
	vmx_decode_ept_violation(0x083, 0x1000, &e); /* bit 7 without bit 8: the guest's own page tables */
	assert_true(vm_exit_by_walk(&e));
	assert_int_equal(e.mem.access, EXIT_MEM_READ | EXIT_MEM_WRITE | EXIT_MEM_GVA);
	assert_string_equal(
		said(EXIT_EPT_VIOLATION, 0x083, 0x1000),
		"read and write at gpa 0x1000 by the walk of the guest's page tables: nothing is mapped there");
	vmx_decode_ept_violation(0x001, 0x1000, &e); /* no linear address at all: not a walk either */
	assert_false(vm_exit_by_walk(&e));
	assert_int_equal(e.mem.access, EXIT_MEM_READ);
}

static void events(void **state)
{
	struct event ev;

	(void)state;
	vmx_decode_event(0x80000b0e, 6, 3, &ev); /* #PF with an error code */
	assert_true(ev.valid && ev.has_error);
	assert_int_equal(ev.vector, 14);
	assert_int_equal(ev.type, EVENT_EXCEPTION);
	assert_int_equal(ev.error, 6);
	assert_int_equal(ev.insn_len, 0);
	vmx_decode_event(0x80000480, 99, 2, &ev); /* INT 0x80 */
	assert_int_equal(ev.type, EVENT_SOFTWARE_INTERRUPT);
	assert_int_equal(ev.insn_len, 2);
	assert_false(ev.has_error);
	assert_int_equal(ev.error, 0);
	vmx_decode_event(0x80000202, 0, 0, &ev);
	assert_int_equal(ev.type, EVENT_NMI);
	vmx_decode_event(0x800000f0, 0, 0, &ev);
	assert_int_equal(ev.type, EVENT_EXTERNAL_INTERRUPT);
	assert_int_equal(ev.vector, 0xf0);
	vmx_decode_event(0x80000501, 0, 1, &ev);
	assert_int_equal(ev.type, EVENT_PRIVILEGED_SOFTWARE_EXCEPTION);
	assert_int_equal(ev.insn_len, 1);
	vmx_decode_event(0x00000b0e, 6, 0, &ev);
	assert_false(ev.valid);
}

static void other_exits(void **state)
{
	struct vm_exit e = {0};

	(void)state;
	assert_string_equal(said(EXIT_CPUID, 0, 0x80000008), "CPUID leaf 0x80000008");
	assert_string_equal(said(EXIT_RDMSR, 0, 0x3b), "read of MSR 0x3b");
	assert_string_equal(said(EXIT_WRMSR, 0, 0x6e0), "write to MSR 0x6e0");
	assert_string_equal(said(EXIT_HLT, 0, 0), "HLT");
	assert_string_equal(said(EXIT_TASK_SWITCH, 0xc0000028, 0x28), "task switch to selector 0x28 by a task gate");
	assert_string_equal(said(EXIT_TASK_SWITCH, 0x40000030, 0x30), "task switch to selector 0x30 by IRET");
	assert_string_equal(said(EXIT_EXCEPTION_NMI, 0, 1), "#DB, vector 1");
	assert_string_equal(said(EXIT_EXCEPTION_NMI, 0, 2), "NMI, vector 2");
	assert_string_equal(said(EXIT_EXCEPTION_NMI, 0, 9), "exception, vector 9");
	assert_string_equal(said(EXIT_EXTERNAL_INTERRUPT, 0, 0xf0), "host interrupt, vector 0xf0");
	assert_string_equal(said(EXIT_APIC_ACCESS, 0x1300, 0x300), "write at APIC offset 0x300");
	assert_string_equal(said(EXIT_APIC_ACCESS, 0x0020, 0x20), "read at APIC offset 0x20");
	assert_string_equal(said(EXIT_APIC_ACCESS, 0x9020, 0x20), "access at APIC offset 0x20");
	assert_string_equal(said(EXIT_APIC_WRITE, 0x0b0, 0xb0), "write to APIC offset 0xb0 done");
	assert_string_equal(said(EXIT_VIRTUALIZED_EOI, 0x31, 0x31), "EOI of vector 0x31 done");
	assert_string_equal(said(EXIT_XSETBV, 0, 7), "XSETBV of 0x7");
	assert_string_equal(said(EXIT_EPT_MISCONFIG, 0, 0x1000), "EPT misconfiguration at gpa 0x1000");
	assert_string_equal(said(12345, 0, 0), "?");
	vmx_decode_apic_access(0x2fff, &e);
	assert_true(e.apic.fetch && !e.apic.write);
	assert_int_equal(e.apic.offset, 0xfff);
}

static void short_buffers(void **state)
{
	char text[8];

	(void)state;
	assert_int_equal(vmx_describe_exit(text, sizeof(text), EXIT_RDMSR, 0, 0x3b), 16);
	assert_string_equal(text, "read of");
	assert_int_equal(vmx_describe_exit(text, 0, EXIT_RDMSR, 0, 0x3b), 16);
}

/* Whatever the numbers: a text, and nothing out of bounds. */
static void every_reason_and_qualification(void **state)
{
	static const uint64_t values[] = {0, 1, UINT64_MAX, 0x8000000000000000, 0xffffffff, 0xf0f0f0f0f0f0f0f0};

	(void)state;
	for (uint32_t reason = 0; reason < EXIT_REASON_COUNT + 10; reason++) {
		for (size_t i = 0; i < ARRAY_LEN(values); i++) {
			for (size_t j = 0; j < ARRAY_LEN(values); j++)
				assert_true(strlen(said(reason, values[i], values[j])) > 0);
		}
	}
}

static void names_of_reasons(void **state)
{
	(void)state;
	assert_string_equal(exit_reason_name(EXIT_EPT_VIOLATION), "EPT violation");
	assert_string_equal(exit_reason_name(EXIT_CPUID), "CPUID");
	assert_string_equal(exit_reason_name(EXIT_LOADIWKEY), "LOADIWKEY");
	assert_string_equal(exit_reason_name(35), "?");
	assert_string_equal(exit_reason_name(EXIT_REASON_COUNT), "?");
	assert_string_equal(exit_reason_name(UINT32_MAX), "?");
}

static void errors_in_words(void **state)
{
	char text[160];

	(void)state;
	assert_string_equal(vmx_insn_error_text(7), "VM entry with invalid control field(s)");
	assert_string_equal(vmx_insn_error_text(8), "VM entry with invalid host-state field(s)");
	assert_string_equal(vmx_insn_error_text(28), "invalid operand to INVEPT/INVVPID");
	assert_string_equal(vmx_insn_error_text(0), "unknown error");
	assert_string_equal(vmx_insn_error_text(14), "unknown error");
	assert_string_equal(vmx_insn_error_text(UINT32_MAX), "unknown error");
	vmx_describe_entry_failure(text, sizeof(text), EXIT_BAD_GUEST_STATE, 0);
	assert_string_equal(text, "VM entry failed: the guest state is not valid");
	vmx_describe_entry_failure(text, sizeof(text), EXIT_BAD_GUEST_STATE, 4);
	assert_string_equal(text, "VM entry failed: the guest state is not valid: the VMCS link pointer is not valid");
	vmx_describe_entry_failure(text, sizeof(text), EXIT_BAD_MSR_LOAD, 3);
	assert_string_equal(text, "VM entry failed: entry 3 of the MSR-load area cannot be loaded");
	vmx_describe_entry_failure(text, sizeof(text), EXIT_MACHINE_CHECK_ENTRY, 0);
	assert_string_equal(text, "VM entry failed: a machine check occurred during it");
}

static void registers_after_power_on_and_init(void **state)
{
	static struct vcpu v;
	struct segment s;

	(void)state;
	assert_int_equal(vcpu_hw_create(&v), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_RIP), 0xfff0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_RFLAGS), 2);
	assert_int_equal(vcpu_hw_get(&v, VCPU_CR0), 0x60000010);
	assert_int_equal(vcpu_hw_get(&v, VCPU_DR6), 0xffff0ff0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_DR7), 0x400);
	assert_int_equal(vcpu_hw_get(&v, VCPU_XCR0), 1);
	assert_int_equal(vcpu_hw_get(&v, VCPU_PAT), 0x0007040600070406);
	vcpu_hw_get_segment(&v, SEG_CS, &s);
	assert_int_equal(s.selector, 0xf000);
	assert_int_equal(s.base, 0xffff0000);
	assert_int_equal(s.limit, 0xffff);
	vcpu_hw_get_segment(&v, SEG_TR, &s);
	assert_int_equal(s.access, 0x8b);

	/* INIT keeps the cache bits, MSRs and XCR0, and ends long mode. */
	vcpu_hw_set(&v, VCPU_CR0, CR0_PE | CR0_PG | CR0_ET | CR0_NE);
	vcpu_hw_set(&v, VCPU_EFER, 0xd01);
	vcpu_hw_set(&v, VCPU_STAR, 0x23);
	vcpu_hw_set(&v, VCPU_XCR0, 7);
	vcpu_hw_set(&v, VCPU_PAT, 0x0606060606060606);
	vcpu_set_gpr(&v, GPR_RSP, 0x1234);
	v.gpr[GPR_RBX] = 9;
	vcpu_hw_reset(&v, true);
	assert_int_equal(vcpu_hw_get(&v, VCPU_CR0), 0x10);
	assert_int_equal(vcpu_hw_get(&v, VCPU_EFER), 0);
	assert_int_equal(vcpu_hw_get(&v, VCPU_STAR), 0x23);
	assert_int_equal(vcpu_hw_get(&v, VCPU_XCR0), 7);
	assert_int_equal(vcpu_hw_get(&v, VCPU_PAT), 0x0606060606060606);
	assert_int_equal(vcpu_gpr(&v, GPR_RSP), 0);
	assert_int_equal(v.gpr[GPR_RBX], 0);
	vcpu_hw_destroy(&v);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(io_exits),
		cmocka_unit_test(control_register_exits),
		cmocka_unit_test(ept_violations),
		cmocka_unit_test(events),
		cmocka_unit_test(other_exits),
		cmocka_unit_test(short_buffers),
		cmocka_unit_test(every_reason_and_qualification),
		cmocka_unit_test(names_of_reasons),
		cmocka_unit_test(errors_in_words),
		cmocka_unit_test(registers_after_power_on_and_init),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
