/* selftest=NAME on the boot line: break something on purpose, to see that it is caught. Each test ends in the panic that it
 * provokes, or in a line that says what held. Only in build/avatar-test.elf. Privileged: it provokes with MSRs. */
#include "tests/selftest/selftest.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/msr_safe.h"
#include "arch/x86/percpu.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"

extern const uint8_t text_start[];

#define MSR_NONE 0x4ffffff0u /* in no range that any manufacturer uses */

static void test_panic(void)
{
	panic("asked for by the boot line");
}

static void test_assert(void)
{
	assert(rdtsc() == 0);
}

static void test_read(void)
{
	volatile uintptr_t nowhere = 0x10; /* volatile: the compiler knows what it is doing otherwise */

	(void)*(volatile uint8_t *)nowhere;
}

static void test_write_text(void)
{
	*(volatile uint8_t *)(uintptr_t)text_start = 0x90;
}

static void test_execute_data(void)
{
	static uint8_t code[] = {0xc3};

	((void (*)(void))(uintptr_t)code)();
}

/* The multiplication keeps the compiler from making a loop of it. */
static uint64_t dig(volatile uint64_t depth)
{
	volatile uint64_t room[32] = {depth};

	if (depth == 0)
		return 0;
	return depth * dig(depth + 1) + room[depth % 32];
}

static void test_stack_overflow(void)
{
	log_info("dug %llu deep", (unsigned long long)dig(1));
}

static void test_stack_smash(void)
{
	char small[16];
	volatile size_t len = 64;

	memset(small, 0x55, len);
	log_info("%.*s", (int)sizeof(small), small);
}

static void test_divide(void)
{
	static volatile unsigned seven, zero; /* both 0, which only we know */

	log_info("%u", seven / zero);
}

static const char *verdict(int err)
{
	return err == 0 ? "passed" : "refused";
}

extern const uint8_t wrmsr_safe_insn[]; /* msr_safe.asm */

/* What is refused is the processor's affair (emulators let much pass); that we are still here is ours. */
static void test_msr(void)
{
	uint64_t fixups = this_cpu()->fixups;
	uint64_t saved = rdmsr(MSR_KERNEL_GS_BASE);
	uint64_t value = 1;
	int read = rdmsr_safe(MSR_NONE, &value);
	int write = wrmsr_safe(MSR_NONE, 1);
	int not_canonical = wrmsr_safe(MSR_KERNEL_GS_BASE, BIT64(60));
	unsigned refused = (read != 0 ? 1u : 0u) + (write != 0 ? 1u : 0u) + (not_canonical != 0 ? 1u : 0u);

	wrmsr(MSR_KERNEL_GS_BASE, saved);
	fixups = this_cpu()->fixups - fixups;
	if (fixups != refused || (read != 0 && value != 0) || rdmsr_safe(MSR_EFER, &value) != 0 ||
	    value != rdmsr(MSR_EFER) || !msr_safe_fixup(VECTOR_GP, (uintptr_t)wrmsr_safe_insn, &value) ||
	    msr_safe_fixup(VECTOR_NMI, (uintptr_t)wrmsr_safe_insn, &value))
		panic("MSR access is not safe: %u refused, %llu faults", refused, (unsigned long long)fixups);
	log_info("selftest: missing MSR: read %s, write %s; address that is not canonical: %s; %u faults mended",
		 verdict(read), verdict(write), verdict(not_canonical), refused);
}

static int count_page(void *ctx, const struct pt_leaf *leaf)
{
	unsigned *count = ctx;

	count[(leaf->prot & PT_X) != 0 ? 0 : (leaf->prot & PT_W) != 0 ? 1 : 2]++;
	count[3] += leaf->va < DIRECT_MAP_BASE;
	return 0;
}

static void test_wx(void)
{
	struct pt_leaf offender;
	unsigned count[4] = {0}; /* by rights; in the lower half */

	if (paging_check_wx(&offender) != 0)
		panic("W^X does not hold at 0x%llx", (unsigned long long)offender.va);
	(void)paging_for_each(count_page, count);
	if (count[3] != 0)
		panic("%u pages are mapped in the lower half", count[3]);
	log_info("selftest: W^X holds: %u pages executable, %u writable, %u read-only, none two of them", count[0],
		 count[1], count[2]);
}

/* A second CPU's area comes and goes without a trace. */
static void test_percpu(struct machine *m)
{
	struct page_source pages = page_alloc_source(&m->pages);
	struct percpu *cpu;
	uint64_t base, top, before;
	const uint32_t index = CPU_MAX - 1; /* not one of those that run */
	int err = percpu_create(index, 1, &pages, &cpu);

	if (err != 0)
		panic("no area for a CPU: %s", err_str(err));
	percpu_destroy(cpu, &pages); /* the tables for the window are made now, and stay */
	before = page_alloc_free_bytes(&m->pages);
	err = percpu_create(index, 1, &pages, &cpu);
	if (err != 0)
		panic("no area for a CPU: %s", err_str(err));
	for (unsigned i = 0; i < CPU_STACK_COUNT; i++) {
		cpu_stack_bounds(cpu->stacks, (enum cpu_stack)i, &base, &top);
		memset((void *)(uintptr_t)base, 0x5a, top - base);
		if (paging_is_mapped(base - 1) || paging_is_mapped(top))
			panic("stack %u has no guard", i);
	}
	percpu_destroy(cpu, &pages);
	if (page_alloc_free_bytes(&m->pages) != before)
		panic("a CPU kept memory");
	log_info("selftest: the area of a second CPU is made, guarded and given back");
}

/* The next VM exit finds a register spoiled: the guest has to be started by avatar.conf. */
static bool test_audit(const char *what)
{
	if (AVATAR_DEBUG)
		return audit_spoil(what);
	log_info("selftest: this build does not look after exits (DEBUG=1 does)");
	return true;
}

static const struct {
	const char *name;
	void (*run)(void);
} tests[] = {
	{"panic", test_panic},
	{"assert", test_assert},
	{"read", test_read},
	{"write-text", test_write_text},
	{"execute-data", test_execute_data},
	{"stack-overflow", test_stack_overflow},
	{"stack-smash", test_stack_smash},
	{"divide", test_divide},
	{"msr", test_msr},
	{"wx", test_wx},
};

/* In place of the one in kernel/main.c. */
void boot_selftest(struct machine *m)
{
	const char *name = bootline_value(&m->bootline, "selftest");

	if (name == NULL || selftest_smp(m, name))
		return;
	if (str_eq(name, "percpu")) {
		test_percpu(m);
		return;
	}
	if (str_eq(name, "doctor")) {
		selftest_doctor(m);
		return;
	}
	if (str_starts(name, "audit-") && test_audit(name + strlen("audit-")))
		return;
	for (size_t i = 0; i < ARRAY_LEN(tests); i++) {
		if (str_eq(name, tests[i].name)) {
			log_info("selftest: %s", name);
			tests[i].run();
			return;
		}
	}
	log_error("boot line: there is no selftest=%s", name);
}
