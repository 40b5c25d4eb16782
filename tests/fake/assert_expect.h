/* Assertions in host tests: one that fails aborts the test program, unless the test expects it. */
#pragma once

#include <setjmp.h>
#include <stdbool.h>

extern jmp_buf assert_expect_jump;
extern bool assert_expect_armed;

/* True when the statement runs into a failed assertion:
 *	assert_true(ASSERT_FAILS(page_free(&pa, hpa, 0)));
 * What the statement had changed up to then stays changed. */
#define ASSERT_FAILS(statement)                                                                                        \
	(__extension__({                                                                                               \
		bool failed_ = true;                                                                                   \
		assert_expect_armed = true;                                                                            \
		if (setjmp(assert_expect_jump) == 0) {                                                                 \
			statement;                                                                                     \
			*(volatile bool *)&failed_ = false;                                                            \
		}                                                                                                      \
		assert_expect_armed = false;                                                                           \
		*(volatile bool *)&failed_;                                                                            \
	}))
