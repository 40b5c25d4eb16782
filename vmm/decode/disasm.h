/* A small disassembler, Intel syntax, for the post-mortem and the monitor. Integer code is shown in full, SIMD moves by name,
 * the rest of SIMD and x87 by memory operand; what cannot be decoded as "db 0x..". */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/decode/decode.h"

#define DISASM_TEXT 96u /* room for any instruction */

size_t insn_disassemble(const uint8_t *bytes, size_t count, enum insn_mode mode, uint64_t rip, char out[DISASM_TEXT]);
void insn_format(const struct insn *insn, uint64_t rip, char out[DISASM_TEXT]);
