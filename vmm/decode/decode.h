/* The x86 instruction decoder: bytes in, struct insn out; a pure function that never reads past what it is given. It is for
 * instructions that touched emulated memory (see emulate.h) and for the post-mortem (see disasm.h). The length is right for
 * every documented instruction; operands are resolved for integer code. SIMD and x87 are recognised, with their memory
 * operand, but not told apart. Follows SDM 2 "Instruction Format" and "Opcode Map" (appendix A). */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/decode/insn_op.h"

#define INSN_MAX_LENGTH 15u
#define INSN_OPERANDS 3u
#define INSN_GPR_COUNT 16u

/* What CS (or long mode) makes the default: the values are the default address size in bytes. */
enum insn_mode { INSN_MODE_16 = 2, INSN_MODE_32 = 4, INSN_MODE_64 = 8 };

/* Segment registers by hardware number. */
enum insn_seg { INSN_ES, INSN_CS, INSN_SS, INSN_DS, INSN_FS, INSN_GS, INSN_SEG_COUNT, INSN_SEG_NONE = INSN_SEG_COUNT };

/* Which table the opcode byte belongs to. Beyond INSN_MAP_0F3A only VEX and EVEX go. */
enum insn_map { INSN_MAP_ONE = 0, INSN_MAP_0F = 1, INSN_MAP_0F38 = 2, INSN_MAP_0F3A = 3 };

enum insn_operand_kind {
	INSN_OPD_NONE,
	INSN_OPD_REG,      /* general register `reg`, its low `size` bytes */
	INSN_OPD_REG_HIGH, /* AH, CH, DH, BH: bits 15:8 of general register `reg` (0..3) */
	INSN_OPD_MEM,      /* insn.mem */
	INSN_OPD_STR_SRC,  /* insn.mem.seg:[rSI] */
	INSN_OPD_STR_DST,  /* ES:[rDI] */
	INSN_OPD_IMM,      /* insn.imm */
	INSN_OPD_IMM2,     /* insn.imm2 */
	INSN_OPD_REL,      /* insn.imm, relative to the next instruction */
	INSN_OPD_FAR,      /* insn.imm2:insn.imm */
	INSN_OPD_SEG,      /* segment register `reg`; 6 and 7 do not exist */
	INSN_OPD_CR,
	INSN_OPD_DR,
	INSN_OPD_SIMD /* some register in ModRM that is not told apart */
};

struct insn_operand {
	uint8_t kind; /* enum insn_operand_kind */
	uint8_t size; /* bytes; 0 where the decoder does not know (SIMD, x87, state saving) */
	uint8_t reg;
};

#define INSN_REG_NONE 0xffu /* no base or no index */
#define INSN_REG_RIP 0xfeu  /* base: the next instruction's address */

/* base + (index << shift) + disp, cut to insn.address_size, in segment seg. */
struct insn_mem {
	uint8_t base;
	uint8_t index;
	uint8_t shift;
	uint8_t seg; /* enum insn_seg: the default or an override */
	int64_t disp;
};

/* Bits of insn.prefixes. */
#define INSN_PREFIX_LOCK BIT32(0)
#define INSN_PREFIX_REPNE BIT32(1) /* 0xf2; of several, the last one counts */
#define INSN_PREFIX_REP BIT32(2)   /* 0xf3 */
#define INSN_PREFIX_OPSIZE BIT32(3)
#define INSN_PREFIX_ADDRSIZE BIT32(4)
#define INSN_PREFIX_SEG BIT32(5)  /* a segment override that has an effect */
#define INSN_PREFIX_VEX BIT32(6)  /* VEX or EVEX */
#define INSN_PREFIX_EVEX BIT32(7) /* then an 8-bit displacement is scaled by a factor not known here */

struct insn {
	uint8_t length;   /* bytes; after an error: how many were understood */
	uint8_t mode;     /* enum insn_mode */
	uint8_t prefixes; /* INSN_PREFIX_* */
	uint8_t rex;      /* 0, or the REX byte; for VEX and EVEX an equivalent one */
	uint8_t map;      /* enum insn_map */
	uint8_t opcode;   /* within its map */
	uint8_t modrm;    /* when has_modrm */
	bool has_modrm;
	uint8_t operand_size;                        /* bytes: 2, 4, 8 */
	uint8_t address_size;                        /* bytes: 2, 4, 8 */
	uint8_t op;                                  /* enum insn_op */
	uint8_t cond;                                /* for Jcc, SETcc, CMOVcc: the condition, as encoded */
	struct insn_operand operands[INSN_OPERANDS]; /* destination first */
	struct insn_mem mem;
	int64_t imm;   /* sign-extended where the instruction does so */
	uint16_t imm2; /* ENTER's second immediate, a far pointer's selector */
};

/* Decode one instruction.
 * bytes, count: what was fetched; at most 15 are looked at.  mode: from CS.D and long mode.
 * Returns 0; ERR_TRUNC (count too small), ERR_FORMAT (undefined, or longer than 15 bytes: hardware raises #UD or #GP),
 * ERR_NOSUP (not known here). After an error insn->length says how many bytes were understood, and only length, mode,
 * prefixes, rex, map and opcode mean anything. */
MUST_CHECK int insn_decode(const uint8_t *bytes, size_t count, enum insn_mode mode, struct insn *insn);

bool insn_operand_is_memory(const struct insn_operand *operand);
uint64_t insn_effective_address(const struct insn *insn, const struct insn_operand *operand,
				const uint64_t gpr[INSN_GPR_COUNT], uint64_t rip);
enum insn_seg insn_segment(const struct insn *insn, const struct insn_operand *operand);
uint64_t insn_linear(const struct insn *insn, enum insn_seg seg, uint64_t offset, uint64_t segment_base);
