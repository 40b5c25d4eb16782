/* The local APIC through both of its faces: registers, EOI, interrupts to oneself, the timer (SDM 3 "Advanced Programmable
 * Interrupt Controller"). An interrupt's figure goes from the write that asks for it through handler and EOI and back. */
#include "guests/bench/bench.h"

#include "drivers/regs/lapic.h"

#define LAPIC_AT 0xfee00000u
#define SVR_ENABLED 0x1ffu
#define ICR_SELF_FIXED (0x40000u | 0x4000u | BENCH_VECTOR)
#define LVT_TSC_DEADLINE (0x40000u | BENCH_VECTOR)
#define CPUID_1_ECX_X2APIC (1u << 21)
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define AWAIT_TURNS 100000u
#define HLT_TICKS 100000u
#define HLT_ROUNDS 16u

void bench_on_xapic(void);
void bench_on_x2apic(void);

bool bench_lost;

/* SDM 3 "IDT Descriptors": a 32-bit interrupt gate, in the table that is loaded. */
void bench_gate(void (*handler)(void))
{
	struct PACKED {
		uint16_t limit;
		uint32_t base;
	} idt;
	uint32_t entry = (uint32_t)(uintptr_t)handler;
	uint32_t *gate;

	__asm__ volatile("sidt %0" : "=m"(idt));
	gate = (uint32_t *)(uintptr_t)(idt.base + 8 * BENCH_VECTOR);
	gate[0] = 0x00080000u | (entry & 0xffff);
	gate[1] = (entry & 0xffff0000u) | 0x8e00u;
}

void bench_await(void)
{
	for (uint32_t i = 0; bench_fired == 0; i++) {
		if (i == AWAIT_TURNS) {
			bench_lost = true;
			return;
		}
		__asm__ volatile("pause");
	}
}

static void reg_write(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(LAPIC_AT + reg) = v;
}

static void msr_write(uint32_t reg, uint32_t v)
{
	__asm__ volatile("wrmsr" : : "c"(X2APIC_MSR(reg)), "a"(v), "d"(0) : "memory");
}

static void x_read(void)
{
	*(volatile uint32_t *)(LAPIC_AT + LAPIC_ID);
}

static void x_tpr(void)
{
	reg_write(LAPIC_TPR, 0);
}

static void x_eoi(void)
{
	reg_write(LAPIC_EOI, 0);
}

/* With interrupts on. */
static void x_self(void)
{
	bench_fired = 0;
	irq_on();
	reg_write(LAPIC_ICR_LOW, ICR_SELF_FIXED);
	bench_await();
	irq_off();
}

static void x_self_hlt(void)
{
	reg_write(LAPIC_ICR_LOW, ICR_SELF_FIXED);
	irq_wait();
}

static void x2_read(void)
{
	rdmsr(X2APIC_MSR(LAPIC_ID));
}

static void x2_tpr(void)
{
	msr_write(LAPIC_TPR, 0);
}

static void x2_eoi(void)
{
	msr_write(LAPIC_EOI, 0);
}

static void x2_icr(void)
{
	bench_fired = 0;
	irq_on();
	msr_write(LAPIC_ICR_LOW, ICR_SELF_FIXED);
	bench_await();
	irq_off();
}

static void x2_icr_hlt(void)
{
	msr_write(LAPIC_ICR_LOW, ICR_SELF_FIXED);
	irq_wait();
}

static void x2_self(void)
{
	bench_fired = 0;
	irq_on();
	msr_write(LAPIC_SELF_IPI, BENCH_VECTOR);
	bench_await();
	irq_off();
}

/* Asked for with interrupts off, taken after STI. */
static void x2_self_sti(void)
{
	msr_write(LAPIC_SELF_IPI, BENCH_VECTOR);
	__asm__ volatile("sti; nop; cli" : : : "memory");
}

static void x2_self_hlt(void)
{
	msr_write(LAPIC_SELF_IPI, BENCH_VECTOR);
	irq_wait();
}

static void deadline_now(void)
{
	bench_fired = 0;
	irq_on();
	wrmsr(MSR_IA32_TSC_DEADLINE_INDEX, rdtsc());
	bench_await();
	irq_off();
}

/* Far away: the cost of arming alone. */
static void deadline_arm(void)
{
	wrmsr(MSR_IA32_TSC_DEADLINE_INDEX, rdtsc() + 0x100000000ull);
}

/* From the moment the timer was to fire until the guest goes on behind its HLT. */
static void deadline_hlt(void)
{
	uint32_t best = UINT32_MAX, sum = 0;

	for (unsigned i = 0; i < HLT_ROUNDS; i++) {
		uint64_t at = rdtsc() + HLT_TICKS;
		uint32_t late;

		wrmsr(MSR_IA32_TSC_DEADLINE_INDEX, at);
		irq_wait();
		late = (uint32_t)(rdtsc() - at);
		best = late < best ? late : best;
		sum += late;
	}
	bench_report("deadline_hlt_late", best, sum / HLT_ROUNDS);
}

static uint32_t features(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	return r[2];
}

void bench_xapic(void)
{
	static const struct bench list[] = {
		{"xapic_read", x_read, 50, 64},
		{"xapic_tpr_write", x_tpr, 50, 64},
		{"xapic_eoi", x_eoi, 50, 64},
		{"xapic_self_ipi", x_self, 20, 64},
	};
	static const struct bench halts = {"xapic_self_ipi_hlt", x_self_hlt, 10, 64};

	bench_gate(bench_on_xapic);
	reg_write(LAPIC_SVR, SVR_ENABLED);
	bench_run(list, ARRAY_LEN(list));
	if (!bench_lost)
		bench_run(&halts, 1);
	else if (bench_wanted(halts.name))
		bench_skip(halts.name, "interrupts get lost");
}

void bench_x2apic(void)
{
	static const struct bench registers[] = {
		{"x2apic_read", x2_read, 100, 64},
		{"x2apic_tpr_write", x2_tpr, 100, 64},
		{"x2apic_eoi", x2_eoi, 100, 64},
		{"x2apic_self_ipi", x2_self, 20, 64},
		{"x2apic_self_ipi_sti", x2_self_sti, 20, 64},
		{"x2apic_icr", x2_icr, 20, 64},
	};
	static const struct bench halts[] = {
		{"x2apic_self_ipi_hlt", x2_self_hlt, 10, 64},
		{"x2apic_icr_hlt", x2_icr_hlt, 10, 64},
	};
	static const struct bench deadline[] = {
		{"deadline_arm", deadline_arm, 50, 64},
		{"deadline_immediate", deadline_now, 20, 64},
	};

	if (!(features() & CPUID_1_ECX_X2APIC)) {
		bench_skip("x2apic", "not offered");
		return;
	}
	bench_gate(bench_on_x2apic);
	wrmsr(MSR_IA32_APIC_BASE_INDEX, rdmsr(MSR_IA32_APIC_BASE_INDEX) | APIC_BASE_EXTD);
	bench_run(registers, ARRAY_LEN(registers));
	if (!bench_lost)
		bench_run(halts, ARRAY_LEN(halts));
	if (!(features() & CPUID_1_ECX_TSC_DEADLINE)) {
		bench_skip("deadline", "not offered");
		return;
	}
	msr_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE);
	bench_run(deadline, ARRAY_LEN(deadline));
	if (bench_wanted("deadline_hlt_late") && !bench_lost)
		deadline_hlt();
}
