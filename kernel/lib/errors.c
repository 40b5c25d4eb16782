/* The words for the error numbers. */
#include "kernel/lib/errors.h"
#include "kernel/lib/assert.h"

static const char *const err_words[] = {
	[0] = "no error",
	[-ERR_INVAL] = "invalid value",
	[-ERR_NOMEM] = "no memory",
	[-ERR_RANGE] = "out of range",
	[-ERR_OVERLAP] = "overlaps another range",
	[-ERR_ALIGN] = "not aligned",
	[-ERR_FORMAT] = "bad format",
	[-ERR_TRUNC] = "truncated",
	[-ERR_NOENT] = "not found",
	[-ERR_EXIST] = "exists already",
	[-ERR_STATE] = "not possible in this state",
	[-ERR_NOSUP] = "not supported",
	[-ERR_FULL] = "full",
	[-ERR_FAULT] = "refused by the hardware",
	[-ERR_TIMEOUT] = "timed out",
	[-ERR_AGAIN] = "not now",
};
static_assert(ARRAY_LEN(err_words) == 1 - ERR_AGAIN, "one text for each error number");

/* An error number in words.
 * Returns a constant string, never NULL, also for numbers that nobody defined.  Context: any. */
const char *err_str(int err)
{
	if (err > 0 || err <= -(int)ARRAY_LEN(err_words))
		return "unknown error";
	return err_words[-err];
}
