/* The reply to a command: put together whole, then sent as the terminal has room, so that a long one stops nobody. As lines of
 * text, or as one JSON object:
 *
 *	{"command":"list","vms":[...],"ok":true}
 *	{"command":"start x","ok":false,"error":"there is no VM 'x'; ..."}
 *	{"command":"dmesg 2","output":["first line","second line"],"ok":true}
 *
 * A command either adds members of its own, or prints lines, which become the array "output". */
#pragma once

#include "vmm/monitor/terminal.h"

#include <stdarg.h>

/* What is longer waits for the terminal while it is put together. */
#define REPLY_BYTES (128u * 1024u)
#define REPLY_ERROR_BYTES 512u

struct reply {
	const struct terminal *term;
	bool json;
	bool failed;
	bool comma;     /* JSON: the next value needs one */
	bool in_output; /* JSON: "output" is open */
	bool in_line;   /* a line has begun */
	bool begun;     /* some of it is on the terminal */
	char error[REPLY_ERROR_BYTES];
	size_t len, sent;
	char bytes[REPLY_BYTES];
};

void reply_begin(struct reply *r, const struct terminal *term, const char *command, bool json);

/* Lines end with "\n". */
void reply_text(struct reply *r, const char *text, size_t len);
void reply_format(struct reply *r, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

/* What went wrong, without "error: " and line end. */
void reply_error(struct reply *r, const char *fmt, va_list args) PRINTF_LIKE(2, 0);

void reply_end(struct reply *r);

/* Send what fits while `reserve` bytes of the terminal stay free. True when all of it has gone. */
bool reply_drain(struct reply *r, size_t reserve);

/* Send all of it now; waits for the line. */
void reply_flush(struct reply *r);

/* JSON members, before any line. key: NULL inside an array. */
void reply_open(struct reply *r, const char *key, char bracket);
void reply_close(struct reply *r, char bracket);
void reply_string(struct reply *r, const char *key, const char *value);
void reply_number(struct reply *r, const char *key, uint64_t value);
void reply_signed(struct reply *r, const char *key, int64_t value);
void reply_flag(struct reply *r, const char *key, bool value);
