/* The flight recorder: the last 1,024 exits of a vCPU, always on. Writing one entry is four or five stores; everything that
 * costs more (names, decoding, words) is done when somebody reads it. */
#pragma once

#include "kernel/lib/assert.h"
#include "kernel/lib/compiler.h"
#include "vmm/core/vm_exit.h"

#define EXIT_RING_ENTRIES 1024u

/* An entry is packed into 24 bytes. Each field is stored whole and the next one over its upper bytes, which say nothing: a TSC
 * wraps after a day of 48 bits, an address is the sign extension of 48 bits or, a physical one, has at most 52. The highest
 * bit of the reason says that there is a qualification.
 *
 *	0      6      12      19       20              24
 *	| TSC  | RIP  | value | reason | qualification | */
#define EXIT_ENTRY_BYTES 24u
#define EXIT_ENTRY_RIP 6u
#define EXIT_ENTRY_VALUE 12u
#define EXIT_ENTRY_REASON 19u
#define EXIT_ENTRY_QUALIFICATION 20u
#define EXIT_ENTRY_QUALIFIED 0x80u
static_assert(EXIT_REASON_COUNT <= EXIT_ENTRY_QUALIFIED, "a reason is seven bits");

/* Starts as zeros. Entries are written downwards, so that the subtraction itself tells when the end is reached. */
struct exit_ring {
	uint64_t newest; /* in bytes */
	uint64_t rounds; /* begun */
	uint8_t entries[EXIT_RING_ENTRIES * EXIT_ENTRY_BYTES];
};

/* What can be read from an entry. */
struct exit_record {
	uint64_t tsc; /* host TSC at the exit, 48 bits */
	uint64_t rip;
	uint64_t value;  /* vm_exit.value, 56 bits */
	uint32_t reason; /* seven bits; the manual has none above */
	uint32_t
		qualification; /* low half: all that the manual defines for the reasons we enable, but linear addresses */
};

/* An exit without a qualification. The values come as such, not as a struct vm_exit: they are in registers when this is
 * inlined, and 8 instructions do. Returns the entry. */
static inline uint8_t *exit_ring_put_insn(struct exit_ring *r, uint64_t tsc, uint64_t rip, uint32_t reason,
					  uint64_t value)
{
	uint64_t at;
	uint8_t *entry;

	if (unlikely(__builtin_sub_overflow(r->newest, EXIT_ENTRY_BYTES, &at))) {
		at = (EXIT_RING_ENTRIES - 1) * EXIT_ENTRY_BYTES;
		r->rounds++;
	}
	r->newest = at;
	entry = r->entries + at;
	__builtin_memcpy(entry, &tsc, sizeof(tsc));
	__builtin_memcpy(entry + EXIT_ENTRY_RIP, &rip, sizeof(rip));
	__builtin_memcpy(entry + EXIT_ENTRY_VALUE, &value, sizeof(value));
	entry[EXIT_ENTRY_REASON] = (uint8_t)reason;
	return entry;
}

static inline void exit_ring_put(struct exit_ring *r, uint64_t tsc, uint64_t rip, uint32_t reason,
				 uint64_t qualification, uint64_t value)
{
	uint8_t *entry = exit_ring_put_insn(r, tsc, rip, reason | EXIT_ENTRY_QUALIFIED, value);
	uint32_t low = (uint32_t)qualification;

	__builtin_memcpy(entry + EXIT_ENTRY_QUALIFICATION, &low, sizeof(low));
}

static inline void exit_ring_add(struct exit_ring *r, const struct vm_exit *e)
{
	exit_ring_put(r, e->tsc, e->rip, e->reason, e->qualification, e->value);
}

/* Exits ever. The vCPU does not run. */
static inline uint64_t exit_ring_count(const struct exit_ring *r)
{
	return r->rounds * EXIT_RING_ENTRIES - r->newest / EXIT_ENTRY_BYTES;
}

/* The exit that lies `back` exits before the newest (0 = the newest). False: it is not (or no longer) there. */
bool exit_ring_at(const struct exit_ring *r, unsigned back, struct exit_record *out);
