/* Names of VMCS fields, for messages. The list stands in vmcs_fields.h. */
#include "vmm/vmx/vmcs_fields.h"

#include "kernel/lib/assert.h"
#include "kernel/lib/texts.h"

#define FIELD_ENCODING(name, encoding) (encoding),
static const uint16_t encodings[] = {VMCS_FIELDS(FIELD_ENCODING)};
#undef FIELD_ENCODING

#define FIELD_NAME(name, encoding) #name "\0"
static const char names[] = VMCS_FIELDS(FIELD_NAME);
#undef FIELD_NAME

static_assert(ARRAY_LEN(encodings) == VMCS_FIELD_COUNT, "one row per field");

/* The list ascends, so that a binary search finds an encoding. */
int vmcs_field_index(uint32_t encoding)
{
	unsigned lo = 0, hi = VMCS_FIELD_COUNT;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (encodings[mid] == encoding)
			return (int)mid;
		if (encodings[mid] < encoding)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

uint32_t vmcs_field_encoding(unsigned index)
{
	assert(index < VMCS_FIELD_COUNT);
	return encodings[index];
}

const char *vmcs_field_name(uint32_t encoding)
{
	int index = vmcs_field_index(encoding);

	return index < 0 ? "?" : text_nth(names, (size_t)index);
}
