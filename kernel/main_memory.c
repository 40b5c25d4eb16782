/* Boot: which memory is whose, the allocators. */
#include "kernel/main.h"

#include "arch/x86/insn.h"
#include "kernel/lib/format.h"
#include "kernel/log.h"
#include "kernel/panic.h"

#define MAX_RESERVED (MULTIBOOT2_MAX_MODULES + 4)

extern const char image_start[], image_end[];

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

void boot_memory(struct machine *m)
{
	static struct phys_range reserved[MAX_RESERVED];
	struct page_alloc_config config = {.ranges = m->memmap.ranges, .hva_base = DIRECT_MAP_BASE, .reach = 4 * GIB};
	struct page_source source;
	char size[FMT_QUANTITY_BYTES];
	int err;

	err = memmap_build(&m->memmap, m->loader.regions, m->loader.region_count, reserved,
			   reserved_ranges(m, reserved), phys_bits());
	if (err != 0)
		panic("the memory map cannot be used: %s", err_str(err));
	config.count = m->memmap.count;
	err = page_alloc_init(&m->pages, &config);
	if (err != 0)
		panic("no memory to begin with: %s", err_str(err));
	source = page_alloc_source(&m->pages);
	heap_init(&m->heap, &source, NULL, false);
	log_info("memory: %s free", fmt_size(size, page_alloc_free_bytes(&m->pages)));
}
