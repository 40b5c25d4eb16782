/* The operator's terminal as the monitor sees it: bytes in, bytes out, and how much room there is. Handed in by main, so
 * that the monitor runs on any port, and on the host under test. */
#pragma once

#include "kernel/lib/compiler.h"

struct terminal {
	/* Up to len typed bytes; 0 when there are none. */
	size_t (*read)(void *ctx, void *buf, size_t len);
	/* Everything goes out, in order; may have to wait for the line when the buffer is full. */
	void (*write)(void *ctx, const void *data, size_t len);
	/* Bytes that write() takes now without waiting. */
	size_t (*room)(void *ctx);
	void *ctx;
};

static inline void terminal_write(const struct terminal *t, const void *data, size_t len)
{
	t->write(t->ctx, data, len);
}
