/* The host's address space once the boot is through with its first tables (boot/entry.asm):
 *
 *	0xffff800000000000  direct map: physical address x at this plus x. RAM by the largest pages; device registers and
 *	                    firmware tables page by page, when somebody asks for them
 *	0xffffc00000000000  stacks of the CPUs that are started later, each with its guard pages
 *	0xffffffff80000000  the image: text executable, read-only data and symbols readable, data writable
 *
 * Nothing is both writable and executable, nothing but the text is executable, nothing is below. All CPUs share the tables.
 * Entries are added by any CPU; where one is taken away, all CPUs drop their translations before the memory is anybody
 * else's (tlb.h). */
#pragma once

#include "arch/x86/pagetable.h"

#define DIRECT_MAP_BASE 0xffff800000000000ull
#define DIRECT_MAP_BYTES 0x400000000000ull
#define STACK_WINDOW_BASE 0xffffc00000000000ull

struct paging_range {
	uint64_t base;
	uint64_t len;
};

/* Build the final tables and use them. pages: for this and for all that is mapped later; must outlive it, and its pages
 * lie where the first tables show memory. load_hpa: of the image. ram, ram_count: what the direct map shows; the image is
 * left out. Returns 0 or an error, then the first tables are still in use. */
MUST_CHECK int paging_init(uint64_t load_hpa, const struct page_source *pages, const struct paging_range *ram,
			   size_t ram_count);

/* Make this CPU use the tables, and the protections that it has (WP, NX, SMEP, SMAP, UMIP); paging_init() does it for the
 * first. */
void paging_load(void);

/* Of these protections, the ones that this CPU has on, by its registers. */
#define PROTECTION_WP BIT32(0)   /* read-only pages hold for ring 0 too */
#define PROTECTION_NX BIT32(1)   /* data is not executed */
#define PROTECTION_SMEP BIT32(2) /* nor is what user mode could have written */
#define PROTECTION_SMAP BIT32(3) /* which is not read either */
#define PROTECTION_UMIP BIT32(4) /* no SGDT and the like outside of ring 0 */
#define PROTECTION_COUNT 5u
uint32_t paging_protection(void);

/* What CR3 holds. Below 4 GiB when pages gave it there: a CPU that starts in protected mode can load no more. */
uint64_t paging_root_hpa(void);

/* Device registers (uncached), frame buffers (write combining), firmware tables (readable). len: bytes, both ends need no
 * alignment. NULL: out of memory, beyond the direct map, or in use in another way. Mapping again is free. */
volatile void *paging_map_mmio(uint64_t hpa, uint64_t len);
volatile void *paging_map_framebuffer(uint64_t hpa, uint64_t len);
const void *paging_map_firmware(uint64_t hpa, uint64_t len);

/* Fresh memory at an address of the stack window, and back. Both ends are pages. */
MUST_CHECK int paging_alloc_at(uint64_t va, uint64_t len);
void paging_free_at(uint64_t va, uint64_t len);

/* The page below 1 MiB in which further CPUs start, at its physical address: they are there when they switch paging on. Gone
 * again before the first guest; whoever came through it drops its translations. */
MUST_CHECK int paging_map_start_page(uint64_t hpa);
void paging_unmap_start_page(uint64_t hpa);

/* Drop every translation that this CPU has cached, global ones too. */
void paging_flush(void);

/* Walk over all tables; see pt_check_wx(). */
MUST_CHECK int paging_check_wx(struct pt_leaf *offender);
int paging_for_each(pt_visit_fn *visit, void *ctx);
uint64_t paging_table_bytes(void);

/* Is there something at this address? For who follows pointers that may be wild. */
bool paging_is_mapped(uint64_t va);
