/* Second-level page tables: guest-physical to host-physical. The geometry and the encoding of entries come in a
 * struct slpt_format, so that the same builder makes Intel's EPT and AMD's nested tables; it knows neither.
 * Tables are taken from, and given back to, a page_source. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/page_source.h"
#include "vmm/mem/memtype.h"

/* Access rights of a page, as a set. */
enum slpt_prot {
	SLPT_NONE = 0,
	SLPT_R = 1,
	SLPT_W = 2,
	SLPT_X = 4,
	SLPT_RW = SLPT_R | SLPT_W,
	SLPT_RX = SLPT_R | SLPT_X,
	SLPT_RWX = SLPT_R | SLPT_W | SLPT_X,
	SLPT_PROT_COUNT = 8
};

/* Levels count from the leaves: 0 maps 4 KiB, 1 maps 2 MiB, 2 maps 1 GiB, 3 maps 512 GiB. */
#define SLPT_MAX_LEVELS 5u
#define SLPT_ENTRIES 512u

/* In the tables of struct slpt_format: this combination cannot be expressed. */
#define SLPT_UNENCODABLE (~0ull)

struct slpt_format {
	unsigned levels;       /* 4 or 5 */
	unsigned gpa_bits;     /* guest-physical addresses have this many bits */
	unsigned hpa_bits;     /* the processor's physical-address width */
	unsigned leaf_levels;  /* bit n: a leaf may stand at level n; 1, 3 or 7, as splitting goes by one level */
	uint64_t addr_mask;    /* address field of an entry */
	uint64_t present_mask; /* an entry is present when any of these bits is set */
	uint64_t table_bits;   /* an entry that points to a table */
	uint64_t leaf_bit;     /* set in a leaf at level 1 and above */
	uint64_t prot_mask;    /* the bits prot_bits[] chooses from */
	uint64_t prot_bits[SLPT_PROT_COUNT];  /* by enum slpt_prot */
	uint64_t memtype_mask;                /* the bits memtype_bits[] chooses from */
	uint64_t memtype_bits[MEMTYPE_COUNT]; /* by enum memtype */
};

struct slpt {
	const struct slpt_format *format;
	const struct page_source *pages;
	uint64_t *root;
	uint64_t root_hpa;
	size_t table_count;  /* tables held, the root among them */
	uint64_t generation; /* see slpt_generation() */
	bool due;            /* an entry has changed and the generation has not risen yet */
	uint64_t *borrowed;  /* the entry that points to a table of another tree, see slpt_borrow(); NULL: none */
	/* Called after each rise of the generation, on the CPU that changed the tables; NULL: nobody runs on them. */
	void (*changed)(void *ctx);
	void *ctx;
};

struct slpt_leaf {
	uint64_t gpa;  /* where the leaf's page begins */
	uint64_t hpa;  /* what that maps to */
	uint64_t size; /* bytes: 4 KiB, 2 MiB, 1 GiB */
	enum slpt_prot prot;
	enum memtype memtype;
	uint64_t entry; /* raw, for post-mortem output */
};

typedef int slpt_leaf_fn(void *ctx, const struct slpt_leaf *leaf);

MUST_CHECK int slpt_init(struct slpt *s, const struct slpt_format *format, const struct page_source *pages);
void slpt_destroy(struct slpt *s);

MUST_CHECK int slpt_map_range(struct slpt *s, uint64_t gpa, uint64_t hpa, uint64_t len, enum slpt_prot prot,
			      enum memtype memtype);
MUST_CHECK int slpt_unmap_range(struct slpt *s, uint64_t gpa, uint64_t len);
MUST_CHECK int slpt_borrow(struct slpt *s, const struct slpt *from, uint64_t gpa);
void slpt_return(struct slpt *s);
MUST_CHECK int slpt_protect_range(struct slpt *s, uint64_t gpa, uint64_t len, enum slpt_prot prot);

MUST_CHECK int slpt_lookup(const struct slpt *s, uint64_t gpa, struct slpt_leaf *leaf);
int slpt_for_each_leaf(const struct slpt *s, slpt_leaf_fn *fn, void *ctx);

/* Rises whenever an entry that was present has changed; then changed() is called. A CPU that runs this guest remembers the
 * value it last invalidated at and, when it differs before an entry, invalidates its cached guest-physical translations
 * (INVEPT) first: see slpt.c on why added entries need none. */
static inline uint64_t slpt_generation(const struct slpt *s)
{
	return __atomic_load_n(&s->generation, __ATOMIC_ACQUIRE);
}
