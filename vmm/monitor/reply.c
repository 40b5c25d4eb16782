/* Replies, as text and as JSON (RFC 8259). */
#include "vmm/monitor/reply.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/monitor/utf8.h"

#define FORMAT_BYTES 1536u

void reply_flush(struct reply *r)
{
	terminal_write(r->term, r->bytes + r->sent, r->len - r->sent);
	r->begun = true;
	r->len = r->sent = 0;
}

static void put(struct reply *r, const char *bytes, size_t len)
{
	if (len > sizeof(r->bytes) - r->len)
		reply_flush(r);
	memcpy(r->bytes + r->len, bytes, len);
	r->len += len;
}

static void put_str(struct reply *r, const char *s)
{
	put(r, s, strlen(s));
}

bool reply_drain(struct reply *r, size_t reserve)
{
	size_t room = r->term->room(r->term->ctx), n = r->len - r->sent;

	room = room > reserve ? room - reserve : 0;
	if (n > room)
		n = room;
	terminal_write(r->term, r->bytes + r->sent, n);
	r->begun = r->begun || n > 0;
	r->sent += n;
	return r->sent == r->len;
}

/* --- JSON --- */

/* One character, or one byte that is none, that does not stand for itself. Returns the bytes it took. */
static size_t put_escaped(struct reply *r, const char *s, size_t len)
{
	unsigned char c = (unsigned char)*s;
	size_t n = utf8_length(s, len);
	char escape[8];

	if (c >= 0x80 && n > 0) {
		put(r, s, n);
		return n;
	}
	if (c == '"' || c == '\\')
		fmt_snprintf(escape, sizeof(escape), "\\%c", c);
	else
		fmt_snprintf(escape, sizeof(escape), "\\u%04x", c);
	put_str(r, escape);
	return 1;
}

/* A character of ASCII that stands for itself inside a JSON string. */
static inline bool is_plain(char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\';
}

/* What lies inside a JSON string: runs of plain characters, and others between them. */
static void put_inside(struct reply *r, const char *s, size_t len)
{
	while (len > 0) {
		size_t n = 0;

		while (n < len && is_plain(s[n]))
			n++;
		put(r, s, n);
		s += n;
		len -= n;
		if (len > 0) {
			n = put_escaped(r, s, len);
			s += n;
			len -= n;
		}
	}
}

static void put_quoted(struct reply *r, const char *s)
{
	put(r, "\"", 1);
	put_inside(r, s, strlen(s));
	put(r, "\"", 1);
}

/* What stands before a value. */
static void put_key(struct reply *r, const char *key)
{
	assert(r->json && !r->in_output);
	if (r->comma)
		put(r, ",", 1);
	r->comma = true;
	if (key == NULL)
		return;
	put_quoted(r, key);
	put(r, ":", 1);
}

void reply_open(struct reply *r, const char *key, char bracket)
{
	put_key(r, key);
	put(r, &bracket, 1);
	r->comma = false;
}

void reply_close(struct reply *r, char bracket)
{
	put(r, &bracket, 1);
	r->comma = true;
}

void reply_string(struct reply *r, const char *key, const char *value)
{
	put_key(r, key);
	put_quoted(r, value);
}

void reply_number(struct reply *r, const char *key, uint64_t value)
{
	char text[24];

	put_key(r, key);
	fmt_snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
	put_str(r, text);
}

void reply_signed(struct reply *r, const char *key, int64_t value)
{
	char text[24];

	put_key(r, key);
	fmt_snprintf(text, sizeof(text), "%lld", (long long)value);
	put_str(r, text);
}

void reply_flag(struct reply *r, const char *key, bool value)
{
	put_key(r, key);
	put_str(r, value ? "true" : "false");
}

static void output_line_begin(struct reply *r)
{
	if (!r->in_output) {
		reply_open(r, "output", '[');
		r->in_output = true;
	}
	if (r->comma)
		put(r, ",", 1);
	r->comma = true;
	put(r, "\"", 1);
	r->in_line = true;
}

static void output_line_end(struct reply *r)
{
	put(r, "\"", 1);
	r->in_line = false;
}

static void json_text(struct reply *r, const char *text, size_t len)
{
	while (len > 0) {
		const char *feed = memchr(text, '\n', len);
		size_t line = feed == NULL ? len : (size_t)(feed - text);

		if (!r->in_line)
			output_line_begin(r);
		put_inside(r, text, line);
		if (feed == NULL)
			return;
		output_line_end(r);
		text += line + 1;
		len -= line + 1;
	}
}

/* --- both --- */

void reply_begin(struct reply *r, const struct terminal *term, const char *command, bool json)
{
	r->term = term;
	r->json = json;
	r->failed = r->comma = r->in_output = r->in_line = r->begun = false;
	r->len = r->sent = 0;
	r->error[0] = '\0';
	if (!json)
		return;
	put(r, "{", 1);
	reply_string(r, "command", command);
}

void reply_text(struct reply *r, const char *text, size_t len)
{
	if (r->json) {
		json_text(r, text, len);
		return;
	}
	while (len > 0) {
		const char *feed = memchr(text, '\n', len);
		size_t line = feed == NULL ? len : (size_t)(feed - text);

		put(r, text, line);
		r->in_line = feed == NULL;
		if (feed == NULL)
			return;
		put(r, "\r\n", 2);
		text += line + 1;
		len -= line + 1;
	}
}

void reply_format(struct reply *r, const char *fmt, va_list args)
{
	char text[FORMAT_BYTES];

	fmt_vsnprintf(text, sizeof(text), fmt, args);
	reply_text(r, text, strlen(text));
}

void reply_error(struct reply *r, const char *fmt, va_list args)
{
	char text[REPLY_ERROR_BYTES];

	fmt_vsnprintf(text, sizeof(text), fmt, args);
	/* The first one is the reason; in text all of them are seen. */
	if (!r->failed)
		(void)str_copy(r->error, text, sizeof(r->error));
	r->failed = true;
	if (r->json)
		return;
	if (r->in_line)
		reply_text(r, "\n", 1);
	reply_text(r, "error: ", 7);
	reply_text(r, text, strlen(text));
	reply_text(r, "\n", 1);
}

void reply_end(struct reply *r)
{
	if (r->in_line)
		reply_text(r, "\n", 1);
	if (!r->json)
		return;
	if (r->in_output) {
		reply_close(r, ']');
		r->in_output = false;
	}
	reply_flag(r, "ok", !r->failed);
	if (r->failed)
		reply_string(r, "error", r->error);
	put_str(r, "}\r\n");
}
