/* `cpus=N` says how many CPUs there are. Items run with the APIC as memory first, then, where the processor has it, as MSRs;
 * `only=N` runs the item of that number alone, `rounds=N` sets how often the long ones repeat, the word notsc leaves out what
 * needs synchronous TSCs. do=storm and do=spin make it a neighbour that never ends, see storm.c. Prints "smp: PASS NAME" or
 * "smp: FAIL NAME", and "smp: done, P passed, F failed". */
#include "guests/smp/smp.h"

#include "drivers/regs/lapic.h"
#include "drivers/regs/pit8254.h"

#define EVERY 0u
#define X1_ONLY 1u /* only with the APIC as memory */
#define X2_ONLY 2u
#define NEEDS_TSC 4u

static const struct item {
	const char *name;
	void (*run)(void);
	unsigned when;
} items[] = {
	{"start", item_start, X1_ONLY},       {"physical", item_physical, EVERY},
	{"shorthand", item_shorthand, EVERY}, {"logical", item_logical, EVERY},
	{"cluster", item_cluster, X1_ONLY},   {"lowest", item_lowest, X1_ONLY},
	{"self-ipi", item_self_ipi, X2_ONLY}, {"nmi", item_nmi, EVERY},
	{"restart", item_restart, EVERY},     {"parked", item_parked, EVERY},
	{"ping", item_ping, EVERY},           {"lock", item_lock, EVERY},
	{"barrier", item_barrier, X1_ONLY},   {"tsc", item_tsc, X1_ONLY | NEEDS_TSC},
	{"timer", item_timer, EVERY},         {"shootdown", item_shootdown, EVERY},
	{"switch", item_switch, X1_ONLY},
};

static struct smp_lock printing;
static volatile uint32_t failures;
static const char *running, *face;

/* An interrupt in the middle may fail a check too: it must not wait for the CPU that it interrupted. */
static uint32_t print_begin(void)
{
	uint32_t flags;

	__asm__ volatile("pushf; pop %0; cli" : "=r"(flags) : : "memory");
	smp_lock(&printing);
	return flags;
}

static void print_end(uint32_t flags)
{
	smp_unlock(&printing);
	__asm__ volatile("push %0; popf" : : "r"(flags) : "memory", "cc");
}

void smp_check(bool ok, const char *what, uint32_t a, uint32_t b)
{
	uint32_t flags;

	if (ok)
		return;
	fetch_add(&failures, 1);
	flags = print_begin();
	print("smp: %s %s, CPU %u: %s (0x%x, 0x%x)\n", running, face, smp_self(), what, a, b);
	print_end(flags);
}

void smp_figure(const char *what, uint64_t value)
{
	uint32_t flags = print_begin();

	print("smp: figure %s-%s %llu\n", what, face, value);
	print_end(flags);
}

static volatile uint32_t pit_ticks;

static void on_pit(void)
{
	pit_ticks++;
}

/* Against the 8254: 5 ticks at 100 Hz. */
static uint64_t measure_tsc(void)
{
	uint32_t divisor = PIT_HZ / 100;
	uint64_t begin;

	outb(PIT_CONTROL, 0x34); /* counter 0, both bytes, mode 2 */
	outb(PIT_CH0, (uint8_t)divisor);
	outb(PIT_CH0, (uint8_t)(divisor >> 8));
	irq_set(0, on_pit);
	while (pit_ticks < 1)
		irq_wait();
	begin = rdtsc();
	while (pit_ticks < 6)
		irq_wait();
	outb(0x21, 0xff);
	return (rdtsc() - begin) * 20;
}

static unsigned passed, failed;

static void run_item(const struct item *i)
{
	running = i->name;
	failures = 0;
	i->run();
	print("smp: %s %s %s\n", failures ? "FAIL" : "PASS", i->name, face);
	*(failures ? &failed : &passed) += 1;
}

static void run_items(void)
{
	uint32_t only = guest_number("only", ~0u);

	for (unsigned i = 0; i < ARRAY_LEN(items); i++) {
		if ((items[i].when & X1_ONLY && apic_x2) || (items[i].when & X2_ONLY && !apic_x2))
			continue;
		if (items[i].when & NEEDS_TSC && guest_word("notsc"))
			continue;
		if (only == ~0u || only == i || i == 0)
			run_item(&items[i]);
	}
}

/* Each CPU changes over by itself, woken by the old face; until the last one has, that is the one to use. */
static void change_over(void)
{
	wrmsr(MSR_IA32_APIC_BASE_INDEX, rdmsr(MSR_IA32_APIC_BASE_INDEX) | APIC_BASE_EXTD);
}

static void learn_id(void)
{
	apic_enable();
	smp_cpus[smp_self()].apic_id = apic_id();
}

static void run_x2(void)
{
	face = "x2apic";
	smp_on_all(change_over);
	apic_x2 = true;
	learn_id();
	/* An x2APIC ID may be wider, never another one where both exist. */
	smp_on_all(learn_id);
	run_items();
}

void guest_main(void)
{
	face = "xapic";
	smp_tsc_hz = measure_tsc();
	print("smp: TSC %llu Hz\n", smp_tsc_hz);
	running = "start";
	smp_start();
	print("smp: %u CPUs\n", smp_count);
	if (guest_word("do=storm") || guest_word("do=spin"))
		smp_neighbour();
	run_items();
	if (apic_has_x2())
		run_x2();
	print("smp: done, %u passed, %u failed\n", passed, failed);
}
