/* The HPET's main counter. Follows the IA-PC HPET specification 1.0a "General Capabilities and ID Register". Only the low
 * half of the counter is read: 32 bits last for minutes and need no second read that a carry could come between. */
#include "drivers/hpet.h"

#define FS_PER_SEC 1000000000000000ull

static uint64_t hpet_read(void *ctx)
{
	const struct hpet *h = ctx;

	return hw_read32(h->hw, h->base + HPET_MAIN_CNT);
}

/* Find the HPET and let its counter run.
 * base: where its registers are mapped, HPET_SIZE bytes, uncached.
 * Returns 0; ERR_NOENT (what is there is no HPET). */
int hpet_init(struct hpet *h, const struct hw_io *hw, uintptr_t base)
{
	uint32_t period = hw_read32(hw, base + HPET_GCAP_ID + 4);
	uint32_t config;

	if (period == 0 || period > HPET_PERIOD_FS_MAX)
		return ERR_NOENT;
	*h = (struct hpet){.hw = hw, .base = base, .period_fs = period};
	h->clock = (struct ref_clock){
		.name = "HPET", .read = hpet_read, .ctx = h, .bits = 32, .hz_num = FS_PER_SEC, .hz_den = period};
	config = hw_read32(hw, base + HPET_GEN_CONF);
	if (!(config & HPET_CONF_ENABLE))
		hw_write32(hw, base + HPET_GEN_CONF, config | (uint32_t)HPET_CONF_ENABLE);
	return 0;
}
