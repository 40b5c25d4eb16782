/* What the files of the local APIC share among themselves. */
#pragma once

#include "drivers/regs/lapic.h"
#include "vmm/devices/vlapic.h"

static inline uint32_t vlapic_reg(const struct vlapic *v, unsigned offset)
{
	return __atomic_load_n(&v->regs[offset / 4], __ATOMIC_RELAXED);
}

static inline void vlapic_set_reg(struct vlapic *v, unsigned offset, uint32_t value)
{
	__atomic_store_n(&v->regs[offset / 4], value, __ATOMIC_RELAXED);
}

/* The n-th word of a 256-bit register (ISR, TMR, IRR); and the one that holds the vector's bit. */
static inline uint32_t *vlapic_word(struct vlapic *v, unsigned offset, unsigned n)
{
	return v->regs + offset / 4 + (size_t)n * (LAPIC_VECTOR_REG_STRIDE / 4);
}

static inline uint32_t *vlapic_vector_word(struct vlapic *v, unsigned offset, unsigned vector)
{
	return vlapic_word(v, offset, vector / 32);
}

/* Take what other CPUs have left for this APIC. */
void vlapic_take_arrived(struct vlapic *v);

static inline void vlapic_sync(struct vlapic *v)
{
	if (unlikely(__atomic_load_n(&v->arrived, __ATOMIC_ACQUIRE) != 0))
		vlapic_take_arrived(v);
}

/* The mode and the software enable, of any APIC. */
static inline enum vlapic_mode vlapic_mode(const struct vlapic *v)
{
	return __atomic_load_n(&v->mode, __ATOMIC_RELAXED);
}

static inline bool vlapic_enabled(const struct vlapic *v)
{
	return __atomic_load_n(&v->enabled, __ATOMIC_RELAXED);
}

static inline void vlapic_count(uint64_t *counter)
{
	__atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* A fixed interrupt of one's own (a local source, an IPI to oneself): without the way through the atomic words. */
void vlapic_deliver_own(struct vlapic *v, unsigned vector, bool level);

/* The owner, and a processor that delivers, are to know of the mode and of everything that a reset changed. */
void vlapic_mode_changed(struct vlapic *v);

/* What PPR is by TPR and ISR. */
uint32_t vlapic_computed_ppr(struct vlapic *v);

/* Note an error: for the next write of ESR, and for the error LVT. Any CPU. */
void vlapic_error(struct vlapic *v, uint32_t esr_bit);

/* A local source fires: deliver what its LVT entry says. */
void vlapic_fire_lvt(struct vlapic *v, unsigned offset);

/* Recompute PPR after TPR or ISR changed, and tell the owner if that may let something through. */
void vlapic_update_ppr(struct vlapic *v);

void vlapic_timer_init(struct vlapic *v);
void vlapic_timer_reset(struct vlapic *v);
/* The timer's LVT has a new value (in the page already). */
void vlapic_timer_lvt_changed(struct vlapic *v);
void vlapic_timer_start(struct vlapic *v, uint32_t initial);
void vlapic_timer_set_divide(struct vlapic *v, uint32_t divide);
uint32_t vlapic_timer_current(const struct vlapic *v);
uint64_t vlapic_timer_deadline(const struct vlapic *v);
void vlapic_timer_set_deadline(struct vlapic *v, uint64_t deadline);

/* --- registers --- */

#define REG_STRIDE 16u
#define REG_BIT(offset) (1ull << ((offset) / REG_STRIDE))
#define VECTOR_REGS_BITS(offset) (0xffull << ((offset) / REG_STRIDE))
#define REGS_END 0x400u

/* Registers that both faces have, and may be read. */
#define READABLE                                                                                                       \
	(REG_BIT(LAPIC_ID) | REG_BIT(LAPIC_VERSION) | REG_BIT(LAPIC_TPR) | REG_BIT(LAPIC_PPR) | REG_BIT(LAPIC_LDR) |   \
	 REG_BIT(LAPIC_SVR) | VECTOR_REGS_BITS(LAPIC_ISR) | VECTOR_REGS_BITS(LAPIC_TMR) |                              \
	 VECTOR_REGS_BITS(LAPIC_IRR) | REG_BIT(LAPIC_ESR) | REG_BIT(LAPIC_LVT_CMCI) | REG_BIT(LAPIC_ICR_LOW) |         \
	 REG_BIT(LAPIC_LVT_TIMER) | REG_BIT(LAPIC_LVT_THERMAL) | REG_BIT(LAPIC_LVT_PERF) | REG_BIT(LAPIC_LVT_LINT0) |  \
	 REG_BIT(LAPIC_LVT_LINT1) | REG_BIT(LAPIC_LVT_ERROR) | REG_BIT(LAPIC_TIMER_INITIAL) |                          \
	 REG_BIT(LAPIC_TIMER_CURRENT) | REG_BIT(LAPIC_TIMER_DIVIDE))
/* EOI is write-only; in the page a read of it is no error, it has nothing to say. */
#define READABLE_XAPIC (READABLE | REG_BIT(LAPIC_DFR) | REG_BIT(LAPIC_ICR_HIGH) | REG_BIT(LAPIC_EOI))

#define WRITABLE                                                                                                       \
	(REG_BIT(LAPIC_TPR) | REG_BIT(LAPIC_EOI) | REG_BIT(LAPIC_SVR) | REG_BIT(LAPIC_ESR) | REG_BIT(LAPIC_LVT_CMCI) | \
	 REG_BIT(LAPIC_ICR_LOW) | REG_BIT(LAPIC_LVT_TIMER) | REG_BIT(LAPIC_LVT_THERMAL) | REG_BIT(LAPIC_LVT_PERF) |    \
	 REG_BIT(LAPIC_LVT_LINT0) | REG_BIT(LAPIC_LVT_LINT1) | REG_BIT(LAPIC_LVT_ERROR) |                              \
	 REG_BIT(LAPIC_TIMER_INITIAL) | REG_BIT(LAPIC_TIMER_DIVIDE))
#define WRITABLE_X2APIC (WRITABLE | REG_BIT(LAPIC_SELF_IPI))
#define WRITABLE_XAPIC (WRITABLE | REG_BIT(LAPIC_LDR) | REG_BIT(LAPIC_DFR) | REG_BIT(LAPIC_ICR_HIGH))

#define ICR_WRITABLE                                                                                                   \
	(LAPIC_ICR_VECTOR_MASK | LAPIC_ICR_DM_MASK | LAPIC_ICR_LOGICAL | LAPIC_ICR_ASSERT | LAPIC_ICR_LEVEL |          \
	 LAPIC_ICR_SHORTHAND_MASK)

uint32_t vlapic_writable_bits(unsigned offset);
uint32_t vlapic_read_only_bits(unsigned offset);
uint32_t vlapic_read_register(struct vlapic *v, unsigned offset);
/* value has been checked, or reduced, to vlapic_writable_bits(). */
void vlapic_write_register(struct vlapic *v, unsigned offset, uint32_t value);
void vlapic_send_icr(struct vlapic *v, uint32_t low, uint32_t dest);
