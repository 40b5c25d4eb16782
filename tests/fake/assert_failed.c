/* assert_failed() for host programs: prints and aborts, or jumps back into a test that waits for it. */
#include "tests/fake/assert_expect.h"
#include "kernel/lib/assert.h"

#include <stdio.h>
#include <stdlib.h>

jmp_buf assert_expect_jump;
bool assert_expect_armed;

void assert_failed(const char *expr, const char *file, int line)
{
	if (assert_expect_armed)
		longjmp(assert_expect_jump, 1);
	fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, expr);
	abort();
}
