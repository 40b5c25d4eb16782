/* The board: its parts made, wired and put on the buses. */
#include "vmm/life/board.h"

#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/devices/guest_acpi.h"
#include "vmm/life/clock.h"
#include "vmm/life/runner.h"
#include "vmm/life/share.h"

#define IRQ_TIMER 0u
#define IRQ_COM1 4u
#define IRQ_RTC 8u
#define IRQ_KEYBOARD 1u

/* What the guest asks of the machine as a whole ends its run: the loop sees vm->request after the exit. */
static void ask_poweroff(void *ctx)
{
	((struct vm *)ctx)->request = VM_REQUEST_POWEROFF;
}

static void ask_reset(void *ctx)
{
	((struct vm *)ctx)->request = VM_REQUEST_RESET;
}

static void ask_reset_kind(void *ctx, bool hard)
{
	(void)hard;
	ask_reset(ctx);
}

static void ask_debug_exit(void *ctx, uint32_t code)
{
	struct vm *vm = ctx;

	vm->debug_exit_code = code;
	vm->request = VM_REQUEST_DEBUG_EXIT;
}

/* --- the console's two directions --- */

/* The guest's UART has made room. */
static void uart_feed(void *ctx)
{
	struct vm_platform *b = ctx;
	uint8_t byte;

	while (ring_peek(&b->console.input, 0, &byte) && vuart_receive(&b->uart, byte))
		ring_drop(&b->console.input, 1);
}

/* Whoever shows the console is on the boot CPU. */
static void console_news(void *ctx)
{
	runner_call_home(((struct vm *)ctx)->host);
}

bool vm_console_poll(struct vm *vm)
{
	struct vuart *uart = &vm->platform->uart;
	bool waiting;

	vm_lock(vm);
	uart_feed(vm->platform);
	if (vuart_tx_waiting(uart))
		vuart_tx_resume(uart);
	waiting = vuart_tx_waiting(uart);
	vm_unlock(vm);
	return !waiting;
}

struct console *vm_console(struct vm *vm)
{
	return &vm->platform->console;
}

/* --- making it --- */

static void wire_parts(struct vmm_host *host, struct vm *vm)
{
	struct vm_platform *b = vm->platform;
	struct vuart_wiring uart = {
		.irq = board_isa_irq(b, IRQ_COM1),
		.clock = &vm->clock,
		.tx = {console_put, &b->console},
		.rx_room = uart_feed,
		.rx_ctx = b,
	};
	struct vi8042_wiring i8042 = {.kbd_irq = board_isa_irq(b, IRQ_KEYBOARD), .reset = ask_reset, .ctx = vm};
	struct vacpi_pm_wiring pm = {
		.sci = board_isa_irq(b, VACPI_SCI_IRQ),
		.clock = &vm->clock,
		.width = VACPI_TIMER_32,
		.power_off = ask_poweroff,
		.ctx = vm,
	};
	struct irq_line timer = board_isa_irq(b, IRQ_TIMER), rtc = board_isa_irq(b, IRQ_RTC);

	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vm->vcpus[i]->cpuid = vm->cpuid;
	console_init(&b->console, b->scrollback, console_news, vm);
	board_wire_controllers(b);
	board_wire_cpus(b, cpuid_crystal_hz(host->tsc_hz));
	vuart_init(&b->uart, &uart);
	vpit_init(&b->pit, &vm->clock, &timer);
	vrtc_init(&b->rtc, &vm->clock, &rtc, (int64_t)host->wall_seconds());
	vrtc_set_memory(&b->rtc, vm->config.memory < PLATFORM_PCI_HOLE ? vm->config.memory : PLATFORM_PCI_HOLE,
			vm->config.memory < PLATFORM_PCI_HOLE ? 0 : vm->config.memory - PLATFORM_PCI_HOLE);
	vi8042_init(&b->i8042, &i8042);
	vacpi_pm_init(&b->pm, &pm);
	vreset_init(&b->reset, ask_reset_kind, vm);
	vpci_init(&b->pci, &vreset_ops, &b->reset);
	vpost_init(&b->post);
	vdebug_exit_init(&b->debug_exit, ask_debug_exit, vm);
	vdebug_console_init(&b->debug_console, &uart.tx); /* what is said there is seen on the console, too */
	fw_cfg_init(&b->fw_cfg);
}

/* What a kernel of QEMU's world looks up in its firmware configuration. */
static int fill_fw_cfg(struct vm *vm)
{
	struct fw_cfg *f = &vm->platform->fw_cfg;
	int err = fw_cfg_add_number(f, FW_CFG_RAM_SIZE, vm->config.memory, 8);

	if (err == 0)
		err = fw_cfg_add_number(f, FW_CFG_NB_CPUS, vm->vcpu_count, 2);
	return err != 0 ? err : fw_cfg_add_number(f, FW_CFG_MAX_CPUS, vm->vcpu_count, 2);
}

/* In the order of their ports, which the bus keeps. Addresses cannot collide but by our own mistake: the errors are for
 * completeness, the first one ends it. */
static int register_parts(struct vm *vm)
{
	struct vm_platform *b = vm->platform;
	int err = vpit_register(&b->pit, &vm->ports);

	if (err == 0)
		err = vi8042_register(&b->i8042, &vm->ports);
	if (err == 0)
		err = vrtc_register(&b->rtc, &vm->ports);
	if (err == 0)
		err = vpost_register(&b->post, &vm->ports);
	if (err == 0)
		err = vpic_register(&b->pic, &vm->ports);
	if (err == 0)
		err = vdebug_console_register(&b->debug_console, &vm->ports);
	if (err == 0 && vm->config.debug_exit)
		err = vdebug_exit_register(&b->debug_exit, &vm->ports);
	if (err == 0)
		err = vuart_register(&b->uart, &vm->ports, UART_COM1_BASE, "com1");
	if (err == 0)
		err = fill_fw_cfg(vm);
	if (err == 0)
		err = fw_cfg_register(&b->fw_cfg, &vm->ports);
	if (err == 0)
		err = vacpi_pm_register(&b->pm, &vm->ports);
	if (err == 0)
		err = vpci_pc_plug(&b->pc, &b->pci, VPCI_PC_WITH_PM, VACPI_PM_BASE);
	if (err == 0)
		err = vpci_register(&b->pci, &vm->ports);
	if (err == 0)
		err = bus_register(&vm->mmio, IOAPIC_DEFAULT_BASE, IOAPIC_SIZE, &vioapic_ops, &b->ioapic, "ioapic");
	return err;
}

/* Of the scrollback nobody reads what was not written: it needs no zeroing. */
static int make_pages(struct vmm_host *host, struct vm *vm)
{
	vm->platform->scrollback = host->pages.alloc(host->pages.ctx, CONSOLE_SCROLLBACK_ORDER);
	if (vm->platform->scrollback == NULL)
		return ERR_NOMEM;
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		void *page = host->pages.alloc(host->pages.ctx, 0);

		if (page == NULL)
			return ERR_NOMEM;
		vm->platform->cpus[i].lapic_page = page;
	}
	return 0;
}

/* VMs that are told the same have one set of answers. */
struct shared_cpuid {
	struct cpuid_policy policy;
	unsigned users; /* VMs */
};

static struct shared_cpuid *shared_cpuid_of(const struct vm *vm)
{
	return container_of(vm->cpuid, struct shared_cpuid, policy);
}

/* What cpuid_policy_init() looks at. */
static bool same_cpuid(const struct vm_config *a, const struct vm_config *b)
{
	bool same = a->cpus == b->cpus && a->cpuid_hide_count == b->cpuid_hide_count;

	for (unsigned i = 0; same && i < a->cpuid_hide_count; i++)
		same = str_eq(a->cpuid_hide[i], b->cpuid_hide[i]);
	return same;
}

static bool share_cpuid(const struct vmm_host *host, struct vm *vm)
{
	for (unsigned i = 0; i < host->vm_count; i++) {
		const struct vm *other = host->vms[i];

		if (!same_cpuid(&vm->config, &other->config))
			continue;
		vm->cpuid = other->cpuid;
		shared_cpuid_of(vm)->users++;
		return true;
	}
	return false;
}

static void free_cpuid(struct vmm_host *host, struct vm *vm)
{
	if (vm->cpuid != NULL && --shared_cpuid_of(vm)->users == 0)
		heap_free(host->heap, shared_cpuid_of(vm));
	vm->cpuid = NULL;
}

/* Features that the configuration hides, and the mask of XCR0 that the host allows. */
static int make_cpuid(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	const char *unknown = NULL;
	struct shared_cpuid *s;
	int err;

	if (share_cpuid(host, vm))
		return 0;
	s = heap_alloc(host->heap, sizeof(*s));
	if (s == NULL)
		return ERR_NOMEM;
	s->users = 1;
	vm->cpuid = &s->policy;
	err = cpuid_policy_init(vm->cpuid, &vm->config, vcpu_hw_cpuid, host->tsc_hz, vcpu_hw_xcr0_allowed(), &unknown);
	if (err != 0)
		fmt_snprintf(why, LIFE_WHY, "%s: cpuid: '%s' is not the name of a CPUID feature", vm->config.name,
			     unknown);
	return err;
}

/* The VM's share of the CPUs, and which of them it may use. */
static int join_scheduler(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	const struct vm_config *c = &vm->config;
	int err = vm_share_check(host, c, why);

	return err != 0 ? err : sched_group_init(&vm->platform->group, c->weight, c->cap);
}

/* Zeroed but for the console and the parts: each one's init sets all of it. */
static struct vm_platform *alloc_board(struct vmm_host *host, unsigned cpus)
{
	size_t bytes = sizeof(struct vm_platform) + cpus * sizeof(struct cpu_board);
	struct vm_platform *b = heap_alloc_raw(host->heap, bytes);

	if (b == NULL)
		return NULL;
	memset(b, 0, offsetof(struct vm_platform, console));
	memset(&b->apic_page_lock, 0, bytes - offsetof(struct vm_platform, apic_page_lock));
	return b;
}

int platform_create(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	int err;

	bus_init(&vm->ports);
	bus_init(&vm->mmio);
	vm->open_bus[0] = (struct guest_range){PLATFORM_VGA_HOLE, PLATFORM_ROM - PLATFORM_VGA_HOLE};
	vm->open_bus[1] = (struct guest_range){PLATFORM_PCI_HOLE, 4 * GIB - PLATFORM_PCI_HOLE};
	vm->open_bus_count = 2;
	vm_clock_init(vm, host->tsc_hz, board_clock_changed);
	vm->platform = alloc_board(host, vm->vcpu_count);
	if (vm->platform == NULL)
		return ERR_NOMEM;
	vm->platform->vm = vm;
	deadline_init(&vm->platform->alarm, board_alarm_fire, vm);
	err = join_scheduler(host, vm, why);
	if (err == 0)
		err = make_cpuid(host, vm, why);
	if (err == 0)
		err = make_pages(host, vm);
	if (err == 0) {
		wire_parts(host, vm);
		err = register_parts(vm);
		if (err != 0)
			fmt_snprintf(why, LIFE_WHY, "%s: the board's parts do not fit together: %s", vm->config.name,
				     err_str(err));
	}
	if (err != 0)
		platform_destroy(host, vm);
	return err;
}

void platform_destroy(struct vmm_host *host, struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		if (vm->platform->cpus[i].lapic_page != NULL)
			host->pages.free(host->pages.ctx, vm->platform->cpus[i].lapic_page, 0);
	}
	if (vm->platform->scrollback != NULL)
		host->pages.free(host->pages.ctx, vm->platform->scrollback, CONSOLE_SCROLLBACK_ORDER);
	free_cpuid(host, vm);
	heap_free(host->heap, vm->platform);
	vm->platform = NULL;
}

/* Power-on, then what firmware would have done: the 8259's interrupts let through to the first CPU, ACPI enabled. The VM's
 * clock has been set back to 0. */
void platform_reset(struct vm *vm)
{
	struct vm_platform *b = vm->platform;

	vm_lock(vm);
	vpic_reset(&b->pic);
	vioapic_reset(&b->ioapic);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vlapic_reset(&b->cpus[i].lapic, false);
	vuart_reset(&b->uart);
	vpit_reset(&b->pit);
	vrtc_restart(&b->rtc, (int64_t)vm->host->wall_seconds());
	vrtc_reset(&b->rtc);
	vi8042_reset(&b->i8042);
	vacpi_pm_reset(&b->pm);
	vreset_reset(&b->reset);
	vpci_reset(&b->pci);
	fw_cfg_reset(&b->fw_cfg);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vlapic_set_virtual_wire(&b->cpus[i].lapic);
	vm_unlock(vm);
}

/* The tables are put together in the guest's own memory: they lie in its ROM area, one piece of RAM. */
uint64_t platform_write_tables(struct vm *vm)
{
	void *area = guest_mem_ptr(&vm->mem, PLATFORM_TABLES, GUEST_ACPI_MAX_BYTES);
	struct guest_acpi_tables tables;

	if (area == NULL ||
	    guest_acpi_build(PLATFORM_TABLES, vm->vcpu_count, area, GUEST_ACPI_MAX_BYTES, &tables) != 0) {
		log_error("%s: no ACPI tables: the ROM area is not in one piece", vm->config.name);
		return 0;
	}
	return tables.rsdp;
}

void platform_power_button(struct vm *vm)
{
	vm_lock(vm);
	vacpi_pm_power_button(&vm->platform->pm);
	vm_unlock(vm);
}
