/* The firmware configuration device, as a guest reads it, and the small debug ports. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "tests/fake/fake_device.h"
#include "vmm/devices/fw_cfg.h"
#include "vmm/devices/vdebug.h"

struct bench {
	struct fw_cfg cfg;
	struct bus ports;
};

static struct bench *setup(void)
{
	static struct bench b;

	bus_init(&b.ports);
	fw_cfg_init(&b.cfg);
	assert_int_equal(fw_cfg_register(&b.cfg, &b.ports), 0);
	return &b;
}

static void select_key(struct bench *b, unsigned key)
{
	assert_true(bus_write(&b->ports, 0x510, 2, key));
}

static unsigned byte(struct bench *b)
{
	uint64_t v = 0;

	assert_true(bus_read(&b->ports, 0x511, 1, &v));
	return (unsigned)v;
}

static uint32_t be32(struct bench *b)
{
	uint32_t v = 0;

	for (unsigned i = 0; i < 4; i++)
		v = v << 8 | byte(b);
	return v;
}

static void test_signature_and_id(void **state)
{
	struct bench *b = setup();

	(void)state;
	select_key(b, FW_CFG_SIGNATURE);
	assert_int_equal(be32(b), 0x51454d55); /* QEMU */
	assert_int_equal(byte(b), 0);
	select_key(b, FW_CFG_ID);
	assert_int_equal(be32(b), 0x01000000); /* no DMA */
	select_key(b, FW_CFG_ID | FW_CFG_WRITE_CHANNEL);
	assert_int_equal(byte(b), 1);
	select_key(b, FW_CFG_ID | FW_CFG_ARCH_LOCAL); /* another key, not there */
	assert_int_equal(byte(b), 0);
}

static void test_numbers_and_bytes(void **state)
{
	struct bench *b = setup();

	(void)state;
	assert_int_equal(fw_cfg_add_number(&b->cfg, FW_CFG_RAM_SIZE, 0x1122334455667788ull, 8), 0);
	assert_int_equal(fw_cfg_add_number(&b->cfg, FW_CFG_NB_CPUS, 3, 2), 0);
	assert_int_equal(fw_cfg_add_bytes(&b->cfg, FW_CFG_ARCH_LOCAL | 1, "abc", 3), 0);
	select_key(b, FW_CFG_RAM_SIZE);
	for (unsigned i = 0; i < 8; i++)
		assert_int_equal(byte(b), 0x88 - 0x11 * i);
	assert_int_equal(byte(b), 0);
	select_key(b, FW_CFG_NB_CPUS);
	assert_int_equal(be32(b), 0x03000000);
	select_key(b, FW_CFG_ARCH_LOCAL | 1);
	assert_int_equal(be32(b), 0x61626300);
	select_key(b, FW_CFG_ARCH_LOCAL | 1); /* selecting starts at the beginning */
	assert_int_equal(byte(b), 'a');
}

static void test_file_directory(void **state)
{
	struct bench *b = setup();
	uint8_t blob[300];

	(void)state;
	memset(blob, 0x5a, sizeof(blob));
	select_key(b, FW_CFG_FILE_DIR);
	assert_int_equal(be32(b), 0);
	assert_int_equal(be32(b), 0);
	assert_int_equal(fw_cfg_add_file(&b->cfg, "etc/acpi/rsdp", "RSD PTR ", 8), 0);
	assert_int_equal(fw_cfg_add_number(&b->cfg, FW_CFG_NB_CPUS, 1, 2), 0);
	assert_int_equal(fw_cfg_add_file(&b->cfg, "etc/e820", blob, sizeof(blob)), 0);
	select_key(b, FW_CFG_FILE_DIR);
	assert_int_equal(be32(b), 2);
	for (unsigned n = 0; n < 2; n++) {
		char name[FW_CFG_NAME_BYTES];

		assert_int_equal(be32(b), n == 0 ? 8 : 300);
		assert_int_equal(be32(b) >> 16, FW_CFG_FILE_FIRST + n);
		for (unsigned i = 0; i < sizeof(name); i++)
			name[i] = (char)byte(b);
		assert_string_equal(name, n == 0 ? "etc/acpi/rsdp" : "etc/e820");
	}
	assert_int_equal(byte(b), 0);
	select_key(b, FW_CFG_FILE_FIRST + 1);
	for (unsigned i = 0; i < 300; i++)
		assert_int_equal(byte(b), 0x5a);
	assert_int_equal(byte(b), 0);
}

static void test_refusals(void **state)
{
	struct bench *b = setup();
	char name[FW_CFG_NAME_BYTES + 1], numbered[16];
	unsigned added = 0;

	(void)state;
	memset(name, 'x', sizeof(name));
	name[FW_CFG_NAME_BYTES] = '\0';
	assert_int_equal(fw_cfg_add_file(&b->cfg, name, "", 0), ERR_TRUNC);
	name[FW_CFG_NAME_BYTES - 1] = '\0';
	assert_int_equal(fw_cfg_add_file(&b->cfg, name, "", 0), 0);
	assert_int_equal(fw_cfg_add_file(&b->cfg, name, "", 0), ERR_EXIST);
	assert_int_equal(fw_cfg_add_file(&b->cfg, "", "", 0), ERR_INVAL);
	assert_int_equal(fw_cfg_add_number(&b->cfg, FW_CFG_ID, 1, 4), ERR_EXIST);
	assert_int_equal(fw_cfg_add_number(&b->cfg, FW_CFG_FILE_DIR, 1, 4), ERR_EXIST);
	assert_int_equal(fw_cfg_add_number(&b->cfg, 7, 1, 0), ERR_INVAL);
	assert_int_equal(fw_cfg_add_number(&b->cfg, 7, 1, 9), ERR_INVAL);
	assert_int_equal(fw_cfg_add_bytes(&b->cfg, 7 | FW_CFG_WRITE_CHANNEL, "", 0), ERR_INVAL);
	assert_int_equal(fw_cfg_add_bytes(&b->cfg, 7, NULL, 9), ERR_INVAL);
	for (;;) {
		snprintf(numbered, sizeof(numbered), "file%u", added);
		int err = fw_cfg_add_file(&b->cfg, numbered, "", 0);

		if (err != 0) {
			assert_int_equal(err, ERR_FULL);
			break;
		}
		added++;
	}
	assert_int_equal(added, FW_CFG_MAX_ITEMS - 3);
}

static void test_access_widths(void **state)
{
	struct bench *b = setup();
	uint64_t v = 0;

	(void)state;
	assert_true(bus_write(&b->ports, 0x510, 1, FW_CFG_ID)); /* not a word: no selection */
	assert_int_equal(byte(b), 'Q');
	assert_true(bus_write(&b->ports, 0x511, 1, 0x55)); /* data cannot be written */
	assert_int_equal(byte(b), 'E');
	assert_true(bus_read(&b->ports, 0x510, 1, &v));
	assert_int_equal(v, 0xff);
	assert_true(bus_read(&b->ports, 0x510, 2, &v));
	assert_int_equal(v, 0xffff);
	assert_int_equal(byte(b), 'M');
	select_key(b, FW_CFG_ID);
	fw_cfg_reset(&b->cfg);
	assert_int_equal(byte(b), 'Q');
	b->cfg.offset = UINT32_MAX; /* the offset stays at its end */
	assert_int_equal(byte(b), 0);
	assert_int_equal(byte(b), 0);
	select_key(b, FW_CFG_FILE_DIR);
	b->cfg.offset = UINT32_MAX;
	assert_int_equal(byte(b), 0);
}

static void on_exit_code(void *ctx, uint32_t code)
{
	*(uint32_t *)ctx = code;
}

static void test_debug_exit(void **state)
{
	uint32_t code = 99;
	struct vdebug_exit d;
	struct bus ports;
	uint64_t v = 1;

	(void)state;
	bus_init(&ports);
	vdebug_exit_init(&d, on_exit_code, &code);
	assert_int_equal(vdebug_exit_register(&d, &ports), 0);
	assert_true(bus_read(&ports, 0xf4, 4, &v));
	assert_int_equal(v, 0);
	assert_int_equal(code, 99);
	assert_true(bus_write(&ports, 0xf4, 4, 0x12345678));
	assert_int_equal(code, 0x12345678);
	assert_true(bus_write(&ports, 0xf4, 1, 0x1ff));
	assert_int_equal(code, 0xff);
}

static void test_debug_console(void **state)
{
	struct fake_sink sink = {.room = 2};
	struct byte_sink out = fake_sink(&sink);
	struct vdebug_console d;
	struct bus ports;
	uint64_t v = 0;

	(void)state;
	bus_init(&ports);
	vdebug_console_init(&d, &out);
	assert_int_equal(vdebug_console_register(&d, &ports), 0);
	assert_true(bus_read(&ports, 0xe9, 1, &v));
	assert_int_equal(v, 0xe9);
	for (unsigned i = 0; i < 5; i++)
		assert_true(bus_write(&ports, 0xe9, 1, 'a' + i));
	assert_int_equal(sink.count, 2);
	assert_memory_equal(sink.bytes, "ab", 2);
	assert_int_equal(d.dropped, 3);
}

static void test_post(void **state)
{
	struct vpost p;
	struct bus ports;
	uint64_t v = 0;

	(void)state;
	bus_init(&ports);
	vpost_init(&p);
	assert_int_equal(vpost_register(&p, &ports), 0);
	assert_true(bus_write(&ports, 0x80, 1, 0x42));
	assert_true(bus_read(&ports, 0x80, 1, &v));
	assert_int_equal(v, 0x42);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signature_and_id), cmocka_unit_test(test_numbers_and_bytes),
		cmocka_unit_test(test_file_directory),   cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_access_widths),    cmocka_unit_test(test_debug_exit),
		cmocka_unit_test(test_debug_console),    cmocka_unit_test(test_post),
	};

	return cmocka_run_group_tests_name("fw_cfg", tests, NULL, NULL);
}
