/* assert() that stays on: a broken precondition is our bug and ends in a panic with the expression. On the host a test
 * provides assert_failed(). Not for guest-fed values: those get errors. */
#pragma once

#include "kernel/lib/compiler.h"

#ifndef __cplusplus
#define static_assert _Static_assert
#endif

_Noreturn void assert_failed(const char *expr, const char *file, int line);

#define assert(e) (likely(e) ? (void)0 : assert_failed(#e, __FILE__, __LINE__))
