/* MTRR types against a byte-by-byte reading of SDM 3 "Precedences of MTRRs". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "vmm/mem/memtype.h"

#define E (1u << 11)
#define FE (1u << 10)
#define V (1u << 11)

static struct mtrr_state base_state(uint64_t def_type)
{
	return (struct mtrr_state){.def_type = def_type, .has_fixed = true, .maxphyaddr = 40};
}

static void add(struct mtrr_state *m, uint64_t base, uint64_t size, unsigned type)
{
	m->variable[m->variable_count].base = base | type;
	m->variable[m->variable_count++].mask = (((1ull << m->maxphyaddr) - 1) & ~(size - 1)) | V;
}

static void test_disabled(void **state)
{
	struct mtrr_state m = base_state(MEMTYPE_WB);
	struct mtrr_state none = {0};
	uint64_t len;

	(void)state;
	add(&m, 0, 1 << 30, MEMTYPE_WB);
	assert_int_equal(mtrr_type_at(&m, 0), MEMTYPE_UC);
	assert_int_equal(mtrr_type_at(&none, 0x12345), MEMTYPE_UC);
	assert_int_equal(mtrr_uniform_block(&none, 0x1000, 1ull << 50, &len), MEMTYPE_UC);
	assert_int_equal(len, 1ull << 50);
}

static void test_default(void **state)
{
	struct mtrr_state m = base_state(E | MEMTYPE_WP);

	(void)state;
	assert_int_equal(mtrr_type_at(&m, 0), MEMTYPE_WP);
	assert_int_equal(mtrr_type_at(&m, 1ull << 39), MEMTYPE_WP);
	m.def_type = E | 3; /* reserved */
	assert_int_equal(mtrr_type_at(&m, 0), MEMTYPE_UC);
}

static void test_fixed(void **state)
{
	struct mtrr_state m = base_state(E | FE | MEMTYPE_UC);
	static const unsigned cycle[] = {0, 1, 4, 5, 6};
	uint64_t len;
	uint64_t base = 0;

	(void)state;
	add(&m, 0, 1 << 30, MEMTYPE_WC);
	for (unsigned i = 0; i < 88; i++)
		m.fixed[i / 8] |= (uint64_t)cycle[i % 5] << (8 * (i % 8));
	for (unsigned i = 0; i < 88; i++) {
		uint64_t size = i < 8 ? 0x10000 : i < 24 ? 0x4000 : 0x1000;

		assert_int_equal(mtrr_type_at(&m, base), cycle[i % 5]);
		assert_int_equal(mtrr_type_at(&m, base + size - 1), cycle[i % 5]);
		assert_int_equal(mtrr_uniform_block(&m, base + 1, size, &len), cycle[i % 5]);
		assert_int_equal(len, size - 1);
		base += size;
	}
	assert_int_equal(base, 0x100000);
	assert_int_equal(mtrr_type_at(&m, 0x100000), MEMTYPE_WC);
	m.def_type &= ~(uint64_t)FE;
	assert_int_equal(mtrr_type_at(&m, 0x3000), MEMTYPE_WC);
	m.def_type |= FE;
	m.has_fixed = false;
	assert_int_equal(mtrr_type_at(&m, 0x3000), MEMTYPE_WC);
}

static void test_precedence(void **state)
{
	static const unsigned types[] = {0, 1, 4, 5, 6};

	(void)state;
	for (unsigned a = 0; a < 5; a++) {
		for (unsigned b = 0; b < 5; b++) {
			struct mtrr_state m = base_state(E | MEMTYPE_WB);
			unsigned expect = MEMTYPE_UC;

			add(&m, 0, 1 << 30, types[a]);
			add(&m, 0x200000, 0x200000, types[b]);
			if (types[a] == types[b])
				expect = types[a];
			else if (types[a] + types[b] == MEMTYPE_WT + MEMTYPE_WB && types[a] != 5)
				expect = MEMTYPE_WT;
			assert_int_equal(mtrr_type_at(&m, 0x200000), expect);
			assert_int_equal(mtrr_type_at(&m, 0x1fffff), types[a]);
		}
	}
	/* Three ranges: WT and WB give WT, and UC over all gives UC. */
	struct mtrr_state m = base_state(E);
	add(&m, 0, 1 << 30, MEMTYPE_WB);
	add(&m, 0, 1 << 29, MEMTYPE_WT);
	add(&m, 0, 1 << 28, MEMTYPE_UC);
	assert_int_equal(mtrr_type_at(&m, 1 << 28), MEMTYPE_WT);
	assert_int_equal(mtrr_type_at(&m, 0), MEMTYPE_UC);
}

/* A firmware's usual way: 4 GiB write-back, the hole at 3 GiB taken out, the memory above added. */
static void test_uniform_blocks(void **state)
{
	struct mtrr_state m = base_state(E | FE | MEMTYPE_UC);
	uint64_t len;

	(void)state;
	memset(m.fixed, 6, sizeof(m.fixed));
	add(&m, 0, 1ull << 32, MEMTYPE_WB);
	add(&m, 0xc0000000, 1ull << 30, MEMTYPE_UC);
	add(&m, 1ull << 32, 1ull << 32, MEMTYPE_WB);
	assert_int_equal(mtrr_uniform_block(&m, 0, 1ull << 36, &len), MEMTYPE_WB);
	assert_int_equal(len, 0xc0000000);
	assert_int_equal(mtrr_uniform_block(&m, 0xc0000000, 1ull << 36, &len), MEMTYPE_UC);
	assert_int_equal(len, 0x40000000);
	assert_int_equal(mtrr_uniform_block(&m, 0x100001000, 1ull << 36, &len), MEMTYPE_WB);
	assert_int_equal(len, 0xfffff000);
	assert_int_equal(mtrr_uniform_block(&m, 0x100001000, 1, &len), MEMTYPE_WB);
	assert_int_equal(len, 1);
}

/* Random registers, masks with gaps included: a block is uniform, and it ends because it must. */
static void test_random(void **state)
{
	static const unsigned types[] = {0, 1, 4, 5, 6};

	(void)state;
	srandom(7);
	for (unsigned i = 0; i < 2000; i++) {
		struct mtrr_state m = {.def_type = E | types[random() % 5], .maxphyaddr = 20, .variable_count = 3};
		uint64_t len;

		for (unsigned n = 0; n < 3; n++) {
			uint64_t mask = (uint64_t)random() & 0xff000;

			if (random() % 2)
				mask = 0x100000 - (0x1000ull << (random() % 8));
			m.variable[n].base = ((uint64_t)random() & 0xff000) | types[random() % 5];
			m.variable[n].mask = mask | (random() % 4 ? V : 0);
		}
		uint64_t hpa = (uint64_t)random() % 0x100000;
		uint64_t max = 1 + (uint64_t)random() % (0x100000 - hpa);
		enum memtype type = mtrr_uniform_block(&m, hpa, max, &len);

		assert_in_range(len, 1, max);
		for (uint64_t at = hpa; at < hpa + len; at += 0x800)
			assert_int_equal(mtrr_type_at(&m, at), type);
		assert_int_equal(mtrr_type_at(&m, hpa + len - 1), type);
		if (len < max)
			assert_int_not_equal(mtrr_type_at(&m, hpa + len), type);
	}
}

static void differs(const struct mtrr_state *first, const struct mtrr_state *here, const char *words)
{
	char why[112] = "";

	assert_false(mtrr_same(first, here, why, sizeof(why)));
	assert_string_equal(why, words);
}

static void test_same(void **state)
{
	const struct mtrr_state first = {.def_type = 0xc06,
					 .has_fixed = true,
					 .fixed = {0x0606060606060606},
					 .variable_count = 2,
					 .variable = {{0xc0000000, 0xfc0000000 | V}, {0x1000, 0x2000}},
					 .maxphyaddr = 36};
	struct mtrr_state here = first;
	char why[112] = "";

	(void)state;
	assert_true(mtrr_same(&first, &here, why, sizeof(why)));
	here.variable[1] = (struct mtrr_variable){0x3000, 0x4000}; /* not valid on either */
	assert_true(mtrr_same(&first, &here, why, sizeof(why)));
	here.variable[1].mask |= V;
	differs(&first, &here, "IA32_MTRR_PHYSMASK1 is 0x4800, on the first CPU 0x2000");
	here = first;
	here.variable[0].base |= 1;
	differs(&first, &here, "IA32_MTRR_PHYSBASE0 is 0xc0000001, on the first CPU 0xc0000000");
	here = first;
	here.variable_count = 8;
	differs(&first, &here, "the number of MTRRs is 0x8, on the first CPU 0x2");
	here = first;
	here.fixed[10] = 5;
	differs(&first, &here, "IA32_MTRR_FIX4K_F8000 is 0x5, on the first CPU 0x0");
	here = first;
	here.def_type = 0x406;
	differs(&first, &here, "IA32_MTRR_DEF_TYPE is 0x406, on the first CPU 0xc06");
}

static void test_names(void **state)
{
	(void)state;
	assert_string_equal(memtype_name(MEMTYPE_WB), "WB");
	assert_string_equal(memtype_name((enum memtype)2), "?");
	assert_string_equal(memtype_name((enum memtype)77), "?");
	assert_false(memtype_is_valid(7));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_disabled),   cmocka_unit_test(test_default),        cmocka_unit_test(test_fixed),
		cmocka_unit_test(test_precedence), cmocka_unit_test(test_uniform_blocks), cmocka_unit_test(test_random),
		cmocka_unit_test(test_same),       cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
