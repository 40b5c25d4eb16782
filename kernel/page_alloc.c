/* A buddy allocator (Knuth 1, 2.5 "Dynamic Storage Allocation"). A block of order n is 2^n pages and aligned to its size;
 * its buddy is the neighbour it makes a block of order n + 1 with. One state byte a page is all it keeps outside of the
 * free memory; the lists of free blocks run through the blocks themselves. Pure: it sees physical memory through hva_base.
 *
 *	state byte	00..12	first page of a free block of this order, clean
 *			40..52	first page of a free block of this order, used before
 *			80..92	first page of a block in use
 *			fe	inside of a block
 *			ff	not ours: a hole, reserved, not added yet
 *
 * Clean and used blocks do not merge, so that what is clean stays so. What that keeps apart comes together when
 * page_scrub_step() has gone over it; an allocation that finds no block big enough scrubs until it does.
 */
#include "kernel/page_alloc.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

enum { STATE_DIRTY = 0x40, STATE_USED = 0x80, STATE_INSIDE = 0xfe, STATE_ABSENT = 0xff, JUNK_FREED = 0xdb };

/* A hole up to this long is carried along as absent pages; a longer one ends the span. 64 MiB: 16 KiB of state. */
enum { SPAN_GAP_PAGES = 16384 };

/* What stands at the start of a free block. */
struct free_block {
	uint64_t magic;
	struct list link;
};
#define FREE_MAGIC 0x5eedf4eeb10c5eedull

static_assert(PAGE_SIZE << PAGE_ORDER_2M == PAGE_SIZE_2M && PAGE_SIZE << PAGE_ORDER_1G == PAGE_SIZE_1G, "orders");

/* The state byte of a page, NULL when the page lies in no span. */
static uint8_t *state_of(const struct page_alloc *pa, uint64_t page)
{
	for (size_t i = 0; i < pa->span_count; i++) {
		const struct page_span *s = &pa->spans[i];

		if (page - s->first_page < s->pages)
			return &s->state[page - s->first_page];
	}
	return NULL;
}

static enum page_zone zone_of(uint64_t page)
{
	if (page < MIB >> PAGE_SHIFT)
		return PAGE_ZONE_LOW;
	return page < 4 * GIB >> PAGE_SHIFT ? PAGE_ZONE_DMA32 : PAGE_ZONE_HIGH;
}

static struct free_block *block_of(const struct page_alloc *pa, uint64_t page)
{
	return page_hva(pa, page << PAGE_SHIFT);
}

static uint8_t free_state(unsigned order, enum page_past past)
{
	return (uint8_t)(past == PAGE_DIRTY ? STATE_DIRTY | order : order);
}

static void link_block(struct page_pool *pool, struct free_block *b, unsigned order)
{
	b->magic = FREE_MAGIC;
	list_add_front(&pool->free[order], &b->link);
	pool->orders |= BIT32(order);
}

/* The links lie in memory that anybody could have scribbled on: find out before following them. No trace of them is left. */
static void unlink_block(struct page_pool *pool, struct free_block *b, unsigned order)
{
	assert(b->magic == FREE_MAGIC); /* else: written to after it was freed */
	assert(b->link.next->prev == &b->link && b->link.prev->next == &b->link);
	list_remove(&b->link);
	b->magic = 0;
	b->link.next = b->link.prev = NULL;
	if (list_empty(&pool->free[order]))
		pool->orders &= ~BIT32(order);
}

/* Put a block into the free list of its order, joined with its free buddies as far up as it goes. */
static void put_block(struct page_alloc *pa, uint64_t page, unsigned order, enum page_past past)
{
	enum page_zone zone = zone_of(page);
	struct page_pool *pool = &pa->pools[zone][past];
	uint8_t *state = state_of(pa, page);

	pa->free_pages[past] += 1ull << order;
	for (; order + 1 < PAGE_ORDERS; order++) {
		uint64_t buddy = page ^ 1ull << order;
		uint8_t *other = state_of(pa, buddy);

		if (!other || *other != free_state(order, past) || zone_of(buddy) != zone)
			break;
		unlink_block(pool, block_of(pa, buddy), order);
		*other = *state = STATE_INSIDE;
		if (buddy < page) {
			page = buddy;
			state = other;
		}
	}
	*state = free_state(order, past);
	link_block(pool, block_of(pa, page), order);
}

/* Take a block of the order out of a zone, splitting a bigger one where needed. */
static uint64_t take_block(struct page_alloc *pa, enum page_zone zone, unsigned order, enum page_past past)
{
	struct page_pool *pool = &pa->pools[zone][past];
	uint32_t enough = pool->orders >> order;
	struct free_block *b;
	unsigned have;
	uint8_t *state;

	if (enough == 0)
		return PAGE_NONE;
	have = order + bits_ffs(enough);
	b = container_of(pool->free[have].next, struct free_block, link);
	unlink_block(pool, b, have);
	state = state_of(pa, page_hpa(pa, b) >> PAGE_SHIFT); /* a block lies in one span, with all of its state */
	while (have > order) {
		have--;
		state[1ull << have] = free_state(have, past);
		link_block(pool, (void *)((uintptr_t)b + (PAGE_SIZE << have)), have);
	}
	*state = (uint8_t)(STATE_USED | order);
	pa->free_pages[past] -= 1ull << order;
	return page_hpa(pa, b);
}

/* Add pages [page, end) as free blocks, each as big as alignment and length allow. */
static void add_pages(struct page_alloc *pa, uint64_t page, uint64_t end)
{
	pa->total_pages += end - page;
	memset(state_of(pa, page), STATE_INSIDE, end - page);
	while (page < end) {
		unsigned order = log2_floor(end - page);

		if (page != 0 && bits_ffs(page) < order)
			order = bits_ffs(page);
		if (order >= PAGE_ORDERS)
			order = PAGE_ORDERS - 1;
		while (zone_of(page) != zone_of(page + (1ull << order) - 1)) /* [0, 2 MiB) and the like */
			order--;
		put_block(pa, page, order, pa->cfg.fresh);
		page += 1ull << order;
	}
}

/* Add what the ranges have in [from, to), without the state bytes' own pages. */
static void add_between(struct page_alloc *pa, uint64_t from, uint64_t to)
{
	for (size_t i = 0; i < pa->cfg.count; i++) {
		const struct phys_range *r = &pa->cfg.ranges[i];
		uint64_t base = r->base > from ? r->base : from;
		uint64_t end = r->base + r->len < to ? r->base + r->len : to;

		if (base >= end)
			continue;
		if (range_contains(base, end - base, pa->meta_base, pa->meta_bytes)) {
			add_pages(pa, base >> PAGE_SHIFT, pa->meta_base >> PAGE_SHIFT);
			base = pa->meta_base + pa->meta_bytes;
		}
		add_pages(pa, base >> PAGE_SHIFT, end >> PAGE_SHIFT);
	}
}

static int check_ranges(const struct page_alloc_config *cfg)
{
	uint64_t end = 0;

	if (!IS_ALIGNED(cfg->reach, PAGE_SIZE))
		return ERR_ALIGN;
	for (size_t i = 0; i < cfg->count; i++) {
		const struct phys_range *r = &cfg->ranges[i];

		if (!IS_ALIGNED(r->base | r->len, PAGE_SIZE))
			return ERR_ALIGN;
		if (r->len == 0 || range_wraps(r->base, r->len) || r->base + r->len == 0)
			return ERR_RANGE;
		if (r->base < end)
			return ERR_OVERLAP;
		end = r->base + r->len;
	}
	return 0;
}

/* One span for ranges that lie close together. When the table is full, the last span takes the rest, holes and all. */
static uint64_t make_spans(struct page_alloc *pa)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < pa->cfg.count; i++) {
		uint64_t first = pa->cfg.ranges[i].base >> PAGE_SHIFT;
		uint64_t end = first + (pa->cfg.ranges[i].len >> PAGE_SHIFT);
		struct page_span *s = pa->span_count > 0 ? &pa->spans[pa->span_count - 1] : NULL;

		if (!s || (first - (s->first_page + s->pages) > SPAN_GAP_PAGES && pa->span_count < PAGE_MAX_SPANS)) {
			s = &pa->spans[pa->span_count++];
			s->first_page = first;
		}
		s->pages = end - s->first_page;
	}
	for (size_t i = 0; i < pa->span_count; i++)
		pages += pa->spans[i].pages;
	return pages;
}

/* A place for the state bytes: the smallest range they fit in, so that big blocks stay whole; not in the low zone. */
static uint64_t place_meta(const struct page_alloc_config *cfg, uint64_t bytes)
{
	uint64_t best = PAGE_NONE;
	uint64_t best_len = UINT64_MAX;

	for (size_t i = 0; i < cfg->count; i++) {
		uint64_t base = cfg->ranges[i].base < MIB ? MIB : cfg->ranges[i].base;
		uint64_t end = cfg->ranges[i].base + cfg->ranges[i].len;

		if (end > cfg->reach)
			end = cfg->reach;
		if (base < end && end - base >= bytes && end - base < best_len) {
			best = base;
			best_len = end - base;
		}
	}
	return best;
}

/* Make an allocator over the free ranges, as far as they are within reach.
 * cfg: copied, but cfg->ranges is used until page_alloc_extend() has added everything.  reach: page aligned.
 * Takes one byte a page for itself, out of the ranges.
 * Returns 0; ERR_ALIGN, ERR_RANGE, ERR_OVERLAP for ranges that memmap_build() would not make; ERR_NOMEM when the state
 * bytes fit nowhere.  Context: boot, one CPU. */
int page_alloc_init(struct page_alloc *pa, const struct page_alloc_config *cfg)
{
	int err = check_ranges(cfg);
	uint8_t *state;

	if (err)
		return err;
	memset(pa, 0, sizeof(*pa));
	pa->cfg = *cfg;
	for (unsigned zone = 0; zone < PAGE_ZONES; zone++)
		for (unsigned order = 0; order < PAGE_ORDERS; order++) {
			list_init(&pa->pools[zone][PAGE_CLEAN].free[order]);
			list_init(&pa->pools[zone][PAGE_DIRTY].free[order]);
		}
	pa->meta_bytes = ALIGN_UP(make_spans(pa), PAGE_SIZE);
	pa->meta_base = place_meta(cfg, pa->meta_bytes);
	if (pa->meta_bytes == 0 || pa->meta_base == PAGE_NONE)
		return ERR_NOMEM;
	state = page_hva(pa, pa->meta_base);
	memset(state, STATE_ABSENT, pa->meta_bytes);
	for (size_t i = 0; i < pa->span_count; i++) {
		pa->spans[i].state = state;
		state += pa->spans[i].pages;
	}
	add_between(pa, 0, cfg->reach);
	return 0;
}

/* More of the memory can be seen now: add the ranges up to there.
 * reach: page aligned, not below the one before.  Context: boot, one CPU. */
void page_alloc_extend(struct page_alloc *pa, uint64_t reach)
{
	assert(IS_ALIGNED(reach, PAGE_SIZE) && reach >= pa->cfg.reach);
	add_between(pa, pa->cfg.reach, reach);
	pa->cfg.reach = reach;
}

/* Take a block in the zones from highest down to lowest, in each zone rather with the first past than with the second. */
static uint64_t take_from(struct page_alloc *pa, unsigned order, enum page_zone highest, enum page_past first,
			  enum page_past second)
{
	unsigned lowest = highest == PAGE_ZONE_LOW ? PAGE_ZONE_LOW : PAGE_ZONE_DMA32;
	uint64_t hpa = PAGE_NONE;

	assert(order < PAGE_ORDERS && highest < PAGE_ZONES);
	alloc_lock_acquire(&pa->cfg.lock);
	for (unsigned zone = highest + 1u; zone-- > lowest && hpa == PAGE_NONE;) {
		const struct page_pool *pools = pa->pools[zone];
		enum page_past past = pools[first].orders >> order != 0 ? first : second;

		if (pools[past].orders >> order != 0)
			hpa = take_block(pa, (enum page_zone)zone, order, past);
	}
	alloc_lock_release(&pa->cfg.lock);
	return hpa;
}

/* Take a block of 2^order pages, in zone `highest` or below; the low zone serves only those who name it. Memory that was
 * used before comes first: clean memory is for guests.
 * Returns its physical address, aligned to its size, contents undefined; PAGE_NONE when there is none.
 * Context: any; takes the lock. */
uint64_t page_alloc_zone(struct page_alloc *pa, unsigned order, enum page_zone highest)
{
	uint64_t hpa;

	do
		hpa = take_from(pa, order, highest, PAGE_DIRTY, PAGE_CLEAN);
	while (hpa == PAGE_NONE && order > 0 && page_scrub_step(pa)); /* clean and used buddies come together */
	return hpa;
}

/* Take a block of 2^order pages from anywhere above 1 MiB.
 * Returns as page_alloc_zone().  Context: any; takes the lock. */
uint64_t page_alloc(struct page_alloc *pa, unsigned order)
{
	return page_alloc_zone(pa, order, PAGE_ZONE_HIGH);
}

/* Take a block that holds nothing of anybody who had it before.
 * scrub: when there is none, take a used one and zero it here, which takes as long as it takes.
 * Returns as page_alloc(), PAGE_NONE also where only clean and used together would do: ask for less.
 * Context: any; takes the lock, and zeroes without it. */
uint64_t page_alloc_clean(struct page_alloc *pa, unsigned order, bool scrub)
{
	uint64_t hpa = take_from(pa, order, PAGE_ZONE_HIGH, PAGE_CLEAN, PAGE_CLEAN);

	if (hpa != PAGE_NONE || !scrub)
		return hpa;
	hpa = take_from(pa, order, PAGE_ZONE_HIGH, PAGE_DIRTY, PAGE_DIRTY);
	if (hpa != PAGE_NONE)
		memset(page_hva(pa, hpa), 0, PAGE_SIZE << order);
	return hpa;
}

/* A used block of at most PAGE_SCRUB_ORDER, out of the lists; *order becomes its order. The lock is held. */
static uint64_t take_for_scrub(struct page_alloc *pa, unsigned *order)
{
	for (unsigned zone = PAGE_ZONES; zone-- > 0;) {
		for (*order = PAGE_SCRUB_ORDER + 1; (*order)-- > 0;) {
			uint64_t hpa = take_block(pa, (enum page_zone)zone, *order, PAGE_DIRTY);

			if (hpa != PAGE_NONE)
				return hpa;
		}
	}
	return PAGE_NONE;
}

/* Make a piece of used memory clean.
 * Returns whether there was any.  Context: any; takes the lock twice, and zeroes at most 64 KiB without it. */
bool page_scrub_step(struct page_alloc *pa)
{
	unsigned order;
	uint64_t hpa;

	/* An idle CPU asks again and again. */
	if (__atomic_load_n(&pa->free_pages[PAGE_DIRTY], __ATOMIC_RELAXED) == 0)
		return false;
	alloc_lock_acquire(&pa->cfg.lock);
	hpa = take_for_scrub(pa, &order);
	if (hpa != PAGE_NONE)
		pa->scrubbing_pages += 1ull << order;
	alloc_lock_release(&pa->cfg.lock);
	if (hpa == PAGE_NONE)
		return false;
	memset(page_hva(pa, hpa), 0, PAGE_SIZE << order);
	alloc_lock_acquire(&pa->cfg.lock);
	pa->scrubbing_pages -= 1ull << order;
	put_block(pa, hpa >> PAGE_SHIFT, order, PAGE_CLEAN);
	alloc_lock_release(&pa->cfg.lock);
	return true;
}

/* Give a block back, whole and with the order it was taken with; anything else is a bug of the caller, and asserted.
 * Context: any; takes the lock. */
void page_free(struct page_alloc *pa, uint64_t hpa, unsigned order)
{
	uint8_t *state = state_of(pa, hpa >> PAGE_SHIFT);

	assert(IS_ALIGNED(hpa, PAGE_SIZE) && state && order < PAGE_ORDERS);
	alloc_lock_acquire(&pa->cfg.lock);
	assert(*state == (STATE_USED | order)); /* else: freed twice, with another order, or never allocated */
	if (pa->cfg.junk)
		memset(page_hva(pa, hpa), JUNK_FREED, PAGE_SIZE << order);
	put_block(pa, hpa >> PAGE_SHIFT, order, PAGE_DIRTY);
	alloc_lock_release(&pa->cfg.lock);
}

/* Keep the first pages of a block and give back the rest.
 * pages: 1 to the block's own number; kept as one block for each bit of it, the largest first.
 * Context: any; takes the lock. */
void page_trim(struct page_alloc *pa, uint64_t hpa, unsigned order, uint64_t pages)
{
	uint64_t page = hpa >> PAGE_SHIFT;
	uint64_t end = page + (1ull << order);

	assert(order < PAGE_ORDERS && pages > 0 && pages <= 1ull << order);
	alloc_lock_acquire(&pa->cfg.lock);
	assert(*state_of(pa, page) == (STATE_USED | order));
	for (uint64_t left = pages; left > 0; left -= 1ull << order, page += 1ull << order) {
		order = log2_floor(left);
		*state_of(pa, page) = (uint8_t)(STATE_USED | order);
	}
	for (; page < end; page += 1ull << order) {
		order = bits_ffs(page);
		put_block(pa, page, order, PAGE_DIRTY);
	}
	alloc_lock_release(&pa->cfg.lock);
}

/* Used memory that is not in use, in pages; clean adds the clean. Other CPUs move what they scrub from one count to another. */
static uint64_t count_free(const struct page_alloc *pa, bool clean)
{
	uint64_t pages;

	alloc_lock_acquire(&pa->cfg.lock);
	pages = pa->free_pages[PAGE_DIRTY] + pa->scrubbing_pages + (clean ? pa->free_pages[PAGE_CLEAN] : 0);
	alloc_lock_release(&pa->cfg.lock);
	return pages;
}

/* Bytes free now, in all zones.  Context: any; takes the lock. */
uint64_t page_alloc_free_bytes(const struct page_alloc *pa)
{
	return count_free(pa, true) << PAGE_SHIFT;
}

/* Those of them that were used and not yet scrubbed.  Context: any; takes the lock. */
uint64_t page_alloc_dirty_bytes(const struct page_alloc *pa)
{
	return count_free(pa, false) << PAGE_SHIFT;
}

/* Bytes that were ever added.  Context: any. */
uint64_t page_alloc_total_bytes(const struct page_alloc *pa)
{
	return pa->total_pages << PAGE_SHIFT;
}

/* The order of the biggest block that page_alloc() can give.
 * Returns -1 when it can give none.  Context: any. */
int page_alloc_largest_order(const struct page_alloc *pa)
{
	uint32_t orders = 0;

	for (unsigned zone = PAGE_ZONE_DMA32; zone < PAGE_ZONES; zone++)
		orders |= pa->pools[zone][PAGE_CLEAN].orders | pa->pools[zone][PAGE_DIRTY].orders;
	return orders == 0 ? -1 : (int)bits_fls(orders);
}

/* The number of free blocks of an order; walks the lists.  Context: nobody allocates meanwhile. */
size_t page_alloc_count(const struct page_alloc *pa, unsigned order)
{
	size_t count = 0;

	assert(order < PAGE_ORDERS);
	for (unsigned zone = 0; zone < PAGE_ZONES; zone++)
		for (unsigned past = 0; past < PAGE_PASTS; past++)
			LIST_FOR_EACH(link, &pa->pools[zone][past].free[order])
	count++;
	return count;
}

/* The order of the smallest block that holds len bytes.
 * len: 1 to 1 GiB; more gives PAGE_ORDERS, which no allocation accepts (asserted there).  Context: any. */
unsigned page_order_for(uint64_t len)
{
	assert(len > 0);
	if (len > PAGE_SIZE_1G)
		return PAGE_ORDERS;
	return log2_ceil(ALIGN_UP(len, PAGE_SIZE) >> PAGE_SHIFT);
}

static void *source_alloc(void *ctx, unsigned order)
{
	uint64_t hpa = page_alloc(ctx, order);

	return hpa == PAGE_NONE ? NULL : page_hva(ctx, hpa);
}

static void *source_alloc_clean(void *ctx, unsigned order, bool scrub)
{
	uint64_t hpa = page_alloc_clean(ctx, order, scrub);

	return hpa == PAGE_NONE ? NULL : page_hva(ctx, hpa);
}

static void source_free(void *ctx, void *page, unsigned order)
{
	page_free(ctx, page_hpa(ctx, page), order);
}

static void source_trim(void *ctx, void *page, unsigned order, uint64_t pages)
{
	page_trim(ctx, page_hpa(ctx, page), order, pages);
}

static uint64_t source_hpa_of(void *ctx, const void *hva)
{
	return page_hpa(ctx, hva);
}

static void *source_hva_of(void *ctx, uint64_t hpa)
{
	return page_hva(ctx, hpa);
}

/* The allocator as a page source.
 * Returns one that is valid as long as pa.  Context: any. */
struct page_source page_alloc_source(struct page_alloc *pa)
{
	return (struct page_source){
		.alloc = source_alloc,
		.alloc_clean = source_alloc_clean,
		.trim = source_trim,
		.free = source_free,
		.hpa_of = source_hpa_of,
		.hva_of = source_hva_of,
		.ctx = pa,
	};
}
