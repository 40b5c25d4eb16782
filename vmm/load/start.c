/* The processor state in which loaded kernels begin, as Linux's Documentation/arch/x86/boot.rst, "32-bit Boot Protocol" and
 * "64-bit Boot Protocol", ask for it; Multiboot and PVH ask for the same or less. */
#include "vmm/load/loader.h"

#include "kernel/lib/string.h"

/* boot.rst: __BOOT_CS is 0x10, __BOOT_DS is 0x18. */
#define BOOT_CS 0x10
#define BOOT_DS 0x18
#define GDT_ENTRIES 4u

/* Flat segments, accessed bit set. SDM 3 "Segment Descriptors". */
#define DESC_CODE64 0x00af9b000000ffffull
#define DESC_CODE32 0x00cf9b000000ffffull
#define DESC_DATA 0x00cf93000000ffffull

/* SDM 3 "4-Level Paging": present, writable, accessed; a 2 MiB page also dirty. */
#define PT_TABLE 0x23ull
#define PT_PAGE_2M 0xe3ull
#define PT_ENTRIES 512u

/* The map: one top table, one directory-pointer table, four directories of 2 MiB pages. */
#define IDENTITY_DIRECTORIES 4u
#define IDENTITY_PAGES (2u + IDENTITY_DIRECTORIES)

static int put_gdt(struct loader *l, uint64_t code)
{
	const uint64_t gdt[GDT_ENTRIES] = {[BOOT_CS / 8] = code, [BOOT_DS / 8] = DESC_DATA};
	uint64_t gpa;
	int err = loader_claim_highest(l, "GDT", sizeof(gdt), 16, LOADER_LOW_BASE, LOADER_LOW_END, &gpa);

	if (err)
		return err;
	l->start->gdt_base = gpa;
	l->start->gdt_limit = sizeof(gdt) - 1;
	l->start->cs = BOOT_CS;
	l->start->ds = BOOT_DS;
	return loader_put(l, "GDT", gpa, gdt, sizeof(gdt));
}

static int put_table(struct loader *l, uint64_t gpa, uint64_t first, uint64_t step, unsigned used)
{
	/* One page cannot lie across two blocks of guest memory. */
	uint64_t *table = guest_mem_ptr(l->mem, gpa, PAGE_SIZE);

	if (!table)
		return loader_fail(l, ERR_RANGE, "page tables: guest memory at 0x%llx cannot be written",
				   (unsigned long long)gpa);
	memset(table, 0, PAGE_SIZE);
	for (unsigned i = 0; i < used; i++)
		table[i] = first + i * step;
	return 0;
}

static int put_page_tables(struct loader *l)
{
	uint64_t top, directories;
	int err = loader_claim_highest(l, "page tables", IDENTITY_PAGES * PAGE_SIZE, PAGE_SIZE, LOADER_LOW_BASE,
				       LOADER_LOW_END, &top);

	if (err)
		return err;
	directories = top + 2 * PAGE_SIZE;
	err = put_table(l, top, (top + PAGE_SIZE) | PT_TABLE, 0, 1);
	if (!err)
		err = put_table(l, top + PAGE_SIZE, directories | PT_TABLE, PAGE_SIZE, IDENTITY_DIRECTORIES);
	for (unsigned i = 0; !err && i < IDENTITY_DIRECTORIES; i++)
		err = put_table(l, directories + i * PAGE_SIZE, i * PAGE_SIZE_1G | PT_PAGE_2M, PAGE_SIZE_2M,
				PT_ENTRIES);
	l->start->cr3 = top;
	return err;
}

static int begin(struct loader *l, enum start_mode mode, uint64_t entry)
{
	memset(l->start, 0, sizeof(*l->start));
	if (entry >= LOADER_4G || !loader_is_claimed(l, entry))
		return loader_fail(l, ERR_RANGE, "kernel: the entry 0x%llx lies outside of what was loaded",
				   (unsigned long long)entry);
	l->start->mode = mode;
	l->start->rip = entry;
	return 0;
}

int loader_start_protected32(struct loader *l, uint64_t entry)
{
	int err = begin(l, START_PROTECTED32, entry);

	return err ? err : put_gdt(l, DESC_CODE32);
}

int loader_start_long64(struct loader *l, uint64_t entry)
{
	int err = begin(l, START_LONG64, entry);

	if (!err)
		err = put_page_tables(l);
	return err ? err : put_gdt(l, DESC_CODE64);
}
