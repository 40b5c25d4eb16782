/* Page tables of the host itself: a builder that knows the format of 4-level paging (SDM 3 "4-Level Paging") and nothing
 * else. It runs as well on the host, where the tests are: tables come from a page source, and nothing here touches a control
 * register. Whoever changes a table that is in use invalidates the translations. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/page_source.h"

/* Every page can be read; there are no user pages. */
enum pt_prot { PT_R = 0, PT_W = 1, PT_X = 2 };

/* Entries of the PAT (SDM 3 "Page Attribute Table"): the first four as after reset, the last one as paging_load() sets it. */
enum pt_cache { PT_WB = 0, PT_WT = 1, PT_UC_MINUS = 2, PT_UC = 3, PT_WC = 7 };

struct pagetable {
	const struct page_source *pages;
	uint64_t *root;
	uint64_t root_hpa;
	uint64_t tables; /* pages that the tables take, the root among them */
	bool pages_1g;   /* the processor knows 1 GiB pages */
};

struct pt_leaf {
	uint64_t va;    /* where the page begins */
	uint64_t hpa;   /* what it maps to */
	uint64_t bytes; /* 4 KiB, 2 MiB or 1 GiB; of a hole: up to where something else may begin */
	unsigned prot;  /* set of enum pt_prot */
	enum pt_cache cache;
	uint64_t entry; /* raw */
};

MUST_CHECK int pt_init(struct pagetable *pt, const struct page_source *pages, bool pages_1g);
void pt_destroy(struct pagetable *pt);

MUST_CHECK int pt_map(struct pagetable *pt, uint64_t va, uint64_t hpa, uint64_t len, unsigned prot,
		      enum pt_cache cache);
MUST_CHECK int pt_fill(struct pagetable *pt, uint64_t va, uint64_t hpa, uint64_t len, unsigned prot,
		       enum pt_cache cache);
MUST_CHECK int pt_unmap(struct pagetable *pt, uint64_t va, uint64_t len);
MUST_CHECK int pt_protect(struct pagetable *pt, uint64_t va, uint64_t len, unsigned prot);

MUST_CHECK int pt_lookup(const struct pagetable *pt, uint64_t va, struct pt_leaf *out);

/* Called for each page in ascending order; a result other than 0 ends the walk and is returned. */
typedef int pt_visit_fn(void *ctx, const struct pt_leaf *leaf);
int pt_for_each(const struct pagetable *pt, pt_visit_fn *visit, void *ctx);

/* The code: what alone may be executed. */
struct pt_text {
	uint64_t va;
	uint64_t hpa;
	uint64_t bytes;
};

/* The proof of W^X: nothing is executable but the text, and the text cannot be written, neither where it is executed nor
 * through another address; no page is for user mode. Returns 0, or ERR_FAULT and the first offender. */
MUST_CHECK int pt_check_wx(const struct pagetable *pt, const struct pt_text *text, struct pt_leaf *offender);
