/* Inside the decoder only: how the opcode tables are written. A row says what an opcode does and, in the manual's letters
 * (SDM 2 "Key to Abbreviations", appendix A.2), what its operands are. A row whose op is INSN_OP_INVALID and which names no
 * group is undefined. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/decode/insn_op.h"

/* A row of the tables names what it has; the rest is 0. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

enum opspec {
	O_NONE,
	/* ModRM r/m, register or memory: byte, word, at most 32 bits, operand size, 4 or 8 (REX.W), mode's size (8 in 64-bit mode) */
	O_Eb,
	O_Ew,
	O_Ez,
	O_Ev,
	O_Ey,
	O_Em,
	O_Ewv, /* register of operand size, or 16-bit memory */
	/* ModRM r/m, memory only: size unknown, 4, 8, 16, operand size, 4 or 8, far pointer, twice the operand size */
	O_M,
	O_Md,
	O_Mq,
	O_Mo,
	O_Mv,
	O_My,
	O_Mp,
	O_Ma,
	/* ModRM r/m, register only: of the mode's size, 4 or 8, operand size */
	O_Rm, /* mod does not matter: moves to and from CRn, DRn */
	O_Ry,
	O_Rv,
	/* ModRM reg: as E above, and a segment, control or debug register */
	O_Gb,
	O_Gw,
	O_Gv,
	O_Gy,
	O_Gm,
	O_Sw,
	O_Cd,
	O_Dd,
	/* SIMD: register in ModRM reg; register or memory */
	O_Vx,
	O_Wx,
	O_LAST_MODRM = O_Wx,
	/* Immediates */
	O_Ib,
	O_sIb, /* sign-extended */
	O_Iw,
	O_Ib2, /* ENTER's second */
	O_Iz,  /* 2 or 4 bytes, sign-extended */
	O_Iv,  /* 2, 4 or 8 bytes */
	O_1,   /* the constant 1 */
	O_Jb,
	O_Jz,
	O_Ap,
	/* Memory without ModRM */
	O_Ob,
	O_Ov,
	O_Xb,
	O_Xv,
	O_Xz, /* z: at most 32 bits */
	O_Yb,
	O_Yv,
	O_Yz,
	/* Registers without ModRM */
	O_AL,
	O_rAX, /* operand size */
	O_eAX, /* at most 32 bits */
	O_CL,
	O_DX,
	O_Zb, /* in the opcode's low three bits */
	O_Zv,
	O_ES, /* and so on in hardware order */
	O_CS,
	O_SS,
	O_DS,
	O_FS,
	O_GS
};

enum opgroup {
	G_NONE,
	G_1,
	G_1A,
	G_2,
	G_3B,
	G_3V,
	G_4,
	G_5,
	G_6,
	G_7, /* 0f 01: by ModRM reg for memory, by the whole byte for registers */
	G_8,
	G_9,
	G_11B,
	G_11V,
	G_15,
	G_COUNT
};

/* opcode_row.flags */
#define F_INV64 BIT32(0)   /* undefined in 64-bit mode */
#define F_DEF64 BIT32(1)   /* operand size 64 by default in 64-bit mode */
#define F_FORCE64 BIT32(2) /* operand size 64 whatever the prefixes, in 64-bit mode */
#define F_MODRM BIT32(3)   /* has a ModRM byte though no operand says so */

struct opcode_row {
	uint8_t op; /* enum insn_op */
	uint8_t a;  /* enum opspec: destination first */
	uint8_t b;
	uint8_t c;
	uint8_t flags; /* F_* */
	uint8_t group; /* enum opgroup: ModRM says the rest */
};

struct insn;

extern const struct opcode_row opcodes_one[256];
extern const struct opcode_row opcodes_0f[256];

const struct opcode_row *opcode_0f38(const struct insn *insn);
const struct opcode_row *opcode_0f(const struct insn *insn);
const struct opcode_row *opcode_group(const struct insn *insn, enum opgroup group);
