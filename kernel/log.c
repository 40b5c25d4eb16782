/* The log. One line is put together on the stack, then goes to the ring and to the sinks, all under one lock, so that the
 * lines of all CPUs have one order. What is for the home CPU's sinks waits in a queue until that CPU takes it out. */
#include "kernel/log.h"

#include "arch/x86/spinlock.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/muldiv.h"
#include "kernel/lib/ring.h"
#include "kernel/lib/string.h"

#define LINE_BYTES 320u
#define QUEUE_BYTES (16u * 1024u)

static struct spinlock lock = SPINLOCK_RANKED(LOCK_RANK_LOG, "log");
static bool unlocked; /* the panic has stopped whoever may hold the lock */
static uint8_t ring_bytes[LOG_RING_BYTES], queue_bytes[QUEUE_BYTES];
static struct ring ring = {.data = ring_bytes, .size = LOG_RING_BYTES};
static struct ring queue = {.data = queue_bytes, .size = QUEUE_BYTES}; /* struct queued and its line */
static size_t queue_lost;                                              /* lines that it had no room for */
static bool show_later, to_show;
static bool (*at_home)(void);
static void (*call_home)(void);
static struct log_sink *sinks;
static enum log_level threshold = LOG_INFO;
static uint64_t (*clock_read)(void);
static uint64_t clock_zero, clock_hz;

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
/* What stands before the text; the usual case is not decorated. */
static const char *const level_marks[LOG_LEVEL_COUNT] = {"error: ", "warning: ", "", "debug: "};

#define STAMP_BYTES 16u

/* "[     0.000000] ", digit by digit: every line has one. After 11 days it is longer. */
static size_t stamp(char *line, size_t size)
{
	uint64_t us;

	memcpy(line, "[     -.------] ", STAMP_BYTES);
	if (clock_read == NULL)
		return STAMP_BYTES;
	us = muldiv_u64(clock_read() - clock_zero, 1000000, clock_hz);
	if (us >= 1000000000000)
		return fmt_snprintf(line, size, "[%llu.%06llu] ", (unsigned long long)(us / 1000000),
				    (unsigned long long)(us % 1000000));
	for (unsigned at = 13; at > 0 && (us != 0 || at >= 6); at--) {
		if (at == 7)
			continue;
		line[at] = (char)('0' + us % 10);
		us /= 10;
	}
	return STAMP_BYTES;
}

static void acquire(void)
{
	if (!unlocked)
		spin_lock(&lock);
}

static void release(void)
{
	if (!unlocked)
		spin_unlock(&lock);
}

/* What was written to this sink is seen now, or there will be something to show. */
static void written(const struct log_sink *s)
{
	if (s->show == NULL)
		return;
	if (show_later && !unlocked)
		__atomic_store_n(&to_show, true, __ATOMIC_RELAXED);
	else
		s->show(s->ctx);
}

static void to_sinks(enum log_level level, const char *line, size_t len, bool home_only)
{
	for (struct log_sink *s = sinks; s != NULL; s = s->next) {
		if (level > s->level || s->home_only != home_only)
			continue;
		s->write(s->ctx, line, len);
		written(s);
	}
}

static bool has_home_sink(enum log_level level)
{
	for (const struct log_sink *s = sinks; s != NULL; s = s->next) {
		if (level <= s->level && s->home_only)
			return true;
	}
	return false;
}

/* What stands before a line in the queue. */
struct queued {
	uint16_t level;
	uint16_t len;
};

static void enqueue(enum log_level level, const char *line, size_t len)
{
	struct queued head = {(uint16_t)level, (uint16_t)len};

	if (!has_home_sink(level))
		return;
	if (ring_room(&queue) < sizeof(head) + len) {
		queue_lost++;
		return;
	}
	(void)ring_write(&queue, &head, sizeof(head));
	(void)ring_write(&queue, line, len);
}

/* Take the oldest line out of the queue, or a word about those that it had no room for, which are later than all in it.
 * Returns its length, 0: there is none. */
static size_t dequeue(enum log_level *level, char *line, size_t size)
{
	struct queued head;
	size_t len = 0;

	acquire();
	if (ring_read(&queue, &head, sizeof(head)) == sizeof(head)) {
		*level = (enum log_level)head.level;
		len = ring_read(&queue, line, head.len);
	} else if (queue_lost != 0) {
		*level = LOG_ERROR;
		len = fmt_snprintf(line, size, "[%llu lines of other CPUs: `dmesg`]\n", (unsigned long long)queue_lost);
		queue_lost = 0;
	}
	release();
	return len;
}

/* The sinks write without the lock: they may wait for a device, and other CPUs shall not. */
void log_catch_up(void)
{
	char line[LINE_BYTES];
	enum log_level level;
	size_t len;

	if (likely(ring_empty(&queue)) && __atomic_load_n(&queue_lost, __ATOMIC_RELAXED) == 0)
		return;
	while ((len = dequeue(&level, line, sizeof(line))) != 0)
		to_sinks(level, line, len, true);
}

static size_t compose(char *line, size_t size, enum log_level level, const char *fmt, va_list args)
{
	size_t len = stamp(line, size);

	if (level_marks[level][0] != '\0')
		fmt_append(line, size, &len, "%s", level_marks[level]);
	len += fmt_vsnprintf(line + len, size - len, fmt, args);
	if (len > size - 2)
		len = size - 2;
	line[len++] = '\n';
	return len;
}

/* On the home CPU its sinks get a line at once when no line waits for them. */
static bool goes_past_queue(bool home)
{
	return home && ring_empty(&queue) && queue_lost == 0;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	bool home = at_home == NULL || at_home(), direct;
	char line[LINE_BYTES];
	size_t len;
	va_list args;

	if (level > threshold)
		return;
	acquire();
	va_start(args, fmt);
	len = compose(line, sizeof(line), level, fmt, args);
	va_end(args);
	ring_overwrite(&ring, line, len);
	to_sinks(level, line, len, false);
	direct = goes_past_queue(home);
	if (!direct)
		enqueue(level, line, len);
	release();
	if (direct)
		to_sinks(level, line, len, true);
	if (home)
		log_catch_up();
	else
		call_home();
}

void log_ring(const char *fmt, ...)
{
	char line[LINE_BYTES];
	size_t len;
	va_list args;

	acquire();
	va_start(args, fmt);
	len = compose(line, sizeof(line), LOG_ERROR, fmt, args);
	va_end(args);
	ring_overwrite(&ring, line, len);
	release();
}

void log_set_home(bool (*is_home)(void), void (*call)(void))
{
	call_home = call;
	at_home = is_home;
}

void log_unlock_for_ever(void)
{
	unlocked = true;
}

void log_to_sinks(const char *text, size_t len)
{
	for (struct log_sink *s = sinks; s != NULL; s = s->next) {
		s->write(s->ctx, text, len);
		written(s);
	}
}

void log_show_later(void)
{
	show_later = true;
}

void log_show(void)
{
	if (likely(!__atomic_load_n(&to_show, __ATOMIC_RELAXED)))
		return;
	acquire();
	to_show = false;
	for (struct log_sink *s = sinks; s != NULL; s = s->next) {
		if (s->show != NULL)
			s->show(s->ctx);
	}
	release();
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
	size_t n;

	acquire();
	n = ring_peek_block(&ring, offset, buf, len);
	release();
	return n;
}

size_t log_bytes(void)
{
	return ring_used(&ring);
}
