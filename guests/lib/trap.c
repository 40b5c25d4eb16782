/* The tiny guests' IDT and 8259s. An exception that nobody expects is printed and ends the guest. */
#include "guests/lib/guest.h"
#include "guests/lib/internal.h"

#include "drivers/regs/pic8259.h"

#define IRQ_VECTOR 32u
#define IRQS 16u

/* SDM 3 "IDT Descriptors": a 32-bit interrupt gate. */
struct gate {
	uint16_t offset_low, selector, type, offset_high;
};
#define GATE_INTERRUPT32 0x8e00u

extern char trap_entries[];

static struct gate idt[256];
static void (*handlers[256])(struct trap_frame *f);
static void (*irq_handlers[IRQS])(void);

void trap_set(unsigned vector, void (*handler)(struct trap_frame *f))
{
	handlers[vector] = handler;
}

static uint32_t read_cr2(void)
{
	uint32_t v;

	__asm__ volatile("mov %%cr2, %0" : "=r"(v));
	return v;
}

static void end_of_interrupt(unsigned irq)
{
	if (irq >= 8)
		outb(PIC_SLAVE_CMD, PIC_OCW2_NONSPECIFIC_EOI);
	outb(PIC_MASTER_CMD, PIC_OCW2_NONSPECIFIC_EOI);
}

void trap_dispatch(struct trap_frame *f)
{
	unsigned irq = f->vector - IRQ_VECTOR;

	if (f->vector < 256 && handlers[f->vector]) {
		handlers[f->vector](f);
		return;
	}
	if (f->vector >= IRQ_VECTOR && irq < IRQS && irq_handlers[irq]) {
		irq_handlers[irq]();
		end_of_interrupt(irq);
		return;
	}
	print("\ntrap: vector %u, error 0x%x, at %08x, cr2 %08x\n", f->vector, f->error, f->eip, read_cr2());
	power_off(99);
}

static void pic_init(void)
{
	outb(PIC_MASTER_CMD, PIC_ICW1_INIT | PIC_ICW1_IC4);
	outb(PIC_SLAVE_CMD, PIC_ICW1_INIT | PIC_ICW1_IC4);
	outb(PIC_MASTER_DATA, IRQ_VECTOR);
	outb(PIC_SLAVE_DATA, IRQ_VECTOR + 8);
	outb(PIC_MASTER_DATA, PIC_ICW3_MASTER);
	outb(PIC_SLAVE_DATA, PIC_ICW3_SLAVE);
	outb(PIC_MASTER_DATA, PIC_ICW4_8086);
	outb(PIC_SLAVE_DATA, PIC_ICW4_8086);
	outb(PIC_MASTER_DATA, 0xff);
	outb(PIC_SLAVE_DATA, 0xff);
}

void irq_set(unsigned irq, void (*handler)(void))
{
	uint16_t port = irq < 8 ? PIC_MASTER_DATA : PIC_SLAVE_DATA;

	irq_handlers[irq] = handler;
	outb(port, (uint8_t)(inb(port) & ~(1u << (irq & 7))));
	if (irq >= 8)
		outb(PIC_MASTER_DATA, (uint8_t)(inb(PIC_MASTER_DATA) & ~(1u << PIC_CASCADE_IRQ)));
}

void trap_init(void)
{
	struct PACKED {
		uint16_t limit;
		uint32_t base;
	} pointer = {sizeof(idt) - 1, (uint32_t)(uintptr_t)idt};

	for (unsigned i = 0; i < 256; i++) {
		uint32_t entry = (uint32_t)(uintptr_t)(trap_entries + 16 * i);

		idt[i] = (struct gate){(uint16_t)entry, 0x08, GATE_INTERRUPT32, (uint16_t)(entry >> 16)};
	}
	__asm__ volatile("lidt %0" : : "m"(pointer));
	pic_init();
}
