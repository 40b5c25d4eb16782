/* The log: what a line looks like, who gets it, and what the ring keeps. */
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct capture {
	char text[1024];
	size_t len;
	unsigned writes;
};

static void capture_write(void *ctx, const char *text, size_t len)
{
	struct capture *c = ctx;

	if (len > sizeof(c->text) - 1 - c->len)
		len = sizeof(c->text) - 1 - c->len;
	memcpy(c->text + c->len, text, len);
	c->len += len;
	c->text[c->len] = '\0';
	c->writes++;
}

static uint64_t ticks;

static uint64_t read_ticks(void)
{
	return ticks;
}

static int setup(void **state)
{
	(void)state;
	ticks = 1000;
	log_set_clock(read_ticks, 1000, 2000000000);
	log_set_level(LOG_DEBUG);
	return 0;
}

static void a_line_is_stamped_and_marked(void **state)
{
	struct capture c = {0};
	struct log_sink sink = {.write = capture_write, .ctx = &c, .level = LOG_DEBUG};

	(void)state;
	log_add_sink(&sink);
	log_info("ready %d", 7);
	assert_string_equal(c.text, "[     0.000000] ready 7\n");
	c.len = 0;
	ticks = 1000 + 2 * 2000000000ull + 3000;
	log_error("bad");
	assert_string_equal(c.text, "[     2.000001] error: bad\n");
	c.len = 0;
	ticks = 1000 + 1234567 * 2000000000ull;
	log_warn("odd");
	assert_string_equal(c.text, "[1234567.000000] warning: odd\n");
	c.len = 0;
	log_debug("%s", "");
	assert_string_equal(c.text, "[1234567.000000] debug: \n");
	assert_int_equal(c.writes, 4);
	log_remove_sink(&sink);
	log_info("unheard");
	assert_int_equal(c.writes, 4);
}

static void what_is_for_the_ring_alone_is_in_it(void **state)
{
	static const char line[] = "[     0.000000] error: long 7\n";
	struct capture c = {0};
	struct log_sink sink = {.write = capture_write, .ctx = &c, .level = LOG_DEBUG};
	char read[sizeof(line)] = "";

	(void)state;
	log_add_sink(&sink);
	log_ring("long %d", 7);
	log_remove_sink(&sink);
	assert_int_equal(c.writes, 0);
	assert_int_equal(log_read(log_bytes() - strlen(line), read, strlen(line)), strlen(line));
	assert_string_equal(read, line);
}

static void each_sink_has_its_level(void **state)
{
	struct capture all = {0}, few = {0};
	struct log_sink debug = {.write = capture_write, .ctx = &all, .level = LOG_DEBUG};
	struct log_sink warn = {.write = capture_write, .ctx = &few, .level = LOG_WARN};

	(void)state;
	log_add_sink(&debug);
	log_add_sink(&warn);
	log_error("a");
	log_warn("b");
	log_info("c");
	log_debug("d");
	assert_int_equal(all.writes, 4);
	assert_int_equal(few.writes, 2);
	log_to_sinks("to all", 6);
	assert_int_equal(few.writes, 3);
	assert_non_null(strstr(few.text, "to all"));
	log_remove_sink(&debug); /* the one that is not first in the list */
	log_error("e");
	assert_int_equal(all.writes, 5);
	assert_int_equal(few.writes, 4);
	log_remove_sink(&warn);
	log_remove_sink(&warn); /* harmless */
}

static void count_show(void *ctx)
{
	(*(unsigned *)ctx)++;
}

static void write_nothing(void *ctx, const char *text, size_t len)
{
	(void)ctx;
	(void)text;
	(void)len;
}

/* The last test: there is no way back from it. */
static void a_slow_sink_shows_later(void **state)
{
	unsigned shows = 0;
	struct log_sink slow = {.write = write_nothing, .show = count_show, .ctx = &shows, .level = LOG_INFO};

	(void)state;
	log_add_sink(&slow);
	log_info("at once");
	assert_int_equal(shows, 1);
	log_show_later();
	log_show();
	assert_int_equal(shows, 1); /* nothing new */
	log_info("later");
	log_info("later");
	assert_int_equal(shows, 1);
	log_show();
	assert_int_equal(shows, 2);
	log_debug("below its level");
	log_show();
	assert_int_equal(shows, 2);
	log_info("waits when the panic comes");
	log_unlock_for_ever();
	log_to_sinks("panic", 5);
	assert_int_equal(shows, 3);
	log_info("at once again");
	assert_int_equal(shows, 4);
	log_remove_sink(&slow);
}

static void below_the_level_nothing_is_kept(void **state)
{
	size_t before;

	(void)state;
	log_set_level(LOG_WARN);
	before = log_bytes();
	log_info("forgotten");
	log_debug("forgotten");
	assert_int_equal(log_bytes(), before);
	log_warn("kept");
	assert_true(log_bytes() > before);
}

static void a_line_that_is_too_long_ends_whole(void **state)
{
	struct capture c = {0};
	struct log_sink sink = {.write = capture_write, .ctx = &c, .level = LOG_DEBUG};
	char text[600];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	log_add_sink(&sink);
	log_info("%s", text);
	log_remove_sink(&sink);
	assert_int_equal(c.writes, 1);
	assert_int_equal(c.text[c.len - 1], '\n');
	assert_int_equal(c.text[c.len - 2], 'x');
	assert_true(c.len > 200 && c.len <= 320);
}

static void the_ring_keeps_the_newest(void **state)
{
	static char text[LOG_RING_BYTES + 1];
	size_t len;

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		log_info("line %u of many", i);
	assert_int_equal(log_bytes(), LOG_RING_BYTES);
	len = log_read(0, text, LOG_RING_BYTES);
	assert_int_equal(len, LOG_RING_BYTES);
	text[len] = '\0';
	assert_string_equal(text + len - strlen("line 4999 of many\n"), "line 4999 of many\n");
	assert_null(strstr(text, "line 17 of many"));
	assert_int_equal(log_read(LOG_RING_BYTES - 5, text, 100), 5);
	assert_memory_equal(text, "many\n", 5);
	assert_int_equal(log_read(LOG_RING_BYTES, text, 100), 0);
	assert_int_equal(log_read(SIZE_MAX, text, 100), 0);
}

static void levels_have_names(void **state)
{
	enum log_level level;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_DEBUG);
	assert_int_equal(log_level_parse("error", &level), 0);
	assert_int_equal(level, LOG_ERROR);
	assert_int_equal(log_level_parse("Error", &level), ERR_INVAL);
	assert_int_equal(log_level_parse("", &level), ERR_INVAL);
}

static bool home = true;
static unsigned calls;

static bool is_home(void)
{
	return home;
}

static void call(void)
{
	calls++;
}

/* The home CPU's sink gets the lines of all CPUs, in the ring's order, and only on the home CPU. */
static void lines_of_other_cpus_wait_for_home(void **state)
{
	struct capture c = {0}, all = {0};
	struct log_sink sink = {.write = capture_write, .ctx = &c, .level = LOG_INFO, .home_only = true};
	struct log_sink any = {.write = capture_write, .ctx = &all, .level = LOG_DEBUG};

	(void)state;
	log_set_home(is_home, call);
	log_add_sink(&sink);
	log_add_sink(&any);
	calls = 0;
	home = false;
	log_info("one\nwith a line feed in it");
	log_debug("not for this sink");
	log_warn("two");
	assert_int_equal(c.writes, 0);
	assert_int_equal(all.writes, 3);
	assert_int_equal(calls, 3);
	home = true;
	log_info("three");
	assert_string_equal(c.text, "[     0.000000] one\nwith a line feed in it\n[     0.000000] warning: two\n"
				    "[     0.000000] three\n");
	home = false;
	log_info("four");
	home = true;
	log_catch_up();
	assert_int_equal(c.writes, 4);
	log_catch_up();
	assert_int_equal(c.writes, 4);
	log_remove_sink(&sink);
	log_remove_sink(&any);
	log_set_home(NULL, NULL);
}

/* More than the queue holds: the oldest come, and a word about the others. */
static void a_queue_that_runs_over_says_so(void **state)
{
	static char text[200];
	struct capture c = {0};
	struct log_sink sink = {.write = capture_write, .ctx = &c, .level = LOG_INFO, .home_only = true};
	unsigned queued;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	log_set_home(is_home, call);
	log_add_sink(&sink);
	home = false;
	for (unsigned i = 0; i < 100; i++)
		log_info("%s", text);
	home = true;
	log_catch_up();
	queued = c.writes - 1;
	assert_true(queued > 60 && queued < 100);
	c.len = 0;
	home = false;
	for (unsigned i = 0; i < 100; i++)
		log_info("%s", text);
	home = true;
	sink.level = LOG_ERROR; /* of what was queued only the last words still come through */
	log_catch_up();
	c.text[c.len] = '\0';
	assert_non_null(strstr(c.text, " lines of other CPUs: `dmesg`]\n"));
	log_remove_sink(&sink);
	log_set_home(NULL, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_is_stamped_and_marked, setup),
		cmocka_unit_test_setup(what_is_for_the_ring_alone_is_in_it, setup),
		cmocka_unit_test_setup(each_sink_has_its_level, setup),
		cmocka_unit_test_setup(below_the_level_nothing_is_kept, setup),
		cmocka_unit_test_setup(a_line_that_is_too_long_ends_whole, setup),
		cmocka_unit_test_setup(the_ring_keeps_the_newest, setup),
		cmocka_unit_test(levels_have_names),
		cmocka_unit_test_setup(lines_of_other_cpus_wait_for_home, setup),
		cmocka_unit_test_setup(a_queue_that_runs_over_says_so, setup),
		cmocka_unit_test_setup(a_slow_sink_shows_later, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
