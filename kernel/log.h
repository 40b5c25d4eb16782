/* The hypervisor's log: levels, time stamps, a ring of 64 KiB (`dmesg`), and sinks that get each line as it comes. Any CPU may
 * log, also while it holds locks; not from an NMI. */
#pragma once

#include "kernel/lib/compiler.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG, LOG_LEVEL_COUNT };

#define LOG_RING_BYTES (64u * 1024u)

/* A line goes to a sink whole, with its line feed. The sink must not log. It is called on the CPU that logs, one at a time; one
 * that belongs to the home CPU, the monitor's, is called there only. */
struct log_sink {
	void (*write)(void *ctx, const char *text, size_t len);
	void (*show)(void *ctx); /* or NULL: does what write() leaves for later because it is slow */
	void *ctx;
	enum log_level level; /* the least important level that it gets */
	bool home_only;
	struct log_sink *next;
};

void log_write(enum log_level level, const char *fmt, ...) PRINTF_LIKE(2, 3);

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_write(LOG_DEBUG, __VA_ARGS__)

/* To the ring alone, for what is long: `dmesg` has it, and no sink is kept waiting. */
void log_ring(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* Once there are several CPUs: whether this is the home CPU, and what makes that one call log_catch_up() soon. Until then every
 * CPU is at home. */
void log_set_home(bool (*is_home)(void), void (*call)(void));

/* On the home CPU, in its loop: give its sinks what other CPUs have logged. Nothing is lost (but for more than 16 KiB at a
 * time, then the sinks are told to look into the ring), and the order is that of the ring. */
void log_catch_up(void);

/* From now on slow sinks show their lines when log_show() is called; until then, and in a panic, at once. */
void log_show_later(void);

/* On any CPU, when there is time. Costs a look when there is nothing to show. */
void log_show(void);

/* For the panic, which has stopped all other CPUs: go on as if nobody held the log's lock. */
void log_unlock_for_ever(void);

/* Text as it is, to all sinks and not to the ring: for the panic screen. */
void log_to_sinks(const char *text, size_t len);

/* The sink stays where it is until it is removed. A new sink gets the lines that come from now on. */
void log_add_sink(struct log_sink *sink);
void log_remove_sink(struct log_sink *sink);

/* What is less important than this is forgotten at once; LOG_INFO at the start. */
void log_set_level(enum log_level level);
/* "error", "warn", "info", "debug". Returns 0 or ERR_INVAL. */
MUST_CHECK int log_level_parse(const char *name, enum log_level *out);

/* Time stamps are seconds since tsc_zero from now on; before, they are missing. */
void log_set_clock(uint64_t (*read)(void), uint64_t zero, uint64_t hz);

/* Copy up to len bytes of the ring from `offset` on (0 = the oldest there is). Returns the number copied. */
size_t log_read(size_t offset, void *buf, size_t len);
size_t log_bytes(void);
