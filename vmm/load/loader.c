/* Where the pieces of a guest go: RAM by the map that the guest is told, minus what has been given away already. */
#include "vmm/load/loader.h"

#include "kernel/lib/format.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

int loader_fail(struct loader *l, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(l->why, l->why_size, fmt, args);
	va_end(args);
	return err;
}

/* By the map that the guest is told. */
static bool in_ram(const struct loader *l, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < l->req->map_count; i++) {
		const struct guest_map_entry *e = &l->req->map[i];

		if (e->type == GUEST_MAP_RAM && range_contains(e->base, e->len, gpa, len))
			return true;
	}
	return false;
}

static const struct loader_piece *piece_in(const struct loader *l, uint64_t gpa, uint64_t len)
{
	for (unsigned i = 0; i < l->piece_count; i++)
		if (range_overlaps(l->pieces[i].gpa, l->pieces[i].len, gpa, len))
			return &l->pieces[i];
	return NULL;
}

static bool is_ram(const struct loader *l, uint64_t gpa, uint64_t len)
{
	return in_ram(l, gpa, len) && guest_mem_covers(l->mem, gpa, len);
}

bool loader_is_free(const struct loader *l, uint64_t gpa, uint64_t len)
{
	return is_ram(l, gpa, len) && !piece_in(l, gpa, len);
}

bool loader_is_claimed(const struct loader *l, uint64_t gpa)
{
	return piece_in(l, gpa, 1) != NULL;
}

/* What stands there is the caller's to know. */
static int add_piece(struct loader *l, const char *what, uint64_t gpa, uint64_t len)
{
	if (len == 0)
		return 0;
	if (l->piece_count == LOADER_MAX_PIECES)
		return loader_fail(l, ERR_FULL, "%s: the image has more than %u pieces", what, LOADER_MAX_PIECES);
	l->pieces[l->piece_count++] = (struct loader_piece){gpa, len, what};
	return 0;
}

int loader_claim(struct loader *l, const char *what, uint64_t gpa, uint64_t len)
{
	const struct loader_piece *other = piece_in(l, gpa, len);
	char size[FMT_QUANTITY_BYTES];

	if (len == 0)
		return 0;
	if (!is_ram(l, gpa, len))
		return loader_fail(l, ERR_RANGE, "%s: %s at 0x%llx is not all inside the guest's memory", what,
				   fmt_size(size, len), (unsigned long long)gpa);
	if (other)
		return loader_fail(l, ERR_OVERLAP, "%s: %s at 0x%llx overlaps %s at 0x%llx", what, fmt_size(size, len),
				   (unsigned long long)gpa, other->what, (unsigned long long)other->gpa);
	return add_piece(l, what, gpa, len);
}

static int no_room(struct loader *l, const char *what, uint64_t len, uint64_t from, uint64_t to)
{
	char size[FMT_QUANTITY_BYTES];

	return loader_fail(l, ERR_NOMEM,
			   "%s: no %s of free guest memory between 0x%llx and 0x%llx; has the guest too little memory?",
			   what, fmt_size(size, len), (unsigned long long)from, (unsigned long long)to);
}

/* The nearest place above gpa where an entry of the map begins that is RAM; UINT64_MAX: none. */
static uint64_t next_ram_base(const struct loader *l, uint64_t gpa)
{
	uint64_t best = UINT64_MAX;

	for (unsigned i = 0; i < l->req->map_count; i++) {
		const struct guest_map_entry *e = &l->req->map[i];

		if (e->type == GUEST_MAP_RAM && e->base > gpa && e->base < best)
			best = e->base;
	}
	return best;
}

/* Up from `from`, past each piece that is in the way, and where RAM ends to where it begins anew. */
int loader_claim_lowest(struct loader *l, const char *what, uint64_t len, uint64_t align, uint64_t from, uint64_t to,
			uint64_t *gpa)
{
	const struct loader_piece *p;
	uint64_t at = from, next;

	for (;;) {
		uint64_t place = ALIGN_UP(at, align);

		if (place < at || !range_below(place, len, to))
			return no_room(l, what, len, from, to);
		p = piece_in(l, place, len);
		if (!p && is_ram(l, place, len)) {
			*gpa = place;
			return add_piece(l, what, place, len);
		}
		next = p ? p->gpa + p->len : next_ram_base(l, place);
		if (next <= at)
			return no_room(l, what, len, from, to);
		at = next;
	}
}

/* The nearest place below gpa where an entry of the map ends that is RAM; 0: none. */
static uint64_t next_ram_end(const struct loader *l, uint64_t gpa)
{
	uint64_t best = 0;

	for (unsigned i = 0; i < l->req->map_count; i++) {
		const struct guest_map_entry *e = &l->req->map[i];
		uint64_t end = e->base + e->len;

		if (e->type == GUEST_MAP_RAM && end < gpa && end > best)
			best = end;
	}
	return best;
}

/* Down from `to`, below each piece that is in the way, and where RAM begins to the end of what lies below. */
int loader_claim_highest(struct loader *l, const char *what, uint64_t len, uint64_t align, uint64_t from, uint64_t to,
			 uint64_t *gpa)
{
	const struct loader_piece *p;
	uint64_t end = to, next;

	while (end >= from && end - from >= len) {
		uint64_t place = ALIGN_DOWN(end - len, align);

		if (place < from)
			break;
		p = piece_in(l, place, len);
		if (!p && is_ram(l, place, len)) {
			*gpa = place;
			return add_piece(l, what, place, len);
		}
		next = p ? p->gpa : next_ram_end(l, end);
		if (next >= end)
			break;
		end = next;
	}
	return no_room(l, what, len, from, to);
}

/* The map says RAM and the memory object has none there: the caller's tables contradict each other. */
static int not_backed(struct loader *l, int err, const char *what, uint64_t gpa)
{
	return loader_fail(l, err, "%s: guest memory at 0x%llx cannot be written", what, (unsigned long long)gpa);
}

int loader_put(struct loader *l, const char *what, uint64_t gpa, const void *data, uint64_t len)
{
	int err = guest_mem_write(l->mem, gpa, data, len);

	return err ? not_backed(l, err, what, gpa) : 0;
}

int loader_clear(struct loader *l, const char *what, uint64_t gpa, uint64_t len)
{
	int err = guest_mem_fill(l->mem, gpa, 0, len);

	return err ? not_backed(l, err, what, gpa) : 0;
}

int loader_put_low_string(struct loader *l, const char *what, const char *s, uint64_t *gpa)
{
	uint64_t len = s ? strlen(s) + 1 : 1;
	int err = loader_claim_highest(l, what, len, 16, LOADER_LOW_BASE, LOADER_LOW_END, gpa);

	return err ? err : loader_put(l, what, *gpa, s ? s : "", len);
}
