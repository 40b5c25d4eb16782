/* The 8254's channel 2 made to count down round and round, silently. Follows Intel's 8254 data sheet "Mode 2: Rate
 * Generator" and "Counter Latch Command"; port 0x61 opens the channel's gate and keeps the speaker off. */
#include "drivers/pit8254.h"

#define CHANNEL2 (2u << PIT_CW_SC_SHIFT)
#define MOVE_READS 1000u

static uint64_t pit_read(void *ctx)
{
	const struct pit_counter *p = ctx;
	unsigned count;

	hw_out8(p->hw, PIT_CONTROL, CHANNEL2 | PIT_CW_RW_LATCH);
	count = hw_in8(p->hw, PIT_CH2);
	count |= (unsigned)hw_in8(p->hw, PIT_CH2) << 8;
	return (0x10000u - count) & 0xffff;
}

/* Let channel 2 run.
 * Returns 0; ERR_NOENT (nothing there that counts). */
int pit_counter_start(struct pit_counter *p, const struct hw_io *hw)
{
	uint64_t first;

	*p = (struct pit_counter){.hw = hw, .port61 = hw_in8(hw, PORT61)};
	p->clock = (struct ref_clock){
		.name = "PIT", .read = pit_read, .ctx = p, .bits = 16, .hz_num = PIT_HZ, .hz_den = 1};
	hw_out8(hw, PORT61, (p->port61 & PORT61_WRITE_MASK & ~PORT61_SPEAKER) | PORT61_GATE2);
	hw_out8(hw, PIT_CONTROL, CHANNEL2 | PIT_CW_RW_BOTH | PIT_MODE_RATE << PIT_CW_MODE_SHIFT);
	hw_out8(hw, PIT_CH2, 0); /* 65536 */
	hw_out8(hw, PIT_CH2, 0);
	first = pit_read(p);
	for (unsigned i = 0; i < MOVE_READS; i++) {
		if (pit_read(p) != first)
			return 0;
	}
	pit_counter_stop(p);
	return ERR_NOENT;
}

/* Close the gate again, as it was. */
void pit_counter_stop(struct pit_counter *p)
{
	hw_out8(p->hw, PORT61, p->port61 & PORT61_WRITE_MASK);
}
