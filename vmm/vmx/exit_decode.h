/* Exit qualifications and interruption information, taken apart into the fields of struct vm_exit. Pure; exit_read.c feeds
 * it from the VMCS. Follows SDM 3 "Basic VM-Exit Information", "Information for VM Exits Due to Vectored Events". */
#pragma once

#include "kernel/lib/assert.h"
#include "vmm/core/vm_exit.h"
#include "vmm/vmx/vmx_bits.h"

/* info, error: interruption information and error code; insn_len: for the software kinds. */
void vmx_decode_event(uint32_t info, uint32_t error, uint32_t insn_len, struct event *out);
/* What only a string form has, after vmx_decode_io(). insn_info: VM-exit instruction information. INS always uses ES. */
void vmx_decode_io_string(uint32_t insn_info, uint64_t gva, struct vm_exit *e);
void vmx_decode_cr(uint64_t qual, struct vm_exit *e);
void vmx_decode_dr(uint64_t qual, struct vm_exit *e);
void vmx_decode_apic_access(uint64_t qual, struct vm_exit *e);

static_assert(EXIT_IO_IN == QUAL_IO_IN && EXIT_IO_STRING == QUAL_IO_STRING && EXIT_IO_REP == QUAL_IO_REP,
	      "enum exit_io_access uses the processor's bits");

static inline void vmx_decode_io(uint64_t qual, struct vm_exit *e)
{
	e->io.port = (uint16_t)(qual >> QUAL_IO_PORT_SHIFT);
	e->io.access = (uint16_t)qual;
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
}
