/* Flat images, unknown files, and the places that the loaders' pieces get. */
#include "tests/unit/load_fixture.h"
#include "vmm/load/loader.h"

static uint8_t bytes[5000];

static void test_flat_real(void **state)
{
	(void)state;
	memset(bytes, 0x90, sizeof(bytes));
	fx_req.load_address = 0x7c00;
	assert_int_equal(fx_load(bytes, 512), 0);
	assert_int_equal(fx_start.mode, START_REAL16);
	assert_int_equal(fx_start.cs, 0);
	assert_int_equal(fx_start.ds, 0);
	assert_int_equal(fx_start.rip, 0x7c00);
	assert_memory_equal(fx_at(0x7c00), bytes, 512);
	fx_req.load_address = 0x12345;
	assert_int_equal(fx_load(bytes, sizeof(bytes)), 0);
	assert_int_equal(fx_start.cs, 0x1234);
	assert_int_equal(fx_start.ds, 0x1234);
	assert_int_equal(fx_start.rip, 5);
	fx_req.load_address = 0x9f000;
	fx_fails(bytes, sizeof(bytes), ERR_RANGE, "kernel: 4.9 KiB at 0x9f000 is not all inside the guest's memory");
}

static void test_flat_protected(void **state)
{
	(void)state;
	fx_req.load_address = 0x100000;
	assert_int_equal(fx_load(bytes, sizeof(bytes)), 0);
	fx_protected32_is_sane();
	assert_int_equal(fx_start.rip, 0x100000);
	fx_req.load_address = UINT64_MAX;
	fx_fails(bytes, sizeof(bytes), ERR_RANGE, "reach above 4 GiB");
	fx_req.load_address = 0x100000000ull - 100;
	fx_fails(bytes, sizeof(bytes), ERR_RANGE, "reach above 4 GiB");
	fx_req.load_address = 0x100000;
	fx_fails(bytes, 0, ERR_TRUNC, "empty");
	fx_req.cmdline = "x";
	fx_fails(bytes, sizeof(bytes), ERR_INVAL, "a flat image takes no initrd, cmdline or module");
	/* Said to be flat, it is flat, whatever it looks like. */
	fx_req.cmdline = NULL;
	memcpy(bytes, "\177ELF", 4);
	assert_int_equal(fx_load(bytes, sizeof(bytes)), 0);
}

static void test_unknown(void **state)
{
	(void)state;
	memset(bytes, 0x55, sizeof(bytes));
	fx_fails(bytes, 0, ERR_TRUNC, "kernel: the file is empty");
	fx_fails(bytes, 1, ERR_FORMAT, "it begins with 55 00 00 00");
	fx_fails(bytes, sizeof(bytes), ERR_FORMAT, "it begins with 55 55 55 55");
	fx_fails("\x1f\x8b\x08", 3, ERR_FORMAT, "compressed by gzip");
	fx_fails("0707010000", 10, ERR_FORMAT, "a cpio archive; is it meant as the initrd?");
	assert_string_equal(load_kind(&(struct load_request){.image = bytes, .image_size = sizeof(bytes)}), "unknown");
}

/* The reason is cut to the buffer, and needs none. */
static void test_small_why(void **state)
{
	char why[8];

	(void)state;
	fx_req.image = bytes;
	fx_req.image_size = 0;
	assert_int_equal(load_image(&fx_mem, &fx_req, &fx_start, why, sizeof(why)), ERR_TRUNC);
	assert_string_equal(why, "kernel:");
	assert_int_equal(load_image(&fx_mem, &fx_req, &fx_start, NULL, 0), ERR_TRUNC);
}

static void test_claims(void **state)
{
	struct loader l = {
		.mem = &fx_mem, .req = &fx_req, .start = &fx_start, .why = fx_why, .why_size = sizeof(fx_why)};
	uint64_t gpa;

	(void)state;
	assert_int_equal(loader_claim(&l, "a", 0x200000, 0x1000), 0);
	assert_int_equal(loader_claim(&l, "b", 0x200fff, 1), ERR_OVERLAP);
	assert_string_equal(fx_why, "b: 1 B at 0x200fff overlaps a at 0x200000");
	assert_int_equal(loader_claim(&l, "b", 0x201000, 1), 0);
	assert_int_equal(loader_claim(&l, "b", UINT64_MAX, 2), ERR_RANGE);
	assert_int_equal(loader_claim(&l, "b", RAM_END - 0x10000 - 1, 2), ERR_RANGE);
	assert_int_equal(loader_claim(&l, "nothing", UINT64_MAX, 0), 0);
	assert_int_equal(loader_claim_lowest(&l, "c", 0x1000, 0x1000, 0x200000, LOADER_4G, &gpa), 0);
	assert_int_equal(gpa, 0x202000);
	assert_int_equal(loader_claim_lowest(&l, "c", 0x1000, 0x1000, 0x200000, LOADER_4G, &gpa), 0);
	assert_int_equal(gpa, 0x203000);
	assert_int_equal(loader_claim_lowest(&l, "c", 16, 16, 0, LOADER_4G, &gpa), 0);
	assert_int_equal(gpa, 0);
	assert_int_equal(loader_claim_lowest(&l, "c", 16, 16, 0x9fbf8, LOADER_4G, &gpa), 0);
	assert_int_equal(gpa, 0x100000);
	assert_int_equal(loader_claim_lowest(&l, "c", 0x200000, PAGE_SIZE, 0, 0x3ff000, &gpa), ERR_NOMEM);
	assert_int_equal(loader_claim_highest(&l, "d", 0x1000, 0x1000, 0, LOADER_4G, &gpa), 0);
	assert_int_equal(gpa, RAM_END - 0x11000);
	assert_int_equal(loader_claim_highest(&l, "d", 0x1000, 0x1000, 0, LOADER_4G, &gpa), 0);
	assert_int_equal(gpa, RAM_END - 0x12000);
	assert_int_equal(loader_claim_highest(&l, "d", 0x1000, 0x1000, 0, 0x204000, &gpa), 0);
	assert_int_equal(gpa, 0x1ff000);
	assert_int_equal(loader_claim_highest(&l, "d", 0x10, 0x10, 0, 0x100000, &gpa), 0);
	assert_int_equal(gpa, 0x9fbf0);
	assert_int_equal(loader_claim_highest(&l, "d", UINT64_MAX, 1, 0, UINT64_MAX, &gpa), ERR_NOMEM);
	/* In the way lie a piece and then the hole below 1 MiB, or holes alone. */
	assert_int_equal(loader_claim(&l, "low", 0x101000, 0x1000), 0);
	assert_int_equal(loader_claim_highest(&l, "d", 0x3000, 0x1000, 0, 0x103000, &gpa), 0);
	assert_int_equal(gpa, 0x9c000);
	assert_int_equal(loader_claim_highest(&l, "d", 0x3000, 0x1000, 0x9a000, 0x103000, &gpa), ERR_NOMEM);
	assert_int_equal(loader_claim_lowest(&l, "d", 0x3000, 0x1000, 0x9a000, 0x105000, &gpa), 0);
	assert_int_equal(gpa, 0x102000);
	assert_int_equal(loader_claim_lowest(&l, "d", 0x3000, 0x1000, RAM_END - 0x10000, LOADER_4G, &gpa), ERR_NOMEM);
	assert_int_equal(loader_claim_highest(&l, "nothing", 0, 1, RAM_END, LOADER_4G, &gpa), ERR_NOMEM);
	assert_int_equal(loader_claim_highest(&l, "nothing", 0, 1, 0, 0, &gpa), 0);
	while (l.piece_count < LOADER_MAX_PIECES)
		assert_int_equal(loader_claim_lowest(&l, "e", 1, 1, 0, LOADER_4G, &gpa), 0);
	assert_int_equal(loader_claim(&l, "f", 0x600000, 1), ERR_FULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_flat_real, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_flat_protected, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_unknown, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_small_why, fx_setup, fx_teardown),
		cmocka_unit_test_setup_teardown(test_claims, fx_setup, fx_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
