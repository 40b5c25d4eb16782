/* One CPU changes a page's mapping while all others read the page; told by an interrupt, they forget the old one. After the
 * last has said so nobody may see the old page: SDM 3 "Propagation of Paging-Structure Changes to Multiple Processors". */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define ROUNDS 40u
#define FRAMES 4u
#define PAGE_AT 0x80000000u
#define PTE_P_W 0x3u
#define PDE_4M 0x80u
#define PDE_UNCACHED 0x18u
#define REGISTERS_FROM 0xfe000000u
#define CR4_PSE 0x10u
#define CR0_PG 0x80000000u

static uint32_t directory[1024] ALIGNED(4096);
static uint32_t table[1024] ALIGNED(4096);
static uint32_t frames[FRAMES][1024] ALIGNED(4096);
static bool paging;

/* Even: stable, and the page is that of `sequence / 2`. Odd: it is being changed. */
static volatile uint32_t sequence, acknowledged, reads;
static volatile bool over;

static void make_tables(void)
{
	for (uint32_t i = 0; i < 1024; i++) {
		uint32_t at = i << 22;

		directory[i] = at | PDE_4M | PTE_P_W | (at >= REGISTERS_FROM ? PDE_UNCACHED : 0);
	}
	directory[PAGE_AT >> 22] = (uint32_t)(uintptr_t)table | PTE_P_W;
	for (uint32_t i = 0; i < FRAMES; i++)
		frames[i][0] = i;
	table[0] = (uint32_t)(uintptr_t)frames[0] | PTE_P_W;
}

void paging_join(void)
{
	uint32_t v;

	if (!paging)
		return;
	__asm__ volatile("mov %%cr4, %0" : "=r"(v));
	__asm__ volatile("mov %0, %%cr4" : : "r"(v | CR4_PSE));
	__asm__ volatile("mov %0, %%cr3" : : "r"(directory) : "memory");
	__asm__ volatile("mov %%cr0, %0" : "=r"(v));
	__asm__ volatile("mov %0, %%cr0" : : "r"(v | CR0_PG) : "memory");
}

static void forget_page(void)
{
	__asm__ volatile("invlpg (%0)" : : "r"(PAGE_AT) : "memory");
}

static void on_shoot(struct trap_frame *f)
{
	(void)f;
	forget_page();
	fetch_add(&acknowledged, 1);
	apic_eoi();
}

static uint32_t read_page(void)
{
	return *(volatile uint32_t *)PAGE_AT;
}

static void read_on(void)
{
	irq_on();
	while (!over) {
		uint32_t before = sequence, seen = read_page();

		if (before & 1 || before != sequence)
			continue;
		smp_check(seen == before / 2 % FRAMES, "an old page was seen (page, sequence)", seen, before);
		fetch_add(&reads, 1);
	}
	irq_off();
}

static bool all_acknowledged(void *arg)
{
	(void)arg;
	return acknowledged == smp_count - 1;
}

/* Each round waits for a read, so that whoever reads has the mapping in its TLB. */
static bool change(uint32_t round)
{
	uint32_t seen = reads;

	if (smp_count > 1 && !smp_reaches(&reads, seen + 1))
		return false;
	acknowledged = 0;
	sequence++;
	table[0] = (uint32_t)(uintptr_t)frames[round % FRAMES] | PTE_P_W;
	forget_page();
	apic_icr(0, LAPIC_ICR_TO_OTHERS | LAPIC_ICR_ASSERT | SMP_VECTOR_SHOOT);
	if (!smp_until(all_acknowledged, NULL))
		return false;
	sequence++;
	smp_check(read_page() == round % FRAMES, "the changer itself sees an old page", read_page(), round);
	return true;
}

void item_shootdown(void)
{
	uint32_t rounds = guest_number("rounds", ROUNDS), round;
	uint64_t begin;

	make_tables();
	paging = true;
	smp_on_all(paging_join);
	trap_set(SMP_VECTOR_SHOOT, on_shoot);
	sequence = 0;
	over = false;
	forget_page();
	for (unsigned i = 1; i < smp_count; i++)
		smp_give(i, read_on);
	begin = rdtsc();
	for (round = 1; round <= rounds; round++)
		if (!change(round))
			break;
	smp_check(round > rounds, "no acknowledgement (round, of them)", round, acknowledged);
	smp_figure("shootdown", divide(rdtsc() - begin, rounds));
	over = true;
	for (unsigned i = 1; i < smp_count; i++)
		smp_wait(i);
}
