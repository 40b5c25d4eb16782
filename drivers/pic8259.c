/* The 8259 pair. Follows Intel's 8259A data sheet "Initialization Command Words" and "Operation Command Words". */
#include "drivers/pic8259.h"

static void write_mask(const struct pic8259 *p)
{
	hw_out8(p->hw, PIC_MASTER_DATA, p->mask & 0xff);
	hw_out8(p->hw, PIC_SLAVE_DATA, p->mask >> 8);
}

/* Initialise both, all inputs masked. Also where they are not to be used: they still may raise spurious interrupts, and those
 * must not come as exceptions.
 * vector_base: vector of IRQ 0, a multiple of 8; IRQ 8 gets 8 more. */
void pic_init(struct pic8259 *p, const struct hw_io *hw, uint8_t vector_base)
{
	*p = (struct pic8259){.hw = hw, .mask = 0xffff};
	hw_out8(hw, PIC_MASTER_CMD, PIC_ICW1_INIT | PIC_ICW1_IC4);
	hw_out8(hw, PIC_SLAVE_CMD, PIC_ICW1_INIT | PIC_ICW1_IC4);
	hw_out8(hw, PIC_MASTER_DATA, vector_base);
	hw_out8(hw, PIC_SLAVE_DATA, vector_base + 8u);
	hw_out8(hw, PIC_MASTER_DATA, PIC_ICW3_MASTER);
	hw_out8(hw, PIC_SLAVE_DATA, PIC_ICW3_SLAVE);
	hw_out8(hw, PIC_MASTER_DATA, PIC_ICW4_8086);
	hw_out8(hw, PIC_SLAVE_DATA, PIC_ICW4_8086);
	write_mask(p);
}

/* irq: 0 to 15. */
void pic_mask(struct pic8259 *p, unsigned irq)
{
	p->mask = (uint16_t)(p->mask | 1u << irq);
	write_mask(p);
}

/* The second controller's inputs need the first one's cascade input. */
void pic_unmask(struct pic8259 *p, unsigned irq)
{
	p->mask = (uint16_t)(p->mask & ~(1u << irq));
	if (irq >= 8)
		p->mask = (uint16_t)(p->mask & ~(1u << PIC_CASCADE_IRQ));
	write_mask(p);
}

/* An input that falls silent too early is reported as the lowest priority, IRQ 7 or 15, without being in service. Such a one
 * gets no EOI; but a spurious IRQ 15 has put the first controller's cascade into service, which is acknowledged here. */
bool pic_spurious(struct pic8259 *p, unsigned irq)
{
	unsigned command = irq < 8 ? PIC_MASTER_CMD : PIC_SLAVE_CMD;

	if (irq % 8 != PIC_SPURIOUS_LEVEL)
		return false;
	hw_out8(p->hw, command, PIC_OCW3_READ_ISR);
	if (hw_in8(p->hw, command) & (1u << PIC_SPURIOUS_LEVEL))
		return false;
	if (irq >= 8)
		hw_out8(p->hw, PIC_MASTER_CMD, PIC_OCW2_SPECIFIC_EOI | PIC_CASCADE_IRQ);
	return true;
}

/* Acknowledge an interrupt. */
void pic_eoi(struct pic8259 *p, unsigned irq)
{
	if (irq >= 8) {
		hw_out8(p->hw, PIC_SLAVE_CMD, PIC_OCW2_SPECIFIC_EOI | (irq - 8));
		irq = PIC_CASCADE_IRQ;
	}
	hw_out8(p->hw, PIC_MASTER_CMD, PIC_OCW2_SPECIFIC_EOI | irq);
}
