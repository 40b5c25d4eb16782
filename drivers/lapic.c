/* The local APIC in both forms, xAPIC (a page of registers) and x2APIC (the same as MSRs). Follows SDM 3 "Advanced
 * Programmable Interrupt Controller (APIC)". Its timer is in lapic_timer.c. */
#include "drivers/lapic.h"
#include "drivers/lapic_regs.h"

/* Reads of the delivery status before a send is given up; the bit clears within microseconds. */
#define SEND_PATIENCE 100000u

/* Choose the face. Firmware that has left x2APIC mode on decides it: going back would lose IDs above 255.
 * config: is copied.  Context: first CPU, interrupts off. */
void lapic_init(struct lapic *l, const struct hw_io *hw, const struct lapic_config *config)
{
	uint64_t base = hw_rdmsr(hw, MSR_IA32_APIC_BASE_INDEX);

	*l = (struct lapic){.hw = hw, .config = *config};
	l->x2apic = config->x2apic || (base & APIC_BASE_EXTD) != 0;
}

/* Switch the face on. From off, x2APIC is reached only by way of xAPIC: SDM 3 "x2APIC State Transitions". */
static void enable_face(const struct lapic *l)
{
	uint64_t base = hw_rdmsr(l->hw, MSR_IA32_APIC_BASE_INDEX), want;

	if (base & APIC_BASE_EXTD)
		return;
	want = (l->config.hpa & APIC_BASE_ADDR_MASK) | (base & APIC_BASE_BSP) | APIC_BASE_EN;
	if (base != want)
		hw_wrmsr(l->hw, MSR_IA32_APIC_BASE_INDEX, want);
	if (l->x2apic)
		hw_wrmsr(l->hw, MSR_IA32_APIC_BASE_INDEX, want | APIC_BASE_EXTD);
}

/* Every local source off, then the two that are ours. The LINT pins are the caller's to open again. */
static void program_lvt(const struct lapic *l)
{
	unsigned last = (lapic_read(l, LAPIC_VERSION) & LAPIC_VERSION_MAX_LVT_MASK) >> LAPIC_VERSION_MAX_LVT_SHIFT;

	lapic_write(l, LAPIC_LVT_LINT0, LAPIC_LVT_MASKED);
	lapic_write(l, LAPIC_LVT_LINT1, LAPIC_LVT_MASKED);
	if (last >= 4)
		lapic_write(l, LAPIC_LVT_PERF, LAPIC_LVT_MASKED);
	/* The thermal entry is left alone: firmware may use it for an SMI. */
	if (last >= 6)
		lapic_write(l, LAPIC_LVT_CMCI, LAPIC_LVT_MASKED);
	lapic_timer_setup(l);
	lapic_write(l, LAPIC_LVT_ERROR, l->config.error_vector);
	(void)lapic_errors(l);
}

/* Bring up the APIC of this CPU: on, everything accepted, all sources masked but its timer (not armed) and its errors.
 * Context: each CPU once, interrupts off. */
void lapic_cpu_enable(const struct lapic *l)
{
	enable_face(l);
	/* Software-enable first: while it is off, the mask bits of the LVT cannot be cleared. */
	lapic_write(l, LAPIC_SVR, LAPIC_SVR_ENABLE | l->config.spurious_vector);
	lapic_write(l, LAPIC_TPR, 0);
	if (!l->x2apic) {
		lapic_write(l, LAPIC_DFR, LAPIC_DFR_FLAT);
		lapic_write(l, LAPIC_LDR, 0); /* nobody sends by logical address */
	}
	program_lvt(l);
}

/* The APIC ID of this CPU. */
uint32_t lapic_id(const struct lapic *l)
{
	uint32_t id = lapic_read(l, LAPIC_ID);

	return l->x2apic ? id : id >> LAPIC_ID_SHIFT;
}

/* Acknowledge the interrupt with the highest priority in service. Not for spurious ones and NMIs. */
void lapic_eoi(const struct lapic *l)
{
	lapic_write(l, LAPIC_EOI, 0);
}

/* What went wrong since the last call, LAPIC_ESR_*. A write makes the register show it. */
uint32_t lapic_errors(const struct lapic *l)
{
	lapic_write(l, LAPIC_ESR, 0);
	return lapic_read(l, LAPIC_ESR);
}

/* Set up a local interrupt pin, LINT0 or LINT1, of this CPU. */
void lapic_lint(const struct lapic *l, unsigned pin, uint32_t lvt)
{
	lapic_write(l, pin == 0 ? LAPIC_LVT_LINT0 : LAPIC_LVT_LINT1, lvt);
}

static void wait_sent(const struct lapic *l)
{
	for (unsigned i = 0; i < SEND_PATIENCE; i++) {
		if (!(lapic_read(l, LAPIC_ICR_LOW) & LAPIC_ICR_PENDING))
			return;
		hw_relax(l->hw);
	}
}

/* The xAPIC takes a command in two halves and may still be busy with the last one. */
__attribute__((noinline)) static void command_xapic(const struct lapic *l, uint32_t apic_id, uint32_t low)
{
	wait_sent(l);
	lapic_write(l, LAPIC_ICR_HIGH, apic_id << LAPIC_ICR_HIGH_DEST_SHIFT);
	lapic_write(l, LAPIC_ICR_LOW, low);
}

/* A write of an x2APIC's MSR may overtake writes to memory before it: whoever is called by it must find what it is called for. */
static void command(const struct lapic *l, uint32_t apic_id, uint32_t low)
{
	if (!l->x2apic) {
		command_xapic(l, apic_id, low);
		return;
	}
	hw_fence(l->hw);
	hw_wrmsr(l->hw, X2APIC_MSR(LAPIC_ICR_LOW), (uint64_t)apic_id << X2APIC_ICR_DEST_SHIFT | low);
}

/* Send an interrupt to a CPU.
 * apic_id: physical; up to 254 with the xAPIC.  what: LAPIC_ICR_DM_FIXED with a vector of 16 or more, LAPIC_ICR_DM_NMI,
 * LAPIC_ICR_DM_INIT, LAPIC_ICR_DM_STARTUP with the page number.
 * Context: not from an NMI while this CPU may be in here.  Source: SDM 3 "Interrupt Command Register (ICR)". */
void lapic_send(const struct lapic *l, uint32_t apic_id, uint32_t what)
{
	command(l, apic_id, what | LAPIC_ICR_ASSERT);
}

/* The same to all CPUs but this one. */
void lapic_send_others(const struct lapic *l, uint32_t what)
{
	command(l, 0, what | LAPIC_ICR_ASSERT | LAPIC_ICR_TO_OTHERS);
}
