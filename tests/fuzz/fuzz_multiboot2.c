/* Any bytes as a Multiboot2 information block, and what comes out through the memory map: no bad access, and a result that
 * keeps what multiboot2.h and memmap.h promise. */
#include "kernel/bootline.h"
#include "kernel/lib/range.h"
#include "kernel/lib/string.h"
#include "kernel/multiboot2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		__builtin_trap();
}

static void check_text(const struct boot_info *boot, const char *s)
{
	const char *end = boot->text + sizeof(boot->text);

	check(s != NULL);
	check(*s == '\0' || (s >= boot->text && s < end && strnlen(s, (size_t)(end - s)) < (size_t)(end - s)));
}

static void check_map(const struct boot_info *boot)
{
	static struct memmap map;
	struct phys_range reserved[MULTIBOOT2_MAX_MODULES];
	uint64_t last = 0;

	for (size_t i = 0; i < boot->module_count; i++)
		reserved[i] =
			(struct phys_range){boot->modules[i].start, boot->modules[i].end - boot->modules[i].start};
	if (memmap_build(&map, boot->regions, boot->region_count, reserved, boot->module_count, 46) != 0)
		return;
	for (size_t i = 0; i < map.count; i++) {
		const struct phys_range *r = &map.ranges[i];

		check(r->len != 0 && IS_ALIGNED(r->base | r->len, PAGE_SIZE));
		check(range_below(r->base, r->len, 1ull << 46) && (i == 0 || r->base > last));
		for (size_t m = 0; m < boot->module_count; m++)
			check(!range_overlaps(r->base, r->len, reserved[m].base, reserved[m].len));
		last = r->base + r->len;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct boot_info boot;
	static struct bootline line;

	if (multiboot2_parse(data, size, &boot) != 0) {
		check(boot.why != NULL);
		return 0;
	}
	check(boot.region_count > 0 && boot.info_bytes <= size);
	check_text(&boot, boot.cmdline);
	check_text(&boot, boot.loader);
	for (size_t i = 0; i < boot.module_count; i++) {
		check(boot.modules[i].start <= boot.modules[i].end);
		check_text(&boot, boot.modules[i].name);
		check_text(&boot, boot.modules[i].args);
	}
	check_map(&boot);
	(void)!bootline_parse(&line, boot.cmdline);
	return 0;
}
