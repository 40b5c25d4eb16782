/* Text for decoded instructions. Intel syntax as in the SDM: "mov dword [rbx+rcx*4+0x10], eax". */
#include "vmm/decode/disasm.h"

#include "kernel/lib/format.h"
#include "kernel/lib/texts.h"

struct text {
	char *buf;
	size_t len;
};

static void put(struct text *t, const char *s)
{
	(void)fmt_append(t->buf, DISASM_TEXT, &t->len, "%s", s);
}

static void put_hex(struct text *t, uint64_t value)
{
	(void)fmt_append(t->buf, DISASM_TEXT, &t->len, "0x%llx", (unsigned long long)value);
}

static uint64_t cut(uint64_t value, unsigned bytes)
{
	return bytes >= 8 ? value : value & (BIT64(8 * bytes) - 1);
}

static void put_register(struct text *t, unsigned reg, unsigned bytes)
{
	static const char legacy[8][3] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
	static const char low[8][4] = {"al", "cl", "dl", "bl", "spl", "bpl", "sil", "dil"};

	if (reg >= 8) {
		const char *suffix = bytes == 1 ? "b" : bytes == 2 ? "w" : bytes == 4 ? "d" : "";

		(void)fmt_append(t->buf, DISASM_TEXT, &t->len, "r%u%s", reg & 15, suffix);
		return;
	}
	if (bytes == 1) {
		put(t, low[reg]);
		return;
	}
	put(t, bytes == 4 ? "e" : bytes == 8 ? "r" : "");
	put(t, legacy[reg]);
}

static void put_segment(struct text *t, unsigned seg)
{
	static const char names[][3] = {"es", "cs", "ss", "ds", "fs", "gs"};

	put(t, seg < ARRAY_LEN(names) ? names[seg] : "?");
}

static void put_size(struct text *t, unsigned bytes)
{
	switch (bytes) {
	case 1:
		put(t, "byte ");
		break;
	case 2:
		put(t, "word ");
		break;
	case 4:
		put(t, "dword ");
		break;
	case 6:
		put(t, "fword ");
		break;
	case 8:
		put(t, "qword ");
		break;
	case 10:
		put(t, "tbyte ");
		break;
	case 16:
		put(t, "oword ");
		break;
	default:
		break;
	}
}

/* With a base or index the displacement is signed; alone it is an address. */
static void put_displacement(struct text *t, const struct insn *insn, bool alone)
{
	int64_t disp = insn->mem.disp;

	if (alone) {
		put_hex(t, cut((uint64_t)disp, insn->address_size));
		return;
	}
	if (disp == 0)
		return;
	put(t, disp < 0 ? "-" : "+");
	put_hex(t, disp < 0 ? 0 - (uint64_t)disp : (uint64_t)disp);
}

static void put_memory(struct text *t, const struct insn *insn, const struct insn_operand *o)
{
	const struct insn_mem *mem = &insn->mem;
	bool alone = mem->base == INSN_REG_NONE && mem->index == INSN_REG_NONE;

	put_size(t, o->size);
	put(t, "[");
	if (insn->prefixes & INSN_PREFIX_SEG) {
		put_segment(t, mem->seg);
		put(t, ":");
	}
	if (mem->base == INSN_REG_RIP)
		put(t, insn->address_size == 8 ? "rip" : "eip");
	else if (mem->base != INSN_REG_NONE)
		put_register(t, mem->base, insn->address_size);
	if (mem->index != INSN_REG_NONE) {
		if (mem->base != INSN_REG_NONE)
			put(t, "+");
		put_register(t, mem->index, insn->address_size);
		if (mem->shift)
			(void)fmt_append(t->buf, DISASM_TEXT, &t->len, "*%u", 1u << mem->shift);
	}
	put_displacement(t, insn, alone);
	put(t, "]");
}

/* The address a relative branch goes to. */
static uint64_t branch_target(const struct insn *insn, uint64_t rip)
{
	return cut(rip + insn->length + (uint64_t)insn->imm, insn->operand_size);
}

/* MOVD and MMX registers share opcodes with SSE: SDM 2 "MOVD/MOVQ", "MOVQ", "MOVNTQ". */
static void put_simd_register(struct text *t, const struct insn *insn, const struct insn_operand *o)
{
	const char *kind = insn->prefixes & INSN_PREFIX_VEX ? "simd" : "xmm";
	bool is_move_d = insn->map == INSN_MAP_0F && (insn->opcode == 0x6e || insn->opcode == 0x7e) &&
			 !(insn->prefixes & INSN_PREFIX_REP);
	bool is_rm = o == &insn->operands[insn->opcode == 0x6e ? 1 : 0];
	bool mmx = insn->map == INSN_MAP_0F && insn->opcode >= 0x60 && insn->opcode != 0xf0 &&
		   !(insn->prefixes & (INSN_PREFIX_OPSIZE | INSN_PREFIX_REP | INSN_PREFIX_REPNE | INSN_PREFIX_VEX));

	if (is_move_d && is_rm)
		put_register(t, o->reg, insn->rex & 8 ? 8 : 4);
	else
		(void)fmt_append(t->buf, DISASM_TEXT, &t->len, "%s%u", mmx ? "mm" : kind, mmx ? o->reg & 7u : o->reg);
}

static void put_operand(struct text *t, const struct insn *insn, const struct insn_operand *o, uint64_t rip)
{
	static const char high[4][3] = {"ah", "ch", "dh", "bh"};

	switch (o->kind) {
	case INSN_OPD_REG:
		put_register(t, o->reg, o->size);
		break;
	case INSN_OPD_REG_HIGH:
		put(t, high[o->reg & 3]);
		break;
	case INSN_OPD_MEM:
		put_memory(t, insn, o);
		break;
	case INSN_OPD_IMM:
		put_hex(t, cut((uint64_t)insn->imm, o->size));
		break;
	case INSN_OPD_IMM2:
		put_hex(t, insn->imm2);
		break;
	case INSN_OPD_REL:
		put_hex(t, branch_target(insn, rip));
		break;
	case INSN_OPD_FAR:
		put_hex(t, insn->imm2);
		put(t, ":");
		put_hex(t, cut((uint64_t)insn->imm, insn->operand_size));
		break;
	case INSN_OPD_SEG:
		put_segment(t, o->reg);
		break;
	case INSN_OPD_CR:
		(void)fmt_append(t->buf, DISASM_TEXT, &t->len, "cr%u", o->reg);
		break;
	case INSN_OPD_DR:
		(void)fmt_append(t->buf, DISASM_TEXT, &t->len, "dr%u", o->reg);
		break;
	case INSN_OPD_SIMD:
		put_simd_register(t, insn, o);
		break;
	default:
		break;
	}
}

static const char *simd_move_name(const struct insn *insn)
{
	/* By prefix: none, 66, f3, f2. */
	static const struct {
		uint8_t opcode;
		const char *names;
	} rows[] = {
		{0x10, "movups\0movupd\0movss\0movsd"},
		{0x11, "movups\0movupd\0movss\0movsd"},
		{0x12, "movlps\0movlpd\0movsldup\0movddup"},
		{0x13, "movlps\0movlpd\0\0"},
		{0x16, "movhps\0movhpd\0movshdup\0"},
		{0x17, "movhps\0movhpd\0\0"},
		{0x28, "movaps\0movapd\0\0"},
		{0x29, "movaps\0movapd\0\0"},
		{0x2b, "movntps\0movntpd\0\0"},
		{0x6e, "movd\0movd\0\0"},
		{0x6f, "movq\0movdqa\0movdqu\0"},
		{0x7e, "movd\0movd\0movq\0"},
		{0x7f, "movq\0movdqa\0movdqu\0"},
		{0xd6, "\0movq\0movq2dq\0movdq2q"},
		{0xe7, "movntq\0movntdq\0\0"},
		{0xf0, "\0\0\0lddqu"},
	};
	unsigned prefix = insn->prefixes & INSN_PREFIX_REPNE    ? 3
			  : insn->prefixes & INSN_PREFIX_REP    ? 2
			  : insn->prefixes & INSN_PREFIX_OPSIZE ? 1
								: 0;

	if (insn->map == INSN_MAP_0F38)
		return "movntdqa";
	if (insn->modrm >= 0xc0 && prefix == 0 && (insn->opcode == 0x12 || insn->opcode == 0x16))
		return insn->opcode == 0x12 ? "movhlps" : "movlhps";
	if ((insn->opcode == 0x6e || insn->opcode == 0x7e) && prefix < 2 && (insn->rex & 8))
		return "movq";
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *name = rows[i].opcode == insn->opcode ? text_nth(rows[i].names, prefix) : "";

		if (*name != '\0')
			return name;
	}
	return insn_op_name(INSN_OP_SIMD_MOVE);
}

static const char *by_size(const struct insn *insn, const char *two, const char *four, const char *eight)
{
	return insn->operand_size == 2 ? two : insn->operand_size == 4 ? four : eight;
}

static void put_mnemonic(struct text *t, const struct insn *insn)
{
	static const char conditions[16][3] = {"o", "no", "b", "ae", "e", "ne", "be", "a",
					       "s", "ns", "p", "np", "l", "ge", "le", "g"};

	switch (insn->op) {
	case INSN_OP_CBW:
		put(t, by_size(insn, "cbw", "cwde", "cdqe"));
		break;
	case INSN_OP_CWD:
		put(t, by_size(insn, "cwd", "cdq", "cqo"));
		break;
	case INSN_OP_JCXZ:
		put(t, insn->address_size == 2 ? "jcxz" : insn->address_size == 4 ? "jecxz" : "jrcxz");
		break;
	case INSN_OP_JCC:
	case INSN_OP_SETCC:
	case INSN_OP_CMOVCC:
		put(t, insn_op_name((enum insn_op)insn->op));
		put(t, conditions[insn->cond & 15]);
		break;
	case INSN_OP_SIMD_MOVE:
		put(t, insn->prefixes & INSN_PREFIX_VEX ? "v" : "");
		put(t, simd_move_name(insn));
		break;
	default:
		put(t, insn_op_name((enum insn_op)insn->op));
	}
}

static bool is_string(const struct insn *insn)
{
	return insn->op >= INSN_OP_MOVS && insn->op <= INSN_OP_OUTS;
}

static void put_prefixes(struct text *t, const struct insn *insn)
{
	bool compares = insn->op == INSN_OP_CMPS || insn->op == INSN_OP_SCAS;

	if (insn->prefixes & INSN_PREFIX_LOCK)
		put(t, "lock ");
	if (!is_string(insn))
		return;
	if (insn->prefixes & INSN_PREFIX_REP)
		put(t, compares ? "repe " : "rep ");
	else if (insn->prefixes & INSN_PREFIX_REPNE)
		put(t, "repne ");
	if (insn->prefixes & INSN_PREFIX_SEG) {
		put_segment(t, insn->mem.seg);
		put(t, " ");
	}
}

/* "movsb": the operands say nothing that the letter does not. */
static void put_string(struct text *t, const struct insn *insn)
{
	unsigned first = insn_operand_is_memory(&insn->operands[0]) ? 0 : 1;
	unsigned size = insn->operands[first].size;

	put(t, insn_op_name((enum insn_op)insn->op));
	put(t, size == 1 ? "b" : size == 2 ? "w" : size == 4 ? "d" : "q");
}

/* The text of a decoded instruction.
 * rip: where it stands, for branch targets.  out: always terminated. */
void insn_format(const struct insn *insn, uint64_t rip, char out[DISASM_TEXT])
{
	struct text t = {.buf = out};

	out[0] = '\0';
	put_prefixes(&t, insn);
	if (is_string(insn)) {
		put_string(&t, insn);
		return;
	}
	put_mnemonic(&t, insn);

	bool only_memory = insn->op == INSN_OP_X87 || insn->op == INSN_OP_SIMD;
	const char *separator = " ";
	for (unsigned i = 0; i < INSN_OPERANDS && insn->operands[i].kind != INSN_OPD_NONE; i++) {
		if (only_memory && insn->operands[i].kind != INSN_OPD_MEM)
			continue;
		put(&t, separator);
		put_operand(&t, insn, &insn->operands[i], rip);
		separator = ", ";
	}
}

/* Decodes and formats one instruction.
 * rip: address of bytes[0].  out: text, always terminated.
 * Returns how many bytes it has: 1 for a byte that begins no known instruction ("db 0x.."), 0 when count is 0. */
size_t insn_disassemble(const uint8_t *bytes, size_t count, enum insn_mode mode, uint64_t rip, char out[DISASM_TEXT])
{
	struct insn insn;

	out[0] = '\0';
	if (count == 0)
		return 0;
	if (insn_decode(bytes, count, mode, &insn)) {
		(void)fmt_snprintf(out, DISASM_TEXT, "db 0x%02x", bytes[0]);
		return 1;
	}
	insn_format(&insn, rip, out);
	return insn.length;
}
