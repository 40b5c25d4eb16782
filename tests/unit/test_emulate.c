/* The emulator against the processor under the test: the same bytes, registers, flags and memory, compared afterwards. Then
 * what only a hypervisor sees: accesses that fail, 16- and 32-bit modes, the order of accesses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cpuid.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "tests/fake/native_cpu.h"
#include "vmm/decode/disasm.h"
#include "vmm/decode/emulate.h"
#include "vmm/decode/emulate_alu.h"

#define FAILED (-77)

static uint8_t *const arena = (uint8_t *)(uintptr_t)NATIVE_ARENA;

struct run {
	uint64_t rflags;
	uint64_t segment[INSN_SEG_COUNT];
	unsigned fail_at; /* the access with this number fails, from 1 */
	unsigned accesses;
	uint64_t last_linear;
};

static uint8_t *place(uint64_t linear, unsigned bytes)
{
	assert_true(linear >= NATIVE_ARENA && linear + bytes <= NATIVE_ARENA + NATIVE_ARENA_BYTES);
	return arena + (linear - NATIVE_ARENA);
}

static int run_read(void *ctx, uint64_t linear, unsigned bytes, uint64_t *value)
{
	struct run *r = ctx;

	r->last_linear = linear;
	if (++r->accesses == r->fail_at)
		return FAILED;
	*value = 0;
	memcpy(value, place(linear, bytes), bytes);
	return 0;
}

static int run_write(void *ctx, uint64_t linear, unsigned bytes, uint64_t value)
{
	struct run *r = ctx;

	r->last_linear = linear;
	if (++r->accesses == r->fail_at)
		return FAILED;
	if (bytes < 8)
		assert_int_equal(value >> (8 * bytes), 0);
	memcpy(place(linear, bytes), &value, bytes);
	return 0;
}

static uint64_t run_segment(void *ctx, enum insn_seg seg)
{
	return ((struct run *)ctx)->segment[seg];
}

static uint64_t run_get_rflags(void *ctx)
{
	return ((struct run *)ctx)->rflags;
}

static void run_set_rflags(void *ctx, uint64_t rflags)
{
	((struct run *)ctx)->rflags = rflags;
}

static const struct emulate_ops ops = {run_read, run_write, run_segment, run_get_rflags, run_set_rflags};

/* --- forms --- */

enum {
	T_REG = 1 << 0,   /* ModRM reg is a register: any */
	T_W = 1 << 1,     /* opcode bit 0: byte or full size */
	T_BYTE = 1 << 2,  /* byte operands only, and no size prefixes */
	T_STACK = 1 << 3, /* PUSH, POP */
	T_STRING = 1 << 4,
	T_BIT = 1 << 5,   /* a bit offset in a register */
	T_MOVBE = 1 << 6, /* only where CPUID has it */
	T_WIDE = 1 << 7,  /* 32 or 64 bits only */
	T_MOFFS = 1 << 8,
	T_ACC = 1 << 9, /* compares with the accumulator: let it match now and then */
	T_LOCKABLE = 1 << 10,
};

struct form {
	uint8_t opcode[3];
	uint8_t opcode_bytes;
	uint8_t ext; /* ModRM reg without T_REG */
	uint8_t imm; /* bytes; 4: 2 with 16-bit operands, 1 with byte operands by T_W */
	unsigned flags;
	uint64_t undefined; /* flags the manual leaves open */
};

#define BIT_UNDEFINED (RFLAGS_OF | RFLAGS_SF | RFLAGS_AF | RFLAGS_PF)
#define ARITH(n, lock, u)                                                                                              \
	{{(n) << 3}, 1, 0, 0, T_REG | T_W | (lock), u}, {{(n) << 3 | 2}, 1, 0, 0, T_REG | T_W, u},                     \
		{{0x80}, 1, n, 4, T_W | (lock), u},                                                                    \
	{                                                                                                              \
		{0x83}, 1, n, 1, lock, u                                                                               \
	}
#define BITS(reg_op, n, lock)                                                                                          \
	{{0x0f, reg_op}, 2, 0, 0, T_REG | T_BIT | (lock), BIT_UNDEFINED},                                              \
	{                                                                                                              \
		{0x0f, 0xba}, 2, n, 1, lock, BIT_UNDEFINED                                                             \
	}

static const struct form forms[] = {
	ARITH(0, T_LOCKABLE, 0),
	ARITH(1, T_LOCKABLE, RFLAGS_AF),
	ARITH(2, T_LOCKABLE, 0),
	ARITH(3, T_LOCKABLE, 0),
	ARITH(4, T_LOCKABLE, RFLAGS_AF),
	ARITH(5, T_LOCKABLE, 0),
	ARITH(6, T_LOCKABLE, RFLAGS_AF),
	ARITH(7, 0, 0),
	{{0x84}, 1, 0, 0, T_REG | T_W, RFLAGS_AF},
	{{0xf6}, 1, 0, 4, T_W, RFLAGS_AF},
	{{0xf6}, 1, 2, 0, T_W | T_LOCKABLE, 0},
	{{0xf6}, 1, 3, 0, T_W | T_LOCKABLE, 0},
	{{0xfe}, 1, 0, 0, T_W | T_LOCKABLE, 0},
	{{0xfe}, 1, 1, 0, T_W | T_LOCKABLE, 0},
	{{0x86}, 1, 0, 0, T_REG | T_W | T_LOCKABLE, 0},
	{{0x88}, 1, 0, 0, T_REG | T_W, 0},
	{{0x8a}, 1, 0, 0, T_REG | T_W, 0},
	{{0xc6}, 1, 0, 4, T_W, 0},
	{{0xa0}, 1, 0, 0, T_MOFFS | T_W, 0},
	{{0xa2}, 1, 0, 0, T_MOFFS | T_W, 0},
	{{0x63}, 1, 0, 0, T_REG, 0},
	{{0x0f, 0xb6}, 2, 0, 0, T_REG, 0},
	{{0x0f, 0xb7}, 2, 0, 0, T_REG, 0},
	{{0x0f, 0xbe}, 2, 0, 0, T_REG, 0},
	{{0x0f, 0xbf}, 2, 0, 0, T_REG, 0},
	{{0x0f, 0x38, 0xf0}, 3, 0, 0, T_REG | T_MOVBE, 0},
	{{0x0f, 0x38, 0xf1}, 3, 0, 0, T_REG | T_MOVBE, 0},
	{{0x0f, 0xc3}, 2, 0, 0, T_REG | T_WIDE, 0},
	{{0x0f, 0x40}, 2, 0, 0, T_REG, 0}, /* condition: random, below */
	{{0x0f, 0x90}, 2, 0, 0, T_BYTE, 0},
	{{0x0f, 0xb0}, 2, 0, 0, T_REG | T_W | T_ACC | T_LOCKABLE, 0},
	{{0x0f, 0xc0}, 2, 0, 0, T_REG | T_W | T_LOCKABLE, 0},
	{{0x0f, 0xc7}, 2, 1, 0, T_BYTE | T_ACC | T_LOCKABLE, 0},
	BITS(0xa3, 4, 0),
	BITS(0xab, 5, T_LOCKABLE),
	BITS(0xb3, 6, T_LOCKABLE),
	BITS(0xbb, 7, T_LOCKABLE),
	{{0xff}, 1, 6, 0, T_STACK, 0},
	{{0x8f}, 1, 0, 0, T_STACK, 0},
	{{0xa4}, 1, 0, 0, T_STRING | T_W, 0},
	{{0xa6}, 1, 0, 0, T_STRING | T_W, 0},
	{{0xaa}, 1, 0, 0, T_STRING | T_W, 0},
	{{0xac}, 1, 0, 0, T_STRING | T_W, 0},
	{{0xae}, 1, 0, 0, T_STRING | T_W, 0},
};

static bool host_has_movbe;

static uint64_t rnd(uint64_t n)
{
	return ((uint64_t)random() << 31 | (uint64_t)random()) % n;
}

static uint64_t random64(void)
{
	/* Often near a border, where carries and signs change. */
	static const uint64_t edges[] = {0,      1,      0x7f,       0x80,       0xff,      0x7fff,
					 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff};
	uint64_t v = rnd(3) ? (uint64_t)random() << 42 ^ (uint64_t)random() << 21 ^ (uint64_t)random() : edges[rnd(11)];

	return rnd(4) ? v : ~v;
}

/* Quicker than random(), for whole pages. */
static void fill_arena(void)
{
	uint64_t x = random64() | 1;

	for (unsigned i = 0; i < NATIVE_ARENA_BYTES; i += 8) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(arena + i, &x, 8);
	}
}

struct trial {
	const struct form *form;
	uint8_t bytes[INSN_MAX_LENGTH];
	unsigned length;
	unsigned rip_disp_at; /* where a displacement relative to the next instruction stands; 0: there is none */
	struct insn insn;
	struct native_state before;
};

static void emit(struct trial *t, unsigned byte)
{
	assert_true(t->length < INSN_MAX_LENGTH);
	t->bytes[t->length++] = (uint8_t)byte;
}

static void emit_number(struct trial *t, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		emit(t, (unsigned)(value >> (8 * i)) & 0xff);
}

/* A memory operand of any shape. */
static void emit_modrm(struct trial *t, unsigned reg)
{
	unsigned mod = (unsigned)rnd(3);
	unsigned rm = (unsigned)rnd(8);
	unsigned sib = (unsigned)rnd(256);

	emit(t, mod << 6 | reg << 3 | rm);
	if (rm == 4)
		emit(t, sib);
	if (mod == 1)
		emit_number(t, rnd(256), 1);
	else if (mod == 2)
		emit_number(t, rnd(0x1000) - 0x800, 4);
	else if (rm == 5 || (rm == 4 && (sib & 7) == 5)) {
		t->rip_disp_at = rm == 5 ? t->length : 0;
		emit_number(t, NATIVE_ARENA + 0xf00, 4);
	}
}

static void emit_prefixes(struct trial *t, unsigned *rex)
{
	unsigned flags = t->form->flags;

	if ((flags & T_LOCKABLE) && rnd(4) == 0)
		emit(t, 0xf0);
	if ((flags & T_STRING) && rnd(4))
		emit(t, rnd(2) ? 0xf3 : 0xf2);
	if (rnd(4) == 0 && !(flags & T_MOFFS))
		emit(t, 0x67);
	if (!(flags & (T_BYTE | T_WIDE)) && rnd(3) == 0)
		emit(t, 0x66);
	*rex = rnd(2) ? 0x40 | (unsigned)rnd(16) : 0;
	if (flags & T_BYTE)
		*rex &= ~8u;
	if (*rex)
		emit(t, *rex);
}

static unsigned immediate_bytes(const struct trial *t, unsigned opcode, unsigned rex)
{
	if (t->form->imm != 4)
		return t->form->imm;
	if ((t->form->flags & T_W) && !(opcode & 1))
		return 1;
	for (unsigned i = 0; i < t->length && t->bytes[i] != 0x0f; i++)
		if (t->bytes[i] == 0x66 && !(rex & 8))
			return 2;
	return 4;
}

static void make_bytes(struct trial *t)
{
	const struct form *f = t->form;
	unsigned rex;
	unsigned prefix_end;

	t->length = 0;
	t->rip_disp_at = 0;
	emit_prefixes(t, &rex);
	prefix_end = t->length;
	for (unsigned i = 0; i < f->opcode_bytes; i++)
		emit(t, f->opcode[i]);
	uint8_t *last = &t->bytes[t->length - 1];
	if ((f->flags & T_W) && rnd(3))
		*last |= 1;
	if (f->opcode_bytes == 2 && (*last == 0x40 || *last == 0x90))
		*last = (uint8_t)(*last + rnd(16));
	unsigned opcode = *last;
	if (f->flags & T_STRING)
		return;
	if (f->flags & T_MOFFS) {
		emit_number(t, NATIVE_ARENA + 0xf00 + rnd(0x200), 8);
		return;
	}
	emit_modrm(t, f->flags & T_REG ? (unsigned)rnd(8) : f->ext);
	unsigned opcode_end = t->length;
	t->length = prefix_end;
	unsigned imm = immediate_bytes(t, opcode, rex);
	t->length = opcode_end;
	emit_number(t, random64(), imm);
}

/* Chooses base and index, or the displacement, so that the operand lies in the arena's middle. False: this shape cannot. */
static bool aim_operand(struct trial *t, const struct insn_operand *o)
{
	struct native_state *s = &t->before;
	const struct insn_mem *mem = &t->insn.mem;
	/* A locked access that crosses a cache line is legal, but kernels punish it with milliseconds. */
	uint64_t align = t->form->flags & T_LOCKABLE ? 8 : 1;
	uint64_t want = NATIVE_ARENA + 0xf00 + rnd(0x200) / align * align;

	if (mem->index != INSN_REG_NONE && mem->index == mem->base)
		return false;
	if (mem->index != INSN_REG_NONE)
		s->gpr[mem->index] = rnd(32) * align;
	if (t->rip_disp_at) {
		uint32_t disp = (uint32_t)(want - (native_insn_address() + t->length));

		memcpy(&t->bytes[t->rip_disp_at], &disp, sizeof(disp));
	} else if (mem->base != INSN_REG_NONE) {
		s->gpr[mem->base] += want - insn_effective_address(&t->insn, o, s->gpr, 0);
		if (t->insn.address_size == 4)
			s->gpr[mem->base] |= rnd(2) << 40; /* must not count */
	}
	return true;
}

static bool uses_in_address(const struct insn *insn, unsigned reg)
{
	return insn->mem.base == reg || insn->mem.index == reg;
}

static bool aim_stack(struct trial *t)
{
	uint64_t want = NATIVE_ARENA + 0x200 + 2 * rnd(0x80);

	if (t->insn.mem.base == 4)
		return t->insn.address_size == 8; /* the operand's own aim is good enough */
	t->before.gpr[4] = want;
	return true;
}

static void aim_string(struct trial *t)
{
	uint64_t count = rnd(8);
	/* With a count of 0, processors differ in whether they clear upper halves; there is no access then anyway. */
	uint64_t high = t->insn.address_size == 4 && count ? rnd(2) << 33 : 0;

	t->before.gpr[1] = count | high;
	t->before.gpr[6] = (NATIVE_ARENA + 0x400 + rnd(0x100)) | high;
	t->before.gpr[7] = (NATIVE_ARENA + 0x800 + rnd(0x100)) | high;
	if (rnd(2))
		memset(arena, (int)rnd(2), NATIVE_ARENA_BYTES); /* so that comparisons go on */
	if (rnd(2))
		t->before.gpr[0] = 0;
}

static const struct insn_operand *memory_operand(const struct insn *insn)
{
	return insn_operand_is_memory(&insn->operands[0]) ? &insn->operands[0] : &insn->operands[1];
}

static bool decode_trial(struct trial *t)
{
	return insn_decode(t->bytes, t->length, INSN_MODE_64, &t->insn) == 0 && t->insn.length == t->length;
}

static void match_accumulator(struct trial *t)
{
	uint64_t linear =
		insn_effective_address(&t->insn, memory_operand(&t->insn), t->before.gpr, native_insn_address());
	uint64_t value;

	if (uses_in_address(&t->insn, 0) || uses_in_address(&t->insn, 2))
		return;
	memcpy(&value, place(linear, 8), 8);
	t->before.gpr[0] = t->insn.op == INSN_OP_CMPXCHG8B ? (uint32_t)value | 1ull << 50 : value;
	if (t->insn.op == INSN_OP_CMPXCHG8B)
		t->before.gpr[2] = value >> 32;
}

/* An instruction with registers, flags and memory to run it on. False: try another. */
static bool make_trial(struct trial *t)
{
	static const uint64_t flags = RFLAGS_STATUS | RFLAGS_DF;

	t->form = &forms[rnd(ARRAY_LEN(forms))];
	if ((t->form->flags & T_MOVBE) && !host_has_movbe)
		return false;
	make_bytes(t);
	assert_true(decode_trial(t));
	for (unsigned i = 0; i < 16; i++)
		t->before.gpr[i] = random64();
	fill_arena();
	t->before.rflags = (random64() & flags) | 0x202;
	if (t->form->flags & T_STRING) {
		aim_string(t);
		return true;
	}
	if ((t->form->flags & T_BIT) && !uses_in_address(&t->insn, t->insn.operands[1].reg))
		t->before.gpr[t->insn.operands[1].reg] = rnd(0x1000) - 0x800;
	else if (t->form->flags & T_BIT)
		return false;
	if (!(t->form->flags & T_MOFFS) && !aim_operand(t, memory_operand(&t->insn)))
		return false;
	assert_true(decode_trial(t)); /* the displacement may be another now */
	if ((t->form->flags & T_STACK) && !aim_stack(t))
		return false;
	if ((t->form->flags & T_ACC) && rnd(2))
		match_accumulator(t);
	return true;
}

static int emulate_all(struct trial *t, struct native_state *s, struct run *r)
{
	const struct emulate e = {
		.insn = &t->insn, .gpr = s->gpr, .rip = native_insn_address(), .stack_bytes = 8, .ops = &ops, .ctx = r};
	int err;

	r->rflags = s->rflags;
	do
		err = insn_emulate(&e);
	while (err == EMULATE_AGAIN);
	s->rflags = r->rflags;
	return err;
}

static void report(const struct trial *t, const struct native_state *want, const struct native_state *got)
{
	char text[DISASM_TEXT];

	insn_format(&t->insn, native_insn_address(), text);
	print_error("%s\n", text);
	for (unsigned i = 0; i < 16; i++)
		if (want->gpr[i] != got->gpr[i])
			print_error("  gpr %u: before %llx, processor %llx, emulator %llx\n", i,
				    (unsigned long long)t->before.gpr[i], (unsigned long long)want->gpr[i],
				    (unsigned long long)got->gpr[i]);
	print_error("  rflags: before %llx, processor %llx, emulator %llx\n", (unsigned long long)t->before.rflags,
		    (unsigned long long)want->rflags, (unsigned long long)got->rflags);
}

static void test_against_processor(void **state)
{
	static uint8_t memory_before[NATIVE_ARENA_BYTES];
	static uint8_t memory_after[NATIVE_ARENA_BYTES];
	unsigned per_form[ARRAY_LEN(forms)] = {0};

	(void)state;
	srandom(3);
	for (unsigned n = 0; n < 30000;) {
		struct trial t;
		struct run r = {0};

		if (!make_trial(&t))
			continue;
		struct native_state native = t.before;
		struct native_state ours = t.before;
		memcpy(memory_before, arena, NATIVE_ARENA_BYTES);
		native_run(t.bytes, t.length, &native);
		memcpy(memory_after, arena, NATIVE_ARENA_BYTES);
		memcpy(arena, memory_before, NATIVE_ARENA_BYTES);
		assert_int_equal(emulate_all(&t, &ours, &r), 0);

		uint64_t defined = (RFLAGS_STATUS | RFLAGS_DF) & ~t.form->undefined;
		if (memcmp(native.gpr, ours.gpr, sizeof(ours.gpr)) || ((native.rflags ^ ours.rflags) & defined) ||
		    memcmp(arena, memory_after, NATIVE_ARENA_BYTES)) {
			report(&t, &native, &ours);
			fail();
		}
		per_form[t.form - forms]++;
		n++;
	}
	/* Each form had its share. */
	for (size_t i = 0; i < ARRAY_LEN(forms); i++)
		if (host_has_movbe || !(forms[i].flags & T_MOVBE))
			assert_true(per_form[i] > 100);
}

/* Whichever access fails, the error comes back, and registers and flags are as before (for strings: as after the last
 * whole iteration, which only the first one here is not). */
static void test_failing_access(void **state)
{
	(void)state;
	srandom(4);
	for (unsigned n = 0; n < 10000; n++) {
		struct trial t;

		if (!make_trial(&t))
			continue;
		for (unsigned at = 1; at <= 2; at++) {
			struct run r = {.fail_at = at, .rflags = t.before.rflags};
			struct native_state ours = t.before;
			const struct emulate e = {.insn = &t.insn,
						  .gpr = ours.gpr,
						  .rip = native_insn_address(),
						  .stack_bytes = 8,
						  .ops = &ops,
						  .ctx = &r};
			int err = insn_emulate(&e);

			if (r.accesses < at)
				continue;
			assert_int_equal(err, FAILED);
			assert_memory_equal(ours.gpr, t.before.gpr, sizeof(ours.gpr));
			assert_int_equal(r.rflags, t.before.rflags);
		}
	}
}

/* --- by hand --- */

static uint64_t gpr[16];

static int execute(enum insn_mode mode, const char *bytes, size_t count, struct run *r, unsigned stack_bytes)
{
	struct insn insn;
	const struct emulate e = {
		.insn = &insn, .gpr = gpr, .rip = 0x1000, .stack_bytes = stack_bytes, .ops = &ops, .ctx = r};

	assert_int_equal(insn_decode((const uint8_t *)bytes, count, mode, &insn), 0);
	assert_int_equal(insn.length, count);
	return insn_emulate(&e);
}

/* One iteration a call, registers as between iterations: the guest may be interrupted there. */
static void test_repeat_steps(void **state)
{
	struct run r = {0};

	(void)state;
	memset(arena, 0x11, 16);
	memset(arena + 64, 0, 16);
	memset(gpr, 0, sizeof(gpr));
	gpr[1] = 3;
	gpr[6] = NATIVE_ARENA;
	gpr[7] = NATIVE_ARENA + 64;
	assert_int_equal(execute(INSN_MODE_64, "\xf3\xa5", 2, &r, 8), EMULATE_AGAIN);
	assert_int_equal(gpr[1], 2);
	assert_int_equal(gpr[6], NATIVE_ARENA + 4);
	assert_int_equal(gpr[7], NATIVE_ARENA + 68);
	assert_int_equal(arena[67], 0x11);
	assert_int_equal(arena[68], 0);
	assert_int_equal(execute(INSN_MODE_64, "\xf3\xa5", 2, &r, 8), EMULATE_AGAIN);
	assert_int_equal(execute(INSN_MODE_64, "\xf3\xa5", 2, &r, 8), 0);
	assert_int_equal(gpr[1], 0);
	assert_int_equal(execute(INSN_MODE_64, "\xf3\xa5", 2, &r, 8), 0); /* nothing to do: no access */
	assert_int_equal(r.accesses, 6);
	assert_int_equal(gpr[7], NATIVE_ARENA + 76);
}

/* 16-bit addresses wrap in the segment; only the low halves of SI, DI, CX move; bases are added. */
static void test_16bit_string(void **state)
{
	struct run r = {0};

	(void)state;
	r.segment[INSN_ES] = NATIVE_ARENA;
	r.segment[INSN_FS] = NATIVE_ARENA + 0x100;
	memset(gpr, 0, sizeof(gpr));
	gpr[1] = 0xaaaa0002;
	gpr[6] = 0x12340001;
	gpr[7] = 0x56780000;
	r.rflags = RFLAGS_DF;
	arena[0x101] = 0x5a;
	assert_int_equal(execute(INSN_MODE_16, "\xf3\x64\xa4", 3, &r, 2), EMULATE_AGAIN);
	assert_int_equal(arena[0], 0x5a);
	assert_int_equal(gpr[1], 0xaaaa0001);
	assert_int_equal(gpr[6], 0x12340000);
	assert_int_equal(gpr[7], 0x5678ffff);
}

static void test_16bit_stack(void **state)
{
	struct run r = {0};

	(void)state;
	r.segment[INSN_SS] = NATIVE_ARENA;
	r.segment[INSN_DS] = NATIVE_ARENA + 0x400;
	memset(gpr, 0, sizeof(gpr));
	gpr[4] = 0xffff0010;
	gpr[3] = 0x20;
	memcpy(arena + 0x420, "\x34\x12\x78\x56", 4);
	assert_int_equal(execute(INSN_MODE_16, "\xff\x37", 2, &r, 2), 0); /* push word [bx] */
	assert_int_equal(gpr[4], 0xffff000e);
	assert_memory_equal(arena + 0xe, "\x34\x12", 2);
	assert_int_equal(execute(INSN_MODE_16, "\x66\xff\x37", 3, &r, 2), 0); /* push dword [bx] */
	assert_int_equal(gpr[4], 0xffff000a);
	assert_memory_equal(arena + 0xa, "\x34\x12\x78\x56", 4);
	gpr[3] = 0x30;
	assert_int_equal(execute(INSN_MODE_16, "\x66\x8f\x07", 3, &r, 2), 0); /* pop dword [bx] */
	assert_memory_equal(arena + 0x430, "\x34\x12\x78\x56", 4);
	assert_int_equal(gpr[4], 0xffff000e);
	/* SP wraps at 64 KiB with a 16-bit stack, and not with a 32-bit one. */
	r.segment[INSN_SS] = NATIVE_ARENA - 0xf000;
	gpr[4] = 0x10000;
	assert_int_equal(execute(INSN_MODE_16, "\xff\x37", 2, &r, 2), 0);
	assert_int_equal(r.last_linear, NATIVE_ARENA + 0xffe);
	assert_int_equal(gpr[4], 0x1fffe);
	gpr[4] = 0x10000;
	assert_int_equal(execute(INSN_MODE_32, "\x66\xff\x33", 3, &r, 4), 0);
	assert_int_equal(gpr[4], 0xfffe);
}

/* Outside 64-bit mode a linear address has 32 bits, and ES..DS have bases. */
static void test_32bit_segments(void **state)
{
	struct run r = {0};

	(void)state;
	memset(gpr, 0, sizeof(gpr));
	r.segment[INSN_DS] = 0xf0000000;
	gpr[0] = 0x55667788;
	gpr[3] = (uint32_t)(NATIVE_ARENA + 0x40 - 0xf0000000);
	assert_int_equal(execute(INSN_MODE_32, "\x89\x03", 2, &r, 4), 0); /* mov [ebx], eax */
	assert_int_equal(r.last_linear, NATIVE_ARENA + 0x40);
	assert_memory_equal(arena + 0x40, "\x88\x77\x66\x55", 4);
	/* In 64-bit mode FS alone counts. */
	r.segment[INSN_FS] = NATIVE_ARENA - 0x1000;
	gpr[3] = 0x1040;
	assert_int_equal(execute(INSN_MODE_64, "\x64\x8b\x0b", 3, &r, 8), 0);
	assert_int_equal(gpr[1], 0x55667788);
}

static void test_not_emulated(void **state)
{
	struct run r = {0};

	(void)state;
	memset(gpr, 0, sizeof(gpr));
	gpr[7] = NATIVE_ARENA;
	assert_int_equal(execute(INSN_MODE_64, "\x0f\x11\x07", 3, &r, 8), ERR_NOSUP); /* movups [rdi], xmm0 */
	assert_int_equal(execute(INSN_MODE_64, "\xd1\x27", 2, &r, 8), ERR_NOSUP);     /* shl dword [rdi], 1 */
	assert_int_equal(execute(INSN_MODE_64, "\x8c\x1f", 2, &r, 8), ERR_NOSUP);     /* mov [rdi], ds */
	assert_int_equal(execute(INSN_MODE_64, "\xdd\x07", 2, &r, 8), ERR_NOSUP);     /* fld */
	assert_int_equal(execute(INSN_MODE_64, "\xff\x17", 2, &r, 8), ERR_NOSUP);     /* call */
	assert_int_equal(r.accesses, 0);
}

static void test_uses_rsp(void **state)
{
	static const struct {
		const char *bytes;
		size_t count;
		bool uses;
	} cases[] = {
		{"\x89\x07", 2, false},
		{"\x89\x27", 2, true},
		{"\x89\x04\x24", 3, true},
		{"\xff\x37", 2, true},
		{"\x88\x27", 2, false} /* AH */,
		{"\xf3\xa4", 2, false},
		{"\x41\x89\x04\x24", 4, false} /* [r12] */,
	};
	struct insn insn;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		assert_int_equal(insn_decode((const uint8_t *)cases[i].bytes, cases[i].count, INSN_MODE_64, &insn), 0);
		assert_int_equal(insn_uses_rsp(&insn), cases[i].uses);
	}
}

static int start(void **state)
{
	unsigned eax, ebx, ecx, edx;

	(void)state;
	native_start();
	host_has_movbe = __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & (1u << 22));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_processor), cmocka_unit_test(test_failing_access),
		cmocka_unit_test(test_repeat_steps),      cmocka_unit_test(test_16bit_string),
		cmocka_unit_test(test_16bit_stack),       cmocka_unit_test(test_32bit_segments),
		cmocka_unit_test(test_not_emulated),      cmocka_unit_test(test_uses_rsp),
	};

	return cmocka_run_group_tests(tests, start, NULL);
}
