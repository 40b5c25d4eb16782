/* Is there a UART at these ports, and which of the family? Asked without sending a character. Follows the PC16550D data
 * sheet ("Modem Control Register", loopback) and what tells the family's members apart (scratch register, FIFO bits). */
#include "drivers/uart16550.h"

static bool scratch_works(const struct hw_io *hw, unsigned base)
{
	hw_out8(hw, base + UART_SCR, 0x5a);
	if (hw_in8(hw, base + UART_SCR) != 0x5a)
		return false;
	hw_out8(hw, base + UART_SCR, 0xa5);
	return hw_in8(hw, base + UART_SCR) == 0xa5;
}

/* In loopback mode the four modem outputs appear at the four inputs: nothing else at a port does that. */
static bool loopback_works(const struct hw_io *hw, unsigned base)
{
	uint8_t mcr = hw_in8(hw, base + UART_MCR), first, second;

	hw_out8(hw, base + UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
	first = hw_in8(hw, base + UART_MSR) & 0xf0;
	hw_out8(hw, base + UART_MCR, UART_MCR_LOOP | UART_MCR_OUT1 | UART_MCR_DTR);
	second = hw_in8(hw, base + UART_MSR) & 0xf0;
	hw_out8(hw, base + UART_MCR, mcr & UART_MCR_MASK & ~UART_MCR_LOOP);
	return first == (UART_MSR_DCD | UART_MSR_CTS) && second == (UART_MSR_RI | UART_MSR_DSR);
}

/* What sits at base. Leaves the interrupts off, the divisor latch closed and the FIFOs as they were set.
 * Context: nobody uses the port. */
enum uart_type uart_detect(const struct hw_io *hw, uint16_t base)
{
	unsigned fifo;

	hw_out8(hw, base + UART_LCR, hw_in8(hw, base + UART_LCR) & ~UART_LCR_DLAB & 0xffu);
	hw_out8(hw, base + UART_IER, 0);
	if ((hw_in8(hw, base + UART_IER) & ~UART_IER_MASK) != 0 || !loopback_works(hw, base))
		return UART_TYPE_NONE;
	if (!scratch_works(hw, base))
		return UART_TYPE_8250;
	hw_out8(hw, base + UART_FCR, UART_FCR_ENABLE);
	fifo = hw_in8(hw, base + UART_IIR) & UART_IIR_FIFO_MASK;
	if (fifo == 0)
		return UART_TYPE_16450;
	return fifo == UART_IIR_FIFO_ON ? UART_TYPE_16550A : UART_TYPE_16550;
}
