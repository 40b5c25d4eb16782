/* The console of a VM. What the attached side cannot take is left with the guest's UART, so that nothing is lost; what
 * nobody watches goes on into the scrollback. */
#include "vmm/life/console.h"

#include "kernel/lib/string.h"

void console_init(struct console *c, void *scrollback)
{
	ring_init(&c->scrollback, scrollback, CONSOLE_SCROLLBACK_BYTES);
	ring_init(&c->input, c->input_bytes, sizeof(c->input_bytes));
	c->written = 0;
	c->searched = 0;
	c->attached = NULL;
}

bool console_put(void *console, uint8_t byte)
{
	struct console *c = console;

	if (c->attached != NULL && !byte_sink_put(c->attached, byte))
		return false;
	ring_push_over(&c->scrollback, byte);
	c->written++;
	return true;
}

void console_attach(struct console *c, const struct byte_sink *sink)
{
	c->attached = sink;
}

size_t console_read(const struct console *c, size_t offset, void *buf, size_t len)
{
	return ring_peek_block(&c->scrollback, offset, buf, len);
}

size_t console_type(struct console *c, const void *bytes, size_t len)
{
	return ring_write(&c->input, bytes, len);
}

/* Does text stand at this offset of the scrollback? */
static bool console_matches(const struct console *c, size_t offset, const char *text, size_t len)
{
	uint8_t byte;

	for (size_t i = 0; i < len; i++) {
		if (!ring_peek(&c->scrollback, offset + i, &byte) || byte != (uint8_t)text[i])
			return false;
	}
	return true;
}

bool console_find(struct console *c, const char *text)
{
	size_t len = strnlen(text, 257);
	uint64_t oldest = c->written - ring_used(&c->scrollback);
	uint64_t at = c->searched > oldest ? c->searched : oldest;

	if (len == 0 || len > 256)
		return false;
	for (; at + len <= c->written; at++) {
		if (console_matches(c, (size_t)(at - oldest), text, len)) {
			c->searched = at + len;
			return true;
		}
	}
	c->searched = at; /* everything before has been looked at; a match may still begin here */
	return false;
}
