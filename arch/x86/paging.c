/* The host's address space: see paging.h. What is mapped, with which rights; how, is in pagetable.c. */
#include "arch/x86/paging.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/percpu.h"
#include "arch/x86/regs.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/tlb.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/range.h"

/* Entry 7 write-combining, which paging_map_framebuffer() uses; the others as after reset. SDM 3 "Programming the PAT". */
#define PAT_VALUE 0x0107040600070406ull

extern const uint8_t image_start[], image_end[], text_start[], text_end[], rodata_start[], rodata_end[], data_start[],
	data_end[], bss_start[], bss_end[], symbols_start[], symbols_end[];

static struct pagetable tables;
static struct spinlock lock = SPINLOCK_RANKED(LOCK_RANK_PAGING, "paging"); /* over tables, once they are in use */
static struct pt_text text;
static bool has_wc;

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static int map_section(uint64_t load_hpa, const uint8_t *start, const uint8_t *end, unsigned prot)
{
	uint64_t offset = (uint64_t)(start - image_start);

	return pt_map(&tables, address(start), load_hpa + offset, (uint64_t)(end - start), prot, PT_WB);
}

static int map_image(uint64_t load_hpa)
{
	int err = map_section(load_hpa, rodata_start, rodata_end, PT_R);

	if (err == 0)
		err = map_section(load_hpa, text_start, text_end, PT_X);
	if (err == 0)
		err = map_section(load_hpa, data_start, data_end, PT_W);
	if (err == 0)
		err = map_section(load_hpa, bss_start, bss_end, PT_W);
	if (err == 0)
		err = map_section(load_hpa, symbols_start, symbols_end, PT_R);
	return err;
}

/* The pages below the boot CPU's stacks, which lie in .bss. */
static int unmap_guards(const struct cpu_stacks *stacks)
{
	int err = pt_unmap(&tables, address(stacks->guard_main), PAGE_SIZE);

	for (size_t i = 0; err == 0 && i < ARRAY_LEN(stacks->ist); i++)
		err = pt_unmap(&tables, address(stacks->ist[i].guard), PAGE_SIZE);
	return err;
}

/* Whole pages of [base, end), but those of the image: these have one address, where they have their rights. */
static int map_ram(uint64_t load_hpa, uint64_t base, uint64_t end)
{
	uint64_t image_end_hpa = load_hpa + (uint64_t)(image_end - image_start);
	int err = 0;

	base = ALIGN_UP(base, PAGE_SIZE);
	end = ALIGN_DOWN(end, PAGE_SIZE);
	if (base < load_hpa && end > base) {
		uint64_t stop = end < load_hpa ? end : load_hpa;

		err = pt_fill(&tables, DIRECT_MAP_BASE + base, base, stop - base, PT_W, PT_WB);
	}
	if (err == 0 && end > image_end_hpa) {
		uint64_t from = base > image_end_hpa ? base : image_end_hpa;

		if (from < end)
			err = pt_fill(&tables, DIRECT_MAP_BASE + from, from, end - from, PT_W, PT_WB);
	}
	return err;
}

static int map_all_ram(uint64_t load_hpa, const struct paging_range *ram, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t len = ram[i].len;
		int err;

		if (ram[i].base >= DIRECT_MAP_BYTES)
			continue;
		if (!range_below(ram[i].base, len, DIRECT_MAP_BYTES))
			len = DIRECT_MAP_BYTES - ram[i].base;
		err = map_ram(load_hpa, ram[i].base, ram[i].base + len);
		if (err)
			return err;
	}
	return 0;
}

int paging_init(uint64_t load_hpa, const struct page_source *pages, const struct paging_range *ram, size_t ram_count)
{
	struct cpu_info cpu;
	int err;

	cpu_info_read(cpuid, &cpu);
	has_wc = cpu.pat;
	text = (struct pt_text){address(text_start), load_hpa + (uint64_t)(text_start - image_start),
				(uint64_t)(text_end - text_start)};
	err = pt_init(&tables, pages, cpu.pages_1g);
	if (err)
		return err;
	err = map_image(load_hpa);
	if (err == 0)
		err = unmap_guards(&bsp_stacks);
	if (err == 0)
		err = map_all_ram(load_hpa, ram, ram_count);
	if (err) {
		pt_destroy(&tables);
		return err;
	}
	paging_load();
	return 0;
}

/* Context: interrupts off. Source: SDM 3 "Paging", "Access Rights"; "Programming the PAT" for the order. */
void paging_load(void)
{
	struct cpu_info cpu;
	uint64_t cr4 = read_cr4() & ~CR4_PGE;

	cpu_info_read(cpuid, &cpu);
	if (cpu.pat)
		wrmsr(MSR_PAT, PAT_VALUE);
	write_cr0((read_cr0() | CR0_WP | CR0_NE | CR0_MP) & ~(CR0_EM | CR0_TS | CR0_CD | CR0_NW));
	/* Global translations of the first tables go with PGE. */
	write_cr4(cr4);
	write_cr3(tables.root_hpa);
	cr4 |= cpu.pge ? CR4_PGE : 0;
	cr4 |= cpu.mce ? CR4_MCE : 0;
	cr4 |= cpu.smep ? CR4_SMEP : 0;
	cr4 |= cpu.smap ? CR4_SMAP : 0;
	cr4 |= cpu.umip ? CR4_UMIP : 0;
	write_cr4(cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
}

uint32_t paging_protection(void)
{
	uint64_t cr4 = read_cr4();

	return (read_cr0() & CR0_WP ? PROTECTION_WP : 0) | (rdmsr(MSR_EFER) & EFER_NXE ? PROTECTION_NX : 0) |
	       (cr4 & CR4_SMEP ? PROTECTION_SMEP : 0) | (cr4 & CR4_SMAP ? PROTECTION_SMAP : 0) |
	       (cr4 & CR4_UMIP ? PROTECTION_UMIP : 0);
}

uint64_t paging_root_hpa(void)
{
	return tables.root_hpa;
}

static void *map_in_window(uint64_t hpa, uint64_t len, unsigned prot, enum pt_cache cache)
{
	uint64_t base = ALIGN_DOWN(hpa, PAGE_SIZE);
	uint64_t end;
	int err;

	if (len == 0 || !range_below(hpa, len, DIRECT_MAP_BYTES))
		return NULL;
	end = ALIGN_UP(hpa + len, PAGE_SIZE);
	spin_lock(&lock);
	err = pt_fill(&tables, DIRECT_MAP_BASE + base, base, end - base, prot, cache);
	spin_unlock(&lock);
	return err ? NULL : (void *)(uintptr_t)(DIRECT_MAP_BASE + hpa);
}

volatile void *paging_map_mmio(uint64_t hpa, uint64_t len)
{
	return map_in_window(hpa, len, PT_W, PT_UC);
}

volatile void *paging_map_framebuffer(uint64_t hpa, uint64_t len)
{
	return map_in_window(hpa, len, PT_W, has_wc ? PT_WC : PT_UC);
}

const void *paging_map_firmware(uint64_t hpa, uint64_t len)
{
	return map_in_window(hpa, len, PT_R, PT_WB);
}

/* va, len: whole pages in the stack window, where nothing is mapped.
 * Returns 0; ERR_NOMEM, ERR_OVERLAP: nothing is mapped. */
int paging_alloc_at(uint64_t va, uint64_t len)
{
	uint64_t done;

	for (done = 0; done < len; done += PAGE_SIZE) {
		void *page = tables.pages->alloc(tables.pages->ctx, 0);
		int err = page ? 0 : ERR_NOMEM;

		if (page) {
			uint64_t hpa = tables.pages->hpa_of(tables.pages->ctx, page);

			spin_lock(&lock);
			err = pt_map(&tables, va + done, hpa, PAGE_SIZE, PT_W, PT_WB);
			spin_unlock(&lock);
		}
		if (err == 0)
			continue;
		if (page)
			tables.pages->free(tables.pages->ctx, page, 0);
		paging_free_at(va, done);
		return err;
	}
	return 0;
}

/* A page goes back only when no CPU can reach it any more; the pages that are not there are passed over. */
static void free_page_at(uint64_t va)
{
	struct pt_leaf leaf;
	int err;

	spin_lock(&lock);
	err = pt_lookup(&tables, va, &leaf);
	if (err == 0)
		err = pt_unmap(&tables, va, PAGE_SIZE);
	spin_unlock(&lock);
	if (err)
		return;
	tlb_flush_all_cpus();
	tables.pages->free(tables.pages->ctx, tables.pages->hva_of(tables.pages->ctx, leaf.hpa), 0);
}

/* Context: not from an NMI; waits for the other CPUs. */
void paging_free_at(uint64_t va, uint64_t len)
{
	for (uint64_t done = 0; done < len; done += PAGE_SIZE)
		free_page_at(va + done);
}

int paging_map_start_page(uint64_t hpa)
{
	int err;

	spin_lock(&lock);
	err = pt_map(&tables, hpa, hpa, PAGE_SIZE, PT_X, PT_WB);
	spin_unlock(&lock);
	return err;
}

void paging_unmap_start_page(uint64_t hpa)
{
	int err;

	spin_lock(&lock);
	err = pt_unmap(&tables, hpa, PAGE_SIZE);
	spin_unlock(&lock);
	assert(err == 0); /* a page of 4 KiB needs no table to be divided */
	tlb_flush_all_cpus();
}

/* Source: SDM 3 "Operations that Invalidate TLBs and Paging-Structure Caches": a change of CR4.PGE takes global ones too. */
void paging_flush(void)
{
	uint64_t cr4 = read_cr4();

	if (cr4 & CR4_PGE) {
		write_cr4(cr4 & ~CR4_PGE);
		write_cr4(cr4);
	} else {
		write_cr3(read_cr3());
	}
}

int paging_check_wx(struct pt_leaf *offender)
{
	return pt_check_wx(&tables, &text, offender);
}

int paging_for_each(pt_visit_fn *visit, void *ctx)
{
	return pt_for_each(&tables, visit, ctx);
}

uint64_t paging_table_bytes(void)
{
	return tables.tables * PAGE_SIZE;
}

bool paging_is_mapped(uint64_t va)
{
	struct pt_leaf leaf;

	return tables.root && pt_lookup(&tables, va, &leaf) == 0;
}
