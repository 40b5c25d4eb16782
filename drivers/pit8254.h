/* Channel 2 of the 8254 timer as a reference clock. Channel 0, whose interrupt is somebody's, is not touched. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/ref_clock.h"
#include "drivers/regs/pit8254.h"
#include "kernel/lib/errors.h"

struct pit_counter {
	const struct hw_io *hw;
	uint8_t port61; /* as it was before */
	struct ref_clock clock;
};

/* p stays where it is as long as its clock is used. The clock wraps after 55 ms. */
int pit_counter_start(struct pit_counter *p, const struct hw_io *hw) MUST_CHECK;
void pit_counter_stop(struct pit_counter *p);
