/* Ports: single accesses to the parts that guests talk to most, and strings of 4 KiB. The PM timer is where QEMU's `pc` and
 * AvatarVt-x have it; elsewhere that port is nobody's, as 0x5f0 is here. */
#include "guests/bench/bench.h"

#include "drivers/regs/pic8259.h"
#include "drivers/regs/pit8254.h"
#include "drivers/regs/uart16550.h"

#define PM_TIMER 0x608
#define POST_PORT 0x80
#define NOBODYS_PORT 0x5f0
#define PCI_ADDRESS 0xcf8
#define COM(reg) ((uint16_t)(UART_COM1_BASE + (reg)))
#define BLOCK 4096u

static uint8_t block[BLOCK] __attribute__((aligned(4096))); /* in one page: each one is translated for itself */

/* The channel without an interrupt, so that it may run. */
static void start_pit(void)
{
	outb(PORT61, PORT61_GATE2);
	outb(PIT_CONTROL, 2 << PIT_CW_SC_SHIFT | PIT_CW_RW_BOTH | PIT_MODE_RATE << PIT_CW_MODE_SHIFT);
	outb(PIT_CH2, 0);
	outb(PIT_CH2, 0);
}

static void pit_read(void)
{
	inb(PIT_CH2);
}

static void pic_read(void)
{
	inb(PIC_MASTER_DATA);
}

static void pm_timer_read(void)
{
	inl(PM_TIMER);
}

static void pci_address_read(void)
{
	inl(PCI_ADDRESS);
}

static void nobodys_read(void)
{
	inb(NOBODYS_PORT);
}

static void post_write(void)
{
	outb(POST_PORT, 0);
}

static void serial_lsr_read(void)
{
	inb(COM(UART_LSR));
}

static void serial_scratch_write(void)
{
	outb(COM(UART_SCR), 0);
}

static void serial_write(void)
{
	outb(COM(UART_THR), '.');
}

/* What a driver does that polls. */
static void serial_char(void)
{
	while (!(inb(COM(UART_LSR)) & UART_LSR_THRE))
		;
	outb(COM(UART_THR), '.');
}

static void outsb(void)
{
	const void *at = block;
	uint32_t count = BLOCK;

	__asm__ volatile("rep outsb" : "+S"(at), "+c"(count) : "d"(POST_PORT) : "memory");
}

static void insb(void)
{
	void *at = block;
	uint32_t count = BLOCK;

	__asm__ volatile("rep insb" : "+D"(at), "+c"(count) : "d"(POST_PORT) : "memory");
}

static void outsl(void)
{
	const void *at = block;
	uint32_t count = BLOCK / 4;

	__asm__ volatile("rep outsl" : "+S"(at), "+c"(count) : "d"(NOBODYS_PORT) : "memory");
}

static void insl(void)
{
	void *at = block;
	uint32_t count = BLOCK / 4;

	__asm__ volatile("rep insl" : "+D"(at), "+c"(count) : "d"(NOBODYS_PORT) : "memory");
}

void bench_ports(void)
{
	static const struct bench list[] = {
		{"pit_read", pit_read, 100, 64},
		{"pic_read", pic_read, 100, 64},
		{"pm_timer_read", pm_timer_read, 100, 64},
		{"pci_address_read", pci_address_read, 100, 32},
		{"nobodys_port_read", nobodys_read, 100, 32},
		{"post_write", post_write, 100, 32},
		{"serial_lsr_read", serial_lsr_read, 100, 32},
		{"serial_scratch_write", serial_scratch_write, 100, 32},
		{"rep_outsb_4k", outsb, 1, 3},
		{"rep_insb_4k", insb, 1, 3},
		{"rep_outsl_4k", outsl, 1, 3},
		{"rep_insl_4k", insl, 1, 3},
	};
	/* These print. */
	static const struct bench prints[] = {
		{"serial_write", serial_write, 8, 16},
		{"serial_char", serial_char, 8, 16},
	};

	start_pit();
	bench_run(list, ARRAY_LEN(list));
	bench_run(prints, ARRAY_LEN(prints));
}
