/* Driver of a 16550 serial port: the console of the hypervisor. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/regs/uart16550.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/ring.h"

enum uart_type {
	UART_TYPE_NONE,
	UART_TYPE_8250,   /* no scratch register */
	UART_TYPE_16450,  /* no FIFO */
	UART_TYPE_16550,  /* a FIFO that must not be used (data sheet errata) */
	UART_TYPE_16550A, /* working FIFOs of 16 bytes */
};

struct uart_config {
	uint16_t base; /* UART_COM1_BASE ... */
	uint32_t baud; /* divides UART_BAUD_MAX */
	/* Storage for the rings, powers of two. What is received must fit between two calls of uart_read(): 4 KiB at least. */
	void *rx_storage;
	size_t rx_bytes;
	void *tx_storage;
	size_t tx_bytes;
};

struct uart_stats {
	uint64_t rx_bytes;
	uint64_t tx_bytes;
	uint64_t irqs;
	uint64_t overruns;    /* the chip had no room: bytes are lost */
	uint64_t line_errors; /* parity or framing */
	uint64_t breaks;
	uint64_t rx_held;   /* times the receive ring was full and bytes were left in the chip */
	uint64_t tx_stalls; /* times the chip took nothing for so long that waiting was given up */
};

/* Everything below config is the driver's. One caller at a time: whoever shares a port between CPUs holds a lock. */
struct uart {
	const struct hw_io *hw;
	uint16_t base;
	enum uart_type type;
	unsigned fifo_bytes; /* how many the transmitter takes when it is empty */
	bool irq_on;
	bool break_on_top; /* the next byte to fetch stands for a break */
	uint8_t ier;       /* what stands in the chip */
	uint8_t mcr;
	struct ring rx;
	struct ring tx;
	struct uart_stats stats;
};

enum uart_type uart_detect(const struct hw_io *hw, uint16_t base);
int uart_init(struct uart *u, const struct hw_io *hw, const struct uart_config *config) MUST_CHECK;
unsigned uart_isa_irq(const struct uart *u);

void uart_irq_enable(struct uart *u);
void uart_irq_disable(struct uart *u);
void uart_irq(struct uart *u);
bool uart_poll(struct uart *u);

size_t uart_write(struct uart *u, const void *data, size_t len);
void uart_write_all(struct uart *u, const void *data, size_t len);
size_t uart_read(struct uart *u, void *data, size_t len);
bool uart_drain(struct uart *u);
