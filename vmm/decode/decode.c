/* The decoder proper: prefixes, opcode, and which row of the tables applies; operands.c does the rest. Pure, and fed by
 * guests: every byte may be anything. Follows SDM 2 "Instruction Format" (chapter 2). */
#include "vmm/decode/decode.h"

#include "kernel/lib/errors.h"
#include "kernel/lib/texts.h"
#include "vmm/decode/decoder.h"

#define REX_W 8u
#define REX_B 1u

const char *insn_op_name(enum insn_op op)
{
#define INSN_OP_NAME(name, text) text "\0"
	static const char names[] = INSN_OP_LIST(INSN_OP_NAME);
#undef INSN_OP_NAME

	return text_nth(names, (unsigned)op < INSN_OP_COUNT ? op : INSN_OP_INVALID);
}

/* ES, CS, SS and DS have no effect in 64-bit mode, and do not undo an FS or GS before them. */
static void override_segment(struct decoder *d, enum insn_seg seg)
{
	if (d->insn->mode == INSN_MODE_64 && seg != INSN_FS && seg != INSN_GS)
		return;
	d->insn->prefixes |= INSN_PREFIX_SEG;
	d->segment = (uint8_t)seg;
}

static bool take_prefix(struct decoder *d, uint8_t byte)
{
	struct insn *insn = d->insn;

	switch (byte) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e:
		override_segment(d, (enum insn_seg)(byte >> 3 & 3));
		return true;
	case 0x64:
		override_segment(d, INSN_FS);
		return true;
	case 0x65:
		override_segment(d, INSN_GS);
		return true;
	case 0x66:
		insn->prefixes |= INSN_PREFIX_OPSIZE;
		return true;
	case 0x67:
		insn->prefixes |= INSN_PREFIX_ADDRSIZE;
		return true;
	case 0xf0:
		insn->prefixes |= INSN_PREFIX_LOCK;
		return true;
	case 0xf2:
		insn->prefixes = (uint8_t)((insn->prefixes & ~INSN_PREFIX_REP) | INSN_PREFIX_REPNE);
		return true;
	case 0xf3:
		insn->prefixes = (uint8_t)((insn->prefixes & ~INSN_PREFIX_REPNE) | INSN_PREFIX_REP);
		return true;
	default:
		return false;
	}
}

/* Takes prefixes and returns the first byte of the opcode. A REX prefix counts only directly before the opcode. */
static uint8_t take_prefixes(struct decoder *d)
{
	struct insn *insn = d->insn;

	for (;;) {
		uint8_t byte = decoder_u8(d);

		if (d->err)
			return 0;
		if (take_prefix(d, byte))
			insn->rex = 0;
		else if (insn->mode == INSN_MODE_64 && (byte & 0xf0) == 0x40)
			insn->rex = byte;
		else
			return byte;
	}
}

static void set_sizes(struct insn *insn, unsigned flags)
{
	bool opsize = (insn->prefixes & INSN_PREFIX_OPSIZE) != 0;
	bool addrsize = (insn->prefixes & INSN_PREFIX_ADDRSIZE) != 0;

	if (insn->mode == INSN_MODE_64) {
		insn->address_size = addrsize ? 4 : 8;
		if ((insn->rex & REX_W) || (flags & F_FORCE64))
			insn->operand_size = 8;
		else if (opsize)
			insn->operand_size = 2;
		else
			insn->operand_size = flags & F_DEF64 ? 8 : 4;
		return;
	}
	insn->address_size = (insn->mode == INSN_MODE_16) != addrsize ? 2 : 4;
	insn->operand_size = (insn->mode == INSN_MODE_16) != opsize ? 2 : 4;
}

/* Rows of the one-byte map that mode or prefixes change. */
static const struct opcode_row *row_one(const struct insn *insn)
{
	static const struct opcode_row movsxd = {INSN_OP_MOVSXD, O_Gv, O_Ez};
	static const struct opcode_row pause = {INSN_OP_PAUSE};
	static const struct opcode_row xchg_r8 = {INSN_OP_XCHG, O_Zv, O_rAX};

	if (insn->opcode == 0x63 && insn->mode == INSN_MODE_64)
		return &movsxd;
	if (insn->opcode == 0x90 && (insn->rex & REX_B))
		return &xchg_r8;
	if (insn->opcode == 0x90 && (insn->prefixes & INSN_PREFIX_REP))
		return &pause;
	return &opcodes_one[insn->opcode];
}

/* All of map 0f 3a: an immediate byte. */
static const struct opcode_row row_simd_imm8 = {INSN_OP_SIMD, O_Vx, O_Wx, O_Ib};

/* Takes what is left of the opcode and finds its row. */
static const struct opcode_row *take_opcode(struct decoder *d, uint8_t first)
{
	struct insn *insn = d->insn;

	insn->opcode = first;
	if (first != 0x0f)
		return row_one(insn);
	insn->map = INSN_MAP_0F;
	insn->opcode = decoder_u8(d);
	if (insn->opcode == 0x38) {
		insn->map = INSN_MAP_0F38;
		insn->opcode = decoder_u8(d);
		return opcode_0f38(insn);
	}
	if (insn->opcode == 0x3a) {
		insn->map = INSN_MAP_0F3A;
		insn->opcode = decoder_u8(d);
		return &row_simd_imm8;
	}
	return opcode_0f(insn);
}

/* --- VEX and EVEX --- */

/* In 16- and 32-bit modes the same bytes are LES, LDS and BOUND when they are followed by a ModRM that means memory. */
static bool is_vex(const struct decoder *d, uint8_t first)
{
	if (first != 0xc4 && first != 0xc5 && first != 0x62)
		return false;
	return d->insn->mode == INSN_MODE_64 || decoder_peek(d) >= 0xc0;
}

static void set_vex_prefix(struct insn *insn, unsigned pp)
{
	static const uint8_t prefix[4] = {0, INSN_PREFIX_OPSIZE, INSN_PREFIX_REP, INSN_PREFIX_REPNE};

	insn->prefixes |= (uint8_t)(INSN_PREFIX_VEX | prefix[pp]);
}

/* rxb: the three inverted bits, in the byte's upper three.  w: the byte that has W on top. */
static void set_vex_rex(struct insn *insn, unsigned rxb, unsigned w)
{
	if (insn->mode == INSN_MODE_64)
		insn->rex = (uint8_t)(0x40 | (w >> 7 & 1) << 3 | (~rxb >> 5 & 7));
}

static void take_vex_prefix(struct decoder *d, uint8_t first)
{
	struct insn *insn = d->insn;
	uint8_t p0 = decoder_u8(d);
	uint8_t p1;

	if (first == 0xc5) {
		insn->map = INSN_MAP_0F;
		set_vex_rex(insn, p0 | 0x60, 0);
		set_vex_prefix(insn, p0 & 3);
		return;
	}
	p1 = decoder_u8(d);
	set_vex_rex(insn, p0, p1);
	set_vex_prefix(insn, p1 & 3);
	if (first == 0xc4) {
		insn->map = p0 & 0x1f;
		return;
	}
	insn->prefixes |= INSN_PREFIX_EVEX;
	insn->map = p0 & 7;
	(void)decoder_u8(d); /* z, L'L, b, V', aaa: nothing of it changes the length */
	if ((p0 & 8) || !(p1 & 4))
		decoder_fail(d, ERR_FORMAT);
}

static bool vex_has_imm8(const struct insn *insn)
{
	if (insn->map == INSN_MAP_0F3A)
		return true;
	return insn->map == INSN_MAP_0F && ((insn->opcode >= 0x70 && insn->opcode <= 0x73) || insn->opcode == 0xc2 ||
					    (insn->opcode >= 0xc4 && insn->opcode <= 0xc6));
}

/* SDM 2 "Vector Extension (VEX) Prefix" and "EVEX Encoding": enough for the length and the memory operand. */
static const struct opcode_row *take_vex(struct decoder *d, uint8_t first)
{
	static const struct opcode_row vzeroupper = {INSN_OP_SIMD};
	static const struct opcode_row plain = {INSN_OP_SIMD, O_Vx, O_Wx};
	struct insn *insn = d->insn;
	const uint8_t before = INSN_PREFIX_OPSIZE | INSN_PREFIX_REP | INSN_PREFIX_REPNE | INSN_PREFIX_LOCK;

	if (insn->rex || (insn->prefixes & before))
		decoder_fail(d, ERR_FORMAT);
	take_vex_prefix(d, first);
	insn->opcode = decoder_u8(d);
	bool evex_map = (insn->prefixes & INSN_PREFIX_EVEX) && (insn->map == 5 || insn->map == 6);
	if ((insn->map < INSN_MAP_0F || insn->map > INSN_MAP_0F3A) && !evex_map)
		decoder_fail(d, ERR_NOSUP);
	if (insn->map == INSN_MAP_0F && insn->opcode == 0x77 && !(insn->prefixes & INSN_PREFIX_EVEX))
		return &vzeroupper;
	if (vex_has_imm8(insn))
		return &row_simd_imm8;
	if (insn->map == INSN_MAP_0F && opcode_0f(insn)->op == INSN_OP_SIMD_MOVE)
		return opcode_0f(insn);
	return &plain;
}

/* --- */

static bool spec_needs_modrm(unsigned spec)
{
	return spec != O_NONE && spec <= O_LAST_MODRM;
}

static bool row_needs_modrm(const struct opcode_row *row)
{
	return row->group || (row->flags & F_MODRM) || spec_needs_modrm(row->a) || spec_needs_modrm(row->b);
}

static void take_operands(struct decoder *d, const struct opcode_row *row)
{
	struct insn *insn = d->insn;
	const struct opcode_row *own = row; /* the row that names the operands */
	unsigned flags = row->flags;

	if (row_needs_modrm(row)) {
		insn->modrm = decoder_u8(d);
		insn->has_modrm = true;
	}
	if (row->group) {
		const struct opcode_row *member = opcode_group(insn, (enum opgroup)row->group);

		insn->op = member->op;
		flags |= member->flags;
		if (member->a || !row->a || (member->flags & F_MODRM))
			own = member;
	} else {
		insn->op = row->op;
	}
	if (insn->op == INSN_OP_INVALID || ((flags & F_INV64) && insn->mode == INSN_MODE_64)) {
		decoder_fail(d, ERR_FORMAT);
		return;
	}
	set_sizes(insn, flags);
	operands_resolve(d, own);
	if (insn->op == INSN_OP_JCC || insn->op == INSN_OP_SETCC || insn->op == INSN_OP_CMOVCC)
		insn->cond = insn->opcode & 15;
}

int insn_decode(const uint8_t *bytes, size_t count, enum insn_mode mode, struct insn *insn)
{
	struct decoder d = {.bytes = bytes, .count = count, .insn = insn, .segment = INSN_SEG_NONE};

	*insn = (struct insn){.mode = (uint8_t)mode};

	uint8_t first = take_prefixes(&d);
	if (!d.err) {
		const struct opcode_row *row = is_vex(&d, first) ? take_vex(&d, first) : take_opcode(&d, first);

		if (!d.err)
			take_operands(&d, row);
	}
	insn->length = (uint8_t)d.pos;
	return d.err;
}
