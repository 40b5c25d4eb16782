/* Opcodes that ModRM completes. Follows SDM 2 "Opcode Extensions for One-Byte and Two-byte Opcodes" (table A-6). A group's
 * row without operands takes those of the opcode's own row. */
#include "vmm/decode/decode.h"
#include "vmm/decode/optable.h"

#define OP(name) INSN_OP_##name

static const struct opcode_row group_1[8] = {{OP(ADD)}, {OP(OR)},  {OP(ADC)}, {OP(SBB)},
					     {OP(AND)}, {OP(SUB)}, {OP(XOR)}, {OP(CMP)}};
static const struct opcode_row group_1a[8] = {{OP(POP), .flags = F_DEF64}}; /* the others: XOP, which no Intel has */
static const struct opcode_row group_2[8] = {{OP(ROL)}, {OP(ROR)}, {OP(RCL)}, {OP(RCR)},
					     {OP(SHL)}, {OP(SHR)}, {OP(SHL)}, {OP(SAR)}};
static const struct opcode_row group_3b[8] = {{OP(TEST), O_Eb, O_Ib},
					      {OP(TEST), O_Eb, O_Ib},
					      {OP(NOT)},
					      {OP(NEG)},
					      {OP(MUL)},
					      {OP(IMUL)},
					      {OP(DIV)},
					      {OP(IDIV)}};
static const struct opcode_row group_3v[8] = {{OP(TEST), O_Ev, O_Iz},
					      {OP(TEST), O_Ev, O_Iz},
					      {OP(NOT)},
					      {OP(NEG)},
					      {OP(MUL)},
					      {OP(IMUL)},
					      {OP(DIV)},
					      {OP(IDIV)}};
static const struct opcode_row group_4[8] = {{OP(INC)}, {OP(DEC)}};
static const struct opcode_row group_5[8] = {
	{OP(INC)},
	{OP(DEC)},
	{OP(CALL), O_Ev, .flags = F_FORCE64},
	{OP(CALLF), O_Mp},
	{OP(JMP), O_Ev, .flags = F_FORCE64},
	{OP(JMPF), O_Mp},
	{OP(PUSH), O_Ev, .flags = F_DEF64},
};
static const struct opcode_row group_6[8] = {{OP(SLDT), O_Ewv}, {OP(STR), O_Ewv}, {OP(LLDT), O_Ew},
					     {OP(LTR), O_Ew},   {OP(VERR), O_Ew}, {OP(VERW), O_Ew}};
static const struct opcode_row group_7_memory[8] = {
	{OP(SGDT), O_M},  {OP(SIDT), O_M},   {OP(LGDT), O_M},
	{OP(LIDT), O_M},  {OP(SMSW), O_Ewv}, {OP(SYSTEM), O_M} /* RSTORSSP */,
	{OP(LMSW), O_Ew}, {OP(INVLPG), O_M},
};
static const struct opcode_row group_8[8] = {[4] = {OP(BT)}, [5] = {OP(BTS)}, [6] = {OP(BTR)}, [7] = {OP(BTC)}};
static const struct opcode_row group_9_memory[8] = {
	[1] = {OP(CMPXCHG8B), O_Mq}, [3] = {OP(XRSTORS), O_M},  [4] = {OP(XSAVEC), O_M},
	[5] = {OP(XSAVES), O_M},     [6] = {OP(VMPTRLD), O_Mq}, [7] = {OP(VMPTRST), O_Mq}};
static const struct opcode_row group_9_register[8] = {[6] = {OP(RDRAND), O_Rv}, [7] = {OP(RDSEED), O_Rv}};
static const struct opcode_row group_11b[8] = {{OP(MOV)}};
static const struct opcode_row group_11v[8] = {{OP(MOV)}};
static const struct opcode_row group_15_memory[8] = {{OP(FXSAVE), O_M},   {OP(FXRSTOR), O_M}, {OP(LDMXCSR), O_Md},
						     {OP(STMXCSR), O_Md}, {OP(XSAVE), O_M},   {OP(XRSTOR), O_M},
						     {OP(XSAVEOPT), O_M}, {OP(CLFLUSH), O_M}};
static const struct opcode_row group_15_register[8] = {[5] = {OP(LFENCE), .flags = F_MODRM},
						       [6] = {OP(MFENCE), .flags = F_MODRM},
						       [7] = {OP(SFENCE), .flags = F_MODRM}};
static const struct opcode_row group_15_rep[8] = {{OP(RDFSBASE), O_Ry},
						  {OP(RDGSBASE), O_Ry},
						  {OP(WRFSBASE), O_Ry},
						  {OP(WRGSBASE), O_Ry},
						  {OP(SYSTEM), O_Ey} /* PTWRITE */,
						  {OP(SYSTEM), O_Ry} /* INCSSP */,
						  {OP(SYSTEM), O_Ey} /* CLRSSBSY, UMONITOR */};

static const struct opcode_row row_undefined;
static const struct opcode_row row_cmpxchg16b = {OP(CMPXCHG16B), O_Mo};
static const struct opcode_row row_vmclear = {OP(VMCLEAR), O_Mq};
static const struct opcode_row row_vmxon = {OP(VMXON), O_Mq};
static const struct opcode_row row_rdpid = {OP(RDPID), O_Rm};
static const struct opcode_row row_clwb = {OP(CLWB), O_M};
static const struct opcode_row row_clflushopt = {OP(CLFLUSHOPT), O_M};
static const struct opcode_row row_xabort = {OP(XABORT), O_Ib, .flags = F_MODRM};
static const struct opcode_row row_xbegin = {OP(XBEGIN), O_Jz, .flags = F_MODRM | F_FORCE64};

/* 0f 01 with a register ModRM: the whole byte is the opcode. */
static const struct {
	uint8_t modrm;
	struct opcode_row row;
} group_7_register[] = {
	{0xc1, {OP(VMCALL), .flags = F_MODRM}},   {0xc2, {OP(VMLAUNCH), .flags = F_MODRM}},
	{0xc3, {OP(VMRESUME), .flags = F_MODRM}}, {0xc4, {OP(VMXOFF), .flags = F_MODRM}},
	{0xc8, {OP(MONITOR), .flags = F_MODRM}},  {0xc9, {OP(MWAIT), .flags = F_MODRM}},
	{0xca, {OP(CLAC), .flags = F_MODRM}},     {0xcb, {OP(STAC), .flags = F_MODRM}},
	{0xd0, {OP(XGETBV), .flags = F_MODRM}},   {0xd1, {OP(XSETBV), .flags = F_MODRM}},
	{0xd4, {OP(VMFUNC), .flags = F_MODRM}},   {0xd5, {OP(XEND), .flags = F_MODRM}},
	{0xd6, {OP(XTEST), .flags = F_MODRM}},    {0xd9, {OP(VMMCALL), .flags = F_MODRM}},
	{0xf8, {OP(SWAPGS), .flags = F_MODRM}},   {0xf9, {OP(RDTSCP), .flags = F_MODRM}},
};

static const struct opcode_row row_smsw = {OP(SMSW), O_Ewv};
static const struct opcode_row row_lmsw = {OP(LMSW), O_Ew};
static const struct opcode_row row_system = {OP(SYSTEM), .flags = F_MODRM};

static unsigned modrm_reg(const struct insn *insn)
{
	return insn->modrm >> 3 & 7;
}

static bool modrm_is_register(const struct insn *insn)
{
	return insn->modrm >= 0xc0;
}

static const struct opcode_row *group_7(const struct insn *insn)
{
	if (!modrm_is_register(insn))
		return &group_7_memory[modrm_reg(insn)];
	if (modrm_reg(insn) == 4)
		return &row_smsw;
	if (modrm_reg(insn) == 6)
		return &row_lmsw;
	for (size_t i = 0; i < ARRAY_LEN(group_7_register); i++)
		if (group_7_register[i].modrm == insn->modrm)
			return &group_7_register[i].row;
	return &row_system; /* SGX, SVM, protection keys, shadow stacks: no memory operand, three bytes */
}

static const struct opcode_row *group_9(const struct insn *insn)
{
	unsigned reg = modrm_reg(insn);
	bool rep = (insn->prefixes & INSN_PREFIX_REP) != 0;

	if (modrm_is_register(insn))
		return reg == 7 && rep ? &row_rdpid : &group_9_register[reg];
	if (reg == 1 && (insn->rex & 8))
		return &row_cmpxchg16b;
	if (reg == 6 && rep)
		return &row_vmxon;
	if (reg == 6 && (insn->prefixes & INSN_PREFIX_OPSIZE))
		return &row_vmclear;
	return &group_9_memory[reg];
}

static const struct opcode_row *group_15(const struct insn *insn)
{
	unsigned reg = modrm_reg(insn);
	bool opsize = (insn->prefixes & INSN_PREFIX_OPSIZE) != 0;

	if (insn->prefixes & INSN_PREFIX_REP)
		return &group_15_rep[reg];
	if (modrm_is_register(insn))
		return insn->prefixes & INSN_PREFIX_REPNE || opsize ? &row_system : &group_15_register[reg];
	if (reg == 6 && opsize)
		return &row_clwb;
	if (reg == 7 && opsize)
		return &row_clflushopt;
	return &group_15_memory[reg];
}

/* The row of an opcode in a group, by ModRM and prefixes. Never NULL. */
const struct opcode_row *opcode_group(const struct insn *insn, enum opgroup group)
{
	unsigned reg = modrm_reg(insn);

	switch (group) {
	case G_1:
		return &group_1[reg];
	case G_1A:
		return &group_1a[reg];
	case G_2:
		return &group_2[reg];
	case G_3B:
		return &group_3b[reg];
	case G_3V:
		return &group_3v[reg];
	case G_4:
		return &group_4[reg];
	case G_5:
		return &group_5[reg];
	case G_6:
		return &group_6[reg];
	case G_7:
		return group_7(insn);
	case G_8:
		return &group_8[reg];
	case G_9:
		return group_9(insn);
	case G_11B:
		return insn->modrm == 0xf8 ? &row_xabort : &group_11b[reg];
	case G_11V:
		return insn->modrm == 0xf8 ? &row_xbegin : &group_11v[reg];
	case G_15:
		return group_15(insn);
	default:
		return &row_undefined;
	}
}
