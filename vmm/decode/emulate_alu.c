/* Results and flags. Where the manual leaves a flag undefined, it is cleared (AF after logic) or kept (after bit tests), as
 * the processors at hand do. Follows SDM 1 "Status Flags" and SDM 2 "Instruction Set Reference". */
#include "vmm/decode/emulate_alu.h"

static uint64_t sign_bit(unsigned bytes)
{
	return BIT64(8 * bytes - 1);
}

/* PF speaks of the lowest byte only: set when it has an even number of ones. */
static uint64_t flags_of_result(uint64_t result, unsigned bytes)
{
	unsigned low = (unsigned)result & 0xff;
	uint64_t flags = 0;

	low ^= low >> 4;
	if (!(0x6996u >> (low & 15) & 1))
		flags |= RFLAGS_PF;
	if (result == 0)
		flags |= RFLAGS_ZF;
	if (result & sign_bit(bytes))
		flags |= RFLAGS_SF;
	return flags;
}

static void set_status(uint64_t *rflags, uint64_t status)
{
	*rflags = (*rflags & ~RFLAGS_STATUS) | status;
}

static uint64_t add(unsigned bytes, uint64_t a, uint64_t b, uint64_t carry, uint64_t *rflags)
{
	uint64_t r = alu_cut(a + b + carry, bytes);
	uint64_t carries = (a & b) | ((a | b) & ~r); /* out of each bit */
	uint64_t status = flags_of_result(r, bytes);

	if (carries & sign_bit(bytes))
		status |= RFLAGS_CF;
	if (carries & 8)
		status |= RFLAGS_AF;
	if ((a ^ r) & (b ^ r) & sign_bit(bytes))
		status |= RFLAGS_OF;
	set_status(rflags, status);
	return r;
}

static uint64_t subtract(unsigned bytes, uint64_t a, uint64_t b, uint64_t borrow, uint64_t *rflags)
{
	uint64_t r = alu_cut(a - b - borrow, bytes);
	uint64_t borrows = (~a & b) | ((~a | b) & r); /* into each bit */
	uint64_t status = flags_of_result(r, bytes);

	if (borrows & sign_bit(bytes))
		status |= RFLAGS_CF;
	if (borrows & 8)
		status |= RFLAGS_AF;
	if ((a ^ b) & (a ^ r) & sign_bit(bytes))
		status |= RFLAGS_OF;
	set_status(rflags, status);
	return r;
}

static uint64_t logic(unsigned bytes, uint64_t r, uint64_t *rflags)
{
	set_status(rflags, flags_of_result(r, bytes));
	return r;
}

/* ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST. a and b are cut to bytes. Returns the result (for CMP and TEST too). */
uint64_t alu_binary(enum insn_op op, unsigned bytes, uint64_t a, uint64_t b, uint64_t *rflags)
{
	uint64_t carry = *rflags & RFLAGS_CF;

	switch (op) {
	case INSN_OP_ADD:
		return add(bytes, a, b, 0, rflags);
	case INSN_OP_ADC:
		return add(bytes, a, b, carry, rflags);
	case INSN_OP_SBB:
		return subtract(bytes, a, b, carry, rflags);
	case INSN_OP_SUB:
	case INSN_OP_CMP:
		return subtract(bytes, a, b, 0, rflags);
	case INSN_OP_OR:
		return logic(bytes, a | b, rflags);
	case INSN_OP_XOR:
		return logic(bytes, a ^ b, rflags);
	default: /* AND, TEST */
		return logic(bytes, a & b, rflags);
	}
}

/* NOT, NEG, INC, DEC. a is cut to bytes. */
uint64_t alu_unary(enum insn_op op, unsigned bytes, uint64_t a, uint64_t *rflags)
{
	uint64_t carry = *rflags & RFLAGS_CF;
	uint64_t r;

	switch (op) {
	case INSN_OP_NOT:
		return alu_cut(~a, bytes);
	case INSN_OP_NEG:
		return subtract(bytes, 0, a, 0, rflags);
	case INSN_OP_INC:
		r = add(bytes, a, 1, 0, rflags);
		break;
	default: /* DEC */
		r = subtract(bytes, a, 1, 0, rflags);
		break;
	}
	*rflags = (*rflags & ~RFLAGS_CF) | carry; /* INC and DEC leave the carry alone */
	return r;
}

/* BT, BTS, BTR, BTC on one bit of a. */
uint64_t alu_bit(enum insn_op op, unsigned bit, uint64_t a, uint64_t *rflags)
{
	uint64_t mask = BIT64(bit);

	*rflags = (*rflags & ~RFLAGS_CF) | (a & mask ? RFLAGS_CF : 0);
	switch (op) {
	case INSN_OP_BTS:
		return a | mask;
	case INSN_OP_BTR:
		return a & ~mask;
	case INSN_OP_BTC:
		return a ^ mask;
	default:
		return a;
	}
}

uint64_t alu_byte_swap(uint64_t value, unsigned bytes)
{
	uint64_t r = 0;

	for (unsigned i = 0; i < bytes; i++)
		r |= (value >> (8 * i) & 0xff) << (8 * (bytes - 1 - i));
	return r;
}

/* Does the condition of Jcc, SETcc, CMOVcc hold? Its lowest bit inverts it. */
bool alu_condition(unsigned cond, uint64_t rflags)
{
	bool sign_differs = ((rflags & RFLAGS_SF) != 0) != ((rflags & RFLAGS_OF) != 0);
	bool holds;

	switch (cond >> 1) {
	case 0:
		holds = (rflags & RFLAGS_OF) != 0;
		break;
	case 1:
		holds = (rflags & RFLAGS_CF) != 0;
		break;
	case 2:
		holds = (rflags & RFLAGS_ZF) != 0;
		break;
	case 3:
		holds = (rflags & (RFLAGS_CF | RFLAGS_ZF)) != 0;
		break;
	case 4:
		holds = (rflags & RFLAGS_SF) != 0;
		break;
	case 5:
		holds = (rflags & RFLAGS_PF) != 0;
		break;
	case 6:
		holds = sign_differs;
		break;
	default:
		holds = sign_differs || (rflags & RFLAGS_ZF);
	}
	return holds != (cond & 1);
}
