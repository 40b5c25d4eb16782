/* Changes inside a second-level tree that keep what is mapped: splitting large leaves, and changing rights. A large leaf
 * is replaced by a complete table in one store, so that a processor in the guest sees one or the other. */
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "vmm/mem/slpt.h"
#include "vmm/mem/slpt_tree.h"

/* A boundary inside a 1 GiB leaf costs two splits, and a range has two boundaries. */
#define SPLIT_MAX (2u * (SLPT_MAX_LEVELS - 1))

/* Tables taken before a change begins, so that the change itself cannot fail. */
struct split_stock {
	uint64_t *table[SPLIT_MAX];
	unsigned count;
};

/* How many leaves must be split until one begins at this address (or none is there). */
static unsigned splits_needed(const struct slpt *s, uint64_t gpa)
{
	unsigned level;
	unsigned count = 0;

	if (gpa >= BIT64(s->format->gpa_bits))
		return 0; /* the end of the space cuts nothing */
	if (!is_present(s, *find_entry(s, gpa, &level)))
		return 0;
	for (; level > 0 && !IS_ALIGNED(gpa, level_size(level)); level--)
		count++;
	return count;
}

static void stock_release(struct slpt *s, struct split_stock *stock)
{
	while (stock->count > 0)
		table_release(s, stock->table[--stock->count]);
}

/* Takes the tables for both edges of a range. When both edges lie in one leaf this is one or two too many. */
static int stock_take(struct slpt *s, struct split_stock *stock, uint64_t gpa, uint64_t end)
{
	unsigned need = splits_needed(s, gpa) + splits_needed(s, end);

	assert(need <= SPLIT_MAX);
	for (stock->count = 0; stock->count < need; stock->count++) {
		stock->table[stock->count] = table_new(s);
		if (!stock->table[stock->count]) {
			stock_release(s, stock);
			return ERR_NOMEM;
		}
	}
	return 0;
}

/* Replaces a large leaf by a table that maps the same, with the same rights and accessed and dirty flags. */
static void split_leaf(struct slpt *s, uint64_t *entry, unsigned level, uint64_t *table)
{
	uint64_t old = __atomic_load_n(entry, __ATOMIC_RELAXED);

	/* Again when a processor set a flag in between: it must not get lost. */
	do {
		uint64_t child = level > 1 ? old : old & ~s->format->leaf_bit;

		for (unsigned i = 0; i < SLPT_ENTRIES; i++)
			table[i] = child + i * level_size(level - 1);
	} while (!__atomic_compare_exchange_n(entry, &old, table_entry(s, table), false, __ATOMIC_ACQ_REL,
					      __ATOMIC_RELAXED));
	entry_changed(s);
}

static void split_at(struct slpt *s, uint64_t gpa, struct split_stock *stock)
{
	for (unsigned n = splits_needed(s, gpa); n > 0; n--) {
		unsigned level;
		uint64_t *entry = find_entry(s, gpa, &level);

		split_leaf(s, entry, level, stock->table[--stock->count]);
	}
}

/* Splits the leaves that the edges of a range cut. Translations stay the same. ERR_NOMEM: nothing changed. */
int slpt_split_edges(struct slpt *s, uint64_t gpa, uint64_t end)
{
	struct split_stock stock;
	int err = stock_take(s, &stock, gpa, end);

	if (err)
		return err;
	split_at(s, gpa, &stock);
	split_at(s, end, &stock);
	stock_release(s, &stock);
	return 0;
}

/* In one step, and without losing a flag that a processor sets meanwhile. */
static void entry_protect(struct slpt *s, uint64_t *entry, uint64_t bits)
{
	uint64_t old = __atomic_load_n(entry, __ATOMIC_RELAXED);

	while (!__atomic_compare_exchange_n(entry, &old, (old & ~s->format->prot_mask) | bits, false, __ATOMIC_ACQ_REL,
					    __ATOMIC_RELAXED))
		;
	entry_changed(s);
}

static void protect_table(struct slpt *s, uint64_t *table, unsigned level, uint64_t gpa, uint64_t end, uint64_t bits)
{
	while (gpa < end) {
		uint64_t next = step_end(gpa, end, level);
		uint64_t *entry = &table[entry_index(gpa, level)];

		if (entry == s->borrowed) {
			/* is not ours to change */
		} else if (is_present(s, *entry) && !is_leaf(s, *entry, level)) {
			protect_table(s, entry_table(s, *entry), level - 1, gpa, next, bits);
		} else if (is_present(s, *entry) && (*entry & s->format->prot_mask) != bits) {
			entry_protect(s, entry, bits);
		}
		gpa = next;
	}
}

/* Changes the rights of what is mapped in a range, splitting leaves that cross its edges; holes stay holes, and host
 * address and memory type stay as they are.
 * gpa, len: as for slpt_map_range.  prot: not SLPT_NONE, which is what unmapping is for.
 * Returns 0; ERR_ALIGN, ERR_RANGE, ERR_INVAL, ERR_NOMEM (a leaf had to be split): nothing changed.
 * Context: the guest may run, but lost rights are only lost once every CPU in it has left and invalidated. */
int slpt_protect_range(struct slpt *s, uint64_t gpa, uint64_t len, enum slpt_prot prot)
{
	int err = check_span(gpa, len, s->format->gpa_bits);

	if (err)
		return err;
	if (prot == SLPT_NONE || (unsigned)prot >= SLPT_PROT_COUNT || s->format->prot_bits[prot] == SLPT_UNENCODABLE)
		return ERR_INVAL;
	change_begin(s);
	err = slpt_split_edges(s, gpa, gpa + len);
	if (!err)
		protect_table(s, s->root, root_level(s), gpa, gpa + len, s->format->prot_bits[prot]);
	change_end(s);
	return err;
}
