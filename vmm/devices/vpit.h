/* The emulated 8254 interval timer, after Intel's data sheet, with port 0x61 of the PC, which gates channel 2 and shows
 * its output. Channel 0 drives an interrupt line, channel 2 nothing but the bit in port 0x61.
 *
 * Late ticks: when the guest could not run for a while (another had the CPU), channel 0 gives one edge and goes on with
 * the next one that lies ahead. There is never a burst; a guest that counts ticks falls behind like one whose interrupts
 * were off for as long. The counter that it can read keeps exact time all the while.
 *
 * On the line, the low part of a pulse or wave is not shown in its length: it falls and rises again at the rising edge, so
 * that one period costs one alarm. An edge-triggered input sees the same. */
#pragma once

#include "drivers/regs/pit8254.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/vclock.h"
#include "vmm/devices/vpit_channel.h"

#define VPIT_CHANNELS 3u

/* Edges of channel 0 closer together than this many clocks (54 us) are merged: a count of 2 would ask for 600,000
 * interrupts a second, which no guest can take. */
#define VPIT_MIN_EDGE_CLOCKS 64u

struct vpit {
	struct vpit_channel channels[VPIT_CHANNELS];
	uint8_t port61; /* bits 3:0 as written */
	struct vclock *clock;
	struct vclock_rate rate;
	struct irq_line irq;
	struct valarm alarm; /* channel 0's next rising edge ... */
	uint64_t rise;       /* ... in clocks */
	bool irq_high;
};

void vpit_init(struct vpit *p, struct vclock *clock, const struct irq_line *irq);
void vpit_reset(struct vpit *p);
MUST_CHECK int vpit_register(struct vpit *p, struct bus *ports);
