/* Where a decoded instruction's memory operand lies. Follows SDM 1 "Specifying an Offset" and "Address Calculations in 64-Bit
 * Mode". */
#include "vmm/decode/decode.h"

#define RSI 6u
#define RDI 7u

static uint64_t cut(uint64_t value, unsigned bytes)
{
	return bytes == 8 ? value : value & (BIT64(8 * bytes) - 1);
}

bool insn_operand_is_memory(const struct insn_operand *operand)
{
	return operand->kind == INSN_OPD_MEM || operand->kind == INSN_OPD_STR_SRC || operand->kind == INSN_OPD_STR_DST;
}

/* The offset in its segment of a memory operand, for the register-offset forms of BT without the bit offset.
 * operand: one of insn->operands that insn_operand_is_memory().  gpr: all 16, by hardware number (8 suffice outside 64-bit
 * mode); string registers as they stand now.  rip: of the instruction itself.
 * Returns the offset, cut to the address size. */
uint64_t insn_effective_address(const struct insn *insn, const struct insn_operand *operand,
				const uint64_t gpr[INSN_GPR_COUNT], uint64_t rip)
{
	const struct insn_mem *mem = &insn->mem;
	uint64_t address = (uint64_t)mem->disp;

	if (operand->kind == INSN_OPD_STR_SRC)
		return cut(gpr[RSI], insn->address_size);
	if (operand->kind == INSN_OPD_STR_DST)
		return cut(gpr[RDI], insn->address_size);
	if (mem->base == INSN_REG_RIP)
		address += rip + insn->length;
	else if (mem->base != INSN_REG_NONE)
		address += gpr[mem->base];
	if (mem->index != INSN_REG_NONE)
		address += gpr[mem->index] << mem->shift;
	return cut(address, insn->address_size);
}

/* The segment of a memory operand. */
enum insn_seg insn_segment(const struct insn *insn, const struct insn_operand *operand)
{
	return operand->kind == INSN_OPD_STR_DST ? INSN_ES : (enum insn_seg)insn->mem.seg;
}

/* An offset in a segment as a linear address.
 * segment_base: in 64-bit mode used for FS and GS only; any value will do for the others.
 * Segment limits are not checked: the processor did so before it left the guest. */
uint64_t insn_linear(const struct insn *insn, enum insn_seg seg, uint64_t offset, uint64_t segment_base)
{
	if (insn->mode != INSN_MODE_64)
		return cut(offset + segment_base, 4);
	return seg == INSN_FS || seg == INSN_GS ? offset + segment_base : offset;
}
