/* The debug ports (see vdebug.h). They follow what QEMU's isa-debug-exit and isa-debugcon, Bochs's port 0xe9 and the PC's
 * DMA page register at 0x80 do for a guest. */
#include "vmm/devices/vdebug.h"

#include "kernel/lib/string.h"

static uint64_t exit_read(void *ctx, uint64_t offset, unsigned size)
{
	(void)ctx;
	(void)offset;
	(void)size;
	return 0;
}

/* A write of any size at any of the ports; QEMU's process would end with (code << 1 | 1). */
static void exit_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vdebug_exit *d = ctx;

	(void)offset;
	(void)size;
	d->exit(d->ctx, (uint32_t)value);
}

/* Reading tells a guest that the port is there: it answers with its own number. */
static uint64_t console_read(void *ctx, uint64_t offset, unsigned size)
{
	(void)ctx;
	(void)offset;
	(void)size;
	return VDEBUG_CONSOLE_PORT;
}

/* The port has no way to say "wait", so what does not fit is counted and gone. */
static void console_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vdebug_console *d = ctx;

	(void)offset;
	(void)size;
	if (!byte_sink_put(&d->out, (uint8_t)value))
		d->dropped++;
}

static void console_write_run(void *ctx, uint64_t offset, unsigned size, const void *from, size_t count)
{
	const uint8_t *bytes = from;

	for (size_t i = 0; i < count; i++)
		console_write(ctx, offset, size, bytes[i * size]);
}

static uint64_t post_read(void *ctx, uint64_t offset, unsigned size)
{
	struct vpost *p = ctx;

	(void)offset;
	(void)size;
	return p->code;
}

static void post_write(void *ctx, uint64_t offset, unsigned size, uint64_t value)
{
	struct vpost *p = ctx;

	(void)offset;
	(void)size;
	p->code = (uint8_t)value;
}

static void post_read_run(void *ctx, uint64_t offset, unsigned size, void *to, size_t count)
{
	struct vpost *p = ctx;

	(void)offset;
	memset(to, p->code, size * count); /* the range is one port, so size is 1 */
}

/* The last one stays. */
static void post_write_run(void *ctx, uint64_t offset, unsigned size, const void *from, size_t count)
{
	post_write(ctx, offset, size, ((const uint8_t *)from)[(count - 1) * size]);
}

static const struct bus_ops exit_ops = {.read = exit_read, .write = exit_write};
static const struct bus_ops console_ops = {
	.read = console_read, .write = console_write, .write_run = console_write_run};
static const struct bus_ops post_ops = {
	.read = post_read, .write = post_write, .read_run = post_read_run, .write_run = post_write_run};

/* exit: must not be NULL. */
void vdebug_exit_init(struct vdebug_exit *d, void (*exit)(void *ctx, uint32_t code), void *ctx)
{
	*d = (struct vdebug_exit){.exit = exit, .ctx = ctx};
}

/* Put ports 0xf4..0xf7 on a bus. Returns 0 or what bus_register() says. */
int vdebug_exit_register(struct vdebug_exit *d, struct bus *ports)
{
	return bus_register(ports, VDEBUG_EXIT_PORT, VDEBUG_EXIT_BYTES, &exit_ops, d, "debug exit");
}

/* out: copied. */
void vdebug_console_init(struct vdebug_console *d, const struct byte_sink *out)
{
	*d = (struct vdebug_console){.out = *out};
}

/* Put port 0xe9 on a bus. Returns 0 or what bus_register() says. */
int vdebug_console_register(struct vdebug_console *d, struct bus *ports)
{
	return bus_register(ports, VDEBUG_CONSOLE_PORT, 1, &console_ops, d, "debug console");
}

void vpost_init(struct vpost *p)
{
	*p = (struct vpost){0};
}

/* Put port 0x80 on a bus. Returns 0 or what bus_register() says. */
int vpost_register(struct vpost *p, struct bus *ports)
{
	return bus_register(ports, VPOST_PORT, 1, &post_ops, p, "post");
}
