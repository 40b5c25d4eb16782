/* Any bytes as a kernel: load_image() must refuse in words or give a start inside the guest's memory.
 * The first byte chooses what comes with the image; the rest is the image. */
#include <stdlib.h>
#include <string.h>

#include "tests/fake/fake_pages.h"
#include "vmm/load/load.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define RAM_BYTES (4 * MIB)

static struct fake_pages pages;
static struct guest_mem mem;

static void make_guest(void)
{
	static const struct guest_range ranges[] = {{0, 0xa0000}, {0x100000, RAM_BYTES - 0x100000}};

	fake_pages_init(&pages, 2048, 0x40000000);
	if (guest_mem_create(&mem, &pages.source, ranges, 2, GUEST_MEM_ZERO))
		abort();
}

static void check(int err, const struct start_state *start, const char *why)
{
	if ((err == 0) != (why[0] == '\0'))
		abort();
	if (err)
		return;
	if (!guest_mem_covers(&mem, start->cs * (start->mode == START_REAL16 ? 16ull : 0) + start->rip, 1))
		abort();
	if (start->mode != START_REAL16 && !guest_mem_covers(&mem, start->gdt_base, start->gdt_limit + 1ull))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct guest_map_entry map[] = {
		{0, 0x9fc00, GUEST_MAP_RAM},
		{0xe0000, 0x20000, GUEST_MAP_RESERVED},
		{0x100000, RAM_BYTES - 0x100000, GUEST_MAP_RAM},
	};
	static const struct load_module modules[] = {{"module", 6, "args"}, {"", 0, NULL}};
	struct load_request req = {.map = map, .map_count = ARRAY_LEN(map)};
	struct start_state start;
	char why[256];

	if (size == 0)
		return 0;
	if (!mem.blocks)
		make_guest();
	if (data[0] & 1)
		req.cmdline = "console=ttyS0";
	if (data[0] & 2) {
		req.initrd = data;
		req.initrd_size = size;
	}
	if (data[0] & 4) {
		req.modules = modules;
		req.module_count = ARRAY_LEN(modules);
	}
	if (data[0] & 8)
		req.load_address = data[0] * 0x4321ull;
	req.image = data + 1;
	req.image_size = size - 1;
	check(load_image(&mem, &req, &start, why, sizeof(why)), &start, why);
	return 0;
}
