/* Exit qualifications and interruption information, taken apart into the fields of struct vm_exit. Pure; exit_read.c feeds
 * it from the VMCS. Follows SDM 3 "Basic VM-Exit Information", "Information for VM Exits Due to Vectored Events". */
#pragma once

#include "vmm/core/vm_exit.h"

/* info, error: interruption information and error code; insn_len: for the software kinds. */
void vmx_decode_event(uint32_t info, uint32_t error, uint32_t insn_len, struct event *out);
void vmx_decode_io(uint64_t qual, struct vm_exit *e);
/* insn_info: VM-exit instruction information of INS or OUTS. INS always uses ES. */
void vmx_decode_io_string(uint32_t insn_info, uint64_t gva, struct vm_exit *e);
void vmx_decode_cr(uint64_t qual, struct vm_exit *e);
void vmx_decode_dr(uint64_t qual, struct vm_exit *e);
void vmx_decode_ept_violation(uint64_t qual, uint64_t gpa, struct vm_exit *e);
void vmx_decode_apic_access(uint64_t qual, struct vm_exit *e);
