/* A small printf without floating point, after ISO C 7.21.6.1. What does not fit is counted
 * all the same, so a caller can learn the length the text needs. */
#include "kernel/lib/format.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/string.h"

struct out {
	char *buf;
	size_t size; /* of buf, terminator included */
	size_t len;  /* of the whole text, may pass size */
};

struct spec {
	bool left;      /* - */
	bool zero;      /* 0 */
	bool alternate; /* # */
	char sign;      /* '+', ' ' or 0: what stands before a number that is not negative */
	bool has_precision;
	size_t width;
	size_t precision;
	char length; /* 'H' for hh, h, l, 'L' for ll and j, z for z and t; 0 for int */
};

enum { DIGITS_MAX = 22 /* 2^64 in octal */ };

/* Count len more characters. Returns how many of them the buffer takes. */
static size_t grow(struct out *o, size_t len)
{
	size_t room = o->size > o->len + 1 ? o->size - o->len - 1 : 0;

	o->len += len;
	return len < room ? len : room;
}

static void put_fill(struct out *o, char c, size_t count)
{
	size_t at = o->len, room = grow(o, count);

	if (room > 0)
		memset(o->buf + at, c, room);
}

static void put_text(struct out *o, const char *s, size_t len)
{
	size_t at = o->len, room = grow(o, len);

	if (room > 0)
		memcpy(o->buf + at, s, room);
}

static void put_padded(struct out *o, const struct spec *sp, const char *s, size_t len)
{
	size_t fill = sp->width > len ? sp->width - len : 0;

	if (!sp->left)
		put_fill(o, ' ', fill);
	put_text(o, s, len);
	if (sp->left)
		put_fill(o, ' ', fill);
}

/* prefix (sign or 0x), zeros up to the precision or the width, digits; blanks outside. */
static void put_number(struct out *o, const struct spec *sp, const char *prefix, const char *digits, size_t len)
{
	size_t prefix_len = strlen(prefix);
	size_t zeros = sp->has_precision && sp->precision > len ? sp->precision - len : 0;
	size_t fill = sp->width > prefix_len + zeros + len ? sp->width - prefix_len - zeros - len : 0;

	if (sp->zero && !sp->left && !sp->has_precision) {
		zeros += fill;
		fill = 0;
	}
	if (!sp->left)
		put_fill(o, ' ', fill);
	put_text(o, prefix, prefix_len);
	put_fill(o, '0', zeros);
	put_text(o, digits, len);
	if (sp->left)
		put_fill(o, ' ', fill);
}

static void put_unsigned(struct out *o, const struct spec *sp, uint64_t v, unsigned base, bool upper,
			 const char *prefix)
{
	const char *alphabet = upper ? "0123456789ABCDEF" : "0123456789abcdef";
	char digits[DIGITS_MAX];
	size_t pos = sizeof(digits);

	while (v != 0) {
		digits[--pos] = alphabet[v % base];
		v /= base;
	}
	/* Zero has one digit, unless the precision asks for none. */
	if (pos == sizeof(digits) && !(sp->has_precision && sp->precision == 0))
		digits[--pos] = '0';
	put_number(o, sp, prefix, digits + pos, sizeof(digits) - pos);
}

static void put_signed(struct out *o, const struct spec *sp, int64_t v)
{
	char prefix[2] = {sp->sign, '\0'};
	uint64_t magnitude = (uint64_t)v;

	if (v < 0) {
		prefix[0] = '-';
		magnitude = 0 - magnitude;
	}
	put_unsigned(o, sp, magnitude, 10, false, prefix);
}

static const char *not_null(const char *s)
{
	return s != NULL ? s : "(null)";
}

static void put_string(struct out *o, const struct spec *sp, const char *s)
{
	s = not_null(s);
	put_padded(o, sp, s, sp->has_precision ? strnlen(s, sp->precision) : strlen(s));
}

struct args {
	va_list ap;
};

/* An integer as wide as the length says, its sign or zeroes above it. */
static uint64_t arg_integer(const struct spec *sp, struct args *a, bool is_signed)
{
	unsigned bits = sp->length == 'H' ? 8 : sp->length == 'h' ? 16 : sp->length == 0 ? 32 : 64;
	uint64_t v = (bits == 64 ? va_arg(a->ap, uint64_t) : va_arg(a->ap, unsigned)) << (64 - bits);

	static_assert(sizeof(long) == 8 && sizeof(size_t) == 8 && sizeof(long long) == 8, "l, z, ll: all 64 bits");
	return is_signed ? (uint64_t)((int64_t)v >> (64 - bits)) : v >> (64 - bits);
}

static const char *parse_flags(const char *p, struct spec *sp)
{
	for (;; p++) {
		if (*p == '-')
			sp->left = true;
		else if (*p == '0')
			sp->zero = true;
		else if (*p == '#')
			sp->alternate = true;
		else if (*p == '+' || (*p == ' ' && sp->sign == 0))
			sp->sign = *p;
		else if (*p != ' ')
			return p;
	}
}

/* Bounded, so that a wrong format can waste time but not overflow. */
static const char *parse_count(const char *p, size_t *count)
{
	*count = 0;
	for (; *p >= '0' && *p <= '9'; p++)
		if (*count < 10000)
			*count = *count * 10 + (size_t)(*p - '0');
	return p;
}

static const char *parse_width(const char *p, struct spec *sp, struct args *a)
{
	int v;

	if (*p != '*')
		return parse_count(p, &sp->width);
	v = va_arg(a->ap, int);
	sp->left = sp->left || v < 0;
	sp->width = v < 0 ? (size_t)0 - (size_t)v : (size_t)v;
	return p + 1;
}

static const char *parse_precision(const char *p, struct spec *sp, struct args *a)
{
	int v;

	if (*p != '.')
		return p;
	p++;
	sp->has_precision = true;
	if (*p != '*')
		return parse_count(p, &sp->precision);
	v = va_arg(a->ap, int);
	sp->has_precision = v >= 0; /* negative: as if none were given */
	sp->precision = v < 0 ? 0 : (size_t)v;
	return p + 1;
}

static const char *parse_length(const char *p, struct spec *sp)
{
	if (*p == 'h' || *p == 'l') {
		sp->length = *p;
		if (p[1] == *p) {
			sp->length = *p == 'h' ? 'H' : 'L';
			p++;
		}
		return p + 1;
	}
	if (*p == 'z' || *p == 't' || *p == 'j') {
		sp->length = *p == 'j' ? 'L' : 'z';
		return p + 1;
	}
	return p;
}

static void put_hex(struct out *o, const struct spec *sp, uint64_t v, bool upper)
{
	const char *prefix = upper ? "0X" : "0x";

	put_unsigned(o, sp, v, 16, upper, sp->alternate && v != 0 ? prefix : "");
}

/* Returns false when the conversion is unknown; nothing has been written then. */
static bool put_conversion(struct out *o, const struct spec *sp, char conversion, struct args *a)
{
	char c;

	switch (conversion) {
	case 'd':
	case 'i':
		put_signed(o, sp, (int64_t)arg_integer(sp, a, true));
		return true;
	case 'u':
		put_unsigned(o, sp, arg_integer(sp, a, false), 10, false, "");
		return true;
	case 'o':
		put_unsigned(o, sp, arg_integer(sp, a, false), 8, false, sp->alternate ? "0" : "");
		return true;
	case 'x':
	case 'X':
		put_hex(o, sp, arg_integer(sp, a, false), conversion == 'X');
		return true;
	case 'p':
		put_unsigned(o, sp, (uintptr_t)va_arg(a->ap, void *), 16, false, "0x");
		return true;
	case 's':
		put_string(o, sp, va_arg(a->ap, const char *));
		return true;
	case 'c':
		c = (char)va_arg(a->ap, int);
		put_padded(o, sp, &c, 1);
		return true;
	case '%':
		put_text(o, "%", 1);
		return true;
	default:
		return false;
	}
}

/* Text from a format and arguments.
 * buf: size_bytes long, may be NULL when size_bytes is 0.  An unknown conversion is copied as it stands.
 * Returns the length of the whole text without the terminator; when that is >= size_bytes, the end was cut off.
 * Context: any. */
size_t fmt_vsnprintf(char *buf, size_t size_bytes, const char *fmt, va_list args)
{
	struct out o = {.buf = buf, .size = size_bytes};
	struct args a;

	va_copy(a.ap, args);
	while (*fmt != '\0') {
		struct spec sp;
		const char *p = fmt;

		while (*p != '\0' && *p != '%')
			p++;
		if (p != fmt) {
			put_text(&o, fmt, (size_t)(p - fmt));
			fmt = p;
			continue;
		}
		if (fmt[1] == 's') { /* by far the most frequent one */
			const char *s = not_null(va_arg(a.ap, const char *));

			put_text(&o, s, strlen(s));
			fmt += 2;
			continue;
		}
		sp = (struct spec){0};
		p = parse_flags(fmt + 1, &sp);
		p = parse_width(p, &sp, &a);
		p = parse_precision(p, &sp, &a);
		p = parse_length(p, &sp);
		if (*p != '\0' && put_conversion(&o, &sp, *p, &a))
			fmt = p + 1;
		else
			put_text(&o, fmt++, 1);
	}
	va_end(a.ap);
	if (size_bytes > 0)
		buf[o.len < size_bytes ? o.len : size_bytes - 1] = '\0';
	return o.len;
}

/* fmt_vsnprintf() with the arguments spelt out. */
size_t fmt_snprintf(char *buf, size_t size_bytes, const char *fmt, ...)
{
	va_list args;
	size_t len;

	va_start(args, fmt);
	len = fmt_vsnprintf(buf, size_bytes, fmt, args);
	va_end(args);
	return len;
}

/* Append formatted text to what stands in buf.
 * *len: length of the text that stands there, at most size_bytes - 1; grows by what was added.
 * Returns true, or false when the text was cut off at the end of the buffer.  Context: any. */
bool fmt_append(char *buf, size_t size_bytes, size_t *len, const char *fmt, ...)
{
	size_t room = *len < size_bytes ? size_bytes - *len : 0;
	va_list args;
	size_t added;

	if (room == 0)
		return false;
	va_start(args, fmt);
	added = fmt_vsnprintf(buf + *len, room, fmt, args);
	va_end(args);
	*len += added < room ? added : room - 1;
	return added < room;
}
