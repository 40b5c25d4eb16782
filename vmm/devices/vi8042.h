/* The emulated keyboard controller (i8042) with nothing plugged in, and port 0x92. It is there because it resets the
 * processor and gates A20; its self tests pass, and no byte ever comes from a keyboard or mouse. */
#pragma once

#include "drivers/regs/i8042.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/irq_line.h"

struct vi8042_wiring {
	struct irq_line kbd_irq;              /* IRQ 1: an answer of the controller waits and the guest wants to know */
	void (*reset)(void *ctx);             /* the guest asks for a processor reset */
	void (*a20)(void *ctx, bool enabled); /* the gate changed; may be NULL */
	void *ctx;
};

struct vi8042 {
	struct vi8042_wiring wiring;
	uint8_t ram[32];     /* byte 0 is the command byte ("CTR") */
	uint8_t output_port; /* lines of the controller: reset, A20, interrupts */
	uint8_t port92;
	uint8_t output; /* the byte for port 0x60 */
	bool output_full;
	bool last_was_command;
	uint8_t awaiting; /* the command whose data byte comes next; 0: none */
	bool irq_high;
};

void vi8042_init(struct vi8042 *k, const struct vi8042_wiring *wiring);
void vi8042_reset(struct vi8042 *k);
MUST_CHECK int vi8042_register(struct vi8042 *k, struct bus *ports);
