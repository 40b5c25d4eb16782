/* Which operations are wanted: those of `only=NAME,NAME...` on the command line, or all. */
#include "guests/bench/bench.h"

#define MOST_NAMES 64u

static uint64_t met; /* a bit for each name of the list that an operation has */

/* The length of the name that begins at s. */
static unsigned name_length(const char *s)
{
	unsigned n = 0;

	while (s[n] != '\0' && s[n] != ' ' && s[n] != ',')
		n++;
	return n;
}

static bool same(const char *name, const char *s, unsigned len)
{
	for (unsigned i = 0; i < len; i++) {
		if (name[i] != s[i])
			return false;
	}
	return name[len] == '\0';
}

/* The next name of the list, NULL: there is none. */
static const char *next_name(const char *s)
{
	s += name_length(s);
	return *s == ',' ? s + 1 : NULL;
}

bool bench_wanted(const char *name)
{
	const char *s = guest_value("only");
	bool found = s == NULL;

	for (unsigned i = 0; s != NULL && i < MOST_NAMES; i++, s = next_name(s)) {
		if (same(name, s, name_length(s))) {
			met |= 1ull << i;
			found = true;
		}
	}
	return found;
}

void bench_name_the_unknown(void)
{
	const char *s = guest_value("only");

	for (unsigned i = 0; s != NULL && i < MOST_NAMES; i++, s = next_name(s)) {
		if (met >> i & 1)
			continue;
		print("skip ");
		for (unsigned n = name_length(s); n > 0; n--)
			put_char(*s++);
		print(" no such operation, or not possible here\n");
	}
}
