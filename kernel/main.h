/* The roof's own: what boot finds and makes, in one struct, and the steps of boot in their order. Only kernel/main*.c
 * and the self-tests include this. */
#pragma once

#include "arch/x86/paging.h"
#include "drivers/acpi.h"
#include "drivers/fb_text.h"
#include "drivers/irq.h"
#include "drivers/lapic.h"
#include "drivers/power.h"
#include "drivers/tsc_calibrate.h"
#include "drivers/uart16550.h"
#include "drivers/vga_text.h"
#include "kernel/bootline.h"
#include "kernel/cpus.h"
#include "kernel/heap.h"
#include "kernel/memmap.h"
#include "kernel/multiboot2.h"
#include "kernel/page_alloc.h"
#include "vmm/life/host.h"
#include "vmm/monitor/info.h"
#include "vmm/vmx/vmx.h"

/* Interrupt vectors of the host. */
enum {
	VECTOR_ISA_BASE = 0x20, /* 16 of them */
	VECTOR_LAPIC_TIMER = 0xf0,
	VECTOR_LAPIC_ERROR = 0xfe,
	VECTOR_LAPIC_SPURIOUS = 0xff
};

struct machine {
	uint64_t boot_tsc;
	uint64_t load_hpa; /* where the image lies */
	struct boot_info loader;
	struct bootline bootline;
	struct memmap memmap;
	struct page_alloc pages;
	struct heap heap;
	struct uart uart;
	struct vga_text vga;
	struct fb_text fb;
	bool has_acpi;
	struct acpi_root acpi;
	struct acpi_fadt fadt;
	struct acpi_madt madt;
	bool has_madt;
	struct power power;
	struct lapic lapic;
	struct irq_router irqs;
	struct tsc_result tsc;
	int64_t wall_at_boot; /* seconds since 1970 when the TSC was boot_tsc */
	struct cpu_table cpus;
	struct vmx_probe vmx;
	struct vmx_options vmx_options;
	struct preflight preflight;
	struct vmm_host host;
	struct terminal terminal;
	struct monitor_machine monitor_machine;
	struct monitor monitor;
};

/* RAM and modules as this program sees them. Device registers and firmware tables are mapped first: arch/x86/paging.h. */
static inline void *hva_of(uint64_t hpa)
{
	return (void *)(DIRECT_MAP_BASE + hpa);
}

void boot_memory(struct machine *m);  /* main_memory.c */
void boot_console(struct machine *m); /* main_devices.c */
void boot_screen(struct machine *m);
void boot_acpi(struct machine *m);
void boot_interrupts(struct machine *m);
void boot_time(struct machine *m);
void boot_serial_irq(struct machine *m);
void boot_vmx(struct machine *m); /* main_vmm.c */
extern const uint32_t mtrr_fixed_msrs[MTRR_FIXED_COUNT];
void read_mtrrs(struct mtrr_state *s, unsigned phys_bits);
void boot_smp(struct machine *m); /* main_smp.c */
/* Until ap_main is set: a function on another CPU, and until it has returned. */
void smp_run(uint32_t index, void (*fn)(void *ctx), void *ctx);
void smp_wait(uint32_t index);
void boot_selftest(struct machine *m); /* main.c; tests/selftest/selftest.c in the image that has self-tests */
void boot_runners(struct machine *m);  /* main_vmm.c */
void boot_guests(struct machine *m);
_Noreturn void boot_run(struct machine *m);
