/* Which locks may be taken while others are held. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "arch/x86/lock_order.h"

static const struct spinlock vm = SPINLOCK_RANKED(LOCK_RANK_VM, "vm"),
			     other_vm = SPINLOCK_RANKED(LOCK_RANK_VM, "other");
static const struct spinlock heap = SPINLOCK_RANKED(LOCK_RANK_HEAP, "heap"), loner = SPINLOCK_INIT;

static void test_order(void **state)
{
	struct locks_held h = {0};

	(void)state;
	assert_null(locks_conflict(&h, &heap));
	assert_true(locks_add(&h, &vm));
	assert_null(locks_conflict(&h, &heap));
	assert_ptr_equal(locks_conflict(&h, &vm), &vm);
	assert_ptr_equal(locks_conflict(&h, &other_vm), &vm);
	assert_true(locks_add(&h, &heap));
	assert_ptr_equal(locks_conflict(&h, &other_vm), &vm);
	assert_true(locks_remove(&h, &vm));
	assert_ptr_equal(locks_conflict(&h, &vm), &heap);
	assert_true(locks_remove(&h, &heap));
	assert_null(locks_conflict(&h, &vm));
}

/* Of a rank with places several are held, in ascending order and in no other. */
static void test_places(void **state)
{
	struct spinlock queue[3];
	struct locks_held h = {0};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		spin_init_placed(&queue[i], LOCK_RANK_SCHED, i + 1, "queue");
	assert_true(locks_add(&h, &queue[1]));
	assert_ptr_equal(locks_conflict(&h, &queue[0]), &queue[1]);
	assert_ptr_equal(locks_conflict(&h, &queue[1]), &queue[1]);
	assert_null(locks_conflict(&h, &queue[2]));
	assert_null(locks_conflict(&h, &heap));
	assert_ptr_equal(locks_conflict(&h, &vm), &queue[1]);
	assert_true(locks_add(&h, &queue[2]));
	assert_true(locks_remove(&h, &queue[1]));
	assert_ptr_equal(locks_conflict(&h, &queue[0]), &queue[2]);
	/* One without a place goes with none of them. */
	spin_init(&queue[0], LOCK_RANK_SCHED, "alone");
	assert_ptr_equal(locks_conflict(&h, &queue[0]), &queue[2]);
	assert_true(locks_remove(&h, &queue[2]));
	assert_true(locks_add(&h, &queue[0]));
	assert_ptr_equal(locks_conflict(&h, &queue[2]), &queue[0]);
}

/* A lock without rank may come anywhere, but not twice. */
static void test_without_rank(void **state)
{
	struct locks_held h = {0};

	(void)state;
	assert_true(locks_add(&h, &heap));
	assert_null(locks_conflict(&h, &loner));
	assert_true(locks_add(&h, &loner));
	assert_ptr_equal(locks_conflict(&h, &loner), &loner);
	assert_true(locks_remove(&h, &heap));
	assert_null(locks_conflict(&h, &vm));
}

static void test_bounds(void **state)
{
	struct locks_held h = {0};

	(void)state;
	assert_false(locks_remove(&h, &vm));
	for (unsigned i = 0; i < LOCKS_HELD_MAX; i++)
		assert_true(locks_add(&h, &loner));
	assert_false(locks_add(&h, &vm));
	assert_int_equal(h.count, LOCKS_HELD_MAX);
}

static void test_the_lock_itself(void **state)
{
	struct spinlock l;

	(void)state;
	spin_init(&l, LOCK_RANK_LOG, "log");
	spin_lock(&l);
	assert_true(spin_is_locked(&l));
	assert_false(spin_trylock(&l));
	spin_unlock(&l);
	assert_true(spin_trylock(&l));
	spin_unlock(&l);
	assert_false(spin_is_locked(&l));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),           cmocka_unit_test(test_places),
		cmocka_unit_test(test_without_rank),    cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_the_lock_itself),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
