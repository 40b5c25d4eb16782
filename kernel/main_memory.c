/* Boot: which memory is whose, the allocators, the final page tables. */
#include "kernel/main.h"

#include "arch/x86/insn.h"
#include "arch/x86/paging.h"
#include "arch/x86/spinlock.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"

#define MAX_RESERVED (MULTIBOOT2_MAX_MODULES + 4)

extern const char image_start[], image_end[];

static struct spinlock pages_lock = SPINLOCK_RANKED(LOCK_RANK_PAGES, "pages");
static struct spinlock heap_lock = SPINLOCK_RANKED(LOCK_RANK_HEAP, "heap");

static void acquire(void *ctx)
{
	spin_lock(ctx);
}

static void release(void *ctx)
{
	spin_unlock(ctx);
}

static unsigned phys_bits(void)
{
	uint32_t regs[4];

	cpuid(0x80000000, 0, regs);
	if (regs[0] < 0x80000008)
		return 36;
	cpuid(0x80000008, 0, regs);
	return regs[0] & 0xff;
}

/* The image and the modules. (The loader's information has been copied.) */
static size_t reserved_ranges(const struct machine *m, struct phys_range *out)
{
	size_t n = 0;

	out[n++] = (struct phys_range){0, PAGE_SIZE}; /* the real-mode vectors, and 0 is nobody's address */
	out[n++] = (struct phys_range){m->load_hpa, (uint64_t)(image_end - image_start)};
	for (size_t i = 0; i < m->loader.module_count; i++) {
		const struct boot_module *module = &m->loader.modules[i];

		out[n++] = (struct phys_range){module->start, module->end - module->start};
	}
	return n;
}

/* What the direct map shows: all RAM, and the modules, wherever the loader has put them. */
static size_t visible_ranges(const struct machine *m, struct paging_range *out)
{
	size_t n = 0;

	for (size_t i = 0; i < m->loader.region_count; i++) {
		const struct mem_region *r = &m->loader.regions[i];

		if (r->type == MEM_RAM)
			out[n++] = (struct paging_range){r->base, r->len};
	}
	for (size_t i = 0; i < m->loader.module_count; i++) {
		uint64_t base = ALIGN_DOWN(m->loader.modules[i].start, PAGE_SIZE);

		out[n++] = (struct paging_range){base, ALIGN_UP(m->loader.modules[i].end, PAGE_SIZE) - base};
	}
	return n;
}

/* The final page tables; from here on all RAM can be seen and handed out. */
static void switch_tables(struct machine *m, const struct page_source *pages)
{
	static struct paging_range visible[MULTIBOOT2_MAX_REGIONS + MULTIBOOT2_MAX_MODULES];
	struct pt_leaf offender;
	int err = paging_init(m->load_hpa, pages, visible, visible_ranges(m, visible));

	if (err != 0)
		panic("the page tables cannot be built: %s", err_str(err));
	if (paging_check_wx(&offender) != 0)
		panic("W^X does not hold: page 0x%llx, entry 0x%llx", (unsigned long long)offender.va,
		      (unsigned long long)offender.entry);
	page_alloc_extend(&m->pages, DIRECT_MAP_BYTES);
}

/* scrub=boot: what memory held before counts as somebody's. */
static enum page_past fresh_memory(const struct bootline *bl)
{
	const char *scrub = bootline_value(bl, "scrub");

	if (scrub == NULL)
		return PAGE_CLEAN;
	if (!str_eq(scrub, "boot"))
		log_error("boot line: scrub=%s is not boot", scrub);
	return PAGE_DIRTY;
}

void boot_memory(struct machine *m)
{
	static struct page_source source; /* paging and the heap go on using it */
	static struct phys_range reserved[MAX_RESERVED];
	static const struct alloc_lock lock_heap = {acquire, release, &heap_lock};
	struct page_alloc_config config = {.ranges = m->memmap.ranges,
					   .hva_base = DIRECT_MAP_BASE,
					   .reach = 4 * GIB,
					   .lock = {acquire, release, &pages_lock}};
	char size[FMT_QUANTITY_BYTES];
	int err;

	config.fresh = fresh_memory(&m->bootline);
	err = memmap_build(&m->memmap, m->loader.regions, m->loader.region_count, reserved,
			   reserved_ranges(m, reserved), phys_bits());
	if (err != 0)
		panic("the memory map cannot be used: %s", err_str(err));
	config.count = m->memmap.count;
	err = page_alloc_init(&m->pages, &config);
	if (err != 0)
		panic("no memory to begin with: %s", err_str(err));
	source = page_alloc_source(&m->pages);
	switch_tables(m, &source);
	heap_init(&m->heap, &source, &lock_heap, false);
	log_info("memory: %s free", fmt_size(size, page_alloc_free_bytes(&m->pages)));
}
