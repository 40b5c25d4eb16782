/* Walks through page tables built by hand in guest RAM, in every paging mode: addresses, rights, error codes, flags. The
 * table of rights follows SDM 3 "Determination of Access Rights" (4.6.1). */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "tests/fake/fake_pages.h"
#include "vmm/mem/guest_walk.h"

#define P 1ull
#define RW 2ull
#define US 4ull
#define A 0x20ull
#define D 0x40ull
#define PS 0x80ull
#define XD (1ull << 63)

#define CR0_PG (1ull << 31)
#define CR0_WP (1ull << 16)
#define CR4_PSE (1ull << 4)
#define CR4_PAE (1ull << 5)
#define CR4_LA57 (1ull << 12)
#define CR4_SMEP (1ull << 20)
#define CR4_SMAP (1ull << 21)
#define LMA (1ull << 10)
#define NXE (1ull << 11)
#define AC (1ull << 18)

static const struct guest_range layout[] = {{0, 0x400000}};
static struct fake_pages pages;
static struct guest_mem mem;
static struct guest_walk_cpu cpu;
static struct guest_walk walk;

static int setup(void **state)
{
	(void)state;
	fake_pages_init(&pages, 2048, 0x40000000);
	cpu = (struct guest_walk_cpu){.cr0 = CR0_PG | CR0_WP, .cr3 = 0x1000, .maxphyaddr = 40};
	return guest_mem_create(&mem, &pages.source, layout, 1, GUEST_MEM_ZERO);
}

static int teardown(void **state)
{
	(void)state;
	guest_mem_destroy(&mem);
	fake_pages_destroy(&pages);
	return 0;
}

static void put64(uint64_t gpa, uint64_t value)
{
	assert_int_equal(guest_mem_write(&mem, gpa, &value, 8), 0);
}

static void put32(uint64_t gpa, uint32_t value)
{
	assert_int_equal(guest_mem_write(&mem, gpa, &value, 4), 0);
}

static uint64_t get64(uint64_t gpa)
{
	uint64_t value;

	assert_int_equal(guest_mem_read(&mem, gpa, &value, 8), 0);
	return value;
}

static void expect_gpa(uint64_t gva, uint64_t gpa, uint64_t size)
{
	assert_int_equal(guest_walk(&mem, &cpu, gva, GUEST_ACCESS_READ, &walk), 0);
	assert_int_equal(walk.gpa, gpa);
	assert_int_equal(walk.page_size, size);
}

static void expect_fault(uint64_t gva, unsigned access, uint32_t error)
{
	assert_int_equal(guest_walk(&mem, &cpu, gva, access, &walk), ERR_FAULT);
	assert_int_equal(walk.pf_error, error);
}

static void test_no_paging(void **state)
{
	(void)state;
	cpu.cr0 = 0;
	expect_gpa(0xfffffff0, 0xfffffff0, 4096);
	assert_int_equal(walk.step_count, 0);
	assert_int_equal(guest_walk(&mem, &cpu, 1ull << 32, 0, &walk), ERR_INVAL);
}

static void test_32bit(void **state)
{
	(void)state;
	put32(0x1000 + 4 * 3, 0x2000 | P | RW | US);
	put32(0x2000 + 4 * 5, 0x00345000 | P | RW | US);
	expect_gpa(3 << 22 | 5 << 12 | 0x123, 0x345123, 4096);
	assert_int_equal(walk.paging, GUEST_PAGING_32BIT);
	assert_int_equal(walk.step_count, 2);
	assert_string_equal(walk.steps[0].name, "PDE");
	assert_int_equal(walk.steps[0].entry_gpa, 0x100c);
	assert_int_equal(walk.steps[1].value, 0x345007);
	expect_fault(3 << 22 | 6 << 12, GUEST_ACCESS_WRITE, PF_ERROR_WRITE);
	assert_int_equal(walk.step_count, 2);
	/* 4 MiB pages only with CR4.PSE; bits 20:13 are address bits 39:32 */
	put32(0x1000 + 4 * 4, 0x00c00000 | 0x12 << 13 | (uint32_t)PS | P);
	cpu.cr4 = CR4_PSE;
	expect_gpa(4 << 22 | 0x212345, 0x1200c00000 | 0x212345, 0x400000);
	put32(0x1000 + 4 * 4, 0x00c00000 | 1 << 21 | (uint32_t)PS | P);
	expect_fault(4 << 22, 0, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	cpu.maxphyaddr = 36;
	put32(0x1000 + 4 * 4, 0x00c00000 | 0x10 << 13 | (uint32_t)PS | P);
	expect_fault(4 << 22, GUEST_ACCESS_USER, PF_ERROR_PRESENT | PF_ERROR_RESERVED | PF_ERROR_USER);
	put32(0x1000 + 4 * 4, 0x00c00000 | 0x0f << 13 | (uint32_t)PS | P);
	expect_gpa(4 << 22, 0xf00c00000, 0x400000);
	cpu.cr4 = 0;
	assert_int_equal(guest_walk(&mem, &cpu, 4 << 22, 0, &walk), ERR_RANGE); /* now a table outside RAM */
	/* NXE means nothing without PAE: not in rights, and not in the error code */
	cpu.efer = NXE;
	expect_fault(3 << 22 | 6 << 12, GUEST_ACCESS_FETCH, 0);
}

static void test_pae(void **state)
{
	(void)state;
	cpu.cr4 = CR4_PAE;
	cpu.cr3 = 0x1020; /* 32-byte aligned */
	put64(0x1020 + 8 * 2, 0x2000 | P);
	put64(0x2000 + 8 * 7, 0x3000 | P | RW | US);
	put64(0x3000 + 8 * 9, 0x5555555000 | P | RW | US);
	expect_gpa(2ull << 30 | 7 << 21 | 9 << 12 | 0xabc, 0x5555555abc, 4096);
	assert_int_equal(walk.paging, GUEST_PAGING_PAE);
	assert_true(walk.user && walk.writable); /* directory pointers take no part */
	put64(0x2000 + 8 * 8, 0x7600000 | P | PS);
	expect_gpa(2ull << 30 | 8 << 21 | 0x1fffff, 0x77fffff, 0x200000);
	put64(0x2000 + 8 * 8, 0x7602000 | P | PS);
	expect_fault(2ull << 30 | 8 << 21, 0, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	put64(0x2000 + 8 * 8, 0x7600000 | P | PS | 1ull << 52);
	expect_fault(2ull << 30 | 8 << 21, 0, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	put64(0x2000 + 8 * 8, 0x7600000 | P | PS | 1ull << 40);
	expect_fault(2ull << 30 | 8 << 21, 0, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	put64(0x1020 + 8 * 3, 0x2000 | P | RW);
	expect_fault(3ull << 30, 0, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	assert_int_equal(guest_walk(&mem, &cpu, 0x123456789, 0, &walk), ERR_INVAL);
}

/* gva 0xffff_8000_... : PML4E 256, PDPTE 1, PDE 2, PTE 3 */
#define GVA4 (0xffff800000000000ull | 1ull << 30 | 2ull << 21 | 3ull << 12)

static void build_4level(uint64_t pml4e, uint64_t pdpte, uint64_t pde, uint64_t pte)
{
	cpu.cr4 |= CR4_PAE;
	cpu.efer |= LMA;
	put64(0x1000 + 8 * 256, 0x2000 | pml4e);
	put64(0x2000 + 8 * 1, 0x3000 | pdpte);
	put64(0x3000 + 8 * 2, 0x4000 | pde);
	put64(0x4000 + 8 * 3, 0x123000 | pte);
}

static void test_4level(void **state)
{
	static const char *const names[] = {"PML4E", "PDPTE", "PDE", "PTE"};

	(void)state;
	build_4level(P | RW | US, P | RW | US, P | RW | US, P | RW | US | 1ull << 58);
	cpu.cr3 = 0x1000 | 0x18 | 5;
	expect_gpa(GVA4 | 0x456, 0x123456, 4096);
	assert_int_equal(walk.step_count, 4);
	for (unsigned i = 0; i < 4; i++)
		assert_string_equal(walk.steps[i].name, names[i]);
	assert_int_equal(walk.steps[3].entry_gpa, 0x4018);
	put64(0x2000 + 8 * 5, 0xc0000000 | P | PS | 1 << 12);
	expect_gpa(0xffff800000000000ull | 5ull << 30 | 0x3fffffff, 0xffffffff, 1 << 30);
	put64(0x2000 + 8 * 5, 0xc0002000 | P | PS);
	expect_fault(0xffff800000000000ull | 5ull << 30, 0, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	put64(0x3000 + 8 * 6, 0x40200000 | P | PS | 1 << 12);
	expect_gpa(0xffff800000000000ull | 1ull << 30 | 6 << 21 | 0x10, 0x40200010, 1 << 21);
	put64(0x1000 + 8 * 257, 0x2000 | P | PS);
	expect_fault(0xffff808000000000ull, 0, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	/* XD is reserved until EFER.NXE */
	put64(0x4000 + 8 * 3, 0x123000 | P | XD);
	expect_fault(GVA4, GUEST_ACCESS_FETCH, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	cpu.efer |= NXE;
	expect_fault(GVA4, GUEST_ACCESS_FETCH, PF_ERROR_PRESENT | PF_ERROR_FETCH);
	expect_gpa(GVA4, 0x123000, 4096);
	assert_true(walk.no_execute);
	/* Not canonical */
	assert_int_equal(guest_walk(&mem, &cpu, 0x0000800000000000ull, 0, &walk), ERR_INVAL);
	assert_int_equal(guest_walk(&mem, &cpu, 0xfffe800000000000ull, 0, &walk), ERR_INVAL);
	/* A table outside RAM */
	put64(0x1000 + 8 * 256, 0x5000000000 | P);
	assert_int_equal(guest_walk(&mem, &cpu, GVA4, 0, &walk), ERR_RANGE);
	assert_int_equal(walk.step_count, 1);
}

static void test_5level(void **state)
{
	(void)state;
	build_4level(P | RW, P | RW, P | RW, P | RW);
	cpu.cr4 |= CR4_LA57;
	cpu.cr3 = 0x8000;
	put64(0x8000 + 8 * 511, 0x1000 | P | RW);
	expect_gpa(GVA4 | 0x789, 0x123789, 4096);
	assert_int_equal(walk.paging, GUEST_PAGING_5LEVEL);
	assert_string_equal(walk.steps[0].name, "PML5E");
	put64(0x8000 + 8 * 1, 0x1000 | P);
	expect_gpa(1ull << 48 | 256ull << 39 | 1ull << 30 | 2 << 21 | 3 << 12, 0x123000, 4096);
	assert_false(walk.writable);
	assert_int_equal(guest_walk(&mem, &cpu, 1ull << 56, 0, &walk), ERR_INVAL);
}

/* All combinations of rights, access and control bits against the manual's sentences, written out once more. */
static bool manual_allows(uint64_t rights, unsigned access)
{
	bool user_page = (rights & US) != 0;
	bool writable = (rights & RW) != 0;
	bool xd = (rights & XD) && (cpu.efer & NXE);
	bool write = access & GUEST_ACCESS_WRITE;
	bool fetch = access & GUEST_ACCESS_FETCH;

	if (access & GUEST_ACCESS_USER) {
		if (!user_page)
			return false;
		if (fetch)
			return !xd;
		return write ? writable : true;
	}
	if (fetch) {
		if (!user_page)
			return !xd;
		return (cpu.cr4 & CR4_SMEP) ? false : !xd;
	}
	if (user_page && (cpu.cr4 & CR4_SMAP)) {
		if (!(cpu.rflags & AC) || (access & GUEST_ACCESS_IMPLICIT))
			return false;
	}
	if (write)
		return (cpu.cr0 & CR0_WP) ? writable : true;
	return true;
}

static void test_rights(void **state)
{
	static const unsigned accesses[] = {
		GUEST_ACCESS_READ,
		GUEST_ACCESS_WRITE,
		GUEST_ACCESS_FETCH,
		GUEST_ACCESS_USER,
		GUEST_ACCESS_USER | GUEST_ACCESS_WRITE,
		GUEST_ACCESS_USER | GUEST_ACCESS_FETCH,
		GUEST_ACCESS_IMPLICIT,
		GUEST_ACCESS_IMPLICIT | GUEST_ACCESS_WRITE,
	};

	(void)state;
	for (unsigned where = 0; where < 4; where++) {           /* the level that takes a right away */
		for (unsigned bits = 0; bits < 8 * 32; bits++) { /* rights, then control bits */
			uint64_t rights = (bits & 1 ? RW : 0) | (bits & 2 ? US : 0) | (bits & 4 ? XD : 0);
			uint64_t e[4] = {P | RW | US, P | RW | US, P | RW | US, P | RW | US};

			cpu.cr0 = CR0_PG | (bits & 8 ? CR0_WP : 0);
			cpu.cr4 = (bits & 16 ? CR4_SMEP : 0) | (bits & 32 ? CR4_SMAP : 0);
			cpu.rflags = bits & 64 ? AC : 0;
			cpu.efer = bits & 128 ? NXE : 0;
			if ((rights & XD) && !(cpu.efer & NXE))
				continue;
			e[where] = P | rights;
			build_4level(e[0], e[1], e[2], e[3]);
			for (unsigned i = 0; i < ARRAY_LEN(accesses); i++) {
				int err = guest_walk(&mem, &cpu, GVA4, accesses[i], &walk);

				if (manual_allows(rights, accesses[i])) {
					assert_int_equal(err, 0);
					continue;
				}
				assert_int_equal(err, ERR_FAULT);
				uint32_t error = PF_ERROR_PRESENT;
				error |= accesses[i] & GUEST_ACCESS_WRITE ? PF_ERROR_WRITE : 0;
				error |= accesses[i] & GUEST_ACCESS_USER ? PF_ERROR_USER : 0;
				if ((accesses[i] & GUEST_ACCESS_FETCH) && (bits & (16 | 128)))
					error |= PF_ERROR_FETCH;
				assert_int_equal(walk.pf_error, error);
				assert_int_equal(guest_walk(&mem, &cpu, GVA4, accesses[i] | GUEST_ACCESS_ANY, &walk),
						 0);
			}
		}
	}
}

static void test_accessed_dirty(void **state)
{
	(void)state;
	build_4level(P | RW, P | RW, P | RW, P | RW);
	assert_int_equal(guest_walk(&mem, &cpu, GVA4, GUEST_ACCESS_WRITE, &walk), 0);
	assert_int_equal(get64(0x4018), 0x123000 | P | RW); /* not unless asked to */
	assert_int_equal(guest_walk(&mem, &cpu, GVA4, GUEST_ACCESS_SET_AD, &walk), 0);
	assert_int_equal(get64(0x4018), 0x123000 | P | RW | A);
	assert_int_equal(get64(0x3010), 0x4000 | P | RW | A);
	assert_int_equal(get64(0x1800), 0x2000 | P | RW | A);
	assert_int_equal(guest_walk(&mem, &cpu, GVA4, GUEST_ACCESS_SET_AD | GUEST_ACCESS_WRITE, &walk), 0);
	assert_int_equal(get64(0x4018), 0x123000 | P | RW | A | D);
	assert_int_equal(get64(0x3010), 0x4000 | P | RW | A);
	/* A faulting access sets nothing. */
	put64(0x4018, 0x123000 | P);
	assert_int_equal(guest_walk(&mem, &cpu, GVA4, GUEST_ACCESS_SET_AD | GUEST_ACCESS_WRITE, &walk), ERR_FAULT);
	assert_int_equal(get64(0x4018), 0x123000 | P);
}

/* One entry that serves all levels, a table that points to itself: its flags are set four times over. */
static void test_recursive(void **state)
{
	(void)state;
	cpu.cr4 = CR4_PAE;
	cpu.efer = LMA | NXE;
	put64(0x1000 + 8 * 1, 0x1000 | P | RW | US);
	assert_int_equal(guest_walk(&mem, &cpu, 1ull << 39 | 1ull << 30 | 1ull << 21 | 1ull << 12,
				    GUEST_ACCESS_SET_AD | GUEST_ACCESS_WRITE, &walk),
			 0);
	assert_int_equal(walk.gpa, 0x1000);
	assert_int_equal(walk.step_count, 4);
	assert_int_equal(get64(0x1008), 0x1000 | P | RW | US | A | D);
}

enum { SWAPPED = 0xabc000, SWAPS = 4000 };

static uint64_t *swap_entry;
static volatile unsigned swaps, bad_swaps;

/* The guest's other CPU, played by a timer that comes in the midst of walks: it gives to swap what an entry leads to and takes
 * it back, as kernels do it with pages. Nobody may write to the entry while it is none. */
static void swap_table(int signal)
{
	const uint64_t table = 0x2000 | P | RW;

	(void)signal;
	if (swaps++ % 2 == 0)
		__atomic_store_n(swap_entry, SWAPPED, __ATOMIC_SEQ_CST);
	else if (__atomic_exchange_n(swap_entry, table, __ATOMIC_SEQ_CST) != SWAPPED)
		bad_swaps++;
}

static void test_changed_meanwhile(void **state)
{
	const struct itimerval often = {{0, 50}, {0, 50}}, never = {{0, 0}, {0, 0}};

	(void)state;
	build_4level(P | RW, P | RW, P | RW, P | RW);
	expect_gpa(GVA4, 0x123000, 4096);
	assert_int_equal(walk.steps[0].value, 0x2000 | P | RW);
	swap_entry = guest_mem_ptr(&mem, walk.steps[0].entry_gpa, 8);
	signal(SIGALRM, swap_table);
	assert_int_equal(setitimer(ITIMER_REAL, &often, NULL), 0);
	while (swaps < SWAPS && bad_swaps == 0) {
		int err = guest_walk(&mem, &cpu, GVA4, GUEST_ACCESS_SET_AD | GUEST_ACCESS_WRITE, &walk);

		assert_true(err == 0 || err == ERR_FAULT || err == ERR_AGAIN);
		if (err == 0)
			assert_int_equal(walk.gpa, 0x123000);
	}
	assert_int_equal(setitimer(ITIMER_REAL, &never, NULL), 0);
	signal(SIGALRM, SIG_IGN);
	assert_int_equal(bad_swaps, 0);
}

static void test_read(void **state)
{
	uint8_t buf[32];

	(void)state;
	build_4level(P | RW, P | RW, P | RW, P | RW);
	put64(0x4000 + 8 * 4, 0x200000 | P);
	assert_int_equal(guest_mem_fill(&mem, 0x123ff0, 0x11, 16), 0);
	assert_int_equal(guest_mem_fill(&mem, 0x200000, 0x22, 16), 0);
	assert_int_equal(guest_walk_read(&mem, &cpu, GVA4 + 0xff0, 0, buf, 32), 32);
	assert_int_equal(buf[15], 0x11);
	assert_int_equal(buf[16], 0x22);
	assert_int_equal(guest_walk_read(&mem, &cpu, GVA4 + 0x1ff8, 0, buf, 32), 8); /* then nothing is mapped */
	assert_int_equal(guest_walk_read(&mem, &cpu, 0x8000000000000000ull, 0, buf, 32), 0);
	assert_int_equal(guest_walk_read(&mem, &cpu, UINT64_MAX - 3, 0, buf, 32), 0);
	cpu.cr0 = 0;
	assert_int_equal(guest_walk_read(&mem, &cpu, 0x3ffff0, 0, buf, 32), 16); /* RAM ends */
	assert_int_equal(guest_walk_read(&mem, &cpu, 0, 0, buf, 0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_paging, setup, teardown),
		cmocka_unit_test_setup_teardown(test_32bit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pae, setup, teardown),
		cmocka_unit_test_setup_teardown(test_4level, setup, teardown),
		cmocka_unit_test_setup_teardown(test_5level, setup, teardown),
		cmocka_unit_test_setup_teardown(test_rights, setup, teardown),
		cmocka_unit_test_setup_teardown(test_accessed_dirty, setup, teardown),
		cmocka_unit_test_setup_teardown(test_recursive, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_meanwhile, setup, teardown),
		cmocka_unit_test_setup_teardown(test_read, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
