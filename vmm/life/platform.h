/* The board a guest runs on: QEMU's `pc` in outline. Which parts there are, which wire goes where, which addresses are
 * RAM. The parts themselves are in vmm/devices/; they know nothing of each other, this file introduces them. */
#pragma once

#include "vmm/core/inject.h"
#include "vmm/core/vm.h"
#include "vmm/life/console.h"
#include "vmm/life/host.h"
#include "vmm/life/life.h"
#include "vmm/load/load.h"

#define PLATFORM_MAX_RANGES 4u
#define PLATFORM_MAX_MAP 8u

/* Guest-physical layout. */
#define PLATFORM_VGA_HOLE 0xa0000ull    /* legacy video memory: nothing there, reads as ones */
#define PLATFORM_ROM 0xc0000ull         /* RAM to the guest's eyes; holds the ACPI tables we write */
#define PLATFORM_TABLES 0xe0000ull      /* where they begin: firmware tables are looked for from here to 1 MiB */
#define PLATFORM_PCI_HOLE 0xc0000000ull /* devices, from here to 4 GiB */

/* RAM of a guest with that much memory, as ranges. Returns how many (at most PLATFORM_MAX_RANGES). */
size_t platform_ram_ranges(uint64_t memory, struct guest_range ranges[PLATFORM_MAX_RANGES]);

/* The map the guest is told (e820). Returns the number of entries (at most PLATFORM_MAX_MAP). */
unsigned platform_memory_map(const struct vm *vm, struct guest_map_entry map[PLATFORM_MAX_MAP]);

/* Once, before the first VM: the tables that map the local APIC's page, for all VMs. Without memory for them there are none. */
void platform_share_apic_page(struct vmm_host *host);

/* Make all parts, wire them, put them on the buses; one local APIC per vCPU. Returns 0 or an error with nothing left
 * behind; why then says what is wrong, unless it is ERR_NOMEM. */
MUST_CHECK int platform_create(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY]);
void platform_destroy(struct vmm_host *host, struct vm *vm);

/* Every part to its power-on state, and what firmware would have set up. */
void platform_reset(struct vm *vm);

/* Write the ACPI tables into guest memory. Returns the RSDP's address. */
uint64_t platform_write_tables(struct vm *vm);

void platform_power_button(struct vm *vm);

struct console *vm_console(struct vm *vm);

/* Move what is typed into the guest's UART, and what the UART holds out of it. Call when either side may have room. Returns
 * true when all that the guest has sent is out. */
bool vm_console_poll(struct vm *vm);
