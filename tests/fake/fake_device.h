/* What a device is handed, as test doubles: a clock that stands until the test moves it, a wire that remembers its
 * level and counts its rising edges, and a byte sink with a limit. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/vclock.h"
#include "kernel/lib/byte_sink.h"

struct fake_clock {
	struct vclock clock;
	uint64_t now; /* ticks */
};

static inline uint64_t fake_clock_now(void *ctx)
{
	return ((struct fake_clock *)ctx)->now;
}

static inline void fake_clock_init(struct fake_clock *f, uint64_t hz)
{
	*f = (struct fake_clock){.clock = {.now = fake_clock_now, .ctx = f, .hz = hz}};
}

/* Let time pass up to `to`, stopping at every alarm on the way. */
static inline void fake_clock_run_to(struct fake_clock *f, uint64_t to)
{
	while (vclock_next(&f->clock) <= to) {
		if (vclock_next(&f->clock) > f->now)
			f->now = vclock_next(&f->clock);
		vclock_expire(&f->clock, f->now);
	}
	f->now = to;
}

static inline void fake_clock_run(struct fake_clock *f, uint64_t ticks)
{
	fake_clock_run_to(f, f->now + ticks);
}

struct fake_line {
	bool high;
	unsigned pin;
	unsigned rises, calls;
};

static inline void fake_line_set(void *ctx, unsigned pin, bool high)
{
	struct fake_line *l = (struct fake_line *)ctx;

	l->calls++;
	l->pin = pin;
	if (high && !l->high)
		l->rises++;
	l->high = high;
}

static inline struct irq_line fake_line(struct fake_line *l, unsigned pin)
{
	return (struct irq_line){.set = fake_line_set, .ctx = l, .pin = pin};
}

#define FAKE_SINK_BYTES 4096u

struct fake_sink {
	uint8_t bytes[FAKE_SINK_BYTES];
	unsigned count;
	unsigned room; /* how many more it takes */
};

static inline bool fake_sink_put(void *ctx, uint8_t byte)
{
	struct fake_sink *s = (struct fake_sink *)ctx;

	if (s->room == 0 || s->count == FAKE_SINK_BYTES)
		return false;
	s->room--;
	s->bytes[s->count++] = byte;
	return true;
}

static inline struct byte_sink fake_sink(struct fake_sink *s)
{
	return (struct byte_sink){.put = fake_sink_put, .ctx = s};
}
