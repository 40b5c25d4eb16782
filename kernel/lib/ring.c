/* The byte ring. head and tail count on for ever and are masked when used, so full and empty differ and no slot is wasted.
 * The producer publishes bytes by a release store to head, the consumer gives room back by one to tail. */
#include "kernel/lib/ring.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

static size_t min_size(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Copy in at counter position pos; the caller knows there is room. */
static void copy_in(struct ring *r, size_t pos, const uint8_t *src, size_t len)
{
	size_t at = pos & (r->size - 1);
	size_t first = min_size(len, r->size - at);

	memcpy(r->data + at, src, first);
	memcpy(r->data, src + first, len - first);
}

static void copy_out(const struct ring *r, size_t pos, uint8_t *dst, size_t len)
{
	size_t at = pos & (r->size - 1);
	size_t first = min_size(len, r->size - at);

	memcpy(dst, r->data + at, first);
	memcpy(dst + first, r->data, len - first);
}

/* Make an empty ring over storage.
 * size: bytes, a power of two (asserted).  Context: nobody uses it yet. */
COLD void ring_init(struct ring *r, void *storage, size_t size)
{
	assert(size != 0 && (size & (size - 1)) == 0);
	*r = (struct ring){.data = storage, .size = size};
}

/* Put up to len bytes in, the first ones when not all have room.
 * Returns the number put in.  Context: the producer. */
size_t ring_write(struct ring *r, const void *src, size_t len)
{
	size_t head = r->head;
	size_t used = head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

	len = min_size(len, r->size - used);
	if (len == 0)
		return 0;
	copy_in(r, head, src, len);
	__atomic_store_n(&r->head, head + len, __ATOMIC_RELEASE);
	return len;
}

/* Copy up to len bytes, beginning offset bytes behind the oldest, and leave them in.
 * Returns the number copied.  Context: the consumer. */
size_t ring_peek_block(const struct ring *r, size_t offset, void *dst, size_t len)
{
	size_t used = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) - r->tail;

	if (offset >= used || len == 0)
		return 0;
	len = min_size(len, used - offset);
	copy_out(r, r->tail + offset, dst, len);
	return len;
}

/* One byte, offset bytes behind the oldest.
 * Returns false when there is none.  Context: the consumer. */
bool ring_peek(const struct ring *r, size_t offset, uint8_t *out)
{
	return ring_peek_block(r, offset, out, 1) == 1;
}

/* Drop up to len of the oldest bytes.
 * Returns the number dropped.  Context: the consumer. */
size_t ring_drop(struct ring *r, size_t len)
{
	size_t used = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) - r->tail;

	len = min_size(len, used);
	__atomic_store_n(&r->tail, r->tail + len, __ATOMIC_RELEASE);
	return len;
}

/* Take up to len of the oldest bytes out.
 * Returns the number taken.  Context: the consumer. */
size_t ring_read(struct ring *r, void *dst, size_t len)
{
	return ring_drop(r, ring_peek_block(r, 0, dst, len));
}

/* Take the oldest byte out.
 * Returns false when the ring is empty.  Context: the consumer. */
bool ring_pop(struct ring *r, uint8_t *out)
{
	return ring_read(r, out, 1) == 1;
}

/* Put all of src in, at the expense of the oldest bytes, and of src's own beginning when it is longer than the ring.
 * Returns the number of bytes lost.  Context: nobody else uses the ring (a log holds its lock). */
size_t ring_overwrite(struct ring *r, const void *src, size_t len)
{
	const uint8_t *bytes = src;
	size_t lost = 0;
	size_t room;

	if (len > r->size) {
		lost = len - r->size;
		bytes += lost;
		len = r->size;
	}
	room = r->size - (r->head - r->tail);
	if (len > room)
		lost += ring_drop(r, len - room);
	ring_write(r, bytes, len);
	return lost;
}

/* Make it empty.  Context: nobody else uses the ring. */
COLD void ring_clear(struct ring *r)
{
	r->tail = r->head;
}
