/* The local APIC's registers in its page: what may be read and written, and what a write does, for both faces.
 * SDM 3 "Local APIC Register Address Map", "Local Vector Table", "Issuing Interprocessor Interrupts", "Error Handling".
 *
 * What hardware leaves open is settled so: bytes 4 to 15 of a register read 0; a write of the page that is not 32 bits wide
 * and aligned is dropped; the xAPIC ID is read-only, as on current processors; reserved xAPIC registers read 0, drop writes
 * and report "illegal register address" in ESR. */
#include "vmm/devices/vlapic_internal.h"

#define LVT_PLAIN (LAPIC_LVT_VECTOR_MASK | LAPIC_LVT_MASKED)
#define LVT_MODED (LVT_PLAIN | LAPIC_LVT_DM_MASK)
/* Bits that a write may set. In x2APIC mode any other bit is #GP, except the read-only ones, which a guest may write back
 * as it read them; in the page other bits are dropped. Every writable register that is not here takes no bits at all. */
uint32_t vlapic_writable_bits(unsigned offset)
{
	switch (offset) {
	case LAPIC_TPR:
	case LAPIC_SELF_IPI:
		return 0xff;
	case LAPIC_LDR:
	case LAPIC_ICR_HIGH:
		return 0xff000000;
	case LAPIC_DFR:
		return LAPIC_DFR_MODEL_MASK;
	case LAPIC_SVR: /* the focus bit means nothing on processors of today, but is still there to be written */
		return LAPIC_SVR_VECTOR_MASK | LAPIC_SVR_ENABLE | LAPIC_SVR_FOCUS_OFF | LAPIC_SVR_EOI_SUPPRESS;
	case LAPIC_ICR_LOW:
		return ICR_WRITABLE;
	case LAPIC_LVT_TIMER:
		return LVT_PLAIN | LAPIC_LVT_TIMER_MODE_MASK;
	case LAPIC_LVT_CMCI:
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
		return LVT_MODED;
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		return LVT_MODED | LAPIC_LVT_ACTIVE_LOW | LAPIC_LVT_LEVEL;
	case LAPIC_LVT_ERROR:
		return LVT_PLAIN;
	case LAPIC_TIMER_INITIAL:
		return 0xffffffff;
	case LAPIC_TIMER_DIVIDE:
		return LAPIC_DIVIDE_MASK;
	default:
		return 0;
	}
}

uint32_t vlapic_read_only_bits(unsigned offset)
{
	switch (offset) {
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
		return LAPIC_LVT_PENDING | LAPIC_LVT_REMOTE_IRR;
	case LAPIC_ICR_LOW:
	case LAPIC_LVT_TIMER:
	case LAPIC_LVT_CMCI:
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
	case LAPIC_LVT_ERROR:
		return LAPIC_LVT_PENDING; /* the same bit in ICR */
	default:
		return 0;
	}
}

/* --- what a write does --- */

static void write_lvt(struct vlapic *v, unsigned offset, uint32_t value)
{
	/* "All the mask bits are set; attempts to reset these bits will be ignored" while software-disabled. */
	if (!v->enabled)
		value |= LAPIC_LVT_MASKED;
	if (offset == LAPIC_LVT_LINT0) {
		v->lint0_remote_irr = v->lint0_remote_irr && (value & LAPIC_LVT_LEVEL) != 0;
		value |= v->lint0_remote_irr ? LAPIC_LVT_REMOTE_IRR : 0;
	}
	vlapic_set_reg(v, offset, value);
	if (offset == LAPIC_LVT_TIMER)
		vlapic_timer_lvt_changed(v);
	/* Unmasking a wire that is high: the 8259 waits to be heard, a level asks. */
	if (offset == LAPIC_LVT_LINT0 && __atomic_load_n(&v->lint_high[0], __ATOMIC_ACQUIRE) &&
	    ((value & LAPIC_LVT_DM_MASK) == LAPIC_LVT_DM_EXTINT || (value & LAPIC_LVT_LEVEL) != 0))
		vlapic_fire_lvt(v, offset);
}

static void mask_all_lvts(struct vlapic *v)
{
	for (unsigned offset = LAPIC_LVT_TIMER; offset <= LAPIC_LVT_ERROR; offset += REG_STRIDE)
		vlapic_set_reg(v, offset, vlapic_reg(v, offset) | LAPIC_LVT_MASKED);
	vlapic_set_reg(v, LAPIC_LVT_CMCI, vlapic_reg(v, LAPIC_LVT_CMCI) | LAPIC_LVT_MASKED);
	vlapic_timer_lvt_changed(v);
}

static void write_svr(struct vlapic *v, uint32_t value)
{
	bool enable = (value & LAPIC_SVR_ENABLE) != 0;

	vlapic_set_reg(v, LAPIC_SVR, value);
	if (v->enabled && !enable)
		mask_all_lvts(v);
	__atomic_store_n(&v->enabled, enable, __ATOMIC_RELAXED);
}

static void send_to_others(struct vlapic *v, uint32_t low, uint32_t dest)
{
	const uint32_t mode = low & LAPIC_ICR_DM_MASK;

	if (unlikely(mode <= LAPIC_ICR_DM_LOWEST && (low & LAPIC_ICR_VECTOR_MASK) < 16)) {
		vlapic_error(v, LAPIC_ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	/* INIT level de-assert synchronises arbitration IDs, of which there are none since the Pentium 4. */
	if (mode == LAPIC_ICR_DM_INIT && (low & LAPIC_ICR_LEVEL) != 0 && (low & LAPIC_ICR_ASSERT) == 0)
		return;
	v->ipis_sent++;
	v->ops->send_ipi(v->ctx, low, dest);
}

__attribute__((noinline)) static void misuse_self(struct vlapic *v, bool is_fixed)
{
	if (is_fixed) {
		vlapic_error(v, LAPIC_ESR_SEND_ILLEGAL_VECTOR);
		return;
	}
	v->ipis_sent++;
	vlapic_count(&v->dropped);
}

/* "Valid Combinations for the ... Local xAPIC Interrupt Command Register": with this shorthand only fixed. */
static inline void send_to_self(struct vlapic *v, uint32_t low)
{
	uint32_t vector = low & LAPIC_ICR_VECTOR_MASK;
	bool is_fixed = (low & LAPIC_ICR_DM_MASK) == LAPIC_ICR_DM_FIXED;

	if (unlikely(!is_fixed || vector < 16)) {
		misuse_self(v, is_fixed);
		return;
	}
	v->ipis_sent++;
	vlapic_deliver_own(v, vector, false);
}

void vlapic_send_icr(struct vlapic *v, uint32_t low, uint32_t dest)
{
	if ((low & LAPIC_ICR_SHORTHAND_MASK) == LAPIC_ICR_TO_SELF)
		send_to_self(v, low);
	else
		send_to_others(v, low, dest);
}

/* In the page the destination has been written before. */
static inline void write_icr(struct vlapic *v, uint32_t value)
{
	vlapic_set_reg(v, LAPIC_ICR_LOW, value);
	vlapic_send_icr(v, value, vlapic_reg(v, LAPIC_ICR_HIGH) >> LAPIC_ICR_HIGH_DEST_SHIFT);
}

/* value has been checked, or reduced, to vlapic_writable_bits(). What arrived before the write meets the old value. */
void vlapic_write_register(struct vlapic *v, unsigned offset, uint32_t value)
{
	vlapic_sync(v);
	switch (offset) {
	case LAPIC_TPR:
		vlapic_set_reg(v, offset, value);
		vlapic_update_ppr(v);
		break;
	case LAPIC_EOI:
		vlapic_eoi(v);
		break;
	case LAPIC_DFR:
		vlapic_set_reg(v, offset, value | ~LAPIC_DFR_MODEL_MASK);
		break;
	case LAPIC_SVR:
		write_svr(v, value);
		break;
	case LAPIC_ESR: /* "a write (of any value) updates the register with the errors since the last write" */
		vlapic_set_reg(v, offset, __atomic_exchange_n(&v->esr_pending, 0, __ATOMIC_RELAXED));
		break;
	case LAPIC_ICR_LOW:
		write_icr(v, value);
		break;
	case LAPIC_LVT_CMCI:
	case LAPIC_LVT_TIMER:
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
	case LAPIC_LVT_ERROR:
		write_lvt(v, offset, value);
		break;
	case LAPIC_TIMER_INITIAL:
		vlapic_timer_start(v, value);
		break;
	case LAPIC_TIMER_DIVIDE:
		vlapic_set_reg(v, offset, value);
		vlapic_timer_set_divide(v, value);
		break;
	case LAPIC_SELF_IPI:
		vlapic_send_icr(v, value | LAPIC_ICR_TO_SELF, 0);
		break;
	default:
		vlapic_set_reg(v, offset, value);
		break;
	}
}

/* --- the page --- */

/* What a read gives, of a register that may be read. */
uint32_t vlapic_read_register(struct vlapic *v, unsigned offset)
{
	vlapic_sync(v);
	switch (offset) {
	case LAPIC_TIMER_CURRENT:
		return vlapic_timer_current(v);
	case LAPIC_PPR: /* the guest may have changed TPR without our seeing it */
		return vlapic_computed_ppr(v);
	default:
		return vlapic_reg(v, offset);
	}
}

uint64_t vlapic_mmio_read(struct vlapic *v, uint32_t offset, unsigned size)
{
	uint32_t reg = offset & ~(REG_STRIDE - 1);
	uint32_t byte = offset % REG_STRIDE;
	uint64_t value;

	if (v->mode != VLAPIC_XAPIC)
		return UINT64_MAX;
	if (reg >= REGS_END || (READABLE_XAPIC & REG_BIT(reg)) == 0) {
		vlapic_error(v, LAPIC_ESR_ILLEGAL_REGISTER);
		return 0;
	}
	if (byte >= 4)
		return 0;
	value = vlapic_read_register(v, reg) >> byte * 8;
	return size >= 4 ? value : value & ((1ull << size * 8) - 1);
}

__attribute__((noinline)) static void mmio_write_other(struct vlapic *v, uint32_t offset, uint64_t value)
{
	if (offset >= REGS_END || ((READABLE_XAPIC | WRITABLE_XAPIC) & REG_BIT(offset)) == 0) {
		vlapic_error(v, LAPIC_ESR_ILLEGAL_REGISTER);
		return;
	}
	if ((WRITABLE_XAPIC & REG_BIT(offset)) != 0)
		vlapic_write_register(v, offset, (uint32_t)value & vlapic_writable_bits(offset));
}

/* EOI and ICR, which a running guest writes again and again, need none of the checks above. */
void vlapic_mmio_write(struct vlapic *v, uint32_t offset, unsigned size, uint64_t value)
{
	if (unlikely(v->mode != VLAPIC_XAPIC || size != 4 || offset % REG_STRIDE != 0))
		return;
	if (offset == LAPIC_EOI) {
		vlapic_sync(v);
		vlapic_eoi(v);
	} else if (offset == LAPIC_ICR_LOW) {
		vlapic_sync(v);
		write_icr(v, (uint32_t)value & ICR_WRITABLE);
	} else {
		mmio_write_other(v, offset, value);
	}
}

/* Bits that software cannot write are in the page for the moment: what the write does puts them right. The ID, which only
 * we know, is written back. In x2APIC mode it is an IPI to oneself with an illegal vector that comes here. */
void vlapic_written(struct vlapic *v, uint32_t offset)
{
	offset &= ~(REG_STRIDE - 1);
	if (v->mode == VLAPIC_X2APIC && offset == LAPIC_SELF_IPI)
		vlapic_write_register(v, offset, vlapic_reg(v, offset) & 0xff);
	else if (v->mode == VLAPIC_XAPIC && offset == LAPIC_ID)
		vlapic_set_reg(v, LAPIC_ID, v->id << LAPIC_ID_SHIFT);
	else
		vlapic_mmio_write(v, offset, 4, vlapic_reg(v, offset));
}
