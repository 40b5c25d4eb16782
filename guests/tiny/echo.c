/* The serial line in both directions. A line that begins with a command is obeyed, anything else comes back:
 *	flood N		N bytes of a known pattern, then their sum
 *	sink N		swallow N bytes, then print their sum
 *	quit, reboot, crash
 * The sum is Fletcher's over bytes, modulo 65535, which a script computes in three lines. It sleeps until its UART interrupts;
 * with the word poll it asks the UART over and over instead, interrupts off. */
#include "guests/lib/guest.h"

#include "drivers/regs/uart16550.h"

#define LINE_MAX 128u

struct sum {
	uint32_t a, b;
};

static bool polling;

static void on_byte(void)
{
	/* The byte stays in the FIFO until next_byte() takes it: no more interrupts until then. */
	outb(UART_COM1_BASE + UART_IER, 0);
}

static void listen(void)
{
	polling = guest_word("poll");
	if (polling)
		return;
	irq_set(UART_COM1_IRQ, on_byte);
	outb(UART_COM1_BASE + UART_MCR, UART_MCR_DTR | UART_MCR_RTS | UART_MCR_OUT2);
	irq_on();
}

static uint8_t next_byte(void)
{
	int c = poll_char();

	while (c < 0 && !polling) {
		irq_off();
		outb(UART_COM1_BASE + UART_IER, UART_IER_ERBFI);
		irq_wait();
		irq_on();
		c = poll_char();
	}
	return c < 0 ? get_char() : (uint8_t)c;
}

static void sum_add(struct sum *s, uint8_t c)
{
	s->a = (s->a + c) % 65535;
	s->b = (s->b + s->a) % 65535;
}

static void print_sum(const char *what, uint32_t n, const struct sum *s)
{
	print("\n%s %u bytes, sum %04x%04x\n", what, n, s->b, s->a);
}

/* Lines of 64 letters, digits and signs that move on by one each time. */
static void flood(uint32_t n)
{
	struct sum s = {0, 0};

	for (uint32_t i = 0; i < n; i++) {
		uint8_t c = i % 64 == 63 ? '.' : (uint8_t)('0' + (i + i / 64) % 75);

		sum_add(&s, c);
		put_char((char)c);
	}
	print_sum("flooded", n, &s);
}

static void sink(uint32_t n)
{
	struct sum s = {0, 0};

	print("sink ready\n");
	for (uint32_t i = 0; i < n; i++)
		sum_add(&s, next_byte());
	print_sum("sank", n, &s);
}

static uint32_t number_at(const char *s)
{
	uint32_t n = 0;

	for (; *s >= '0' && *s <= '9'; s++)
		n = n * 10 + (uint32_t)(*s - '0');
	return n;
}

static bool begins(const char *line, const char *word)
{
	while (*word)
		if (*line++ != *word++)
			return false;
	return true;
}

static void obey(const char *line)
{
	if (begins(line, "flood "))
		flood(number_at(line + 6));
	else if (begins(line, "sink "))
		sink(number_at(line + 5));
	else if (begins(line, "quit"))
		power_off(0);
	else if (begins(line, "reboot"))
		reset();
	else if (begins(line, "crash"))
		__asm__ volatile("lidt %0; int3" : : "m"((uint16_t[3]){0}));
	else
		print("you said: %s\n", line);
}

void guest_main(void)
{
	char line[LINE_MAX];
	uint32_t len = 0;

	listen();
	print("echo: ready\n");
	for (;;) {
		char c = (char)next_byte();

		if (c == '\r' || c == '\n') {
			put_char('\n');
			line[len] = '\0';
			if (len)
				obey(line);
			len = 0;
		} else if (len < LINE_MAX - 1) {
			put_char(c);
			line[len++] = c;
		}
	}
}
