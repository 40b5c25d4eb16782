/* One counter of the emulated 8254: a pure function of its history and of the time, which is given to every call as the
 * number of input clocks (1.193182 MHz) since some zero. Nothing runs in between; the counting element's value and the
 * output are worked out when somebody looks. Used by vpit.c. */
#pragma once

#include "drivers/regs/pit8254.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/compiler.h"

#define VPIT_NEVER UINT64_MAX

struct vpit_channel {
	uint8_t control; /* the control word's bits 5:0 */
	uint8_t mode;    /* 0..5; 6 and 7 are 2 and 3 */
	bool gate;
	uint32_t reload; /* count register: the count written last, 1..65536; 0: none since the control word */
	uint32_t count;  /* what the counting element was loaded with; 0: nothing since the control word */
	union {
		struct {
			bool null_count;     /* reload has not reached the counting element */
			bool stopped;        /* by the gate, or by half a count in mode 0 */
			bool status_latched; /* to be read before the count */
			uint8_t latch_bytes; /* bytes of the latch still to be read */
		};
		uint32_t unusual; /* all four: 0 while there is a count, as it runs */
	};
	uint64_t load_at;    /* when reload will; VPIT_NEVER: when a trigger comes, or never */
	uint64_t start;      /* when the counting element was (or might have been) loaded with count */
	uint64_t stopped_at; /* clocks counted until then */
	uint8_t write_lsb;   /* the first byte of two */
	bool write_msb_next, read_msb_next;
	uint16_t latch;
	uint8_t status;
};

static_assert(offsetof(struct vpit_channel, latch_bytes) == offsetof(struct vpit_channel, unusual) + 3,
	      "unusual is all four");

void vpit_channel_reset(struct vpit_channel *c, bool gate);
void vpit_channel_control(struct vpit_channel *c, uint8_t control);
void vpit_channel_write(struct vpit_channel *c, uint8_t byte, uint64_t now);
uint8_t vpit_channel_read_any(struct vpit_channel *c, uint64_t now);
void vpit_channel_latch_count(struct vpit_channel *c, uint64_t now);
void vpit_channel_latch_status(struct vpit_channel *c, uint64_t now);
void vpit_channel_gate(struct vpit_channel *c, bool gate, uint64_t now);
bool vpit_channel_out(struct vpit_channel *c, uint64_t now);
uint64_t vpit_channel_next_rise(struct vpit_channel *c, uint64_t now);

/* A byte of the latched status, of the latched count, or of the count as it runs, in this order. What guests read most has a
 * way of its own: a binary rate generator's two bytes, as it runs. (A channel that has no count yet has a null count.) */
static inline uint8_t vpit_channel_read(struct vpit_channel *c, uint64_t now)
{
	uint64_t value;

	if (unlikely(c->control != (PIT_CW_RW_BOTH | PIT_MODE_RATE << PIT_CW_MODE_SHIFT) || c->unusual != 0 ||
		     c->load_at <= now))
		return vpit_channel_read_any(c, now);
	value = c->count - (now - c->start) % c->count;
	c->read_msb_next ^= true;
	if (c->read_msb_next)
		return (uint8_t)value;
	return (uint8_t)(value >> 8);
}
