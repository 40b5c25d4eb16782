/* COM1, polled (16550 data sheet, drivers/regs/uart16550.h), and text on it. */
#include "guests/lib/guest.h"
#include "guests/lib/internal.h"

#include "drivers/regs/uart16550.h"

#include <stdarg.h>

#define COM(reg) ((uint16_t)(UART_COM1_BASE + (reg)))

void serial_init(void)
{
	outb(COM(UART_IER), 0);
	outb(COM(UART_LCR), UART_LCR_DLAB | UART_LCR_WLS_8);
	outb(COM(UART_DLL), 1);
	outb(COM(UART_DLM), 0);
	outb(COM(UART_LCR), UART_LCR_WLS_8);
	outb(COM(UART_FCR), UART_FCR_ENABLE | UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX);
	outb(COM(UART_MCR), UART_MCR_DTR | UART_MCR_RTS);
}

void serial_drain(void)
{
	while (!(inb(COM(UART_LSR)) & UART_LSR_TEMT))
		;
}

void put_char(char c)
{
	if (c == '\n')
		put_char('\r');
	while (!(inb(COM(UART_LSR)) & UART_LSR_THRE))
		;
	outb(COM(UART_THR), (uint8_t)c);
}

int poll_char(void)
{
	return inb(COM(UART_LSR)) & UART_LSR_DR ? inb(COM(UART_RBR)) : -1;
}

uint8_t get_char(void)
{
	int c;

	do
		c = poll_char();
	while (c < 0);
	return (uint8_t)c;
}

/* A 64-bit number by 10 without the compiler's library: one bit at a time. */
static unsigned divide_by_10(uint64_t *n)
{
	uint64_t quotient = 0;
	unsigned rest = 0;

	for (int bit = 63; bit >= 0; bit--) {
		rest = rest << 1 | (unsigned)(*n >> bit & 1);
		quotient <<= 1;
		if (rest >= 10) {
			rest -= 10;
			quotient |= 1;
		}
	}
	*n = quotient;
	return rest;
}

static void put_number(uint64_t n, unsigned base, unsigned width, char pad)
{
	char text[24];
	unsigned len = 0;

	do {
		unsigned digit = base == 16 ? (unsigned)(n & 15) : divide_by_10(&n);

		if (base == 16)
			n >>= 4;
		text[len++] = "0123456789abcdef"[digit];
	} while (n);
	while (width > len) {
		put_char(pad);
		width--;
	}
	while (len)
		put_char(text[--len]);
}

static void put_string(const char *s)
{
	while (*s)
		put_char(*s++);
}

static void put_signed(int n, unsigned width, char pad)
{
	if (n < 0)
		put_char('-');
	put_number(n < 0 ? 0u - (unsigned)n : (unsigned)n, 10, width, pad);
}

static void print_args(const char *fmt, va_list *args)
{
	for (; *fmt; fmt++) {
		unsigned width = 0;
		char pad = ' ';
		bool wide = false;

		if (*fmt != '%') {
			put_char(*fmt);
			continue;
		}
		if (*++fmt == '0')
			pad = '0';
		for (; *fmt >= '0' && *fmt <= '9'; fmt++)
			width = width * 10 + (unsigned)(*fmt - '0');
		for (; *fmt == 'l'; fmt++)
			wide = fmt[1] == 'l' || wide;
		if (*fmt == 's')
			put_string(va_arg(*args, const char *));
		else if (*fmt == 'c')
			put_char((char)va_arg(*args, int));
		else if (*fmt == 'd')
			put_signed(va_arg(*args, int), width, pad);
		else if (*fmt == 'p')
			put_number((uintptr_t)va_arg(*args, void *), 16, 8, '0');
		else if (*fmt == 'u' || *fmt == 'x')
			put_number(wide ? va_arg(*args, uint64_t) : va_arg(*args, unsigned), *fmt == 'x' ? 16 : 10,
				   width, pad);
		else
			put_char(*fmt);
	}
}

void print(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	print_args(fmt, &args);
	va_end(args);
}
