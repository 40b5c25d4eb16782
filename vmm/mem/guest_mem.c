/* A guest's RAM: taken in the largest blocks there are, found by binary search, copied across block borders. Nothing here
 * follows a manual. Addresses and lengths may come from the guest: what is not RAM is an error, never an assert. */
#include "vmm/mem/guest_mem.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

#define BLOCK_ORDER_MAX 18u /* 1 GiB: no leaf is larger */

static uint64_t order_bytes(unsigned order)
{
	return PAGE_SIZE << order;
}

static size_t table_capacity(const struct guest_mem *m)
{
	return m->blocks == m->few ? GUEST_MEM_FEW : (size_t)(order_bytes(m->table_order) / sizeof(struct guest_block));
}

static void table_free(struct guest_mem *m)
{
	if (m->blocks && m->blocks != m->few)
		m->pages->free(m->pages->ctx, m->blocks, m->table_order);
}

/* The largest naturally aligned block that may stand at gpa and is not longer than len. */
static unsigned order_at(uint64_t gpa, uint64_t len)
{
	unsigned order = log2_floor(len) - PAGE_SHIFT;

	if (gpa != 0 && bits_ffs(gpa) - PAGE_SHIFT < order)
		order = bits_ffs(gpa) - PAGE_SHIFT;
	return order < BLOCK_ORDER_MAX ? order : BLOCK_ORDER_MAX;
}

static int check_ranges(const struct guest_range *ranges, size_t count)
{
	uint64_t end = 0;

	if (count == 0)
		return ERR_INVAL;
	for (size_t i = 0; i < count; i++) {
		if (!IS_ALIGNED(ranges[i].gpa | ranges[i].len, PAGE_SIZE))
			return ERR_ALIGN;
		if (ranges[i].len == 0)
			return ERR_INVAL;
		if (ranges[i].gpa + ranges[i].len < ranges[i].gpa)
			return ERR_RANGE;
		if (ranges[i].gpa < end)
			return ERR_OVERLAP;
		end = ranges[i].gpa + ranges[i].len;
	}
	return 0;
}

static int table_grow(struct guest_mem *m)
{
	unsigned order = m->blocks == m->few ? 0 : m->table_order + 1;
	struct guest_block *larger = m->pages->alloc(m->pages->ctx, order);

	if (!larger)
		return ERR_NOMEM;
	memcpy(larger, m->blocks, m->block_count * sizeof(*larger));
	table_free(m);
	m->blocks = larger;
	m->table_order = order;
	return 0;
}

/* What a create knows beside the memory itself. */
struct taking {
	enum guest_mem_init init;
	bool scrub;     /* no clean block is left, not even a small one */
	unsigned limit; /* the largest order worth asking for; falls when the source has run out of larger ones */
};

/* One block of at most *order; *order becomes what the source had. */
static uint8_t *take_block(const struct page_source *pages, unsigned *order, const struct taking *t)
{
	for (;;) {
		uint8_t *hva = t->init == GUEST_MEM_CLEAN ? pages->alloc_clean(pages->ctx, *order, t->scrub)
							  : pages->alloc(pages->ctx, *order);

		if (hva || *order == 0)
			return hva;
		(*order)--;
	}
}

/* Adds one block at gpa, at most of *order; *order becomes what the source had. */
static int add_block(struct guest_mem *m, uint64_t gpa, unsigned *order, struct taking *t)
{
	unsigned want = *order;
	uint8_t *hva;

	if (m->block_count == table_capacity(m)) {
		int err = table_grow(m);
		if (err)
			return err;
	}
	hva = take_block(m->pages, order, t);
	if (!hva && t->init == GUEST_MEM_CLEAN && !t->scrub) {
		t->scrub = true;
		t->limit = BLOCK_ORDER_MAX;
		*order = want;
		hva = take_block(m->pages, order, t);
	}
	if (!hva)
		return ERR_NOMEM;
	m->blocks[m->block_count++] = (struct guest_block){.gpa = gpa, .len = order_bytes(*order), .hva = hva};
	m->total_bytes += order_bytes(*order);
	return 0;
}

static int add_range(struct guest_mem *m, const struct guest_range *range, struct taking *t)
{
	uint64_t gpa = range->gpa;
	uint64_t len = range->len;

	while (len > 0) {
		unsigned want = order_at(gpa, len);
		unsigned order = want < t->limit ? want : t->limit;
		unsigned asked = order;
		int err = add_block(m, gpa, &order, t);

		if (err)
			return err;
		if (order < asked)
			t->limit = order;
		gpa += order_bytes(order);
		len -= order_bytes(order);
	}
	return 0;
}

/* Takes RAM for a guest.
 * pages: must outlive m.  ranges: ascending, 4 KiB aligned, not empty, not overlapping; at least one.
 * init: what the pages may hold that the source gives.
 * Returns 0; ERR_ALIGN, ERR_INVAL, ERR_RANGE, ERR_OVERLAP (the ranges); ERR_NOMEM: everything is given back. */
COLD int guest_mem_create(struct guest_mem *m, const struct page_source *pages, const struct guest_range *ranges,
			  size_t range_count, enum guest_mem_init init)
{
	struct taking t = {.init = init, .limit = BLOCK_ORDER_MAX};
	int err = check_ranges(ranges, range_count);

	*m = (struct guest_mem){.pages = pages};
	if (err)
		return err;
	m->blocks = m->few;
	for (size_t i = 0; i < range_count && !err; i++)
		err = add_range(m, &ranges[i], &t);
	if (err) {
		guest_mem_destroy(m);
		return err;
	}
	for (size_t i = 0; i < m->block_count && init == GUEST_MEM_ZERO; i++)
		memset(m->blocks[i].hva, 0, m->blocks[i].len);
	return 0;
}

/* Gives everything back. Harmless on memory whose create failed, and twice.
 * Context: no second-level table that maps the memory is in use any more. */
COLD void guest_mem_destroy(struct guest_mem *m)
{
	for (size_t i = 0; i < m->block_count; i++)
		m->pages->free(m->pages->ctx, m->blocks[i].hva, log2_floor(m->blocks[i].len) - PAGE_SHIFT);
	table_free(m);
	*m = (struct guest_mem){.pages = m->pages};
}

/* The stretch of the host's memory whose type was looked up last: many blocks lie in one. */
struct typed {
	const struct mtrr_state *mtrr; /* NULL: all is write-back */
	uint64_t hpa, len;
	enum memtype type;
};

/* The type at hpa, and how many bytes of at most *len have it. Looks ahead to the end of the GiB, which no block crosses. */
static enum memtype type_at(struct typed *t, uint64_t hpa, uint64_t *len)
{
	if (!t->mtrr)
		return MEMTYPE_WB;
	if (hpa - t->hpa >= t->len) {
		t->hpa = hpa;
		t->type = mtrr_uniform_block(t->mtrr, hpa, PAGE_SIZE_1G - hpa % PAGE_SIZE_1G, &t->len);
	}
	if (*len > t->hpa + t->len - hpa)
		*len = t->hpa + t->len - hpa;
	return t->type;
}

/* Maps one block with the type each part of it has in the host; *done counts the bytes mapped. */
static int map_block(const struct guest_block *b, struct slpt *s, uint64_t hpa, struct typed *t, uint64_t *done)
{
	*done = 0;
	while (*done < b->len) {
		uint64_t len = b->len - *done;
		enum memtype type = type_at(t, hpa + *done, &len);
		int err = slpt_map_range(s, b->gpa + *done, hpa + *done, len, SLPT_RWX, type);

		if (err)
			return err;
		*done += len;
	}
	return 0;
}

/* Whole leaves that were just made: taking them away again splits nothing and so cannot fail. */
static void unmap_made(struct slpt *s, uint64_t gpa, uint64_t len)
{
	int err = len ? slpt_unmap_range(s, gpa, len) : 0;

	assert(err == 0);
}

/* Maps all of the RAM, with every right.
 * mtrr: the host's, for the memory type; NULL: write-back.
 * Returns 0, or what slpt_map_range returned: then none of it is mapped. */
COLD int guest_mem_map_into(const struct guest_mem *m, struct slpt *s, const struct mtrr_state *mtrr)
{
	struct typed t = {.mtrr = mtrr};

	for (size_t i = 0; i < m->block_count; i++) {
		const struct guest_block *b = &m->blocks[i];
		uint64_t done;
		int err = map_block(b, s, m->pages->hpa_of(m->pages->ctx, b->hva), &t, &done);

		if (!err)
			continue;
		unmap_made(s, b->gpa, done);
		while (i-- > 0)
			unmap_made(s, m->blocks[i].gpa, m->blocks[i].len);
		return err;
	}
	return 0;
}

/* The block that holds gpa, or NULL. */
static const struct guest_block *find_block(const struct guest_mem *m, uint64_t gpa)
{
	size_t low = 0;
	size_t high = m->block_count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		const struct guest_block *b = &m->blocks[mid];

		if (gpa < b->gpa)
			high = mid;
		else if (gpa - b->gpa >= b->len)
			low = mid + 1;
		else
			return b;
	}
	return NULL;
}

/* The block that holds gpa when RAM goes on from there for len bytes, or NULL. len is not 0. */
static const struct guest_block *find_span(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	const struct guest_block *first = find_block(m, gpa);
	const struct guest_block *b = first;

	if (!first || range_wraps(gpa, len))
		return NULL;
	while (len > b->len - (gpa - b->gpa)) {
		uint64_t here = b->len - (gpa - b->gpa);

		gpa += here;
		len -= here;
		if (++b == m->blocks + m->block_count || b->gpa != gpa)
			return NULL;
	}
	return first;
}

/* Is every byte of the range RAM? An empty range is. */
COLD bool guest_mem_covers(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	return len == 0 || find_span(m, gpa, len) != NULL;
}

/* The direct address of guest memory when one block holds all of it, NULL otherwise (also for len 0). */
void *guest_mem_ptr(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	const struct guest_block *b = find_block(m, gpa);

	if (!b || len == 0 || len > b->len - (gpa - b->gpa))
		return NULL;
	return b->hva + (gpa - b->gpa);
}

/* How much of a copy from gpa on lies in this block. */
static uint64_t piece_len(const struct guest_block *b, uint64_t gpa, uint64_t len)
{
	uint64_t here = b->len - (gpa - b->gpa);

	return here < len ? here : len;
}

/* Copies out of guest memory. Returns 0 (also for len 0); ERR_RANGE when any byte is not RAM: nothing copied. */
int guest_mem_read(const struct guest_mem *m, uint64_t gpa, void *buf, uint64_t len)
{
	const struct guest_block *b = len ? find_span(m, gpa, len) : NULL;
	uint8_t *to = buf;

	if (len && !b)
		return ERR_RANGE;
	for (uint64_t n; len > 0; gpa += n, to += n, len -= n, b++) {
		n = piece_len(b, gpa, len);
		memcpy(to, b->hva + (gpa - b->gpa), n);
	}
	return 0;
}

/* Copies into guest memory. Returns 0 (also for len 0); ERR_RANGE when any byte is not RAM: nothing written. */
int guest_mem_write(const struct guest_mem *m, uint64_t gpa, const void *buf, uint64_t len)
{
	const struct guest_block *b = len ? find_span(m, gpa, len) : NULL;
	const uint8_t *from = buf;

	if (len && !b)
		return ERR_RANGE;
	for (uint64_t n; len > 0; gpa += n, from += n, len -= n, b++) {
		n = piece_len(b, gpa, len);
		memcpy(b->hva + (gpa - b->gpa), from, n);
	}
	return 0;
}

/* Sets guest memory to one byte. Returns 0 (also for len 0); ERR_RANGE when any byte is not RAM: nothing written. */
int guest_mem_fill(const struct guest_mem *m, uint64_t gpa, uint8_t byte, uint64_t len)
{
	const struct guest_block *b = len ? find_span(m, gpa, len) : NULL;

	if (len && !b)
		return ERR_RANGE;
	for (uint64_t n; len > 0; gpa += n, len -= n, b++) {
		n = piece_len(b, gpa, len);
		memset(b->hva + (gpa - b->gpa), byte, n);
	}
	return 0;
}
