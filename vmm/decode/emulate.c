/* The emulator's dispatch and the instructions that are not strings. In each, memory is written before registers and flags
 * change, so that an access which fails leaves the processor's state as it was. Follows SDM 2 "Instruction Set Reference". */
#include "vmm/decode/emulate.h"

#include "kernel/lib/errors.h"
#include "vmm/decode/emulate_access.h"
#include "vmm/decode/emulate_alu.h"

#define RAX 0u
#define RCX 1u
#define RDX 2u
#define RBX 3u
#define RSP 4u

static int64_t sign_extend(uint64_t value, unsigned bytes)
{
	return (int64_t)(value << (64 - 8 * bytes)) >> (64 - 8 * bytes);
}

static int move(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t value;
	int err = emulate_get(e, &o[1], &value);

	return err ? err : emulate_set(e, &o[0], value);
}

/* MOVSX and MOVSXD; MOVZX is a plain move. */
static int move_signed(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t value;
	int err = emulate_get(e, &o[1], &value);

	return err ? err : emulate_set(e, &o[0], (uint64_t)sign_extend(value, o[1].size));
}

static int move_swapped(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t value;
	int err = emulate_get(e, &o[1], &value);

	return err ? err : emulate_set(e, &o[0], alu_byte_swap(value, o[0].size));
}

/* The source is read in any case, and a 32-bit destination has its upper half cleared in any case. */
static int move_if(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	bool holds = alu_condition(e->insn->cond, e->ops->get_rflags(e->ctx));
	uint64_t value;
	uint64_t old;
	int err = emulate_get(e, &o[1], &value);

	if (!err)
		err = emulate_get(e, &o[0], &old);
	return err ? err : emulate_set(e, &o[0], holds ? value : old);
}

static int set_if(const struct emulate *e)
{
	return emulate_set(e, &e->insn->operands[0], alu_condition(e->insn->cond, e->ops->get_rflags(e->ctx)));
}

static int binary(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	enum insn_op op = (enum insn_op)e->insn->op;
	uint64_t rflags;
	uint64_t a;
	uint64_t b;
	int err = emulate_get(e, &o[0], &a);

	if (!err)
		err = emulate_get(e, &o[1], &b);
	if (err)
		return err;
	rflags = e->ops->get_rflags(e->ctx);
	uint64_t result = alu_binary(op, o[0].size, a, b, &rflags);
	if (op != INSN_OP_CMP && op != INSN_OP_TEST)
		err = emulate_set(e, &o[0], result);
	if (!err)
		e->ops->set_rflags(e->ctx, rflags);
	return err;
}

static int unary(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t rflags;
	uint64_t a;
	int err = emulate_get(e, &o[0], &a);

	if (err)
		return err;
	rflags = e->ops->get_rflags(e->ctx);
	err = emulate_set(e, &o[0], alu_unary((enum insn_op)e->insn->op, o[0].size, a, &rflags));
	if (!err)
		e->ops->set_rflags(e->ctx, rflags);
	return err;
}

/* A bit offset in a register reaches beyond the operand in memory, in both directions; an immediate one does not. */
static int bit_test(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	unsigned bytes = o[0].size;
	unsigned bits = 8 * bytes;
	uint64_t rflags = e->ops->get_rflags(e->ctx);
	uint64_t offset;
	uint64_t a;
	int err = emulate_get(e, &o[1], &offset);

	if (err)
		return err;
	unsigned bit = (unsigned)offset & (bits - 1);
	if (o[0].kind != INSN_OPD_MEM) {
		err = emulate_get(e, &o[0], &a);
		if (err)
			return err;
		a = alu_bit((enum insn_op)e->insn->op, bit, a, &rflags);
		if (e->insn->op != INSN_OP_BT)
			err = emulate_set(e, &o[0], a);
	} else {
		int64_t by = o[1].kind == INSN_OPD_IMM ? 0 : (sign_extend(offset, bytes) - (int64_t)bit) / 8;
		uint64_t linear = emulate_operand_linear(e, &o[0], by);

		err = e->ops->read(e->ctx, linear, bytes, &a);
		if (err)
			return err;
		a = alu_bit((enum insn_op)e->insn->op, bit, a, &rflags);
		if (e->insn->op != INSN_OP_BT)
			err = e->ops->write(e->ctx, linear, bytes, a);
	}
	if (!err)
		e->ops->set_rflags(e->ctx, rflags);
	return err;
}

static int exchange(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t a;
	uint64_t b;
	int err = emulate_get(e, &o[0], &a);

	if (!err)
		err = emulate_get(e, &o[1], &b);
	if (!err)
		err = emulate_set(e, &o[0], b);
	return err ? err : emulate_set(e, &o[1], a);
}

/* The source register takes the old destination before the destination takes the sum: they may be one register. */
static int exchange_add(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t rflags = e->ops->get_rflags(e->ctx);
	uint64_t a;
	uint64_t b;
	int err = emulate_get(e, &o[0], &a);

	if (!err)
		err = emulate_get(e, &o[1], &b);
	if (err)
		return err;
	uint64_t sum = alu_binary(INSN_OP_ADD, o[0].size, a, b, &rflags);
	if (o[0].kind == INSN_OPD_MEM) {
		err = emulate_set(e, &o[0], sum);
		if (!err)
			err = emulate_set(e, &o[1], a);
	} else {
		err = emulate_set(e, &o[1], a);
		if (!err)
			err = emulate_set(e, &o[0], sum);
	}
	if (!err)
		e->ops->set_rflags(e->ctx, rflags);
	return err;
}

/* The destination is written in any case: with its old value when the comparison fails. */
static int compare_exchange(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	unsigned bytes = o[0].size;
	uint64_t rflags = e->ops->get_rflags(e->ctx);
	uint64_t old;
	uint64_t src;
	int err = emulate_get(e, &o[0], &old);

	if (!err)
		err = emulate_get(e, &o[1], &src);
	if (err)
		return err;
	bool equal = alu_binary(INSN_OP_CMP, bytes, emulate_get_gpr(e, RAX, bytes), old, &rflags) == 0;
	err = emulate_set(e, &o[0], equal ? src : old);
	if (err)
		return err;
	if (!equal)
		emulate_set_gpr(e, RAX, bytes, old);
	e->ops->set_rflags(e->ctx, rflags);
	return 0;
}

static int compare_exchange_8(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t rflags = e->ops->get_rflags(e->ctx) & ~RFLAGS_ZF;
	uint64_t expected = e->gpr[RDX] << 32 | (uint32_t)e->gpr[RAX];
	uint64_t wanted = e->gpr[RCX] << 32 | (uint32_t)e->gpr[RBX];
	uint64_t old;
	int err = emulate_get(e, &o[0], &old);

	if (!err)
		err = emulate_set(e, &o[0], old == expected ? wanted : old);
	if (err)
		return err;
	if (old == expected) {
		rflags |= RFLAGS_ZF;
	} else {
		emulate_set_gpr(e, RAX, 4, old);
		emulate_set_gpr(e, RDX, 4, old >> 32);
	}
	e->ops->set_rflags(e->ctx, rflags);
	return 0;
}

static uint64_t stack_linear(const struct emulate *e, uint64_t rsp)
{
	uint64_t base = e->insn->mode == INSN_MODE_64 ? 0 : e->ops->segment_base(e->ctx, INSN_SS);

	return insn_linear(e->insn, INSN_SS, rsp, base);
}

static int push(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t rsp = alu_cut(e->gpr[RSP] - e->insn->operand_size, e->stack_bytes);
	uint64_t value;
	int err = o->kind == INSN_OPD_SEG ? ERR_NOSUP : emulate_get(e, o, &value);

	if (!err)
		err = e->ops->write(e->ctx, stack_linear(e, rsp), e->insn->operand_size, value);
	if (!err)
		emulate_set_gpr(e, RSP, e->stack_bytes, rsp);
	return err;
}

/* An address that uses rSP uses it as it is after the pop. */
static int pop(const struct emulate *e)
{
	const struct insn_operand *o = e->insn->operands;
	uint64_t old_rsp = e->gpr[RSP];
	uint64_t rsp = alu_cut(old_rsp, e->stack_bytes);
	uint64_t value;
	int err = o->kind == INSN_OPD_SEG ? ERR_NOSUP
					  : e->ops->read(e->ctx, stack_linear(e, rsp), e->insn->operand_size, &value);

	if (err)
		return err;
	emulate_set_gpr(e, RSP, e->stack_bytes, rsp + e->insn->operand_size);
	err = emulate_set(e, o, value);
	if (err)
		e->gpr[RSP] = old_rsp;
	return err;
}

/* Does executing the instruction need RSP in the register array, or change it? */
bool insn_uses_rsp(const struct insn *insn)
{
	if (insn->op == INSN_OP_PUSH || insn->op == INSN_OP_POP || insn->mem.base == RSP)
		return true;
	for (unsigned i = 0; i < INSN_OPERANDS; i++)
		if (insn->operands[i].kind == INSN_OPD_REG && insn->operands[i].reg == RSP)
			return true;
	return false;
}

/* Executes one instruction, or one iteration of a repeated one.
 * e: see there. The caller moves the instruction pointer over the instruction when 0 is returned.
 * Returns 0; EMULATE_AGAIN; ERR_NOSUP for an instruction that is not emulated (nothing has happened); or what a callback
 * returned: registers and flags are as they were, though earlier accesses of the instruction have been made. */
int insn_emulate(const struct emulate *e)
{
	switch (e->insn->op) {
	case INSN_OP_MOV:
	case INSN_OP_MOVZX:
	case INSN_OP_MOVNTI:
	case INSN_OP_MOVDIRI:
		return move(e);
	case INSN_OP_MOVSX:
	case INSN_OP_MOVSXD:
		return move_signed(e);
	case INSN_OP_MOVBE:
		return move_swapped(e);
	case INSN_OP_CMOVCC:
		return move_if(e);
	case INSN_OP_SETCC:
		return set_if(e);
	case INSN_OP_MOVS:
	case INSN_OP_STOS:
	case INSN_OP_LODS:
	case INSN_OP_CMPS:
	case INSN_OP_SCAS:
		return emulate_string(e);
	case INSN_OP_ADD:
	case INSN_OP_OR:
	case INSN_OP_ADC:
	case INSN_OP_SBB:
	case INSN_OP_AND:
	case INSN_OP_SUB:
	case INSN_OP_XOR:
	case INSN_OP_CMP:
	case INSN_OP_TEST:
		return binary(e);
	case INSN_OP_NOT:
	case INSN_OP_NEG:
	case INSN_OP_INC:
	case INSN_OP_DEC:
		return unary(e);
	case INSN_OP_BT:
	case INSN_OP_BTS:
	case INSN_OP_BTR:
	case INSN_OP_BTC:
		return bit_test(e);
	case INSN_OP_XCHG:
		return exchange(e);
	case INSN_OP_XADD:
		return exchange_add(e);
	case INSN_OP_CMPXCHG:
		return compare_exchange(e);
	case INSN_OP_CMPXCHG8B:
		return compare_exchange_8(e);
	case INSN_OP_PUSH:
		return push(e);
	case INSN_OP_POP:
		return pop(e);
	default:
		return ERR_NOSUP;
	}
}
