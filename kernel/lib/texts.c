/* Texts one behind the other: see texts.h. */
#include "kernel/lib/texts.h"

#include "kernel/lib/string.h"

const char *text_nth(const char *texts, size_t n)
{
	while (n-- > 0)
		texts += strlen(texts) + 1;
	return texts;
}

int text_find(const char *texts, size_t count, const char *s)
{
	for (size_t i = 0; i < count; i++) {
		if (str_eq(texts, s))
			return (int)i;
		texts += strlen(texts) + 1;
	}
	return -1;
}
