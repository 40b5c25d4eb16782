/* Making and loading a CPU's own area: see percpu.h. */
#include "arch/x86/percpu.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

/* boot/layout.inc: entry.asm starts on this stack. */
static_assert(offsetof(struct cpu_stacks, main) + CPU_STACK_MAIN_BYTES == 0x9000, "BSP_STACK_TOP");
static_assert(offsetof(struct percpu, self) == 0, "this_cpu() reads it");
static_assert(sizeof(struct cpu_stacks) % PAGE_SIZE == 0, "stacks and guards are pages");

struct percpu bsp_percpu;
struct cpu_stacks bsp_stacks SECTION(".bss.pages") ALIGNED(4096);

static struct percpu *cpus[CPU_MAX];

/* Bounds of one of a CPU's stacks. The top is where it begins, as stacks grow down. */
void cpu_stack_bounds(const struct cpu_stacks *s, enum cpu_stack which, uint64_t *base, uint64_t *top)
{
	bool is_main = which == CPU_STACK_MAIN;
	const uint8_t *low = is_main ? s->main : s->ist[which - 1].stack;

	*base = (uint64_t)(uintptr_t)low;
	*top = *base + (is_main ? CPU_STACK_MAIN_BYTES : CPU_STACK_IST_BYTES);
}

static uint64_t stack_top(const struct cpu_stacks *s, enum cpu_stack which)
{
	uint64_t base, top;

	cpu_stack_bounds(s, which, &base, &top);
	return top;
}

static void fill(struct percpu *cpu, uint32_t index, uint32_t apic_id, struct cpu_stacks *stacks)
{
	memset(cpu, 0, sizeof(*cpu));
	cpu->self = cpu;
	cpu->index = index;
	cpu->apic_id = apic_id;
	cpu->stacks = stacks;
	cpu->tss.ist[IST_NMI - 1] = stack_top(stacks, CPU_STACK_NMI);
	cpu->tss.ist[IST_DOUBLE_FAULT - 1] = stack_top(stacks, CPU_STACK_DOUBLE_FAULT);
	cpu->tss.ist[IST_MACHINE_CHECK - 1] = stack_top(stacks, CPU_STACK_MACHINE_CHECK);
	gdt_init(&cpu->gdt, &cpu->tss);
	__atomic_store_n(&cpus[index], cpu, __ATOMIC_RELEASE);
}

/* The area of the CPU that booted; it stays on the stack it is on. The APIC's number is filled in by who learns it. */
struct percpu *percpu_init_bsp(void)
{
	fill(&bsp_percpu, 0, 0, &bsp_stacks);
	return &bsp_percpu;
}

/* Make this CPU use its area: segments, TSS, GS.
 * Context: the CPU itself, once, interrupts off. */
void percpu_load(struct percpu *cpu)
{
	gdt_load(&cpu->gdt);
	wrmsr(MSR_GS_BASE, (uint64_t)(uintptr_t)cpu);
}

/* index: of the CPU. NULL when there is none. */
struct percpu *percpu_get(uint32_t index)
{
	return index < CPU_MAX ? __atomic_load_n(&cpus[index], __ATOMIC_ACQUIRE) : NULL;
}

uint32_t percpu_count(void)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < CPU_MAX; i++)
		n += percpu_get(i) != NULL;
	return n;
}
