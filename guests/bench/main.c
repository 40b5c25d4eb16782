/* The loop and the figures. An operation is a function called through a pointer, as kvm-unit-tests' `vmexit` does it; call,
 * return and loop are part of the figure, and `loop` shows how much they are. */
#include "guests/bench/bench.h"

#include "drivers/regs/uart16550.h"

#define CALM_TICKS 1000000u

static void __attribute__((noinline)) repeat(void (*op)(void), uint32_t count)
{
	for (; count > 0; count--)
		op();
}

static uint32_t timed(void (*op)(void), uint32_t count)
{
	uint64_t begin = rdtsc();

	repeat(op, count);
	return (uint32_t)(rdtsc() - begin);
}

void bench_report(const char *name, uint32_t count, uint32_t mean)
{
	print("bench %s %u %u\n", name, count, mean);
}

void bench_skip(const char *name, const char *why)
{
	print("skip %s %s\n", name, why);
}

static void call(void *arg)
{
	const struct bench *b = arg;

	b->op();
}

/* Until the machine's serial port has sent what was printed: its interrupts are not to come in between. (One that comes
 * while an interrupt waits for IF makes Bochs deliver that one before its time, and HLT then waits for ever.) A look at the
 * port leaves the guest: a hypervisor that shows its console in time of its own, and has no preemption timer, gets it so. */
static void calm(void)
{
	for (uint64_t begin = rdtsc(); rdtsc() - begin < CALM_TICKS;)
		(void)inb(UART_COM1_BASE + UART_LSR);
}

static void run(const struct bench *b)
{
	uint32_t best = UINT32_MAX, sum = 0;
	struct bench copy = *b;
	int vector = trap_try(call, &copy);

	if (vector >= 0) {
		print("skip %s exception %d\n", b->name, vector);
		return;
	}
	bench_lost = false;
	calm();
	for (uint32_t i = 0; i < b->batches; i++) {
		uint32_t ticks = timed(b->op, b->batch);

		best = ticks < best ? ticks : best;
		sum += ticks / b->batch;
		if (bench_lost) {
			bench_skip(b->name, "its interrupt never came");
			return;
		}
	}
	bench_report(b->name, (best + b->batch / 2u) / b->batch, sum / b->batches);
}

void bench_run(const struct bench *list, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (bench_wanted(list[i].name))
			run(&list[i]);
	}
}

void guest_main(void)
{
	print("bench: begin\n");
	bench_processor();
	bench_ports();
	bench_memory();
	bench_xapic();
	bench_x2apic();
	bench_name_the_unknown();
	print("bench: done\n");
}
