/* A byte sink with back-pressure: the receiver may be busy, and then tells the sender when to go on. */
#pragma once

#include "kernel/lib/compiler.h"

struct byte_sink {
	/* Takes one byte: true, or false when there is no room now (nothing taken; the sender keeps the byte). */
	bool (*put)(void *ctx, uint8_t byte);
	void *ctx;
};

static inline bool byte_sink_put(const struct byte_sink *s, uint8_t byte)
{
	return s->put(s->ctx, byte);
}
