/* The physical memory of the machine, in naturally aligned blocks of 2^order pages, 4 KiB to 1 GiB. */
#pragma once

#include "kernel/alloc_lock.h"
#include "kernel/memmap.h"
#include "kernel/lib/list.h"
#include "kernel/lib/page_source.h"

enum {
	PAGE_ORDER_4K = 0,
	PAGE_ORDER_2M = 9,
	PAGE_ORDER_1G = 18,
	PAGE_ORDERS = 19,    /* 0..18 */
	PAGE_SCRUB_ORDER = 4 /* page_scrub_step() zeroes 64 KiB */
};

/* "No such block": what an allocation that fails returns. */
#define PAGE_NONE UINT64_MAX

/* Where a block may lie. Blocks of one zone never merge with those of the next, which costs nothing, since the borders
 * are where the machine has holes anyway. */
enum page_zone {
	PAGE_ZONE_LOW,   /* below 1 MiB: AP trampolines. Only for those who ask, never a fallback for others */
	PAGE_ZONE_DMA32, /* below 4 GiB */
	PAGE_ZONE_HIGH,  /* above */
	PAGE_ZONES
};

/* What a free block may hold. */
enum page_past {
	PAGE_CLEAN, /* nothing of anybody's: never used, or zeroed since */
	PAGE_DIRTY, /* what its last owner left in it */
	PAGE_PASTS
};

/* A stretch of memory with one state byte a page; holes of some size lie between spans and cost nothing. */
struct page_span {
	uint64_t first_page;
	uint64_t pages;
	uint8_t *state;
};

enum { PAGE_MAX_SPANS = 32 };

struct page_alloc_config {
	const struct phys_range
		*ranges; /* free memory as memmap_build() makes it; must stay valid until all is added */
	size_t count;
	uintptr_t hva_base;     /* this program sees physical address x at hva_base + x */
	uint64_t reach;         /* how far up it can see now; page_alloc_extend() tells when that grows */
	bool junk;              /* fill freed memory with 0xdb, so that a use after free shows */
	enum page_past fresh;   /* what memory counts as that was never handed out */
	struct alloc_lock lock; /* taken around each operation */
};

/* The free blocks of a zone that have the same past. */
struct page_pool {
	struct list free[PAGE_ORDERS]; /* linked through their own first bytes */
	uint32_t orders;               /* bit n: there are any of order n */
};

struct page_alloc {
	struct page_alloc_config cfg;
	struct page_span spans[PAGE_MAX_SPANS];
	size_t span_count;
	struct page_pool pools[PAGE_ZONES][PAGE_PASTS];
	uint64_t free_pages[PAGE_PASTS];
	uint64_t scrubbing_pages; /* out of the lists just now, by page_scrub_step() */
	uint64_t total_pages;     /* what was added, free or not; the state bytes' own pages are not in it */
	uint64_t meta_base;       /* where the state bytes lie */
	uint64_t meta_bytes;
};

MUST_CHECK int page_alloc_init(struct page_alloc *pa, const struct page_alloc_config *cfg);
void page_alloc_extend(struct page_alloc *pa, uint64_t reach);

/* A block anywhere but in the low zone, high memory first; contents undefined. PAGE_NONE when there is none. */
uint64_t page_alloc(struct page_alloc *pa, unsigned order);
/* The same, in this zone or (but for PAGE_ZONE_LOW) a lower one. */
uint64_t page_alloc_zone(struct page_alloc *pa, unsigned order, enum page_zone highest);
/* A block with nothing in it of who had it before: for a guest. scrub: zero a used one here when no other is left. */
uint64_t page_alloc_clean(struct page_alloc *pa, unsigned order, bool scrub);
/* Any CPU with nothing to do: zero a bounded piece of what was used and freed. False: nothing is left to do. */
bool page_scrub_step(struct page_alloc *pa);
/* Give back all of a block but its first pages (not 0): they are one block for each bit of their number from now on, the
 * largest first. */
void page_trim(struct page_alloc *pa, uint64_t hpa, unsigned order, uint64_t pages);
void page_free(struct page_alloc *pa, uint64_t hpa, unsigned order);

static inline void *page_hva(const struct page_alloc *pa, uint64_t hpa)
{
	return (void *)(pa->cfg.hva_base + hpa);
}

static inline uint64_t page_hpa(const struct page_alloc *pa, const void *hva)
{
	return (uintptr_t)hva - pa->cfg.hva_base;
}

uint64_t page_alloc_free_bytes(const struct page_alloc *pa);
uint64_t page_alloc_dirty_bytes(const struct page_alloc *pa);
uint64_t page_alloc_total_bytes(const struct page_alloc *pa);
/* The order of the biggest block page_alloc() could give now, or -1. */
int page_alloc_largest_order(const struct page_alloc *pa);
/* How many blocks of an order are free, in all zones. */
size_t page_alloc_count(const struct page_alloc *pa, unsigned order);

/* The smallest order of a block that holds len bytes (at least 1). */
unsigned page_order_for(uint64_t len);

/* The allocator as others see it. pa stays where it is. */
struct page_source page_alloc_source(struct page_alloc *pa);
