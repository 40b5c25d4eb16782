/* The local APIC's timer: one-shot, periodic, and TSC-deadline. SDM 3 "APIC Timer". The count is never stepped: it is
 * computed from the clock when somebody reads it, and one alarm stands at the next expiry that makes an interrupt. */
#include "vmm/devices/vlapic_internal.h"

/* The shortest time between two alarms of a periodic timer, as a fraction of a second (10 us). A guest may ask for a
 * period of nanoseconds; interrupts that come faster than it can take them merge anyway. */
#define ALARMS_PER_SECOND 100000u

/* A deadline this many ticks ahead, a century, is none: all-ones is how some say "never". As an alarm it would wrap where it is
 * reckoned in the host's TSC, which began earlier, and would be due at once, for ever. */
#define FAR_FUTURE BIT64(63)

static uint64_t ticks_to_counts(const struct vlapic *v, uint64_t ticks)
{
	return v->clock->hz == v->timer_hz ? ticks : vclock_to_counts(v->clock, ticks, v->timer_hz);
}

/* The first tick at which that many counts have passed. */
static uint64_t counts_to_ticks(const struct vlapic *v, uint64_t counts)
{
	return v->clock->hz == v->timer_hz ? counts : vclock_reaching(v->clock, counts, v->timer_hz);
}

static bool is_deadline_mode(const struct vlapic *v)
{
	return v->timer.mode == LAPIC_LVT_TIMER_TSC_DEADLINE;
}

/* Divided counts since the initial count was loaded. */
static uint64_t elapsed_counts(const struct vlapic *v)
{
	return ticks_to_counts(v, vclock_now(v->clock) - v->timer.start) >> v->timer.divide_shift;
}

static bool is_masked(const struct vlapic *v)
{
	return (vlapic_reg(v, LAPIC_LVT_TIMER) & LAPIC_LVT_MASKED) != 0;
}

/* The tick of the next expiry that makes an interrupt, or VCLOCK_NEVER. */
static uint64_t next_expiry(const struct vlapic *v)
{
	uint64_t initial = vlapic_reg(v, LAPIC_TIMER_INITIAL);
	bool periodic = v->timer.mode == LAPIC_LVT_TIMER_PERIODIC;
	uint64_t elapsed, counts, at, earliest;

	if (initial == 0 || is_masked(v) || (!periodic && v->timer.mode != LAPIC_LVT_TIMER_ONE_SHOT))
		return VCLOCK_NEVER;
	elapsed = elapsed_counts(v);
	if (!periodic && elapsed >= initial)
		return VCLOCK_NEVER;
	counts = periodic ? (elapsed / initial + 1) * initial : initial;
	at = v->timer.start + counts_to_ticks(v, counts << v->timer.divide_shift);
	earliest = vclock_now(v->clock) + v->clock->hz / ALARMS_PER_SECOND;
	return periodic && at < earliest ? earliest : at;
}

static void arm_count(struct vlapic *v)
{
	vclock_arm(v->clock, &v->timer.alarm, next_expiry(v));
}

static uint64_t guest_tsc(const struct vlapic *v)
{
	return vclock_now(v->clock) + (uint64_t)v->timer.tsc_offset;
}

static void expire(struct vlapic *v)
{
	v->timer.deadline = 0;
	v->timer_fired++;
	vlapic_fire_lvt(v, LAPIC_LVT_TIMER);
}

static void arm_deadline(struct vlapic *v)
{
	uint64_t now = vclock_now(v->clock);
	uint64_t tsc = now + (uint64_t)v->timer.tsc_offset;
	uint64_t left;

	if (v->timer.deadline == 0) {
		vclock_disarm(v->clock, &v->timer.alarm);
		return;
	}
	if (tsc >= v->timer.deadline) {
		vclock_disarm(v->clock, &v->timer.alarm);
		expire(v);
		return;
	}
	left = v->timer.deadline - tsc;
	vclock_arm(v->clock, &v->timer.alarm, left < FAR_FUTURE ? now + left : VCLOCK_NEVER);
}

static void get_back(struct vlapic *v)
{
	if (unlikely(v->timer.elsewhere))
		v->ops->timer_wanted(v->ctx);
}

static void fire(void *ctx)
{
	struct vlapic *v = ctx;

	if (is_deadline_mode(v)) {
		/* The clock may be behind the deadline after all when the offset changed; then this arms again. */
		arm_deadline(v);
		return;
	}
	expire(v);
	if (v->timer.mode == LAPIC_LVT_TIMER_PERIODIC)
		arm_count(v);
}

void vlapic_timer_init(struct vlapic *v)
{
	v->timer = (struct vlapic_timer){.alarm = {.fire = fire, .ctx = v}, .divide_shift = 1};
}

void vlapic_timer_reset(struct vlapic *v)
{
	get_back(v);
	vclock_disarm(v->clock, &v->timer.alarm);
	v->timer.mode = LAPIC_LVT_TIMER_ONE_SHOT;
	v->timer.deadline = 0;
	v->timer.divide_shift = 1;
}

void vlapic_timer_lvt_changed(struct vlapic *v)
{
	uint32_t mode = vlapic_reg(v, LAPIC_LVT_TIMER) & LAPIC_LVT_TIMER_MODE_MASK;
	bool was_deadline = is_deadline_mode(v);

	get_back(v);
	v->timer.mode = mode;
	/* "Transitioning between TSC-deadline mode and other timer modes also disarms the timer." */
	if (was_deadline != is_deadline_mode(v)) {
		v->timer.deadline = 0;
		vlapic_set_reg(v, LAPIC_TIMER_INITIAL, 0);
		vclock_disarm(v->clock, &v->timer.alarm);
	}
	/* A masked deadline still passes, unseen; the alarm finds the mask then. */
	if (is_deadline_mode(v))
		arm_deadline(v);
	else
		arm_count(v);
}

void vlapic_timer_start(struct vlapic *v, uint32_t initial)
{
	/* "Writes to the initial-count register are ignored"; a processor that virtualises them has put one there. */
	vlapic_set_reg(v, LAPIC_TIMER_INITIAL, is_deadline_mode(v) ? 0 : initial);
	if (is_deadline_mode(v))
		return;
	v->timer.start = vclock_now(v->clock);
	arm_count(v);
}

/* Bits 3, 1, 0: 000 divides by 2, ... 110 by 128, 111 by 1. */
static uint8_t divide_to_shift(uint32_t divide)
{
	uint32_t code = (divide & 3) | (divide & 8) >> 1;

	return (uint8_t)((code + 1) & 7);
}

/* A count that is under way goes on from where it stands, at the new rate. */
void vlapic_timer_set_divide(struct vlapic *v, uint32_t divide)
{
	uint64_t done = elapsed_counts(v);
	uint8_t shift = divide_to_shift(divide);

	if (shift == v->timer.divide_shift)
		return;
	if (done > vlapic_reg(v, LAPIC_TIMER_INITIAL))
		done = v->timer.mode == LAPIC_LVT_TIMER_PERIODIC && vlapic_reg(v, LAPIC_TIMER_INITIAL) != 0
			       ? done % vlapic_reg(v, LAPIC_TIMER_INITIAL)
			       : vlapic_reg(v, LAPIC_TIMER_INITIAL);
	v->timer.divide_shift = shift;
	v->timer.start = vclock_now(v->clock) - counts_to_ticks(v, done << shift);
	arm_count(v);
}

uint32_t vlapic_timer_current(const struct vlapic *v)
{
	uint32_t initial = vlapic_reg(v, LAPIC_TIMER_INITIAL);
	uint64_t elapsed;

	if (initial == 0 || is_deadline_mode(v))
		return 0;
	elapsed = elapsed_counts(v);
	if (v->timer.mode == LAPIC_LVT_TIMER_PERIODIC)
		elapsed %= initial;
	return elapsed >= initial ? 0 : initial - (uint32_t)elapsed;
}

uint64_t vlapic_timer_deadline(const struct vlapic *v)
{
	/* Reads 0 once it has passed, also when nobody has come to fire it yet. */
	return v->timer.deadline != 0 && guest_tsc(v) < v->timer.deadline ? v->timer.deadline : 0;
}

void vlapic_timer_set_deadline(struct vlapic *v, uint64_t deadline)
{
	if (!is_deadline_mode(v))
		return; /* "writes to the IA32_TSC_DEADLINE MSR are ignored" */
	v->timer.deadline = deadline;
	arm_deadline(v);
}

void vlapic_set_tsc_offset(struct vlapic *v, int64_t offset)
{
	v->timer.tsc_offset = offset;
	if (is_deadline_mode(v))
		arm_deadline(v);
}

/* --- the deadline in other hands --- */

bool vlapic_timer_can_pass(const struct vlapic *v, uint8_t *vector)
{
	uint32_t lvt = vlapic_reg(v, LAPIC_LVT_TIMER);

	*vector = (uint8_t)(lvt & LAPIC_LVT_VECTOR_MASK);
	return is_deadline_mode(v) && (lvt & LAPIC_LVT_MASKED) == 0; /* its delivery mode is always fixed */
}

uint64_t vlapic_timer_hand_over(struct vlapic *v)
{
	uint64_t deadline = v->timer.deadline;

	v->timer.deadline = 0;
	v->timer.elsewhere = true;
	vclock_disarm(v->clock, &v->timer.alarm);
	return deadline;
}

void vlapic_timer_raise(struct vlapic *v, uint8_t vector)
{
	v->timer_fired++;
	vlapic_deliver_own(v, vector, false);
}

void vlapic_timer_take_back(struct vlapic *v, uint64_t deadline)
{
	v->timer.elsewhere = false;
	v->timer.deadline = deadline;
}
