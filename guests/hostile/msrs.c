/* The MSR space: each MSR of the ranges that processors use is read, then written with what it had, with 0 and with ones. */
#include "guests/hostile/hostile.h"

static const struct {
	uint32_t first, last;
} ranges[] = {
	{0x00000000, 0x00003fff}, {0x40000000, 0x400001ff}, {0x4b564d00, 0x4b564dff}, /* Hyper-V's and KVM's */
	{0xc0000000, 0xc0003fff}, {0xc0010000, 0xc00103ff}, {0x7fffffff, 0x80000001}, {0xfffffffe, 0xffffffff},
};

struct msr_access {
	uint32_t msr;
	uint64_t value;
};

static void try_read(void *arg)
{
	struct msr_access *a = arg;

	a->value = rdmsr(a->msr);
}

static void try_write(void *arg)
{
	struct msr_access *a = arg;

	wrmsr(a->msr, a->value);
}

/* Ones in IA32_APIC_BASE move the APIC, in a PAT make memory of no known type: what comes of it is our own matter, but
 * this program would not see its end. */
static bool is_own(uint32_t msr)
{
	return msr == 0x1b || msr == 0x79 || msr == 0x277;
}

static uint32_t write_as(uint32_t msr, uint64_t value)
{
	struct msr_access a = {msr, value};

	return trap_try(try_write, &a) < 0;
}

void hostile_msrs(void)
{
	uint32_t tried = 0, readable = 0, writable = 0, other = 0;

	for (unsigned i = 0; i < ARRAY_LEN(ranges); i++) {
		for (uint32_t msr = ranges[i].first;; msr++) {
			struct msr_access a = {msr, 0};
			int vector = trap_try(try_read, &a);

			tried++;
			readable += vector < 0;
			other += vector >= 0 && vector != 13;
			if (!is_own(msr)) {
				uint32_t wrote = write_as(msr, ~0ull);

				wrote += write_as(msr, 0);
				wrote += write_as(msr, 1);
				if (vector < 0)
					wrote += write_as(msr, a.value);
				writable += wrote != 0;
			}
			if (msr == ranges[i].last)
				break;
		}
	}
	print("hostile: msrs: %u tried, %u readable, %u took a write, %u faults other than #GP\n", tried, readable,
	      writable, other);
}
