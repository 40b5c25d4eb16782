/* The I/O APIC's registers and pins. 82093AA data sheet, "Register Description", and Intel's chipset data sheets for the
 * EOI register. */
#include "vmm/devices/vioapic.h"

#include "kernel/lib/assert.h"

/* The EOI register is what version 20H adds. */
#define VERSION 0x20u

#define RTE_WRITABLE                                                                                                   \
	(IOAPIC_RTE_VECTOR_MASK | IOAPIC_RTE_DM_MASK | IOAPIC_RTE_LOGICAL | IOAPIC_RTE_ACTIVE_LOW | IOAPIC_RTE_LEVEL | \
	 IOAPIC_RTE_MASKED | 0xffull << IOAPIC_RTE_DEST_SHIFT)

static void send(struct vioapic *v, unsigned pin)
{
	uint64_t entry = v->entries[pin];
	struct vioapic_msg msg = {.dest = (uint8_t)(entry >> IOAPIC_RTE_DEST_SHIFT),
				  .vector = (uint8_t)(entry & IOAPIC_RTE_VECTOR_MASK),
				  .delivery = (uint8_t)((entry & IOAPIC_RTE_DM_MASK) >> IOAPIC_RTE_DM_SHIFT),
				  .logical = (entry & IOAPIC_RTE_LOGICAL) != 0,
				  .level = (entry & IOAPIC_RTE_LEVEL) != 0};

	v->delivered[pin]++;
	if (!v->deliver(v->ctx, &msg))
		return;
	/* "Set when local APIC(s) accept the level interrupt"; only the modes with a vector are ended by an EOI. */
	if (msg.level && (entry & IOAPIC_RTE_DM_MASK) <= IOAPIC_RTE_DM_LOWEST)
		v->entries[pin] |= IOAPIC_RTE_REMOTE_IRR;
}

/* A level-triggered pin asks as long as it is asserted, and nobody is at it yet. */
static void serve_level(struct vioapic *v, unsigned pin)
{
	uint64_t entry = v->entries[pin];

	if ((v->lines & BIT32(pin)) != 0 &&
	    (entry & (IOAPIC_RTE_LEVEL | IOAPIC_RTE_MASKED | IOAPIC_RTE_REMOTE_IRR)) == IOAPIC_RTE_LEVEL)
		send(v, pin);
}

void vioapic_set_line(struct vioapic *v, unsigned pin, bool high)
{
	uint32_t bit = BIT32(pin);
	bool was_high = (v->lines & bit) != 0;

	assert(pin < IOAPIC_PINS);
	if (high == was_high)
		return;
	v->lines ^= bit;
	if (!high)
		return;
	if ((v->entries[pin] & IOAPIC_RTE_LEVEL) != 0)
		serve_level(v, pin);
	else if ((v->entries[pin] & IOAPIC_RTE_MASKED) == 0) /* "edges on a masked pin are ignored" */
		send(v, pin);
}

void vioapic_eoi(struct vioapic *v, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t entry = v->entries[pin];

		if ((entry & IOAPIC_RTE_REMOTE_IRR) == 0 || (entry & IOAPIC_RTE_VECTOR_MASK) != vector)
			continue;
		v->entries[pin] &= ~IOAPIC_RTE_REMOTE_IRR;
		serve_level(v, pin);
	}
}

/* Delivery status and remote IRR are read-only; an entry made edge-triggered forgets its remote IRR, which software uses
 * to end an interrupt on versions without an EOI register. */
static void write_entry(struct vioapic *v, unsigned pin, uint64_t value)
{
	uint64_t remote_irr = v->entries[pin] & IOAPIC_RTE_REMOTE_IRR;

	value &= RTE_WRITABLE;
	if ((value & IOAPIC_RTE_LEVEL) != 0)
		value |= remote_irr;
	v->entries[pin] = value;
	serve_level(v, pin);
}

static uint32_t read_register(const struct vioapic *v)
{
	unsigned n = v->index - IOAPIC_REDTBL;

	switch (v->index) {
	case IOAPIC_ID:
	case IOAPIC_ARB: /* the arbitration ID is loaded with the ID whenever that is written */
		return (uint32_t)v->id << IOAPIC_ID_SHIFT;
	case IOAPIC_VER:
		return VERSION | (IOAPIC_PINS - 1) << IOAPIC_VER_MAX_SHIFT;
	default:
		if (v->index < IOAPIC_REDTBL || n / 2 >= IOAPIC_PINS)
			return 0;
		return (uint32_t)(v->entries[n / 2] >> (n % 2 * 32));
	}
}

static void write_register(struct vioapic *v, uint32_t value)
{
	unsigned n = v->index - IOAPIC_REDTBL;
	uint64_t entry;

	if (v->index == IOAPIC_ID)
		v->id = (uint8_t)((value & IOAPIC_ID_MASK) >> IOAPIC_ID_SHIFT);
	if (v->index < IOAPIC_REDTBL || n / 2 >= IOAPIC_PINS)
		return;
	entry = v->entries[n / 2];
	if (n % 2 == 0)
		entry = (entry & 0xffffffff00000000ull) | value;
	else
		entry = (entry & 0xffffffffull) | (uint64_t)value << 32;
	write_entry(v, n / 2, entry);
}

/* The three registers are 32 bits wide at multiples of 16; hardware defines no other accesses. Reads inside of one give
 * its bytes, reads elsewhere 0; a write must begin where a register does, and IOWIN takes only whole ones. */
static uint64_t mmio_read(void *ctx, uint64_t offset, unsigned size)
{
	const struct vioapic *v = ctx;
	uint64_t value = 0;

	if (offset < IOAPIC_REGSEL + 4)
		value = (uint64_t)v->index >> (offset * 8);
	else if (offset >= IOAPIC_WIN && offset < IOAPIC_WIN + 4)
		value = (uint64_t)read_register(v) >> ((offset - IOAPIC_WIN) * 8);
	return size >= 4 ? value : value & ((1ull << size * 8) - 1);
}

static void mmio_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vioapic *v = ctx;

	if (offset == IOAPIC_REGSEL)
		v->index = (uint8_t)value;
	else if (offset == IOAPIC_WIN && size >= 4)
		write_register(v, (uint32_t)value);
	else if (offset == IOAPIC_EOI)
		vioapic_eoi(v, (uint8_t)value);
}

const struct bus_ops vioapic_ops = {.read = mmio_read, .write = mmio_write};

COLD void vioapic_reset(struct vioapic *v)
{
	v->id = 0;
	v->index = 0;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		v->entries[pin] = IOAPIC_RTE_MASKED;
}

COLD void vioapic_init(struct vioapic *v, bool (*deliver)(void *ctx, const struct vioapic_msg *msg), void *ctx)
{
	*v = (struct vioapic){.deliver = deliver, .ctx = ctx};
	vioapic_reset(v);
}
