/* assert_failed() for host programs: prints and aborts, or jumps back into a test that waits for it. */
#include "tests/fake/assert_expect.h"
#include "kernel/lib/assert.h"

#include <stdio.h>
#include <stdlib.h>

jmp_buf assert_expect_jump;
bool assert_expect_armed;

/* In every sanitizer's library. */
void __sanitizer_print_stack_trace(void);

void assert_failed(const char *expr)
{
	if (assert_expect_armed)
		longjmp(assert_expect_jump, 1);
	fprintf(stderr, "assertion failed: %s\n", expr);
	__sanitizer_print_stack_trace();
	abort();
}
