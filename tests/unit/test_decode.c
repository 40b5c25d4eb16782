/* The decoder and disassembler against binutils (tests/unit/decode_cases.h), and against the manual where binutils says
 * nothing: what is undefined, cut off, too long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "tests/unit/decode_cases.h"
#include "vmm/decode/decode.h"
#include "vmm/decode/disasm.h"

static uint8_t byte_of(const struct decode_case *c, unsigned i)
{
	return (uint8_t)c->bytes[i];
}

/* A copy on the heap, exactly as long, so that the sanitizer sees a read past the end. */
static int decode_exact(const struct decode_case *c, unsigned count, struct insn *insn)
{
	uint8_t *bytes = malloc(count ? count : 1);

	memcpy(bytes, c->bytes, count);
	int err = insn_decode(bytes, count, (enum insn_mode)c->mode, insn);
	free(bytes);
	return err;
}

static void test_against_binutils(void **state)
{
	struct insn insn;
	char text[DISASM_TEXT];
	unsigned failures = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(decode_cases); i++) {
		const struct decode_case *c = &decode_cases[i];
		int err = decode_exact(c, c->length, &insn);

		text[0] = '\0';
		if (!err)
			insn_format(&insn, c->address, text);
		if (err || insn.length != c->length || (c->text[0] && strcmp(c->text, text) != 0)) {
			print_error("mode %u, %02x %02x %02x: error %d, length %u for %u, \"%s\" for \"%s\"\n", c->mode,
				    byte_of(c, 0), c->length > 1 ? byte_of(c, 1) : 0, c->length > 2 ? byte_of(c, 2) : 0,
				    err, insn.length, c->length, text, c->text);
			failures++;
		}
	}
	assert_int_equal(failures, 0);
}

/* Cut short anywhere, an instruction is truncated, and never something else. */
static void test_truncated(void **state)
{
	struct insn insn;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(decode_cases); i++)
		for (unsigned count = 0; count < decode_cases[i].length; count++) {
			assert_int_equal(decode_exact(&decode_cases[i], count, &insn), ERR_TRUNC);
			assert_true(insn.length <= count);
		}
}

static int decode(enum insn_mode mode, const char *bytes, size_t count, struct insn *insn)
{
	return insn_decode((const uint8_t *)bytes, count, mode, insn);
}

static void test_too_long(void **state)
{
	struct insn insn;
	char bytes[20];

	(void)state;
	memset(bytes, 0x66, sizeof(bytes));
	assert_int_equal(decode(INSN_MODE_64, bytes, 14, &insn), ERR_TRUNC);
	assert_int_equal(decode(INSN_MODE_64, bytes, 15, &insn), ERR_FORMAT);
	assert_int_equal(decode(INSN_MODE_64, bytes, 20, &insn), ERR_FORMAT);
	assert_int_equal(insn.length, 15);
	bytes[14] = (char)0x90; /* the fifteenth byte may be the last */
	assert_int_equal(decode(INSN_MODE_64, bytes, 20, &insn), 0);
	assert_int_equal(insn.length, 15);
	bytes[13] = (char)0x81; /* and an immediate may not cross */
	bytes[14] = (char)0xc0;
	assert_int_equal(decode(INSN_MODE_64, bytes, 20, &insn), ERR_FORMAT);
}

static void test_undefined(void **state)
{
	static const struct {
		enum insn_mode mode;
		const char *bytes;
	} bad[] = {
		{INSN_MODE_64, "\x06"},
		{INSN_MODE_64, "\x27"},
		{INSN_MODE_64, "\x60"},
		{INSN_MODE_64, "\x82\xc0\x01"},
		{INSN_MODE_64, "\xce"},
		{INSN_MODE_64, "\xd4\x0a"},
		{INSN_MODE_64, "\x9a"},
		{INSN_MODE_64, "\xea"},
		{INSN_MODE_64, "\x0f\x04"},
		{INSN_MODE_64, "\x0f\x0a"},
		{INSN_MODE_64, "\xfe\xd0"},
		{INSN_MODE_64, "\xff\xf8"},
		{INSN_MODE_64, "\x8f\xc8"},
		{INSN_MODE_64, "\xc6\xc8\x01"},
		{INSN_MODE_64, "\xff\xd8"},
		{INSN_MODE_32, "\x8d\xc0"},
		{INSN_MODE_32, "\x0f\xb2\xc0"},
		{INSN_MODE_64, "\x8c\xf0"},
		{INSN_MODE_64, "\x0f\x20\xc8"},
		{INSN_MODE_64, "\x44\x0f\x21"},
		{INSN_MODE_64, "\x0f\xba\xc0"},
		{INSN_MODE_64, "\x0f\xc7\xc8"},
		{INSN_MODE_64, "\x66\xc5\xf8"},
		{INSN_MODE_64, "\xf0\xc5\xf8"},
		{INSN_MODE_64, "\x48\xc5\xf8\x77"},
		{INSN_MODE_64, "\x0f\xc3\xc0"},
		{INSN_MODE_64, "\x62\xf9\x7c"},
	};
	struct insn insn;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char bytes[8] = {0};

		memcpy(bytes, bad[i].bytes, strlen(bad[i].bytes));
		int err = decode(bad[i].mode, bytes, sizeof(bytes), &insn);
		if (err != ERR_FORMAT)
			print_error("case %zu: %d\n", i, err);
		assert_int_equal(err, ERR_FORMAT);
	}
	/* VEX maps that do not exist. */
	assert_int_equal(decode(INSN_MODE_64, "\xc4\xe4\x79\x10\x00", 5, &insn), ERR_NOSUP);
}

/* REX counts only directly before the opcode; the last of f2 and f3 counts; ES..DS mean nothing in 64-bit mode. */
static void test_prefixes(void **state)
{
	struct insn insn;

	(void)state;
	assert_int_equal(decode(INSN_MODE_64, "\x48\x66\x89\x07", 4, &insn), 0);
	assert_int_equal(insn.rex, 0);
	assert_int_equal(insn.operand_size, 2);
	assert_int_equal(decode(INSN_MODE_64, "\x66\x48\x89\x07", 4, &insn), 0);
	assert_int_equal(insn.operand_size, 8);
	assert_int_equal(decode(INSN_MODE_64, "\xf2\xf3\xa4", 3, &insn), 0);
	assert_int_equal(insn.prefixes, INSN_PREFIX_REP);
	assert_int_equal(decode(INSN_MODE_64, "\x64\x2e\x8b\x07", 4, &insn), 0);
	assert_int_equal(insn.mem.seg, INSN_FS);
	assert_int_equal(decode(INSN_MODE_64, "\x2e\x8b\x07", 3, &insn), 0);
	assert_int_equal(insn.mem.seg, INSN_DS);
	assert_int_equal(decode(INSN_MODE_32, "\x64\x2e\x8b\x07", 4, &insn), 0);
	assert_int_equal(insn.mem.seg, INSN_CS);
	assert_int_equal(decode(INSN_MODE_32, "\x8b\x45\x00", 3, &insn), 0);
	assert_int_equal(insn.mem.seg, INSN_SS);
	assert_int_equal(decode(INSN_MODE_16, "\x8b\x02", 2, &insn), 0); /* [bp+si] */
	assert_int_equal(insn.mem.seg, INSN_SS);
	assert_int_equal(decode(INSN_MODE_64, "\x41\x8b\x45\x00", 4, &insn), 0); /* [r13]: not rbp */
	assert_int_equal(insn.mem.seg, INSN_DS);
}

static void test_address(void **state)
{
	uint64_t gpr[16];
	struct insn insn;

	(void)state;
	for (unsigned i = 0; i < 16; i++)
		gpr[i] = 0x1111111100000000ull * i + 0x1000 * i;
	/* mov eax, [rbx+rcx*4-0x80] */
	assert_int_equal(decode(INSN_MODE_64, "\x8b\x44\x8b\x80", 4, &insn), 0);
	assert_int_equal(insn_effective_address(&insn, &insn.operands[1], gpr, 0), gpr[3] + gpr[1] * 4 - 0x80);
	/* the same with a 32-bit address */
	assert_int_equal(decode(INSN_MODE_64, "\x67\x8b\x44\x8b\x80", 5, &insn), 0);
	assert_int_equal(insn_effective_address(&insn, &insn.operands[1], gpr, 0),
			 (uint32_t)(gpr[3] + gpr[1] * 4 - 0x80));
	/* relative to the next instruction: with an immediate behind the displacement */
	assert_int_equal(decode(INSN_MODE_64, "\xc7\x05\x10\x00\x00\x00\x01\x00\x00\x00", 10, &insn), 0);
	assert_int_equal(insn_effective_address(&insn, &insn.operands[0], gpr, 0x400000), 0x400000 + 10 + 0x10);
	assert_int_equal(decode(INSN_MODE_64, "\x8b\x05\xf0\xff\xff\xff", 6, &insn), 0);
	assert_int_equal(insn_effective_address(&insn, &insn.operands[1], gpr, 0), 6 - 0x10);
	/* 16-bit: wraps at 64 KiB within the segment, and the base comes after */
	gpr[3] = 0xffff;
	gpr[6] = 2;
	assert_int_equal(decode(INSN_MODE_16, "\x8b\x00", 2, &insn), 0);
	assert_int_equal(insn_effective_address(&insn, &insn.operands[1], gpr, 0), 1);
	assert_int_equal(insn_linear(&insn, INSN_DS, 1, 0xffff0), 0xffff1);
	assert_int_equal(insn_linear(&insn, INSN_DS, 0x20, 0xfffffff0), 0x10); /* 32 bits */
	/* movs: two operands, two segments */
	assert_int_equal(decode(INSN_MODE_32, "\x64\xa5", 2, &insn), 0);
	assert_true(insn_operand_is_memory(&insn.operands[0]) && insn_operand_is_memory(&insn.operands[1]));
	assert_int_equal(insn_segment(&insn, &insn.operands[0]), INSN_ES);
	assert_int_equal(insn_segment(&insn, &insn.operands[1]), INSN_FS);
	/* 64-bit mode: only FS and GS have a base */
	assert_int_equal(decode(INSN_MODE_64, "\x65\x8b\x07", 3, &insn), 0);
	assert_int_equal(insn_linear(&insn, insn_segment(&insn, &insn.operands[1]), 5, 1ull << 40), (1ull << 40) + 5);
	assert_int_equal(insn_linear(&insn, INSN_DS, 5, 1ull << 40), 5);
	/* moffs: zero-extended */
	assert_int_equal(decode(INSN_MODE_64, "\x67\xa1\xb0\x00\xe0\xfe", 6, &insn), 0);
	assert_int_equal(insn_effective_address(&insn, &insn.operands[1], gpr, 0), 0xfee000b0);
}

static void test_disassemble(void **state)
{
	char text[DISASM_TEXT];

	(void)state;
	assert_int_equal(insn_disassemble((const uint8_t *)"\x89\x07", 2, INSN_MODE_64, 0, text), 2);
	assert_string_equal(text, "mov dword [rdi], eax");
	assert_int_equal(insn_disassemble((const uint8_t *)"\x06\x07", 2, INSN_MODE_64, 0, text), 1);
	assert_string_equal(text, "db 0x06");
	assert_int_equal(insn_disassemble((const uint8_t *)"\x0f", 1, INSN_MODE_64, 0, text), 1);
	assert_string_equal(text, "db 0x0f");
	assert_int_equal(insn_disassemble((const uint8_t *)"", 0, INSN_MODE_64, 0, text), 0);
	assert_string_equal(text, "");
	/* A jump back in 64-bit mode, and one that wraps in 16-bit mode */
	assert_int_equal(insn_disassemble((const uint8_t *)"\xeb\xfe", 2, INSN_MODE_64, 0xffffffff80000000ull, text),
			 2);
	assert_string_equal(text, "jmp 0xffffffff80000000");
	assert_int_equal(insn_disassemble((const uint8_t *)"\xeb\x10", 2, INSN_MODE_16, 0xfffe, text), 2);
	assert_string_equal(text, "jmp 0x10");
	assert_int_equal(insn_disassemble((const uint8_t *)"\x0f\x16\xc1", 3, INSN_MODE_64, 0, text), 3);
	assert_string_equal(text, "movlhps xmm0, xmm1");
	assert_string_equal(insn_op_name((enum insn_op)9999), "(bad)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_binutils), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_too_long),         cmocka_unit_test(test_undefined),
		cmocka_unit_test(test_prefixes),         cmocka_unit_test(test_address),
		cmocka_unit_test(test_disassemble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
