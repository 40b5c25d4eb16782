/* Arithmetic on operands of 1, 2, 4 or 8 bytes with the flags the processor would set; pure. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/decode/insn_op.h"

/* SDM 1 "EFLAGS Register" */
#define RFLAGS_CF BIT64(0)
#define RFLAGS_PF BIT64(2)
#define RFLAGS_AF BIT64(4)
#define RFLAGS_ZF BIT64(6)
#define RFLAGS_SF BIT64(7)
#define RFLAGS_DF BIT64(10)
#define RFLAGS_OF BIT64(11)
#define RFLAGS_STATUS (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)

static inline uint64_t alu_cut(uint64_t value, unsigned bytes)
{
	return bytes == 8 ? value : value & (BIT64(8 * bytes) - 1);
}

uint64_t alu_binary(enum insn_op op, unsigned bytes, uint64_t a, uint64_t b, uint64_t *rflags);
uint64_t alu_unary(enum insn_op op, unsigned bytes, uint64_t a, uint64_t *rflags);
uint64_t alu_bit(enum insn_op op, unsigned bit, uint64_t a, uint64_t *rflags);
uint64_t alu_byte_swap(uint64_t value, unsigned bytes);
bool alu_condition(unsigned cond, uint64_t rflags);
