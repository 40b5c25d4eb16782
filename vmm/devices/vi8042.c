/* The i8042's registers (see vi8042.h). Follows the IBM PS/2 Hardware Interface Technical Reference, "Keyboard and
 * Auxiliary Device Controller", for a machine without a keyboard and without the auxiliary (mouse) port: bytes sent to
 * either vanish, the auxiliary port's test fails, and an "auxiliary loop" comes back as if from the keyboard. Drivers take
 * that for what it is, at once and without complaint. */
#include "vmm/devices/vi8042.h"
#include "kernel/lib/string.h"

/* What firmware leaves: self test passed, scan codes translated, keyboard interrupt on, no auxiliary port. */
#define CTR_AFTER_FIRMWARE (I8042_CTR_KBD_INT | I8042_CTR_SYS | I8042_CTR_AUX_OFF | I8042_CTR_TRANSLATE)
#define INPUT_PORT_VALUE 0x80u /* keyboard not inhibited */
#define AUX_TEST_FAILED 0x01u  /* clock line stuck low: nothing there */
#define CMD_A20_OFF 0xddu      /* "HP Vectra" forms that systems use, too */
#define CMD_A20_ON 0xdfu
#define OUTPUT_KBD_IRQ 0x10u /* output port bit 4 follows IRQ 1 */

static void update_irq(struct vi8042 *k)
{
	bool high = k->output_full && (k->ram[0] & I8042_CTR_KBD_INT);

	if (high == k->irq_high)
		return;
	k->irq_high = high;
	irq_line_set(&k->wiring.kbd_irq, high);
}

static void answer(struct vi8042 *k, uint8_t byte)
{
	k->output = byte;
	k->output_full = true;
	update_irq(k);
}

static bool a20_enabled(const struct vi8042 *k)
{
	return (k->output_port & I8042_OUTPUT_A20) != 0;
}

/* The gate has two switches, the controller's output port and port 0x92; here they are one. */
static void set_a20(struct vi8042 *k, bool enabled)
{
	if (enabled == a20_enabled(k))
		return;
	k->output_port ^= I8042_OUTPUT_A20;
	if (k->wiring.a20 != NULL)
		k->wiring.a20(k->wiring.ctx, enabled);
}

static void request_reset(struct vi8042 *k)
{
	k->wiring.reset(k->wiring.ctx);
}

static void write_output_port(struct vi8042 *k, uint8_t value)
{
	set_a20(k, (value & I8042_OUTPUT_A20) != 0);
	if (!(value & I8042_OUTPUT_RESET))
		request_reset(k);
}

static uint8_t read_output_port(const struct vi8042 *k)
{
	return (uint8_t)(k->output_port | I8042_OUTPUT_RESET | (k->irq_high ? OUTPUT_KBD_IRQ : 0));
}

static void self_test(struct vi8042 *k)
{
	k->ram[0] |= I8042_CTR_SYS;
	answer(k, I8042_SELF_TEST_OK);
}

static void set_ctr(struct vi8042 *k, uint8_t clear, uint8_t set)
{
	k->ram[0] = (uint8_t)((k->ram[0] & ~clear) | set);
	update_irq(k);
}

/* Commands that read RAM, write RAM or pulse lines carry a number; the others are a list. */
static void write_command(struct vi8042 *k, uint8_t command)
{
	k->last_was_command = true;
	k->awaiting = 0;
	if (command >= I8042_CMD_READ_CTR && command < I8042_CMD_READ_CTR + 32) {
		answer(k, k->ram[command - I8042_CMD_READ_CTR]);
		return;
	}
	if (command >= I8042_CMD_WRITE_CTR && command < I8042_CMD_WRITE_CTR + 32) {
		k->awaiting = command;
		return;
	}
	if (command >= I8042_CMD_PULSE) {
		if (!(command & I8042_OUTPUT_RESET))
			request_reset(k);
		return;
	}
	switch (command) {
	case I8042_CMD_SELF_TEST:
		self_test(k);
		break;
	case I8042_CMD_KBD_TEST:
		answer(k, I8042_PORT_TEST_OK);
		break;
	case I8042_CMD_AUX_TEST:
		answer(k, AUX_TEST_FAILED);
		break;
	case I8042_CMD_KBD_DISABLE:
		set_ctr(k, 0, I8042_CTR_KBD_OFF);
		break;
	case I8042_CMD_KBD_ENABLE:
		set_ctr(k, I8042_CTR_KBD_OFF, 0);
		break;
	case I8042_CMD_READ_INPUT:
		answer(k, INPUT_PORT_VALUE);
		break;
	case I8042_CMD_READ_OUTPUT:
		answer(k, read_output_port(k));
		break;
	case I8042_CMD_WRITE_OUTPUT:
	case I8042_CMD_KBD_LOOP:
	case I8042_CMD_AUX_LOOP:
	case I8042_CMD_AUX_SEND:
		k->awaiting = command;
		break;
	case CMD_A20_OFF:
		set_a20(k, false);
		break;
	case CMD_A20_ON:
		set_a20(k, true);
		break;
	default: /* also enabling and disabling the auxiliary port, which is not there */
		break;
	}
}

/* A byte at port 0x60 belongs to the last command if that wants one, else to the keyboard. */
static void write_data(struct vi8042 *k, uint8_t value)
{
	uint8_t command = k->awaiting;

	k->last_was_command = false;
	k->awaiting = 0;
	if (command >= I8042_CMD_WRITE_CTR && command < I8042_CMD_WRITE_CTR + 32) {
		k->ram[command - I8042_CMD_WRITE_CTR] = value;
		update_irq(k);
	} else if (command == I8042_CMD_WRITE_OUTPUT) {
		write_output_port(k, value);
	} else if (command == I8042_CMD_KBD_LOOP || command == I8042_CMD_AUX_LOOP) {
		answer(k, value);
	}
}

static uint64_t data_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vi8042 *k = ctx;

	(void)offset;
	(void)size;
	k->output_full = false;
	update_irq(k);
	return k->output; /* the last byte again when there is no new one */
}

static void data_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)offset;
	(void)size;
	write_data(ctx, (uint8_t)value);
}

static uint64_t status_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vi8042 *k = ctx;
	uint8_t status = I8042_STATUS_KEYLOCK;

	(void)offset;
	(void)size;
	if (k->output_full)
		status |= I8042_STATUS_OBF;
	if (k->ram[0] & I8042_CTR_SYS)
		status |= I8042_STATUS_SYS;
	if (k->last_was_command)
		status |= I8042_STATUS_CMD;
	return status;
}

static void command_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	(void)offset;
	(void)size;
	write_command(ctx, (uint8_t)value);
}

static uint64_t port92_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vi8042 *k = ctx;

	(void)offset;
	(void)size;
	return (uint64_t)(k->port92 & ~PORT92_A20) | (a20_enabled(k) ? PORT92_A20 : 0);
}

/* The reset bit acts when it goes from 0 to 1. */
static void port92_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vi8042 *k = ctx;
	bool pulse = (value & ~(uint64_t)k->port92 & PORT92_FAST_RESET) != 0;

	(void)offset;
	(void)size;
	k->port92 = (uint8_t)value;
	set_a20(k, (value & PORT92_A20) != 0);
	if (pulse)
		request_reset(k);
}

static const struct bus_ops data_ops = {.read = data_read, .write = data_write};
static const struct bus_ops status_ops = {.read = status_read, .write = command_write};
static const struct bus_ops port92_ops = {.read = port92_read, .write = port92_write};

/* Make a controller as firmware leaves it: tested, A20 enabled.
 * wiring: copied; reset must not be NULL, and only notes the wish: the access that made it goes on. */
void vi8042_init(struct vi8042 *k, const struct vi8042_wiring *wiring)
{
	*k = (struct vi8042){.wiring = *wiring, .output_port = I8042_OUTPUT_A20};
	vi8042_reset(k);
}

/* Back to what firmware leaves. */
void vi8042_reset(struct vi8042 *k)
{
	memset(k->ram, 0, sizeof(k->ram));
	k->ram[0] = CTR_AFTER_FIRMWARE;
	k->port92 = 0;
	k->output = 0;
	k->output_full = false;
	k->last_was_command = true;
	k->awaiting = 0;
	set_a20(k, true);
	update_irq(k);
}

/* Put ports 0x60, 0x64 and 0x92 on a bus. Returns 0 or what bus_register() says. */
int vi8042_register(struct vi8042 *k, struct bus *ports)
{
	int err = bus_register(ports, I8042_DATA, 1, &data_ops, k, "i8042");

	if (err == 0)
		err = bus_register(ports, I8042_STATUS, 1, &status_ops, k, "i8042 cmd");
	if (err == 0)
		err = bus_register(ports, PORT92, 1, &port92_ops, k, "port92");
	return err;
}
