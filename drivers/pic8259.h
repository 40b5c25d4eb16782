/* The pair of 8259 interrupt controllers: silenced where there is an I/O APIC, used where there is none. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/regs/pic8259.h"

struct pic8259 {
	const struct hw_io *hw;
	uint16_t mask; /* bit n: IRQ n is off */
};

void pic_init(struct pic8259 *p, const struct hw_io *hw, uint8_t vector_base);
void pic_mask(struct pic8259 *p, unsigned irq);
void pic_unmask(struct pic8259 *p, unsigned irq);
bool pic_spurious(struct pic8259 *p, unsigned irq);
void pic_eoi(struct pic8259 *p, unsigned irq);
