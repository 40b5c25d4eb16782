/* The registers of the MC146818A (see vrtc.h). Follows Motorola's data sheet, "Update Cycle", "Interrupts" and "Registers".
 * While the time runs it is one number, and the time registers are made from it when they are read; while the guest holds
 * it (SET, or the divider chain in reset) they are plain bytes, and become the number when it lets go. Flags are worked
 * out when somebody looks; only an enabled interrupt needs an alarm. Left out: daylight saving (DSE), the square wave. */
#include "vmm/devices/vrtc.h"
#include "vmm/devices/bytewise.h"
#include "vmm/devices/calendar.h"

#define UIP_MICROSECONDS 2228u /* 244 us of warning and 1984 us of update at 32.768 kHz */
#define ANY_VALUE 0xffu
#define NO_VALUE 0xfeu
#define A_DIVIDER_RUNS(a) (((a)&RTC_A_DV_MASK) == RTC_A_DV_NORMAL)

/* CMOS bytes in which a PC's firmware leaves the memory size. */
#define CMOS_BASE_KIB 0x15u
#define CMOS_EXTENDED_KIB 0x17u
#define CMOS_EXTENDED_KIB_FOUND 0x30u
#define CMOS_ABOVE_16M_64KIB 0x34u
#define CMOS_ABOVE_4G_64KIB 0x5bu

static bool divider_runs(const struct vrtc *r)
{
	return A_DIVIDER_RUNS(r->ram[RTC_REG_A]);
}

/* Does the guest hold the time? */
static bool held(const struct vrtc *r)
{
	return (r->ram[RTC_REG_B] & RTC_B_SET) || !divider_runs(r);
}

/* Ticks the divider has counted since its second number 0. */
static uint64_t divider_ticks(const struct vrtc *r, uint64_t now)
{
	return now - (uint64_t)r->phase;
}

static int64_t second_number(const struct vrtc *r, uint64_t now)
{
	return (int64_t)(divider_ticks(r, now) / r->clock->hz);
}

static uint8_t encode(const struct vrtc *r, unsigned v)
{
	if (r->ram[RTC_REG_B] & RTC_B_DM_BINARY)
		return (uint8_t)v;
	return (uint8_t)((v / 10 % 10) << 4 | v % 10);
}

static uint8_t decode(const struct vrtc *r, uint8_t raw)
{
	if (r->ram[RTC_REG_B] & RTC_B_DM_BINARY)
		return raw;
	return (uint8_t)((raw >> 4) * 10 + (raw & 0x0f));
}

/* 12-hour mode counts 12, 1 .. 11 with the top bit for the afternoon. */
static uint8_t encode_hour(const struct vrtc *r, unsigned hour)
{
	if (r->ram[RTC_REG_B] & RTC_B_24H)
		return encode(r, hour);
	return encode(r, hour % 12 == 0 ? 12 : hour % 12) | (hour >= 12 ? RTC_HOURS_PM : 0);
}

static uint8_t decode_hour(const struct vrtc *r, uint8_t raw)
{
	if (r->ram[RTC_REG_B] & RTC_B_24H)
		return decode(r, raw);
	return (uint8_t)(decode(r, raw & (uint8_t)~RTC_HOURS_PM) % 12 + ((raw & RTC_HOURS_PM) ? 12 : 0));
}

/* Make the time registers from the running time. */
static void time_to_registers(struct vrtc *r, uint64_t now)
{
	struct calendar c;

	calendar_from_seconds(r->seconds + second_number(r, now), &c);
	r->ram[RTC_SECONDS] = encode(r, c.second);
	r->ram[RTC_MINUTES] = encode(r, c.minute);
	r->ram[RTC_HOURS] = encode_hour(r, c.hour);
	r->ram[RTC_DAY_OF_WEEK] = encode(r, (c.weekday + r->weekday_shift) % 7u + 1u);
	r->ram[RTC_DAY_OF_MONTH] = encode(r, c.day);
	r->ram[RTC_MONTH] = encode(r, c.month);
	r->ram[RTC_YEAR] = encode(r, (unsigned)c.year % 100);
	r->ram[RTC_CENTURY] = encode(r, (unsigned)c.year / 100 % 100);
}

/* Make the running time from the registers, whatever the guest has put there. */
static void registers_to_time(struct vrtc *r, uint64_t now)
{
	struct calendar c = {
		.year = decode(r, r->ram[RTC_CENTURY]) * 100 + decode(r, r->ram[RTC_YEAR]),
		.month = decode(r, r->ram[RTC_MONTH]),
		.day = decode(r, r->ram[RTC_DAY_OF_MONTH]),
		.hour = decode_hour(r, r->ram[RTC_HOURS]),
		.minute = decode(r, r->ram[RTC_MINUTES]),
		.second = decode(r, r->ram[RTC_SECONDS]),
	};
	unsigned weekday = decode(r, r->ram[RTC_DAY_OF_WEEK]) + 6u; /* 1 is Sunday */
	int64_t seconds = calendar_to_seconds(&c);

	calendar_from_seconds(seconds, &c);
	r->weekday_shift = (uint8_t)((weekday + 7u - c.weekday) % 7u);
	r->seconds = seconds - second_number(r, now);
	r->moved = seconds - (r->given + (int64_t)((now - r->given_at) / r->clock->hz));
}

/* ---- Alarm ---- */

/* The number 0..limit-1 that an alarm register names, ANY_VALUE, or NO_VALUE when nothing can match it. */
static unsigned alarm_value(const struct vrtc *r, unsigned reg, unsigned limit)
{
	uint8_t raw = r->ram[reg];

	if ((raw & RTC_ALARM_DONT_CARE) == RTC_ALARM_DONT_CARE)
		return ANY_VALUE;
	for (unsigned v = 0; v < limit; v++) {
		if (raw == (reg == RTC_HOURS_ALARM ? encode_hour(r, v) : encode(r, v)))
			return v;
	}
	return NO_VALUE;
}

static bool alarm_matches(unsigned wanted, int64_t value)
{
	return wanted == ANY_VALUE || wanted == value;
}

/* Seconds from a time (since 1970) to the alarm's next match, at least 1; 0 when it never matches. Goes forward by whole
 * hours and minutes where those do not match, so it takes some 150 steps at most. */
static int64_t seconds_to_alarm(const struct vrtc *r, int64_t from)
{
	unsigned hour = alarm_value(r, RTC_HOURS_ALARM, 24);
	unsigned minute = alarm_value(r, RTC_MINUTES_ALARM, 60);
	unsigned second = alarm_value(r, RTC_SECONDS_ALARM, 60);
	int64_t start = from % SECONDS_PER_DAY, t;

	if (hour == NO_VALUE || minute == NO_VALUE || second == NO_VALUE)
		return 0;
	if (start < 0)
		start += SECONDS_PER_DAY;
	for (t = start + 1; t <= start + SECONDS_PER_DAY;) {
		if (!alarm_matches(hour, t / 3600 % 24))
			t += 3600 - t % 3600;
		else if (!alarm_matches(minute, t / 60 % 60))
			t += 60 - t % 60;
		else if (!alarm_matches(second, t % 60))
			t++;
		else
			return t - start;
	}
	return 0;
}

/* ---- Flags and interrupts ---- */

/* Length of the periodic interrupt in cycles of 32768 Hz; 0: off. Rates 1 and 2 mean those of 8 and 9. */
static uint64_t periodic_cycles(const struct vrtc *r)
{
	unsigned rs = r->ram[RTC_REG_A] & RTC_A_RS_MASK;

	if (rs == 0)
		return 0;
	return 1ull << ((rs <= 2 ? rs + 7 : rs) - 1);
}

static uint64_t divider_cycles(const struct vrtc *r, uint64_t now)
{
	return vclock_to_counts(r->clock, divider_ticks(r, now), RTC_BASE_HZ);
}

/* Set the flags of everything that has happened up to now. */
static void settle(struct vrtc *r, uint64_t now)
{
	uint64_t period = periodic_cycles(r);
	int64_t before, after, to_alarm;

	if (now <= r->seen)
		return;
	if (divider_runs(r) && period != 0 && divider_cycles(r, now) / period != divider_cycles(r, r->seen) / period)
		r->flags |= RTC_C_PF;
	before = second_number(r, r->seen);
	after = second_number(r, now);
	r->seen = now;
	if (held(r) || before == after)
		return;
	r->flags |= RTC_C_UF;
	to_alarm = seconds_to_alarm(r, r->seconds + before);
	if (to_alarm != 0 && before + to_alarm <= after)
		r->flags |= RTC_C_AF;
}

/* Register C's flag bits stand where register B has their enables. */
static bool interrupt_pending(const struct vrtc *r)
{
	return (r->flags & r->ram[RTC_REG_B] & (RTC_C_PF | RTC_C_AF | RTC_C_UF)) != 0;
}

static void earlier(uint64_t *at, uint64_t candidate)
{
	if (candidate < *at)
		*at = candidate;
}

/* When the next enabled interrupt is due. */
static uint64_t next_event(const struct vrtc *r, uint64_t now)
{
	uint64_t at = VCLOCK_NEVER, period = periodic_cycles(r), hz = r->clock->hz, phase = (uint64_t)r->phase;
	int64_t second = second_number(r, now), to_alarm;
	uint8_t b = r->ram[RTC_REG_B];

	if ((b & RTC_B_PIE) && divider_runs(r) && period != 0) {
		uint64_t cycles = (divider_cycles(r, now) / period + 1) * period;

		earlier(&at, phase + vclock_reaching(r->clock, cycles, RTC_BASE_HZ));
	}
	if (held(r))
		return at;
	if (b & RTC_B_UIE)
		earlier(&at, phase + (uint64_t)(second + 1) * hz);
	if (b & RTC_B_AIE) {
		to_alarm = seconds_to_alarm(r, r->seconds + second);
		if (to_alarm != 0)
			earlier(&at, phase + (uint64_t)(second + to_alarm) * hz);
	}
	return at;
}

/* Bring line and alarm in step with the registers. While the line is high there is nothing to wait for: what happens until
 * register C is read is found out then. */
static void update_irq(struct vrtc *r, uint64_t now)
{
	bool high = interrupt_pending(r);

	vclock_arm(r->clock, &r->alarm, high ? VCLOCK_NEVER : next_event(r, now));
	if (high == r->irq_high)
		return;
	r->irq_high = high;
	irq_line_set(&r->irq, high);
}

static void event_fired(void *ctx)
{
	struct vrtc *r = ctx;
	uint64_t now = vclock_now(r->clock);

	if (now < r->alarm.at)
		now = r->alarm.at;
	settle(r, now);
	update_irq(r, now);
}

/* ---- Registers ---- */

static bool is_time_register(unsigned reg)
{
	return (reg <= RTC_YEAR && reg != RTC_SECONDS_ALARM && reg != RTC_MINUTES_ALARM && reg != RTC_HOURS_ALARM) ||
	       reg == RTC_CENTURY;
}

static uint8_t read_a(const struct vrtc *r, uint64_t now)
{
	uint64_t hz = r->clock->hz, left = hz - divider_ticks(r, now) % hz;

	if (held(r) || left > vclock_from_counts(r->clock, UIP_MICROSECONDS, 1000000))
		return r->ram[RTC_REG_A];
	return r->ram[RTC_REG_A] | RTC_A_UIP;
}

/* Reading clears all flags, and with them the interrupt. */
static uint8_t read_c(struct vrtc *r, uint64_t now)
{
	uint8_t value;

	settle(r, now);
	value = (uint8_t)(r->flags | (interrupt_pending(r) ? RTC_C_IRQF : 0));
	r->flags = 0;
	update_irq(r, now);
	return value;
}

static uint8_t read_data(struct vrtc *r, uint64_t now)
{
	if (r->index == RTC_REG_A)
		return read_a(r, now);
	if (r->index == RTC_REG_C)
		return read_c(r, now);
	if (is_time_register(r->index) && !held(r))
		time_to_registers(r, now);
	return r->ram[r->index];
}

/* Registers A and B decide whether the time runs. Taking hold of it leaves it in the registers as the old mode writes it;
 * letting go reads them as the new mode does. A divider that starts anew has half a second to go. */
static void write_control(struct vrtc *r, unsigned reg, uint8_t value, uint64_t now)
{
	bool was_held = held(r), ran = divider_runs(r);

	if (!was_held)
		time_to_registers(r, now);
	r->ram[reg] = value;
	if (divider_runs(r) && !ran)
		r->phase = (int64_t)(now - r->clock->hz / 2);
	if (was_held && !held(r))
		registers_to_time(r, now);
}

static void write_data(struct vrtc *r, uint8_t value, uint64_t now)
{
	unsigned reg = r->index;

	settle(r, now);
	if (reg == RTC_REG_A) {
		write_control(r, reg, value & (uint8_t)~RTC_A_UIP, now);
	} else if (reg == RTC_REG_B) {
		write_control(r, reg, (value & RTC_B_SET) ? value & (uint8_t)~RTC_B_UIE : value, now);
	} else if (is_time_register(reg) && !held(r)) {
		time_to_registers(r, now);
		r->ram[reg] = value;
		registers_to_time(r, now);
	} else if (reg != RTC_REG_C && reg != RTC_REG_D) {
		r->ram[reg] = value;
	}
	if (reg <= RTC_REG_B || reg == RTC_CENTURY)
		update_irq(r, now);
}

static uint8_t port_read(void *ctx, unsigned port)
{
	struct vrtc *r = ctx;

	return port == 0 ? 0xff : read_data(r, vclock_now(r->clock)); /* the index cannot be read */
}

static void port_write(void *ctx, unsigned port, uint8_t value)
{
	struct vrtc *r = ctx;

	if (port == 0) {
		r->index = value & RTC_INDEX_MASK;
		r->nmi_masked = (value & RTC_INDEX_NMI_OFF) != 0;
	} else {
		write_data(r, value, vclock_now(r->clock));
	}
}

static uint64_t vrtc_bus_read(void *ctx, uint64_t offset, unsigned size)
{
	return bytewise_read(port_read, ctx, offset, size);
}

static void vrtc_bus_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	bytewise_write(port_write, ctx, offset, size, value);
}

static const struct bus_ops vrtc_ops = {.read = vrtc_bus_read, .write = vrtc_bus_write};

/* Make a clock that runs, as firmware leaves it: BCD, 24 hours, no interrupts, RAM zero.
 * clock: outlives this.  epoch_seconds: the wall-clock time now, since 1970 (UTC). */
void vrtc_init(struct vrtc *r, struct vclock *clock, const struct irq_line *irq, int64_t epoch_seconds)
{
	*r = (struct vrtc){.clock = clock, .irq = *irq};
	r->alarm = (struct valarm){.fire = event_fired, .ctx = r};
	r->ram[RTC_REG_A] = RTC_A_DV_NORMAL | 6; /* 1024 Hz, as the PC's firmware selects */
	r->ram[RTC_REG_B] = RTC_B_24H;
	r->ram[RTC_REG_D] = RTC_D_VRT;
	vrtc_restart(r, epoch_seconds);
}

/* The clock has begun anew, and may show less than before: time goes on from the wall clock's, moved as the guest has moved
 * it; time that it holds it goes on holding. epoch_seconds: the wall-clock time now, since 1970 (UTC). */
void vrtc_restart(struct vrtc *r, int64_t epoch_seconds)
{
	uint64_t now = vclock_now(r->clock);

	r->given = epoch_seconds;
	r->given_at = now;
	r->phase = (int64_t)now;
	r->seconds = epoch_seconds + r->moved;
	r->seen = now;
	update_irq(r, now);
}

/* The reset pin: interrupts off, flags clear. Time, alarm, RAM and the divider go on, as in a machine that reboots. */
void vrtc_reset(struct vrtc *r)
{
	uint64_t now = vclock_now(r->clock);

	settle(r, now);
	r->flags = 0;
	r->ram[RTC_REG_B] &= (uint8_t) ~(RTC_B_PIE | RTC_B_AIE | RTC_B_UIE | RTC_B_SQWE);
	r->index = 0;
	r->nmi_masked = false;
	update_irq(r, now);
}

/* Put ports 0x70 and 0x71 on a bus. Returns 0 or what bus_register() says. */
int vrtc_register(struct vrtc *r, struct bus *ports)
{
	return bus_register(ports, RTC_PORT_INDEX, 2, &vrtc_ops, r, "rtc");
}

/* Write a byte of the RAM as firmware would. index: 0x0e..0x7f; the clock's registers are left alone. */
void vrtc_set_ram(struct vrtc *r, unsigned index, uint8_t value)
{
	if (index > RTC_REG_D && index < RTC_RAM_BYTES && index != RTC_CENTURY)
		r->ram[index] = value;
}

static void set_ram16(struct vrtc *r, unsigned index, uint64_t value)
{
	if (value > 0xffff)
		value = 0xffff;
	vrtc_set_ram(r, index, (uint8_t)value);
	vrtc_set_ram(r, index + 1, (uint8_t)(value >> 8));
}

/* Leave the memory size where a PC's firmware does. below_4g, above_4g: bytes of RAM on either side of 4 GiB. */
void vrtc_set_memory(struct vrtc *r, uint64_t below_4g, uint64_t above_4g)
{
	uint64_t extended = below_4g > MIB ? (below_4g - MIB) / KIB : 0;
	uint64_t high = above_4g / (64 * KIB);

	set_ram16(r, CMOS_BASE_KIB, below_4g < 640 * KIB ? below_4g / KIB : 640);
	set_ram16(r, CMOS_EXTENDED_KIB, extended);
	set_ram16(r, CMOS_EXTENDED_KIB_FOUND, extended);
	set_ram16(r, CMOS_ABOVE_16M_64KIB, below_4g > 16 * MIB ? (below_4g - 16 * MIB) / (64 * KIB) : 0);
	if (high > 0xffffff)
		high = 0xffffff;
	for (unsigned i = 0; i < 3; i++)
		vrtc_set_ram(r, CMOS_ABOVE_4G_64KIB + i, (uint8_t)(high >> (8 * i)));
}
