/* The life of a VM: every step in every state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "kernel/lib/errors.h"
#include "vmm/life/transitions.h"

struct legal {
	enum vm_state from;
	enum life_step step;
	enum vm_state to;
};

/* All that is legal, apart from destroy. */
static const struct legal legal[] = {
	{VM_CREATED, LIFE_LOAD, VM_LOADED},      {VM_LOADED, LIFE_START, VM_RUNNING},
	{VM_RUNNING, LIFE_PAUSE, VM_PAUSED},     {VM_RUNNING, LIFE_RESET, VM_RUNNING},
	{VM_RUNNING, LIFE_SHUTDOWN, VM_RUNNING}, {VM_RUNNING, LIFE_STOP, VM_STOPPED},
	{VM_RUNNING, LIFE_CRASH, VM_CRASHED},    {VM_PAUSED, LIFE_RESUME, VM_RUNNING},
	{VM_PAUSED, LIFE_RESET, VM_RUNNING},     {VM_PAUSED, LIFE_STOP, VM_STOPPED},
	{VM_PAUSED, LIFE_CRASH, VM_CRASHED},     {VM_STOPPED, LIFE_LOAD, VM_LOADED},
	{VM_STOPPED, LIFE_RESET, VM_RUNNING},    {VM_CRASHED, LIFE_LOAD, VM_LOADED},
	{VM_CRASHED, LIFE_RESET, VM_RUNNING},
};

static void test_every_pair(void **state)
{
	(void)state;
	for (unsigned s = 0; s < VM_STATE_COUNT; s++) {
		for (unsigned step = 0; step < LIFE_DESTROY; step++) {
			enum vm_state next = VM_STATE_COUNT, want = VM_STATE_COUNT;

			for (unsigned i = 0; i < ARRAY_LEN(legal); i++) {
				if (legal[i].from == s && legal[i].step == step)
					want = legal[i].to;
			}
			assert_int_equal(life_next((enum vm_state)s, (enum life_step)step, &next),
					 want == VM_STATE_COUNT ? ERR_STATE : 0);
			assert_int_equal(next, want);
		}
	}
}

static void test_destroy_is_always_legal(void **state)
{
	(void)state;
	for (unsigned s = 0; s < VM_STATE_COUNT; s++) {
		enum vm_state next;

		assert_int_equal(life_next((enum vm_state)s, LIFE_DESTROY, &next), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_every_pair),
					   cmocka_unit_test(test_destroy_is_always_legal)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
