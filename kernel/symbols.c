/* Looking up a name: see symbols.h. Binary search over the offsets; the names are counted through from the front, since
 * nobody is in a hurry in a panic and an index would cost four bytes a symbol. */
#include "kernel/symbols.h"

_Static_assert(offsetof(struct symbol_table, frame_offsets) == 32 && sizeof(struct symbol_table) == 48,
	       "HEAD in boot/gen_symbols.py is another");

/* How many of an ascending list are at or below offset. */
static uint32_t count_up_to(const uint32_t *offsets, uint32_t count, uint64_t offset)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (offsets[mid] <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static const char *name_at(const struct symbol_table *t, uint32_t index)
{
	uint32_t pos = 0;

	for (uint32_t skip = index; pos < t->names_bytes; pos++) {
		if (skip == 0)
			return t->names + pos;
		if (t->names[pos] == '\0')
			skip--;
	}
	return NULL;
}

const char *symbol_lookup(const struct symbol_table *t, uint64_t base, uint64_t addr, uint64_t *offset)
{
	uint32_t below;

	*offset = 0;
	if (addr < base)
		return NULL;
	below = count_up_to(t->offsets, t->count, addr - base);
	if (below == 0)
		return NULL;
	*offset = addr - base - t->offsets[below - 1];
	return name_at(t, below - 1);
}

uint32_t symbol_frame(const struct symbol_table *t, uint64_t base, uint64_t addr)
{
	uint32_t below = addr < base ? 0 : count_up_to(t->frame_offsets, t->frame_count, addr - base);

	return below == 0 ? SYMBOL_FRAME_UNKNOWN : t->frame_words[below - 1];
}
