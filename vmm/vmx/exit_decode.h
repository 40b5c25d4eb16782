/* Exit qualifications and interruption information, taken apart into the fields of struct vm_exit. Pure; exit_read.c feeds
 * it from the VMCS. Follows SDM 3 "Basic VM-Exit Information", "Information for VM Exits Due to Vectored Events". */
#pragma once

#include "kernel/lib/assert.h"
#include "vmm/core/vm_exit.h"
#include "vmm/vmx/vmx_bits.h"

/* info, error: interruption information and error code; insn_len: for the software kinds. */
void vmx_decode_event(uint32_t info, uint32_t error, uint32_t insn_len, struct event *out);
/* What only a string form has, after vmx_decode_io(). insn_info: VM-exit instruction information. INS always uses ES. */
void vmx_decode_io_string(uint64_t qual, uint32_t insn_info, uint64_t gva, struct vm_exit *e);
void vmx_decode_cr(uint64_t qual, struct vm_exit *e);
void vmx_decode_dr(uint64_t qual, struct vm_exit *e);
void vmx_decode_apic_access(uint64_t qual, struct vm_exit *e);

static inline void vmx_decode_io(uint64_t qual, struct vm_exit *e)
{
	e->io.port = (uint16_t)(qual >> QUAL_IO_PORT_SHIFT);
	e->io.size = (uint8_t)((qual & 7) + 1);
	e->io.in = (qual & QUAL_IO_IN) != 0;
	e->io.string = (qual & QUAL_IO_STRING) != 0;
	e->value = (uint16_t)(qual >> QUAL_IO_PORT_SHIFT);
}

static_assert(EXIT_MEM_READ == QUAL_EPT_READ && EXIT_MEM_WRITE == QUAL_EPT_WRITE && EXIT_MEM_FETCH == QUAL_EPT_FETCH &&
		      EXIT_MEM_READABLE == QUAL_EPT_READABLE && EXIT_MEM_WRITABLE == QUAL_EPT_WRITABLE &&
		      EXIT_MEM_EXECUTABLE == QUAL_EPT_EXECUTABLE && EXIT_MEM_GVA == QUAL_EPT_GVA_VALID &&
		      EXIT_MEM_OPERAND == QUAL_EPT_FINAL,
	      "enum exit_mem_access uses the processor's bits");

/* gva is the caller's to fill, when there is one. */
static inline void vmx_decode_ept_violation(uint64_t qual, uint64_t gpa, struct vm_exit *e)
{
	e->mem.gpa = gpa;
	e->mem.gva = 0;
	e->mem.access = (uint16_t)(qual & EXIT_MEM_ALL);
	e->value = gpa;
}
