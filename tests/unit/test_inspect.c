/* A VM seen from outside: registers, memory, the walk of RIP and the recorder, as the lines an operator reads. */
#include "tests/unit/vm_fixture.h"

#include "kernel/lib/bytes.h"
#include "vmm/life/inspect.h"

static struct vm *vm;
static struct vcpu *v;
static char text[16384];
static size_t text_len;
static unsigned lines;

static void keep(void *ctx, const char *line)
{
	(void)ctx;
	assert_null(strchr(line, '\n'));
	assert_true(fmt_append(text, sizeof(text), &text_len, "%s\n", line));
	lines++;
}

static const struct text_lines out = {keep, NULL};

static void clear(void)
{
	text_len = lines = 0;
	text[0] = '\0';
}

static void has(const char *words)
{
	if (strstr(text, words) == NULL)
		fail_msg("no '%s' in '%s'", words, text);
}

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_image();
	vm = fx_vm("a", "1");
	v = vm->vcpus[0];
	clear();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static void poke(uint64_t gpa, uint64_t value)
{
	uint8_t bytes[8];

	store_le64(bytes, value);
	assert_int_equal(guest_mem_write(&vm->mem, gpa, bytes, sizeof(bytes)), 0);
}

/* Long mode with 4 KiB pages: linear 0x7fff00000000 + n * 4 KiB goes to what is poked into the table at 0x14000. */
#define LINEAR 0x7fff00000000ull

static void map_page(unsigned n, uint64_t gpa)
{
	poke(0x14000 + 8 * n, gpa | 3);
}

static void paging_on(void)
{
	struct segment cs = {8, SEGMENT_CODE64, false, UINT32_MAX, 0};

	poke(0x11000 + 8 * (LINEAR >> 39 & 511), 0x12000 | 3);
	poke(0x12000 + 8 * (LINEAR >> 30 & 511), 0x13000 | 3);
	poke(0x13000 + 8 * (LINEAR >> 21 & 511), 0x14000 | 3);
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_PG | CR0_ET);
	vcpu_hw_set(v, VCPU_CR3, 0x11000);
	vcpu_hw_set(v, VCPU_CR4, CR4_PAE);
	vcpu_hw_set(v, VCPU_EFER, BIT64(8) | BIT64(10));
	vcpu_hw_set_segment(v, SEG_CS, &cs);
}

static void test_registers(void **state)
{
	(void)state;
	v->gpr[GPR_R15] = 0x1122334455667788;
	vcpu_set_gpr(v, GPR_RSP, 0xaabb);
	vcpu_hw_set(v, VCPU_CR2, 0xdeadbeef);
	v->nmi_pending = true;
	inspect_regs(v, &out);
	has("vcpu 0: runnable, NMI pending\n");
	has("r15=1122334455667788\n");
	has("rsp=000000000000aabb");
	has("rip=0000000000100000 rflags=00000002\n");
	has("cr2=00000000deadbeef");
	has("cs   0010 base=0000000000000000 limit=ffffffff access=c09b\n");
	has("idtr      base=");
}

static void test_every_vcpu_state_has_words(void **state)
{
	(void)state;
	v->state = VCPU_HALTED;
	inspect_regs(v, &out);
	has("halted");
	v->state = VCPU_WAIT_SIPI;
	inspect_regs(v, &out);
	has("waits for SIPI");
}

static void test_bytes(void **state)
{
	uint8_t bytes[20];

	(void)state;
	for (unsigned i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(0x3e + 13 * i);
	inspect_bytes(0xfff8, bytes, sizeof(bytes), &out);
	assert_int_equal(lines, 2);
	has("000000000000fff8  3e 4b 58 65 72 7f 8c 99 a6 b3 c0 cd da e7 f4 01  >KXer...........\n");
	has("0000000000010008  0e 1b 28 35 ");
	has("  ..(5\n");
	clear();
	inspect_bytes(0, bytes, 0, &out);
	assert_int_equal(lines, 0);
}

static void test_memory_without_paging(void **state)
{
	uint8_t bytes[8];

	(void)state;
	assert_int_equal(inspect_read_gva(v, MIB, bytes, 3), 3);
	assert_memory_equal(bytes, fx_code, 3);
	assert_int_equal(inspect_read_gva(v, 2 * MIB - 4, bytes, 8), 4); /* up to where RAM ends */
	assert_int_equal(inspect_read_gva(v, 0xa0000 - 4, bytes, 4), 4);
	assert_int_equal(inspect_read_gva(v, 0xa0000, bytes, 1), 0);
}

static void test_memory_through_page_tables(void **state)
{
	uint8_t bytes[16];

	(void)state;
	paging_on();
	map_page(0, 0x20000);
	map_page(1, 0x30000);
	poke(0x20ff8, 0x0807060504030201);
	poke(0x30000, 0x1817161514131211);
	assert_int_equal(inspect_read_gva(v, LINEAR + 0xff8, bytes, 16), 16); /* two pages that are not neighbours */
	assert_int_equal(bytes[0], 1);
	assert_int_equal(bytes[8], 0x11);
	assert_int_equal(inspect_read_gva(v, LINEAR + 0x1ff8, bytes, 16), 8); /* the third is not mapped */
	assert_int_equal(inspect_read_gva(v, LINEAR + 0x5000, bytes, 16), 0);
	assert_int_equal(inspect_read_gva(v, BIT64(47), bytes, 16), 0);      /* not canonical */
	assert_int_equal(inspect_read_gva(v, UINT64_MAX - 3, bytes, 16), 0); /* wraps */
	map_page(2, 0xfffff000);                                             /* leads out of RAM */
	assert_int_equal(inspect_read_gva(v, LINEAR + 0x2000, bytes, 1), 0);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR2), 0); /* looking changes nothing */
	assert_false(v->inject.valid);
}

static void test_rip(void **state)
{
	(void)state;
	inspect_rip(v, &out);
	has("code at linear 0000000000100000:\n");
	has("gpa 000000100000 -> hpa ");
	has("f4 eb fd");
}

static void test_rip_through_page_tables(void **state)
{
	(void)state;
	paging_on();
	map_page(0, 0x100000);
	vcpu_hw_set(v, VCPU_RIP, LINEAR);
	inspect_rip(v, &out);
	has("code at linear 00007fff00000000:\n");
	has("gpa 000000014000: 0000000000100003\n"); /* the last table's entry */
	has("gpa 000000100000 -> hpa ");
	has("f4 eb fd");
}

static void test_rip_that_leads_nowhere(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RIP, 0xfee00000);
	inspect_rip(v, &out);
	has("gpa 0000fee00000 is not mapped for the guest\n");
	clear();
	paging_on();
	vcpu_hw_set(v, VCPU_RIP, LINEAR);
	inspect_rip(v, &out);
	has("not mapped");
	clear();
	vcpu_hw_set(v, VCPU_CR3, 0xffffff000);
	inspect_rip(v, &out);
	has("outside its RAM");
}

static void test_trace(void **state)
{
	struct vm_exit e = {.reason = EXIT_IO};

	(void)state;
	inspect_trace(v, 16, FX_TSC_HZ, &out);
	assert_int_equal(lines, 0);
	for (unsigned i = 0; i < 5; i++) {
		e.rip = 0x1000 + i;
		e.tsc = 10000000 * i;
		exit_ring_add(&v->ring, &e);
	}
	inspect_trace(v, 3, FX_TSC_HZ, &out);
	assert_int_equal(lines, 3);
	assert_true(str_starts(text, "-   20000 us  rip 0000000000001002  "));
	has("-       0 us  rip 0000000000001004  ");
	clear();
	inspect_trace(v, EXIT_RING_ENTRIES, FX_TSC_HZ, &out);
	assert_int_equal(lines, 5);
	for (unsigned i = 0; i < 3 * EXIT_RING_ENTRIES; i++)
		exit_ring_add(&v->ring, &e);
	clear();
	inspect_trace(v, 10, FX_TSC_HZ, &out);
	assert_int_equal(lines, 10);
}

static void test_postmortem(void **state)
{
	struct vm_exit e = {.reason = EXIT_TRIPLE_FAULT, .rip = 0x100000, .tsc = 1};

	(void)state;
	exit_ring_add(&v->ring, &e);
	vm_set_crash(vm, v, "triple fault at RIP 0x%x", 0x100000);
	vm_set_crash(vm, v, "a second reason");
	vm_postmortem(vm, v, keep, NULL);
	assert_true(str_starts(text, "post-mortem of a: triple fault at RIP 0x100000\n"));
	assert_null(strstr(text, "second reason")); /* the first one counts */
	has("  rip=0000000000100000");
	has("  code at linear 0000000000100000:\n");
	has("last 1 of 1 exits:\n");
	assert_true(str_eq(text + text_len - strlen("end of post-mortem\n"), "end of post-mortem\n"));
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_registers),
		T(test_every_vcpu_state_has_words),
		T(test_bytes),
		T(test_memory_without_paging),
		T(test_memory_through_page_tables),
		T(test_rip),
		T(test_rip_through_page_tables),
		T(test_rip_that_leads_nowhere),
		T(test_trace),
		T(test_postmortem),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
