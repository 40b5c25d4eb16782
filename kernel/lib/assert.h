/* assert() that stays on: a broken precondition is our bug and ends in a panic with the expression. On the host a test
 * provides assert_failed(). Not for guest-fed values: those get errors. */
#pragma once

#include "kernel/lib/compiler.h"

#ifndef __cplusplus
#define static_assert _Static_assert
#endif

/* Where it was, the backtrace tells: file and line at each call would take 3 KB of the image. */
_Noreturn void assert_failed(const char *expr);

#define assert(e) (likely(e) ? (void)0 : assert_failed(#e))
