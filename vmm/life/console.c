/* The console of a VM. The scrollback is the only buffer on the way to a reader: when he is that far behind, bytes are left with
 * the guest's UART, so that nothing is lost; what nobody reads makes room. */
#include "vmm/life/console.h"

#include "kernel/lib/string.h"

COLD void console_init(struct console *c, void *scrollback, void (*news)(void *ctx), void *ctx)
{
	c->scrollback = scrollback;
	c->written = 0;
	c->searched = 0;
	c->news = news;
	c->ctx = ctx;
	console_detach(c);
	ring_init(&c->input, c->input_bytes, sizeof(c->input_bytes));
}

/* Bytes that are not in the scrollback any more. */
static uint64_t gone(const struct console *c)
{
	return c->written > CONSOLE_SCROLLBACK_BYTES ? c->written - CONSOLE_SCROLLBACK_BYTES : 0;
}

/* The limit is reached: the reader is too far behind, or he waits for this byte. */
__attribute__((noinline)) static bool take_one_more(struct console *c)
{
	if (c->written - c->taken >= CONSOLE_SCROLLBACK_BYTES)
		return false;
	c->limit = c->taken + CONSOLE_SCROLLBACK_BYTES;
	c->news(c->ctx);
	return true;
}

bool console_put(void *console, uint8_t byte)
{
	struct console *c = console;

	if (unlikely(c->written == c->limit) && !take_one_more(c))
		return false;
	c->scrollback[c->written++ % CONSOLE_SCROLLBACK_BYTES] = byte;
	return true;
}

COLD void console_attach(struct console *c)
{
	c->taken = gone(c);
	c->limit = c->taken + CONSOLE_SCROLLBACK_BYTES;
}

COLD void console_detach(struct console *c)
{
	c->limit = UINT64_MAX;
}

/* Up to len bytes, beginning with number `at` of all that were printed. */
static size_t copy_out(const struct console *c, uint64_t at, void *buf, size_t len)
{
	size_t from = at % CONSOLE_SCROLLBACK_BYTES, first = CONSOLE_SCROLLBACK_BYTES - from;

	if (len > c->written - at)
		len = (size_t)(c->written - at);
	if (first > len)
		first = len;
	memcpy(buf, c->scrollback + from, first);
	memcpy((uint8_t *)buf + first, c->scrollback, len - first);
	return len;
}

COLD size_t console_take(struct console *c, void *buf, size_t len)
{
	size_t got = copy_out(c, c->taken, buf, len);

	c->taken += got;
	c->limit = got == 0 ? c->written : c->taken + CONSOLE_SCROLLBACK_BYTES;
	return got;
}

COLD size_t console_read(const struct console *c, size_t offset, void *buf, size_t len)
{
	return offset < c->written - gone(c) ? copy_out(c, gone(c) + offset, buf, len) : 0;
}

COLD size_t console_type(struct console *c, const void *bytes, size_t len)
{
	return ring_write(&c->input, bytes, len);
}

/* Does text stand there? */
static bool console_matches(const struct console *c, uint64_t at, const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (c->scrollback[(at + i) % CONSOLE_SCROLLBACK_BYTES] != (uint8_t)text[i])
			return false;
	}
	return true;
}

COLD bool console_find(struct console *c, const char *text)
{
	size_t len = strnlen(text, 257);
	uint64_t at = c->searched > gone(c) ? c->searched : gone(c);

	if (len == 0 || len > 256)
		return false;
	for (; at + len <= c->written; at++) {
		if (console_matches(c, at, text, len)) {
			c->searched = at + len;
			return true;
		}
	}
	c->searched = at; /* everything before has been looked at; a match may still begin here */
	return false;
}
