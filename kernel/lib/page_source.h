/* Where a table builder or guest memory takes whole pages from: handed down, so that builders do not know the
 * allocator, and host tests can count, fail and fence it. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/string.h"

struct page_source {
	/* 2^order pages, naturally aligned, contents undefined; NULL when there are none. */
	void *(*alloc)(void *ctx, unsigned order);
	void (*free)(void *ctx, void *page, unsigned order);
	/* The two directions between a page's address in this program and its host-physical address. */
	uint64_t (*hpa_of)(void *ctx, const void *hva);
	void *(*hva_of)(void *ctx, uint64_t hpa);
	void *ctx;
	/* As alloc, but nothing of an owner before is in it. scrub: zero used pages for it when there are no clean ones. */
	void *(*alloc_clean)(void *ctx, unsigned order, bool scrub);
	/* Give back all of a block but its first pages, which become one block for each bit of their number, the largest
	 * first, and are freed like that. NULL where the source cannot. */
	void (*trim)(void *ctx, void *page, unsigned order, uint64_t pages);
};

/* 2^order pages of zeros, or NULL. (Clean ones need not be zeros: nobody has used them, that is all.) */
static inline void *page_source_zeroed(const struct page_source *s, unsigned order)
{
	void *block = s->alloc(s->ctx, order);

	if (block)
		memset(block, 0, PAGE_SIZE << order);
	return block;
}
