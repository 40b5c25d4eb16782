/* Reading the flight recorder. Writing it is inline, in exit_ring.h. */
#include "vmm/core/exit_ring.h"

const struct exit_record *exit_ring_at(const struct exit_ring *r, unsigned back)
{
	if (back >= EXIT_RING_ENTRIES || back >= r->count)
		return NULL;
	return &r->records[(r->count - 1 - back) % EXIT_RING_ENTRIES];
}
