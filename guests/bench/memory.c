/* Memory: registers of the I/O APIC, an address that is nobody's, and RAM that is touched for the first time. */
#include "guests/bench/bench.h"

#define IOAPIC_AT 0xfec00000u
#define IOAPIC_IOWIN 0x10u
#define NOBODYS_ADDRESS 0xfeb00000u
#define PAGE 4096u
#define FRESH_AT 0x2000000u
#define FRESH_PAGES 1024u

static volatile uint32_t *at(uint32_t address)
{
	return (volatile uint32_t *)(uintptr_t)address;
}

static void ioapic_read(void)
{
	*at(IOAPIC_AT + IOAPIC_IOWIN);
}

/* The register of the version: selecting it changes nothing. */
static void ioapic_write(void)
{
	*at(IOAPIC_AT) = 1;
}

static void nobodys_read(void)
{
	*at(NOBODYS_ADDRESS);
}

static void touch(void)
{
	static uint32_t page;

	*at(FRESH_AT + page++ * PAGE) = 1;
}

void bench_memory(void)
{
	static const struct bench list[] = {
		{"ioapic_read", ioapic_read, 50, 64},
		{"ioapic_write", ioapic_write, 50, 64},
		{"nobodys_mmio_read", nobodys_read, 20, 16},
	};
	static const struct bench fresh = {"touch_4k", touch, 64, 15};

	bench_run(list, ARRAY_LEN(list));
	if (guest_ram_end() >= FRESH_AT + FRESH_PAGES * PAGE)
		bench_run(&fresh, 1);
	else if (bench_wanted("touch_4k"))
		bench_skip("touch_4k", "too little memory");
}
