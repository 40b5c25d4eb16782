/* Says what it was told by the loader, then powers off; `exit=N` is the code for isa-debug-exit. */
#include "guests/lib/guest.h"

static void print_map(const struct mb_info *info)
{
	uint32_t at = info->mmap_addr;

	while (at < info->mmap_addr + info->mmap_length) {
		const struct mb_mmap *m = (const struct mb_mmap *)(uintptr_t)at;

		print("hello: map %08llx + %08llx type %u\n", m->base, m->len, m->type);
		at += m->size + 4;
	}
}

static uint32_t sum_of(const struct mb_module *m)
{
	uint32_t sum = 0;

	for (uint32_t p = m->start; p < m->end; p++)
		sum = sum * 31 + *(const uint8_t *)(uintptr_t)p;
	return sum;
}

void guest_main(void)
{
	const struct mb_info *info = guest_info();

	print("hello: a guest speaks\n");
	print("hello: cmdline '%s'\n", guest_cmdline());
	print("hello: RAM ends at 0x%x\n", guest_ram_end());
	print_map(info);
	for (uint32_t i = 0; i < info->mods_count; i++) {
		const struct mb_module *m = (const struct mb_module *)(uintptr_t)info->mods_addr + i;

		print("hello: module %u at 0x%x, %u bytes, sum %08x, '%s'\n", i, m->start, m->end - m->start, sum_of(m),
		      (const char *)(uintptr_t)m->string);
	}
	print("hello: done\n");
	power_off(guest_number("exit", 0));
}
