/* Operands as values: registers with their partial-write rules (SDM 1 "General-Purpose Registers in 64-Bit Mode"), memory
 * through the caller's callbacks. */
#include "vmm/decode/emulate_access.h"

#include "kernel/lib/errors.h"
#include "vmm/decode/emulate_alu.h"

uint64_t emulate_get_gpr(const struct emulate *e, unsigned reg, unsigned bytes)
{
	return alu_cut(e->gpr[reg], bytes);
}

/* A 32-bit write clears the upper half; 8- and 16-bit writes leave the rest alone. */
void emulate_set_gpr(const struct emulate *e, unsigned reg, unsigned bytes, uint64_t value)
{
	if (bytes == 8)
		e->gpr[reg] = value;
	else if (bytes == 4)
		e->gpr[reg] = (uint32_t)value;
	else
		e->gpr[reg] = (e->gpr[reg] & ~(BIT64(8 * bytes) - 1)) | alu_cut(value, bytes);
}

uint64_t emulate_operand_linear(const struct emulate *e, const struct insn_operand *o, int64_t offset_by)
{
	const struct insn *insn = e->insn;
	uint64_t offset = insn_effective_address(insn, o, e->gpr, e->rip) + (uint64_t)offset_by;
	enum insn_seg seg = insn_segment(insn, o);
	uint64_t base = 0;

	if (insn->mode != INSN_MODE_64 || seg == INSN_FS || seg == INSN_GS)
		base = e->ops->segment_base(e->ctx, seg);
	return insn_linear(insn, seg, alu_cut(offset, insn->address_size), base);
}

/* The value of an operand, cut to its size. Returns 0, ERR_NOSUP for what has no value here, or the callback's error. */
int emulate_get(const struct emulate *e, const struct insn_operand *o, uint64_t *value)
{
	switch (o->kind) {
	case INSN_OPD_REG:
		*value = emulate_get_gpr(e, o->reg, o->size);
		return 0;
	case INSN_OPD_REG_HIGH:
		*value = e->gpr[o->reg] >> 8 & 0xff;
		return 0;
	case INSN_OPD_IMM:
		*value = alu_cut((uint64_t)e->insn->imm, o->size);
		return 0;
	case INSN_OPD_MEM:
	case INSN_OPD_STR_SRC:
	case INSN_OPD_STR_DST:
		return e->ops->read(e->ctx, emulate_operand_linear(e, o, 0), o->size, value);
	default:
		return ERR_NOSUP;
	}
}

/* Writes a result, cut to the operand's size. Returns as emulate_get(). */
int emulate_set(const struct emulate *e, const struct insn_operand *o, uint64_t value)
{
	switch (o->kind) {
	case INSN_OPD_REG:
		emulate_set_gpr(e, o->reg, o->size, value);
		return 0;
	case INSN_OPD_REG_HIGH:
		e->gpr[o->reg] = (e->gpr[o->reg] & ~0xff00ull) | (value & 0xff) << 8;
		return 0;
	case INSN_OPD_MEM:
	case INSN_OPD_STR_SRC:
	case INSN_OPD_STR_DST:
		return e->ops->write(e->ctx, emulate_operand_linear(e, o, 0), o->size, alu_cut(value, o->size));
	default:
		return ERR_NOSUP;
	}
}
