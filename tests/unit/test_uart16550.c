/* The UART driver against a fake 16550 that follows the PC16550D data sheet: FIFOs, line status, THRE and receive
 * interrupts with their priorities, loopback of the modem lines, and a transmitter that needs time. */
#include "drivers/uart16550.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { BASE = UART_COM1_BASE, RX_RING = 4096, TX_RING = 65536, WIRE = 1 << 20 };

struct chip {
	enum uart_type type;
	bool dead;             /* transmits nothing any more */
	bool edge_only_on_ier; /* raises THRE on the 0 -> 1 change of ETBEI only, as some chips do */
	uint8_t ier, fcr, lcr, mcr, scr, dll, dlm;
	uint8_t lsr_errors;
	uint8_t rx[UART_FIFO_BYTES];
	uint8_t rx_flags[UART_FIFO_BYTES];
	unsigned rx_count, tx_count;
	uint8_t tx[UART_FIFO_BYTES];
	bool shifting;
	uint8_t shift;
	bool thre_pending;
	uint8_t *wire; /* what came out */
	size_t wire_len;
	unsigned accesses, tick_every;
	unsigned wrong_overfills;
};

static unsigned depth(const struct chip *c)
{
	return c->type == UART_TYPE_16550A && (c->fcr & UART_FCR_ENABLE) ? UART_FIFO_BYTES : 1;
}

static void chip_tick(struct chip *c)
{
	if (c->dead)
		return;
	if (c->shifting) {
		/* five-bit words come out garbled, as in an emulator whose line control nobody programmed */
		assert_true(c->wire_len < WIRE);
		c->wire[c->wire_len++] = c->shift & (uint8_t)(0xff >> (3 - (c->lcr & UART_LCR_WLS_MASK)));
		c->shifting = false;
	}
	if (c->tx_count > 0) {
		c->shift = c->tx[0];
		c->shifting = true;
		memmove(c->tx, c->tx + 1, --c->tx_count);
		if (c->tx_count == 0)
			c->thre_pending = true;
	}
}

static void chip_receive(struct chip *c, uint8_t byte, uint8_t flags)
{
	if (c->rx_count == depth(c)) {
		c->lsr_errors |= UART_LSR_OE;
		return;
	}
	c->rx[c->rx_count] = byte;
	c->rx_flags[c->rx_count++] = flags;
}

static uint8_t chip_lsr(struct chip *c)
{
	uint8_t v = c->lsr_errors;

	if (c->rx_count > 0) {
		v |= UART_LSR_DR | c->rx_flags[0];
		c->rx_flags[0] = 0;
	}
	if (c->tx_count == 0)
		v |= UART_LSR_THRE;
	if (c->tx_count == 0 && !c->shifting)
		v |= UART_LSR_TEMT;
	c->lsr_errors = 0;
	return v;
}

static unsigned chip_cause(const struct chip *c)
{
	if ((c->ier & UART_IER_ELSI) && (c->lsr_errors || (c->rx_count > 0 && c->rx_flags[0])))
		return UART_IIR_RLS;
	if ((c->ier & UART_IER_ERBFI) && c->rx_count > 0)
		return c->rx_count >= 8 ? UART_IIR_RDA : UART_IIR_TIMEOUT;
	if ((c->ier & UART_IER_ETBEI) && c->thre_pending)
		return UART_IIR_THRE;
	return UART_IIR_NO_INT;
}

static bool chip_interrupts(const struct chip *c)
{
	return (c->mcr & UART_MCR_OUT2) && chip_cause(c) != UART_IIR_NO_INT;
}

static uint8_t chip_iir(struct chip *c)
{
	unsigned v = chip_cause(c);

	if (v == UART_IIR_THRE)
		c->thre_pending = false;
	if (c->fcr & UART_FCR_ENABLE)
		v |= c->type == UART_TYPE_16550A ? 0xc0 : c->type == UART_TYPE_16550 ? 0x80 : 0;
	return (uint8_t)v;
}

static uint8_t chip_msr(const struct chip *c)
{
	uint8_t v = 0;

	if (!(c->mcr & UART_MCR_LOOP))
		return UART_MSR_CTS | UART_MSR_DSR | UART_MSR_DCD;
	v |= c->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0;
	v |= c->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0;
	v |= c->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0;
	v |= c->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0;
	return v;
}

static uint8_t chip_rbr(struct chip *c)
{
	uint8_t v = c->rx[0];

	if (c->rx_count == 0)
		return 0;
	c->rx_count--;
	memmove(c->rx, c->rx + 1, c->rx_count);
	memmove(c->rx_flags, c->rx_flags + 1, c->rx_count);
	return v;
}

static void passed(struct chip *c)
{
	if (c->tick_every && ++c->accesses % c->tick_every == 0)
		chip_tick(c);
}

static uint8_t chip_in(void *ctx, uint16_t port)
{
	struct chip *c = ctx;

	if (c->type == UART_TYPE_NONE)
		return 0xff;
	passed(c);
	switch (port - BASE) {
	case UART_RBR:
		return c->lcr & UART_LCR_DLAB ? c->dll : chip_rbr(c);
	case UART_IER:
		return c->lcr & UART_LCR_DLAB ? c->dlm : c->ier;
	case UART_IIR:
		return chip_iir(c);
	case UART_LCR:
		return c->lcr;
	case UART_MCR:
		return c->mcr;
	case UART_LSR:
		return chip_lsr(c);
	case UART_MSR:
		return chip_msr(c);
	case UART_SCR:
		return c->type == UART_TYPE_8250 ? 0xff : c->scr;
	default:
		fail_msg("port %x", port);
		return 0;
	}
}

static void chip_thr(struct chip *c, uint8_t v)
{
	if (c->tx_count == depth(c)) {
		c->wrong_overfills++;
		return;
	}
	c->tx[c->tx_count++] = v;
	c->thre_pending = false;
}

static void chip_ier(struct chip *c, uint8_t v)
{
	bool rises = (v & UART_IER_ETBEI) && !(c->ier & UART_IER_ETBEI);

	c->ier = v & UART_IER_MASK;
	if (c->tx_count == 0 && (rises || (!c->edge_only_on_ier && (v & UART_IER_ETBEI))))
		c->thre_pending = true;
}

static void chip_out(void *ctx, uint16_t port, uint8_t v)
{
	struct chip *c = ctx;

	passed(c);
	switch (port - BASE) {
	case UART_THR:
		if (c->lcr & UART_LCR_DLAB)
			c->dll = v;
		else
			chip_thr(c, v);
		break;
	case UART_IER:
		if (c->lcr & UART_LCR_DLAB)
			c->dlm = v;
		else
			chip_ier(c, v);
		break;
	case UART_FCR:
		if ((c->fcr ^ v) & UART_FCR_ENABLE)
			c->rx_count = c->tx_count = 0;
		c->fcr = v;
		break;
	case UART_LCR:
		c->lcr = v;
		break;
	case UART_MCR:
		c->mcr = v;
		break;
	case UART_SCR:
		c->scr = v;
		break;
	default:
		fail_msg("port %x", port);
	}
}

static void no_relax(void *ctx)
{
	(void)ctx;
}

struct bench {
	struct chip chip;
	struct hw_io hw;
	struct uart uart;
	uint8_t rx[RX_RING];
	uint8_t tx[TX_RING];
};

static struct uart_config config_of(struct bench *b)
{
	return (struct uart_config){
		.base = BASE,
		.baud = 115200,
		.rx_storage = b->rx,
		.rx_bytes = RX_RING,
		.tx_storage = b->tx,
		.tx_bytes = TX_RING,
	};
}

static struct bench *bench_new(enum uart_type type)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	b->chip.type = type;
	b->chip.wire = malloc(WIRE);
	b->chip.tick_every = 5;
	b->hw = (struct hw_io){.in8 = chip_in, .out8 = chip_out, .relax = no_relax, .ctx = &b->chip};
	return b;
}

static struct bench *bench_up(enum uart_type type)
{
	struct bench *b = bench_new(type);
	struct uart_config config = config_of(b);

	assert_int_equal(uart_init(&b->uart, &b->hw, &config), 0);
	return b;
}

static void bench_free(struct bench *b)
{
	assert_int_equal(b->chip.wrong_overfills, 0);
	free(b->chip.wire);
	free(b);
}

static void test_detect(void **state)
{
	static const enum uart_type types[] = {UART_TYPE_8250, UART_TYPE_16450, UART_TYPE_16550, UART_TYPE_16550A};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		struct bench *b = bench_new(types[i]);

		b->chip.lcr = UART_LCR_DLAB; /* as a careless loader may leave it */
		b->chip.mcr = UART_MCR_DTR;
		assert_int_equal(uart_detect(&b->hw, BASE), types[i]);
		assert_int_equal(b->chip.mcr, UART_MCR_DTR);
		assert_int_equal(b->chip.lcr & UART_LCR_DLAB, 0);
		bench_free(b);
	}
}

static void test_absent(void **state)
{
	struct bench *b = bench_new(UART_TYPE_NONE);
	struct uart_config config = config_of(b);

	(void)state;
	b->hw.out8 = chip_out;
	assert_int_equal(uart_init(&b->uart, &b->hw, &config), ERR_NOENT);
	config.baud = 0;
	assert_int_equal(uart_init(&b->uart, &b->hw, &config), ERR_INVAL);
	config.baud = 100000;
	assert_int_equal(uart_init(&b->uart, &b->hw, &config), ERR_INVAL);
	config.baud = 1;
	assert_int_equal(uart_init(&b->uart, &b->hw, &config), ERR_INVAL);
	bench_free(b);
}

static void test_init_programs_line(void **state)
{
	struct bench *b = bench_new(UART_TYPE_16550A);
	struct uart_config config = config_of(b);

	(void)state;
	b->chip.ier = 0x0f;
	config.baud = 9600;
	assert_int_equal(uart_init(&b->uart, &b->hw, &config), 0);
	assert_int_equal(b->chip.lcr, UART_LCR_WLS_8);
	assert_int_equal(b->chip.dll, 12);
	assert_int_equal(b->chip.dlm, 0);
	assert_int_equal(b->chip.ier, 0);
	assert_int_equal(b->chip.fcr, UART_FCR_ENABLE | UART_FCR_TRIGGER_8);
	assert_int_equal(b->chip.mcr, UART_MCR_DTR | UART_MCR_RTS);
	assert_int_equal(uart_isa_irq(&b->uart), 4);
	bench_free(b);
}

/* Before interrupts are on, text is on its way when uart_write() returns. */
static void test_polled_write(void **state)
{
	static const enum uart_type types[] = {UART_TYPE_16450, UART_TYPE_16550A};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct bench *b = bench_up(types[i]);
		char text[] = "The quick brown fox jumps over the lazy dog\xff\x80";

		assert_int_equal(uart_write(&b->uart, text, sizeof(text)), sizeof(text));
		assert_true(ring_empty(&b->uart.tx));
		assert_true(uart_drain(&b->uart));
		assert_int_equal(b->chip.wire_len, sizeof(text));
		assert_memory_equal(b->chip.wire, text, sizeof(text));
		assert_int_equal(b->uart.stats.tx_bytes, sizeof(text));
		bench_free(b);
	}
}

static void run_interrupts(struct bench *b, unsigned ticks)
{
	while (ticks-- > 0) {
		chip_tick(&b->chip);
		if (chip_interrupts(&b->chip))
			uart_irq(&b->uart);
	}
}

static void fill_pattern(uint8_t *buf, size_t len)
{
	uint32_t x = 12345;

	for (size_t i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		buf[i] = (uint8_t)(x >> 24);
	}
}

static void interrupt_write(bool edge_only)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	static uint8_t data[TX_RING + 100];

	fill_pattern(data, sizeof(data));
	b->chip.tick_every = 0; /* only time passes, polling does not help */
	b->chip.edge_only_on_ier = edge_only;
	uart_irq_enable(&b->uart);
	assert_false(chip_interrupts(&b->chip)); /* nothing to send: no THRE interrupt */
	assert_int_equal(uart_write(&b->uart, data, 3), 3);
	run_interrupts(b, 100);
	assert_int_equal(b->chip.wire_len, 3);
	assert_int_equal(b->chip.ier & UART_IER_ETBEI, 0);
	/* more than the ring takes: 16 go to the chip at once only when it is idle, the rest waits or is refused */
	assert_int_equal(uart_write(&b->uart, data + 3, sizeof(data) - 3), TX_RING);
	run_interrupts(b, TX_RING + 100);
	assert_int_equal(b->chip.wire_len, TX_RING + 3);
	assert_memory_equal(b->chip.wire, data, TX_RING + 3);
	assert_true(b->uart.stats.irqs < TX_RING / 16 + 20);
	assert_false(chip_interrupts(&b->chip));
	bench_free(b);
}

static void test_interrupt_write(void **state)
{
	(void)state;
	interrupt_write(false);
	interrupt_write(true);
}

/* Interrupts on in the chip, but the processor takes none: uart_poll() alone moves everything. */
static void test_poll_with_interrupts_masked(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	static uint8_t data[5000], got[5000];

	(void)state;
	fill_pattern(data, sizeof(data));
	uart_irq_enable(&b->uart);
	assert_int_equal(uart_write(&b->uart, data, sizeof(data)), sizeof(data));
	for (size_t i = 0; i < 4000; i++) {
		chip_receive(&b->chip, data[i], 0);
		(void)uart_poll(&b->uart);
	}
	while (b->chip.wire_len < sizeof(data))
		(void)uart_poll(&b->uart);
	assert_memory_equal(b->chip.wire, data, sizeof(data));
	assert_int_equal(uart_read(&b->uart, got, sizeof(got)), 4000);
	assert_memory_equal(got, data, 4000);
	bench_free(b);
}

static void test_write_all(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	static uint8_t data[3 * TX_RING];

	(void)state;
	fill_pattern(data, sizeof(data));
	uart_write_all(&b->uart, data, 1000);
	uart_irq_enable(&b->uart);
	uart_write_all(&b->uart, data + 1000, sizeof(data) - 1000);
	assert_true(uart_drain(&b->uart));
	assert_int_equal(b->chip.wire_len, sizeof(data));
	assert_memory_equal(b->chip.wire, data, sizeof(data));
	bench_free(b);
}

/* Bytes at the wire's speed, an interrupt taken a few characters late: nothing is lost, in order. */
static void test_receive(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	static uint8_t data[100000], got[100000];
	size_t have = 0;

	(void)state;
	fill_pattern(data, sizeof(data));
	uart_irq_enable(&b->uart);
	for (size_t i = 0; i < sizeof(data); i++) {
		chip_receive(&b->chip, data[i], 0);
		if (chip_interrupts(&b->chip) && i % 13 == 0)
			uart_irq(&b->uart);
		if (i % 1000 == 999)
			have += uart_read(&b->uart, got + have, sizeof(got) - have);
	}
	uart_irq(&b->uart);
	have += uart_read(&b->uart, got + have, sizeof(got) - have);
	assert_int_equal(have, sizeof(data));
	assert_memory_equal(got, data, sizeof(data));
	assert_int_equal(b->uart.stats.overruns, 0);
	assert_int_equal(b->uart.stats.rx_bytes, sizeof(data));
	bench_free(b);
}

/* A reader that does not read: RTS falls before the ring is full, a full ring leaves bytes in the chip and the interrupt is
 * quiet; reading brings everything back, and a sender that heeded RTS has lost nothing. */
static void test_receive_flow(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	static uint8_t got[RX_RING + 64];
	size_t sent = 0;

	(void)state;
	uart_irq_enable(&b->uart);
	while (b->chip.mcr & UART_MCR_RTS) {
		assert_true(sent < RX_RING);
		chip_receive(&b->chip, (uint8_t)sent++, 0);
		uart_irq(&b->uart);
	}
	assert_true(sent <= RX_RING - 128);
	while (sent < RX_RING + 16) { /* one that ignores it */
		chip_receive(&b->chip, (uint8_t)sent++, 0);
		if (chip_interrupts(&b->chip))
			uart_irq(&b->uart);
	}
	assert_false(chip_interrupts(&b->chip));
	assert_int_equal(b->uart.stats.overruns, 0);
	assert_true(b->uart.stats.rx_held > 0);
	assert_int_equal(uart_read(&b->uart, got, 100), 100);
	assert_false(b->chip.mcr & UART_MCR_RTS);
	assert_true(chip_interrupts(&b->chip));
	uart_irq(&b->uart);
	assert_int_equal(uart_read(&b->uart, got + 100, sizeof(got) - 100), RX_RING - 84);
	assert_true(b->chip.mcr & UART_MCR_RTS);
	for (size_t i = 0; i < RX_RING + 16; i++)
		assert_int_equal(got[i], (uint8_t)i);
	bench_free(b);
}

static void test_receive_errors(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	uint8_t got[64];

	(void)state;
	uart_irq_enable(&b->uart);
	chip_receive(&b->chip, 'a', 0);
	chip_receive(&b->chip, 0, UART_LSR_BI | UART_LSR_FE);
	chip_receive(&b->chip, 'b', UART_LSR_PE);
	chip_receive(&b->chip, 'c', 0);
	uart_irq(&b->uart);
	assert_false(chip_interrupts(&b->chip));
	for (unsigned i = 0; i < 20; i++)
		chip_receive(&b->chip, (uint8_t)i, 0);
	uart_irq(&b->uart);
	assert_int_equal(uart_read(&b->uart, got, sizeof(got)), 19);
	assert_memory_equal(got, "abc", 3);
	assert_int_equal(b->uart.stats.breaks, 1);
	assert_int_equal(b->uart.stats.line_errors, 1);
	assert_int_equal(b->uart.stats.overruns, 1);
	bench_free(b);
}

/* The transmit path reads the line status while a break is on top of the FIFO: its zero is still no character. */
static void test_break_seen_by_transmitter(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	uint8_t got[4];

	(void)state;
	chip_receive(&b->chip, 0, UART_LSR_BI);
	chip_receive(&b->chip, 'x', 0);
	assert_int_equal(uart_write(&b->uart, "hi", 2), 2);
	assert_true(uart_poll(&b->uart));
	assert_int_equal(uart_read(&b->uart, got, sizeof(got)), 1);
	assert_int_equal(got[0], 'x');
	bench_free(b);
}

/* A transmitter that stops costs bounded time and is counted; one that vanishes (all ones) is not read for ever. */
static void test_dead_chip(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);
	static uint8_t data[2 * TX_RING];
	uint8_t got[16];

	(void)state;
	b->chip.dead = true;
	uart_write_all(&b->uart, data, sizeof(data));
	assert_false(uart_drain(&b->uart));
	assert_true(b->uart.stats.tx_stalls > 0);
	b->chip.type = UART_TYPE_NONE;
	uart_irq(&b->uart);
	(void)uart_poll(&b->uart);
	assert_int_equal(uart_read(&b->uart, got, sizeof(got)), 0);
	bench_free(b);
}

/* A panic in the middle of interrupt-driven output: polling takes over and keeps the order. */
static void test_panic(void **state)
{
	struct bench *b = bench_up(UART_TYPE_16550A);

	(void)state;
	uart_irq_enable(&b->uart);
	assert_int_equal(uart_write(&b->uart, "0123456789012345678901234567890123456789", 40), 40);
	uart_irq_disable(&b->uart);
	assert_int_equal(uart_write(&b->uart, "PANIC", 5), 5);
	assert_true(uart_drain(&b->uart));
	assert_int_equal(b->chip.wire_len, 45);
	assert_memory_equal(b->chip.wire + 38, "89PANIC", 7);
	assert_int_equal(b->chip.ier, 0);
	bench_free(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_init_programs_line),
		cmocka_unit_test(test_polled_write),
		cmocka_unit_test(test_interrupt_write),
		cmocka_unit_test(test_poll_with_interrupts_masked),
		cmocka_unit_test(test_write_all),
		cmocka_unit_test(test_receive),
		cmocka_unit_test(test_receive_flow),
		cmocka_unit_test(test_receive_errors),
		cmocka_unit_test(test_break_seen_by_transmitter),
		cmocka_unit_test(test_dead_chip),
		cmocka_unit_test(test_panic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
