/* A VM's serial console: what the guest prints goes into a scrollback, out of which who is attached takes it, and past a search
 * text; what is typed waits here until the guest's UART has room. Pure: bytes in, bytes out. */
#pragma once

#include "kernel/lib/ring.h"

#define CONSOLE_SCROLLBACK_ORDER 4u /* pages */
#define CONSOLE_SCROLLBACK_BYTES (PAGE_SIZE << CONSOLE_SCROLLBACK_ORDER)
#define CONSOLE_INPUT_BYTES 1024u

struct console {
	uint8_t *scrollback;
	uint64_t written;        /* bytes ever printed; the scrollback holds the last of them */
	uint64_t taken;          /* of these the reader has, or came too late for */
	uint64_t limit;          /* with so many written, console_put() has to look */
	void (*news)(void *ctx); /* the reader, who had found nothing, finds something again */
	void *ctx;
	uint64_t searched; /* console_find() has looked at everything before this */
	struct ring input; /* typed, not yet taken by the guest */
	uint8_t input_bytes[CONSOLE_INPUT_BYTES];
};

/* scrollback: CONSOLE_SCROLLBACK_BYTES that live as long; what is in them does not matter. */
void console_init(struct console *c, void *scrollback, void (*news)(void *ctx), void *ctx);

/* From the guest's UART. False, and nothing kept, when a reader is attached and this byte would overwrite one that he has not
 * taken: the UART keeps the byte and is told by its owner when to try again. Else the oldest byte makes room. */
bool console_put(void *console, uint8_t byte);

/* A reader comes, and is to see all that the scrollback has and what is printed from now on; or he goes. */
void console_attach(struct console *c);
void console_detach(struct console *c);

/* The reader takes up to len (not 0) bytes, the oldest that he has not had. Returns their number. 0: the next byte will call
 * news(). */
size_t console_take(struct console *c, void *buf, size_t len);

/* Has he had all? */
static inline bool console_all_taken(const struct console *c)
{
	return c->taken == c->written;
}

/* Copy up to len bytes of the scrollback, beginning `offset` bytes after the oldest. Returns the number copied. */
size_t console_read(const struct console *c, size_t offset, void *buf, size_t len);

/* Typed input: the number of bytes taken; the rest has no room yet. */
size_t console_type(struct console *c, const void *bytes, size_t len);

/* Look for text in what was printed since the last text was found. When it is there, the search stands behind it.
 * text: not empty, at most 256 bytes; longer is never found. */
bool console_find(struct console *c, const char *text);
