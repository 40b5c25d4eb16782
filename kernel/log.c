/* The log. One line is put together on the stack, then goes to the ring and to the sinks. */
#include "kernel/log.h"

#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/muldiv.h"
#include "kernel/lib/ring.h"
#include "kernel/lib/string.h"

#define LINE_BYTES 320u

static uint8_t ring_bytes[LOG_RING_BYTES];
static struct ring ring = {.data = ring_bytes, .size = LOG_RING_BYTES};
static struct log_sink *sinks;
static enum log_level threshold = LOG_INFO;
static uint64_t (*clock_read)(void);
static uint64_t clock_zero, clock_hz;

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
/* What stands before the text; the usual case is not decorated. */
static const char *const level_marks[LOG_LEVEL_COUNT] = {"error: ", "warning: ", "", "debug: "};

static size_t stamp(char *line, size_t size)
{
	uint64_t us;

	if (clock_read == NULL)
		return fmt_snprintf(line, size, "[     -.------] ");
	us = muldiv_u64(clock_read() - clock_zero, 1000000, clock_hz);
	return fmt_snprintf(line, size, "[%6llu.%06llu] ", (unsigned long long)(us / 1000000),
			    (unsigned long long)(us % 1000000));
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char line[LINE_BYTES];
	size_t len;
	va_list args;

	if (level > threshold)
		return;
	len = stamp(line, sizeof(line));
	fmt_append(line, sizeof(line), &len, "%s", level_marks[level]);
	va_start(args, fmt);
	len += fmt_vsnprintf(line + len, sizeof(line) - len, fmt, args);
	va_end(args);
	if (len > sizeof(line) - 2)
		len = sizeof(line) - 2;
	line[len++] = '\n';
	ring_overwrite(&ring, line, len);
	for (struct log_sink *s = sinks; s != NULL; s = s->next) {
		if (level <= s->level)
			s->write(s->ctx, line, len);
	}
}

void log_to_sinks(const char *text, size_t len)
{
	for (struct log_sink *s = sinks; s != NULL; s = s->next)
		s->write(s->ctx, text, len);
}

void log_add_sink(struct log_sink *sink)
{
	sink->next = sinks;
	sinks = sink;
}

void log_remove_sink(struct log_sink *sink)
{
	for (struct log_sink **at = &sinks; *at != NULL; at = &(*at)->next) {
		if (*at == sink) {
			*at = sink->next;
			return;
		}
	}
}

void log_set_level(enum log_level level)
{
	threshold = level;
}

int log_level_parse(const char *name, enum log_level *out)
{
	for (unsigned i = 0; i < LOG_LEVEL_COUNT; i++) {
		if (str_eq(name, level_names[i])) {
			*out = (enum log_level)i;
			return 0;
		}
	}
	return ERR_INVAL;
}

void log_set_clock(uint64_t (*read)(void), uint64_t zero, uint64_t hz)
{
	clock_zero = zero;
	clock_hz = hz;
	clock_read = read;
}

size_t log_read(size_t offset, void *buf, size_t len)
{
	return ring_peek_block(&ring, offset, buf, len);
}

size_t log_bytes(void)
{
	return ring_used(&ring);
}
