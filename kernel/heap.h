/* Small objects out of whole pages: where structs live. */
#pragma once

#include "kernel/alloc_lock.h"
#include "kernel/lib/list.h"
#include "kernel/lib/page_source.h"

enum { HEAP_CLASSES = 14 };

struct heap {
	struct page_source pages;
	struct alloc_lock lock; /* taken around each operation; outside the page source's own */
	bool junk;              /* fill what is freed with 0xdb, and look on the next use that nobody wrote to it */
	struct list partial[HEAP_CLASSES]; /* slabs with room */
	struct list full[HEAP_CLASSES];
	struct list large;   /* blocks of whole pages */
	uint64_t bytes_used; /* handed out, rounded up to the class or the pages */
	uint64_t objects;    /* handed out */
	uint64_t pages_held; /* taken from the page source and not given back */
};

void heap_init(struct heap *h, const struct page_source *pages, const struct alloc_lock *lock, bool junk);

/* Zeroed memory; 16-byte aligned, from 2 KiB on page aligned. NULL when there is none. size 0 gives the smallest object. */
void *heap_alloc(struct heap *h, size_t size);
/* count * size, NULL also when that overflows. */
void *heap_alloc_raw(struct heap *h, size_t size);
void *heap_alloc_array(struct heap *h, size_t count, size_t size);
/* p: from heap_alloc(), or NULL, which does nothing. */
void heap_free(struct heap *h, void *p);
/* The bytes that an object has room for: at least what was asked. */
size_t heap_size_of(struct heap *h, const void *p);
