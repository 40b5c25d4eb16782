/* What needs 64-bit code: guest-physical memory at each GiB behind the first four, by pages of 1 GiB, and MSRs far from those
 * that there are. SDM 3 "4-Level Paging and 5-Level Paging". The loops are in long.asm. */
#include "guests/hostile/hostile.h"

#define PTE_P 0x1ull
#define PTE_W 0x2ull
#define PTE_PS 0x80ull
#define SEL_CODE64 0x18u
#define GATE_INTERRUPT 0x8e00u
#define VECTOR_GP 13
#define VECTOR_PF 14
/* The tables show so much: what the processor has no address bits for faults. */
#define TABLES 2u
#define MAPPED_GIB (TABLES * 512u)

struct long_job {
	uint64_t first, step, count;
	uint32_t tried, faults, answered, written, other;
};

uint64_t long_pml4[512] ALIGNED(4096);
uint32_t long_idt[32][4] ALIGNED(16);
static uint64_t pointers[TABLES][512] ALIGNED(4096);

void long_call(void (*fn)(void), struct long_job *job);
void long_memory(void);
void long_msrs(void);
void long_fault(void);
void long_fault_other(void);

static void make_tables(void)
{
	for (unsigned i = 0; i < TABLES; i++) {
		long_pml4[i] = (uint32_t)(uintptr_t)pointers[i] | PTE_W | PTE_P;
		for (unsigned j = 0; j < 512; j++)
			pointers[i][j] = (i * 512 + j) * GIB | PTE_PS | PTE_W | PTE_P;
	}
	for (unsigned i = 0; i < ARRAY_LEN(long_idt); i++) {
		uint32_t at = (uint32_t)(uintptr_t)(i == VECTOR_GP || i == VECTOR_PF ? long_fault : long_fault_other);

		long_idt[i][0] = SEL_CODE64 << 16 | (at & 0xffff);
		long_idt[i][1] = (at & 0xffff0000) | GATE_INTERRUPT;
	}
}

static void run(void (*fn)(void), struct long_job *job, uint64_t first, uint64_t step, uint64_t count)
{
	job->first = first;
	job->step = step;
	job->count = count;
	long_call(fn, job);
}

/* The first and the last bytes of each GiB. */
static void memory(void)
{
	struct long_job job = {0};

	run(long_memory, &job, 4 * GIB, GIB, MAPPED_GIB - 4);
	run(long_memory, &job, 5 * GIB - 8, GIB, MAPPED_GIB - 4);
	print("hostile: long: %u places touched, %u faults, %u answered, %u faults other than #PF\n", job.tried,
	      job.faults, job.answered, job.other);
}

/* All over the 32 bits, and around each power of two behind the ranges that processors use. */
static void far_msrs(void)
{
	struct long_job job = {0};

	run(long_msrs, &job, 0x8001, 0x40001, 0x3fff);
	for (unsigned bit = 15; bit < 32; bit++)
		run(long_msrs, &job, (1ull << bit) - 32, 1, 64);
	print("hostile: long: %u MSRs tried, %u readable, %u took a write, %u faults other than #GP\n", job.tried,
	      job.answered, job.written, job.other);
}

/* These hold addresses: the guest has them for its own, and one that is not canonical is a fault all the same. */
static void address_msrs(void)
{
	static const uint32_t msrs[] = {0x175, 0x176, 0xc0000082, 0xc0000083, 0xc0000100, 0xc0000101, 0xc0000102};
	struct long_job job = {0};

	for (unsigned i = 0; i < ARRAY_LEN(msrs); i++)
		run(long_msrs, &job, msrs[i], 1, 1);
	print("hostile: long: %u MSRs for addresses, %u readable, %u took what is not canonical\n", job.tried,
	      job.answered, job.written);
}

void hostile_long(void)
{
	make_tables();
	memory();
	far_msrs();
	address_msrs();
}
