/* The registers of the 16550A (see vuart.h for what it is). Follows the PC16550D data sheet, "Registers" and "FIFO
 * Interrupt Mode Operation". Time is modelled in one place only, the character time-out: a byte takes no time on the wire,
 * so the divisor sets nothing else. The word length, parity and break bits are kept and change no data, since the other
 * end is a stream of whole bytes that cannot have line errors. */
#include "vmm/devices/vuart.h"
#include "vmm/devices/bytewise.h"

#define CHARACTERS_TO_TIMEOUT 4u
#define SAMPLES_PER_BIT 16u

static bool fifo_push(struct vuart_fifo *f, unsigned capacity, uint8_t byte)
{
	if (f->count >= capacity)
		return false;
	f->bytes[(f->first + f->count) % UART_FIFO_BYTES] = byte;
	f->count++;
	return true;
}

/* The oldest byte, or 0: a read of an empty receiver. */
static uint8_t fifo_pop(struct vuart_fifo *f)
{
	uint8_t byte;

	if (f->count == 0)
		return 0;
	byte = f->bytes[f->first];
	f->first = (uint8_t)((f->first + 1) % UART_FIFO_BYTES);
	f->count--;
	return byte;
}

static bool fifos_on(const struct vuart *u)
{
	return (u->fcr & UART_FCR_ENABLE) != 0;
}

/* Bytes that a receiver or transmitter holds: the FIFO, or the one holding register. */
static unsigned capacity(const struct vuart *u)
{
	return fifos_on(u) ? UART_FIFO_BYTES : 1;
}

static unsigned rx_trigger(const struct vuart *u)
{
	static const uint8_t levels[] = {1, 4, 8, 14};

	return fifos_on(u) ? levels[u->fcr >> 6] : 1;
}

static bool in_loopback(const struct vuart *u)
{
	return (u->mcr & UART_MCR_LOOP) != 0;
}

/* The identification of the pending interrupt with the highest priority; data sheet table IV. */
static uint8_t pending_source(const struct vuart *u)
{
	if ((u->ier & UART_IER_ELSI) && u->overrun)
		return UART_IIR_RLS;
	if ((u->ier & UART_IER_ERBFI) && u->rx.count >= rx_trigger(u))
		return UART_IIR_RDA;
	if ((u->ier & UART_IER_ERBFI) && u->timeout_pending)
		return UART_IIR_TIMEOUT;
	if ((u->ier & UART_IER_ETBEI) && u->thre_pending)
		return UART_IIR_THRE;
	if ((u->ier & UART_IER_EDSSI) && u->msr_delta != 0)
		return UART_IIR_MODEM;
	return UART_IIR_NO_INT;
}

/* OUT2 opens the gate between the part and the PC's interrupt line. */
static void set_irq(struct vuart *u)
{
	bool high = (u->mcr & UART_MCR_OUT2) && pending_source(u) != UART_IIR_NO_INT;

	if (high == u->irq_high)
		return;
	u->irq_high = high;
	irq_line_set(&u->wiring.irq, high);
}

/* With no interrupt enabled there is none, and nothing to do but to take back one that was. */
static inline void update_irq(struct vuart *u)
{
	if (u->ier != 0 || u->irq_high)
		set_irq(u);
}

/* The time of four characters in clock ticks: start bit, data, parity and stop bits at the programmed rate. */
static uint64_t timeout_ticks(const struct vuart *u)
{
	unsigned bits = 1 + 5 + (u->lcr & UART_LCR_WLS_MASK) + ((u->lcr & UART_LCR_PEN) ? 1 : 0) +
			((u->lcr & UART_LCR_STB) ? 2 : 1);
	unsigned divisor = (unsigned)u->dlm << 8 | u->dll;

	if (divisor == 0)
		divisor = 1;
	return vclock_from_counts(u->wiring.clock, CHARACTERS_TO_TIMEOUT * bits * SAMPLES_PER_BIT * divisor,
				  UART_CLOCK_HZ);
}

/* Start the character time-out anew, as every arrival and every read of the FIFO does. The alarm is armed only when
 * somebody wants the interrupt. */
static void restart_timeout(struct vuart *u)
{
	u->timeout_pending = false;
	if (fifos_on(u) && u->rx.count != 0 && (u->ier & UART_IER_ERBFI))
		vclock_arm(u->wiring.clock, &u->timeout, vclock_now(u->wiring.clock) + timeout_ticks(u));
	else if (u->timeout.armed)
		vclock_disarm(u->wiring.clock, &u->timeout);
}

static void timeout_fired(void *ctx)
{
	struct vuart *u = ctx;

	u->timeout_pending = true;
	update_irq(u);
}

/* A character has come over the wire, from outside or from our own transmitter. */
static void character_in(struct vuart *u, uint8_t byte)
{
	if (!fifo_push(&u->rx, capacity(u), byte)) {
		/* A full FIFO keeps what it has; the single register is overwritten. */
		u->overrun = true;
		if (!fifos_on(u))
			u->rx.bytes[u->rx.first] = byte;
	}
	restart_timeout(u);
}

/* Tell the owner of refused bytes that there is room. It may answer with vuart_receive() at once. */
static void offer_rx_room(struct vuart *u)
{
	if (!u->rx_refused || in_loopback(u) || u->rx.count >= capacity(u))
		return;
	u->rx_refused = false;
	if (u->wiring.rx_room != NULL)
		u->wiring.rx_room(u->wiring.rx_ctx);
}

/* Send what can be sent. The transmitter becoming empty is the event behind the THRE interrupt. */
static void transmit(struct vuart *u)
{
	if (u->tx.count == 0)
		return;
	while (u->tx.count != 0) {
		uint8_t byte = u->tx.bytes[u->tx.first];

		if (in_loopback(u)) {
			character_in(u, byte);
		} else {
			if (!byte_sink_put(&u->wiring.tx, byte))
				return;
			u->tx_bytes++;
		}
		fifo_pop(&u->tx);
	}
	u->thre_pending = true;
}

static uint8_t modem_inputs(const struct vuart *u)
{
	uint8_t inputs = 0;

	if (!in_loopback(u))
		return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD; /* a cable to somebody who listens */
	if (u->mcr & UART_MCR_RTS)
		inputs |= UART_MSR_CTS;
	if (u->mcr & UART_MCR_DTR)
		inputs |= UART_MSR_DSR;
	if (u->mcr & UART_MCR_OUT1)
		inputs |= UART_MSR_RI;
	if (u->mcr & UART_MCR_OUT2)
		inputs |= UART_MSR_DCD;
	return inputs;
}

static uint8_t read_rbr(struct vuart *u)
{
	uint8_t byte = fifo_pop(&u->rx);

	restart_timeout(u);
	offer_rx_room(u);
	update_irq(u);
	return byte;
}

/* Reading clears the THRE interrupt, when that is what the read reports. */
static uint8_t read_iir(struct vuart *u)
{
	uint8_t source = pending_source(u);

	if (source == UART_IIR_THRE) {
		u->thre_pending = false;
		update_irq(u);
	}
	return (uint8_t)(source | (fifos_on(u) ? UART_IIR_FIFO_ON : 0));
}

static uint8_t read_lsr(struct vuart *u)
{
	uint8_t lsr = 0;

	if (u->rx.count != 0)
		lsr |= UART_LSR_DR;
	if (u->tx.count == 0)
		lsr |= UART_LSR_THRE | UART_LSR_TEMT;
	if (u->overrun) {
		lsr |= UART_LSR_OE;
		u->overrun = false;
		update_irq(u);
	}
	return lsr;
}

static uint8_t read_msr(struct vuart *u)
{
	uint8_t msr = (uint8_t)(modem_inputs(u) | u->msr_delta);

	if (u->msr_delta != 0) {
		u->msr_delta = 0;
		update_irq(u);
	}
	return msr;
}

static uint8_t reg_read(void *ctx, unsigned reg)
{
	struct vuart *u = ctx;
	bool dlab = (u->lcr & UART_LCR_DLAB) != 0;

	switch (reg) {
	case UART_RBR:
		return dlab ? u->dll : read_rbr(u);
	case UART_IER:
		return dlab ? u->dlm : u->ier;
	case UART_IIR:
		return read_iir(u);
	case UART_LCR:
		return u->lcr;
	case UART_MCR:
		return u->mcr;
	case UART_LSR:
		return read_lsr(u);
	case UART_MSR:
		return read_msr(u);
	default:
		return u->scr;
	}
}

static void queue_thr(struct vuart *u, uint8_t byte)
{
	if (!fifo_push(&u->tx, capacity(u), byte) && !fifos_on(u))
		u->tx.bytes[u->tx.first] = byte;
	transmit(u);
}

/* The write itself takes back the THRE interrupt, also for a moment: an edge-triggered controller must see the line fall
 * before the emptied transmitter raises it again. A byte for a full transmitter is lost, as in the part. */
static void write_thr(struct vuart *u, uint8_t byte)
{
	u->thre_pending = false;
	update_irq(u);
	if (likely(u->tx.count == 0 && !in_loopback(u)) && likely(byte_sink_put(&u->wiring.tx, byte))) {
		u->tx_bytes++; /* through the empty transmitter at once */
		u->thre_pending = true;
	} else {
		queue_thr(u, byte);
	}
	update_irq(u);
}

static void write_ier(struct vuart *u, uint8_t value)
{
	uint8_t rising = (uint8_t)(value & ~u->ier);

	u->ier = value & UART_IER_MASK;
	if ((rising & UART_IER_ETBEI) && u->tx.count == 0)
		u->thre_pending = true;
	if (rising & UART_IER_ERBFI)
		restart_timeout(u);
	update_irq(u);
}

static void clear_rx(struct vuart *u)
{
	u->rx = (struct vuart_fifo){0};
	restart_timeout(u);
}

static void clear_tx(struct vuart *u)
{
	if (u->tx.count != 0)
		u->thre_pending = true;
	u->tx = (struct vuart_fifo){0};
}

/* The other bits are taken only together with the enable bit; switching the FIFOs on or off empties them. */
static void write_fcr(struct vuart *u, uint8_t value)
{
	bool toggled = ((value ^ u->fcr) & UART_FCR_ENABLE) != 0;

	u->fcr = (value & UART_FCR_ENABLE) ? value & (uint8_t) ~(UART_FCR_CLEAR_RX | UART_FCR_CLEAR_TX) : 0;
	if (toggled || (fifos_on(u) && (value & UART_FCR_CLEAR_RX)))
		clear_rx(u);
	if (toggled || (fifos_on(u) && (value & UART_FCR_CLEAR_TX)))
		clear_tx(u);
	offer_rx_room(u);
	update_irq(u);
}

/* In loopback the modem outputs become the modem inputs, so their changes are seen there. Bytes waiting for the sink when
 * loopback begins turn around as well, as on the part. */
static void write_mcr(struct vuart *u, uint8_t value)
{
	uint8_t before = modem_inputs(u), changed;

	u->mcr = value & UART_MCR_MASK;
	changed = before ^ modem_inputs(u);
	if (changed & UART_MSR_CTS)
		u->msr_delta |= UART_MSR_DCTS;
	if (changed & UART_MSR_DSR)
		u->msr_delta |= UART_MSR_DDSR;
	if (changed & before & UART_MSR_RI)
		u->msr_delta |= UART_MSR_TERI; /* the trailing edge only */
	if (changed & UART_MSR_DCD)
		u->msr_delta |= UART_MSR_DDCD;
	transmit(u);
	offer_rx_room(u);
	update_irq(u);
}

static void reg_write(void *ctx, unsigned reg, uint8_t value)
{
	struct vuart *u = ctx;
	bool dlab = (u->lcr & UART_LCR_DLAB) != 0;

	switch (reg) {
	case UART_THR:
		if (dlab)
			u->dll = value;
		else
			write_thr(u, value);
		break;
	case UART_IER:
		if (dlab)
			u->dlm = value;
		else
			write_ier(u, value);
		break;
	case UART_FCR:
		write_fcr(u, value);
		break;
	case UART_LCR:
		u->lcr = value;
		break;
	case UART_MCR:
		write_mcr(u, value);
		break;
	case UART_SCR:
		u->scr = value;
		break;
	default: /* LSR and MSR: writes are for factory tests */
		break;
	}
}

static uint64_t vuart_bus_read(void *ctx, uint64_t offset, unsigned size)
{
	if (likely(size == 1))
		return reg_read(ctx, (unsigned)offset);
	return bytewise_read(reg_read, ctx, offset, size);
}

static void vuart_bus_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	if (likely(size == 1))
		reg_write(ctx, (unsigned)offset, (uint8_t)value);
	else
		bytewise_write(reg_write, ctx, offset, size, value);
}

static const struct bus_ops vuart_ops = {.read = vuart_bus_read, .write = vuart_bus_write};

/* Make a port in its reset state; the line starts low.
 * wiring: copied; its clock and contexts outlive the port. */
COLD void vuart_init(struct vuart *u, const struct vuart_wiring *wiring)
{
	*u = (struct vuart){.wiring = *wiring, .timeout = {.fire = timeout_fired, .ctx = u}};
	vuart_reset(u);
}

/* The master reset pin (data sheet table I). Bytes held on either side are gone; refused ones are asked for again. */
COLD void vuart_reset(struct vuart *u)
{
	u->ier = 0;
	u->fcr = 0;
	u->lcr = 0;
	u->mcr = 0;
	u->scr = 0;
	u->dll = 12; /* 9600 baud; the part leaves the latch as it is, which would not repeat */
	u->dlm = 0;
	u->msr_delta = 0;
	u->overrun = false;
	clear_rx(u);
	clear_tx(u);
	u->thre_pending = false;
	offer_rx_room(u);
	update_irq(u);
}

/* Put the eight registers on a bus. Returns 0 or what bus_register() says. */
COLD int vuart_register(struct vuart *u, struct bus *ports, uint64_t base, const char *name)
{
	return bus_register(ports, base, UART_PORTS, &vuart_ops, u, name);
}

/* A byte for the guest. Returns false when there is no room, or the port is in loopback: nothing is taken then, and
 * rx_room() tells when to come again. */
bool vuart_receive(struct vuart *u, uint8_t byte)
{
	if (in_loopback(u) || u->rx.count >= capacity(u)) {
		u->rx_refused = true;
		return false;
	}
	u->rx_bytes++;
	character_in(u, byte);
	update_irq(u);
	return true;
}

/* The sink has room again: send what has waited. Harmless when nothing has. */
COLD void vuart_tx_resume(struct vuart *u)
{
	transmit(u);
	update_irq(u);
}
