/* Plain ELF kernels: segments at their physical addresses, start at the entry. A 64-bit one starts in long mode with the
 * first 4 GiB mapped onto themselves, a 32-bit one in flat protected mode; there is no stack. RSI points to a zero page as
 * Linux's boot.rst describes it, so that a vmlinux starts as well; other kernels find map and command line there. */
#include "vmm/load/elf_image.h"

int elf_load(struct loader *l)
{
	struct elf_image e;
	uint64_t end, entry, initrd, cmdline, zero_page;
	int err;

	if (l->req->module_count)
		return loader_fail(l, ERR_INVAL,
				   "module: this ELF kernel has no Multiboot header, so it takes no modules");
	err = elf_image_parse(l, &e);
	if (!err)
		err = elf_image_load(l, &e, &end);
	if (!err)
		err = elf_image_entry(l, &e, &entry);
	if (!err)
		err = linux_put_initrd(l, LOADER_4G, &initrd);
	if (!err)
		err = loader_put_low_string(l, "cmdline", l->req->cmdline, &cmdline);
	if (!err)
		err = linux_put_zero_page(l, NULL, 0, initrd, cmdline, &zero_page);
	if (err)
		return err;
	err = e.is64 ? loader_start_long64(l, entry) : loader_start_protected32(l, entry);
	l->start->gpr[START_RSI] = zero_page;
	return err;
}
