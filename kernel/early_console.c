/* Polled output on COM1 and port 0xe9: see early_console.h. Privileged: it drives ports. */
#include "kernel/early_console.h"

#include "arch/x86/insn.h"
#include "drivers/regs/uart16550.h"

#define DEBUG_PORT 0xe9u     /* Bochs and QEMU: reads as its own number when somebody listens */
#define WAIT_ROUNDS 1000000u /* a transmitter that takes longer than this is not there */

static bool has_uart;
static bool has_debug_port;

static void uart_write(unsigned reg, unsigned v)
{
	outb((uint16_t)(UART_COM1_BASE + reg), (uint8_t)v);
}

static uint8_t uart_read(unsigned reg)
{
	return inb((uint16_t)(UART_COM1_BASE + reg));
}

/* 115200 baud, 8N1, FIFO on, no interrupts. Nothing happens where there is no UART. */
void early_console_init(void)
{
	has_debug_port = inb(DEBUG_PORT) == DEBUG_PORT;
	uart_write(UART_SCR, 0x5a);
	has_uart = uart_read(UART_SCR) == 0x5a;
	if (!has_uart)
		return;
	uart_write(UART_IER, 0);
	uart_write(UART_LCR, UART_LCR_DLAB | UART_LCR_WLS_8);
	uart_write(UART_DLL, 1);
	uart_write(UART_DLM, 0);
	uart_write(UART_LCR, UART_LCR_WLS_8);
	uart_write(UART_FCR, UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX);
	uart_write(UART_MCR, UART_MCR_DTR | UART_MCR_RTS);
}

static void put(char c)
{
	if (has_debug_port)
		outb(DEBUG_PORT, (uint8_t)c);
	if (!has_uart)
		return;
	for (unsigned i = 0; i < WAIT_ROUNDS && (uart_read(UART_LSR) & UART_LSR_THRE) == 0; i++)
		pause();
	uart_write(UART_THR, (uint8_t)c);
}

/* The shape of a log sink's write function. Line feeds become carriage return and line feed. */
void early_console_write(void *ctx, const char *s, size_t n)
{
	(void)ctx;
	for (size_t i = 0; i < n; i++) {
		if (s[i] == '\n')
			put('\r');
		put(s[i]);
	}
}
