/* An emulated 16550A serial port, after the National Semiconductor PC16550D data sheet. Bytes the guest sends go to a
 * byte sink as soon as it takes them; bytes for the guest come in by vuart_receive(). Nothing is lost on either side: a
 * sink that is full stops the transmitter, a receiver that is full refuses. */
#pragma once

#include "drivers/regs/uart16550.h"
#include "kernel/lib/byte_sink.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"
#include "vmm/bus/irq_line.h"
#include "vmm/bus/vclock.h"

struct vuart_fifo {
	uint8_t bytes[UART_FIFO_BYTES];
	uint8_t first, count;
};

/* What the part is wired to. */
struct vuart_wiring {
	struct irq_line irq;
	struct vclock *clock;
	struct byte_sink tx;
	/* The guest has made room after vuart_receive() had refused; may call vuart_receive(). May be NULL. */
	void (*rx_room)(void *ctx);
	void *rx_ctx;
};

struct vuart {
	struct vuart_wiring wiring;
	struct vuart_fifo rx, tx;
	struct valarm timeout; /* four character times without a read or a new character */
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t msr_delta; /* MSR bits 3:0 */
	bool overrun;      /* LSR bit 1 */
	bool thre_pending; /* the transmitter-empty interrupt, from its event until IIR is read or THR written */
	bool timeout_pending;
	bool rx_refused; /* rx_room() is owed */
	bool irq_high;
	uint64_t tx_bytes, rx_bytes; /* ever sent and received, for the monitor */
};

void vuart_init(struct vuart *u, const struct vuart_wiring *wiring);
void vuart_reset(struct vuart *u);
MUST_CHECK int vuart_register(struct vuart *u, struct bus *ports, uint64_t base, const char *name);

bool vuart_receive(struct vuart *u, uint8_t byte);
void vuart_tx_resume(struct vuart *u);

/* Does the transmitter hold bytes that the sink has not taken? */
static inline bool vuart_tx_waiting(const struct vuart *u)
{
	return u->tx.count != 0;
}
