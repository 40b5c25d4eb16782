/* The flight recorder: the last 1,024 exits of a vCPU, always on. Writing one entry is five stores; everything that
 * costs more (names, decoding, words) is done when somebody reads it. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/core/vm_exit.h"

#define EXIT_RING_ENTRIES 1024u

struct exit_record {
	uint64_t tsc; /* host TSC at the exit */
	uint64_t rip;
	uint64_t value; /* vm_exit.value */
	uint32_t reason;
	uint32_t
		qualification; /* low half: all that the manual defines for the reasons we enable, but linear addresses */
};

struct exit_ring {
	uint64_t count; /* exits ever; the newest is at (count - 1) % EXIT_RING_ENTRIES */
	struct exit_record records[EXIT_RING_ENTRIES];
};

/* The values come as such, not as a struct vm_exit: they are in registers when this is inlined, and 12 instructions do. */
static inline void exit_ring_put(struct exit_ring *r, uint64_t tsc, uint64_t rip, uint32_t reason,
				 uint64_t qualification, uint64_t value)
{
	struct exit_record *rec = &r->records[r->count++ % EXIT_RING_ENTRIES];

	rec->tsc = tsc;
	rec->rip = rip;
	rec->value = value;
	rec->reason = reason;
	rec->qualification = (uint32_t)qualification;
}

static inline void exit_ring_add(struct exit_ring *r, const struct vm_exit *e)
{
	exit_ring_put(r, e->tsc, e->rip, e->reason, e->qualification, e->value);
}

/* The exit that lies `back` exits before the newest (0 = the newest), or NULL when it is not (or no longer) there. */
const struct exit_record *exit_ring_at(const struct exit_ring *r, unsigned back);
