/* Counts what it gets done: units of the same work in each second of `tsc=N` ticks, for `seconds=N` seconds; and the longest time
 * that passed between two units, in ticks, which is how long others had the CPU. */
#include "guests/lib/guest.h"

#define UNIT_TURNS 500u

static volatile uint32_t result;

static void unit(void)
{
	uint32_t x = result;

	for (uint32_t i = 0; i < UNIT_TURNS; i++)
		x = x * 1664525u + 1013904223u;
	result = x;
}

static uint32_t longest;

/* Units done until the TSC says so. */
static uint32_t work_until(uint64_t end)
{
	uint64_t before = rdtsc(), now;
	uint32_t units = 0;

	do {
		unit();
		units++;
		now = rdtsc();
		if (now - before > longest)
			longest = (uint32_t)(now - before);
		before = now;
	} while (now < end);
	return units;
}

void guest_main(void)
{
	uint32_t tsc = guest_number("tsc", 20000000), seconds = guest_number("seconds", 5), sum = 0;
	uint64_t end = rdtsc();

	print("worker: begins\n");
	for (uint32_t i = 1; i <= seconds; i++) {
		uint32_t units = work_until(end += tsc);

		print("worker: second %u, work %u\n", i, units);
		sum += units;
	}
	print("worker: done, work %u, longest gap %u\n", sum, longest);
}
