/* Any bytes as instructions, in any mode: decoded, printed, and executed against a memory that refuses now and then. The
 * bytes are copied to a block of their exact length, so that one read behind them shows. */
#include "vmm/decode/disasm.h"
#include "vmm/decode/emulate.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MEMORY_BYTES 256u

struct machine {
	uint8_t memory[MEMORY_BYTES];
	uint64_t rflags;
	unsigned accesses;
	unsigned fail_at;
};

static void require(bool holds)
{
	if (!holds)
		abort();
}

static int machine_read(void *ctx, uint64_t linear, unsigned bytes, uint64_t *value)
{
	struct machine *m = ctx;

	require(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
	*value = 0;
	for (unsigned i = 0; i < bytes; i++)
		*value |= (uint64_t)m->memory[(linear + i) % MEMORY_BYTES] << (8 * i);
	return ++m->accesses == m->fail_at ? -100 : 0;
}

static int machine_write(void *ctx, uint64_t linear, unsigned bytes, uint64_t value)
{
	struct machine *m = ctx;

	require(bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8);
	require(bytes == 8 || value >> (8 * bytes) == 0);
	for (unsigned i = 0; i < bytes; i++)
		m->memory[(linear + i) % MEMORY_BYTES] = (uint8_t)(value >> (8 * i));
	return ++m->accesses == m->fail_at ? -100 : 0;
}

static uint64_t machine_segment(void *ctx, enum insn_seg seg)
{
	(void)ctx;
	require(seg < INSN_SEG_COUNT);
	return 0x1000u * (unsigned)seg;
}

static uint64_t machine_get_rflags(void *ctx)
{
	return ((struct machine *)ctx)->rflags;
}

static void machine_set_rflags(void *ctx, uint64_t rflags)
{
	((struct machine *)ctx)->rflags = rflags;
}

static void execute(const struct insn *insn, struct machine *m)
{
	static const struct emulate_ops ops = {machine_read, machine_write, machine_segment, machine_get_rflags,
					       machine_set_rflags};
	uint64_t gpr[INSN_GPR_COUNT];
	const struct emulate e = {
		.insn = insn, .gpr = gpr, .rip = 0x8000, .stack_bytes = insn->mode, .ops = &ops, .ctx = m};
	int err = EMULATE_AGAIN;

	for (unsigned i = 0; i < INSN_GPR_COUNT; i++)
		gpr[i] = i * 0x0123456789abcdefull;
	gpr[1] = 4;
	for (unsigned i = 0; i < 4 && err == EMULATE_AGAIN; i++)
		err = insn_emulate(&e);
	(void)insn_uses_rsp(insn);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const enum insn_mode modes[] = {INSN_MODE_16, INSN_MODE_32, INSN_MODE_64, INSN_MODE_64};
	struct machine m = {.rflags = 0x202};
	char text[DISASM_TEXT];

	if (size < 2)
		return 0;
	enum insn_mode mode = modes[data[0] & 3];
	m.fail_at = data[0] >> 6;
	m.rflags |= data[0] & 0x10 ? 0x400 : 0;
	size_t left = size - 1;
	uint8_t *bytes = malloc(left);
	memcpy(bytes, data + 1, left);
	for (size_t at = 0; at < left;) {
		struct insn insn;
		int err = insn_decode(bytes + at, left - at, mode, &insn);

		require(insn.length <= INSN_MAX_LENGTH && insn.length <= left - at);
		if (!err) {
			require(insn.length > 0 && insn.op != INSN_OP_INVALID && insn.op < INSN_OP_COUNT);
			m.accesses = 0;
			execute(&insn, &m);
		}
		size_t n = insn_disassemble(bytes + at, left - at, mode, at, text);
		require(n > 0 && n <= left - at && strlen(text) > 0 && strlen(text) < DISASM_TEXT - 1);
		at += n;
	}
	free(bytes);
	return 0;
}
