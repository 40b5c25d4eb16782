/* A ring of bytes over the caller's storage, a power of two long. One producer and one consumer may use it at the same
 * time without a lock, on different CPUs or one of them in an interrupt: each side writes its own counter only. The
 * overwriting form moves both counters, so it needs the ring to itself. */
#pragma once

#include "kernel/lib/compiler.h"

struct ring {
	uint8_t *data;
	size_t size; /* bytes, a power of two */
	size_t head; /* bytes ever put in; written by the producer */
	size_t tail; /* bytes ever taken out, or overwritten; written by the consumer */
};

/* size: a power of two. */
void ring_init(struct ring *r, void *storage, size_t size);

/* Producer. Blocks go in as far as there is room: the number taken is returned. */
size_t ring_write(struct ring *r, const void *src, size_t len);

/* Consumer. */
bool ring_pop(struct ring *r, uint8_t *out);
size_t ring_read(struct ring *r, void *dst, size_t len);
/* The byte at offset (0 = oldest) without taking it; false behind the newest. */
bool ring_peek(const struct ring *r, size_t offset, uint8_t *out);
/* Up to len bytes from offset on without taking them; the number copied is returned. */
size_t ring_peek_block(const struct ring *r, size_t offset, void *dst, size_t len);
/* Drop up to len of the oldest bytes; the number dropped is returned. */
size_t ring_drop(struct ring *r, size_t len);

/* With the ring to itself: everything goes in, the oldest bytes make room. Returns the number of bytes lost. */
size_t ring_overwrite(struct ring *r, const void *src, size_t len);
void ring_clear(struct ring *r);

static inline size_t ring_used(const struct ring *r)
{
	/* tail first: taken the other way round, a consumer in between could make the difference negative. */
	size_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE);

	return __atomic_load_n(&r->head, __ATOMIC_ACQUIRE) - tail;
}

static inline size_t ring_room(const struct ring *r)
{
	size_t used = ring_used(r);

	/* A third party may see a producer and a consumer pass between the two loads. */
	return used < r->size ? r->size - used : 0;
}

static inline bool ring_empty(const struct ring *r)
{
	return ring_used(r) == 0;
}

/* Producer: one byte, without the calls that a block takes. Returns false when there is no room. */
static inline bool ring_push(struct ring *r, uint8_t byte)
{
	size_t head = r->head;

	if (head - __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE) >= r->size)
		return false;
	r->data[head & (r->size - 1)] = byte;
	__atomic_store_n(&r->head, head + 1, __ATOMIC_RELEASE);
	return true;
}
