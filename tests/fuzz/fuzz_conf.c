/* Any bytes as avatar.conf: VMs that conf_check() accepts, or one error in words. */
#include <stdlib.h>
#include <string.h>

#include "vmm/core/conf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAX_VMS 4u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vm_config vms[MAX_VMS];
	char why[CONF_WHY_BYTES];
	unsigned count = MAX_VMS + 1;
	int err = conf_parse((const char *)data, size, vms, MAX_VMS, &count, why, sizeof(why));

	if (count > MAX_VMS || (err != 0) != (why[0] != '\0') || !memchr(why, 0, sizeof(why)))
		abort();
	for (unsigned i = 0; i < count; i++)
		if (conf_check(&vms[i], why, sizeof(why)) != 0)
			abort();
	return 0;
}
