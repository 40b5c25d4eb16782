/* The arena behind struct fake_pages: first fit over a map of pages. The memory is reserved without being touched, so that
 * a test may have gigabytes of guest RAM on a small machine as long as it writes little of it. */
#include "tests/fake/fake_pages.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define INSIDE 0xff

static void fail(const char *what)
{
	fprintf(stderr, "fake_pages: %s\n", what);
	abort();
}

static bool is_free(const struct fake_pages *f, size_t first, size_t count)
{
	for (size_t i = first; i < first + count; i++)
		if (f->used[i])
			return false;
	return true;
}

static void *fake_alloc(void *ctx, unsigned order)
{
	struct fake_pages *f = ctx;
	size_t count = (size_t)1 << order;

	if (order > f->max_order || f->fail_after == 0)
		return NULL;
	for (size_t first = 0; first + count <= f->page_count; first += count) {
		if (!is_free(f, first, count))
			continue;
		memset(&f->used[first], INSIDE, count);
		f->used[first] = (uint8_t)(order + 1);
		f->pages_out += count;
		f->allocs++;
		if (f->fail_after != FAKE_PAGES_NEVER)
			f->fail_after--;
		if (order <= 4)
			memset(f->memory + first * PAGE_SIZE, 0xa5, count * PAGE_SIZE);
		return f->memory + first * PAGE_SIZE;
	}
	return NULL;
}

static void *fake_alloc_clean(void *ctx, unsigned order, bool scrub)
{
	struct fake_pages *f = ctx;
	bool clean = order <= f->max_clean_order && f->clean_left > 0;
	void *p = clean || scrub ? fake_alloc(ctx, order) : NULL;

	if (!p)
		return NULL;
	if (order <= 4)
		memset(p, 0, PAGE_SIZE << order);
	if (clean)
		f->clean_left--;
	else
		f->scrubbed += (size_t)1 << order;
	return p;
}

static void fake_free(void *ctx, void *page, unsigned order)
{
	struct fake_pages *f = ctx;
	size_t offset = (size_t)((uint8_t *)page - f->memory);
	size_t first = offset / PAGE_SIZE;
	size_t count = (size_t)1 << order;

	if (offset % PAGE_SIZE || first + count > f->page_count || f->used[first] != order + 1)
		fail("freed what was not handed out");
	memset(&f->used[first], 0, count);
	f->pages_out -= count;
	if (order <= 4)
		memset(page, 0x5a, count * PAGE_SIZE);
}

static void fake_trim(void *ctx, void *page, unsigned order, uint64_t pages)
{
	struct fake_pages *f = ctx;
	size_t first = (size_t)((uint8_t *)page - f->memory) / PAGE_SIZE;
	size_t end = first + ((size_t)1 << order);

	if (f->used[first] != order + 1 || pages == 0 || pages > 1ull << order)
		fail("trimmed what was not handed out");
	f->pages_out -= (1ull << order) - pages;
	for (unsigned bit = order + 1; bit-- > 0;) {
		if (pages >> bit & 1) {
			f->used[first] = (uint8_t)(bit + 1);
			first += (size_t)1 << bit;
		}
	}
	memset(&f->used[first], 0, end - first);
}

static uint64_t fake_hpa_of(void *ctx, const void *hva)
{
	struct fake_pages *f = ctx;

	return f->hpa_base + (uint64_t)((const uint8_t *)hva - f->memory);
}

static void *fake_hva_of(void *ctx, uint64_t hpa)
{
	struct fake_pages *f = ctx;

	if (hpa < f->hpa_base || hpa - f->hpa_base >= f->page_count * PAGE_SIZE)
		fail("address outside the arena");
	return f->memory + (hpa - f->hpa_base);
}

void fake_pages_init(struct fake_pages *f, size_t page_count, uint64_t hpa_base)
{
	size_t bytes = page_count * PAGE_SIZE;
	uintptr_t align = bytes >= PAGE_SIZE_1G ? PAGE_SIZE_1G : PAGE_SIZE_2M;
	void *map =
		mmap(NULL, bytes + align, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (map == MAP_FAILED)
		fail("no arena");
	memset(f, 0, sizeof(*f));
	f->source =
		(struct page_source){fake_alloc, fake_free, fake_hpa_of, fake_hva_of, f, fake_alloc_clean, fake_trim};
	f->memory = (uint8_t *)(((uintptr_t)map + align - 1) & ~(align - 1));
	f->map = map;
	f->map_bytes = bytes + align;
	f->used = calloc(page_count, 1);
	f->page_count = page_count;
	f->hpa_base = hpa_base;
	f->fail_after = FAKE_PAGES_NEVER;
	f->max_order = 18;
	f->max_clean_order = 18;
	f->clean_left = SIZE_MAX;
}

void fake_pages_destroy(struct fake_pages *f)
{
	free(f->used);
	munmap(f->map, f->map_bytes);
}
