/* A VM exit, decoded once: what the handlers read instead of VMCS fields. The reasons are the basic exit reasons of
 * SDM 3 "VMX Basic Exit Reasons" (appendix C); a backend for another vendor translates its own into these. */
#pragma once

#include "kernel/lib/compiler.h"

enum exit_reason {
	EXIT_EXCEPTION_NMI = 0,
	EXIT_EXTERNAL_INTERRUPT = 1,
	EXIT_TRIPLE_FAULT = 2,
	EXIT_INIT = 3,
	EXIT_SIPI = 4,
	EXIT_IO_SMI = 5,
	EXIT_OTHER_SMI = 6,
	EXIT_INTERRUPT_WINDOW = 7,
	EXIT_NMI_WINDOW = 8,
	EXIT_TASK_SWITCH = 9,
	EXIT_CPUID = 10,
	EXIT_GETSEC = 11,
	EXIT_HLT = 12,
	EXIT_INVD = 13,
	EXIT_INVLPG = 14,
	EXIT_RDPMC = 15,
	EXIT_RDTSC = 16,
	EXIT_RSM = 17,
	EXIT_VMCALL = 18,
	EXIT_VMCLEAR = 19,
	EXIT_VMLAUNCH = 20,
	EXIT_VMPTRLD = 21,
	EXIT_VMPTRST = 22,
	EXIT_VMREAD = 23,
	EXIT_VMRESUME = 24,
	EXIT_VMWRITE = 25,
	EXIT_VMXOFF = 26,
	EXIT_VMXON = 27,
	EXIT_CR_ACCESS = 28,
	EXIT_DR_ACCESS = 29,
	EXIT_IO = 30,
	EXIT_RDMSR = 31,
	EXIT_WRMSR = 32,
	EXIT_BAD_GUEST_STATE = 33, /* VM entry failed: guest state */
	EXIT_BAD_MSR_LOAD = 34,    /* VM entry failed: MSR loading */
	EXIT_MWAIT = 36,
	EXIT_MTF = 37,
	EXIT_MONITOR = 39,
	EXIT_PAUSE = 40,
	EXIT_MACHINE_CHECK_ENTRY = 41,
	EXIT_TPR_BELOW_THRESHOLD = 43,
	EXIT_APIC_ACCESS = 44,
	EXIT_VIRTUALIZED_EOI = 45,
	EXIT_GDTR_IDTR = 46,
	EXIT_LDTR_TR = 47,
	EXIT_EPT_VIOLATION = 48,
	EXIT_EPT_MISCONFIG = 49,
	EXIT_INVEPT = 50,
	EXIT_RDTSCP = 51,
	EXIT_PREEMPTION_TIMER = 52,
	EXIT_INVVPID = 53,
	EXIT_WBINVD = 54,
	EXIT_XSETBV = 55,
	EXIT_APIC_WRITE = 56,
	EXIT_RDRAND = 57,
	EXIT_INVPCID = 58,
	EXIT_VMFUNC = 59,
	EXIT_ENCLS = 60,
	EXIT_RDSEED = 61,
	EXIT_PML_FULL = 62,
	EXIT_XSAVES = 63,
	EXIT_XRSTORS = 64,
	EXIT_PCONFIG = 65,
	EXIT_SPP = 66,
	EXIT_UMWAIT = 67,
	EXIT_TPAUSE = 68,
	EXIT_LOADIWKEY = 69,
	EXIT_REASON_COUNT = 70
};

/* What an event is; the values are those of the interruption-information type field (SDM 3 "VM-Entry Controls for Event
 * Injection"), which is the most complete list there is. */
enum event_type {
	EVENT_EXTERNAL_INTERRUPT = 0,
	EVENT_NMI = 2,
	EVENT_EXCEPTION = 3,
	EVENT_SOFTWARE_INTERRUPT = 4,
	EVENT_PRIVILEGED_SOFTWARE_EXCEPTION = 5, /* INT1 */
	EVENT_SOFTWARE_EXCEPTION = 6             /* INT3, INTO */
};

struct event {
	bool valid;
	uint8_t vector;
	uint8_t type; /* enum event_type */
	bool has_error;
	uint32_t error;
	uint32_t insn_len; /* for the software kinds: length of the instruction that made it */
};

/* What an access to memory was. The values are those of the exit qualification (SDM 3 "Exit Qualification for EPT
 * Violations"), so that nothing has to be translated at each exit. */
enum exit_mem_access {
	EXIT_MEM_READ = 1 << 0, /* with a write: one that reads and writes */
	EXIT_MEM_WRITE = 1 << 1,
	EXIT_MEM_FETCH = 1 << 2,
	EXIT_MEM_READABLE = 1 << 3, /* what the second-level entry allowed */
	EXIT_MEM_WRITABLE = 1 << 4,
	EXIT_MEM_EXECUTABLE = 1 << 5,
	EXIT_MEM_GVA = 1 << 7,     /* there is a linear address, ... */
	EXIT_MEM_OPERAND = 1 << 8, /* ... and what was accessed is where it leads, not a table on the way */
	EXIT_MEM_ALL = 0x1bf
};

/* What an access to a port was: again the values of the exit qualification (SDM 3 "Exit Qualification for I/O
 * Instructions"). */
enum exit_io_access {
	EXIT_IO_SIZE = 7, /* bytes less 1 */
	EXIT_IO_IN = 1 << 3,
	EXIT_IO_STRING = 1 << 4,
	EXIT_IO_REP = 1 << 5, /* string: with a count */
	EXIT_IO_KIND = EXIT_IO_SIZE | EXIT_IO_IN | EXIT_IO_STRING
};

enum cr_operation { CR_MOV_TO, CR_MOV_FROM, CR_CLTS, CR_LMSW };

enum vcpu_seg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_GDTR, SEG_IDTR };

struct vm_exit {
	uint32_t reason; /* enum exit_reason; a number >= EXIT_REASON_COUNT is an unknown one */
	uint64_t
		qualification; /* as the processor gave it: for the recorder and for messages, handlers do not pick it apart */
	uint64_t rip;
	uint64_t value;         /* the one value that matters: port, MSR, CPUID leaf, guest-physical address */
	uint64_t tsc;           /* host TSC right after the exit */
	struct event vectoring; /* the event whose delivery this exit cut off; must be delivered again */
	union {
		struct event event; /* EXCEPTION_NMI, EXTERNAL_INTERRUPT */
		struct {
			uint16_t access; /* enum exit_io_access, a set */
			uint16_t port;
			uint8_t addr_size; /* string: 2, 4, 8 bytes */
			uint8_t seg;       /* string: enum vcpu_seg of the memory operand */
			uint64_t gva;      /* string: linear address of the first element */
		} io;
		struct {
			uint64_t gpa;
			uint64_t gva;
			uint16_t access; /* enum exit_mem_access, a set */
		} mem;                   /* EPT_VIOLATION, EPT_MISCONFIG */
		struct {
			uint16_t offset; /* into the APIC page */
			bool write, fetch;
		} apic; /* APIC_ACCESS, APIC_WRITE */
		struct {
			uint8_t cr;   /* 0, 3, 4, 8 */
			uint8_t op;   /* enum cr_operation */
			uint8_t gpr;  /* hardware number of the register */
			uint16_t msw; /* LMSW source */
		} cr;
		struct {
			uint8_t dr;
			bool from; /* MOV reg, DR */
			uint8_t gpr;
		} dr;
		uint8_t vector; /* VIRTUALIZED_EOI */
	};
};

/* Bytes of an access to a port: 1, 2, 4. */
static inline unsigned vm_exit_io_size(const struct vm_exit *e)
{
	return (e->io.access & EXIT_IO_SIZE) + 1u;
}

static inline bool vm_exit_io_in(const struct vm_exit *e)
{
	return (e->io.access & EXIT_IO_IN) != 0;
}

/* The processor's own walk of the guest's page tables made the access. */
static inline bool vm_exit_by_walk(const struct vm_exit *e)
{
	return (e->mem.access & (EXIT_MEM_GVA | EXIT_MEM_OPERAND)) == EXIT_MEM_GVA;
}

/* "EPT violation", "CPUID", ...; "?" for a number the manual has no name for. */
const char *exit_reason_name(uint32_t reason);
