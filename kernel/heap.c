/* Objects up to 2016 bytes come from slabs, one page each, which hold objects of one size class behind a header; a bitmap
 * says which are in use. Bigger ones are whole pages, and a small record in a list remembers them. So an address that is
 * page aligned is a large block, and any other belongs to the slab whose header stands at the start of its page. A slab
 * that becomes empty goes back at once: when everything is freed, the page source has what it had. Pure. */
#include "kernel/heap.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/bitmap.h"
#include "kernel/lib/string.h"

enum { SLAB_MAGIC = 0x51ab51ab, JUNK_FREED = 0xdb, MIN_OBJECT = 16 };
enum { SLAB_MAX_OBJECTS = 256 };

struct slab {
	struct list link; /* in partial or full */
	struct heap *heap;
	uint32_t magic;
	uint16_t bin;
	uint16_t used;
	uint64_t in_use[BITMAP_WORDS(SLAB_MAX_OBJECTS)];
};
static_assert(sizeof(struct slab) == 64, "the header keeps the objects aligned");

struct large {
	struct list link;
	void *base;
	uint64_t pages;
};

/* Multiples of 16; the big ones divide what the header leaves of a page (4032 bytes) with little rest. */
static const uint16_t class_sizes[HEAP_CLASSES] = {16, 32, 48, 64, 96, 128, 192, 256, 336, 448, 576, 800, 1344, 2016};
static_assert((PAGE_SIZE - sizeof(struct slab)) / MIN_OBJECT <= SLAB_MAX_OBJECTS, "one bit for each object");

static unsigned bin_of(size_t size)
{
	unsigned bin = 0;

	if (size > class_sizes[HEAP_CLASSES - 1])
		return HEAP_CLASSES;
	while (class_sizes[bin] < size)
		bin++;
	return bin;
}

static unsigned slab_capacity(const struct slab *s)
{
	return (unsigned)((PAGE_SIZE - sizeof(*s)) / class_sizes[s->bin]);
}

static uint8_t *slab_object(struct slab *s, size_t index)
{
	return (uint8_t *)(s + 1) + index * class_sizes[s->bin];
}

static void *take_page(struct heap *h)
{
	void *p = h->pages.alloc(h->pages.ctx, 0);

	if (p)
		h->pages_held++;
	return p;
}

static void give_page(struct heap *h, void *p)
{
	h->pages_held--;
	h->pages.free(h->pages.ctx, p, 0);
}

static struct slab *new_slab(struct heap *h, unsigned bin)
{
	struct slab *s = take_page(h);

	if (!s)
		return NULL;
	memset(s, 0, sizeof(*s));
	s->heap = h;
	s->magic = SLAB_MAGIC;
	s->bin = (uint16_t)bin;
	if (h->junk)
		memset(s + 1, JUNK_FREED, PAGE_SIZE - sizeof(*s));
	list_add_front(&h->partial[bin], &s->link);
	return s;
}

static void check_junk(const uint8_t *p, size_t size)
{
	for (size_t i = 0; i < size; i++)
		assert(p[i] == JUNK_FREED); /* else: written to after it was freed */
}

static void *small_alloc(struct heap *h, unsigned bin)
{
	struct list *first = list_first(&h->partial[bin]);
	struct slab *s = first ? container_of(first, struct slab, link) : new_slab(h, bin);
	size_t index;
	uint8_t *p;

	if (!s)
		return NULL;
	index = bitmap_next_clear(s->in_use, slab_capacity(s), 0);
	assert(index != BITMAP_NONE);
	p = slab_object(s, index);
	if (h->junk)
		check_junk(p, class_sizes[bin]);
	bitmap_set(s->in_use, index);
	if (++s->used == slab_capacity(s)) {
		list_remove(&s->link);
		list_add_front(&h->full[bin], &s->link);
	}
	memset(p, 0, class_sizes[bin]);
	h->bytes_used += class_sizes[bin];
	h->objects++;
	return p;
}

static struct slab *slab_of(struct heap *h, const void *p)
{
	struct slab *s = (struct slab *)ALIGN_DOWN((uintptr_t)p, PAGE_SIZE);

	assert(s->magic == SLAB_MAGIC && s->heap == h); /* else: not from this heap */
	return s;
}

static void small_free(struct heap *h, void *p)
{
	struct slab *s = slab_of(h, p);
	size_t size = class_sizes[s->bin];
	size_t offset = (size_t)((uint8_t *)p - slab_object(s, 0));

	assert(offset % size == 0 && offset / size < slab_capacity(s));
	assert(bitmap_test(s->in_use, offset / size)); /* else: freed twice */
	bitmap_clear(s->in_use, offset / size);
	if (h->junk)
		memset(p, JUNK_FREED, size);
	h->bytes_used -= size;
	h->objects--;
	list_remove(&s->link);
	if (--s->used > 0) {
		list_add_front(&h->partial[s->bin], &s->link);
		return;
	}
	s->magic = 0;
	give_page(h, s);
}

/* Take that many pages: the smallest block that holds them, without its end when the source can take that back. */
static void *take_large(struct heap *h, uint64_t *pages)
{
	unsigned order = log2_ceil(*pages);
	void *p = h->pages.alloc(h->pages.ctx, order);

	if (!p)
		return NULL;
	if (h->pages.trim)
		h->pages.trim(h->pages.ctx, p, order, *pages);
	else
		*pages = 1ull << order;
	h->pages_held += *pages;
	return p;
}

/* A trimmed block is as many blocks as its length has bits, the largest first. */
static void give_large(struct heap *h, uint8_t *p, uint64_t pages)
{
	h->pages_held -= pages;
	while (pages > 0) {
		unsigned order = log2_floor(pages);

		h->pages.free(h->pages.ctx, p, order);
		p += PAGE_SIZE << order;
		pages -= 1ull << order;
	}
}

/* The record of a large block comes from the heap too, but is not counted: it is not the caller's. */
static struct large *new_record(struct heap *h)
{
	struct large *l = small_alloc(h, bin_of(sizeof(*l)));

	if (l) {
		h->bytes_used -= class_sizes[bin_of(sizeof(*l))];
		h->objects--;
	}
	return l;
}

static void free_record(struct heap *h, struct large *l)
{
	h->bytes_used += class_sizes[bin_of(sizeof(*l))];
	h->objects++;
	small_free(h, l);
}

static void *large_alloc(struct heap *h, size_t size, bool zero)
{
	struct large *l = new_record(h);

	if (!l)
		return NULL;
	l->pages = (size + PAGE_SIZE - 1) >> PAGE_SHIFT;
	l->base = take_large(h, &l->pages);
	if (!l->base) {
		free_record(h, l);
		return NULL;
	}
	if (zero)
		memset(l->base, 0, l->pages * PAGE_SIZE);
	list_add_front(&h->large, &l->link);
	h->bytes_used += l->pages * PAGE_SIZE;
	h->objects++;
	return l->base;
}

static struct large *large_of(struct heap *h, const void *p)
{
	LIST_FOR_EACH(link, &h->large)
	{
		struct large *l = container_of(link, struct large, link);

		if (l->base == p)
			return l;
	}
	return NULL;
}

static void large_free(struct heap *h, void *p)
{
	struct large *l = large_of(h, p);

	assert(l); /* else: not from this heap, or freed twice */
	list_remove(&l->link);
	h->bytes_used -= l->pages * PAGE_SIZE;
	h->objects--;
	if (h->junk)
		memset(p, JUNK_FREED, l->pages * PAGE_SIZE);
	give_large(h, p, l->pages);
	free_record(h, l);
}

/* Make an empty heap.
 * pages: copied; its largest block limits the largest object.  lock: copied; NULL for none.
 * Context: nobody uses it yet. */
void heap_init(struct heap *h, const struct page_source *pages, const struct alloc_lock *lock, bool junk)
{
	memset(h, 0, sizeof(*h));
	h->pages = *pages;
	if (lock)
		h->lock = *lock;
	h->junk = junk;
	for (unsigned bin = 0; bin < HEAP_CLASSES; bin++) {
		list_init(&h->partial[bin]);
		list_init(&h->full[bin]);
	}
	list_init(&h->large);
}

static void *alloc(struct heap *h, size_t size, bool zero)
{
	unsigned bin = bin_of(size);
	void *p;

	if (size > PAGE_SIZE_1G)
		return NULL;
	alloc_lock_acquire(&h->lock);
	p = bin < HEAP_CLASSES ? small_alloc(h, bin) : large_alloc(h, size, zero);
	alloc_lock_release(&h->lock);
	return p;
}

/* Take zeroed memory.
 * size: bytes; 0 is taken as 1; up to 1 GiB.
 * Returns memory aligned to 16, to a page above 2016 bytes; NULL when there is none.  Context: any; takes the lock. */
void *heap_alloc(struct heap *h, size_t size)
{
	return alloc(h, size, true);
}

/* As heap_alloc(), but what is in the memory is undefined: for large things that nobody reads before he has written. */
void *heap_alloc_raw(struct heap *h, size_t size)
{
	return alloc(h, size, false);
}

/* Take zeroed memory for count things of a size.
 * Returns as heap_alloc(); NULL also when the product overflows.  Context: any; takes the lock. */
void *heap_alloc_array(struct heap *h, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return NULL;
	return heap_alloc(h, bytes);
}

/* Give memory back. Anything that heap_alloc() did not return, or twice, is a bug of the caller, and asserted.
 * p: may be NULL.  Context: any; takes the lock. */
void heap_free(struct heap *h, void *p)
{
	if (!p)
		return;
	alloc_lock_acquire(&h->lock);
	if (IS_ALIGNED((uintptr_t)p, PAGE_SIZE))
		large_free(h, p);
	else
		small_free(h, p);
	alloc_lock_release(&h->lock);
}

/* How much an object has room for.
 * p: from heap_alloc(), not freed.  Context: any; takes the lock. */
size_t heap_size_of(struct heap *h, const void *p)
{
	struct large *l = NULL;
	size_t size;

	alloc_lock_acquire(&h->lock);
	if (IS_ALIGNED((uintptr_t)p, PAGE_SIZE)) {
		l = large_of(h, p);
		assert(l);
		size = l->pages * PAGE_SIZE;
	} else {
		size = class_sizes[slab_of(h, p)->bin];
	}
	alloc_lock_release(&h->lock);
	return size;
}
