/* Every port, read and written with every size, except those that end this machine by doing their work. */
#include "guests/hostile/hostile.h"

static const struct {
	uint16_t first, last;
} own[] = {
	{0x0064, 0x0064}, /* i8042: pulses the reset line */
	{0x0092, 0x0092}, /* fast A20 and reset */
	{0x00b2, 0x00b3}, /* enters SMM, where there is one */
	{0x00f4, 0x00f7}, /* isa-debug-exit */
	{0x03f8, 0x03ff}, /* COM1: what we are telling must get out */
	{0x0600, 0x063f}, /* power management: SLP_EN */
	{0x0cf9, 0x0cf9}, /* reset control */
	{0x8900, 0x8900}, /* Bochs: shutdown */
	{0xb000, 0xb03f}, /* power management in Bochs */
	{0xae00, 0xaf1f}, /* hot plug in QEMU: ejects devices */
};

struct port_sums {
	uint32_t reads, answered, writes;
};

static bool is_own(uint32_t port, uint32_t size)
{
	for (unsigned i = 0; i < ARRAY_LEN(own); i++)
		if (port <= own[i].last && port + size - 1 >= own[i].first)
			return true;
	return false;
}

static uint32_t read_port(uint16_t port, uint32_t size)
{
	if (size == 1)
		return inb(port);
	return size == 2 ? inw(port) : inl(port);
}

static void write_port(uint16_t port, uint32_t size, uint32_t v)
{
	if (size == 1)
		outb(port, (uint8_t)v);
	else if (size == 2)
		outw(port, (uint16_t)v);
	else
		outl(port, v);
}

void hostile_ports(void)
{
	struct port_sums s = {0, 0, 0};
	uint32_t step = guest_number("step", 1);

	for (uint32_t size = 1; size <= 4; size *= 2) {
		uint32_t ones = size == 4 ? 0xffffffffu : (1u << size * 8) - 1;

		for (uint32_t port = 0; port < 0x10000; port += step) {
			if (is_own(port, size))
				continue;
			s.answered += read_port((uint16_t)port, size) != ones;
			write_port((uint16_t)port, size, port % 3 ? 0xffffffffu : 0);
			s.reads++;
			s.writes++;
		}
	}
	/* What was written may have left the interrupt controllers in any state. */
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	print("hostile: ports: %u read, %u of them answered, %u written\n", s.reads, s.answered, s.writes);
}
