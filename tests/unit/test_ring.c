/* kernel/lib/ring.c: against a queue model, and with a producer and a consumer on two threads. */
#include "kernel/lib/ring.h"
#include "tests/fake/assert_expect.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { SIZE = 64 };

static void test_single_bytes(void **state)
{
	uint8_t storage[4], byte;
	struct ring r;

	(void)state;
	ring_init(&r, storage, 4);
	assert_true(ring_empty(&r));
	assert_false(ring_pop(&r, &byte));
	for (uint8_t i = 0; i < 4; i++)
		assert_true(ring_push(&r, i));
	assert_false(ring_push(&r, 9));
	assert_int_equal(ring_used(&r), 4);
	assert_int_equal(ring_room(&r), 0);
	assert_true(ring_peek(&r, 3, &byte));
	assert_int_equal(byte, 3);
	assert_false(ring_peek(&r, 4, &byte));
	for (uint8_t i = 0; i < 4; i++) {
		assert_true(ring_pop(&r, &byte));
		assert_int_equal(byte, i);
	}
	assert_true(ring_empty(&r));
}

static void test_init_wants_power_of_two(void **state)
{
	uint8_t storage[12];
	struct ring r;

	(void)state;
	assert_true(ASSERT_FAILS(ring_init(&r, storage, 12)));
	assert_true(ASSERT_FAILS(ring_init(&r, storage, 0)));
	assert_false(ASSERT_FAILS(ring_init(&r, storage, 1)));
}

struct model {
	uint8_t bytes[SIZE];
	size_t len;
};

static void model_drop(struct model *m, size_t n)
{
	memmove(m->bytes, m->bytes + n, m->len - n);
	m->len -= n;
}

static void check_model(const struct ring *r, const struct model *m)
{
	uint8_t all[SIZE + 1];

	assert_int_equal(ring_used(r), m->len);
	assert_int_equal(ring_room(r), SIZE - m->len);
	assert_int_equal(ring_peek_block(r, 0, all, sizeof(all)), m->len);
	assert_memory_equal(all, m->bytes, m->len);
}

/* The counters start shortly before they wrap round. */
static void test_random(void **state)
{
	uint8_t storage[SIZE], block[2 * SIZE];
	struct model m = {.len = 0};
	struct ring r;

	(void)state;
	ring_init(&r, storage, SIZE);
	r.head = r.tail = (size_t)0 - 1000;
	for (unsigned round = 0; round < 200000; round++) {
		size_t n = (size_t)rand() % sizeof(block);
		size_t keep;

		switch (rand() % 4) {
		case 0:
			for (size_t i = 0; i < n; i++)
				block[i] = (uint8_t)rand();
			keep = n < SIZE - m.len ? n : SIZE - m.len;
			assert_int_equal(ring_write(&r, block, n), keep);
			memcpy(m.bytes + m.len, block, keep);
			m.len += keep;
			break;
		case 1:
			n = n % SIZE;
			keep = n < m.len ? n : m.len;
			assert_int_equal(ring_read(&r, block, n), keep);
			assert_memory_equal(block, m.bytes, keep);
			model_drop(&m, keep);
			break;
		case 2:
			keep = n < m.len ? n : m.len;
			assert_int_equal(ring_drop(&r, n), keep);
			model_drop(&m, keep);
			break;
		default:
			for (size_t i = 0; i < n; i++)
				block[i] = (uint8_t)rand();
			keep = n + m.len > SIZE ? n + m.len - SIZE : 0;
			assert_int_equal(ring_overwrite(&r, block, n), keep);
			for (size_t i = 0; i < n; i++) {
				if (m.len == SIZE)
					model_drop(&m, 1);
				m.bytes[m.len++] = block[i];
			}
		}
		check_model(&r, &m);
	}
	ring_clear(&r);
	assert_true(ring_empty(&r));
}

static void test_peek_offset(void **state)
{
	uint8_t storage[8], out[8];
	struct ring r;

	(void)state;
	ring_init(&r, storage, 8);
	ring_write(&r, "abcdef", 6);
	ring_drop(&r, 4);
	ring_write(&r, "ghij", 4); /* efghij, wrapped in the storage */
	assert_int_equal(ring_peek_block(&r, 2, out, 3), 3);
	assert_memory_equal(out, "ghi", 3);
	assert_int_equal(ring_peek_block(&r, 5, out, 8), 1);
	assert_int_equal(out[0], 'j');
	assert_int_equal(ring_peek_block(&r, 6, out, 8), 0);
	assert_int_equal(ring_peek_block(&r, SIZE_MAX, out, 8), 0);
	assert_int_equal(ring_used(&r), 6);
}

enum { STREAM = 300000 };

static void *produce(void *ring)
{
	uint8_t block[37];

	for (size_t sent = 0; sent < STREAM;) {
		size_t n = sizeof(block) < STREAM - sent ? sizeof(block) : STREAM - sent;

		for (size_t i = 0; i < n; i++)
			block[i] = (uint8_t)((sent + i) * 31 >> 3);
		n = ring_write(ring, block, n);
		sent += n;
		if (n == 0)
			sched_yield();
	}
	return NULL;
}

static void test_two_threads(void **state)
{
	uint8_t storage[SIZE], block[29];
	pthread_t producer;
	struct ring r;

	(void)state;
	ring_init(&r, storage, SIZE);
	assert_int_equal(pthread_create(&producer, NULL, produce, &r), 0);
	for (size_t got = 0; got < STREAM;) {
		size_t n = ring_read(&r, block, sizeof(block));

		for (size_t i = 0; i < n; i++)
			assert_int_equal(block[i], (uint8_t)((got + i) * 31 >> 3));
		got += n;
		if (n == 0)
			sched_yield();
	}
	pthread_join(producer, NULL);
	assert_true(ring_empty(&r));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_single_bytes), cmocka_unit_test(test_init_wants_power_of_two),
		cmocka_unit_test(test_random),       cmocka_unit_test(test_peek_offset),
		cmocka_unit_test(test_two_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
