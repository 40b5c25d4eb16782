/* INS and OUTS: runs of elements page by page, through the guest's own page tables, and how far the registers say it came. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arch/x86/regs.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"
#include "tests/fake/fake_pages.h"
#include "tests/fake/fake_vcpu_hw.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/vm.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/vdebug.h"
#include "vmm/exit/dispatch.h"

#define RAM_BYTES (64 * PAGE_SIZE)
#define DIRECTORY 0x1000u
#define TABLE 0x2000u
#define SLOW_PORT 0x300u
#define FAST_PORT 0x310u
#define NOBODYS_PORT 0x5f0u
#define OFF_PORT 0x604u
#define SEEN_MAX 8192u

static struct fake_pages pages;
static struct cpuid_policy policy;
static struct vm vm;
static struct vcpu vcpu;
static struct vpost post;
static struct fw_cfg fw_cfg;
static uint8_t seen[SEEN_MAX];
static unsigned seen_count, runs;
static uint8_t next;

/* A part without runs: notes bytes, gives 0, 1, 2 ... */
static uint64_t slow_read(void *ctx, uint64_t offset, unsigned size)
{
	uint64_t value = 0;

	(void)ctx;
	(void)offset;
	for (unsigned i = 0; i < size; i++)
		value |= (uint64_t)next++ << (8 * i);
	return value;
}

static void slow_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)ctx;
	(void)offset;
	for (unsigned i = 0; i < size; i++, value >>= 8)
		seen[seen_count++ % SEEN_MAX] = (uint8_t)value;
}

static void fast_read_run(void *ctx, uint64_t offset, unsigned size, void *to, size_t count)
{
	runs++;
	for (size_t i = 0; i < count; i++) {
		uint64_t value = slow_read(ctx, offset, size);

		memcpy((uint8_t *)to + i * size, &value, size);
	}
}

static void fast_write_run(void *ctx, uint64_t offset, unsigned size, const void *from, size_t count)
{
	runs++;
	for (size_t i = 0; i < count; i++) {
		uint64_t value = 0;

		memcpy(&value, (const uint8_t *)from + i * size, size);
		slow_write(ctx, offset, size, value);
	}
}

static void off_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	slow_write(ctx, offset, size, value);
	if (value == 3)
		vm.request = VM_REQUEST_POWEROFF;
}

static const struct bus_ops slow = {.read = slow_read, .write = slow_write};
static const struct bus_ops fast = {
	.read = slow_read, .write = slow_write, .read_run = fast_read_run, .write_run = fast_write_run};
static const struct bus_ops off = {.read = slow_read, .write = off_write};

static uint8_t *ram(uint64_t gpa)
{
	return guest_mem_ptr(&vm.mem, gpa, 1);
}

/* 32-bit paging: page `linear` is page `gpa`, writable, or missing when gpa is 0. */
static void map(uint32_t linear, uint32_t gpa)
{
	store_le32(ram(DIRECTORY), TABLE | 7);
	store_le32(ram(TABLE + (linear >> 12) * 4), gpa == 0 ? 0 : gpa | 7);
}

static int setup(void **state)
{
	const struct guest_range range = {0, RAM_BYTES};

	(void)state;
	fake_pages_init(&pages, 256, 0x40000000);
	memset(&vm, 0, sizeof(vm));
	memset(&vcpu, 0, sizeof(vcpu));
	vm.cpuid = &policy;
	policy.phys_bits = 36;
	vcpu.vm = &vm;
	vm.vcpus[0] = &vcpu;
	vm.vcpu_count = 1;
	bus_init(&vm.ports);
	assert_int_equal(guest_mem_create(&vm.mem, &pages.source, &range, 1, GUEST_MEM_ZERO), 0);
	assert_int_equal(vcpu_hw_create(&vcpu), 0);
	assert_int_equal(bus_register(&vm.ports, SLOW_PORT, 4, &slow, NULL, "slow"), 0);
	assert_int_equal(bus_register(&vm.ports, FAST_PORT, 4, &fast, NULL, "fast"), 0);
	assert_int_equal(bus_register(&vm.ports, OFF_PORT, 4, &off, NULL, "off"), 0);
	vpost_init(&post);
	assert_int_equal(vpost_register(&post, &vm.ports), 0);
	fw_cfg_init(&fw_cfg);
	assert_int_equal(fw_cfg_register(&fw_cfg, &vm.ports), 0);
	vcpu_hw_set(&vcpu, VCPU_CR0, CR0_PE | CR0_PG);
	vcpu_hw_set(&vcpu, VCPU_CR3, DIRECTORY);
	for (uint32_t page = 8; page < 16; page++)
		map(page * 0x1000, (24 - page) * 0x1000); /* backwards: what lies side by side is not so in memory */
	seen_count = runs = next = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	vcpu_hw_destroy(&vcpu);
	guest_mem_destroy(&vm.mem);
	assert_int_equal(pages.pages_out, 0);
	fake_pages_destroy(&pages);
	return 0;
}

static uint8_t *linear_byte(uint64_t linear)
{
	return ram((24 - linear / 0x1000) * 0x1000 + linear % 0x1000);
}

static enum verdict string_io(uint16_t port, unsigned size, bool in, uint64_t linear, uint64_t count)
{
	struct vm_exit e = {.reason = EXIT_IO};

	e.io.port = port;
	e.io.access = (uint16_t)((size - 1) | EXIT_IO_STRING | EXIT_IO_REP | (in ? EXIT_IO_IN : 0));
	e.io.addr_size = 4;
	e.io.gva = linear;
	vcpu.gpr[GPR_RCX] = count;
	vcpu.gpr[in ? GPR_RDI : GPR_RSI] = linear;
	return exit_dispatch(&vcpu, &e);
}

static void fill(uint64_t linear, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		*linear_byte(linear + i) = (uint8_t)(i * 7 + (i >> 8));
}

static void assert_seen(unsigned bytes)
{
	assert_int_equal(seen_count, bytes);
	for (unsigned i = 0; i < bytes; i++)
		assert_int_equal(seen[i], (uint8_t)(i * 7 + (i >> 8)));
}

/* Over two page borders, with elements that lie across them. */
static void test_out_in_order(void **state)
{
	static const uint16_t ports[] = {SLOW_PORT, FAST_PORT};

	(void)state;
	for (unsigned p = 0; p < ARRAY_LEN(ports); p++) {
		for (unsigned size = 1; size <= 4; size *= 2) {
			uint64_t at = 0x8ffd;
			enum verdict verdict;
			unsigned exits = 0, count = 0x1100 / size;

			seen_count = 0;
			fill(at, 0x1100);
			verdict = string_io(ports[p], size, false, at, count);
			while (verdict == VERDICT_RESUME && exits++ < 8)
				verdict = string_io(ports[p], size, false, vcpu.gpr[GPR_RSI], vcpu.gpr[GPR_RCX]);
			assert_int_equal(verdict, VERDICT_SKIP);
			assert_seen(0x1100);
			assert_int_equal(vcpu.gpr[GPR_RCX], 0);
			assert_int_equal(vcpu.gpr[GPR_RSI], at + 0x1100);
		}
	}
	assert_int_equal(runs, 3 + 3 + 2); /* pages; with four bytes the first holds no whole element */
}

static void test_in_in_order(void **state)
{
	static const uint16_t ports[] = {SLOW_PORT, FAST_PORT};

	(void)state;
	for (unsigned p = 0; p < ARRAY_LEN(ports); p++) {
		for (unsigned size = 1; size <= 4; size *= 2) {
			uint64_t at = 0x9ffd;

			next = 0;
			memset(ram(0x8000), 0xee, 8 * PAGE_SIZE);
			assert_int_equal(string_io(ports[p], size, true, at, 0x200 / size), VERDICT_SKIP);
			for (unsigned i = 0; i < 0x200; i++)
				assert_int_equal(*linear_byte(at + i), i & 0xff);
			assert_int_equal(*linear_byte(at - 1), 0xee);
			assert_int_equal(*linear_byte(at + 0x200), 0xee);
			assert_int_equal(vcpu.gpr[GPR_RDI], at + 0x200);
		}
	}
}

/* What goes one by one is bounded; a run is not worth an exit's end. */
static void test_bounded(void **state)
{
	(void)state;
	assert_int_equal(string_io(SLOW_PORT, 1, false, 0x8000, 0x1000), VERDICT_RESUME);
	assert_int_equal(seen_count, 1024);
	assert_int_equal(vcpu.gpr[GPR_RCX], 0x1000 - 1024);
	assert_int_equal(vcpu.gpr[GPR_RSI], 0x8000 + 1024);
	seen_count = 0;
	assert_int_equal(string_io(FAST_PORT, 1, false, 0x8800, 0x1000), VERDICT_SKIP);
	assert_int_equal(seen_count, 0x1000);
	/* But not without end: 1 MiB of the same pages would be. */
	for (uint32_t page = 8; page < 1024; page++)
		map(page * 0x1000, 0x8000);
	seen_count = 0;
	assert_int_equal(string_io(FAST_PORT, 1, false, 0x8000, 0x100000), VERDICT_RESUME);
	assert_true(seen_count >= 0x3000 && seen_count <= 0x5000);
}

/* The first page is done, the second one is the guest's to bring; the device has not been asked for it. */
static void test_page_fault_in_between(void **state)
{
	(void)state;
	map(0xa000, 0);
	assert_int_equal(string_io(FAST_PORT, 1, true, 0x9ff0, 0x20), VERDICT_RESUME);
	assert_int_equal(next, 0x10);
	assert_int_equal(vcpu.gpr[GPR_RDI], 0xa000);
	assert_int_equal(vcpu.gpr[GPR_RCX], 0x10);
	assert_true(vcpu.inject.valid);
	assert_int_equal(vcpu.inject.vector, VECTOR_PF);
	assert_int_equal(vcpu.inject.error, 2);
	assert_int_equal(vcpu_hw_get(&vcpu, VCPU_CR2), 0xa000);
}

/* Also when a single element lies across. */
static void test_page_fault_within_an_element(void **state)
{
	(void)state;
	map(0xa000, 0);
	assert_int_equal(string_io(SLOW_PORT, 4, true, 0x9ffe, 1), VERDICT_RESUME);
	assert_int_equal(next, 0);
	assert_int_equal(vcpu.gpr[GPR_RCX], 1);
	assert_int_equal(vcpu.inject.vector, VECTOR_PF);
	vcpu.inject.valid = false;
	assert_int_equal(string_io(SLOW_PORT, 4, false, 0x9ffe, 1), VERDICT_RESUME);
	assert_int_equal(seen_count, 0);
	assert_int_equal(vcpu.inject.vector, VECTOR_PF);
}

static void test_down(void **state)
{
	(void)state;
	vcpu_hw_set(&vcpu, VCPU_RFLAGS, RFLAGS_DF);
	for (unsigned i = 0; i < 8; i++)
		*linear_byte(0xa003 - i) = (uint8_t)(i * 7);
	assert_int_equal(string_io(FAST_PORT, 1, false, 0xa003, 8), VERDICT_SKIP);
	assert_seen(8);
	assert_int_equal(vcpu.gpr[GPR_RSI], 0xa003 - 8);
}

/* A 16-bit index wraps inside its segment; the rest of the register stays. */
static void test_index_wraps(void **state)
{
	struct vm_exit e = {.reason = EXIT_IO};

	(void)state;
	for (uint32_t page = 16; page < 32; page++)
		map(page * 0x1000, page * 0x1000);
	for (unsigned i = 0; i < 4; i++) {
		*ram(0x1bffc + i) = (uint8_t)(i * 7);              /* segment base 0xc000, offset 0xfffc ... */
		*linear_byte(0xc000 + i) = (uint8_t)((i + 4) * 7); /* ... and then 0 */
	}
	e.io.port = FAST_PORT;
	e.io.access = EXIT_IO_STRING | EXIT_IO_REP;
	e.io.addr_size = 2;
	e.io.gva = 0x1bffc;
	vcpu.gpr[GPR_RCX] = 0x70008;
	vcpu.gpr[GPR_RSI] = 0x5fffc;
	assert_int_equal(exit_dispatch(&vcpu, &e), VERDICT_SKIP);
	assert_seen(8);
	assert_int_equal(vcpu.gpr[GPR_RCX], 0x70000);
	assert_int_equal(vcpu.gpr[GPR_RSI], 0x50004);
}

static void test_without_rep(void **state)
{
	struct vm_exit e = {.reason = EXIT_IO};

	(void)state;
	e.io.port = FAST_PORT;
	e.io.access = 1 | EXIT_IO_IN | EXIT_IO_STRING; /* two bytes */
	e.io.addr_size = 8;
	e.io.gva = vcpu.gpr[GPR_RDI] = 0x8010;
	vcpu.gpr[GPR_RCX] = 77;
	assert_int_equal(exit_dispatch(&vcpu, &e), VERDICT_SKIP);
	assert_int_equal(vcpu.gpr[GPR_RCX], 77);
	assert_int_equal(vcpu.gpr[GPR_RDI], 0x8012);
	assert_int_equal(next, 2);
	assert_int_equal(string_io(FAST_PORT, 1, true, 0x8010, 0), VERDICT_SKIP);
	assert_int_equal(next, 2);
}

/* A device may end the VM in the midst of it: nothing is moved any more. */
static void test_a_port_can_end_the_run(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 8; i++)
		*linear_byte(0x8000 + i) = (uint8_t)i;
	assert_int_equal(string_io(OFF_PORT, 1, false, 0x8000, 8), VERDICT_STOP);
	assert_int_equal(seen_count, 4);
	assert_int_equal(vcpu.gpr[GPR_RCX], 4);
}

static void test_no_memory_behind(void **state)
{
	(void)state;
	map(0x8000, 0x100000);
	assert_int_equal(string_io(FAST_PORT, 1, true, 0x8000, 4), VERDICT_CRASH);
	assert_int_equal(next, 0);
	assert_non_null(strstr(vm.crash, "0x8000"));
}

static void test_ports_with_runs(void **state)
{
	(void)state;
	assert_int_equal(string_io(NOBODYS_PORT, 4, true, 0x8800, 0x400), VERDICT_SKIP);
	for (unsigned i = 0; i < 0x1000; i++)
		assert_int_equal(*linear_byte(0x8800 + i), 0xff);
	assert_int_equal(vm.ports.nobodys.reads, 0x400);
	assert_int_equal(string_io(NOBODYS_PORT, 2, false, 0x8800, 0x800), VERDICT_SKIP);
	assert_int_equal(vm.ports.nobodys.writes, 0x800);

	fill(0x8000, 0x1000);
	assert_int_equal(string_io(VPOST_PORT, 1, false, 0x8000, 0x1000), VERDICT_SKIP);
	assert_int_equal(post.code, *linear_byte(0x8fff));
	assert_int_equal(bus_find(&vm.ports, VPOST_PORT)->writes, 0x1000);
	assert_int_equal(string_io(VPOST_PORT, 1, true, 0x9000, 0x1000), VERDICT_SKIP);
	for (unsigned i = 0; i < 0x1000; i++)
		assert_int_equal(*linear_byte(0x9000 + i), post.code);

	/* The signature is selected after a reset; behind its end come zeros. */
	assert_int_equal(string_io(FW_CFG_PORT + 1, 1, true, 0x9000, 6), VERDICT_SKIP);
	for (unsigned i = 0; i < 6; i++)
		assert_int_equal(*linear_byte(0x9000 + i), (uint8_t) "QEMU\0"[i]);
	assert_int_equal(string_io(FW_CFG_PORT, 2, true, 0x9000, 2), VERDICT_SKIP);
	assert_int_equal(*linear_byte(0x9003), 0xff);
	/* A port beside a device: half of each access is somebody's. */
	assert_int_equal(string_io(SLOW_PORT - 1, 2, true, 0x9000, 2), VERDICT_SKIP);
	assert_int_equal(*linear_byte(0x9000), 0xff);
	assert_int_equal(*linear_byte(0x9001), 0);
	assert_int_equal(*linear_byte(0x9003), 1);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_out_in_order),
		T(test_in_in_order),
		T(test_bounded),
		T(test_page_fault_in_between),
		T(test_page_fault_within_an_element),
		T(test_down),
		T(test_index_wraps),
		T(test_without_rep),
		T(test_a_port_can_end_the_run),
		T(test_no_memory_behind),
		T(test_ports_with_runs),
	};

	return cmocka_run_group_tests_name("io_string", tests, NULL, NULL);
}
