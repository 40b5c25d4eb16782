/* One interrupt wire from a device to whatever listens: an interrupt controller's pin, or a test. Handed to the device
 * when it is made; the device only says high or low. */
#pragma once

#include "kernel/lib/compiler.h"

struct irq_line {
	void (*set)(void *ctx, unsigned pin, bool high);
	void *ctx;
	unsigned pin;
};

static inline void irq_line_set(const struct irq_line *line, bool high)
{
	line->set(line->ctx, line->pin, high);
}
