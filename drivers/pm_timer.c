/* The ACPI PM timer. Follows the ACPI specification 6.4 "Power Management Timer". It has 24 or 32 bits; 24 are enough here,
 * and right for both. */
#include "drivers/pm_timer.h"
#include "drivers/regs/acpi.h"

/* Reads in which it must have moved: each takes longer than one of its ticks, except in an emulator. */
#define MOVE_READS 1000u

static uint64_t pm_timer_read(void *ctx)
{
	const struct pm_timer *t = ctx;

	return hw_in32(t->hw, t->port) & 0xffffff;
}

/* Use the timer at a port.
 * Returns 0; ERR_NOENT (nothing there that counts). */
int pm_timer_init(struct pm_timer *t, const struct hw_io *hw, uint16_t port)
{
	uint64_t first;

	*t = (struct pm_timer){.hw = hw, .port = port};
	t->clock = (struct ref_clock){.name = "PM timer",
				      .read = pm_timer_read,
				      .ctx = t,
				      .bits = 24,
				      .hz_num = ACPI_PM_TIMER_HZ,
				      .hz_den = 1};
	first = pm_timer_read(t);
	for (unsigned i = 0; i < MOVE_READS; i++) {
		if (pm_timer_read(t) != first)
			return 0;
	}
	return ERR_NOENT;
}
