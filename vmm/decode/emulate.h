/* Executes one decoded instruction that has a memory operand, against callbacks: for accesses to emulated devices, and for
 * whatever else such an instruction touches. Moves, arithmetic, bit tests, exchanges, strings; not shifts, multiplication,
 * SIMD. Follows SDM 2 "Instruction Set Reference". */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/decode/decode.h"

struct emulate_ops {
	/* bytes: 1, 2, 4, 8; little-endian, upper bytes of *value 0; the access may cross a page. Other than 0 ends the
	 * instruction and is what insn_emulate() returns. Called in the order the processor would make the accesses. */
	int (*read)(void *ctx, uint64_t linear, unsigned bytes, uint64_t *value);
	int (*write)(void *ctx, uint64_t linear, unsigned bytes, uint64_t value);
	/* Asked only when it matters: in 64-bit mode for FS and GS alone. */
	uint64_t (*segment_base)(void *ctx, enum insn_seg seg);
	/* Asked only by instructions that use or change flags; the moves do not. */
	uint64_t (*get_rflags)(void *ctx);
	void (*set_rflags)(void *ctx, uint64_t rflags);
};

struct emulate {
	const struct insn *insn;
	uint64_t *gpr;        /* all 16 by hardware number; RSP too when insn_uses_rsp() */
	uint64_t rip;         /* of the instruction */
	unsigned stack_bytes; /* width of the stack pointer for PUSH and POP: 8 in 64-bit mode, else 4 or 2 by SS.B */
	const struct emulate_ops *ops;
	void *ctx;
};

/* A repeated string instruction has done one iteration, and there is another: registers are up to date, the instruction
 * pointer stays. An interrupt may be taken here. */
#define EMULATE_AGAIN 1

MUST_CHECK int insn_emulate(const struct emulate *e);

bool insn_uses_rsp(const struct insn *insn);
