/* The local APIC's MSRs: the x2APIC's registers, IA32_APIC_BASE with its modes, and IA32_TSC_DEADLINE.
 * SDM 3 "x2APIC Register Address Space", "x2APIC State Transitions", "TSC-Deadline Mode". */
#include "vmm/devices/vlapic_internal.h"

/* In x2APIC mode the ICR is one register of 64 bits at its place in the page. */
static void write_x2apic_icr(struct vlapic *v, uint64_t value)
{
	uint32_t low = (uint32_t)value & ICR_WRITABLE;
	uint32_t dest = (uint32_t)(value >> X2APIC_ICR_DEST_SHIFT);

	vlapic_set_reg(v, LAPIC_ICR_LOW, low);
	vlapic_set_reg(v, LAPIC_ICR_LOW + 4, dest);
	vlapic_send_icr(v, low, dest);
}

__attribute__((noinline)) static int write_x2apic(struct vlapic *v, uint32_t msr, uint64_t value)
{
	uint32_t offset = X2APIC_OFFSET(msr);
	uint32_t writable;

	if (v->mode != VLAPIC_X2APIC || offset >= REGS_END || (WRITABLE_X2APIC & REG_BIT(offset)) == 0)
		return ERR_FAULT;
	writable = vlapic_writable_bits(offset);
	if (((uint32_t)value & ~(writable | vlapic_read_only_bits(offset))) != 0 ||
	    (offset != LAPIC_ICR_LOW && value >> 32 != 0))
		return ERR_FAULT;
	if (offset == LAPIC_ICR_LOW)
		write_x2apic_icr(v, value);
	else
		vlapic_write_register(v, offset, (uint32_t)value & writable);
	return 0;
}

/* EOI, ICR and SELF IPI, which a running guest writes again and again, need none of the checks above. */
int vlapic_x2apic_write(struct vlapic *v, uint32_t msr, uint64_t value)
{
	if (likely(v->mode == VLAPIC_X2APIC)) {
		if (msr == X2APIC_MSR(LAPIC_EOI) && value == 0) {
			vlapic_sync(v);
			vlapic_eoi(v);
			return 0;
		}
		if (msr == X2APIC_MSR(LAPIC_ICR_LOW) && ((uint32_t)value & ~ICR_WRITABLE) == 0) {
			write_x2apic_icr(v, value);
			return 0;
		}
		if (msr == X2APIC_MSR(LAPIC_SELF_IPI) && value <= 0xff) {
			vlapic_send_icr(v, (uint32_t)value | LAPIC_ICR_TO_SELF, 0);
			return 0;
		}
	}
	return write_x2apic(v, msr, value);
}

/* A register that is not what stands in the page, or more than 32 bits wide. */
__attribute__((noinline)) static uint64_t read_other(struct vlapic *v, uint32_t offset)
{
	uint64_t value = vlapic_read_register(v, offset);

	if (offset == LAPIC_ICR_LOW)
		value |= (uint64_t)vlapic_reg(v, LAPIC_ICR_LOW + 4) << X2APIC_ICR_DEST_SHIFT;
	return value;
}

uint64_t vlapic_x2apic_read(struct vlapic *v, uint32_t msr)
{
	const uint64_t other = REG_BIT(LAPIC_PPR) | REG_BIT(LAPIC_TIMER_CURRENT) | REG_BIT(LAPIC_ICR_LOW);
	uint32_t offset = X2APIC_OFFSET(msr);

	if (v->mode != VLAPIC_X2APIC || offset >= REGS_END || (READABLE & REG_BIT(offset)) == 0)
		return VLAPIC_NO_REGISTER;
	if (unlikely((other & REG_BIT(offset)) || __atomic_load_n(&v->arrived, __ATOMIC_ACQUIRE) != 0))
		return read_other(v, offset);
	return vlapic_reg(v, offset);
}

/* All that may be read at all, but for what is computed when it is read. (A processor that delivers keeps PPR.) */
uint64_t vlapic_page_registers(void)
{
	return READABLE & ~REG_BIT(LAPIC_TIMER_CURRENT);
}

/* --- IA32_APIC_BASE, SDM 3 "x2APIC State Transitions" --- */

#define APIC_BASE_KNOWN (APIC_BASE_BSP | APIC_BASE_EXTD | APIC_BASE_EN | APIC_BASE_ADDR_MASK)

uint64_t vlapic_base(const struct vlapic *v)
{
	uint64_t base = LAPIC_DEFAULT_BASE | (v->bsp ? APIC_BASE_BSP : 0);

	if (v->mode == VLAPIC_DISABLED)
		return base;
	return base | APIC_BASE_EN | (v->mode == VLAPIC_X2APIC ? APIC_BASE_EXTD : 0);
}

const char *vlapic_base_refusal(const struct vlapic *v, uint64_t value)
{
	bool enable = (value & APIC_BASE_EN) != 0;
	bool x2apic = (value & APIC_BASE_EXTD) != 0;

	if ((value & ~APIC_BASE_KNOWN) != 0)
		return "IA32_APIC_BASE: a reserved bit is set";
	if (x2apic && !enable)
		return "IA32_APIC_BASE: x2APIC mode (EXTD) with the APIC switched off (EN = 0)";
	if (x2apic && v->mode == VLAPIC_DISABLED)
		return "IA32_APIC_BASE: from switched off straight into x2APIC mode; the way is through xAPIC mode";
	if (enable && !x2apic && v->mode == VLAPIC_X2APIC)
		return "IA32_APIC_BASE: from x2APIC mode back to xAPIC mode; the way is through switched off";
	if ((value & APIC_BASE_ADDR_MASK) != LAPIC_DEFAULT_BASE)
		return "IA32_APIC_BASE: moving the registers away from 0xfee00000 is not offered";
	return NULL;
}

static void enter_mode(struct vlapic *v, enum vlapic_mode mode)
{
	enum vlapic_mode from = v->mode;

	if (mode == from)
		return;
	__atomic_store_n(&v->mode, mode, __ATOMIC_RELAXED);
	if (mode == VLAPIC_X2APIC) {
		/* Everything stays but ID, LDR and the upper half of ICR; ESR's place is kept. */
		vlapic_set_reg(v, LAPIC_ID, v->id);
		vlapic_set_reg(v, LAPIC_LDR, (v->id >> 4) << 16 | BIT32(v->id & 15));
		vlapic_set_reg(v, LAPIC_ICR_LOW + 4, 0);
		vlapic_mode_changed(v);
		return;
	}
	/* Off, and on again: "as after power-up". INIT's form keeps the mode just entered. */
	vlapic_reset(v, true);
	/* What waits at the 8259 now comes past the APIC. */
	if (mode == VLAPIC_DISABLED && __atomic_load_n(&v->lint_high[0], __ATOMIC_ACQUIRE))
		v->ops->raised(v->ctx);
}

static int write_base(struct vlapic *v, uint64_t value)
{
	enum vlapic_mode mode = VLAPIC_DISABLED;

	if (vlapic_base_refusal(v, value) != NULL)
		return (value & APIC_BASE_ADDR_MASK) != LAPIC_DEFAULT_BASE && (value & ~APIC_BASE_KNOWN) == 0
			       ? ERR_NOSUP
			       : ERR_FAULT;
	/* Which CPU is the bootstrap processor is not the guest's to change: the bit is not taken over. */
	if ((value & APIC_BASE_EN) != 0)
		mode = (value & APIC_BASE_EXTD) != 0 ? VLAPIC_X2APIC : VLAPIC_XAPIC;
	enter_mode(v, mode);
	return 0;
}

int vlapic_msr_read(struct vlapic *v, uint32_t msr, uint64_t *value)
{
	switch (msr) {
	case MSR_IA32_TSC_DEADLINE_INDEX:
		*value = vlapic_timer_deadline(v);
		return 0;
	case MSR_IA32_APIC_BASE_INDEX:
		*value = vlapic_base(v);
		return 0;
	default:
		if (msr < X2APIC_MSR_BASE || msr > X2APIC_MSR_LAST)
			return ERR_FAULT;
		*value = vlapic_x2apic_read(v, msr);
		return *value == VLAPIC_NO_REGISTER ? ERR_FAULT : 0;
	}
}

int vlapic_msr_write(struct vlapic *v, uint32_t msr, uint64_t value)
{
	switch (msr) {
	case MSR_IA32_TSC_DEADLINE_INDEX:
		vlapic_timer_set_deadline(v, value);
		return 0;
	case MSR_IA32_APIC_BASE_INDEX:
		return write_base(v, value);
	default:
		if (msr < X2APIC_MSR_BASE || msr > X2APIC_MSR_LAST)
			return ERR_FAULT;
		return vlapic_x2apic_write(v, msr, value);
	}
}
