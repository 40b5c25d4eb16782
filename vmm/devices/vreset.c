/* Port 0xcf9 (see vreset.h). Follows the PIIX3 data sheet, "Reset Control Register": writing bit 2 resets, bit 1 says
 * whether the whole machine or the processor alone. */
#include "vmm/devices/vreset.h"

static uint64_t vreset_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vreset *r = ctx;

	(void)offset;
	(void)size;
	return r->control;
}

static void vreset_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vreset *r = ctx;

	(void)offset;
	(void)size;
	r->control = value & CF9_FULL_RESET;
	if (value & CF9_RCPU)
		r->reset(r->ctx, (value & CF9_FULL_RESET) != 0);
}

const struct bus_ops vreset_ops = {.read = vreset_read, .write = vreset_write};

/* reset: must not be NULL, and only notes the wish. */
void vreset_init(struct vreset *r, void (*reset)(void *ctx, bool hard), void *ctx)
{
	*r = (struct vreset){.reset = reset, .ctx = ctx};
}

/* Reset state. */
void vreset_reset(struct vreset *r)
{
	r->control = 0;
}
