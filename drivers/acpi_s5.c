/* The soft-off values, found in the DSDT without an AML interpreter: the object \_S5_ is by rule a package of constants
 * (ACPI specification 6.4 "_Sx (System States)"), so its bytes can be recognised. Encodings after "ACPI Machine Language
 * (AML) Specification". */
#include "drivers/acpi.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"

#define S5_NAME "_S5_"
#define NAME_SEG_LEN 4u

/* A PkgLength: bits 7:6 of the first byte tell how many bytes follow; alone, it has six bits, else four and eight a byte.
 * Returns how many bytes it takes and in *value what it says, or 0 when it is cut off. */
static size_t package_length(const uint8_t *p, size_t left, size_t *value)
{
	size_t more, v;

	if (left == 0)
		return 0;
	more = p[0] >> 6;
	if (left < 1 + more)
		return 0;
	if (more == 0) {
		*value = p[0] & 0x3f;
		return 1;
	}
	v = p[0] & 0x0f;
	for (size_t i = 0; i < more; i++)
		v |= (size_t)p[1 + i] << (4 + 8 * i);
	*value = v;
	return 1 + more;
}

/* A constant integer. Returns its length in bytes, 0 when it is none or cut off. */
static size_t constant(const uint8_t *p, size_t left, uint32_t *value)
{
	if (left >= 1 && (p[0] == AML_ZERO_OP || p[0] == AML_ONE_OP)) {
		*value = p[0];
		return 1;
	}
	if (left >= 2 && p[0] == AML_BYTE_PREFIX) {
		*value = p[1];
		return 2;
	}
	if (left >= 3 && p[0] == AML_WORD_PREFIX) {
		*value = load_le16(p + 1);
		return 3;
	}
	if (left >= 5 && p[0] == AML_DWORD_PREFIX) {
		*value = load_le32(p + 1);
		return 5;
	}
	return 0;
}

/* The two values in the package at p. Some firmware packs both into one element, PM1b in bits 15:8. */
static int sleep_package(const uint8_t *p, size_t left, struct acpi_sleep *out)
{
	size_t length, head, used, elements;
	uint32_t a, b;

	if (left < 1 || p[0] != AML_PACKAGE_OP)
		return ERR_FORMAT;
	p++, left--;
	head = package_length(p, left, &length);
	if (head == 0 || length > left || length < head + 2) /* it counts itself; then the count, and an element */
		return ERR_FORMAT;
	elements = p[head];
	p += head + 1, left = length - head - 1;
	used = constant(p, left, &a);
	if (elements == 0 || used == 0)
		return ERR_FORMAT;
	b = a >> 8;
	if (elements >= 2 && constant(p + used, left - used, &b) == 0)
		return ERR_FORMAT;
	*out = (struct acpi_sleep){.pm1a = a & 7, .pm1b = b & 7};
	return 0;
}

/* Is there the opcode of a definition right before the name at `at`: Name(_S5_, ...) or Name(\_S5_, ...)? */
static bool is_definition(const uint8_t *aml, size_t at)
{
	if (at >= 1 && aml[at - 1] == AML_NAME_OP)
		return true;
	return at >= 2 && aml[at - 1] == AML_ROOT_CHAR && aml[at - 2] == AML_NAME_OP;
}

/* Find \_S5_ in the byte code of a DSDT or SSDT.
 * aml: the table's bytes; its header may be included.
 * Returns 0; ERR_NOENT (no such object in a form that can be read). */
int acpi_find_s5(const void *aml, size_t len, struct acpi_sleep *out)
{
	const uint8_t *p = aml;

	for (size_t at = 0; len >= NAME_SEG_LEN && at <= len - NAME_SEG_LEN; at++) {
		if (memcmp(p + at, S5_NAME, NAME_SEG_LEN) != 0 || !is_definition(p, at))
			continue;
		if (sleep_package(p + at + NAME_SEG_LEN, len - at - NAME_SEG_LEN, out) == 0)
			return 0;
	}
	return ERR_NOENT;
}
