/* Where a guest's RAM lies and what it is told of it: QEMU's `pc`. Below 4 GiB RAM ends at the PCI hole; what does not
 * fit goes above 4 GiB. The ROM area is RAM that the guest is told to leave alone, as our tables lie there. */
#include "vmm/life/platform.h"

static uint64_t low_end(uint64_t memory)
{
	return memory < PLATFORM_PCI_HOLE ? memory : PLATFORM_PCI_HOLE;
}

size_t platform_ram_ranges(uint64_t memory, struct guest_range ranges[PLATFORM_MAX_RANGES])
{
	size_t n = 0;

	ranges[n++] = (struct guest_range){0, PLATFORM_VGA_HOLE};
	ranges[n++] = (struct guest_range){PLATFORM_ROM, low_end(memory) - PLATFORM_ROM};
	if (memory > PLATFORM_PCI_HOLE)
		ranges[n++] = (struct guest_range){4 * GIB, memory - PLATFORM_PCI_HOLE};
	return n;
}

unsigned platform_memory_map(const struct vm *vm, struct guest_map_entry map[PLATFORM_MAX_MAP])
{
	uint64_t memory = vm->config.memory;
	unsigned n = 0;

	map[n++] = (struct guest_map_entry){0, 0x9fc00, GUEST_MAP_RAM};
	map[n++] = (struct guest_map_entry){0x9fc00, 0x400, GUEST_MAP_RESERVED}; /* where a BIOS has its EBDA */
	map[n++] = (struct guest_map_entry){PLATFORM_ROM, MIB - PLATFORM_ROM, GUEST_MAP_RESERVED};
	map[n++] = (struct guest_map_entry){MIB, low_end(memory) - MIB, GUEST_MAP_RAM};
	if (memory > PLATFORM_PCI_HOLE)
		map[n++] = (struct guest_map_entry){4 * GIB, memory - PLATFORM_PCI_HOLE, GUEST_MAP_RAM};
	return n;
}
