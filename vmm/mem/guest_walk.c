/* The guest's paging, walked in software. Four shapes, told by a table of levels each; then the rights of all levels taken
 * together. Not checked: protection keys. With PAE the four directory pointers are read from memory, where the processor
 * keeps copies from the last load of CR3. Follows SDM 3 "Paging" (4.3 to 4.7). */
#include "vmm/mem/guest_walk.h"

#include "kernel/lib/errors.h"

#define CR0_WP BIT64(16)
#define CR0_PG BIT64(31)
#define CR4_PSE BIT64(4)
#define CR4_PAE BIT64(5)
#define CR4_LA57 BIT64(12)
#define CR4_SMEP BIT64(20)
#define CR4_SMAP BIT64(21)
#define EFER_LMA BIT64(10)
#define EFER_NXE BIT64(11)
#define RFLAGS_AC BIT64(18)

#define ENTRY_P BIT64(0)
#define ENTRY_RW BIT64(1)
#define ENTRY_US BIT64(2)
#define ENTRY_A BIT64(5)
#define ENTRY_D BIT64(6)
#define ENTRY_PS BIT64(7)
#define ENTRY_XD BIT64(63)

#define ADDR_MASK_64 0x000ffffffffff000ull
#define ADDR_MASK_32 0xfffff000ull
#define CR3_PAE_MASK 0xffffffe0ull

/* Of one translation. Each but the last was in vain because another CPU changed an entry. */
#define WALKS_MAX 16u

struct level {
	const char *name;
	unsigned shift; /* of the index in the linear address */
	unsigned index_bits;
	bool may_be_leaf; /* by bit 7; the last level always is */
	bool has_rights;  /* R/W, U/S, XD and A mean something; not in PAE's directory pointers */
};

struct shape {
	unsigned entry_bytes;
	unsigned address_bits;
	const struct level *levels;
};

static const struct level levels_64[] = {
	{"PML5E", 48, 9, false, true}, {"PML4E", 39, 9, false, true}, {"PDPTE", 30, 9, true, true},
	{"PDE", 21, 9, true, true},    {"PTE", 12, 9, false, true},
};
static const struct level levels_pae[] = {
	{"PDPTE", 30, 2, false, false}, {"PDE", 21, 9, true, true}, {"PTE", 12, 9, false, true}};
static const struct level levels_32[] = {{"PDE", 22, 10, true, true}, {"PTE", 12, 10, false, true}};

static const struct shape shapes[] = {
	[GUEST_PAGING_NONE] = {0, 32, NULL},        [GUEST_PAGING_32BIT] = {4, 32, levels_32},
	[GUEST_PAGING_PAE] = {8, 32, levels_pae},   [GUEST_PAGING_4LEVEL] = {8, 48, levels_64 + 1},
	[GUEST_PAGING_5LEVEL] = {8, 57, levels_64},
};

enum guest_paging guest_walk_paging(const struct guest_walk_cpu *cpu)
{
	if (!(cpu->cr0 & CR0_PG))
		return GUEST_PAGING_NONE;
	if (!(cpu->cr4 & CR4_PAE))
		return GUEST_PAGING_32BIT;
	if (!(cpu->efer & EFER_LMA))
		return GUEST_PAGING_PAE;
	return cpu->cr4 & CR4_LA57 ? GUEST_PAGING_5LEVEL : GUEST_PAGING_4LEVEL;
}

static bool address_valid(const struct shape *shape, uint64_t gva)
{
	unsigned unused = 64 - shape->address_bits;

	if (shape->address_bits == 32)
		return gva >> 32 == 0;
	return (uint64_t)((int64_t)(gva << unused) >> unused) == gva;
}

static uint64_t table_root(enum guest_paging paging, uint64_t cr3)
{
	if (paging == GUEST_PAGING_32BIT)
		return cr3 & ADDR_MASK_32;
	return paging == GUEST_PAGING_PAE ? cr3 & CR3_PAE_MASK : cr3 & ADDR_MASK_64;
}

static bool is_leaf(const struct guest_walk_cpu *cpu, const struct guest_walk *walk, const struct level *level,
		    uint64_t entry)
{
	if (level->shift == PAGE_SHIFT)
		return true;
	if (!level->may_be_leaf || !(entry & ENTRY_PS))
		return false;
	return walk->paging != GUEST_PAGING_32BIT || (cpu->cr4 & CR4_PSE);
}

static uint64_t above_width(const struct guest_walk_cpu *cpu)
{
	return cpu->maxphyaddr >= 52 ? 0 : ADDR_MASK_64 & ~(BIT64(cpu->maxphyaddr) - 1);
}

/* 32-bit paging has one reserved bit: 21 in an entry that maps 4 MiB (and the address bits above the width, in 20:13). */
static uint64_t reserved_32(const struct guest_walk_cpu *cpu, const struct level *level, bool leaf)
{
	uint64_t reserved = BIT64(21);

	if (!leaf || level->shift == PAGE_SHIFT)
		return 0;
	for (unsigned bit = 13; bit <= 20; bit++)
		if (bit + 19 >= cpu->maxphyaddr) /* bits 20:13 are address bits 39:32 */
			reserved |= BIT64(bit);
	return reserved;
}

static uint64_t reserved_bits(const struct guest_walk_cpu *cpu, const struct guest_walk *walk,
			      const struct level *level, uint64_t entry, bool leaf)
{
	uint64_t reserved = above_width(cpu);

	if (walk->paging == GUEST_PAGING_32BIT)
		return reserved_32(cpu, level, leaf);
	if (!(cpu->efer & EFER_NXE))
		reserved |= ENTRY_XD;
	if (!level->has_rights) /* PAE directory pointer */
		return reserved | 0x1e6ull | 0xfff0000000000000ull;
	if (walk->paging == GUEST_PAGING_PAE)
		reserved |= 0x7ff0000000000000ull;
	if (!level->may_be_leaf && level->shift != PAGE_SHIFT)
		reserved |= ENTRY_PS;
	if (leaf && (entry & ENTRY_PS) && level->shift != PAGE_SHIFT)
		reserved |= (BIT64(level->shift) - 1) & ~0x1fffull; /* bit 12 is PAT */
	return reserved;
}

static uint64_t leaf_address(const struct guest_walk *walk, const struct level *level, uint64_t entry, uint64_t gva)
{
	uint64_t offset_mask = BIT64(level->shift) - 1;
	uint64_t base;

	if (walk->paging == GUEST_PAGING_32BIT && level->shift != PAGE_SHIFT)
		base = (entry & 0xffc00000) | (entry >> 13 & 0xff) << 32; /* PSE-36 */
	else if (walk->paging == GUEST_PAGING_32BIT)
		base = entry & ADDR_MASK_32;
	else
		base = entry & ADDR_MASK_64;
	return (base & ~offset_mask) | (gva & offset_mask);
}

static uint32_t access_error(const struct guest_walk_cpu *cpu, unsigned access)
{
	uint32_t error = 0;
	bool fetch_told = ((cpu->efer & EFER_NXE) && (cpu->cr4 & CR4_PAE)) || (cpu->cr4 & CR4_SMEP);

	if (access & GUEST_ACCESS_WRITE)
		error |= PF_ERROR_WRITE;
	if (access & GUEST_ACCESS_USER)
		error |= PF_ERROR_USER;
	/* I/D is only told where there is paging with XD, or SMEP. */
	if ((access & GUEST_ACCESS_FETCH) && fetch_told)
		error |= PF_ERROR_FETCH;
	return error;
}

/* SDM 3 "Determination of Access Rights" (4.6.1). */
static bool access_allowed(const struct guest_walk_cpu *cpu, const struct guest_walk *walk, unsigned access)
{
	if ((access & GUEST_ACCESS_FETCH) && walk->no_execute)
		return false;
	if (access & GUEST_ACCESS_USER)
		return walk->user && (walk->writable || !(access & GUEST_ACCESS_WRITE));
	if (access & GUEST_ACCESS_FETCH)
		return !walk->user || !(cpu->cr4 & CR4_SMEP);
	if (walk->user && (cpu->cr4 & CR4_SMAP) && ((access & GUEST_ACCESS_IMPLICIT) || !(cpu->rflags & RFLAGS_AC)))
		return false;
	return !(access & GUEST_ACCESS_WRITE) || walk->writable || !(cpu->cr0 & CR0_WP);
}

/* One walk under way. */
struct walker {
	const struct guest_mem *mem;
	const struct guest_walk_cpu *cpu;
	const struct shape *shape;
	unsigned access;
	struct guest_walk *walk;
};

/* An entry as a processor reads it: whole, whatever other CPUs of the guest write meanwhile. It lies in one block, as it is
 * aligned to its size. */
static int read_entry(const struct walker *w, uint64_t gpa, uint64_t *entry)
{
	const void *at = guest_mem_ptr(w->mem, gpa, w->shape->entry_bytes);

	if (!at)
		return ERR_RANGE;
	*entry = w->shape->entry_bytes == 4 ? __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED)
					    : __atomic_load_n((const uint64_t *)at, __ATOMIC_RELAXED);
	return 0;
}

/* Set flags in an entry that still says what the walk has read of it. They stand in its lowest byte; but it is the whole of
 * it that must not have changed, or the flags would mark what means something else by now: the place of a page in swap. */
static bool set_entry_flags(const struct walker *w, const struct guest_walk_step *step, uint64_t flags)
{
	void *at = guest_mem_ptr(w->mem, step->entry_gpa, w->shape->entry_bytes);
	uint64_t value = step->value;
	uint32_t low = (uint32_t)value;

	if (w->shape->entry_bytes == 4)
		return __atomic_compare_exchange_n((uint32_t *)at, &low, low | (uint32_t)flags, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_RELAXED);
	return __atomic_compare_exchange_n((uint64_t *)at, &value, value | flags, false, __ATOMIC_SEQ_CST,
					   __ATOMIC_RELAXED);
}

/* Returns 0; ERR_AGAIN: another CPU of the guest has changed an entry since it was read, or it is the same one twice. */
static int set_flags(const struct walker *w)
{
	for (unsigned i = 0; i < w->walk->step_count; i++) {
		const struct guest_walk_step *step = &w->walk->steps[i];
		bool dirty = i + 1 == w->walk->step_count && (w->access & GUEST_ACCESS_WRITE);
		uint64_t flags = ENTRY_A | (dirty ? ENTRY_D : 0);

		if (!w->shape->levels[i].has_rights || (step->value & flags) == flags)
			continue;
		if (!set_entry_flags(w, step, flags))
			return ERR_AGAIN;
	}
	return 0;
}

static void take_rights(const struct walker *w, const struct level *level, uint64_t entry)
{
	struct guest_walk *walk = w->walk;
	bool has_xd = (w->cpu->efer & EFER_NXE) && walk->paging != GUEST_PAGING_32BIT;

	if (!level->has_rights)
		return;
	walk->writable = walk->writable && (entry & ENTRY_RW);
	walk->user = walk->user && (entry & ENTRY_US);
	walk->no_execute = walk->no_execute || (has_xd && (entry & ENTRY_XD));
}

static int fault(const struct walker *w, uint32_t more)
{
	w->walk->pf_error = access_error(w->cpu, w->access) | more;
	return ERR_FAULT;
}

/* One level: reads the entry and takes it into account. */
static int take_step(const struct walker *w, const struct level *level, uint64_t entry_gpa, bool *leaf)
{
	uint64_t entry = 0;

	if (read_entry(w, entry_gpa, &entry))
		return ERR_RANGE;
	w->walk->steps[w->walk->step_count++] = (struct guest_walk_step){level->name, entry_gpa, entry};
	if (!(entry & ENTRY_P))
		return fault(w, 0);
	*leaf = is_leaf(w->cpu, w->walk, level, entry);
	if (entry & reserved_bits(w->cpu, w->walk, level, entry, *leaf))
		return fault(w, PF_ERROR_PRESENT | PF_ERROR_RESERVED);
	take_rights(w, level, entry);
	return 0;
}

static int walk_levels(const struct walker *w, uint64_t gva)
{
	struct guest_walk *walk = w->walk;
	uint64_t table = table_root(walk->paging, w->cpu->cr3);
	bool leaf = false;

	walk->step_count = 0;
	walk->no_execute = false;
	walk->writable = true;
	walk->user = true;
	for (const struct level *level = w->shape->levels; !leaf; level++) {
		uint64_t index = gva >> level->shift & (BIT64(level->index_bits) - 1);
		int err = take_step(w, level, table + index * w->shape->entry_bytes, &leaf);

		if (err)
			return err;
		uint64_t entry = walk->steps[walk->step_count - 1].value;
		if (leaf) {
			walk->gpa = leaf_address(walk, level, entry, gva);
			walk->page_size = BIT64(level->shift);
		}
		table = entry & (walk->paging == GUEST_PAGING_32BIT ? ADDR_MASK_32 : ADDR_MASK_64);
	}
	if (!(w->access & GUEST_ACCESS_ANY) && !access_allowed(w->cpu, walk, w->access))
		return fault(w, PF_ERROR_PRESENT);
	return w->access & GUEST_ACCESS_SET_AD ? set_flags(w) : 0;
}

/* Translates one address.
 * access: enum guest_access.  walk: filled as far as the walk went, also after errors.
 * Returns 0; ERR_FAULT: a page fault with walk->pf_error; ERR_INVAL: gva is not canonical, or has more than 32 bits outside
 * long mode (no page fault); ERR_RANGE: a table lies outside the guest's RAM (the last step is the one before it);
 * ERR_AGAIN, with GUEST_ACCESS_SET_AD: other CPUs change the tables so often that the walk comes to no end. */
int guest_walk(const struct guest_mem *mem, const struct guest_walk_cpu *cpu, uint64_t gva, unsigned access,
	       struct guest_walk *walk)
{
	*walk = (struct guest_walk){.paging = guest_walk_paging(cpu)};

	const struct walker w = {mem, cpu, &shapes[walk->paging], access, walk};
	if (!address_valid(w.shape, gva))
		return ERR_INVAL;
	if (walk->paging != GUEST_PAGING_NONE) {
		int err = ERR_AGAIN;

		for (unsigned i = 0; i < WALKS_MAX && err == ERR_AGAIN; i++)
			err = walk_levels(&w, gva);
		return err;
	}
	walk->gpa = gva;
	walk->page_size = PAGE_SIZE;
	walk->writable = true;
	walk->user = true;
	return 0;
}

/* Copies guest-virtual memory until something is in the way. Returns how many bytes were copied, from the beginning on. */
size_t guest_walk_read(const struct guest_mem *mem, const struct guest_walk_cpu *cpu, uint64_t gva, unsigned access,
		       void *buf, size_t len)
{
	uint8_t *to = buf;
	size_t done = 0;

	while (done < len) {
		struct guest_walk walk;
		size_t n = (size_t)(PAGE_SIZE - ((gva + done) & (PAGE_SIZE - 1)));

		if (n > len - done)
			n = len - done;
		if (guest_walk(mem, cpu, gva + done, access, &walk) || guest_mem_read(mem, walk.gpa, to + done, n))
			return done;
		done += n;
	}
	return done;
}
