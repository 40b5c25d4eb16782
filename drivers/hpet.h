/* The main counter of the high precision event timer, as a reference clock. Its comparators are not used. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/ref_clock.h"
#include "drivers/regs/hpet.h"
#include "kernel/lib/errors.h"

struct hpet {
	const struct hw_io *hw;
	uintptr_t base;
	uint32_t period_fs; /* femtoseconds per tick */
	struct ref_clock clock;
};

/* h stays where it is as long as its clock is used. */
int hpet_init(struct hpet *h, const struct hw_io *hw, uintptr_t base) MUST_CHECK;
