/* String instructions, one iteration at a time: registers are updated as the processor updates them between iterations, so
 * that a fault or an interrupt can come there. Follows SDM 2 "REP/REPE/REPZ/REPNE/REPNZ". */
#include "kernel/lib/errors.h"
#include "vmm/decode/emulate_access.h"
#include "vmm/decode/emulate_alu.h"

#define RAX 0u
#define RCX 1u
#define RSI 6u
#define RDI 7u

static const struct insn_operand *operand_of_kind(const struct insn *insn, unsigned kind)
{
	return insn->operands[0].kind == kind ? &insn->operands[0] : &insn->operands[1];
}

static void advance(const struct emulate *e, unsigned reg, unsigned bytes, uint64_t rflags)
{
	uint64_t now = emulate_get_gpr(e, reg, e->insn->address_size);

	emulate_set_gpr(e, reg, e->insn->address_size, rflags & RFLAGS_DF ? now - bytes : now + bytes);
}

/* One element. Nothing changes in registers and flags unless every access succeeded. */
static int step(const struct emulate *e, uint64_t *rflags)
{
	const struct insn *insn = e->insn;
	const struct insn_operand *src = operand_of_kind(insn, INSN_OPD_STR_SRC);
	const struct insn_operand *dst = operand_of_kind(insn, INSN_OPD_STR_DST);
	unsigned bytes = insn->operands[0].size;
	bool uses_src = insn->op != INSN_OP_STOS && insn->op != INSN_OP_SCAS;
	bool uses_dst = insn->op != INSN_OP_LODS;
	bool compares = insn->op == INSN_OP_CMPS || insn->op == INSN_OP_SCAS;
	uint64_t a = emulate_get_gpr(e, RAX, bytes);
	uint64_t b = 0;
	int err = 0;

	if (uses_src)
		err = emulate_get(e, src, &a);
	if (!err && compares)
		err = emulate_get(e, dst, &b);
	else if (!err && uses_dst)
		err = emulate_set(e, dst, a);
	if (err)
		return err;
	if (compares)
		(void)alu_binary(INSN_OP_CMP, bytes, a, b, rflags);
	if (insn->op == INSN_OP_LODS)
		emulate_set_gpr(e, RAX, bytes, a);
	if (uses_src)
		advance(e, RSI, bytes, *rflags);
	if (uses_dst)
		advance(e, RDI, bytes, *rflags);
	return 0;
}

static bool goes_on(const struct insn *insn, uint64_t count, uint64_t rflags)
{
	bool zero = (rflags & RFLAGS_ZF) != 0;

	if (count == 0)
		return false;
	if (insn->op != INSN_OP_CMPS && insn->op != INSN_OP_SCAS)
		return true;
	return zero == ((insn->prefixes & INSN_PREFIX_REP) != 0);
}

/* MOVS, STOS, LODS, CMPS, SCAS. Returns 0, EMULATE_AGAIN, or an access's error. */
int emulate_string(const struct emulate *e)
{
	const struct insn *insn = e->insn;
	bool repeated = (insn->prefixes & (INSN_PREFIX_REP | INSN_PREFIX_REPNE)) != 0;
	bool compares = insn->op == INSN_OP_CMPS || insn->op == INSN_OP_SCAS;
	uint64_t rflags = e->ops->get_rflags(e->ctx);
	uint64_t count = emulate_get_gpr(e, RCX, insn->address_size);

	if (repeated && count == 0)
		return 0;
	int err = step(e, &rflags);
	if (err)
		return err;
	if (compares)
		e->ops->set_rflags(e->ctx, rflags);
	if (!repeated)
		return 0;
	emulate_set_gpr(e, RCX, insn->address_size, --count);
	return goes_on(insn, count, rflags) ? EMULATE_AGAIN : 0;
}
