/* Three ports without much behind them: isa-debug-exit at 0xf4, by which a test guest ends its VM with a code; the debug
 * console at 0xe9 of Bochs and QEMU; and port 0x80, where firmware shows POST codes and where writes are used as delays. */
#pragma once

#include "kernel/lib/byte_sink.h"
#include "kernel/lib/compiler.h"
#include "vmm/bus/bus.h"

#define VDEBUG_EXIT_PORT 0xf4u
#define VDEBUG_EXIT_BYTES 4u
#define VDEBUG_CONSOLE_PORT 0xe9u
#define VPOST_PORT 0x80u

struct vdebug_exit {
	void (*exit)(void *ctx, uint32_t code); /* code: as written; only notes the wish */
	void *ctx;
};

struct vdebug_console {
	struct byte_sink out;
	uint64_t dropped; /* bytes the sink had no room for */
};

struct vpost {
	uint8_t code; /* written last */
};

void vdebug_exit_init(struct vdebug_exit *d, void (*exit)(void *ctx, uint32_t code), void *ctx);
MUST_CHECK int vdebug_exit_register(struct vdebug_exit *d, struct bus *ports);

void vdebug_console_init(struct vdebug_console *d, const struct byte_sink *out);
MUST_CHECK int vdebug_console_register(struct vdebug_console *d, struct bus *ports);

void vpost_init(struct vpost *p);
MUST_CHECK int vpost_register(struct vpost *p, struct bus *ports);
