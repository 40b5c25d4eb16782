/* VT-x in words, for messages and post-mortems: what an exit was, why an entry was refused. Pure. */
#pragma once

#include "kernel/lib/compiler.h"

/* One exit as the recorder keeps it: "read of port 0x3fd, 1 byte". Returns the length of the whole text, as snprintf(). */
int vmx_describe_exit(char *out, size_t size, uint32_t reason, uint64_t qualification, uint64_t value);

/* SDM 3 "VM-Instruction Error Numbers"; "unknown error" for a number the manual does not have. */
const char *vmx_insn_error_text(uint32_t error);

/* Why an entry failed after the checks on controls and host state: basic reason 33, 34 or 41 and its qualification. */
int vmx_describe_entry_failure(char *out, size_t size, uint32_t reason, uint64_t qualification);
