/* Formatted text into a buffer: the part of printf that a hypervisor's messages need. */
#pragma once

#include "kernel/lib/compiler.h"

#include <stdarg.h>

/* %d %i %u %x %X %o %c %s %p %%; flags 0 - + space #; width and precision, also as *; lengths hh h l ll z t j.
 * Both return the length the whole text has, without the terminator, like snprintf(); the buffer is terminated always
 * when size_bytes > 0. */
size_t fmt_vsnprintf(char *buf, size_t size_bytes, const char *fmt, va_list args) PRINTF_LIKE(3, 0);
size_t fmt_snprintf(char *buf, size_t size_bytes, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* Append to the text of length *len in buf; *len grows by what fitted. Returns false when something was cut off. */
bool fmt_append(char *buf, size_t size_bytes, size_t *len, const char *fmt, ...) PRINTF_LIKE(4, 5);

/* Quantities as people read them; both return buf. "256 MiB", "1.5 GiB", "17 B"; "350 ns", "1.2 ms", "2 min 5 s". */
enum { FMT_QUANTITY_BYTES = 32 };
const char *fmt_size(char buf[FMT_QUANTITY_BYTES], uint64_t bytes);
const char *fmt_duration(char buf[FMT_QUANTITY_BYTES], uint64_t ns);

/* "0,2-3", "all", "none": as parse_cpu_list() reads it; returns buf. The longest has 121 characters: 0-1,3-4,... */
enum { FMT_CPU_LIST_BYTES = 128 };
const char *fmt_cpu_list(char buf[FMT_CPU_LIST_BYTES], uint64_t cpus);
