/* The two- and three-byte opcode maps. Follows SDM 2 "Two-byte Opcode Map" and "Three-byte Opcode Map" (tables ).
 * Where a mandatory prefix makes another instruction of integer code, opcode_0f() and opcode_0f38() look at it; SIMD is not
 * told apart, but for its moves. */
#include "vmm/decode/decode.h"
#include "vmm/decode/optable.h"

#define OP(name) INSN_OP_##name
#define SSE                                                                                                            \
	{                                                                                                              \
		OP(SIMD), O_Vx, O_Wx                                                                                   \
	}
#define SSE_IMM8                                                                                                       \
	{                                                                                                              \
		OP(SIMD), O_Vx, O_Wx, O_Ib                                                                             \
	}
#define SSE_LOAD                                                                                                       \
	{                                                                                                              \
		OP(SIMD_MOVE), O_Vx, O_Wx                                                                              \
	}
#define SSE_STORE                                                                                                      \
	{                                                                                                              \
		OP(SIMD_MOVE), O_Wx, O_Vx                                                                              \
	}

const struct opcode_row opcodes_0f[256] = {
	[0x00] = {.group = G_6},
	[0x01] = {.group = G_7},
	[0x02] = {OP(LAR), O_Gv, O_Ewv},
	[0x03] = {OP(LSL), O_Gv, O_Ewv},
	[0x05] = {OP(SYSCALL)},
	[0x06] = {OP(CLTS)},
	[0x07] = {OP(SYSRET)},
	[0x08] = {OP(INVD)},
	[0x09] = {OP(WBINVD)},
	[0x0b] = {OP(UD)},
	[0x0d] = {OP(PREFETCH), O_M},
	[0x0e] = {OP(SIMD)},                   /* FEMMS */
	[0x0f] = {OP(SIMD), O_Vx, O_Wx, O_Ib}, /* 3DNow!: the opcode comes last */
	[0x10] = SSE_LOAD,
	[0x11] = SSE_STORE,
	[0x12] = SSE_LOAD,
	[0x13] = SSE_STORE,
	[0x14 ... 0x15] = SSE,
	[0x16] = SSE_LOAD,
	[0x17] = SSE_STORE,
	[0x18] = {OP(PREFETCH), O_Ev}, /* with a register: a NOP */
	[0x19 ... 0x1f] = {OP(NOP), O_Ev},
	[0x20] = {OP(MOV), O_Rm, O_Cd},
	[0x21] = {OP(MOV), O_Rm, O_Dd},
	[0x22] = {OP(MOV), O_Cd, O_Rm},
	[0x23] = {OP(MOV), O_Dd, O_Rm},
	[0x28] = SSE_LOAD,
	[0x29] = SSE_STORE,
	[0x2a] = SSE,
	[0x2b] = SSE_STORE,
	[0x2c ... 0x2f] = SSE,
	[0x30] = {OP(WRMSR)},
	[0x31] = {OP(RDTSC)},
	[0x32] = {OP(RDMSR)},
	[0x33] = {OP(RDPMC)},
	[0x34] = {OP(SYSENTER)},
	[0x35] = {OP(SYSEXIT)},
	[0x37] = {OP(GETSEC)},
	[0x40 ... 0x4f] = {OP(CMOVCC), O_Gv, O_Ev},
	[0x50 ... 0x6d] = SSE,
	[0x6e] = SSE_LOAD,
	[0x6f] = SSE_LOAD,
	[0x70] = SSE_IMM8,
	[0x71 ... 0x73] = {OP(SIMD), O_Wx, O_Ib},
	[0x74 ... 0x76] = SSE,
	[0x77] = {OP(SIMD)}, /* EMMS */
	[0x78] = {OP(VMREAD), O_Em, O_Gm},
	[0x79] = {OP(VMWRITE), O_Gm, O_Em},
	[0x7c ... 0x7d] = SSE,
	[0x7e] = SSE_STORE,
	[0x7f] = SSE_STORE,
	[0x80 ... 0x8f] = {OP(JCC), O_Jz, .flags = F_FORCE64},
	[0x90 ... 0x9f] = {OP(SETCC), O_Eb},
	[0xa0] = {OP(PUSH), O_FS, .flags = F_DEF64},
	[0xa1] = {OP(POP), O_FS, .flags = F_DEF64},
	[0xa2] = {OP(CPUID)},
	[0xa3] = {OP(BT), O_Ev, O_Gv},
	[0xa4] = {OP(SHLD), O_Ev, O_Gv, O_Ib},
	[0xa5] = {OP(SHLD), O_Ev, O_Gv, O_CL},
	[0xa8] = {OP(PUSH), O_GS, .flags = F_DEF64},
	[0xa9] = {OP(POP), O_GS, .flags = F_DEF64},
	[0xaa] = {OP(RSM)},
	[0xab] = {OP(BTS), O_Ev, O_Gv},
	[0xac] = {OP(SHRD), O_Ev, O_Gv, O_Ib},
	[0xad] = {OP(SHRD), O_Ev, O_Gv, O_CL},
	[0xae] = {.group = G_15},
	[0xaf] = {OP(IMUL), O_Gv, O_Ev},
	[0xb0] = {OP(CMPXCHG), O_Eb, O_Gb},
	[0xb1] = {OP(CMPXCHG), O_Ev, O_Gv},
	[0xb2] = {OP(LSS), O_Gv, O_Mp},
	[0xb3] = {OP(BTR), O_Ev, O_Gv},
	[0xb4] = {OP(LFS), O_Gv, O_Mp},
	[0xb5] = {OP(LGS), O_Gv, O_Mp},
	[0xb6] = {OP(MOVZX), O_Gv, O_Eb},
	[0xb7] = {OP(MOVZX), O_Gv, O_Ew},
	[0xb9] = {OP(UD), O_Gv, O_Ev},
	[0xba] = {.a = O_Ev, .b = O_Ib, .group = G_8},
	[0xbb] = {OP(BTC), O_Ev, O_Gv},
	[0xbc] = {OP(BSF), O_Gv, O_Ev},
	[0xbd] = {OP(BSR), O_Gv, O_Ev},
	[0xbe] = {OP(MOVSX), O_Gv, O_Eb},
	[0xbf] = {OP(MOVSX), O_Gv, O_Ew},
	[0xc0] = {OP(XADD), O_Eb, O_Gb},
	[0xc1] = {OP(XADD), O_Ev, O_Gv},
	[0xc2] = SSE_IMM8,
	[0xc3] = {OP(MOVNTI), O_My, O_Gy},
	[0xc4 ... 0xc6] = SSE_IMM8,
	[0xc7] = {.group = G_9},
	[0xc8 ... 0xcf] = {OP(BSWAP), O_Zv},
	[0xd0 ... 0xd5] = SSE,
	[0xd6] = SSE_STORE,
	[0xd7 ... 0xe6] = SSE,
	[0xe7] = SSE_STORE,
	[0xe8 ... 0xef] = SSE,
	[0xf0] = SSE_LOAD,
	[0xf1 ... 0xfe] = SSE,
	[0xff] = {OP(UD), O_Gv, O_Ev},
};

/* Rows that a mandatory prefix chooses. */
enum {
	R_POPCNT,
	R_TZCNT,
	R_LZCNT,
	R_SIMD_IMM2,
	R_SIMD,
	R_WBNOINVD,
	R_MOVBE_LOAD,
	R_MOVBE_STORE,
	R_CRC32_B,
	R_CRC32_V,
	R_ADCX,
	R_ADOX,
	R_INVEPT,
	R_INVVPID,
	R_INVPCID,
	R_MOVDIRI,
	R_MOVNTDQA,
	R_SYSTEM_M
};

static const struct opcode_row special[] = {
	[R_POPCNT] = {OP(POPCNT), O_Gv, O_Ev},
	[R_TZCNT] = {OP(TZCNT), O_Gv, O_Ev},
	[R_LZCNT] = {OP(LZCNT), O_Gv, O_Ev},
	[R_SIMD_IMM2] = {OP(SIMD), O_Wx, O_Iw},
	[R_SIMD] = SSE,
	[R_WBNOINVD] = {OP(SYSTEM)},
	[R_MOVBE_LOAD] = {OP(MOVBE), O_Gv, O_Mv},
	[R_MOVBE_STORE] = {OP(MOVBE), O_Mv, O_Gv},
	[R_CRC32_B] = {OP(CRC32), O_Gy, O_Eb},
	[R_CRC32_V] = {OP(CRC32), O_Gy, O_Ev},
	[R_ADCX] = {OP(ADCX), O_Gy, O_Ey},
	[R_ADOX] = {OP(ADOX), O_Gy, O_Ey},
	[R_INVEPT] = {OP(INVEPT), O_Gm, O_Mo},
	[R_INVVPID] = {OP(INVVPID), O_Gm, O_Mo},
	[R_INVPCID] = {OP(INVPCID), O_Gm, O_Mo},
	[R_MOVDIRI] = {OP(MOVDIRI), O_My, O_Gy},
	[R_MOVNTDQA] = SSE_LOAD,
	[R_SYSTEM_M] = {OP(SYSTEM), O_Gm, O_M},
};

/* The row of a two-byte opcode, with mandatory prefixes looked at. */
const struct opcode_row *opcode_0f(const struct insn *insn)
{
	bool rep = (insn->prefixes & INSN_PREFIX_REP) != 0;
	bool repne = (insn->prefixes & INSN_PREFIX_REPNE) != 0;

	switch (insn->opcode) {
	case 0x09:
		return rep ? &special[R_WBNOINVD] : &opcodes_0f[0x09];
	case 0x78: /* EXTRQ, INSERTQ */
		return repne || (insn->prefixes & INSN_PREFIX_OPSIZE) ? &special[R_SIMD_IMM2] : &opcodes_0f[0x78];
	case 0x79:
		return repne || (insn->prefixes & INSN_PREFIX_OPSIZE) ? &special[R_SIMD] : &opcodes_0f[0x79];
	case 0x7e: /* MOVQ xmm, xmm/m64 loads */
		return rep ? &opcodes_0f[0x6f] : &opcodes_0f[0x7e];
	case 0xb8:
		return rep ? &special[R_POPCNT] : &opcodes_0f[0xb8];
	case 0xbc:
		return rep ? &special[R_TZCNT] : &opcodes_0f[0xbc];
	case 0xbd:
		return rep ? &special[R_LZCNT] : &opcodes_0f[0xbd];
	default:
		return &opcodes_0f[insn->opcode];
	}
}

/* The row of a 0f 38 opcode. All of them have ModRM and no immediate. */
const struct opcode_row *opcode_0f38(const struct insn *insn)
{
	bool opsize = (insn->prefixes & INSN_PREFIX_OPSIZE) != 0;
	bool rep = (insn->prefixes & INSN_PREFIX_REP) != 0;
	bool repne = (insn->prefixes & INSN_PREFIX_REPNE) != 0;

	switch (insn->opcode) {
	case 0x2a:
		return &special[R_MOVNTDQA];
	case 0x80:
		return &special[R_INVEPT];
	case 0x81:
		return &special[R_INVVPID];
	case 0x82:
		return &special[R_INVPCID];
	case 0xf0:
		return repne ? &special[R_CRC32_B] : &special[R_MOVBE_LOAD];
	case 0xf1:
		return repne ? &special[R_CRC32_V] : &special[R_MOVBE_STORE];
	case 0xf6:
		return rep ? &special[R_ADOX] : opsize ? &special[R_ADCX] : &special[R_SYSTEM_M]; /* WRSS */
	case 0xf5:
	case 0xf8:
		return &special[R_SYSTEM_M]; /* WRUSS; ENQCMD, MOVDIR64B */
	case 0xf9:
		return &special[R_MOVDIRI];
	default:
		return &special[R_SIMD];
	}
}
