/* Guest-physical addresses that are not RAM: above its end, in the holes, and, through a window of PAE page tables, at every
 * distance up to the end of the physical address space, by pages of 4 KiB and of 2 MiB. SDM 3 "PAE Paging". */
#include "guests/hostile/hostile.h"

#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_PS 0x80ull
#define CR4_PAE 0x20u
#define CR0_PG 0x80000000u
/* Where the window is: the last 4 MiB; the first half maps by a 2 MiB page, the second by one of 4 KiB. */
#define WINDOW_2M 0xffc00000u
#define WINDOW_4K 0xffe00000u

static uint64_t pointers[4] ALIGNED(32);
static uint64_t directories[4][512] ALIGNED(4096);
static uint64_t small[512] ALIGNED(4096);

struct memory_sums {
	uint32_t touched, faults, answered;
};

static void paging_on(void)
{
	uint32_t cr4, cr0;

	for (unsigned i = 0; i < 4; i++) {
		pointers[i] = (uint32_t)(uintptr_t)directories[i] | PTE_P;
		for (unsigned j = 0; j < 512; j++)
			directories[i][j] = ((uint64_t)i << 30 | (uint64_t)j << 21) | PTE_PS | PTE_W | PTE_P;
	}
	directories[3][511] = (uint32_t)(uintptr_t)small | PTE_W | PTE_P;
	__asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
	__asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_PAE | 0x10));
	__asm__ volatile("mov %0, %%cr3" : : "r"(pointers) : "memory");
	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 | CR0_PG) : "memory");
}

static void paging_off(void)
{
	uint32_t cr0;

	__asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
	__asm__ volatile("mov %0, %%cr0" : : "r"(cr0 & ~CR0_PG) : "memory");
}

static void flush(void)
{
	__asm__ volatile("mov %%cr3, %%eax; mov %%eax, %%cr3" : : : "eax", "memory");
}

struct touch {
	uint32_t at;
	uint32_t seen;
};

static void do_touch(void *arg)
{
	struct touch *t = arg;

	t->seen = *(volatile uint32_t *)(uintptr_t)t->at;
	t->seen &= 0xffffff00u | *(volatile uint8_t *)(uintptr_t)t->at;
	t->seen &= 0xffff0000u | *(volatile uint16_t *)(uintptr_t)t->at;
	*(volatile uint32_t *)(uintptr_t)t->at = 0x5a5a5a5a;
	*(volatile uint16_t *)(uintptr_t)(t->at + 4) = 0xa5a5;
	*(volatile uint8_t *)(uintptr_t)(t->at + 7) = 0xff;
}

static void touch(struct memory_sums *s, uint32_t at)
{
	struct touch t = {at, 0};

	s->touched++;
	if (trap_try(do_touch, &t) >= 0)
		s->faults++;
	else
		s->answered += t.seen != 0xffffffffu;
}

static void touch_gpa(struct memory_sums *s, uint64_t gpa)
{
	directories[3][510] = (gpa & ~0x1fffffull) | PTE_PS | PTE_W | PTE_P;
	small[0] = (gpa & ~0xfffull) | PTE_W | PTE_P;
	flush();
	touch(s, WINDOW_2M + (uint32_t)(gpa & 0x1ffff8));
	touch(s, WINDOW_4K + (uint32_t)(gpa & 0xff8));
}

static unsigned physical_bits(void)
{
	uint32_t r[4];

	cpuid(0x80000000, 0, r);
	if (r[0] < 0x80000008)
		return 36;
	cpuid(0x80000008, 0, r);
	return r[0] & 0xff;
}

/* Beyond RAM's end: the first page, and one at every distance of 4 KiB, 2 MiB, 1 GiB. */
static void touch_above(struct memory_sums *s, uint64_t end)
{
	for (unsigned shift = 12; shift <= 30; shift += 9)
		for (unsigned i = 0; i < 16; i++)
			touch_gpa(s, end + ((uint64_t)i << shift));
}

/* Is it RAM, or the local APIC, where ones would be taken for what they say? */
static bool is_own(uint64_t gpa, uint64_t ram_end)
{
	return gpa < 0xa0000 || (gpa >= 0x100000 && gpa < ram_end) || (gpa >= 0xfee00000ull && gpa < 0xfee01000ull);
}

static void touch_low(struct memory_sums *s, uint64_t ram_end)
{
	for (uint64_t gpa = 0xa0000; gpa < 0x100000; gpa += 0x1000)
		touch_gpa(s, gpa);
	for (uint64_t gpa = 0xfec00000ull; gpa < 0x100000000ull; gpa += 0x10000)
		if (!is_own(gpa, ram_end))
			touch_gpa(s, gpa);
}

/* Each power of two, from both sides, up to what page-table entries can hold: beyond the processor's width they fault. */
static void touch_far(struct memory_sums *s, uint64_t ram_end)
{
	for (unsigned bit = 20; bit < 52; bit++) {
		uint64_t gpa = 1ull << bit;

		if (!is_own(gpa, ram_end))
			touch_gpa(s, gpa);
		if (!is_own(gpa - 8, ram_end))
			touch_gpa(s, gpa - 8);
		touch_gpa(s, gpa | 0xf0000000);
	}
}

void hostile_memory(void)
{
	struct memory_sums s = {0, 0, 0};
	uint64_t ram_end = guest_ram_end();

	paging_on();
	touch_above(&s, ram_end);
	touch_low(&s, ram_end);
	touch_far(&s, ram_end);
	paging_off();
	print("hostile: memory: %u addresses touched, %u faults, %u answered, %u physical bits\n", s.touched, s.faults,
	      s.answered, physical_bits());
}
