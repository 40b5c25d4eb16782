/* Which bytes are UTF-8. Overlong forms, surrogates and what lies above U+10FFFF are not (RFC 3629, section 4). */
#include "vmm/monitor/utf8.h"

static size_t length_by_first(uint8_t first)
{
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if ((first & 0xf0) == 0xe0)
		return 3;
	return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Some first bytes allow only a part of the second ones. */
static bool second_ok(uint8_t first, uint8_t second)
{
	switch (first) {
	case 0xe0:
		return second >= 0xa0;
	case 0xed:
		return second < 0xa0;
	case 0xf0:
		return second >= 0x90;
	case 0xf4:
		return second < 0x90;
	default:
		return true;
	}
}

size_t utf8_length(const char *s, size_t len)
{
	size_t want = len == 0 ? 0 : length_by_first((uint8_t)s[0]);

	if (want > len)
		return 0;
	for (size_t i = 1; i < want; i++) {
		if (!utf8_continues(s[i]))
			return 0;
	}
	return want > 1 && !second_ok((uint8_t)s[0], (uint8_t)s[1]) ? 0 : want;
}
