/* The ports of the 8254 and port 0x61, and channel 0's interrupt line (see vpit.h). Follows Intel's 8254 data sheet,
 * "Programming the 8254", and the PIIX3 data sheet, "NMI Status and Control Register". */
#include "vmm/devices/vpit.h"
#include "vmm/devices/bytewise.h"

/* Channel 1 refreshed the memory of the first PCs every 18 clocks; each refresh toggles a bit of port 0x61. */
#define REFRESH_CLOCKS 18u

static uint64_t clocks_now(const struct vpit *p)
{
	return vclock_rate_counts(p->rate, vclock_now(p->clock));
}

static void set_line(struct vpit *p, bool high)
{
	if (high == p->irq_high)
		return;
	p->irq_high = high;
	irq_line_set(&p->irq, high);
}

/* Wait for channel 0's next rising edge after `now`; a periodic one not sooner than a guest could take it. */
static void arm_next_rise(struct vpit *p, uint64_t now)
{
	struct vpit_channel *c = &p->channels[0];
	bool once = c->mode == PIT_MODE_TERMINAL_COUNT || c->mode == PIT_MODE_SW_STROBE;

	p->rise = vpit_channel_next_rise(c, now);
	if (p->rise == VPIT_NEVER) {
		vclock_disarm(p->clock, &p->alarm);
		return;
	}
	if (!once && p->rise - now < VPIT_MIN_EDGE_CLOCKS)
		p->rise = now + VPIT_MIN_EDGE_CLOCKS;
	vclock_arm(p->clock, &p->alarm, vclock_rate_reaching(p->rate, p->rise));
}

/* The edge has come, and perhaps more that were missed: one pulse for all. */
static void rise_fired(void *ctx)
{
	struct vpit *p = ctx;
	uint64_t now = clocks_now(p);

	set_line(p, false);
	set_line(p, true);
	arm_next_rise(p, now < p->rise ? p->rise : now);
}

/* Channel 0 was programmed. Mode 0 holds its output low until it has counted; the others idle high. */
static void channel0_changed(struct vpit *p, uint64_t now)
{
	struct vpit_channel *c = &p->channels[0];

	set_line(p, c->mode != PIT_MODE_TERMINAL_COUNT || vpit_channel_out(c, now));
	arm_next_rise(p, now);
}

static void read_back(struct vpit *p, uint8_t command, uint64_t now)
{
	for (unsigned i = 0; i < VPIT_CHANNELS; i++) {
		if (!(command & PIT_RB_CH0 << i))
			continue;
		if (!(command & PIT_RB_NO_COUNT))
			vpit_channel_latch_count(&p->channels[i], now);
		if (!(command & PIT_RB_NO_STATUS))
			vpit_channel_latch_status(&p->channels[i], now);
	}
}

static void write_control(struct vpit *p, uint8_t value, uint64_t now)
{
	unsigned channel = value >> PIT_CW_SC_SHIFT;

	if ((value & PIT_CW_SC_MASK) == PIT_CW_SC_READBACK) {
		read_back(p, value, now);
	} else if ((value & PIT_CW_RW_MASK) == PIT_CW_RW_LATCH) {
		vpit_channel_latch_count(&p->channels[channel], now);
	} else {
		vpit_channel_control(&p->channels[channel], value);
		if (channel == 0)
			channel0_changed(p, now);
	}
}

static uint8_t counter_read(void *ctx, unsigned reg)
{
	struct vpit *p = ctx;

	if (reg >= VPIT_CHANNELS)
		return 0xff; /* the control word cannot be read */
	return vpit_channel_read(&p->channels[reg], clocks_now(p));
}

static void counter_write(void *ctx, unsigned reg, uint8_t value)
{
	struct vpit *p = ctx;
	uint64_t now = clocks_now(p);

	if (reg >= VPIT_CHANNELS) {
		write_control(p, value, now);
		return;
	}
	vpit_channel_write(&p->channels[reg], value, now);
	if (reg == 0)
		channel0_changed(p, now);
}

static uint64_t counter_bus_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vpit *p = ctx;

	if (likely(size == 1 && offset < VPIT_CHANNELS))
		return vpit_channel_read(&p->channels[offset], clocks_now(p));
	return bytewise_read(counter_read, ctx, offset, size);
}

static void counter_bus_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	bytewise_write(counter_write, ctx, offset, size, value);
}

static uint64_t port61_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vpit *p = ctx;
	uint64_t now = clocks_now(p);
	uint8_t value = p->port61;

	(void)offset;
	(void)size;
	if (now / REFRESH_CLOCKS % 2 != 0)
		value |= PORT61_REFRESH;
	if (vpit_channel_out(&p->channels[2], now))
		value |= PORT61_OUT2;
	return value;
}

static void port61_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vpit *p = ctx;

	(void)offset;
	(void)size;
	p->port61 = value & PORT61_WRITE_MASK;
	vpit_channel_gate(&p->channels[2], (value & PORT61_GATE2) != 0, clocks_now(p));
}

static const struct bus_ops counter_ops = {.read = counter_bus_read, .write = counter_bus_write};
static const struct bus_ops port61_ops = {.read = port61_read, .write = port61_write};

/* Make the timer as it is after power-on: no channel counts until it is programmed, and the line is low.
 * clock: outlives the timer.  irq: copied. */
void vpit_init(struct vpit *p, struct vclock *clock, const struct irq_line *irq)
{
	*p = (struct vpit){.clock = clock,
			   .rate = vclock_rate(clock, PIT_HZ),
			   .irq = *irq,
			   .alarm = {.fire = rise_fired, .ctx = p}};
	vpit_reset(p);
}

/* Power-on state. */
void vpit_reset(struct vpit *p)
{
	vpit_channel_reset(&p->channels[0], true);
	vpit_channel_reset(&p->channels[1], true);
	vpit_channel_reset(&p->channels[2], false);
	p->port61 = 0;
	vclock_disarm(p->clock, &p->alarm);
	set_line(p, false);
}

/* Put the counters and port 0x61 on a bus. Returns 0 or what bus_register() says. */
int vpit_register(struct vpit *p, struct bus *ports)
{
	int err = bus_register(ports, PIT_CH0, 4, &counter_ops, p, "pit");

	if (err == 0)
		err = bus_register(ports, PORT61, 1, &port61_ops, p, "port61");
	return err;
}
