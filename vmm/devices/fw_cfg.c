/* The firmware configuration device (see fw_cfg.h). Follows QEMU's documentation, "QEMU Firmware Configuration (fw_cfg)
 * Device". Numbers are little endian, the file directory big endian; reads behind an item's end, and of keys that are not
 * there, give zeros. */
#include "vmm/devices/fw_cfg.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"

#define ID_TRADITIONAL 1u /* selector and data port; bit 1 would be DMA */
#define KEY_MASK ((uint16_t)~FW_CFG_WRITE_CHANNEL)

/* The directory: a count, then for each file its size, key, two bytes of nothing, and name. */
#define DIR_HEADER_BYTES 4u
#define DIR_ENTRY_BYTES 64u
#define DIR_KEY 4u
#define DIR_NAME 8u

/* Byte `at` of a big-endian number of `bytes` bytes. */
static uint8_t be_byte(uint32_t v, unsigned at, unsigned bytes)
{
	return (uint8_t)(v >> (8 * (bytes - 1 - at)));
}

static struct fw_cfg_item *find(struct fw_cfg *f, uint16_t key)
{
	for (unsigned i = 0; i < f->count; i++) {
		if (f->items[i].key == key)
			return &f->items[i];
	}
	return NULL;
}

static bool is_file(const struct fw_cfg_item *item)
{
	return item->name[0] != '\0';
}

static unsigned file_count(const struct fw_cfg *f)
{
	unsigned n = 0;

	for (unsigned i = 0; i < f->count; i++)
		n += is_file(&f->items[i]);
	return n;
}

/* File number n, in the order they were added; NULL behind the last. */
static const struct fw_cfg_item *nth_file(const struct fw_cfg *f, uint32_t n)
{
	for (unsigned i = 0; i < f->count; i++) {
		if (is_file(&f->items[i]) && n-- == 0)
			return &f->items[i];
	}
	return NULL;
}

static uint8_t directory_byte(const struct fw_cfg *f, uint32_t offset)
{
	const struct fw_cfg_item *file;
	unsigned at;

	if (offset < DIR_HEADER_BYTES)
		return be_byte(file_count(f), offset, 4);
	file = nth_file(f, (offset - DIR_HEADER_BYTES) / DIR_ENTRY_BYTES);
	at = (offset - DIR_HEADER_BYTES) % DIR_ENTRY_BYTES;
	if (file == NULL)
		return 0;
	if (at < DIR_KEY)
		return be_byte(file->len, at, 4);
	if (at < DIR_KEY + 2)
		return be_byte(file->key, at - DIR_KEY, 2);
	return at < DIR_NAME ? 0 : (uint8_t)file->name[at - DIR_NAME];
}

static uint8_t item_byte(const struct fw_cfg_item *item, uint32_t offset)
{
	if (item == NULL || offset >= item->len)
		return 0;
	if (item->data != NULL)
		return item->data[offset];
	return (uint8_t)(item->number >> (8 * offset));
}

static uint8_t next_byte(struct fw_cfg *f)
{
	uint32_t offset = f->offset;

	if (offset != UINT32_MAX)
		f->offset++;
	return f->key == FW_CFG_FILE_DIR ? directory_byte(f, offset) : item_byte(find(f, f->key), offset);
}

/* The data port is a byte wide; the selector cannot be read. */
static uint64_t fw_cfg_read(void *ctx, uint64_t offset, unsigned size)
{
	if (offset == 1)
		return next_byte(ctx);
	return size == 2 ? UINT64_MAX : 0xff;
}

/* The selector takes words; data cannot be written. */
static void fw_cfg_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct fw_cfg *f = ctx;

	if (offset != 0 || size != 2)
		return;
	f->key = (uint16_t)value & KEY_MASK;
	f->offset = 0;
}

/* How firmware and kernels read a file. */
static void fw_cfg_read_run(void *ctx, uint64_t offset, unsigned size, void *to, size_t count)
{
	uint8_t *bytes = to;

	if (offset == 1) {
		for (size_t i = 0; i < count; i++)
			bytes[i] = next_byte(ctx);
	} else {
		memset(to, 0xff, size * count);
	}
}

static const struct bus_ops fw_cfg_ops = {.read = fw_cfg_read, .write = fw_cfg_write, .read_run = fw_cfg_read_run};

static int add(struct fw_cfg *f, const struct fw_cfg_item *item)
{
	if ((item->key & FW_CFG_WRITE_CHANNEL) || (item->data == NULL && item->len > sizeof(item->number)))
		return ERR_INVAL;
	if (item->key == FW_CFG_FILE_DIR || find(f, item->key) != NULL)
		return ERR_EXIST;
	if (f->count == FW_CFG_MAX_ITEMS)
		return ERR_FULL;
	f->items[f->count++] = *item;
	return 0;
}

/* Make a device with signature, id and an empty file directory. */
void fw_cfg_init(struct fw_cfg *f)
{
	*f = (struct fw_cfg){0};
	f->items[0] = (struct fw_cfg_item){.key = FW_CFG_SIGNATURE, .data = (const uint8_t *)"QEMU", .len = 4};
	f->items[1] = (struct fw_cfg_item){.key = FW_CFG_ID, .number = ID_TRADITIONAL, .len = 4};
	f->count = 2;
}

/* Nothing is selected but the signature; items stay. */
void fw_cfg_reset(struct fw_cfg *f)
{
	f->key = FW_CFG_SIGNATURE;
	f->offset = 0;
}

/* Put both ports on a bus. Returns 0 or what bus_register() says. */
int fw_cfg_register(struct fw_cfg *f, struct bus *ports)
{
	return bus_register(ports, FW_CFG_PORT, FW_CFG_PORTS, &fw_cfg_ops, f, "fw_cfg");
}

/* Add an item; data is kept, not copied. Returns 0; ERR_INVAL (no key), ERR_EXIST, ERR_FULL. */
int fw_cfg_add_bytes(struct fw_cfg *f, uint16_t key, const void *data, uint32_t len)
{
	return add(f, &(struct fw_cfg_item){.key = key, .data = data, .len = len});
}

/* Add a number of 1 to 8 bytes. Returns 0; ERR_INVAL, ERR_EXIST, ERR_FULL. */
int fw_cfg_add_number(struct fw_cfg *f, uint16_t key, uint64_t number, unsigned bytes)
{
	if (bytes == 0 || bytes > sizeof(number))
		return ERR_INVAL;
	return add(f, &(struct fw_cfg_item){.key = key, .number = number, .len = bytes});
}

/* Add a file; data is kept, not copied. Its key is the next free one from 0x20 on.
 * Returns 0; ERR_INVAL (empty name), ERR_TRUNC (name too long), ERR_EXIST, ERR_FULL. */
int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, uint32_t len)
{
	struct fw_cfg_item item = {.key = FW_CFG_FILE_FIRST, .data = data, .len = len};

	if (name[0] == '\0')
		return ERR_INVAL;
	if (str_copy(item.name, name, sizeof(item.name)) != 0)
		return ERR_TRUNC;
	for (unsigned i = 0; i < f->count; i++) {
		if (str_eq(f->items[i].name, name))
			return ERR_EXIST;
	}
	while (find(f, item.key) != NULL)
		item.key++;
	return add(f, &item);
}
