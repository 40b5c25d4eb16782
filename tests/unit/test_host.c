/* The list of VMs: found by name, in order of creation, whichever goes. */
#include "vmm/core/vm.h"
#include "vmm/life/host.h"

#include "kernel/lib/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct vmm_host host;
static struct vm vms[HOST_MAX_VMS];

static int setup(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	memset(vms, 0, sizeof(vms));
	for (unsigned i = 0; i < HOST_MAX_VMS; i++) {
		fmt_snprintf(vms[i].config.name, VM_NAME_MAX, "guest-%u", i);
		host_add(&host, &vms[i]);
	}
	return 0;
}

static void test_all_are_found(void **state)
{
	(void)state;
	assert_int_equal(host.vm_count, HOST_MAX_VMS);
	for (unsigned i = 0; i < HOST_MAX_VMS; i++) {
		assert_ptr_equal(host_find(&host, vms[i].config.name), &vms[i]);
		assert_ptr_equal(host.vms[i], &vms[i]);
		assert_int_equal(vms[i].id, i + 1);
	}
	assert_null(host_find(&host, "guest-256"));
	assert_null(host_find(&host, "guest"));
	assert_null(host_find(&host, ""));
}

/* Every third goes, in some order: the others stay, in theirs; one that comes again is the last. */
static void test_some_go(void **state)
{
	unsigned left = HOST_MAX_VMS, at = 0;

	(void)state;
	for (unsigned i = 0; i < HOST_MAX_VMS; i += 3, left--)
		host_remove(&host, &vms[i * 5 % 258]); /* 258 is three times 86, to which 5 is prime */
	assert_int_equal(host.vm_count, left);
	for (unsigned i = 0; i < HOST_MAX_VMS; i++) {
		bool gone = host_find(&host, vms[i].config.name) == NULL;

		if (!gone)
			assert_ptr_equal(host.vms[at++], &vms[i]);
	}
	assert_int_equal(at, left);
	host_add(&host, &vms[0]);
	assert_ptr_equal(host.vms[left], &vms[0]);
	assert_ptr_equal(host_find(&host, "guest-0"), &vms[0]);
	assert_int_equal(vms[0].id, HOST_MAX_VMS + 1);
}

/* Names of which many share a chain take their turn in it; the longest chain is short. */
static void test_chains_are_short(void **state)
{
	unsigned longest = 0;

	(void)state;
	for (unsigned i = 0; i < HOST_NAME_CHAINS; i++) {
		unsigned length = 0;

		for (const struct vm *vm = host.by_name[i]; vm != NULL; vm = vm->next_in_chain)
			length++;
		longest = length > longest ? length : longest;
	}
	assert_in_range(longest, 1, 8);
	while (host.vm_count > 0)
		host_remove(&host, host.vms[host.vm_count / 2]);
	for (unsigned i = 0; i < HOST_NAME_CHAINS; i++)
		assert_null(host.by_name[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_are_found, setup),
		cmocka_unit_test_setup(test_some_go, setup),
		cmocka_unit_test_setup(test_chains_are_short, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
