/* Interrupts from each CPU to each set of CPUs, by every way to name them: each has to get it once, and nobody else. SDM 3
 * "Issuing Interprocessor Interrupts" and "Logical Destination Mode in x2APIC Mode". */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"

#define HIT_FIXED (LAPIC_ICR_ASSERT | SMP_VECTOR_HIT)
#define SETTLE 2000u
#define FLAT_CPUS 8u
#define CLUSTER_CPUS 4u
#define X2_CLUSTER_SHIFT 4u
#define BROADCAST (apic_x2 ? 0xffffffffu : 0xffu)

static void on_hit(struct trap_frame *f)
{
	(void)f;
	smp_cpus[smp_self()].hits++;
	apic_eoi();
}

/* One request, and who must get it. */
static struct {
	uint32_t dest, low, to;
} plan;
/* What each CPU has to have got since the item's start. */
static uint32_t expected[SMP_MAX_CPUS];

static void hits_reset(void)
{
	trap_set(SMP_VECTOR_HIT, on_hit);
	for (unsigned i = 0; i < smp_count; i++)
		expected[i] = smp_cpus[i].hits;
}

static void nothing(void)
{
	irq_on();
	smp_pause(SETTLE);
	irq_off();
}

/* Late ones have come by now, as every CPU has been up with interrupts on. */
static void hits_settle(void)
{
	smp_on_all(nothing);
	for (unsigned i = 0; i < smp_count; i++)
		smp_check(smp_cpus[i].hits == expected[i], "got more or fewer than it should", i,
			  smp_cpus[i].hits - expected[i]);
}

/* On the sender. */
static void send_plan(void)
{
	irq_on();
	apic_icr(plan.dest, plan.low);
	for (unsigned i = 0; i < smp_count; i++)
		if (plan.to & 1u << i) {
			expected[i]++;
			smp_check(smp_reaches(&smp_cpus[i].hits, expected[i]), "did not get it", i, plan.low);
		}
	irq_off();
}

static void send(unsigned from, uint32_t dest, uint32_t low, uint32_t to)
{
	plan.dest = dest;
	plan.low = low;
	plan.to = to;
	smp_on(from, send_plan);
}

static uint32_t everybody(void)
{
	return smp_count == 32 ? ~0u : (1u << smp_count) - 1;
}

void item_physical(void)
{
	hits_reset();
	for (unsigned from = 0; from < smp_count; from++) {
		for (unsigned to = 0; to < smp_count; to++)
			send(from, smp_cpus[to].apic_id, HIT_FIXED, 1u << to);
		send(from, BROADCAST, HIT_FIXED, everybody());
		/* To nobody. */
		send(from, apic_x2 ? 0x12345 : 0xe0, HIT_FIXED, 0);
	}
	hits_settle();
}

void item_shorthand(void)
{
	hits_reset();
	for (unsigned from = 0; from < smp_count; from++) {
		send(from, 0, HIT_FIXED | LAPIC_ICR_TO_SELF, 1u << from);
		send(from, 0, HIT_FIXED | LAPIC_ICR_TO_ALL, everybody());
		send(from, 0, HIT_FIXED | LAPIC_ICR_TO_OTHERS, everybody() & ~(1u << from));
	}
	hits_settle();
}

/* The first CPUs get a bit each; the rest none, which are then addressed by nothing. */
static void flat_model(void)
{
	unsigned self = smp_self();

	apic_write(LAPIC_DFR, LAPIC_DFR_FLAT);
	apic_write(LAPIC_LDR, self < FLAT_CPUS ? 1u << (self + LAPIC_LDR_SHIFT) : 0);
	smp_cpus[self].ldr = apic_read(LAPIC_LDR) >> LAPIC_LDR_SHIFT;
}

static void read_ldr(void)
{
	unsigned self = smp_self();
	uint32_t id = smp_cpus[self].apic_id;

	smp_cpus[self].ldr = apic_read(LAPIC_LDR);
	smp_check(smp_cpus[self].ldr == ((id >> X2_CLUSTER_SHIFT) << 16 | 1u << (id & 15)), "LDR is not made of the ID",
		  smp_cpus[self].ldr, id);
}

static uint32_t owners(uint32_t logical)
{
	uint32_t to = 0;

	for (unsigned i = 0; i < smp_count; i++)
		if (smp_cpus[i].ldr & logical & 0xffff && (smp_cpus[i].ldr ^ logical) >> 16 == 0)
			to |= 1u << i;
	return to;
}

/* Single CPUs, then all subsets of the first four, then all by a full mask. */
void item_logical(void)
{
	uint32_t limit = smp_count < 4 ? 1u << smp_count : 16;

	hits_reset();
	smp_on_all(apic_x2 ? read_ldr : flat_model);
	for (unsigned from = 0; from < smp_count; from++) {
		for (unsigned to = 0; to < smp_count; to++)
			if (smp_cpus[to].ldr)
				send(from, smp_cpus[to].ldr, HIT_FIXED | LAPIC_ICR_LOGICAL, 1u << to);
		for (uint32_t mask = 1; mask < limit; mask++)
			send(from, mask, HIT_FIXED | LAPIC_ICR_LOGICAL, owners(mask));
		if (apic_x2)
			send(from, BROADCAST, HIT_FIXED | LAPIC_ICR_LOGICAL, everybody());
		else
			send(from, 0xff, HIT_FIXED | LAPIC_ICR_LOGICAL, owners(0xff));
	}
	hits_settle();
}

/* Four CPUs a cluster: cluster in the upper half, a bit each in the lower. */
static void cluster_model(void)
{
	unsigned self = smp_self();

	apic_write(LAPIC_DFR, LAPIC_DFR_CLUSTER);
	apic_write(LAPIC_LDR, (self / CLUSTER_CPUS << 4 | 1u << self % CLUSTER_CPUS) << LAPIC_LDR_SHIFT);
}

void item_cluster(void)
{
	hits_reset();
	smp_on_all(cluster_model);
	for (unsigned from = 0; from < smp_count; from++)
		for (unsigned cluster = 0; cluster * CLUSTER_CPUS < smp_count; cluster++)
			for (uint32_t mask = 1; mask < 16; mask++)
				send(from, cluster << 4 | mask, HIT_FIXED | LAPIC_ICR_LOGICAL,
				     (mask << cluster * CLUSTER_CPUS) & everybody());
	smp_on_all(flat_model);
	hits_settle();
}

#define LOWEST_ROUNDS 50u

static uint32_t all_hits(void)
{
	uint32_t sum = 0;

	for (unsigned i = 0; i < smp_count; i++)
		sum += smp_cpus[i].hits;
	return sum;
}

static bool more_hits(void *arg)
{
	return all_hits() > *(uint32_t *)arg;
}

/* Lowest priority: exactly one of those named gets it, whichever. */
void item_lowest(void)
{
	uint32_t begin;

	hits_reset();
	smp_on_all(flat_model);
	begin = all_hits();
	irq_on();
	for (uint32_t i = 0; i < LOWEST_ROUNDS; i++) {
		uint32_t before = all_hits();

		apic_icr(0xff, HIT_FIXED | LAPIC_ICR_DM_LOWEST | LAPIC_ICR_LOGICAL);
		smp_check(smp_until(more_hits, &before), "nobody got it", i, 0);
	}
	irq_off();
	smp_on_all(nothing);
	smp_check(all_hits() - begin == LOWEST_ROUNDS, "not one each", all_hits() - begin, LOWEST_ROUNDS);
}

static void self_ipi(void)
{
	unsigned self = smp_self();

	irq_on();
	for (uint32_t i = 0; i < 20; i++) {
		uint32_t before = smp_cpus[self].hits;

		apic_write(LAPIC_SELF_IPI, SMP_VECTOR_HIT);
		smp_check(smp_reaches(&smp_cpus[self].hits, before + 1), "did not come", self, i);
	}
	irq_off();
}

void item_self_ipi(void)
{
	hits_reset();
	for (unsigned i = 0; i < smp_count; i++) {
		smp_on(i, self_ipi);
		expected[i] += 20;
	}
	hits_settle();
}
