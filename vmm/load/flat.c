/* Flat images: bytes to be put at an address and started there. Below 1 MiB they start in real mode, as a boot sector or an
 * option ROM does, above in flat 32-bit protected mode. There is no firmware behind them; other registers are 0.
 *
 *   load address           CS:IP                     mode
 *   below 64 KiB           0000:address              real
 *   below 1 MiB            (address >> 4):(address & 15)  real
 *   from 1 MiB to 4 GiB    flat                      protected, 32-bit
 *
 * In real mode DS, ES and SS equal CS and SP is 0, so that the stack begins at the top of that segment. */
#include "vmm/load/loader.h"

#include "kernel/lib/range.h"
#include "kernel/lib/string.h"

int flat_load(struct loader *l)
{
	uint64_t at = l->req->load_address;
	int err;

	if (l->req->module_count || l->req->initrd || (l->req->cmdline && l->req->cmdline[0]))
		return loader_fail(l, ERR_INVAL, "load-address: a flat image takes no initrd, cmdline or module");
	if (l->req->image_size == 0)
		return loader_fail(l, ERR_TRUNC, "kernel: the file is empty");
	if (!range_below(at, l->req->image_size, LOADER_4G))
		return loader_fail(l, ERR_RANGE, "load-address: 0x%llx bytes at 0x%llx reach above 4 GiB",
				   (unsigned long long)l->req->image_size, (unsigned long long)at);
	err = loader_claim(l, "kernel", at, l->req->image_size);
	if (!err)
		err = loader_put(l, "kernel", at, l->req->image, l->req->image_size);
	if (err)
		return err;
	if (at >= MIB)
		return loader_start_protected32(l, at);
	memset(l->start, 0, sizeof(*l->start));
	l->start->mode = START_REAL16;
	l->start->cs = at < 64 * KIB ? 0 : (uint16_t)(at >> 4);
	l->start->ds = l->start->cs;
	l->start->rip = at < 64 * KIB ? at : at & 15;
	return 0;
}
