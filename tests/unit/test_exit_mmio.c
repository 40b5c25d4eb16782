/* Instructions that touch device memory: carried out the long way and, once they are known, the short way, with the same
 * result; and the short way is not taken when anything that it was learned from is different. */
#include "tests/unit/vm_fixture.h"

#include "arch/x86/msr.h"
#include "drivers/regs/ioapic.h"
#include "drivers/regs/lapic.h"
#include "kernel/lib/bytes.h"
#include "vmm/devices/vlapic.h"
#include "vmm/exit/dispatch.h"
#include "vmm/exit/mmio_site.h"

#define DEVICE 0xfeb00000ull
#define PML4 0x10000u
#define PDPT 0x11000u
#define PD_LOW 0x12000u
#define PT 0x13000u
#define PD_HIGH 0x14000u
#define OTHER_PML4 0x15000u
#define OTHER_PDPT 0x16000u
#define DIRECTORY 0x17000u
#define CODE 0x20000u       /* where the code lies ... */
#define OTHER_CODE 0x21000u /* ... or other code */
#define RIP 0x5100u         /* linear, in 64-bit code */
#define RIP_OFFSET 0x100u
#define ENTRY 7u /* present, writable, user */
#define LARGE 0x80u

static struct vm *vm;
static struct vcpu *v;
static uint64_t regs[0x200], last_value;
static unsigned reads, writes, last_size;
static uint64_t last_offset;

static uint64_t dev_read(void *ctx, uint64_t offset, unsigned size)
{
	(void)ctx;
	reads++;
	last_offset = offset;
	last_size = size;
	return 0xf1e2d3c4b5a69788ull + offset;
}

static void dev_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)ctx;
	writes++;
	last_offset = offset;
	last_size = size;
	last_value = value;
}

static const struct bus_ops dev = {.read = dev_read, .write = dev_write};

static void put64(uint64_t gpa, uint64_t value)
{
	store_le64(guest_mem_ptr(&vm->mem, gpa, 8), value);
}

static void put32(uint64_t gpa, uint32_t value)
{
	store_le32(guest_mem_ptr(&vm->mem, gpa, 4), value);
}

static void long_mode_tables(uint64_t pml4, uint64_t pdpt)
{
	put64(pml4, pdpt | ENTRY);
	put64(pml4 + 511 * 8, pdpt | ENTRY);
	put64(pdpt + 511 * 8, PD_HIGH | ENTRY);
	put64(pdpt, PD_LOW | ENTRY);
	put64(pdpt + 3 * 8, PD_HIGH | ENTRY);
	put64(PD_LOW, PT | ENTRY);
	put64(PT + (RIP >> 12) * 8, CODE | ENTRY);
	put64(PT + ((RIP >> 12) + 1) * 8, OTHER_CODE | ENTRY);
	for (uint64_t at = 0xfe000000; at < 0xff000000; at += 2 * MIB)
		put64(PD_HIGH + (at >> 21 & 511) * 8, at | LARGE | ENTRY);
}

static void segment(enum vcpu_seg seg, uint16_t access, uint64_t base)
{
	vcpu_hw_set_segment(v, seg,
			    &(struct segment){.selector = 8, .access = access, .limit = UINT32_MAX, .base = base});
}

static void long_mode(void)
{
	long_mode_tables(PML4, PDPT);
	long_mode_tables(OTHER_PML4, PDPT);
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_PG | CR0_WP);
	vcpu_hw_set(v, VCPU_CR4, CR4_PAE);
	vcpu_hw_set(v, VCPU_EFER, EFER_LME | EFER_LMA);
	vcpu_hw_set(v, VCPU_CR3, PML4);
	segment(SEG_CS, SEGMENT_CODE64, 0);
	segment(SEG_SS, SEGMENT_DATA32, 0);
	segment(SEG_DS, SEGMENT_DATA32, 0);
	segment(SEG_FS, SEGMENT_DATA32, 0x1000);
}

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_image();
	vm = fx_vm("one", "1");
	v = vm->vcpus[0];
	vcpu_hw_load(v);
	assert_int_equal(bus_register(&vm->mmio, DEVICE, 0x2000, &dev, regs, "dev"), 0);
	long_mode();
	reads = writes = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static void put_code(uint64_t gpa, const void *bytes, size_t len)
{
	memcpy(guest_mem_ptr(&vm->mem, gpa, len), bytes, len);
}

static struct vm_exit violation(uint64_t gva, bool write)
{
	struct vm_exit e = {.reason = EXIT_EPT_VIOLATION, .rip = vcpu_hw_get(v, VCPU_RIP)};

	e.mem.gva = gva;
	e.mem.gpa = (uint32_t)gva; /* as the tables below have it */
	e.mem.access = EXIT_MEM_GVA | EXIT_MEM_OPERAND | (write ? EXIT_MEM_WRITE : EXIT_MEM_READ);
	return e;
}

/* The access of the instruction at RIP; the registers are the caller's. */
static enum verdict run(uint64_t gva, bool write)
{
	struct vm_exit e;

	vcpu_hw_set(v, VCPU_RIP, RIP);
	e = violation(gva, write);
	return exit_dispatch(v, &e);
}

static bool is_known(uint64_t gva, bool write)
{
	struct vm_exit e;

	vcpu_hw_set(v, VCPU_RIP, RIP);
	e = violation(gva, write);
	return mmio_site_find(v, &e) != NULL;
}

static void set_registers(void)
{
	for (unsigned i = 0; i < GPR_COUNT; i++)
		vcpu_set_gpr(v, i, 0x1122334455667700ull + i);
	v->gpr[GPR_RBX] = DEVICE;
	v->gpr[GPR_RCX] = 2;
}

/* `mov eax, [rbx + 0x10]`, known. */
static void learn_load(void)
{
	static const uint8_t load[] = {0x8b, 0x43, 0x10};

	put_code(CODE + RIP_OFFSET, load, sizeof(load));
	set_registers();
	assert_int_equal(run(DEVICE + 0x10, false), VERDICT_RESUME);
	assert_true(is_known(DEVICE + 0x10, false));
}

/* Instructions whose places are the same, or next to each other, are all known: a driver's loop may well have some. */
static void test_places_that_meet(void **state)
{
	static const uint8_t load[] = {0x8b, 0x43, 0x10};
	static const unsigned where[] = {0, 0x80, 0x100, 0x103, 0x180, 0x183};

	(void)state;
	for (unsigned turn = 0; turn < 4; turn++) {
		for (unsigned i = 0; i < ARRAY_LEN(where); i++) {
			struct vm_exit e = violation(DEVICE + 0x10, false);

			e.rip = RIP + where[i];
			put_code(CODE + RIP_OFFSET + where[i], load, sizeof(load));
			set_registers();
			vcpu_hw_set(v, VCPU_RIP, e.rip);
			if (turn == 3)
				assert_non_null(mmio_site_find(v, &e));
			assert_int_equal(exit_dispatch(v, &e), VERDICT_RESUME);
			assert_non_null(mmio_site_find(v, &e));
		}
	}
}

struct form {
	const char *name;
	uint64_t gva;
	bool write, known;
	uint8_t length;
	uint8_t bytes[12];
};

/* The last 2 GiB of the linear space show the same as the third and fourth one: for displacements from RIP. */
static const struct form forms[] = {
	{"mov eax, [rbx+0x10]", DEVICE + 0x10, false, true, 3, {0x8b, 0x43, 0x10}},
	{"mov [rbx+rcx*4], edx", DEVICE + 8, true, true, 3, {0x89, 0x14, 0x8b}},
	{"mov al, [rbx]", DEVICE, false, true, 2, {0x8a, 0x03}},
	{"mov r13d, [rbx]", DEVICE, false, true, 3, {0x44, 0x8b, 0x2b}},
	{"mov r9w, [rbx]", DEVICE, false, true, 4, {0x66, 0x44, 0x8b, 0x0b}},
	{"mov [rbx], r9w", DEVICE, true, true, 4, {0x66, 0x44, 0x89, 0x0b}},
	{"mov [rbx], r9b", DEVICE, true, true, 3, {0x44, 0x88, 0x0b}},
	{"mov rax, [rbx]", DEVICE, false, true, 3, {0x48, 0x8b, 0x03}},
	{"mov [rbx], rax", DEVICE, true, true, 3, {0x48, 0x89, 0x03}},
	{"movzx eax, byte [rbx]", DEVICE, false, true, 3, {0x0f, 0xb6, 0x03}},
	{"movzx rax, word [rbx]", DEVICE, false, true, 4, {0x48, 0x0f, 0xb7, 0x03}},
	{"movzx ax, byte [rbx]", DEVICE, false, true, 4, {0x66, 0x0f, 0xb6, 0x03}},
	{"mov dword [rbx+4], -2", DEVICE + 4, true, true, 7, {0xc7, 0x43, 0x04, 0xfe, 0xff, 0xff, 0xff}},
	{"mov qword [rbx], -2", DEVICE, true, true, 7, {0x48, 0xc7, 0x03, 0xfe, 0xff, 0xff, 0xff}},
	{"mov byte [rbx], 0x81", DEVICE, true, true, 3, {0xc6, 0x03, 0x81}},
	{"mov eax, fs:[rbx]", DEVICE + 0x1000, false, true, 3, {0x64, 0x8b, 0x03}},
	{"mov eax, [ebx]", DEVICE, false, true, 3, {0x67, 0x8b, 0x03}},
	{"movabs eax, [0xfeb00020]", DEVICE + 0x20, false, true, 9, {0xa1, 0x20, 0x00, 0xb0, 0xfe}},
	{"mov eax, [rip-0x15050f6]", 0xfffffffffeb00010, false, true, 6, {0x8b, 0x05, 0x0a, 0xaf, 0xaf, 0xfe}},
	{"mov [rbx], ah", DEVICE, true, false, 2, {0x88, 0x23}},
	{"mov ah, [rbx]", DEVICE, false, false, 2, {0x8a, 0x23}},
	{"movsx eax, byte [rbx]", DEVICE, false, false, 3, {0x0f, 0xbe, 0x03}},
	{"xchg [rbx], eax", DEVICE, true, false, 2, {0x87, 0x03}},
	{"lock or [rbx], eax", DEVICE, true, false, 3, {0xf0, 0x09, 0x03}},
	{"mov [rbx], esp", DEVICE, true, false, 2, {0x89, 0x23}},
	{"mov esp, [rbx]", DEVICE, false, false, 2, {0x8b, 0x23}},
	{"add eax, [rbx]", DEVICE, false, false, 2, {0x03, 0x03}},
	{"stosd", DEVICE, true, false, 1, {0xab}},
	{"push qword [rbx]", DEVICE, false, false, 2, {0xff, 0x33}},
};

struct outcome {
	enum verdict verdict;
	uint64_t gpr[GPR_COUNT];
	uint64_t rip, offset, value;
	unsigned reads, writes, size;
};

static struct outcome carry_out(const struct form *f)
{
	struct outcome o = {0};

	set_registers();
	v->gpr[GPR_RDI] = DEVICE;
	vcpu_set_gpr(v, GPR_RSP, 0x5e00);
	reads = writes = last_size = 0;
	last_offset = last_value = 0;
	o.verdict = run(f->gva, f->write);
	for (unsigned i = 0; i < GPR_COUNT; i++)
		o.gpr[i] = vcpu_gpr(v, i);
	o.rip = vcpu_hw_get(v, VCPU_RIP);
	o.offset = last_offset;
	o.value = last_value;
	o.reads = reads;
	o.writes = writes;
	o.size = last_size;
	return o;
}

static void test_both_ways_are_the_same(void **state)
{
	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(forms); i++) {
		const struct form *f = &forms[i];
		struct outcome slow, fast;

		memset(guest_mem_ptr(&vm->mem, CODE, PAGE_SIZE), 0xcc, PAGE_SIZE);
		put_code(CODE + RIP_OFFSET, f->bytes, sizeof(f->bytes));
		vcpu_forget_sites(v);
		slow = carry_out(f);
		if (is_known(f->gva, f->write) != f->known)
			fail_msg("%s: known is not %d", f->name, f->known);
		fast = carry_out(f);
		assert_int_equal(slow.verdict, VERDICT_RESUME);
		assert_int_equal(slow.rip, RIP + f->length);
		assert_true(slow.reads + slow.writes > 0);
		if (memcmp(&slow, &fast, sizeof(slow)) != 0)
			fail_msg("%s: the short way does something else", f->name);
	}
}

/* Each of these leaves a move that was known unknown, until it is put back; the access then does what is so now. */
static void test_other_bytes(void **state)
{
	static const uint8_t store[] = {0x89, 0x43, 0x10}, longer[] = {0x8b, 0x43, 0x14};

	(void)state;
	learn_load();
	put_code(CODE + RIP_OFFSET, store, sizeof(store));
	assert_false(is_known(DEVICE + 0x10, false));
	assert_int_equal(run(DEVICE + 0x10, true), VERDICT_RESUME);
	assert_int_equal(writes, 1);
	assert_true(is_known(DEVICE + 0x10, true));
	put_code(CODE + RIP_OFFSET, longer, sizeof(longer));
	assert_int_equal(run(DEVICE + 0x14, false), VERDICT_RESUME);
	assert_int_equal(last_offset, 0x14);
	*(uint8_t *)guest_mem_ptr(&vm->mem, CODE + RIP_OFFSET + 3, 1) ^= 0xff; /* behind it: not its business */
	assert_true(is_known(DEVICE + 0x14, false));
}

static void test_other_tables(void **state)
{
	static const struct {
		uint64_t at, value;
	} changes[] = {
		{PT + (RIP >> 12) * 8, OTHER_CODE | ENTRY},
		{PT + (RIP >> 12) * 8, 0},
		{PD_LOW, 0},
		{PD_LOW, CODE | LARGE | ENTRY},
		{PDPT, 0},
		{PML4, 0},
	};

	(void)state;
	learn_load();
	for (unsigned i = 0; i < ARRAY_LEN(changes); i++) {
		uint64_t *entry = guest_mem_ptr(&vm->mem, changes[i].at, 8), before = *entry;

		*entry = changes[i].value;
		assert_false(is_known(DEVICE + 0x10, false));
		*entry = before;
		assert_true(is_known(DEVICE + 0x10, false));
	}
	put64(PT + ((RIP >> 12) + 1) * 8, 0); /* a neighbour */
	assert_true(is_known(DEVICE + 0x10, false));
}

/* The page at RIP is another one, whose code writes: the old page's bytes are still what they were. */
static void test_remapped_code(void **state)
{
	static const uint8_t store[] = {0x89, 0x43, 0x10};

	(void)state;
	learn_load();
	put_code(OTHER_CODE + RIP_OFFSET, store, sizeof(store));
	put64(PT + (RIP >> 12) * 8, OTHER_CODE | ENTRY);
	reads = 0;
	assert_int_equal(run(DEVICE + 0x10, true), VERDICT_RESUME);
	assert_int_equal(writes, 1);
	assert_int_equal(reads, 0);
}

/* Another process with the same kernel needs no decoding; one with another top entry does. */
static void test_other_root(void **state)
{
	(void)state;
	learn_load();
	vcpu_hw_set(v, VCPU_CR3, OTHER_PML4 | 5); /* with a PCID */
	assert_true(is_known(DEVICE + 0x10, false));
	put64(OTHER_PML4, 0);
	assert_false(is_known(DEVICE + 0x10, false));
	vcpu_hw_set(v, VCPU_CR3, PML4);
	assert_true(is_known(DEVICE + 0x10, false));
	put64(OTHER_PML4, OTHER_PDPT | ENTRY);
	vcpu_hw_set(v, VCPU_CR3, OTHER_PML4);
	assert_false(is_known(DEVICE + 0x10, false));
	vcpu_hw_set(v, VCPU_CR3, 0x7ffffffff000); /* no memory at all */
	assert_false(is_known(DEVICE + 0x10, false));
}

static void test_other_view(void **state)
{
	(void)state;
	learn_load();
	segment(SEG_CS, SEGMENT_CODE32, 0); /* compatibility mode */
	assert_false(is_known(DEVICE + 0x10, false));
	segment(SEG_CS, SEGMENT_CODE64, 0x1000); /* its base means nothing */
	assert_true(is_known(DEVICE + 0x10, false));
	vcpu_hw_set(v, VCPU_EFER, 0);
	assert_false(is_known(DEVICE + 0x10, false));
	vcpu_hw_set(v, VCPU_EFER, EFER_LME | EFER_LMA);
	assert_true(is_known(DEVICE + 0x10, false));
	vm->slpt.generation++; /* the guest lost memory: pointers into it may be old */
	assert_false(is_known(DEVICE + 0x10, false));
	learn_load();
	vcpu_hw_reset(v, false);
	long_mode();
	assert_false(is_known(DEVICE + 0x10, false));
}

/* The access that the processor tells of is not the one that the move makes: the long way finds out what it is. */
static void test_other_access(void **state)
{
	(void)state;
	learn_load();
	v->gpr[GPR_RBX] = DEVICE + 0x100;
	assert_int_equal(run(DEVICE + 0x10, false), VERDICT_RESUME);
	assert_int_equal(last_offset, 0x110);
	assert_int_equal(run(DEVICE + 0x110, true), VERDICT_RESUME);
	assert_int_equal(writes, 0);
	/* Over the end of a page: the second half lies elsewhere. */
	v->gpr[GPR_RBX] = DEVICE + 0xffe - 0x10;
	reads = 0;
	assert_int_equal(run(DEVICE + 0xffe, false), VERDICT_RESUME);
	assert_int_equal(reads, 4);
}

/* A move at an address that is no device's any more, or crosses out of one. */
static void test_other_device(void **state)
{
	(void)state;
	learn_load();
	assert_int_equal(bus_unregister(&vm->mmio, DEVICE), 0);
	set_registers();
	reads = 0;
	assert_int_equal(run(DEVICE + 0x10, false), VERDICT_RESUME); /* the PCI hole: ones */
	assert_int_equal(reads, 0);
	assert_true(v->gpr[GPR_RAX] == 0xffffffff);
	assert_int_equal(vcpu_hw_get(v, VCPU_RIP), RIP + 3);
}

static void test_code_over_a_page(void **state)
{
	static const uint8_t load[] = {0x8b, 0x43, 0x10};
	struct vm_exit e;

	(void)state;
	put_code(CODE + PAGE_SIZE - 1, load, 1);
	put_code(OTHER_CODE, load + 1, 2);
	set_registers();
	for (unsigned i = 0; i < 2; i++) {
		vcpu_hw_set(v, VCPU_RIP, 0x5fff);
		e = violation(DEVICE + 0x10, false);
		assert_int_equal(exit_dispatch(v, &e), VERDICT_RESUME);
		assert_int_equal(vcpu_hw_get(v, VCPU_RIP), 0x6002);
		assert_null(mmio_site_find(v, &e));
	}
	assert_int_equal(reads, 2);
}

/* Where nobody is, and rightly so, a move is known as well; as soon as it is not right, the VM is stopped. */
static void test_nobodys_address(void **state)
{
	const uint64_t nobodys = DEVICE + 0x200000;

	(void)state;
	learn_load();
	for (unsigned i = 1; i <= 3; i++) {
		set_registers();
		v->gpr[GPR_RBX] = nobodys;
		assert_int_equal(run(nobodys + 0x10, false), VERDICT_RESUME);
		assert_true(v->gpr[GPR_RAX] == UINT32_MAX);
		assert_int_equal(vm->mmio.nobodys.reads, i);
		assert_true(is_known(nobodys + 0x10, false));
	}
	set_registers();
	assert_int_equal(run(DEVICE + 0x10, false), VERDICT_RESUME);
	assert_int_equal(reads, 2);
	vm->open_bus_count = 0;
	set_registers();
	v->gpr[GPR_RBX] = nobodys;
	assert_int_equal(run(nobodys + 0x10, false), VERDICT_CRASH);
}

/* R12 to R15 stay in the processor while an exit is handled: who changes one of them has the backend load it. */
static void test_registers_that_stay(void **state)
{
	static const uint8_t r11[] = {0x44, 0x8b, 0x1b},
			     r12[] = {0x44, 0x8b, 0x23}; /* mov r11d, [rbx]; mov r12d, [rbx] */

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		put_code(CODE + RIP_OFFSET, i == 0 ? r11 : r12, 3);
		for (unsigned known = 0; known < 2; known++) {
			set_registers();
			v->requests = 0;
			assert_int_equal(run(DEVICE, false), VERDICT_RESUME);
			assert_int_equal(v->requests & VCPU_REQ_ENTRY, i == 1 || !known ? VCPU_REQ_ENTRY : 0);
		}
	}
}

/* An exit of another kind is never taken for a move of the operand. */
static void test_other_exits(void **state)
{
	struct vm_exit e;

	(void)state;
	learn_load();
	reads = 0;
	vcpu_hw_set(v, VCPU_RIP, RIP);
	e = violation(DEVICE + 0x10, false);
	e.mem.access &= (uint16_t)~EXIT_MEM_OPERAND;
	assert_int_equal(exit_dispatch(v, &e), VERDICT_CRASH);
	e = violation(DEVICE + 0x10, false);
	e.mem.access |= EXIT_MEM_FETCH;
	assert_int_equal(exit_dispatch(v, &e), VERDICT_CRASH);
	e = violation(DEVICE + 0x10, false);
	e.vectoring = (struct event){.valid = true, .vector = 14};
	assert_int_equal(exit_dispatch(v, &e), VERDICT_CRASH);
	assert_int_equal(reads, 0);
}

/* 32-bit paging: two entries share the 8 bytes that are compared. */
static void test_32_bit(void **state)
{
	const uint32_t rip_entry = PT + (RIP >> 12) * 4, neighbour = rip_entry ^ 4;

	(void)state;
	memset(guest_mem_ptr(&vm->mem, PT, PAGE_SIZE), 0, PAGE_SIZE);
	put32(DIRECTORY, PT | ENTRY);
	put32(rip_entry, CODE | ENTRY);
	put32(DIRECTORY + (DEVICE >> 22) * 4, (uint32_t)(DEVICE & 0xffc00000) | LARGE | ENTRY);
	vcpu_hw_set(v, VCPU_CR3, DIRECTORY);
	vcpu_hw_set(v, VCPU_CR4, CR4_PSE);
	vcpu_hw_set(v, VCPU_EFER, 0);
	segment(SEG_CS, SEGMENT_CODE32, 0);
	segment(SEG_DS, SEGMENT_DATA32, 0x1000);
	{
		static const uint8_t load[] = {0x8b, 0x43, 0x10};

		put_code(CODE + RIP_OFFSET, load, sizeof(load));
	}
	for (unsigned i = 0; i < 2; i++) {
		set_registers();
		v->gpr[GPR_RBX] = DEVICE - 0x1000;
		assert_int_equal(run(DEVICE + 0x10, false), VERDICT_RESUME);
		assert_true(v->gpr[GPR_RAX] == 0xb5a69798);
		assert_int_equal(last_offset, 0x10);
		assert_true(is_known(DEVICE + 0x10, false));
	}
	put32(neighbour, 0x12345000 | ENTRY);
	assert_true(is_known(DEVICE + 0x10, false));
	put32(rip_entry, OTHER_CODE | ENTRY);
	assert_false(is_known(DEVICE + 0x10, false));
	put32(rip_entry, CODE | ENTRY);
	vcpu_hw_set(v, VCPU_CR4, 0);
	assert_false(is_known(DEVICE + 0x10, false));
	vcpu_hw_set(v, VCPU_CR4, CR4_PSE);
	vcpu_hw_set(v, VCPU_CR0, CR0_PE);
	assert_false(is_known(DEVICE + 0x10, false));
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_PG);
	segment(SEG_CS, SEGMENT_CODE16, 0);
	assert_false(is_known(DEVICE + 0x10, false));
	segment(SEG_CS, SEGMENT_CODE32, 0x1000);
	assert_false(is_known(DEVICE + 0x10, false));
}

/* Real mode with a 32-bit address ("unreal"): no tables, a code base, a data base. */
static void test_16_bit(void **state)
{
	static const uint8_t load[] = {0x67, 0x66, 0x8b, 0x03}; /* mov eax, [ebx] */

	(void)state;
	put_code(CODE + RIP_OFFSET, load, sizeof(load));
	vcpu_hw_set(v, VCPU_CR0, 0);
	vcpu_hw_set(v, VCPU_CR4, 0);
	vcpu_hw_set(v, VCPU_EFER, 0);
	segment(SEG_CS, SEGMENT_CODE16, CODE + RIP_OFFSET - RIP);
	segment(SEG_DS, SEGMENT_DATA16, 0x10);
	for (unsigned i = 0; i < 2; i++) {
		set_registers();
		v->gpr[GPR_RBX] = DEVICE;
		assert_int_equal(run(DEVICE + 0x10, false), VERDICT_RESUME);
		assert_int_equal(last_offset, 0x10);
		assert_true(v->gpr[GPR_RAX] == 0xb5a69798);
		assert_int_equal(vcpu_hw_get(v, VCPU_RIP), RIP + 4);
		assert_true(is_known(DEVICE + 0x10, false));
	}
	segment(SEG_CS, SEGMENT_CODE16, CODE + RIP_OFFSET - RIP + 0x10);
	assert_false(is_known(DEVICE + 0x10, false));
}

/* The board's own parts. */
static void test_apics(void **state)
{
	static const uint8_t load[] = {0x8b, 0x03}, store[] = {0x89, 0x03};

	(void)state;
	put_code(CODE + RIP_OFFSET, store, sizeof(store));
	for (unsigned i = 0; i < 2; i++) { /* the long way, then the short one */
		set_registers();
		v->gpr[GPR_RBX] = IOAPIC_DEFAULT_BASE;
		v->gpr[GPR_RAX] = IOAPIC_VER;
		assert_int_equal(run(IOAPIC_DEFAULT_BASE, true), VERDICT_RESUME);
		v->gpr[GPR_RBX] = LAPIC_DEFAULT_BASE + LAPIC_TPR;
		v->gpr[GPR_RAX] = 0x30 + i;
		assert_int_equal(run(LAPIC_DEFAULT_BASE + LAPIC_TPR, true), VERDICT_RESUME);
		assert_int_equal(vlapic_mmio_read(v->lapic, LAPIC_TPR, 4), 0x30 + i);
	}
	put_code(CODE + RIP_OFFSET, load, sizeof(load));
	for (unsigned i = 0; i < 2; i++) {
		set_registers();
		v->gpr[GPR_RBX] = IOAPIC_DEFAULT_BASE + IOAPIC_WIN;
		assert_int_equal(run(IOAPIC_DEFAULT_BASE + IOAPIC_WIN, false), VERDICT_RESUME);
		assert_true(v->gpr[GPR_RAX] == 0x170020);
		v->gpr[GPR_RBX] = LAPIC_DEFAULT_BASE + LAPIC_TPR;
		assert_int_equal(run(LAPIC_DEFAULT_BASE + LAPIC_TPR, false), VERDICT_RESUME);
		assert_true(v->gpr[GPR_RAX] == 0x31);
	}
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_both_ways_are_the_same),
		T(test_places_that_meet),
		T(test_other_bytes),
		T(test_other_tables),
		T(test_remapped_code),
		T(test_other_root),
		T(test_other_view),
		T(test_other_access),
		T(test_other_device),
		T(test_code_over_a_page),
		T(test_nobodys_address),
		T(test_registers_that_stay),
		T(test_other_exits),
		T(test_32_bit),
		T(test_16_bit),
		T(test_apics),
	};

	return cmocka_run_group_tests_name("exit_mmio", tests, NULL, NULL);
}
