/* The emulated pair of 8259A interrupt controllers, after Intel's 8259A data sheet, with the edge/level registers of the
 * PIIX3. Sixteen inputs, one output (INTR), and the acknowledge cycle that yields a vector. */
#pragma once

#include "drivers/regs/pic8259.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/irq_line.h"

/* Which initialisation word the chip waits for at its data port. */
enum vpic_await { VPIC_UNINITIALISED, VPIC_AWAIT_ICW2, VPIC_AWAIT_ICW3, VPIC_AWAIT_ICW4, VPIC_READY };

struct vpic_chip {
	uint8_t lines;  /* inputs as they are now */
	uint8_t edges;  /* rising edges not acknowledged yet, of inputs still high */
	uint8_t isr;    /* in service */
	uint8_t imr;    /* masked */
	uint8_t elcr;   /* 1: level-triggered */
	uint8_t vector; /* ICW2, bits 7:3 */
	uint8_t icw1, icw4;
	uint8_t lowest; /* the level with the lowest priority; 7 unless rotated */
	bool rotate_aeoi;
	bool special_mask;
	bool read_isr; /* the command port reads as ISR, else IRR */
	bool poll;     /* the next read is an acknowledge */
	enum vpic_await await;
};

struct vpic {
	struct vpic_chip master, slave;
	struct irq_line intr;
	bool intr_high;
	uint64_t spurious; /* acknowledge cycles that found no request */
};

void vpic_init(struct vpic *p, const struct irq_line *intr);
void vpic_reset(struct vpic *p);
MUST_CHECK int vpic_register(struct vpic *p, struct bus *ports);

/* One of the 16 inputs; has the shape of irq_line.set, ctx being the struct vpic. Input 2 is the cascade: ignored. */
void vpic_set_irq(void *ctx, unsigned pin, bool high);

/* The level of INTR. Any CPU. */
static inline bool vpic_pending(const struct vpic *p)
{
	return __atomic_load_n(&p->intr_high, __ATOMIC_ACQUIRE);
}

uint8_t vpic_ack(struct vpic *p);
