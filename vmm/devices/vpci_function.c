/* A PCI function's configuration space (see vpci.h), as its owner sets it up. Follows the PCI Local Bus Specification 3.0,
 * "Configuration Space Organization" and "Base Addresses". */
#include "kernel/lib/assert.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"
#include "vmm/devices/vpci.h"

#define COMMAND_WRITABLE (PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF)
#define CAPABILITY_NEXT 1u
#define FIRST_CAPABILITY 0x40u

void vpci_set16(struct vpci_function *f, unsigned offset, uint16_t value)
{
	assert(offset <= PCI_CONFIG_BYTES - 2);
	store_le16(&f->config[offset], value);
}

void vpci_set32(struct vpci_function *f, unsigned offset, uint32_t value)
{
	assert(offset <= PCI_CONFIG_BYTES - 4);
	store_le32(&f->config[offset], value);
}

/* Make a function with a header of type 0 and nothing else. ops may be NULL when nobody needs to hear of writes.
 * Context: before vpci_plug(); config, writable and clear_by_one may then be changed by hand, too. */
void vpci_function_init(struct vpci_function *f, const struct vpci_identity *id, const struct vpci_function_ops *ops,
			void *ctx)
{
	*f = (struct vpci_function){.ops = ops, .ctx = ctx};
	vpci_set16(f, PCI_VENDOR_ID, id->vendor);
	vpci_set16(f, PCI_DEVICE_ID, id->device);
	f->config[PCI_REVISION_ID] = id->revision;
	f->config[PCI_PROG_IF] = id->prog_if;
	f->config[PCI_SUBCLASS] = id->subclass;
	f->config[PCI_CLASS] = id->class_code;
	vpci_set16(f, PCI_SUBSYSTEM_VENDOR, id->subsystem_vendor);
	vpci_set16(f, PCI_SUBSYSTEM_ID, id->subsystem);
	f->config[PCI_INTERRUPT_PIN] = id->interrupt_pin;
	store_le16(&f->writable[PCI_COMMAND], COMMAND_WRITABLE);
	f->writable[PCI_CACHE_LINE] = 0xff;
	f->writable[PCI_LATENCY] = 0xff;
	f->writable[PCI_INTERRUPT_LINE] = 0xff;
}

/* Give a function a base address register. The writable bits alone make sizing work: a guest writes ones and reads back
 * those that can change.
 * bar: 0..5; MEM64 takes the next one as well.  size: bytes, a power of two; at least 4 for I/O, 16 for memory; at most
 * 256, 2 GiB, and 2^63 for the kinds in their order.  Context: before vpci_plug(). */
void vpci_function_bar(struct vpci_function *f, unsigned bar, enum vpci_bar_kind kind, uint64_t size)
{
	unsigned offset = PCI_BAR0 + 4 * bar;
	uint64_t mask = ~(size - 1);

	assert(bar < PCI_BARS && is_pow2(size) && f->bars[bar].kind == VPCI_BAR_NONE);
	f->bars[bar] = (struct vpci_bar){.kind = kind, .size = size};
	switch (kind) {
	case VPCI_BAR_IO:
		assert(size >= 4 && size <= 256);
		vpci_set32(f, offset, PCI_BAR_IO);
		store_le32(&f->writable[offset], (uint32_t)mask & PCI_BAR_IO_MASK);
		break;
	case VPCI_BAR_MEM32:
		assert(size >= 16 && size <= 2 * GIB);
		store_le32(&f->writable[offset], (uint32_t)mask);
		break;
	case VPCI_BAR_MEM64:
		assert(size >= 16 && bar + 1 < PCI_BARS && f->bars[bar + 1].kind == VPCI_BAR_NONE);
		vpci_set32(f, offset, PCI_BAR_MEM_64 | PCI_BAR_MEM_PREFETCH);
		store_le64(&f->writable[offset], mask);
		f->bars[bar + 1].kind = VPCI_BAR_UPPER_HALF;
		break;
	default:
		assert(kind == VPCI_BAR_IO);
	}
}

/* Put a capability of `bytes` bytes at `at` (0x40 or above, a multiple of 4) in front of the list; its bytes 0 and 1 are
 * written here, the rest is the owner's. Returns at. Context: before vpci_plug(). */
unsigned vpci_function_capability(struct vpci_function *f, uint8_t id, unsigned at, unsigned bytes)
{
	assert(at >= FIRST_CAPABILITY && at % 4 == 0 && bytes >= 2 && bytes <= PCI_CONFIG_BYTES - at);
	f->config[at] = id;
	f->config[at + CAPABILITY_NEXT] = f->config[PCI_CAPABILITIES];
	f->config[PCI_CAPABILITIES] = (uint8_t)at;
	vpci_set16(f, PCI_STATUS, load_le16(&f->config[PCI_STATUS]) | PCI_STATUS_CAP_LIST);
	return at;
}
