/* The 16550 UART as the hypervisor's console: a ring in each direction, filled and emptied by interrupts, or by polling as
 * long as there are none and in a panic. Follows the PC16550D data sheet; whether there is a chip is found out in
 * uart16550_detect.c. It knows nothing of lines, colours or logs. */
#include "drivers/uart16550.h"

/* Polls of the line status before the chip is taken for dead. A port read takes about 1 us on hardware and a character 87 us
 * at 115200 baud, so this is a second there, and far more than a full FIFO everywhere else. */
#define PATIENCE_POLLS 1000000u

/* One call of a service moves at most this many bytes and causes, so that a chip gone mad cannot hold the CPU. */
#define RX_BURST 256u
#define IRQ_ROUNDS 64u

/* Eight characters of room are left in the FIFO when the interrupt comes: 0.7 ms at 115200 baud. */
#define RX_TRIGGER UART_FCR_TRIGGER_8

/* RTS falls when this much of the receive ring is free, and rises again when twice as much is. The sender may go on for some
 * characters after it. */
#define RTS_MARGIN_BYTES 256u

/* The interrupts that receiving needs. */
#define IER_RX (UART_IER_ERBFI | UART_IER_ELSI)

static uint8_t reg_read(const struct uart *u, unsigned reg)
{
	return hw_in8(u->hw, u->base + reg);
}

static void reg_write(const struct uart *u, unsigned reg, unsigned value)
{
	hw_out8(u->hw, u->base + reg, value);
}

static void ier_set(struct uart *u, unsigned ier)
{
	u->ier = (uint8_t)ier;
	reg_write(u, UART_IER, ier);
}

static void mcr_set(struct uart *u, unsigned mcr)
{
	if (u->mcr == mcr)
		return;
	u->mcr = (uint8_t)mcr;
	reg_write(u, UART_MCR, mcr);
}

/* Line status, with the errors counted. Reading clears them, also in the byte on top of the FIFO, which may be fetched much
 * later: that it stands for a break is remembered. 0 when there is no chip (any more). */
static uint8_t line_status(struct uart *u)
{
	uint8_t lsr = reg_read(u, UART_LSR);

	if (lsr == 0xff)
		return 0;
	if (lsr & UART_LSR_OE)
		u->stats.overruns++;
	if (lsr & UART_LSR_BI) {
		u->stats.breaks++;
		u->break_on_top = true;
	} else if (lsr & (UART_LSR_PE | UART_LSR_FE)) {
		u->stats.line_errors++;
	}
	return lsr;
}

/* Ask the sender to stop or to go on, after the room in the ring. */
static void rx_flow(struct uart *u)
{
	size_t room = ring_room(&u->rx);

	if (room < RTS_MARGIN_BYTES)
		mcr_set(u, u->mcr & ~UART_MCR_RTS);
	else if (room >= 2 * RTS_MARGIN_BYTES)
		mcr_set(u, u->mcr | UART_MCR_RTS);
}

/* The ring is full: leave the bytes in the chip and, since the interrupts would not go away, mask them until there is room. */
static void rx_hold(struct uart *u)
{
	u->stats.rx_held++;
	if (u->ier & IER_RX)
		ier_set(u, u->ier & ~IER_RX);
}

static bool rx_service(struct uart *u)
{
	unsigned moved = 0;

	while (moved < RX_BURST) {
		uint8_t lsr, byte;

		if (ring_room(&u->rx) == 0) {
			rx_hold(u);
			break;
		}
		lsr = line_status(u);
		if (!(lsr & UART_LSR_DR))
			break;
		byte = reg_read(u, UART_RBR);
		moved++;
		if (u->break_on_top) {
			u->break_on_top = false;
			continue; /* the zero that stands for a break is no character */
		}
		(void)ring_push(&u->rx, byte);
		u->stats.rx_bytes++;
	}
	if (moved > 0)
		rx_flow(u);
	return moved > 0;
}

/* Hand the transmitter, which is empty, as much as it takes. */
static bool tx_fill(struct uart *u)
{
	uint8_t byte;
	unsigned moved = 0;

	while (moved < u->fifo_bytes && ring_pop(&u->tx, &byte)) {
		reg_write(u, UART_THR, byte);
		moved++;
	}
	u->stats.tx_bytes += moved;
	return moved > 0;
}

/* The THRE interrupt is wanted exactly as long as there is something to send. Enabling it while the transmitter is empty
 * raises it at once; some chips do so only on a change of the bit, so that it is always taken away first. */
static void tx_arm(struct uart *u)
{
	bool want = u->irq_on && !ring_empty(&u->tx);

	if (!want && (u->ier & UART_IER_ETBEI))
		ier_set(u, u->ier & ~UART_IER_ETBEI);
	if (want && !(u->ier & UART_IER_ETBEI)) {
		ier_set(u, u->ier);
		ier_set(u, u->ier | UART_IER_ETBEI);
	}
}

static bool tx_service(struct uart *u)
{
	bool moved = false;

	if (!ring_empty(&u->tx) && (line_status(u) & UART_LSR_THRE))
		moved = tx_fill(u);
	tx_arm(u);
	return moved;
}

/* Wait until the line status shows one of the bits. Returns false when it never does. */
static bool wait_for(struct uart *u, unsigned bits)
{
	for (unsigned i = 0; i < PATIENCE_POLLS; i++) {
		if (line_status(u) & bits)
			return true;
		hw_relax(u->hw);
	}
	u->stats.tx_stalls++;
	return false;
}

/* Send what the ring holds, waiting. */
static bool tx_flush(struct uart *u)
{
	while (!ring_empty(&u->tx)) {
		if (!wait_for(u, UART_LSR_THRE))
			return false;
		(void)tx_fill(u);
	}
	return true;
}

static void line_program(struct uart *u, uint32_t baud)
{
	uint32_t divisor = UART_BAUD_MAX / baud;

	reg_write(u, UART_LCR, UART_LCR_DLAB | UART_LCR_WLS_8);
	reg_write(u, UART_DLL, divisor & 0xff);
	reg_write(u, UART_DLM, divisor >> 8);
	reg_write(u, UART_LCR, UART_LCR_WLS_8);
}

/* Detect the chip and bring it up: 8 data bits, no parity, one stop bit, FIFOs on, interrupts off; what the loader still
 * was sending goes out first.
 * config: is copied; base one of UART_COMx_BASE, baud a divisor of UART_BAUD_MAX, storage lives as long as u.
 * Returns 0; ERR_NOENT (no UART there), ERR_INVAL (baud).  Source: PC16550D data sheet "Registers". */
int uart_init(struct uart *u, const struct hw_io *hw, const struct uart_config *config)
{
	if (config->baud == 0 || UART_BAUD_MAX % config->baud != 0 || UART_BAUD_MAX / config->baud > 0xffff)
		return ERR_INVAL;
	*u = (struct uart){.hw = hw, .base = config->base};
	u->type = uart_detect(hw, config->base);
	if (u->type == UART_TYPE_NONE)
		return ERR_NOENT;
	ring_init(&u->rx, config->rx_storage, config->rx_bytes);
	ring_init(&u->tx, config->tx_storage, config->tx_bytes);
	u->fifo_bytes = u->type == UART_TYPE_16550A ? UART_FIFO_BYTES : 1;
	ier_set(u, 0);
	(void)wait_for(u, UART_LSR_TEMT);
	line_program(u, config->baud);
	reg_write(u, UART_FCR, u->type == UART_TYPE_16550A ? UART_FCR_ENABLE | RX_TRIGGER : 0);
	u->mcr = UART_MCR_DTR | UART_MCR_RTS;
	reg_write(u, UART_MCR, u->mcr);
	(void)reg_read(u, UART_MSR);
	u->stats = (struct uart_stats){0};
	return 0;
}

/* The ISA interrupt that the PC gives this port. */
unsigned uart_isa_irq(const struct uart *u)
{
	return u->base == UART_COM2_BASE || u->base == UART_COM4_BASE ? UART_COM2_IRQ : UART_COM1_IRQ;
}

/* From now on interrupts move the data. OUT2 is the PC's gate between the chip and the interrupt controller.
 * Context: the interrupt is routed, its handler calls uart_irq(). */
void uart_irq_enable(struct uart *u)
{
	u->irq_on = true;
	mcr_set(u, u->mcr | UART_MCR_OUT2);
	ier_set(u, IER_RX);
	tx_arm(u);
}

/* Back to polling: for a panic, and before the chip is handed to somebody else. */
void uart_irq_disable(struct uart *u)
{
	u->irq_on = false;
	ier_set(u, 0);
	mcr_set(u, u->mcr & ~UART_MCR_OUT2);
}

/* Serve the chip's interrupt: every cause until it has none. An interrupt that was another's is harmless. */
void uart_irq(struct uart *u)
{
	u->stats.irqs++;
	for (unsigned i = 0; i < IRQ_ROUNDS; i++) {
		unsigned iir = reg_read(u, UART_IIR);

		if (iir & UART_IIR_NO_INT)
			return;
		if ((iir & UART_IIR_ID_MASK) == UART_IIR_MODEM)
			(void)reg_read(u, UART_MSR);
		(void)rx_service(u); /* reads the line status too, which ends a line status interrupt */
		(void)tx_service(u);
	}
}

/* Move what can be moved, without waiting and without an interrupt: for loops that run with interrupts off.
 * Returns whether anything moved. */
bool uart_poll(struct uart *u)
{
	bool moved = rx_service(u);

	return tx_service(u) || moved;
}

/* Queue bytes for sending. With interrupts on it never waits; before that the text is handed to the chip at once, waiting
 * for it, so that what was said before a crash is seen.
 * Returns how many were taken; fewer than len when the ring is full. */
size_t uart_write(struct uart *u, const void *data, size_t len)
{
	size_t taken = ring_write(&u->tx, data, len);

	if (!u->irq_on)
		(void)tx_flush(u);
	else if (!(u->ier & UART_IER_ETBEI))
		(void)tx_service(u); /* else the chip is sending and its interrupt will fetch these */
	return taken;
}

/* Queue all bytes, waiting for room. A chip that takes nothing any more loses them, and tx_stalls counts it. */
void uart_write_all(struct uart *u, const void *data, size_t len)
{
	const uint8_t *bytes = data;

	for (;;) {
		size_t taken = uart_write(u, bytes, len);

		bytes += taken;
		len -= taken;
		if (len == 0 || !wait_for(u, UART_LSR_THRE))
			return;
		(void)tx_fill(u);
	}
}

/* Take up to len received bytes. Never waits.  Returns how many there were. */
size_t uart_read(struct uart *u, void *data, size_t len)
{
	size_t got = ring_read(&u->rx, data, len);

	if (got == 0)
		return 0;
	if (u->irq_on && (u->ier & IER_RX) != IER_RX)
		ier_set(u, u->ier | IER_RX);
	rx_flow(u);
	return got;
}

/* Send everything, down to the last stop bit: before the machine is switched off.
 * Returns false when the chip stopped taking it. */
bool uart_drain(struct uart *u)
{
	return tx_flush(u) && wait_for(u, UART_LSR_TEMT);
}
