/* Reading the flight recorder. Writing it is inline, in exit_ring.h. */
#include "vmm/core/exit_ring.h"

#include "kernel/lib/string.h"

/* Six bytes, little-endian, at an offset. */
static uint64_t low48(const uint8_t *entry, unsigned offset)
{
	uint64_t word = 0;

	memcpy(&word, entry + offset, 6);
	return word;
}

bool exit_ring_at(const struct exit_ring *r, unsigned back, struct exit_record *out)
{
	const uint8_t *entry;

	if (back >= EXIT_RING_ENTRIES || back >= exit_ring_count(r))
		return false;
	entry = r->entries + (r->newest + back * EXIT_ENTRY_BYTES) % sizeof(r->entries);
	*out = (struct exit_record){.tsc = low48(entry, 0),
				    .reason = entry[EXIT_ENTRY_REASON] & (EXIT_ENTRY_QUALIFIED - 1)};
	out->rip = (uint64_t)((int64_t)(low48(entry, EXIT_ENTRY_RIP) << 16) >> 16);
	memcpy(&out->value, entry + EXIT_ENTRY_VALUE, EXIT_ENTRY_REASON - EXIT_ENTRY_VALUE);
	if (entry[EXIT_ENTRY_REASON] & EXIT_ENTRY_QUALIFIED)
		memcpy(&out->qualification, entry + EXIT_ENTRY_QUALIFICATION, sizeof(out->qualification));
	return true;
}
