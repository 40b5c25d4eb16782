/* The local APIC by its page of memory or by MSRs: SDM 3 "Local APIC" and "Extended XAPIC (x2APIC)". */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define LAPIC_AT 0xfee00000u
#define CPUID_1_ECX_X2APIC (1u << 21)

bool apic_x2;

bool apic_has_x2(void)
{
	uint32_t r[4];

	cpuid(1, 0, r);
	return r[2] & CPUID_1_ECX_X2APIC;
}

uint32_t apic_read(uint32_t reg)
{
	if (apic_x2)
		return (uint32_t)rdmsr(X2APIC_MSR(reg));
	return *(volatile uint32_t *)(LAPIC_AT + reg);
}

void apic_write(uint32_t reg, uint32_t v)
{
	if (apic_x2)
		wrmsr(X2APIC_MSR(reg), v);
	else
		*(volatile uint32_t *)(LAPIC_AT + reg) = v;
}

uint32_t apic_id(void)
{
	return apic_x2 ? apic_read(LAPIC_ID) : apic_read(LAPIC_ID) >> LAPIC_ID_SHIFT;
}

void apic_eoi(void)
{
	apic_write(LAPIC_EOI, 0);
}

void apic_enable(void)
{
	if (apic_x2)
		wrmsr(MSR_IA32_APIC_BASE_INDEX, rdmsr(MSR_IA32_APIC_BASE_INDEX) | APIC_BASE_EXTD);
	apic_write(LAPIC_TPR, 0);
	apic_write(LAPIC_SVR, LAPIC_SVR_ENABLE | SMP_VECTOR_SPURIOUS);
}

/* The two halves of ICR belong together, so no handler may come between them; and the xAPIC takes one request at a time. */
void apic_icr(uint32_t dest, uint32_t low)
{
	uint32_t flags;

	if (apic_x2) {
		wrmsr(X2APIC_MSR(LAPIC_ICR_LOW), (uint64_t)dest << X2APIC_ICR_DEST_SHIFT | low);
		return;
	}
	__asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
	apic_write(LAPIC_ICR_HIGH, dest << LAPIC_ICR_HIGH_DEST_SHIFT);
	apic_write(LAPIC_ICR_LOW, low);
	while (apic_read(LAPIC_ICR_LOW) & LAPIC_ICR_PENDING)
		cpu_relax();
	__asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}
