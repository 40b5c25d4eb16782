/* A guest's RAM: parts of the guest-physical space, each backed by blocks of pages from a page_source. A block is as large
 * as the source and the alignment of its guest-physical address allow, so that it can be mapped by large leaves.
 * What is not RAM (devices, holes, ROM) is not known here. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/page_source.h"
#include "vmm/mem/memtype.h"
#include "vmm/mem/slpt.h"

struct guest_range {
	uint64_t gpa;
	uint64_t len;
};

/* Pages contiguous in the guest and in the host. */
struct guest_block {
	uint64_t gpa;
	uint64_t len;
	uint8_t *hva;
};

#define GUEST_MEM_FEW 8u

/* All fields are set by guest_mem_create() and then only read: any number of CPUs may use it without a lock. It must not be
 * moved. */
struct guest_mem {
	const struct page_source *pages;
	struct guest_block *blocks; /* ascending by gpa; few[], or pages from the source */
	size_t block_count;
	unsigned table_order; /* of the pages that hold blocks[] */
	uint64_t total_bytes; /* RAM the guest has */
	struct guest_block few[GUEST_MEM_FEW];
};

enum guest_mem_init {
	GUEST_MEM_ZERO,         /* pages from the source hold anything: zero them */
	GUEST_MEM_ALREADY_ZERO, /* the source hands out zeroed pages */
	GUEST_MEM_CLEAN,        /* by alloc_clean: nothing of another guest's; clean blocks first, however small */
};

MUST_CHECK int guest_mem_create(struct guest_mem *m, const struct page_source *pages, const struct guest_range *ranges,
				size_t range_count, enum guest_mem_init init);
void guest_mem_destroy(struct guest_mem *m);

MUST_CHECK int guest_mem_map_into(const struct guest_mem *m, struct slpt *s, const struct mtrr_state *mtrr);

bool guest_mem_covers(const struct guest_mem *m, uint64_t gpa, uint64_t len);
MUST_CHECK int guest_mem_read(const struct guest_mem *m, uint64_t gpa, void *buf, uint64_t len);
MUST_CHECK int guest_mem_write(const struct guest_mem *m, uint64_t gpa, const void *buf, uint64_t len);
MUST_CHECK int guest_mem_fill(const struct guest_mem *m, uint64_t gpa, uint8_t byte, uint64_t len);
void *guest_mem_ptr(const struct guest_mem *m, uint64_t gpa, uint64_t len);
