/* Filling and loading the IDT: see idt.h. */
#include "arch/x86/idt.h"

#include "arch/x86/gdt.h"
#include "arch/x86/insn.h"
#include "arch/x86/regs.h"
#include "kernel/lib/assert.h"

struct idt_gate {
	uint16_t offset_low;
	uint16_t selector;
	uint8_t ist;
	uint8_t type;
	uint16_t offset_mid;
	uint32_t offset_high;
	uint32_t reserved;
};

static_assert(sizeof(struct idt_gate) == 16, "64-bit IDT gate");

#define GATE_INTERRUPT 0x8eu /* present, DPL 0, interrupt gate: IF is off in the handler */
/* As traps.asm lays them out. */
#define STUB_BYTES 4u
#define STUBS_IN_GROUP 32u
#define GROUP_BYTES (STUBS_IN_GROUP * STUB_BYTES + 12)

extern const uint8_t trap_stubs[];

static struct idt_gate idt[VECTOR_COUNT] ALIGNED(4096);

/* The exceptions that may strike while the stack in use is bad, or in the middle of anything. */
static uint8_t ist_of(unsigned vector)
{
	switch (vector) {
	case VECTOR_NMI:
		return IST_NMI;
	case VECTOR_DF:
		return IST_DOUBLE_FAULT;
	case VECTOR_MC:
		return IST_MACHINE_CHECK;
	default:
		return IST_NONE;
	}
}

/* Context: once, on the first CPU, before idt_load(). */
void idt_init(void)
{
	for (unsigned v = 0; v < VECTOR_COUNT; v++) {
		const uint8_t *group = trap_stubs + v / STUBS_IN_GROUP * GROUP_BYTES;
		uint64_t stub = (uint64_t)(uintptr_t)(group + v % STUBS_IN_GROUP * STUB_BYTES);

		idt[v] = (struct idt_gate){
			.offset_low = (uint16_t)stub,
			.selector = SEL_CODE,
			.ist = ist_of(v),
			.type = GATE_INTERRUPT,
			.offset_mid = (uint16_t)(stub >> 16),
			.offset_high = (uint32_t)(stub >> 32),
		};
	}
}

/* Context: each CPU once, after its GDT and TSS are loaded. */
void idt_load(void)
{
	struct table_register r = {.limit = sizeof(idt) - 1, .base = (uint64_t)(uintptr_t)idt};

	lidt(&r);
}
