/* The 8259A pair (see vpic.h). Follows Intel's 8259A data sheet, "Initialization Command Words", "Operation Command Words"
 * and "Interrupt Sequence", and the PIIX3 data sheet: ELCR decides edge or level per input, the LTIM bit of ICW1 does not.
 * Left out: MCS-80 mode (an 8086 takes no CALL) and buffered mode (a matter of pins).
 *
 *	IRQ 0,1,3..7 ----> [master] ---- INTR --> processor
 *	                      ^ IR2
 *	IRQ 8..15 -------> [slave ]
 *
 * The cascade input follows the slave's output as a level. On the part the slave's output falls during each acknowledge,
 * which makes the edge for the next request; a level has the same effect and cannot lose one. */
#include "vmm/devices/vpic.h"
#include "kernel/lib/bits.h"
#include "vmm/devices/bytewise.h"

#define NO_REQUEST 8u
#define CASCADE_BIT BIT32(PIC_CASCADE_IRQ)

/* Requests as the IRR register shows them: latched edges of lines still high, and level inputs as they are. An input that
 * falls before it is acknowledged withdraws its request (data sheet, "Edge and Level Triggered Modes"). */
static uint8_t requests(const struct vpic_chip *c)
{
	return (uint8_t)((c->edges & ~c->elcr) | (c->lines & c->elcr));
}

/* 0 is the highest priority, 8 that of no bit at all. Priority falls from the level above `lowest` upwards, around: turned by
 * that much, it falls from bit 0 on. */
static unsigned rank(const struct vpic_chip *c, uint8_t bits)
{
	unsigned turned = (bits | (unsigned)bits << 8) >> ((c->lowest + 1u) % 8);

	return bits == 0 ? 8 : bits_ffs(turned);
}

static unsigned level_of(const struct vpic_chip *c, unsigned rank_below_8)
{
	return (c->lowest + 1 + rank_below_8) % 8;
}

/* The set bit with the highest priority, or NO_REQUEST. */
static unsigned highest(const struct vpic_chip *c, uint8_t bits)
{
	return bits == 0 ? NO_REQUEST : level_of(c, rank(c, bits));
}

/* In-service levels that hold back others. */
static uint8_t blocking(const struct vpic_chip *c, bool is_master)
{
	uint8_t bits = c->isr;

	if (c->special_mask)
		bits &= (uint8_t)~c->imr;
	if (is_master && (c->icw4 & PIC_ICW4_SFNM))
		bits &= (uint8_t)~CASCADE_BIT; /* the slave sorts out its own */
	return bits;
}

/* The level this chip asks the processor for, or NO_REQUEST. */
static unsigned wanted(const struct vpic_chip *c, bool is_master)
{
	unsigned best;

	if (c->await != VPIC_READY)
		return NO_REQUEST;
	best = rank(c, requests(c) & (uint8_t)~c->imr);
	return best < rank(c, blocking(c, is_master)) ? level_of(c, best) : NO_REQUEST;
}

static void update(struct vpic *p)
{
	bool high;

	p->master.lines &= (uint8_t)~CASCADE_BIT;
	if (wanted(&p->slave, false) != NO_REQUEST)
		p->master.lines |= CASCADE_BIT;
	p->master.edges = (uint8_t)((p->master.edges & ~CASCADE_BIT) | (p->master.lines & CASCADE_BIT));
	high = wanted(&p->master, true) != NO_REQUEST;
	if (high == p->intr_high)
		return;
	__atomic_store_n(&p->intr_high, high, __ATOMIC_RELEASE);
	irq_line_set(&p->intr, high);
}

/* The acknowledge cycle of one chip: the request becomes in-service, or with automatic EOI leaves no trace. */
static void take(struct vpic_chip *c, unsigned level)
{
	c->edges &= (uint8_t)~BIT32(level);
	if (!(c->icw4 & PIC_ICW4_AEOI))
		c->isr |= (uint8_t)BIT32(level);
	else if (c->rotate_aeoi)
		c->lowest = (uint8_t)level;
}

static void write_icw1(struct vpic_chip *c, uint8_t value)
{
	c->icw1 = value;
	c->icw4 = 0;
	c->imr = 0;
	c->isr = 0;
	c->edges = 0; /* a line that is high needs a new edge */
	c->lowest = 7;
	c->rotate_aeoi = false;
	c->special_mask = false;
	c->read_isr = false;
	c->poll = false;
	c->await = VPIC_AWAIT_ICW2;
}

static void end_of_interrupt(struct vpic_chip *c, unsigned level, bool rotate)
{
	if (level == NO_REQUEST)
		return;
	c->isr &= (uint8_t)~BIT32(level);
	if (rotate)
		c->lowest = (uint8_t)level;
}

static void write_ocw2(struct vpic_chip *c, uint8_t value)
{
	unsigned level = value & PIC_OCW2_LEVEL_MASK;
	/* With the special mask mode on, a masked level's bit is left alone by the non-specific form. */
	unsigned served = highest(c, c->special_mask ? c->isr & (uint8_t)~c->imr : c->isr);

	switch (value & PIC_OCW2_CMD_MASK) {
	case PIC_OCW2_NONSPECIFIC_EOI:
		end_of_interrupt(c, served, false);
		break;
	case PIC_OCW2_ROTATE_NONSPECIFIC:
		end_of_interrupt(c, served, true);
		break;
	case PIC_OCW2_SPECIFIC_EOI:
		end_of_interrupt(c, level, false);
		break;
	case PIC_OCW2_ROTATE_SPECIFIC:
		end_of_interrupt(c, level, true);
		break;
	case PIC_OCW2_SET_PRIORITY:
		c->lowest = (uint8_t)level;
		break;
	case PIC_OCW2_ROTATE_AEOI_SET:
		c->rotate_aeoi = true;
		break;
	case PIC_OCW2_ROTATE_AEOI_CLEAR:
		c->rotate_aeoi = false;
		break;
	default: /* SL alone: no operation */
		break;
	}
}

static void write_ocw3(struct vpic_chip *c, uint8_t value)
{
	if (value & PIC_OCW3_ESMM)
		c->special_mask = (value & PIC_OCW3_SMM) != 0;
	if (value & PIC_OCW3_POLL)
		c->poll = true;
	else if (value & PIC_OCW3_RR)
		c->read_isr = (value & PIC_OCW3_RIS) != 0;
}

static void write_command(struct vpic_chip *c, uint8_t value)
{
	if (value & PIC_ICW1_INIT)
		write_icw1(c, value);
	else if ((value & PIC_OCW3_SELECT_MASK) == PIC_OCW3_ID)
		write_ocw3(c, value);
	else
		write_ocw2(c, value);
}

/* After ICW2 come ICW3, unless the chip stands alone, and ICW4, if ICW1 said so. */
static void write_data(struct vpic_chip *c, uint8_t value)
{
	enum vpic_await last = (c->icw1 & PIC_ICW1_IC4) ? VPIC_AWAIT_ICW4 : VPIC_READY;

	switch (c->await) {
	case VPIC_AWAIT_ICW2:
		c->vector = value & PIC_ICW2_VECTOR_MASK;
		c->await = (c->icw1 & PIC_ICW1_SNGL) ? last : VPIC_AWAIT_ICW3;
		break;
	case VPIC_AWAIT_ICW3: /* the wiring of the PC is fixed, whatever it says */
		c->await = last;
		break;
	case VPIC_AWAIT_ICW4:
		c->icw4 = value;
		c->await = VPIC_READY;
		break;
	default:
		c->imr = value;
		break;
	}
}

/* A read in poll mode is an acknowledge: the byte says whether there was a request, and its level. */
static uint8_t poll_chip(struct vpic_chip *c, bool is_master)
{
	unsigned level = wanted(c, is_master);

	c->poll = false;
	if (level == NO_REQUEST)
		return 0;
	take(c, level);
	return (uint8_t)(PIC_POLL_INT | level);
}

static uint8_t chip_read(struct vpic *p, struct vpic_chip *c, unsigned reg)
{
	if (c->poll) {
		uint8_t answer = poll_chip(c, c == &p->master);

		update(p);
		return answer;
	}
	if (reg == 1)
		return c->imr;
	return c->read_isr ? c->isr : requests(c);
}

static void chip_write(struct vpic *p, struct vpic_chip *c, unsigned reg, uint8_t value)
{
	if (reg == 0)
		write_command(c, value);
	else
		write_data(c, value);
	update(p);
}

static uint8_t master_read(void *ctx, unsigned reg)
{
	struct vpic *p = ctx;

	return chip_read(p, &p->master, reg);
}

static uint8_t slave_read(void *ctx, unsigned reg)
{
	struct vpic *p = ctx;

	return chip_read(p, &p->slave, reg);
}

static void master_write(void *ctx, unsigned reg, uint8_t value)
{
	struct vpic *p = ctx;

	chip_write(p, &p->master, reg, value);
}

static void slave_write(void *ctx, unsigned reg, uint8_t value)
{
	struct vpic *p = ctx;

	chip_write(p, &p->slave, reg, value);
}

static uint8_t elcr_read(void *ctx, unsigned reg)
{
	struct vpic *p = ctx;

	return reg == 0 ? p->master.elcr : p->slave.elcr;
}

static void elcr_write(void *ctx, unsigned reg, uint8_t value)
{
	struct vpic *p = ctx;

	if (reg == 0)
		p->master.elcr = value & PIC_ELCR_MASTER_MASK;
	else
		p->slave.elcr = value & PIC_ELCR_SLAVE_MASK;
	update(p);
}

static uint64_t master_bus_read(void *ctx, uint64_t offset, unsigned size)
{
	return bytewise_read(master_read, ctx, offset, size);
}

static void master_bus_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	bytewise_write(master_write, ctx, offset, size, value);
}

static uint64_t slave_bus_read(void *ctx, uint64_t offset, unsigned size)
{
	return bytewise_read(slave_read, ctx, offset, size);
}

static void slave_bus_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	bytewise_write(slave_write, ctx, offset, size, value);
}

static uint64_t elcr_bus_read(void *ctx, uint64_t offset, unsigned size)
{
	return bytewise_read(elcr_read, ctx, offset, size);
}

static void elcr_bus_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	bytewise_write(elcr_write, ctx, offset, size, value);
}

static const struct bus_ops master_ops = {.read = master_bus_read, .write = master_bus_write};
static const struct bus_ops slave_ops = {.read = slave_bus_read, .write = slave_bus_write};
static const struct bus_ops elcr_ops = {.read = elcr_bus_read, .write = elcr_bus_write};

/* Make the pair as it is after power-on: nothing is asked for until a guest has initialised both chips.
 * intr: copied; told when INTR changes. All inputs start low. */
void vpic_init(struct vpic *p, const struct irq_line *intr)
{
	*p = (struct vpic){.intr = *intr};
	vpic_reset(p);
}

/* Power-on state; the inputs stay as their devices hold them. */
void vpic_reset(struct vpic *p)
{
	uint8_t master_lines = p->master.lines, slave_lines = p->slave.lines;

	p->master = (struct vpic_chip){.lines = master_lines, .lowest = 7};
	p->slave = (struct vpic_chip){.lines = slave_lines, .lowest = 7};
	update(p);
}

/* Put both chips and the ELCR on a bus. Returns 0 or what bus_register() says. */
int vpic_register(struct vpic *p, struct bus *ports)
{
	int err = bus_register(ports, PIC_MASTER_CMD, 2, &master_ops, p, "pic");

	if (err == 0)
		err = bus_register(ports, PIC_SLAVE_CMD, 2, &slave_ops, p, "pic2");
	if (err == 0)
		err = bus_register(ports, PIC_ELCR_MASTER, 2, &elcr_ops, p, "elcr");
	return err;
}

/* An input changes. pin: 0..15, others and the cascade input are ignored. */
void vpic_set_irq(void *ctx, unsigned pin, bool high)
{
	struct vpic *p = ctx;
	struct vpic_chip *c = pin < 8 ? &p->master : &p->slave;
	uint8_t bit = (uint8_t)BIT32(pin % 8);

	if (pin >= PIC_IRQS || pin == PIC_CASCADE_IRQ || high == ((c->lines & bit) != 0))
		return;
	c->lines ^= bit;
	if (high)
		c->edges |= bit;
	else
		c->edges &= (uint8_t)~bit;
	update(p);
}

/* The cascade input follows the slave's request, so one is there; the part's own answer to none stays written down. */
static uint8_t ack_slave(struct vpic *p)
{
	unsigned level = wanted(&p->slave, false);

	if (level == NO_REQUEST) {
		p->spurious++;
		level = PIC_SPURIOUS_LEVEL;
	} else {
		take(&p->slave, level);
	}
	return (uint8_t)(p->slave.vector | level);
}

/* The processor's acknowledge: the vector of the request with the highest priority, which becomes in-service. Without a
 * request (it was withdrawn, or nobody asked vpic_pending() first) the part answers with level 7 and marks nothing. */
uint8_t vpic_ack(struct vpic *p)
{
	unsigned level = wanted(&p->master, true);
	uint8_t vector;

	if (level == NO_REQUEST) {
		p->spurious++;
		return p->master.vector | PIC_SPURIOUS_LEVEL;
	}
	take(&p->master, level);
	if (level == PIC_CASCADE_IRQ && !(p->master.icw1 & PIC_ICW1_SNGL))
		vector = ack_slave(p);
	else
		vector = (uint8_t)(p->master.vector | level);
	update(p);
	return vector;
}
