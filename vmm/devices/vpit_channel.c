/* The counting of an 8254 channel (see vpit_channel.h). Follows Intel's 8254 data sheet, "Mode Definitions" and "Read
 * Operations". A count that is written reaches the counting element with the next clock, so mode 0 ends N + 1 clocks after
 * the write. Counts that the data sheet calls illegal (1 in modes 2 and 3) leave the output high. */
#include "vmm/devices/vpit_channel.h"

#define BINARY_SPAN 65536u
#define BCD_SPAN 10000u

static bool is_bcd(const struct vpit_channel *c)
{
	return (c->control & PIT_CW_BCD) != 0;
}

static bool is_periodic(const struct vpit_channel *c)
{
	return c->mode == PIT_MODE_RATE || c->mode == PIT_MODE_SQUARE;
}

/* Modes 1 and 5 start with a rising gate and do not mind its level. */
static bool is_triggered(const struct vpit_channel *c)
{
	return c->mode == PIT_MODE_ONE_SHOT || c->mode == PIT_MODE_HW_STROBE;
}

/* Half a count holds mode 0 until the other half comes. */
static bool is_half_written(const struct vpit_channel *c)
{
	return c->mode == PIT_MODE_TERMINAL_COUNT && c->write_msb_next;
}

/* Four digits as a number; digits above 9 count for what they are. */
static uint32_t bcd_decode(uint16_t v)
{
	return (v >> 12 & 0xfu) * 1000u + (v >> 8 & 0xfu) * 100u + (v >> 4 & 0xfu) * 10u + (v & 0xfu);
}

static uint16_t bcd_encode(uint32_t v)
{
	return (uint16_t)((v / 1000 % 10) << 12 | (v / 100 % 10) << 8 | (v / 10 % 10) << 4 | v % 10);
}

/* Clocks of the high half of a square wave; the low half has the rest. */
static uint32_t high_half(uint32_t count)
{
	return (count + 1) / 2;
}

static uint64_t elapsed(const struct vpit_channel *c, uint64_t now)
{
	return c->stopped ? c->stopped_at : now - c->start;
}

static void stop(struct vpit_channel *c, uint64_t now)
{
	c->stopped_at = elapsed(c, now);
	c->stopped = true;
}

/* The time has come to move the count register into the counting element. */
__attribute__((noinline)) static void take_load(struct vpit_channel *c)
{
	uint64_t at = c->load_at;
	bool into_low_half;

	/* A square wave takes a new count at the end of either half; the other half goes on with it. */
	into_low_half = c->mode == PIT_MODE_SQUARE && c->count != 0 && !c->stopped &&
			(at - c->start) % c->count == high_half(c->count);
	c->count = c->reload;
	c->null_count = false;
	c->load_at = VPIT_NEVER;
	c->start = into_low_half ? at - high_half(c->count) : at;
	c->stopped = !c->gate && !is_triggered(c);
	c->stopped_at = 0;
}

static inline void advance(struct vpit_channel *c, uint64_t now)
{
	if (unlikely(c->load_at <= now))
		take_load(c);
}

/* When a count written now to a running periodic channel takes effect: at the end of the period, or of the half of it. */
static uint64_t period_end(const struct vpit_channel *c, uint64_t now)
{
	uint64_t phase = (now - c->start) % c->count;

	if (c->mode == PIT_MODE_SQUARE && phase < high_half(c->count))
		return now - phase + high_half(c->count);
	return now - phase + c->count;
}

static void load_count(struct vpit_channel *c, uint16_t written, uint64_t now)
{
	c->reload = is_bcd(c) ? bcd_decode(written) : written;
	if (c->reload == 0)
		c->reload = is_bcd(c) ? BCD_SPAN : BINARY_SPAN;
	c->null_count = true;
	if (is_triggered(c))
		return;
	if (!is_periodic(c) || c->count == 0)
		c->load_at = now + 1;
	else if (!c->stopped)
		c->load_at = period_end(c, now);
}

/* The count of a channel that has one. Binary counts wrap by themselves: what is returned are their 16 bits. */
static uint16_t running_value(const struct vpit_channel *c, uint64_t now)
{
	uint64_t e = elapsed(c, now), v, phase;

	if (c->mode == PIT_MODE_SQUARE) {
		phase = e % c->count;
		if (phase >= high_half(c->count))
			phase -= high_half(c->count);
		v = (c->count & ~1u) - 2 * phase;
	} else if (c->mode == PIT_MODE_RATE) {
		v = c->count - e % c->count;
	} else {
		v = is_bcd(c) ? c->count + BCD_SPAN - e % BCD_SPAN : c->count - e;
	}
	return is_bcd(c) ? bcd_encode((uint32_t)(v % BCD_SPAN)) : (uint16_t)v;
}

static inline uint16_t value(const struct vpit_channel *c, uint64_t now)
{
	return c->count == 0 ? 0 : running_value(c, now);
}

static bool output(const struct vpit_channel *c, uint64_t now)
{
	uint64_t e = elapsed(c, now);

	switch (c->mode) {
	case PIT_MODE_TERMINAL_COUNT:
		return c->count != 0 && !c->null_count && !is_half_written(c) && e >= c->count;
	case PIT_MODE_ONE_SHOT:
		return c->count == 0 || e >= c->count;
	case PIT_MODE_RATE:
		return c->count <= 1 || c->stopped || e % c->count != c->count - 1;
	case PIT_MODE_SQUARE:
		return c->count <= 1 || c->stopped || e % c->count < high_half(c->count);
	default:
		return c->count == 0 || e != c->count;
	}
}

/* Power-on: waits for a control word. gate: the input's level. */
void vpit_channel_reset(struct vpit_channel *c, bool gate)
{
	*c = (struct vpit_channel){.gate = gate};
	vpit_channel_control(c, PIT_CW_RW_BOTH);
}

/* A control word for this channel that is not a latch command. */
void vpit_channel_control(struct vpit_channel *c, uint8_t control)
{
	bool gate = c->gate;
	unsigned mode = (control & PIT_CW_MODE_MASK) >> PIT_CW_MODE_SHIFT;

	*c = (struct vpit_channel){.gate = gate};
	c->control = control & PIT_STATUS_CW_MASK;
	c->mode = (uint8_t)(mode > PIT_MODE_HW_STROBE ? mode - 4 : mode);
	c->null_count = true;
	c->load_at = VPIT_NEVER;
}

/* A byte of a count. Half a count stops mode 0, and only that. */
void vpit_channel_write(struct vpit_channel *c, uint8_t byte, uint64_t now)
{
	advance(c, now);
	switch (c->control & PIT_CW_RW_MASK) {
	case PIT_CW_RW_LSB:
		load_count(c, byte, now);
		return;
	case PIT_CW_RW_MSB:
		load_count(c, (uint16_t)(byte << 8), now);
		return;
	default:
		break;
	}
	c->write_msb_next = !c->write_msb_next;
	if (!c->write_msb_next) {
		load_count(c, (uint16_t)(byte << 8 | c->write_lsb), now);
		return;
	}
	c->write_lsb = byte;
	if (c->mode == PIT_MODE_TERMINAL_COUNT) {
		stop(c, now);
		c->load_at = VPIT_NEVER;
	}
}

static uint8_t read_latched(struct vpit_channel *c)
{
	uint8_t rw = c->control & PIT_CW_RW_MASK;

	if (c->status_latched) {
		c->status_latched = false;
		return c->status;
	}
	c->latch_bytes--;
	return (uint8_t)(rw == PIT_CW_RW_MSB || (rw == PIT_CW_RW_BOTH && c->latch_bytes == 0) ? c->latch >> 8
											      : c->latch);
}

static uint8_t read_running(struct vpit_channel *c, uint64_t now)
{
	uint8_t rw = c->control & PIT_CW_RW_MASK;
	uint16_t v = value(c, now);

	if (rw == PIT_CW_RW_BOTH)
		c->read_msb_next = !c->read_msb_next;
	return (uint8_t)(rw == PIT_CW_RW_MSB || (rw == PIT_CW_RW_BOTH && !c->read_msb_next) ? v >> 8 : v);
}

/* See vpit_channel_read(). */
uint8_t vpit_channel_read_any(struct vpit_channel *c, uint64_t now)
{
	if (c->status_latched || c->latch_bytes != 0)
		return read_latched(c);
	advance(c, now);
	return read_running(c, now);
}

/* Hold the count for reading. A second latch before the first was read is ignored. */
void vpit_channel_latch_count(struct vpit_channel *c, uint64_t now)
{
	if (c->latch_bytes != 0)
		return;
	advance(c, now);
	c->latch = value(c, now);
	c->latch_bytes = (c->control & PIT_CW_RW_MASK) == PIT_CW_RW_BOTH ? 2 : 1;
}

/* Hold the status byte for reading; it is read before a latched count. */
void vpit_channel_latch_status(struct vpit_channel *c, uint64_t now)
{
	if (c->status_latched)
		return;
	advance(c, now);
	c->status = c->control;
	if (c->null_count)
		c->status |= PIT_STATUS_NULL;
	if (output(c, now))
		c->status |= PIT_STATUS_OUT;
	c->status_latched = true;
}

/* The gate input changes: its level holds modes 0, 2, 3, 4; its rising edge starts 1, 5 and restarts 2, 3. */
void vpit_channel_gate(struct vpit_channel *c, bool gate, uint64_t now)
{
	advance(c, now);
	if (c->gate == gate)
		return;
	c->gate = gate;
	if (gate && (is_periodic(c) || is_triggered(c))) {
		if (c->reload != 0)
			c->load_at = now + 1;
	} else if (gate && c->stopped && !is_half_written(c)) {
		c->start = now - c->stopped_at;
		c->stopped = false;
	} else if (!gate && !is_triggered(c)) {
		if (is_periodic(c) && c->count != 0)
			c->load_at = VPIT_NEVER; /* a new count waits for the trigger */
		stop(c, now);
	}
}

/* The level of the output. */
bool vpit_channel_out(struct vpit_channel *c, uint64_t now)
{
	advance(c, now);
	return output(c, now);
}

/* When a load that is due later (load_at) makes the output rise first. */
static uint64_t rise_after_load(const struct vpit_channel *c)
{
	switch (c->mode) {
	case PIT_MODE_TERMINAL_COUNT:
		return c->load_at + c->reload;
	case PIT_MODE_SW_STROBE: /* a load may cut a strobe short, which is an edge as well */
		return output(c, c->load_at - 1) ? c->load_at + c->reload + 1 : c->load_at;
	default:
		break;
	}
	if (c->count > 1 && (c->load_at - c->start) % c->count == 0)
		return c->load_at; /* the end of the running period is an edge itself */
	if (c->reload <= 1)
		return VPIT_NEVER;
	return c->load_at + (c->count == 0 || c->mode == PIT_MODE_RATE ? c->reload : c->reload / 2);
}

/* The first time after now at which the output rises if nobody touches the channel; VPIT_NEVER. Only for a channel whose
 * gate is high for good. */
uint64_t vpit_channel_next_rise(struct vpit_channel *c, uint64_t now)
{
	uint64_t e, rise;

	advance(c, now);
	if (is_triggered(c) || is_half_written(c))
		return VPIT_NEVER;
	if (c->load_at != VPIT_NEVER)
		return rise_after_load(c);
	if (c->count == 0 || c->stopped)
		return VPIT_NEVER;
	e = now - c->start;
	if (is_periodic(c))
		return c->count <= 1 ? VPIT_NEVER : now - e % c->count + c->count;
	rise = c->count + (c->mode == PIT_MODE_SW_STROBE ? 1u : 0u);
	return e < rise ? c->start + rise : VPIT_NEVER;
}
