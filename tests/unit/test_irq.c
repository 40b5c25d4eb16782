/* Routing of ISA interrupts over fake I/O APICs and a fake 8259 pair, with the MADTs of common machines. */
#include "drivers/irq.h"
#include "kernel/lib/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

enum { IOAPICS = 2, IOAPIC0 = 0x10000, IOAPIC1 = 0x20000, LAPIC_PAGE = 0x30000, BASE_VECTOR = 0x20 };

struct fake_ioapic {
	bool absent;
	uint32_t select;
	unsigned pins;
	uint32_t redtbl[64];
};

struct fake_pic {
	unsigned icw; /* which is expected next, 0: none */
	uint8_t icws[5];
	uint8_t mask, isr, last_ocw2;
	unsigned eois;
	bool read_isr;
};

static struct fake_ioapic io[IOAPICS];
static struct fake_pic pics[2];
static uint32_t lint0;
static unsigned lapic_eois;

static uint32_t read32(void *ctx, uintptr_t reg)
{
	struct fake_ioapic *f = &io[reg >= IOAPIC1];
	unsigned n = f->select;

	(void)ctx;
	assert_int_equal(reg & 0xffff, IOAPIC_WIN);
	if (f->absent)
		return 0xffffffff;
	if (n == IOAPIC_VER)
		return (f->pins - 1) << IOAPIC_VER_MAX_SHIFT | IOAPIC_VER_82093AA;
	assert_in_range(n, IOAPIC_REDTBL, IOAPIC_REDTBL + 2 * f->pins - 1);
	return f->redtbl[n - IOAPIC_REDTBL];
}

static void write32(void *ctx, uintptr_t reg, uint32_t value)
{
	struct fake_ioapic *f = &io[reg >= IOAPIC1];
	unsigned n;

	(void)ctx;
	if (reg >= LAPIC_PAGE) {
		if (reg - LAPIC_PAGE == LAPIC_LVT_LINT0)
			lint0 = value;
		if (reg - LAPIC_PAGE == LAPIC_EOI)
			lapic_eois++;
		return;
	}
	if ((reg & 0xffff) == IOAPIC_REGSEL) {
		f->select = value;
		return;
	}
	assert_int_equal(reg & 0xffff, IOAPIC_WIN);
	n = f->select - IOAPIC_REDTBL;
	assert_true(n < 2 * f->pins);
	if (n % 2 == 1)
		assert_true(f->redtbl[n - 1] & IOAPIC_RTE_MASKED);
	f->redtbl[n] = value;
}

static uint8_t in8(void *ctx, uint16_t port)
{
	struct fake_pic *p = &pics[port >= PIC_SLAVE_CMD];

	(void)ctx;
	assert_int_equal(port & 1, 0);
	return p->read_isr ? p->isr : 0;
}

static void pic_command(struct fake_pic *p, uint8_t value)
{
	if (value & PIC_ICW1_INIT) {
		p->icw = 2;
		p->icws[1] = value;
		p->mask = 0;
	} else if (value & PIC_OCW3_ID) {
		p->read_isr = (value & 3) == 3;
	} else {
		p->last_ocw2 = value;
		p->eois++;
		if ((value & PIC_OCW2_CMD_MASK) == PIC_OCW2_SPECIFIC_EOI)
			p->isr &= (uint8_t) ~(1u << (value & 7));
	}
}

static void out8(void *ctx, uint16_t port, uint8_t value)
{
	struct fake_pic *p = &pics[port >= PIC_SLAVE_CMD];

	(void)ctx;
	if ((port & 1) == 0) {
		pic_command(p, value);
	} else if (p->icw != 0) {
		p->icws[p->icw] = value;
		p->icw = p->icw == 4 ? 0 : p->icw + 1;
	} else {
		p->mask = value;
	}
}

static const struct hw_io hw = {.in8 = in8, .out8 = out8, .read32 = read32, .write32 = write32};
static const struct lapic lapic = {.hw = &hw, .config = {.base = LAPIC_PAGE}};

static uintptr_t map(void *ctx, uint64_t hpa, uint64_t len)
{
	(void)ctx;
	assert_int_equal(len, IOAPIC_SIZE);
	if (hpa == 0xfec00000)
		return IOAPIC0;
	return hpa == 0xfec10000 ? IOAPIC1 : 0;
}

static void new_machine(void)
{
	memset(io, 0, sizeof(io));
	memset(pics, 0, sizeof(pics));
	io[0].pins = 24;
	io[1].pins = 16;
	lint0 = LAPIC_LVT_MASKED;
	lapic_eois = 0;
}

static uint8_t madt_bytes[256];
static size_t madt_len;

static void madt_begin(void)
{
	memset(madt_bytes, 0, sizeof(madt_bytes));
	memcpy(madt_bytes, "APIC", 4);
	madt_len = MADT_ENTRIES;
}

static void madt_ioapic(uint32_t address, uint32_t gsi)
{
	uint8_t *p = madt_bytes + madt_len;

	p[0] = MADT_TYPE_IOAPIC;
	p[1] = MADT_IOAPIC_LEN;
	store_le32(p + MADT_IOAPIC_ADDR, address);
	store_le32(p + MADT_IOAPIC_GSI_BASE, gsi);
	madt_len += MADT_IOAPIC_LEN;
}

static void madt_override(uint8_t irq, uint32_t gsi, uint16_t flags)
{
	uint8_t *p = madt_bytes + madt_len;

	p[0] = MADT_TYPE_ISO;
	p[1] = MADT_ISO_LEN;
	p[MADT_ISO_SOURCE] = irq;
	store_le32(p + MADT_ISO_GSI, gsi);
	store_le16(p + MADT_ISO_FLAGS, flags);
	madt_len += MADT_ISO_LEN;
}

static struct acpi_madt madt_end(void)
{
	struct acpi_table t = {.bytes = madt_bytes, .len = (uint32_t)madt_len};
	struct acpi_madt madt;

	assert_int_equal(acpi_madt_open(&t, &madt), 0);
	return madt;
}

static uint64_t entry(unsigned which, unsigned pin)
{
	return (uint64_t)io[which].redtbl[2 * pin + 1] << 32 | io[which].redtbl[2 * pin];
}

static void test_ioapic(void **state)
{
	struct irq_router r;
	struct acpi_madt madt;
	uint8_t vector;

	(void)state;
	new_machine();
	madt_begin();
	madt_ioapic(0xfec00000, 0);
	madt_override(0, 2, 0);
	madt_override(9, 9, MADT_TRIGGER_LEVEL | MADT_POLARITY_LOW);
	madt_override(10, 10, MADT_TRIGGER_LEVEL | MADT_POLARITY_HIGH);
	madt = madt_end();
	irq_init(&r, &hw, &lapic, BASE_VECTOR);
	assert_int_equal(irq_add_ioapics(&r, &madt, map, NULL), 0);
	for (unsigned pin = 0; pin < 24; pin++)
		assert_true(entry(0, pin) == IOAPIC_RTE_MASKED);
	assert_int_equal(irq_route_isa(&r, 4, 3, &vector), 0);
	assert_int_equal(vector, 0x24);
	assert_true(entry(0, 4) == 0x0300000000000024);
	assert_int_equal(irq_route_isa(&r, 0, 0, &vector), 0);
	assert_int_equal(vector, 0x20);
	assert_true(entry(0, 2) == 0x20);
	assert_true(entry(0, 0) == IOAPIC_RTE_MASKED);
	assert_int_equal(irq_route_isa(&r, 9, 0xff, &vector), 0);
	assert_true(entry(0, 9) == (0xff00000000000029 | IOAPIC_RTE_LEVEL | IOAPIC_RTE_ACTIVE_LOW));
	assert_int_equal(irq_route_isa(&r, 10, 0, &vector), 0);
	assert_true(entry(0, 10) == (0x2a | IOAPIC_RTE_LEVEL));
	assert_int_equal(irq_route_isa(&r, 4, 0x100, &vector), ERR_RANGE);
	assert_int_equal(irq_route_isa(&r, 2, 0, &vector), ERR_INVAL);
	assert_int_equal(irq_route_isa(&r, 16, 0, &vector), ERR_INVAL);
	assert_int_equal(irq_mask_isa(&r, 4), 0);
	assert_true(entry(0, 4) == (0x0300000000000024 | IOAPIC_RTE_MASKED));
	assert_int_equal(lint0, LAPIC_LVT_MASKED);
	assert_int_equal(pics[0].mask & pics[1].mask, 0xff);
	assert_true(irq_begin(&r, 0x24));
	irq_end(&r, 0x24);
	assert_int_equal(lapic_eois, 1);
	assert_int_equal(pics[0].eois + pics[1].eois, 0);
	ioapic_unmask(&r.ioapics[0], 4);
	assert_true(entry(0, 4) == 0x0300000000000024);
}

static void test_two_ioapics(void **state)
{
	struct irq_router r;
	struct acpi_madt madt;
	uint8_t vector;

	(void)state;
	new_machine();
	madt_begin();
	madt_override(5, 24 + 3, 0);
	madt_override(6, 24 + 16, 0); /* beyond the last pin */
	madt_override(7, 0xffffffff, 0);
	madt_override(200, 1, 0); /* no ISA interrupt */
	madt_ioapic(0xfec00000, 0);
	madt_ioapic(0xfec10000, 24);
	madt_ioapic(0xfec20000, 40); /* cannot be mapped */
	madt = madt_end();
	irq_init(&r, &hw, &lapic, BASE_VECTOR);
	assert_int_equal(irq_add_ioapics(&r, &madt, map, NULL), ERR_RANGE);
	assert_int_equal(r.ioapic_count, 2);
	assert_int_equal(irq_route_isa(&r, 5, 1, &vector), 0);
	assert_true(entry(1, 3) == 0x0100000000000025);
	assert_int_equal(irq_route_isa(&r, 6, 1, &vector), ERR_NOENT);
	assert_int_equal(irq_route_isa(&r, 7, 1, &vector), ERR_NOENT);
	assert_int_equal(irq_mask_isa(&r, 7), ERR_NOENT);
}

static void test_pic(void **state)
{
	struct irq_router r;
	struct acpi_madt madt;
	uint8_t vector;

	(void)state;
	new_machine();
	io[0].absent = true;
	madt_begin();
	madt_ioapic(0xfec00000, 0);
	madt = madt_end();
	irq_init(&r, &hw, &lapic, BASE_VECTOR);
	assert_int_equal(irq_add_ioapics(&r, &madt, map, NULL), ERR_NOENT);
	assert_int_equal(pics[0].icws[2], 0x20);
	assert_int_equal(pics[1].icws[2], 0x28);
	assert_int_equal(pics[0].icws[3], 4);
	assert_int_equal(pics[1].icws[3], 2);
	assert_int_equal(pics[0].icws[4] & pics[1].icws[4], PIC_ICW4_8086);
	assert_int_equal(pics[0].mask & pics[1].mask, 0xff);
	assert_int_equal(irq_route_isa(&r, 4, 0, &vector), 0);
	assert_int_equal(vector, 0x24);
	assert_int_equal(lint0, LAPIC_LVT_DM_EXTINT);
	assert_int_equal(pics[0].mask, 0xef);
	assert_int_equal(irq_route_isa(&r, 8, 0, &vector), 0);
	assert_int_equal(vector, 0x28);
	assert_int_equal(pics[0].mask, 0xeb); /* with the cascade */
	assert_int_equal(pics[1].mask, 0xfe);

	pics[0].isr = 0x10;
	assert_true(irq_begin(&r, 0x24));
	irq_end(&r, 0x24);
	assert_int_equal(pics[0].isr, 0);
	pics[0].isr = 4;
	pics[1].isr = 1;
	assert_true(irq_begin(&r, 0x28));
	irq_end(&r, 0x28);
	assert_int_equal(pics[0].isr | pics[1].isr, 0);
	assert_int_equal(lapic_eois, 0);
	/* spurious: not in service, no EOI; the second one's leaves only the cascade to acknowledge */
	pics[0].eois = 0;
	assert_false(irq_begin(&r, 0x27));
	assert_int_equal(pics[0].eois, 0);
	pics[0].isr = 4;
	assert_false(irq_begin(&r, 0x2f));
	assert_int_equal(pics[0].isr, 0);
	pics[0].isr = 0x80; /* a real IRQ 7 */
	assert_true(irq_begin(&r, 0x27));
	assert_int_equal(irq_mask_isa(&r, 4), 0);
	assert_int_equal(pics[0].mask, 0xfb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ioapic),
		cmocka_unit_test(test_two_ioapics),
		cmocka_unit_test(test_pic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
