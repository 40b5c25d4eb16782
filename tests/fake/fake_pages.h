/* A page source for host tests: an arena with its own host-physical addresses, which counts, can be made to fail, hands
 * out junk, and checks that what comes back is what was given. */
#pragma once

#include "kernel/lib/page_source.h"

#define FAKE_PAGES_NEVER (~0u)

struct fake_pages {
	struct page_source source;
	uint8_t *memory;
	void *map;
	size_t map_bytes;
	size_t page_count;
	uint64_t hpa_base; /* host-physical address of memory[0]; aligned as the arena */
	uint8_t *used; /* a byte a page: 0 free, otherwise order + 1 at the first page of a block and 0xff inside it */
	size_t pages_out;         /* pages handed out now */
	size_t allocs;            /* allocations that succeeded, ever */
	unsigned fail_after;      /* this many more succeed, then all fail; FAKE_PAGES_NEVER */
	unsigned max_order;       /* larger ones fail */
	unsigned max_clean_order; /* larger ones are clean only when scrubbed */
	size_t clean_left;        /* blocks that are, beyond which all must be scrubbed */
	size_t scrubbed;          /* pages that were */
};

/* An arena of so many pages (a power of two is best); memory is aligned to 2 MiB, or to 1 GiB when it is that large. */
void fake_pages_init(struct fake_pages *f, size_t page_count, uint64_t hpa_base);
void fake_pages_destroy(struct fake_pages *f);
