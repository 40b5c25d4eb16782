/* Making and loading a CPU's own area: see percpu.h. */
#include "arch/x86/percpu.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/paging.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
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
	cpu->timer_at = UINT64_MAX;
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

/* Each CPU's stacks have a slot of the window to themselves; what the slot is longer than the stacks is one more guard. */
#define STACK_SLOT_BYTES 0x20000ull
static_assert(sizeof(struct cpu_stacks) < STACK_SLOT_BYTES, "stacks fit their slot");

static void free_stacks(struct cpu_stacks *stacks)
{
	for (unsigned i = 0; i < CPU_STACK_COUNT; i++) {
		uint64_t base, top;

		cpu_stack_bounds(stacks, (enum cpu_stack)i, &base, &top);
		paging_free_at(base, top - base);
	}
}

/* The guard pages are simply never mapped. */
static int alloc_stacks(struct cpu_stacks *stacks)
{
	for (unsigned i = 0; i < CPU_STACK_COUNT; i++) {
		uint64_t base, top;
		int err;

		cpu_stack_bounds(stacks, (enum cpu_stack)i, &base, &top);
		err = paging_alloc_at(base, top - base);
		if (err) {
			free_stacks(stacks); /* those that are not there are passed over */
			return err;
		}
	}
	return 0;
}

/* The area of a CPU that is going to be started: what percpu_load() loads there, and stacks with guard pages.
 * index: 1 to CPU_MAX - 1, not in use. pages: for the area itself; the stacks come from paging's.
 * Returns 0; ERR_RANGE, ERR_EXIST; ERR_NOMEM: nothing is left behind. Context: after paging_init(). */
int percpu_create(uint32_t index, uint32_t apic_id, const struct page_source *pages, struct percpu **out)
{
	struct cpu_stacks *stacks = (struct cpu_stacks *)(STACK_WINDOW_BASE + index * STACK_SLOT_BYTES);
	struct percpu *cpu;

	static_assert(sizeof(*cpu) <= PAGE_SIZE, "a page holds it");
	if (index == 0 || index >= CPU_MAX)
		return ERR_RANGE;
	if (percpu_get(index) != NULL)
		return ERR_EXIST;
	cpu = pages->alloc(pages->ctx, 0);
	if (!cpu)
		return ERR_NOMEM;
	if (alloc_stacks(stacks) != 0) {
		pages->free(pages->ctx, cpu, 0);
		return ERR_NOMEM;
	}
	fill(cpu, index, apic_id, stacks);
	*out = cpu;
	return 0;
}

/* Undo percpu_create(). Context: the CPU has never come up, or will never run again. */
void percpu_destroy(struct percpu *cpu, const struct page_source *pages)
{
	__atomic_store_n(&cpus[cpu->index], NULL, __ATOMIC_RELEASE);
	free_stacks(cpu->stacks);
	pages->free(pages->ctx, cpu, 0);
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
