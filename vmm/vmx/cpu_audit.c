/* The audit after a VM exit, on the processor: reads what audit.h lists, and panics with the name of what is wrong. Only builds
 * with DEBUG=1 call it; there it costs some hundred instructions at each exit. Privileged. */
#include "vmm/vmx/cpu_audit.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr_safe.h"
#include "arch/x86/regs.h"
#include "arch/x86/spinlock.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/string.h"
#include "kernel/panic.h"
#include "vmm/core/vm.h"
#include "vmm/vmx/vmx_vcpu.h"

/* Of RFLAGS what would do harm in C code with interrupts off; an exit clears them all. */
#define RFLAGS_NEVER (RFLAGS_TF | RFLAGS_IF | RFLAGS_DF | RFLAGS_IOPL | RFLAGS_NT | RFLAGS_AC)

static const struct {
	enum audit_item item;
	uint32_t msr;
	bool always; /* every processor with VT-x has it */
} msrs[] = {
	{AUDIT_EFER, MSR_EFER, true},
	{AUDIT_PAT, MSR_PAT, true},
	{AUDIT_XSS, MSR_XSS, false},
	{AUDIT_DEBUGCTL, MSR_DEBUGCTL, false},
	{AUDIT_PERF_GLOBAL_CTRL, MSR_PERF_GLOBAL_CTRL, false},
	{AUDIT_SYSENTER_CS, MSR_SYSENTER_CS, true},
	{AUDIT_SYSENTER_ESP, MSR_SYSENTER_ESP, true},
	{AUDIT_SYSENTER_EIP, MSR_SYSENTER_EIP, true},
	{AUDIT_FS_BASE, MSR_FS_BASE, true},
	{AUDIT_GS_BASE, MSR_GS_BASE, true},
	{AUDIT_STAR, MSR_STAR, true},
	{AUDIT_LSTAR, MSR_LSTAR, true},
	{AUDIT_CSTAR, MSR_CSTAR, true},
	{AUDIT_FMASK, MSR_FMASK, true},
	{AUDIT_KERNEL_GS_BASE, MSR_KERNEL_GS_BASE, true},
	{AUDIT_TSC_AUX, MSR_TSC_AUX, false},
};

static const char *spoil; /* what audit_spoil() was told; NULL: nothing */

static void read_tables(struct audit_state *s)
{
	struct table_register gdtr, idtr;

	sgdt(&gdtr);
	sidt(&idtr);
	s->value[AUDIT_GDTR_BASE] = gdtr.base;
	s->value[AUDIT_GDTR_LIMIT] = gdtr.limit;
	s->value[AUDIT_IDTR_BASE] = idtr.base;
	s->value[AUDIT_IDTR_LIMIT] = idtr.limit;
}

static void read_segments(struct audit_state *s)
{
	s->value[AUDIT_CS] = read_cs();
	s->value[AUDIT_SS] = read_ss();
	s->value[AUDIT_DS] = read_ds();
	s->value[AUDIT_ES] = read_es();
	s->value[AUDIT_FS] = read_fs();
	s->value[AUDIT_GS] = read_gs();
	s->value[AUDIT_TR] = str();
	s->value[AUDIT_LDTR] = sldt();
}

static void read_debug(struct audit_state *s)
{
	s->value[AUDIT_DR0] = read_dr0();
	s->value[AUDIT_DR1] = read_dr1();
	s->value[AUDIT_DR2] = read_dr2();
	s->value[AUDIT_DR3] = read_dr3();
	s->value[AUDIT_DR6] = read_dr6();
	s->value[AUDIT_DR7] = read_dr7();
}

/* s->has is known. */
static void read_all(struct audit_state *s)
{
	s->value[AUDIT_CR0] = read_cr0();
	s->value[AUDIT_CR2] = read_cr2();
	s->value[AUDIT_CR3] = read_cr3();
	s->value[AUDIT_CR4] = read_cr4();
	s->value[AUDIT_CR8] = read_cr8();
	s->value[AUDIT_RFLAGS] = read_rflags() & RFLAGS_NEVER;
	s->value[AUDIT_XCR0] = bits_test(s->has, AUDIT_XCR0) ? xgetbv(0) : 0;
	read_debug(s);
	read_segments(s);
	read_tables(s);
	for (size_t i = 0; i < ARRAY_LEN(msrs); i++)
		s->value[msrs[i].item] = bits_test(s->has, msrs[i].item) ? rdmsr(msrs[i].msr) : 0;
}

static uint64_t what_there_is(void)
{
	uint64_t has = BIT64(AUDIT_COUNT) - 1, value;

	for (size_t i = 0; i < ARRAY_LEN(msrs); i++) {
		if (!msrs[i].always && rdmsr_safe(msrs[i].msr, &value) != 0)
			has &= ~BIT64(msrs[i].item);
	}
	if (!vmx_machine.has_tsc_aux)
		has &= ~BIT64(AUDIT_TSC_AUX);
	if (!vmx_machine.has_xsave)
		has &= ~BIT64(AUDIT_XCR0);
	return has;
}

void audit_begin(struct vmx_cpu *cpu)
{
	struct audit_state before = {.has = what_there_is()};

	read_all(&before);
	audit_expect(&before, &cpu->audit.expected);
	cpu->audit.now.has = before.has;
	cpu->audit.takes = 0;
}

static void compare(const struct audit_state *expected, const struct audit_state *found, enum audit_item first,
		    enum audit_item end, const char *when)
{
	enum audit_item wrong = audit_compare(expected, found, first, end);

	if (unlikely(wrong != AUDIT_COUNT))
		panic("%s is 0x%llx %s, expected 0x%llx", audit_name(wrong), (unsigned long long)found->value[wrong],
		      when, (unsigned long long)expected->value[wrong]);
}

static void compare_books(const struct vmx_cpu *cpu, const struct vcpu *v, const char *when)
{
	if (cpu->live != v)
		panic("the live registers are of vCPU %p %s, expected %p", (void *)cpu->live, when, (const void *)v);
	if (cpu->current != v->hw || v->hw->cpu != (int)this_cpu()->index)
		panic("the current VMCS is not that of vCPU %p %s, or of CPU %d", (const void *)v, when, v->hw->cpu);
}

/* Break what the boot line asked for. when_in: before the entry, else after the exit. */
static void break_something(bool when_in)
{
	if (likely(spoil == NULL))
		return;
	if (when_in && str_eq(spoil, "lstar"))
		wrmsr(MSR_LSTAR, rdmsr(MSR_LSTAR) ^ 0x1000);
	if (!when_in && str_eq(spoil, "pat"))
		wrmsr(MSR_PAT, rdmsr(MSR_PAT) ^ 1);
	if (!when_in && str_eq(spoil, "dr7"))
		write_dr7(read_dr7() | BIT64(8)); /* LE, which nothing looks at any more */
	if (!when_in && str_eq(spoil, "cr4"))
		write_cr4(read_cr4() ^ CR4_DE);
}

/* What of the guest's is in the processor since its last exit is as it was then. */
void audit_before_entry(const struct vcpu *v)
{
	struct vmx_cpu *cpu = this_vmx_cpu();
	struct audit_state now = {.has = cpu->audit.now.has};

	spin_assert_none_held();
	compare_books(cpu, v, "before a VM entry");
	if (cpu->audit.takes != cpu->live_takes)
		return; /* not entered since they moved in, or were written */
	break_something(true);
	read_all(&now);
	compare(&cpu->audit.now, &now, AUDIT_LIVE_FIRST, AUDIT_COUNT, "before a VM entry");
}

void audit_after_exit(const struct vcpu *v)
{
	struct vmx_cpu *cpu = this_vmx_cpu();
	struct vmx_audit *a = &cpu->audit;

	break_something(false);
	read_all(&a->now);
	compare(&a->expected, &a->now, AUDIT_HOST_FIRST, AUDIT_LIVE_FIRST, "after a VM exit");
	compare_books(cpu, v, "after a VM exit");
	/* XSETBV leaves the guest: so the books know this one. */
	a->expected.value[AUDIT_XCR0] = v->hw->xcr0;
	compare(&a->expected, &a->now, AUDIT_XCR0, AUDIT_XCR0 + 1, "after a VM exit");
	a->takes = cpu->live_takes;
}

bool audit_spoil(const char *what)
{
	static const char *const known[] = {"pat", "dr7", "cr4", "lstar"};

	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (str_eq(what, known[i]))
			spoil = known[i];
	}
	return spoil != NULL;
}
