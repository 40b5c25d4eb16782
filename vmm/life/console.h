/* A VM's serial console: what the guest prints goes into a scrollback, to whoever is attached, and past a search text;
 * what is typed waits here until the guest's UART has room. Pure: bytes in, bytes out. */
#pragma once

#include "kernel/lib/byte_sink.h"
#include "kernel/lib/ring.h"

#define CONSOLE_SCROLLBACK_ORDER 4u /* pages */
#define CONSOLE_SCROLLBACK_BYTES (PAGE_SIZE << CONSOLE_SCROLLBACK_ORDER)
#define CONSOLE_INPUT_BYTES 1024u

struct console {
	struct ring scrollback;
	uint64_t written;                 /* bytes ever printed; the scrollback holds the last of them */
	uint64_t searched;                /* console_find() has looked at everything before this */
	struct ring input;                /* typed, not yet taken by the guest */
	const struct byte_sink *attached; /* NULL: nobody */
	uint8_t input_bytes[CONSOLE_INPUT_BYTES];
};

/* scrollback: CONSOLE_SCROLLBACK_BYTES that live as long; what is in them does not matter. */
void console_init(struct console *c, void *scrollback);

/* From the guest's UART. False, and nothing kept, when the attached side has no room: the UART keeps the byte and is told
 * by its owner when to try again. With nobody attached always true; the oldest byte makes room. */
bool console_put(void *console, uint8_t byte);

/* Attach or (NULL) detach a sink; from now on it gets what the guest prints. */
void console_attach(struct console *c, const struct byte_sink *sink);

/* Copy up to len bytes of the scrollback, beginning `offset` bytes after the oldest. Returns the number copied. */
size_t console_read(const struct console *c, size_t offset, void *buf, size_t len);

/* Typed input: the number of bytes taken; the rest has no room yet. */
size_t console_type(struct console *c, const void *bytes, size_t len);

/* Look for text in what was printed since the last text was found. When it is there, the search stands behind it.
 * text: not empty, at most 256 bytes; longer is never found. */
bool console_find(struct console *c, const char *text);
