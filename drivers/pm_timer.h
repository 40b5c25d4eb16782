/* The ACPI power management timer as a reference clock: 3.579545 MHz behind one port. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/ref_clock.h"
#include "kernel/lib/errors.h"

struct pm_timer {
	const struct hw_io *hw;
	uint16_t port;
	struct ref_clock clock;
};

/* t stays where it is as long as its clock is used. */
int pm_timer_init(struct pm_timer *t, const struct hw_io *hw, uint16_t port) MUST_CHECK;
