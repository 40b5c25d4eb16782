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
static inline int highest_vector(struct vlapic *v, unsigned offset, uint32_t words)
{
	while (words != 0) {
		unsigned n = bits_fls(words);
		uint32_t bits = *vlapic_word(v, offset, n);

		if (bits != 0)
			return (int)(n * 32 + bits_fls(bits));
		words &= ~BIT32(n);
	}
	return -1;
}

/* The same where a processor delivers, which leaves no hint which words are in use. Unrolled, it is two instructions a word. */
__attribute__((noinline)) static int highest_anywhere(struct vlapic *v, unsigned offset)
{
	const uint32_t *words = vlapic_word(v, offset, 0);

#pragma GCC unroll 8
	for (unsigned n = LAPIC_VECTOR_REGS; n-- > 0;) {
		uint32_t bits = words[n * (LAPIC_VECTOR_REG_STRIDE / 4)];

		if (bits != 0)
			return (int)(n * 32 + bits_fls(bits));
	}
	return -1;
}

static inline int highest_irr(struct vlapic *v)
{
	return unlikely(v->processor_delivers) ? highest_anywhere(v, LAPIC_IRR)
					       : highest_vector(v, LAPIC_IRR, v->irr_words);
}

/* Mostly nothing is in service when somebody asks. */
__attribute__((noinline)) static int highest_isr_anywhere(struct vlapic *v)
{
	return vlapic_nothing_in(v->regs + LAPIC_ISR / 4) ? -1 : highest_anywhere(v, LAPIC_ISR);
}

static inline int highest_isr(struct vlapic *v)
{
	return unlikely(v->processor_delivers) ? highest_isr_anywhere(v) : highest_vector(v, LAPIC_ISR, v->isr_words);
}

/* PPR is the higher of TPR and the class of the highest vector in service; TPR's sub-class counts only when it wins. */
static inline uint32_t computed_ppr(struct vlapic *v)
{
	int isr = highest_isr(v);
	uint32_t service = isr < 0 ? 0 : (uint32_t)isr & 0xf0;
	uint32_t tpr = vlapic_reg(v, LAPIC_TPR) & 0xff;

	return (tpr & 0xf0) >= service ? tpr : service;
}

uint32_t vlapic_computed_ppr(struct vlapic *v)
{
	return computed_ppr(v);
}

/* PPR anew. Does it let this one, the highest in IRR, through? */
static inline bool is_deliverable(struct vlapic *v, int irr)
{
	uint32_t ppr = computed_ppr(v);

	vlapic_set_reg(v, LAPIC_PPR, ppr);
	return irr >= 0 && ((uint32_t)irr & 0xf0) > (ppr & 0xf0);
}

/* A request that still waits may now wait for TPR alone, which decides about the threshold. */
void vlapic_update_ppr(struct vlapic *v)
{
	int irr = highest_irr(v);

	if (is_deliverable(v, irr) || (v->processor_has_tpr && irr >= 0))
		v->ops->raised(v->ctx);
}

bool vlapic_settle(struct vlapic *v)
{
	bool untold = v->untold;

	vlapic_sync(v);
	v->untold = false;
	return untold;
}

uint8_t vlapic_requested(struct vlapic *v)
{
	int irr;

	vlapic_sync(v);
	irr = highest_irr(v);
	return irr < 0 ? 0 : (uint8_t)irr;
}

uint8_t vlapic_in_service(struct vlapic *v)
{
	int isr = highest_isr(v);

	return isr < 0 ? 0 : (uint8_t)isr;
}

unsigned vlapic_tpr_threshold(struct vlapic *v)
{
	unsigned request = vlapic_requested(v) >> 4;

	return request != 0 && request <= (vlapic_reg(v, LAPIC_TPR) >> 4 & 0xf) && request > vlapic_in_service(v) >> 4
		       ? request
		       : 0;
}

static uint64_t levels(struct vlapic *v, unsigned quarter)
{
	return *vlapic_word(v, LAPIC_TMR, quarter * 2) | (uint64_t)*vlapic_word(v, LAPIC_TMR, quarter * 2 + 1) << 32;
}

void vlapic_mode_changed(struct vlapic *v)
{
	if (v->ops->mode != NULL)
		v->ops->mode(v->ctx);
	for (unsigned quarter = 0; v->processor_delivers && quarter < 4; quarter++)
		v->ops->levels(v->ctx, quarter, levels(v, quarter));
}

static void reset_registers(struct vlapic *v)
{
	memset(v->regs, 0, PAGE_SIZE);
	__atomic_store_n(&v->arrived, 0, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < LAPIC_VECTOR_REGS; i++)
		__atomic_store_n(&v->requests[i], 0, __ATOMIC_RELAXED);
	v->irr_words = 0;
	v->isr_words = 0;
	v->untold = true;
	__atomic_store_n(&v->esr_pending, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&v->enabled, false, __ATOMIC_RELAXED);
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
		__atomic_store_n(&v->mode, VLAPIC_XAPIC, __ATOMIC_RELAXED);
	vlapic_timer_reset(v);
	reset_registers(v);
	vlapic_mode_changed(v);
}

void vlapic_init(struct vlapic *v, const struct vlapic_config *config)
{
	assert(IS_ALIGNED((uintptr_t)config->page, PAGE_SIZE));
	assert(config->timer_hz != 0);
	*v = (struct vlapic){.regs = config->page,
			     .mode = VLAPIC_XAPIC,
			     .bsp = config->bsp,
			     .processor_delivers = config->processor_delivers,
			     .processor_has_tpr = config->processor_has_tpr,
			     .id = config->id,
			     .clock = config->clock,
			     .timer_hz = config->timer_hz,
			     .ops = config->ops,
			     .ctx = config->ctx};
	vlapic_timer_init(v);
}

void vlapic_set_virtual_wire(struct vlapic *v)
{
	vlapic_set_reg(v, LAPIC_SVR, LAPIC_SVR_ENABLE | 0xff);
	__atomic_store_n(&v->enabled, true, __ATOMIC_RELAXED);
	if (v->bsp)
		vlapic_set_reg(v, LAPIC_LVT_LINT0, LAPIC_LVT_DM_EXTINT);
	vlapic_set_reg(v, LAPIC_LVT_LINT1, LAPIC_LVT_DM_NMI);
}

/* Something for the owner to look at, from whatever CPU. */
static void arrive(struct vlapic *v, uint32_t what)
{
	__atomic_fetch_or(&v->arrived, what, __ATOMIC_RELEASE);
	v->ops->raised(v->ctx);
}

void vlapic_error(struct vlapic *v, uint32_t esr_bit)
{
	uint32_t before = __atomic_fetch_or(&v->esr_pending, esr_bit, __ATOMIC_RELAXED);

	/* Once per kind of error and write of ESR, which "rearms the error interrupt mechanism". */
	if ((before & esr_bit) == 0)
		arrive(v, VLAPIC_ARRIVED_ERROR);
}

static void change_trigger(struct vlapic *v, unsigned n, uint32_t changed)
{
	if (likely(changed == 0))
		return;
	*vlapic_word(v, LAPIC_TMR, n) ^= changed;
	if (v->processor_delivers)
		v->ops->levels(v->ctx, n / 2, levels(v, n / 2));
}

/* Of vectors of one word that go into IRR, those whose trigger mode is not right yet; their EOI goes by it. Mostly there are
 * none. */
static inline uint32_t wrong_triggers(struct vlapic *v, unsigned n, uint32_t vectors, uint32_t level)
{
	return (*vlapic_word(v, LAPIC_TMR, n) ^ level) & vectors;
}

static inline int into_irr(struct vlapic *v, unsigned n, uint32_t vectors)
{
	*vlapic_word(v, LAPIC_IRR, n) |= vectors;
	return likely(vectors != 0) ? (int)(n * 32 + bits_fls(vectors)) : 0;
}

__attribute__((noinline)) static int into_irr_and_tmr(struct vlapic *v, unsigned n, uint32_t vectors, uint32_t wrong)
{
	change_trigger(v, n, wrong);
	return into_irr(v, n, vectors);
}

/* The vectors of one word go into IRR: the highest of them, or 0 when they have been taken before. */
static inline int take_vectors(struct vlapic *v, unsigned n)
{
	uint32_t vectors = __atomic_exchange_n(&v->requests[n], 0, __ATOMIC_ACQ_REL);
	uint32_t wrong = wrong_triggers(v, n, vectors, __atomic_load_n(&v->triggers[n], __ATOMIC_RELAXED));

	return likely(wrong == 0) ? into_irr(v, n, vectors) : into_irr_and_tmr(v, n, vectors, wrong);
}

/* Of what mostly arrives, vectors of one word, the same; -1: it is something else. Who adds one while they are taken sets the
 * word's bit in `arrived` again. */
static inline int take_word(struct vlapic *v)
{
	uint32_t arrived = __atomic_load_n(&v->arrived, __ATOMIC_ACQUIRE);

	if (unlikely((arrived & VLAPIC_ARRIVED_VECTORS) != arrived || !is_pow2(arrived)))
		return -1;
	__atomic_and_fetch(&v->arrived, ~arrived, __ATOMIC_SEQ_CST);
	return take_vectors(v, bits_ffs(arrived));
}

/* Whoever delivers is told: the processor of the highest vector of a word that was taken, and our own look of the word. */
static inline void note_taken(struct vlapic *v, int highest)
{
	if (!v->processor_delivers)
		v->irr_words |= BIT32(highest / 32);
	else if (highest != 0)
		v->ops->requested(v->ctx, (uint8_t)highest);
}

/* The 8259's request stays when the pin's arrival has been taken by a look that could do nothing about it. */
static inline bool pic_may_wait(const struct vlapic *v)
{
	return unlikely(__atomic_load_n(&v->lint_high[0], __ATOMIC_ACQUIRE)) && vlapic_accepts_pic(v);
}

int vlapic_take_posted(struct vlapic *v)
{
	assert(v->processor_delivers);
	return unlikely(v->untold || pic_may_wait(v)) ? -1 : take_word(v);
}

static bool lint0_is_extint(const struct vlapic *v)
{
	return (vlapic_reg(v, LAPIC_LVT_LINT0) & LAPIC_LVT_DM_MASK) == LAPIC_LVT_DM_EXTINT;
}

/* Without an APIC the pins are the processor's INTR, which is asked of the 8259 itself, and NMI. */
__attribute__((noinline)) static void take_all(struct vlapic *v)
{
	uint32_t arrived = __atomic_exchange_n(&v->arrived, 0, __ATOMIC_ACQ_REL);

	for (uint32_t words = arrived & VLAPIC_ARRIVED_VECTORS; words != 0; words &= words - 1)
		note_taken(v, take_vectors(v, bits_ffs(words)));
	if ((arrived & VLAPIC_ARRIVED_LINT0) != 0 && !lint0_is_extint(v))
		vlapic_fire_lvt(v, LAPIC_LVT_LINT0);
	if ((arrived & VLAPIC_ARRIVED_LINT1) != 0) {
		if (v->mode == VLAPIC_DISABLED)
			v->ops->nmi(v->ctx);
		else
			vlapic_fire_lvt(v, LAPIC_LVT_LINT1);
	}
	if ((arrived & VLAPIC_ARRIVED_ERROR) != 0)
		vlapic_fire_lvt(v, LAPIC_LVT_ERROR);
}

void vlapic_take_arrived(struct vlapic *v)
{
	int highest = take_word(v);

	if (unlikely(highest < 0))
		take_all(v);
	else
		note_taken(v, highest);
}

static inline bool takes_own(const struct vlapic *v, unsigned vector)
{
	return v->enabled && vector >= VECTOR_ILLEGAL_BELOW;
}

__attribute__((noinline)) static void refuse_own(struct vlapic *v)
{
	if (v->enabled)
		vlapic_error(v, LAPIC_ESR_RECEIVED_ILLEGAL_VECTOR);
	else
		vlapic_count(&v->dropped);
}

__attribute__((noinline)) static void deliver_own_otherwise(struct vlapic *v, unsigned vector, bool level)
{
	change_trigger(v, vector / 32, BIT32(vector % 32));
	vlapic_deliver_own(v, vector, level);
}

/* No call is followed by anything: then no register is kept. */
void vlapic_deliver_own(struct vlapic *v, unsigned vector, bool level)
{
	uint32_t bit = BIT32(vector % 32);
	uint32_t *irr = vlapic_vector_word(v, LAPIC_IRR, vector);

	if (unlikely(!takes_own(v, vector))) {
		refuse_own(v);
		return;
	}
	if (unlikely(wrong_triggers(v, vector / 32, bit, level ? bit : 0) != 0)) {
		deliver_own_otherwise(v, vector, level);
		return;
	}
	if (unlikely((*irr & bit) != 0)) {
		vlapic_count(&v->coalesced);
		return;
	}
	*irr |= bit;
	vlapic_count(&v->accepted);
	/* While the processor has an old SVI it must not be told of one more vector alone: it might hold it back for good. */
	if (likely(v->processor_delivers && !v->untold)) {
		v->ops->requested(v->ctx, (uint8_t)vector);
	} else {
		v->irr_words |= BIT32(vector / 32);
		v->ops->raised(v->ctx);
	}
}

static bool accept_fixed(struct vlapic *v, unsigned vector, bool level)
{
	uint32_t bit = BIT32(vector % 32);
	uint32_t *triggers = &v->triggers[vector / 32];

	if (vector < VECTOR_ILLEGAL_BELOW) {
		vlapic_error(v, LAPIC_ESR_RECEIVED_ILLEGAL_VECTOR);
		return false;
	}
	/* The trigger mode first: whoever sees the request must see how to end it. Mostly it is right already. */
	if (((__atomic_load_n(triggers, __ATOMIC_RELAXED) & bit) != 0) != level) {
		if (level)
			__atomic_fetch_or(triggers, bit, __ATOMIC_RELAXED);
		else
			__atomic_fetch_and(triggers, ~bit, __ATOMIC_RELAXED);
	}
	if ((__atomic_fetch_or(&v->requests[vector / 32], bit, __ATOMIC_ACQ_REL) & bit) != 0) {
		vlapic_count(&v->coalesced);
		return true;
	}
	vlapic_count(&v->accepted);
	arrive(v, BIT32(vector / 32));
	return true;
}

/* What has no vector to be kept. */
__attribute__((noinline)) static bool deliver_otherwise(struct vlapic *v, enum vlapic_delivery delivery, uint8_t vector)
{
	if (vlapic_mode(v) == VLAPIC_DISABLED) {
		vlapic_count(&v->dropped);
		return false;
	}
	switch (delivery) {
	case VLAPIC_NMI:
		v->ops->nmi(v->ctx);
		return true;
	case VLAPIC_INIT:
		v->ops->init(v->ctx);
		return true;
	case VLAPIC_STARTUP:
		v->ops->startup(v->ctx, vector);
		return true;
	case VLAPIC_FIXED: /* the APIC is disabled by software */
	case VLAPIC_LOWEST:
	case VLAPIC_SMI:    /* there is no system-management mode to enter */
	case VLAPIC_EXTINT: /* the 8259's wire ends at LINT0 only */
		break;
	}
	vlapic_count(&v->dropped);
	return false;
}

/* One that is enabled by software is switched on. */
bool vlapic_deliver(struct vlapic *v, enum vlapic_delivery delivery, uint8_t vector, bool level)
{
	if (likely(delivery <= VLAPIC_LOWEST && vlapic_enabled(v)))
		return accept_fixed(v, vector, level);
	return deliver_otherwise(v, delivery, vector);
}

static inline int pending(struct vlapic *v)
{
	int irr;

	vlapic_sync(v);
	irr = highest_irr(v);
	if (irr < 0 || v->mode == VLAPIC_DISABLED)
		return -1;
	return is_deliverable(v, irr) ? irr : -1;
}

int vlapic_pending(struct vlapic *v)
{
	return pending(v);
}

static inline void take(struct vlapic *v, unsigned vector)
{
	uint32_t bit = BIT32(vector % 32), word = BIT32(vector / 32);
	uint32_t *irr = vlapic_vector_word(v, LAPIC_IRR, vector), *isr = vlapic_vector_word(v, LAPIC_ISR, vector);
	uint32_t left = *irr & ~bit;

	*irr = left;
	if (left == 0)
		v->irr_words &= ~word;
	*isr |= bit;
	v->isr_words |= word;
	/* It was above the old PPR, so its class is the new one. */
	vlapic_set_reg(v, LAPIC_PPR, vector & 0xf0u);
}

void vlapic_take(struct vlapic *v, uint8_t vector)
{
	take(v, vector);
}

int vlapic_accept(struct vlapic *v)
{
	int vector = pending(v);

	if (vector >= 0)
		take(v, (unsigned)vector);
	return vector;
}

/* A level-sensitive LINT0 in fixed mode that is still high asks again. */
static void lint0_eoi(struct vlapic *v, unsigned vector)
{
	if (!v->lint0_remote_irr || (vlapic_reg(v, LAPIC_LVT_LINT0) & LAPIC_LVT_VECTOR_MASK) != vector)
		return;
	v->lint0_remote_irr = false;
	vlapic_set_reg(v, LAPIC_LVT_LINT0, vlapic_reg(v, LAPIC_LVT_LINT0) & ~LAPIC_LVT_REMOTE_IRR);
	if (__atomic_load_n(&v->lint_high[0], __ATOMIC_ACQUIRE))
		vlapic_fire_lvt(v, LAPIC_LVT_LINT0);
}

void vlapic_eoi_done(struct vlapic *v, uint8_t vector)
{
	lint0_eoi(v, vector);
	if ((vlapic_reg(v, LAPIC_SVR) & LAPIC_SVR_EOI_SUPPRESS) == 0)
		v->ops->eoi(v->ctx, vector);
}

__attribute__((noinline)) static void level_ended(struct vlapic *v, unsigned vector)
{
	vlapic_update_ppr(v);
	vlapic_eoi_done(v, (uint8_t)vector);
}

static inline void ended(struct vlapic *v, unsigned vector)
{
	if (unlikely((*vlapic_vector_word(v, LAPIC_TMR, vector) & BIT32(vector % 32)) != 0))
		level_ended(v, vector);
	else
		vlapic_update_ppr(v);
}

/* What the processor delivers by itself from now on goes by its SVI: it is told in any case. */
__attribute__((noinline)) static void ended_and_told(struct vlapic *v, unsigned vector)
{
	v->ops->raised(v->ctx);
	ended(v, vector);
}

void vlapic_eoi(struct vlapic *v)
{
	int highest = highest_isr(v);
	unsigned vector = (unsigned)highest;
	uint32_t bit = BIT32(vector % 32), left, *isr;

	if (highest < 0)
		return;
	isr = vlapic_vector_word(v, LAPIC_ISR, vector);
	left = *isr & ~bit;
	*isr = left;
	if (left == 0)
		v->isr_words &= ~BIT32(vector / 32);
	v->untold = true;
	if (unlikely(v->processor_delivers))
		ended_and_told(v, vector);
	else
		ended(v, vector);
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
		if (level && takes_own(v, lvt & LAPIC_LVT_VECTOR_MASK)) {
			v->lint0_remote_irr = true;
			vlapic_set_reg(v, offset, lvt | LAPIC_LVT_REMOTE_IRR);
		}
		vlapic_deliver_own(v, lvt & LAPIC_LVT_VECTOR_MASK, level);
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
		vlapic_count(&v->dropped); /* SMI, and the codes that mean nothing */
		break;
	}
}

void vlapic_set_lint(struct vlapic *v, unsigned n, bool high)
{
	bool was_high = __atomic_exchange_n(&v->lint_high[n], high, __ATOMIC_ACQ_REL);

	if (high && !was_high)
		arrive(v, n == 0 ? VLAPIC_ARRIVED_LINT0 : VLAPIC_ARRIVED_LINT1);
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
