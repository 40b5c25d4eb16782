/* The emulated firmware configuration device of QEMU machines: a selector at port 0x510, a data port at 0x511, and items
 * of bytes behind 16-bit keys, some of them files with names. Items are the owner's memory and only read. The DMA interface
 * is absent, and the id says so. */
#pragma once

#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"

#define FW_CFG_PORT 0x510u
#define FW_CFG_PORTS 2u
#define FW_CFG_MAX_ITEMS 8u
#define FW_CFG_NAME_BYTES 56u /* with the terminator */

#define FW_CFG_SIGNATURE 0x0000u /* "QEMU" */
#define FW_CFG_ID 0x0001u
#define FW_CFG_RAM_SIZE 0x0003u
#define FW_CFG_NB_CPUS 0x0005u
#define FW_CFG_MAX_CPUS 0x000fu
#define FW_CFG_FILE_DIR 0x0019u
#define FW_CFG_FILE_FIRST 0x0020u
#define FW_CFG_ARCH_LOCAL 0x8000u /* keys of the platform */
#define FW_CFG_WRITE_CHANNEL 0x4000u

struct fw_cfg_item {
	uint16_t key;
	const uint8_t *data; /* NULL: the number below */
	uint32_t len;
	uint64_t number;
	char name[FW_CFG_NAME_BYTES]; /* empty: not a file */
};

struct fw_cfg {
	struct fw_cfg_item items[FW_CFG_MAX_ITEMS];
	unsigned count;
	uint16_t key;    /* selected */
	uint32_t offset; /* of the next byte */
};

void fw_cfg_init(struct fw_cfg *f);
void fw_cfg_reset(struct fw_cfg *f);
MUST_CHECK int fw_cfg_register(struct fw_cfg *f, struct bus *ports);

MUST_CHECK int fw_cfg_add_bytes(struct fw_cfg *f, uint16_t key, const void *data, uint32_t len);
MUST_CHECK int fw_cfg_add_number(struct fw_cfg *f, uint16_t key, uint64_t number, unsigned bytes);
MUST_CHECK int fw_cfg_add_file(struct fw_cfg *f, const char *name, const void *data, uint32_t len);
