/* The local APIC's core: states after power-up and INIT, acceptance of interrupts, priorities, EOI, local inputs.
 * SDM 3 "Local APIC State", "Interrupt Acceptance for Fixed Interrupts", "Task Priority in IA-32e Mode". */
#include "vmm/devices/vlapic_internal.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/string.h"

#define VECTOR_ILLEGAL_BELOW 16u
#define VERSION_REG                                                                                                    \
	(LAPIC_VERSION_INTEGRATED | 6u << LAPIC_VERSION_MAX_LVT_SHIFT | LAPIC_VERSION_EOI_SUPPRESS) /* 7 LVT entries */

static const uint16_t lvt_registers[] = {LAPIC_LVT_CMCI,  LAPIC_LVT_TIMER, LAPIC_LVT_THERMAL, LAPIC_LVT_PERF,
					 LAPIC_LVT_LINT0, LAPIC_LVT_LINT1, LAPIC_LVT_ERROR};

/* The highest vector whose bit is set in a 256-bit register, or -1; words: which of its words to look at, bit by bit. */
static int highest_vector(struct vlapic *v, unsigned offset, uint32_t words)
{
	while (words != 0) {
		unsigned n = bits_fls(words);
		uint32_t bits = __atomic_load_n(vlapic_vector_word(v, offset, n * 32), __ATOMIC_RELAXED);

		if (bits != 0)
			return (int)(n * 32 + bits_fls(bits));
		words &= ~BIT32(n);
	}
	return -1;
}

static int highest_irr(struct vlapic *v)
{
	return highest_vector(v, LAPIC_IRR, __atomic_load_n(&v->irr_words, __ATOMIC_ACQUIRE));
}

/* PPR is the higher of TPR and the class of the highest vector in service; TPR's sub-class counts only when it wins. */
static uint32_t computed_ppr(struct vlapic *v)
{
	int isr = highest_vector(v, LAPIC_ISR, v->isr_words);
	uint32_t service = isr < 0 ? 0 : (uint32_t)isr & 0xf0;
	uint32_t tpr = vlapic_reg(v, LAPIC_TPR) & 0xff;

	return (tpr & 0xf0) >= service ? tpr : service;
}

void vlapic_update_ppr(struct vlapic *v)
{
	uint32_t old = vlapic_reg(v, LAPIC_PPR);
	uint32_t ppr = computed_ppr(v);

	vlapic_set_reg(v, LAPIC_PPR, ppr);
	if ((ppr & 0xf0) < (old & 0xf0) && v->irr_words != 0)
		v->ops->raised(v->ctx);
}

static void reset_registers(struct vlapic *v)
{
	memset(v->regs, 0, PAGE_SIZE);
	v->irr_words = 0;
	v->isr_words = 0;
	v->esr_pending = 0;
	v->enabled = false;
	v->lint0_remote_irr = false;
	vlapic_set_reg(v, LAPIC_VERSION, VERSION_REG);
	vlapic_set_reg(v, LAPIC_SVR, 0xff);
	vlapic_set_reg(v, LAPIC_DFR, LAPIC_DFR_FLAT);
	for (unsigned i = 0; i < ARRAY_LEN(lvt_registers); i++)
		vlapic_set_reg(v, lvt_registers[i], LAPIC_LVT_MASKED);
	if (v->mode == VLAPIC_X2APIC) {
		vlapic_set_reg(v, LAPIC_ID, v->id);
		vlapic_set_reg(v, LAPIC_LDR, (v->id >> 4) << 16 | BIT32(v->id & 15));
	} else {
		vlapic_set_reg(v, LAPIC_ID, v->id << LAPIC_ID_SHIFT);
	}
}

void vlapic_reset(struct vlapic *v, bool init)
{
	if (!init)
		v->mode = VLAPIC_XAPIC;
	vlapic_timer_reset(v);
	reset_registers(v);
}

void vlapic_init(struct vlapic *v, const struct vlapic_config *config)
{
	assert(IS_ALIGNED((uintptr_t)config->page, PAGE_SIZE));
	assert(config->timer_hz != 0);
	*v = (struct vlapic){.regs = config->page,
			     .bsp = config->bsp,
			     .id = config->id,
			     .clock = config->clock,
			     .timer_hz = config->timer_hz,
			     .ops = config->ops,
			     .ctx = config->ctx};
	vlapic_timer_init(v);
	vlapic_reset(v, false);
}

void vlapic_set_virtual_wire(struct vlapic *v)
{
	vlapic_set_reg(v, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	v->enabled = true;
	if (v->bsp)
		vlapic_set_reg(v, LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT);
	vlapic_set_reg(v, LAPIC_LVT_LINT1, LAPIC_LVT_DM_NMI);
}

void vlapic_resync(struct vlapic *v)
{
	uint32_t isr = 0;

	for (unsigned n = 0; n < LAPIC_VECTOR_REGS; n++)
		if (*vlapic_vector_word(v, LAPIC_ISR, n * 32) != 0)
			isr |= BIT32(n);
	v->isr_words = isr;
	/* Bits too many do no harm here, and another CPU may be adding one. */
	__atomic_store_n(&v->irr_words, 0xff, __ATOMIC_RELEASE);
	vlapic_update_ppr(v);
}

void vlapic_error(struct vlapic *v, uint32_t esr_bit)
{
	uint32_t before = __atomic_fetch_or(&v->esr_pending, esr_bit, __ATOMIC_RELAXED);

	/* Once per kind of error and write of ESR, which "rearms the error interrupt mechanism". */
	if ((before & esr_bit) == 0)
		vlapic_fire_lvt(v, LAPIC_LVT_ERROR);
}

static bool accept_fixed(struct vlapic *v, unsigned vector, bool level)
{
	uint32_t bit = BIT32(vector % 32);
	uint32_t *tmr = vlapic_vector_word(v, LAPIC_TMR, vector);

	if (vector < VECTOR_ILLEGAL_BELOW) {
		vlapic_error(v, LAPIC_ESR_RECEIVED_ILLEGAL_VECTOR);
		return false;
	}
	/* The trigger mode first: whoever sees the request must see how to end it. Mostly it is right already. */
	if (((__atomic_load_n(tmr, __ATOMIC_RELAXED) & bit) != 0) != level)
		__atomic_fetch_xor(tmr, bit, __ATOMIC_RELAXED);
	if ((__atomic_fetch_or(vlapic_vector_word(v, LAPIC_IRR, vector), bit, __ATOMIC_ACQ_REL) & bit) != 0) {
		v->coalesced++;
		return true;
	}
	__atomic_fetch_or(&v->irr_words, BIT32(vector / 32), __ATOMIC_RELEASE);
	v->accepted++;
	v->ops->raised(v->ctx);
	return true;
}

bool vlapic_deliver(struct vlapic *v, enum vlapic_delivery delivery, uint8_t vector, bool level)
{
	if (v->mode == VLAPIC_DISABLED) {
		v->dropped++;
		return false;
	}
	switch (delivery) {
	case VLAPIC_FIXED:
	case VLAPIC_LOWEST:
		if (v->enabled)
			return accept_fixed(v, vector, level);
		break;
	case VLAPIC_NMI:
		v->ops->nmi(v->ctx);
		return true;
	case VLAPIC_INIT:
		v->ops->init(v->ctx);
		return true;
	case VLAPIC_STARTUP:
		v->ops->startup(v->ctx, vector);
		return true;
	case VLAPIC_SMI:    /* there is no system-management mode to enter */
	case VLAPIC_EXTINT: /* the 8259's wire ends at LINT0 only */
		break;
	}
	v->dropped++;
	return false;
}

int vlapic_pending(struct vlapic *v)
{
	int vector;

	if (__atomic_load_n(&v->irr_words, __ATOMIC_ACQUIRE) == 0 || v->mode == VLAPIC_DISABLED)
		return -1;
	vector = highest_irr(v);
	if (vector < 0 || ((uint32_t)vector & 0xf0) <= (vlapic_reg(v, LAPIC_PPR) & 0xf0))
		return -1;
	return vector;
}

int vlapic_ack(struct vlapic *v)
{
	int pending = vlapic_pending(v);
	unsigned vector, word;
	uint32_t bit, *irr;

	if (pending < 0)
		return -1;
	vector = (unsigned)pending;
	word = vector / 32;
	bit = BIT32(vector % 32);
	irr = vlapic_vector_word(v, LAPIC_IRR, vector);
	if (__atomic_and_fetch(irr, ~bit, __ATOMIC_ACQ_REL) == 0) {
		/* Clear the hint, then look again: another CPU may have put a bit in between. */
		__atomic_fetch_and(&v->irr_words, ~BIT32(word), __ATOMIC_ACQ_REL);
		if (__atomic_load_n(irr, __ATOMIC_ACQUIRE) != 0)
			__atomic_fetch_or(&v->irr_words, BIT32(word), __ATOMIC_RELEASE);
	}
	*vlapic_vector_word(v, LAPIC_ISR, vector) |= bit;
	v->isr_words |= BIT32(word);
	/* It was above the old PPR, so its class is the new one. */
	vlapic_set_reg(v, LAPIC_PPR, vector & 0xf0);
	return pending;
}

/* A level-sensitive LINT0 in fixed mode that is still high asks again. */
static void lint0_eoi(struct vlapic *v, unsigned vector)
{
	if (!v->lint0_remote_irr || (vlapic_reg(v, LAPIC_LVT_LINT0) & LAPIC_LVT_VECTOR_MASK) != vector)
		return;
	v->lint0_remote_irr = false;
	vlapic_set_reg(v, LAPIC_LVT_LINT0, vlapic_reg(v, LAPIC_LVT_LINT0) & ~LAPIC_LVT_REMOTE_IRR);
	if (v->lint_high[0])
		vlapic_fire_lvt(v, LAPIC_LVT_LINT0);
}

void vlapic_eoi(struct vlapic *v)
{
	int highest = highest_vector(v, LAPIC_ISR, v->isr_words);
	unsigned vector = (unsigned)highest;
	uint32_t bit, *isr;

	if (highest < 0)
		return;
	bit = BIT32(vector % 32);
	isr = vlapic_vector_word(v, LAPIC_ISR, vector);
	*isr &= ~bit;
	if (*isr == 0)
		v->isr_words &= ~BIT32(vector / 32);
	vlapic_update_ppr(v);
	if ((*vlapic_vector_word(v, LAPIC_TMR, vector) & bit) == 0)
		return;
	lint0_eoi(v, vector);
	if ((vlapic_reg(v, LAPIC_SVR) & LAPIC_SVR_EOI_SUPPRESS) == 0)
		v->ops->eoi(v->ctx, (uint8_t)vector);
}

void vlapic_fire_lvt(struct vlapic *v, unsigned offset)
{
	uint32_t lvt = vlapic_reg(v, offset);
	bool level = offset == LAPIC_LVT_LINT0 && (lvt & LAPIC_LVT_LEVEL) != 0;

	if ((lvt & LAPIC_LVT_MASKED) != 0 || v->mode == VLAPIC_DISABLED)
		return;
	switch (lvt & LAPIC_LVT_DM_MASK) {
	case LAPIC_LVT_DM_FIXED:
		if (level && v->lint0_remote_irr)
			return;
		if (vlapic_deliver(v, VLAPIC_FIXED, (uint8_t)(lvt & LAPIC_LVT_VECTOR_MASK), level) && level) {
			v->lint0_remote_irr = true;
			vlapic_set_reg(v, offset, lvt | LAPIC_LVT_REMOTE_IRR);
		}
		break;
	case LAPIC_LVT_DM_NMI:
		vlapic_deliver(v, VLAPIC_NMI, 0, false);
		break;
	case LAPIC_LVT_DM_INIT:
		vlapic_deliver(v, VLAPIC_INIT, 0, false);
		break;
	case LAPIC_LVT_DM_EXTINT:
		v->ops->raised(v->ctx);
		break;
	default:
		v->dropped++; /* SMI, and the codes that mean nothing */
		break;
	}
}

void vlapic_set_lint(struct vlapic *v, unsigned n, bool high)
{
	bool rises = high && !v->lint_high[n];

	v->lint_high[n] = high;
	if (!rises)
		return;
	if (v->mode != VLAPIC_DISABLED)
		vlapic_fire_lvt(v, n == 0 ? LAPIC_LVT_LINT0 : LAPIC_LVT_LINT1);
	else if (n == 0) /* without an APIC the pins are the processor's INTR and NMI */
		v->ops->raised(v->ctx);
	else
		v->ops->nmi(v->ctx);
}

bool vlapic_accepts_pic(const struct vlapic *v)
{
	uint32_t lvt = vlapic_reg(v, LAPIC_LVT_LINT0);

	return v->mode == VLAPIC_DISABLED || (lvt & (LAPIC_LVT_MASKED | LAPIC_LVT_DM_MASK)) == LAPIC_LVT_DM_EXTINT;
}

uint8_t vlapic_get_cr8(const struct vlapic *v)
{
	return (uint8_t)(vlapic_reg(v, LAPIC_TPR) >> 4 & 0xf);
}

void vlapic_set_cr8(struct vlapic *v, uint8_t cr8)
{
	vlapic_set_reg(v, LAPIC_TPR, (uint32_t)(cr8 & 0xf) << 4);
	vlapic_update_ppr(v);
}
