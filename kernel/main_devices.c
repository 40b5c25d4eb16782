/* Boot: the machine's own devices: serial port, screen, ACPI, interrupts, time. */
#include "kernel/main.h"

#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "arch/x86/spinlock.h"
#include "arch/x86/traps.h"
#include "drivers/debug_port.h"
#include "drivers/regs/acpi.h"
#include "drivers/regs/hpet.h"
#include "drivers/rtc.h"
#include "kernel/idle.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"

#define RX_RING_BYTES (64u * 1024u)
#define TX_RING_BYTES (256u * 1024u)
#define BIOS_AREA_HPA 0xe0000u /* where a BIOS leaves the ACPI root pointer */
#define BIOS_AREA_BYTES 0x20000u
#define TEXT_CELLS_MAX (240u * 100u)

static uint8_t rx_ring[RX_RING_BYTES], tx_ring[TX_RING_BYTES];
static char fb_cells[2 * TEXT_CELLS_MAX];
static struct machine *the_machine; /* for interrupt handlers, which get no context */
static struct log_sink screen_sink, serial_sink, debug_sink;

static uintptr_t map_registers(void *ctx, uint64_t hpa, uint64_t len)
{
	volatile void *registers = paging_map_mmio(hpa, len);

	(void)ctx;
	if (registers == NULL)
		panic("device registers at 0x%llx cannot be mapped", (unsigned long long)hpa);
	return (uintptr_t)registers;
}

static void screen_write(void *ctx, const char *text, size_t len)
{
	text_screen_write(ctx, text, len);
}

static void screen_show(void *ctx)
{
	text_screen_show(ctx);
}

static void debug_write(void *ctx, const char *text, size_t len)
{
	debug_port_write(ctx, text, len);
}

static bool framebuffer_screen(struct machine *m)
{
	const struct boot_framebuffer *b = &m->loader.framebuffer;
	struct fb_mode mode = {
		.width = b->width,
		.height = b->height,
		.pitch_bytes = b->pitch_bytes,
		.bits_per_pixel = b->bits_per_pixel,
		.red_at = b->red.shift,
		.red_bits = b->red.bits,
		.green_at = b->green.shift,
		.green_bits = b->green.bits,
		.blue_at = b->blue.shift,
		.blue_bits = b->blue.bits,
	};
	volatile uint8_t *memory;

	if (b->type != BOOT_FB_RGB)
		return false;
	memory = paging_map_framebuffer(b->base, (uint64_t)b->pitch_bytes * b->height);
	return memory != NULL && fb_text_init(&m->fb, &mode, memory, fb_cells, sizeof(fb_cells)) == 0;
}

/* The log on the screen: framebuffer or VGA text, and the emulators' debug port. */
void boot_screen(struct machine *m)
{
	struct text_screen *screen = NULL;

	if (debug_port_present(&hw_real)) {
		debug_sink =
			(struct log_sink){.write = debug_write, .ctx = (void *)(uintptr_t)&hw_real, .level = LOG_DEBUG};
		log_add_sink(&debug_sink);
	}
	if (m->loader.framebuffer.present && framebuffer_screen(m)) {
		screen = &m->fb.screen;
	} else if (m->loader.framebuffer.type == BOOT_FB_TEXT) {
		vga_text_init(&m->vga, &hw_real, paging_map_framebuffer(VGA_TEXT_HPA, VGA_TEXT_BYTES));
		screen = &m->vga.screen;
	}
	if (screen == NULL)
		return;
	screen_sink = (struct log_sink){.write = screen_write, .show = screen_show, .ctx = screen, .level = LOG_INFO};
	log_add_sink(&screen_sink);
}

/* Guests on any CPU print to the console that is attached. After everything else in the order of locks. */
static struct spinlock terminal_lock = SPINLOCK_RANKED(LOCK_RANK_TERMINAL, "terminal");

static size_t terminal_read(void *ctx, void *buf, size_t len)
{
	size_t n;

	spin_lock(&terminal_lock);
	n = uart_read(ctx, buf, len);
	spin_unlock(&terminal_lock);
	return n;
}

static void terminal_put(void *ctx, const void *data, size_t len)
{
	spin_lock(&terminal_lock);
	uart_write_all(ctx, data, len);
	spin_unlock(&terminal_lock);
}

static size_t terminal_room(void *ctx)
{
	return ring_room(&((struct uart *)ctx)->tx);
}

/* Where there is no serial port: nothing is typed, and what is said has gone at once, so that run="..." goes on. */
static size_t no_terminal_read(void *ctx, void *buf, size_t len)
{
	(void)ctx;
	(void)buf;
	(void)len;
	return 0;
}

static void no_terminal_put(void *ctx, const void *data, size_t len)
{
	(void)ctx;
	(void)data;
	(void)len;
}

static size_t no_terminal_room(void *ctx)
{
	(void)ctx;
	return SIZE_MAX;
}

static void serial_write(void *ctx, const char *text, size_t len)
{
	monitor_log(ctx, text, len);
}

/* console=com1 (the default) or com2. Everything the operator sees goes through the monitor's terminal from here on. */
void boot_console(struct machine *m)
{
	const char *which = bootline_value(&m->bootline, "console");
	struct uart_config config = {
		.base = which != NULL && str_eq(which, "com2") ? UART_COM2_BASE : UART_COM1_BASE,
		.baud = UART_BAUD_MAX,
		.rx_storage = rx_ring,
		.rx_bytes = sizeof(rx_ring),
		.tx_storage = tx_ring,
		.tx_bytes = sizeof(tx_ring),
	};

	if (which != NULL && !str_eq(which, "com1") && !str_eq(which, "com2"))
		log_error("boot line: console=%s is none of com1, com2", which);
	m->terminal = (struct terminal){terminal_read, terminal_put, terminal_room, &m->uart};
	if (uart_init(&m->uart, &hw_real, &config) != 0) {
		m->terminal = (struct terminal){no_terminal_read, no_terminal_put, no_terminal_room, NULL};
		log_error("no serial port at 0x%x: nobody can type at the monitor", config.base);
		return;
	}
	serial_sink =
		(struct log_sink){.write = serial_write, .ctx = &m->monitor, .level = LOG_INFO, .home_only = true};
	m->monitor.term = &m->terminal;
	log_add_sink(&serial_sink);
}

static const void *acpi_map(void *ctx, uint64_t hpa, uint64_t len)
{
	(void)ctx;
	return paging_map_firmware(hpa, len);
}

static bool find_rsdp(struct machine *m, struct acpi_rsdp *rsdp)
{
	const uint8_t *bios;
	size_t offset;

	if (m->loader.rsdp_bytes != 0 && acpi_rsdp_parse(m->loader.rsdp, m->loader.rsdp_bytes, rsdp) == 0)
		return true;
	if (m->loader.efi_system_table != 0)
		return false;
	bios = paging_map_firmware(BIOS_AREA_HPA, BIOS_AREA_BYTES);
	return bios != NULL && acpi_rsdp_scan(bios, BIOS_AREA_BYTES, &offset) == 0 &&
	       acpi_rsdp_parse(bios + offset, BIOS_AREA_BYTES - offset, rsdp) == 0;
}

void boot_acpi(struct machine *m)
{
	struct acpi_memory memory = {acpi_map, m};
	struct acpi_rsdp rsdp;
	struct acpi_table table;
	struct acpi_sleep s5;
	bool has_fadt = false, has_s5 = false;

	m->has_acpi = find_rsdp(m, &rsdp) && acpi_root_open(&memory, &rsdp, &m->acpi) == 0;
	if (!m->has_acpi)
		log_warn("ACPI: no tables; CPUs are called by a broadcast, power-off only where the chipset is known");
	if (m->has_acpi && acpi_find(&memory, &m->acpi, ACPI_SIGNATURE('F', 'A', 'C', 'P'), &table) == 0)
		has_fadt = acpi_fadt_parse(&table, &m->fadt) == 0;
	if (has_fadt && acpi_table_at(&memory, m->fadt.dsdt, &table) == 0)
		has_s5 = acpi_find_s5(table.bytes, table.len, &s5) == 0;
	if (m->has_acpi && acpi_find(&memory, &m->acpi, ACPI_SIGNATURE('A', 'P', 'I', 'C'), &table) == 0)
		m->has_madt = acpi_madt_open(&table, &m->madt) == 0;
	power_init(&m->power, &hw_real, has_fadt ? &m->fadt : NULL, has_s5 ? &s5 : NULL);
}

static void timer_interrupt(struct trap_frame *frame)
{
	(void)frame;
	idle_timer_interrupt();
	lapic_eoi(&the_machine->lapic);
}

static void error_interrupt(struct trap_frame *frame)
{
	(void)frame;
	log_warn("local APIC error, ESR 0x%x", lapic_errors(&the_machine->lapic));
	lapic_eoi(&the_machine->lapic);
}

static bool wanted(const struct machine *m, const char *off, uint32_t bit)
{
	uint32_t regs[4];

	cpuid(1, 0, regs);
	return (regs[2] & bit) != 0 && !bootline_flag(&m->bootline, off);
}

void boot_interrupts(struct machine *m)
{
	struct lapic_config config = {
		.hpa = m->has_madt ? m->madt.lapic_address : LAPIC_DEFAULT_BASE,
		.x2apic = wanted(m, "nox2apic", BIT32(21)),
		.tsc_deadline = wanted(m, "notscdeadline", BIT32(24)),
		.timer_vector = VECTOR_LAPIC_TIMER,
		.error_vector = VECTOR_LAPIC_ERROR,
		.spurious_vector = VECTOR_LAPIC_SPURIOUS,
	};
	int err;

	the_machine = m;
	config.base = map_registers(NULL, config.hpa, LAPIC_SIZE);
	lapic_init(&m->lapic, &hw_real, &config);
	/* The 8259 pair falls silent before the local APIC stops listening to it: QEMU otherwise remembers an interrupt of
	 * the loader's time for ever, and delivers it without a vector. */
	irq_init(&m->irqs, &hw_real, &m->lapic, VECTOR_ISA_BASE);
	lapic_cpu_enable(&m->lapic);
	trap_set_handler(VECTOR_LAPIC_TIMER, timer_interrupt);
	trap_set_handler(VECTOR_LAPIC_ERROR, error_interrupt);
	err = m->has_madt ? irq_add_ioapics(&m->irqs, &m->madt, map_registers, m) : 0;
	if (err != 0)
		log_warn(m->irqs.ioapic_count == 0 ? "no I/O APIC (%s): the 8259 pair serves"
						   : "an I/O APIC is left out: %s",
			 err_str(err));
}

static uint64_t hpet_base(struct machine *m)
{
	struct acpi_memory memory = {acpi_map, m};
	struct acpi_table table;
	uint64_t hpa;

	if (!m->has_acpi || acpi_find(&memory, &m->acpi, ACPI_SIGNATURE('H', 'P', 'E', 'T'), &table) != 0 ||
	    acpi_hpet_address(&table, &hpa) != 0)
		return 0;
	return map_registers(NULL, hpa, HPET_SIZE);
}

static void timer_arm(uint64_t tsc)
{
	if (tsc == UINT64_MAX)
		lapic_timer_stop(&the_machine->lapic);
	else
		lapic_timer_arm(&the_machine->lapic, tsc);
}

static bool timer_pending(void)
{
	return lapic_timer_pending(&the_machine->lapic);
}

static uint64_t wall_seconds(void)
{
	const struct machine *m = the_machine;

	return (uint64_t)m->wall_at_boot + (rdtsc() - m->boot_tsc) / m->tsc.hz;
}

void boot_time(struct machine *m)
{
	struct tsc_sources sources = {.hpet_base = hpet_base(m)};
	struct rtc_time now;
	uint32_t max[4];
	char text[128];

	if (m->fadt.pm_timer.space == GAS_SPACE_IO)
		sources.pm_timer = (uint16_t)m->fadt.pm_timer.address;
	cpuid(0, 0, max);
	if (max[0] >= 0x15)
		cpuid(0x15, 0, sources.cpuid_15);
	if (max[0] >= 0x16)
		cpuid(0x16, 0, sources.cpuid_16);
	if (tsc_calibrate(&hw_real, &sources, &m->tsc) != 0)
		panic("no clock to measure the TSC with: neither HPET, PM timer nor PIT works");
	if (m->tsc.hz <= ACPI_PM_TIMER_HZ)
		panic("a TSC of %llu Hz is slower than the timers of a guest", (unsigned long long)m->tsc.hz);
	log_set_clock(rdtsc, m->boot_tsc, m->tsc.hz);
	if (m->tsc.verdict == TSC_CPUID_LIES)
		log_warn("%s", tsc_describe(&m->tsc, text, sizeof(text)));
	else
		log_info("%s", tsc_describe(&m->tsc, text, sizeof(text)));
	if (lapic_timer_calibrate(&m->lapic, m->tsc.hz) != 0)
		panic("the local APIC's timer does not count");
	idle_set_timer(timer_arm, m->lapic.config.tsc_deadline ? timer_pending : NULL);
	if (rtc_read(&hw_real, m->fadt.century, &now) == 0)
		m->wall_at_boot = rtc_seconds(&now) - (int64_t)((rdtsc() - m->boot_tsc) / m->tsc.hz);
	m->host.tsc_hz = m->tsc.hz;
	m->host.wall_seconds = wall_seconds;
}

static void serial_interrupt(struct trap_frame *frame)
{
	struct machine *m = the_machine;

	if (!irq_begin(&m->irqs, (uint8_t)frame->vector))
		return;
	spin_lock(&terminal_lock);
	uart_irq(&m->uart);
	spin_unlock(&terminal_lock);
	__atomic_store_n(&m->host.called, 1, __ATOMIC_SEQ_CST);
	this_cpu()->attention = 1; /* the handler may have run in a window, on the way into a guest */
	irq_end(&m->irqs, (uint8_t)frame->vector);
}

static void write_polled(void *ctx, const char *text, size_t len)
{
	struct uart *uart = ctx;

	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			uart_write_all(uart, "\r", 1);
		uart_write_all(uart, &text[i], 1);
	}
	(void)uart_drain(uart);
}

/* The panic's words go to the line itself, past the monitor. */
static void panic_serial(void)
{
	uart_irq_disable(&the_machine->uart);
	(void)uart_drain(&the_machine->uart);
	serial_sink.write = write_polled;
	serial_sink.ctx = &the_machine->uart;
}

void boot_serial_irq(struct machine *m)
{
	uint8_t vector;

	panic_set_hook(panic_serial);
	if (m->uart.hw == NULL || m->uart.type == UART_TYPE_NONE)
		return;
	if (irq_route_isa(&m->irqs, uart_isa_irq(&m->uart), lapic_id(&m->lapic), &vector) != 0) {
		log_error("the serial port's interrupt cannot be routed");
		return;
	}
	trap_set_handler(vector, serial_interrupt);
	uart_irq_enable(&m->uart);
}
