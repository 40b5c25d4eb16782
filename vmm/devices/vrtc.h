/* The emulated real-time clock: an MC146818A with 128 bytes of CMOS RAM behind ports 0x70 and 0x71, as on the PC. Its time
 * runs with the VM's clock from a wall-clock time given at each start; a guest that sets it moves its own time only, for
 * good.
 *
 * The update cycle ends with the second: for the last 2228 us of each second UIP is set and the old time stays readable,
 * then the new time, the flags and the interrupt come at once. */
#pragma once

#include "drivers/regs/mc146818.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/vclock.h"

struct vrtc {
	uint8_t ram[RTC_RAM_BYTES]; /* time registers in here count only while the time is held */
	uint8_t index;              /* port 0x70, bits 6:0 */
	bool nmi_masked;            /* port 0x70, bit 7 */
	uint8_t flags;              /* register C, bits 6:4 */
	/* Second number k of the divider ends at tick phase + k * hz; the time then is seconds + k. phase may lie before
	 * the clock's zero, so it is signed. */
	int64_t phase;
	int64_t seconds;       /* since 1970, as the registers show it */
	int64_t given;         /* the wall clock's, since 1970 */
	uint64_t given_at;     /* tick */
	int64_t moved;         /* seconds by which the guest has set its time ahead of the wall clock's */
	uint8_t weekday_shift; /* the guest's day of the week minus the calendar's, modulo 7 */
	uint64_t seen;         /* flags are worked out up to this tick */
	struct vclock *clock;
	struct irq_line irq;
	struct valarm alarm; /* the next event whose interrupt is enabled */
	bool irq_high;
};

void vrtc_init(struct vrtc *r, struct vclock *clock, const struct irq_line *irq, int64_t epoch_seconds);
void vrtc_restart(struct vrtc *r, int64_t epoch_seconds);
void vrtc_reset(struct vrtc *r);
MUST_CHECK int vrtc_register(struct vrtc *r, struct bus *ports);

void vrtc_set_ram(struct vrtc *r, unsigned index, uint8_t value);
void vrtc_set_memory(struct vrtc *r, uint64_t below_4g, uint64_t above_4g);

/* Bit 7 of the index port: does the guest want no NMI? */
static inline bool vrtc_nmi_masked(const struct vrtc *r)
{
	return r->nmi_masked;
}
