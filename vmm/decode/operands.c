/* ModRM, SIB, displacement and immediates, resolved into operands by what a table row says. Follows SDM 2 "Instruction
 * Format" (2.1.5, tables 2-1 to 2-3; 2.2.1 for REX). */
#include "kernel/lib/errors.h"
#include "vmm/decode/decoder.h"

#define REX_W 8u
#define REX_R 4u
#define REX_X 2u
#define REX_B 1u

static unsigned rex_bit(const struct insn *insn, unsigned bit)
{
	return insn->rex & bit ? 8 : 0;
}

static unsigned modrm_mod(const struct insn *insn)
{
	return insn->modrm >> 6;
}

static unsigned modrm_reg(const struct insn *insn)
{
	return (insn->modrm >> 3 & 7) | rex_bit(insn, REX_R);
}

static unsigned modrm_rm(const struct insn *insn)
{
	return insn->modrm & 7;
}

/* --- addressing --- */

static int64_t take_disp(struct decoder *d)
{
	if (modrm_mod(d->insn) == 1)
		return decoder_signed(d, 1);
	if (modrm_mod(d->insn) == 2)
		return decoder_signed(d, d->insn->address_size == 2 ? 2 : 4);
	return 0;
}

static void take_memory_16(struct decoder *d)
{
	static const uint8_t base[8] = {3, 3, 5, 5, 6, 7, 5, 3}; /* BX BX BP BP SI DI BP BX */
	static const uint8_t index[8] = {6, 7, 6, 7, INSN_REG_NONE, INSN_REG_NONE, INSN_REG_NONE, INSN_REG_NONE};
	struct insn_mem *mem = &d->insn->mem;
	unsigned rm = modrm_rm(d->insn);

	if (modrm_mod(d->insn) == 0 && rm == 6) {
		mem->disp = decoder_signed(d, 2);
		return;
	}
	mem->base = base[rm];
	mem->index = index[rm];
	mem->disp = take_disp(d);
}

static void take_sib(struct decoder *d)
{
	struct insn *insn = d->insn;
	struct insn_mem *mem = &insn->mem;
	uint8_t sib = decoder_u8(d);
	unsigned index = (sib >> 3 & 7) | rex_bit(insn, REX_X);

	mem->shift = sib >> 6;
	if (index != 4)
		mem->index = (uint8_t)index;
	if ((sib & 7) == 5 && modrm_mod(insn) == 0) {
		mem->disp = decoder_signed(d, 4);
		return;
	}
	mem->base = (uint8_t)((sib & 7) | rex_bit(insn, REX_B));
	mem->disp = take_disp(d);
}

static void take_memory_32(struct decoder *d)
{
	struct insn *insn = d->insn;
	struct insn_mem *mem = &insn->mem;
	unsigned rm = modrm_rm(insn);

	if (rm == 4) {
		take_sib(d);
		return;
	}
	if (modrm_mod(insn) == 0 && rm == 5) {
		if (insn->mode == INSN_MODE_64)
			mem->base = INSN_REG_RIP;
		mem->disp = decoder_signed(d, 4);
		return;
	}
	mem->base = (uint8_t)(rm | rex_bit(insn, REX_B));
	mem->disp = take_disp(d);
}

static void set_segment(struct decoder *d)
{
	struct insn_mem *mem = &d->insn->mem;

	if (d->segment != INSN_SEG_NONE)
		mem->seg = d->segment;
	else
		mem->seg = mem->base == 4 || mem->base == 5 ? INSN_SS : INSN_DS; /* rSP and rBP, but not r12, r13 */
}

static void take_memory(struct decoder *d)
{
	if (d->insn->address_size == 2)
		take_memory_16(d);
	else
		take_memory_32(d);
	set_segment(d);
}

/* --- operands --- */

static void set(struct insn_operand *o, unsigned kind, unsigned size, unsigned reg)
{
	o->kind = (uint8_t)kind;
	o->size = (uint8_t)size;
	o->reg = (uint8_t)reg;
}

/* Without REX, byte registers 4..7 are AH, CH, DH, BH. */
static void set_reg(const struct insn *insn, struct insn_operand *o, unsigned size, unsigned reg)
{
	if (size == 1 && !insn->rex && reg >= 4 && reg < 8)
		set(o, INSN_OPD_REG_HIGH, 1, reg - 4);
	else
		set(o, INSN_OPD_REG, size, reg);
}

static unsigned size_y(const struct insn *insn)
{
	return insn->rex & REX_W ? 8 : 4;
}

static unsigned size_m(const struct insn *insn)
{
	return insn->mode == INSN_MODE_64 ? 8 : 4;
}

static unsigned size_z(const struct insn *insn)
{
	return insn->operand_size == 2 ? 2 : 4;
}

static void resolve_rm(struct decoder *d, struct insn_operand *o, unsigned reg_size, unsigned mem_size)
{
	if (modrm_mod(d->insn) == 3)
		set_reg(d->insn, o, reg_size, modrm_rm(d->insn) | rex_bit(d->insn, REX_B));
	else
		set(o, INSN_OPD_MEM, mem_size, 0);
}

static void resolve_memory(struct decoder *d, struct insn_operand *o, unsigned size)
{
	if (modrm_mod(d->insn) == 3)
		decoder_fail(d, ERR_FORMAT);
	set(o, INSN_OPD_MEM, size, 0);
}

static void resolve_register(struct decoder *d, struct insn_operand *o, unsigned size)
{
	if (modrm_mod(d->insn) != 3)
		decoder_fail(d, ERR_FORMAT);
	set_reg(d->insn, o, size, modrm_rm(d->insn) | rex_bit(d->insn, REX_B));
}

static void resolve_special(struct decoder *d, struct insn_operand *o, unsigned spec)
{
	unsigned reg = modrm_reg(d->insn);

	if (spec == O_Sw) {
		reg &= 7; /* REX.R does not count */
		if (reg > INSN_GS)
			decoder_fail(d, ERR_FORMAT);
		set(o, INSN_OPD_SEG, 2, reg);
	} else if (spec == O_Cd) {
		if (reg != 0 && reg != 2 && reg != 3 && reg != 4 && reg != 8)
			decoder_fail(d, ERR_FORMAT);
		set(o, INSN_OPD_CR, size_m(d->insn), reg);
	} else {
		if (reg > 7)
			decoder_fail(d, ERR_FORMAT);
		set(o, INSN_OPD_DR, size_m(d->insn), reg);
	}
}

static void resolve_modrm(struct decoder *d, struct insn_operand *o, unsigned spec)
{
	struct insn *insn = d->insn;
	unsigned v = insn->operand_size;

	switch (spec) {
	case O_Eb:
		resolve_rm(d, o, 1, 1);
		break;
	case O_Ew:
		resolve_rm(d, o, 2, 2);
		break;
	case O_Ez:
		resolve_rm(d, o, size_z(insn), size_z(insn));
		break;
	case O_Ev:
		resolve_rm(d, o, v, v);
		break;
	case O_Ey:
		resolve_rm(d, o, size_y(insn), size_y(insn));
		break;
	case O_Em:
		resolve_rm(d, o, size_m(insn), size_m(insn));
		break;
	case O_Ewv:
		resolve_rm(d, o, v, 2);
		break;
	case O_M:
		resolve_memory(d, o, 0);
		break;
	case O_Md:
		resolve_memory(d, o, 4);
		break;
	case O_Mq:
		resolve_memory(d, o, 8);
		break;
	case O_Mo:
		resolve_memory(d, o, 16);
		break;
	case O_Mv:
		resolve_memory(d, o, v);
		break;
	case O_My:
		resolve_memory(d, o, size_y(insn));
		break;
	case O_Mp:
		resolve_memory(d, o, v + 2);
		break;
	case O_Ma:
		resolve_memory(d, o, 2 * v);
		break;
	case O_Rm:
		set_reg(insn, o, size_m(insn), modrm_rm(insn) | rex_bit(insn, REX_B));
		break;
	case O_Ry:
		resolve_register(d, o, size_y(insn));
		break;
	case O_Rv:
		resolve_register(d, o, v);
		break;
	case O_Gb:
		set_reg(insn, o, 1, modrm_reg(insn));
		break;
	case O_Gw:
		set_reg(insn, o, 2, modrm_reg(insn));
		break;
	case O_Gv:
		set_reg(insn, o, v, modrm_reg(insn));
		break;
	case O_Gy:
		set_reg(insn, o, size_y(insn), modrm_reg(insn));
		break;
	case O_Gm:
		set_reg(insn, o, size_m(insn), modrm_reg(insn));
		break;
	case O_Vx:
		set(o, INSN_OPD_SIMD, 0, modrm_reg(insn));
		break;
	case O_Wx:
		if (modrm_mod(insn) == 3)
			set(o, INSN_OPD_SIMD, 0, modrm_rm(insn) | rex_bit(insn, REX_B));
		else
			set(o, INSN_OPD_MEM, 0, 0);
		break;
	default:
		resolve_special(d, o, spec);
	}
}

static void take_immediate(struct decoder *d, struct insn_operand *o, unsigned kind, unsigned read, unsigned size)
{
	d->insn->imm = decoder_signed(d, read);
	set(o, kind, size, 0);
}

static void resolve_immediate(struct decoder *d, struct insn_operand *o, unsigned spec)
{
	struct insn *insn = d->insn;

	switch (spec) {
	case O_Ib:
		take_immediate(d, o, INSN_OPD_IMM, 1, 1);
		insn->imm = (uint8_t)insn->imm;
		break;
	case O_sIb:
		take_immediate(d, o, INSN_OPD_IMM, 1, insn->operand_size);
		break;
	case O_Iw:
		take_immediate(d, o, INSN_OPD_IMM, 2, 2);
		insn->imm = (uint16_t)insn->imm;
		break;
	case O_Ib2:
		insn->imm2 = decoder_u8(d);
		set(o, INSN_OPD_IMM2, 1, 0);
		break;
	case O_Iz:
		take_immediate(d, o, INSN_OPD_IMM, size_z(insn), insn->operand_size);
		break;
	case O_Iv:
		take_immediate(d, o, INSN_OPD_IMM, insn->operand_size, insn->operand_size);
		break;
	case O_1:
		insn->imm = 1;
		set(o, INSN_OPD_IMM, 1, 0);
		break;
	case O_Jb:
		take_immediate(d, o, INSN_OPD_REL, 1, insn->operand_size);
		break;
	case O_Jz:
		take_immediate(d, o, INSN_OPD_REL, size_z(insn), insn->operand_size);
		break;
	default: /* O_Ap */
		take_immediate(d, o, INSN_OPD_FAR, size_z(insn), insn->operand_size);
		insn->imm2 = (uint16_t)decoder_signed(d, 2);
	}
}

/* Memory named by the opcode alone: an absolute offset, or a string register. */
static void resolve_implied_memory(struct decoder *d, struct insn_operand *o, unsigned spec)
{
	struct insn *insn = d->insn;
	unsigned size = spec == O_Ob || spec == O_Xb || spec == O_Yb ? 1 : insn->operand_size;

	if (spec == O_Xz || spec == O_Yz)
		size = size_z(insn);
	if (spec == O_Ob || spec == O_Ov) {
		/* Not an address relative to anything: zero-extended to the address size later. */
		insn->mem.disp = decoder_signed(d, insn->address_size);
		set(o, INSN_OPD_MEM, size, 0);
	} else {
		set(o, spec == O_Xb || spec == O_Xv || spec == O_Xz ? INSN_OPD_STR_SRC : INSN_OPD_STR_DST, size, 0);
	}
	set_segment(d);
}

static void resolve_implied_register(const struct insn *insn, struct insn_operand *o, unsigned spec)
{
	unsigned in_opcode = (insn->opcode & 7) | rex_bit(insn, REX_B);

	switch (spec) {
	case O_AL:
		set(o, INSN_OPD_REG, 1, 0);
		break;
	case O_rAX:
		set(o, INSN_OPD_REG, insn->operand_size, 0);
		break;
	case O_eAX:
		set(o, INSN_OPD_REG, size_z(insn), 0);
		break;
	case O_CL:
		set(o, INSN_OPD_REG, 1, 1);
		break;
	case O_DX:
		set(o, INSN_OPD_REG, 2, 2);
		break;
	case O_Zb:
		set_reg(insn, o, 1, in_opcode);
		break;
	case O_Zv:
		set_reg(insn, o, insn->operand_size, in_opcode);
		break;
	default:
		set(o, INSN_OPD_SEG, 2, spec - O_ES);
	}
}

static void resolve(struct decoder *d, struct insn_operand *o, unsigned spec)
{
	if (spec <= O_LAST_MODRM)
		resolve_modrm(d, o, spec);
	else if (spec <= O_Ap)
		resolve_immediate(d, o, spec);
	else if (spec <= O_Yz)
		resolve_implied_memory(d, o, spec);
	else
		resolve_implied_register(d->insn, o, spec);
}

/* Takes everything behind opcode and ModRM byte, and fills operands, mem and imm. */
void operands_resolve(struct decoder *d, const struct opcode_row *row)
{
	struct insn *insn = d->insn;
	const uint8_t spec[INSN_OPERANDS] = {row->a, row->b, row->c};

	insn->mem.base = INSN_REG_NONE;
	insn->mem.index = INSN_REG_NONE;
	if (insn->has_modrm && modrm_mod(insn) != 3 && row->a != O_Rm && row->b != O_Rm)
		take_memory(d);
	for (unsigned i = 0; i < INSN_OPERANDS && spec[i] != O_NONE; i++)
		resolve(d, &insn->operands[i], spec[i]);
}
