/* One VM exit in words, from what the recorder keeps of it. Pure. Follows SDM 3 "Basic VM-Exit Information". */
#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/format.h"
#include "vmm/vmx/exit_decode.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_words.h"

static const char gprs[16][4] = {"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
				 "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15"};

static const char *exception_name(uint64_t vector)
{
	static const char names[][4] = {"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "",    "#TS",
					"#NP", "#SS", "#GP", "#PF", "",    "#MF", "#AC", "#MC", "#XM", "#VE", "#CP"};

	return vector < ARRAY_LEN(names) && names[vector][0] ? names[vector] : "exception";
}

static size_t describe_io(char *out, size_t size, uint64_t qual)
{
	struct vm_exit e;

	vmx_decode_io(qual, &e);
	return fmt_snprintf(out, size, "%s port 0x%x, %u byte%s%s%s", vm_exit_io_in(&e) ? "read of" : "write to",
			    e.io.port, vm_exit_io_size(&e), vm_exit_io_size(&e) == 1 ? "" : "s",
			    e.io.access & EXIT_IO_STRING ? ", string" : "", (qual & QUAL_IO_REP) ? ", repeated" : "");
}

static size_t describe_cr(char *out, size_t size, uint64_t qual)
{
	struct vm_exit e;

	vmx_decode_cr(qual, &e);
	switch (e.cr.op) {
	case CR_MOV_TO:
		return fmt_snprintf(out, size, "MOV to CR%u from %s", e.cr.cr, gprs[e.cr.gpr]);
	case CR_MOV_FROM:
		return fmt_snprintf(out, size, "MOV from CR%u to %s", e.cr.cr, gprs[e.cr.gpr]);
	case CR_CLTS:
		return fmt_snprintf(out, size, "CLTS");
	default:
		return fmt_snprintf(out, size, "LMSW of 0x%x", e.cr.msw);
	}
}

static size_t describe_dr(char *out, size_t size, uint64_t qual)
{
	struct vm_exit e;

	vmx_decode_dr(qual, &e);
	return fmt_snprintf(out, size, e.dr.from ? "MOV from DR%u to %s" : "MOV to DR%u from %s", e.dr.dr,
			    gprs[e.dr.gpr]);
}

static size_t describe_ept(char *out, size_t size, uint64_t qual, uint64_t gpa)
{
	const bool read = (qual & QUAL_EPT_READ) != 0, write = (qual & QUAL_EPT_WRITE) != 0;
	struct vm_exit e;
	size_t len = 0;

	vmx_decode_ept_violation(qual, gpa, &e);
	fmt_append(out, size, &len, "%s%s%s at gpa 0x%llx", read ? "read" : "",
		   write ? (read ? " and write" : "write") : "", (qual & QUAL_EPT_FETCH) ? "instruction fetch" : "",
		   (unsigned long long)gpa);
	if (vm_exit_by_walk(&e))
		fmt_append(out, size, &len, " by the walk of the guest's page tables");
	if (!(qual & (QUAL_EPT_READABLE | QUAL_EPT_WRITABLE | QUAL_EPT_EXECUTABLE)))
		fmt_append(out, size, &len, ": nothing is mapped there");
	else
		fmt_append(out, size, &len, ": mapped %c%c%c", (qual & QUAL_EPT_READABLE) ? 'r' : '-',
			   (qual & QUAL_EPT_WRITABLE) ? 'w' : '-', (qual & QUAL_EPT_EXECUTABLE) ? 'x' : '-');
	return len;
}

static size_t describe_task_switch(char *out, size_t size, uint64_t qual)
{
	static const char *const by[] = {"CALL", "IRET", "JMP", "a task gate"};

	return fmt_snprintf(out, size, "task switch to selector 0x%x by %s", (unsigned)(qual & 0xffff),
			    by[qual >> QUAL_TASK_SOURCE_SHIFT & 3]);
}

static size_t describe_apic(char *out, size_t size, uint64_t qual)
{
	static const char *const kinds[16] = {"read",
					      "write",
					      "instruction fetch",
					      "access during event delivery",
					      [10] = "access during event delivery",
					      [15] = "access by guest-physical address"};
	const char *kind = kinds[bits_extract(qual, 15, 12)];

	return fmt_snprintf(out, size, "%s at APIC offset 0x%x", kind ? kind : "access", (unsigned)(qual & 0xfff));
}

static size_t describe(char *out, size_t size, uint32_t reason, uint64_t qual, uint64_t value)
{
	unsigned long long v = value;

	switch (reason) {
	case EXIT_EXCEPTION_NMI:
		return fmt_snprintf(out, size, "%s, vector %llu", exception_name(value), v);
	case EXIT_EXTERNAL_INTERRUPT:
		return fmt_snprintf(out, size, "host interrupt, vector 0x%llx", v);
	case EXIT_TASK_SWITCH:
		return describe_task_switch(out, size, qual);
	case EXIT_CPUID:
		return fmt_snprintf(out, size, "CPUID leaf 0x%llx", v);
	case EXIT_RDPMC:
		return fmt_snprintf(out, size, "RDPMC of counter 0x%llx", v);
	case EXIT_VMCALL:
		return fmt_snprintf(out, size, "VMCALL, function 0x%llx", v);
	case EXIT_CR_ACCESS:
		return describe_cr(out, size, qual);
	case EXIT_DR_ACCESS:
		return describe_dr(out, size, qual);
	case EXIT_IO:
		return describe_io(out, size, qual);
	case EXIT_RDMSR:
		return fmt_snprintf(out, size, "read of MSR 0x%llx", v);
	case EXIT_WRMSR:
		return fmt_snprintf(out, size, "write to MSR 0x%llx", v);
	case EXIT_XSETBV:
		return fmt_snprintf(out, size, "XSETBV of 0x%llx", v);
	case EXIT_EPT_VIOLATION:
		return describe_ept(out, size, qual, value);
	case EXIT_EPT_MISCONFIG:
		return fmt_snprintf(out, size, "EPT misconfiguration at gpa 0x%llx", v);
	case EXIT_APIC_ACCESS:
		return describe_apic(out, size, qual);
	case EXIT_APIC_WRITE:
		return fmt_snprintf(out, size, "write to APIC offset 0x%x done", (unsigned)(qual & 0xfff));
	case EXIT_VIRTUALIZED_EOI:
		return fmt_snprintf(out, size, "EOI of vector 0x%llx done", v);
	default:
		return fmt_snprintf(out, size, "%s", exit_reason_name(reason));
	}
}

int vmx_describe_exit(char *out, size_t size, uint32_t reason, uint64_t qualification, uint64_t value)
{
	return (int)describe(out, size, reason, qualification, value);
}
