/* The walk, for every paging mode: they differ in the number of levels, in the size of an entry, and in where pages may
 * begin to be large. */
#include "vmm/mem/guest_walk.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/errors.h"

#define PTE_P BIT64(0)
#define PTE_W BIT64(1)
#define PTE_U BIT64(2)
#define PTE_PS BIT64(7)
#define PTE_NX BIT64(63)
#define PTE_PAE_PDPTE_RESERVED 0x1e6ull /* bits 2:1 and 8:5 of a PAE PDPTE */

struct walk_mode {
	unsigned levels;
	unsigned entry_bytes;
	unsigned index_bits;
	unsigned large_levels; /* bit n: an entry at level n (0 = last) may be a page */
	bool pae_root;         /* the topmost level is the four PDPTEs of PAE paging */
};

static struct walk_mode mode_of(const struct guest_paging *r)
{
	if (r->efer & EFER_LMA)
		return (struct walk_mode){
			.levels = r->cr4 & CR4_LA57 ? 5 : 4, .entry_bytes = 8, .index_bits = 9, .large_levels = 6};
	if (r->cr4 & CR4_PAE)
		return (struct walk_mode){
			.levels = 3, .entry_bytes = 8, .index_bits = 9, .large_levels = 2, .pae_root = true};
	return (struct walk_mode){
		.levels = 2, .entry_bytes = 4, .index_bits = 10, .large_levels = r->cr4 & CR4_PSE ? 2 : 0};
}

static uint64_t root_of(const struct walk_mode *m, const struct guest_paging *r, unsigned phys_bits)
{
	if (m->pae_root)
		return r->cr3 & 0xffffffe0;
	if (m->entry_bytes == 4)
		return r->cr3 & 0xfffff000;
	return r->cr3 & bits_mask(phys_bits - 1, 12);
}

static int read_entry(const struct guest_mem *mem, const struct walk_mode *m, struct guest_walk_step *step)
{
	uint8_t bytes[8];
	int err = guest_mem_read(mem, step->entry_gpa, bytes, m->entry_bytes);

	if (err != 0)
		return err;
	step->entry = m->entry_bytes == 4 ? load_le32(bytes) : load_le64(bytes);
	return 0;
}

/* Reserved bits of a present entry, and NX where it does not exist. */
static bool entry_reserved(const struct walk_mode *m, const struct guest_paging *r, unsigned level, uint64_t entry,
			   unsigned phys_bits)
{
	bool page = level > 0 && (entry & PTE_PS) != 0;
	uint64_t reserved;

	if (m->entry_bytes == 4)
		return page && (m->large_levels & BIT32(level)) && (entry & BIT64(21)) != 0;
	reserved = phys_bits < 52 ? bits_mask(51, phys_bits) : 0;
	if (m->pae_root && level == 2)
		return (entry & (reserved | PTE_PAE_PDPTE_RESERVED | 0xfff0000000000000ull)) != 0;
	if ((r->efer & EFER_NXE) == 0)
		reserved |= PTE_NX;
	if (page && (m->large_levels & BIT32(level)) == 0)
		return true;
	if (page)
		reserved |= bits_mask(12 + 9 * level - 1, 13);
	return (entry & reserved) != 0;
}

/* May the page be used like this? `rights` is what all levels together allow. */
static bool access_ok(const struct guest_paging *r, uint64_t rights, unsigned access)
{
	bool user_page = (rights & PTE_U) != 0;

	if (access & GUEST_FETCH) {
		if ((rights & PTE_NX) != 0)
			return false;
		return (access & GUEST_USER) != 0 ? user_page : !(user_page && (r->cr4 & CR4_SMEP));
	}
	if (access & GUEST_USER)
		return user_page && (!(access & GUEST_WRITE) || (rights & PTE_W) != 0);
	if (user_page && (r->cr4 & CR4_SMAP) && !(r->rflags & RFLAGS_AC))
		return false;
	return !(access & GUEST_WRITE) || (rights & PTE_W) != 0 || !(r->cr0 & CR0_WP);
}

/* A page-fault error code tells of a fetch only where NX or SMEP make a difference. */
static int fault(struct guest_walk *out, const struct guest_paging *r, unsigned access, uint32_t why)
{
	bool tells_fetch = (r->efer & EFER_NXE) != 0 || (r->cr4 & CR4_SMEP) != 0;

	out->error = why | (access & (GUEST_WRITE | GUEST_USER)) | (tells_fetch ? access & GUEST_FETCH : 0);
	return ERR_FAULT;
}

static uint64_t page_base(const struct walk_mode *m, uint64_t entry, unsigned shift, unsigned phys_bits)
{
	if (m->entry_bytes == 4 && shift == 22) /* 4 MiB page: bits 39:32 in 20:13 (PSE-36) */
		return (entry & 0xffc00000) | bits_extract(entry, 20, 13) << 32;
	return entry & bits_mask((m->entry_bytes == 4 ? 32 : phys_bits) - 1, shift);
}

int guest_walk(const struct guest_mem *mem, const struct guest_paging *regs, uint64_t gva, unsigned access,
	       unsigned phys_bits, struct guest_walk *out)
{
	struct walk_mode m = mode_of(regs);
	uint64_t table = root_of(&m, regs, phys_bits), rights = PTE_W | PTE_U;

	*out = (struct guest_walk){.gpa = gva};
	if ((regs->cr0 & CR0_PG) == 0) {
		out->gpa = gva & 0xffffffff;
		return 0;
	}
	for (unsigned level = m.levels; level-- > 0;) {
		unsigned shift = 12 + m.index_bits * level;
		struct guest_walk_step *step = &out->step[out->steps++];
		unsigned index_bits = m.pae_root && level == 2 ? 2 : m.index_bits;

		step->entry_gpa = table + bits_extract(gva, shift + index_bits - 1, shift) * m.entry_bytes;
		if (read_entry(mem, &m, step) != 0)
			return ERR_RANGE;
		if ((step->entry & PTE_P) == 0)
			return fault(out, regs, access, 0);
		if (entry_reserved(&m, regs, level, step->entry, phys_bits))
			return fault(out, regs, access, GUEST_FAULT_PRESENT | GUEST_FAULT_RESERVED);
		if (!(m.pae_root && level == 2)) /* a PDPTE of PAE paging has no rights */
			rights = (rights & step->entry & (PTE_W | PTE_U)) | ((rights | step->entry) & PTE_NX);
		if (level == 0 || ((step->entry & PTE_PS) && (m.large_levels & BIT32(level)))) {
			if (!access_ok(regs, rights, access))
				return fault(out, regs, access, GUEST_FAULT_PRESENT);
			out->page_size = BIT64(shift);
			out->gpa = page_base(&m, step->entry, shift, phys_bits) | (gva & (out->page_size - 1));
			return 0;
		}
		table = page_base(&m, step->entry, 12, phys_bits);
	}
	return ERR_FAULT;
}
