/* One register of the local APIC, through whichever face is in use. For the two files of this driver. */
#pragma once

#include "drivers/lapic.h"

static inline uint32_t lapic_read(const struct lapic *l, unsigned reg)
{
	if (l->x2apic)
		return (uint32_t)hw_rdmsr(l->hw, X2APIC_MSR(reg));
	return hw_read32(l->hw, l->config.base + reg);
}

static inline void lapic_write(const struct lapic *l, unsigned reg, uint32_t value)
{
	if (l->x2apic)
		hw_wrmsr(l->hw, X2APIC_MSR(reg), value);
	else
		hw_write32(l->hw, l->config.base + reg, value);
}

/* lapic_timer.c: put the timer of this CPU into its mode, not armed. */
void lapic_timer_setup(const struct lapic *l);
