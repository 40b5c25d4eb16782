/* Inside the emulator only: operands as values. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/decode/emulate.h"

uint64_t emulate_get_gpr(const struct emulate *e, unsigned reg, unsigned bytes);
void emulate_set_gpr(const struct emulate *e, unsigned reg, unsigned bytes, uint64_t value);

/* offset_by: bytes beyond what the instruction says, within the address size (bit strings). */
uint64_t emulate_operand_linear(const struct emulate *e, const struct insn_operand *o, int64_t offset_by);
MUST_CHECK int emulate_get(const struct emulate *e, const struct insn_operand *o, uint64_t *value);
MUST_CHECK int emulate_set(const struct emulate *e, const struct insn_operand *o, uint64_t value);

MUST_CHECK int emulate_string(const struct emulate *e);
