/* Names of VMCS fields, for messages. The list stands in vmcs_fields.h. */
#include "vmm/vmx/vmcs_fields.h"

#include "kernel/lib/assert.h"

struct field {
	uint16_t encoding;
	const char *name;
};

#define FIELD_ROW(name, encoding) {(encoding), #name},
static const struct field fields[] = {VMCS_FIELDS(FIELD_ROW)};
#undef FIELD_ROW

static_assert(ARRAY_LEN(fields) == VMCS_FIELD_COUNT, "one row per field");

/* The list ascends, so that a binary search finds an encoding. */
int vmcs_field_index(uint32_t encoding)
{
	unsigned lo = 0, hi = VMCS_FIELD_COUNT;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (fields[mid].encoding == encoding)
			return (int)mid;
		if (fields[mid].encoding < encoding)
			lo = mid + 1;
		else
			hi = mid;
	}
	return -1;
}

uint32_t vmcs_field_encoding(unsigned index)
{
	assert(index < VMCS_FIELD_COUNT);
	return fields[index].encoding;
}

const char *vmcs_field_name(uint32_t encoding)
{
	int index = vmcs_field_index(encoding);

	return index < 0 ? "?" : fields[index].name;
}
