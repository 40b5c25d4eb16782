/* `bench`: what a round trip out of a guest costs on this machine. The loops are those of the bench guest (guests/bench/), which
 * is a boot module: it runs in a VM that is made for it, tells its figures on its console, and goes again. */
#include "vmm/monitor/commands.h"

#include "arch/x86/insn.h"
#include "kernel/lib/format.h"
#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"
#include "vmm/core/conf.h"
#include "vmm/life/console.h"
#include "vmm/life/platform.h"

#define BENCH_VM "bench"
#define BENCH_IMAGE "bench.elf"
#define BENCH_MEMORY (64ull << 20) /* some operations touch fresh memory */
#define BENCH_SECONDS 120u         /* in Bochs it takes some ten of them */

/* --- the figures --- */

/* A figure, or why there is none. */
static void show(struct monitor *m, const char *name, const char *why, uint64_t ticks, uint64_t mean)
{
	struct reply *r = &m->reply;

	if (!r->json) {
		if (why != NULL)
			mon_printf(m, "%-24s %10s %10s  %s\n", name, "-", "-", why);
		else
			mon_printf(m, "%-24s %10llu %10llu\n", name, (unsigned long long)ticks,
				   (unsigned long long)mean);
		return;
	}
	reply_open(r, NULL, '{');
	reply_string(r, "name", name);
	if (why != NULL) {
		reply_string(r, "skipped", why);
	} else {
		reply_number(r, "ticks", ticks);
		reply_number(r, "mean", mean);
	}
	reply_close(r, '}');
}

/* Cut s at its first blank. Returns what stands behind it, NULL: there is none. */
static char *cut(char *s)
{
	char *blank = strchr(s, ' ');

	if (blank == NULL)
		return NULL;
	*blank = '\0';
	return blank + 1;
}

/* `bench NAME TICKS MEAN` or `skip NAME WHY`; other lines are no figures. An operation that prints dots leaves them before. */
static void take_line(struct monitor *m, char *line)
{
	char *name, *rest, *mean_text;
	uint64_t ticks, mean;

	while (*line == '.')
		line++;
	name = cut(line);
	rest = name == NULL ? NULL : cut(name);
	if (rest == NULL)
		return;
	if (str_eq(line, "skip")) {
		show(m, name, rest, 0, 0);
		return;
	}
	mean_text = cut(rest);
	if (str_eq(line, "bench") && mean_text != NULL && parse_u64(rest, &ticks) == 0 &&
	    parse_u64(mean_text, &mean) == 0)
		show(m, name, NULL, ticks, mean);
}

/* All that the guest has printed, line by line. It has ended: nothing more comes. */
static void take_lines(struct monitor *m, const struct console *c)
{
	char line[128];
	size_t at = 0, len = 0;
	char byte;

	while (console_read(c, at++, &byte, 1) == 1) {
		if (byte == '\n') {
			line[len] = '\0';
			take_line(m, line);
			len = 0;
		} else if (byte != '\r' && len < sizeof(line) - 1) {
			line[len++] = byte;
		}
	}
}

static void show_all(struct monitor *m, struct vm *vm)
{
	struct reply *r = &m->reply;

	if (r->json) {
		reply_number(r, "tsc_hz", m->host->tsc_hz);
		reply_open(r, "operations", '[');
	} else {
		mon_printf(m, "%-24s %10s %10s  (TSC: %llu kHz)\n", "OPERATION", "TICKS", "MEAN",
			   (unsigned long long)m->host->tsc_hz / 1000);
	}
	take_lines(m, vm_console(vm));
	if (r->json)
		reply_close(r, ']');
}

/* --- the VM --- */

static bool bench_waiter(struct monitor *m)
{
	struct vm *vm = host_find(m->host, BENCH_VM);

	if (vm->state == VM_RUNNING && rdtsc() < m->wait_deadline)
		return false;
	if (vm->state == VM_STOPPED)
		show_all(m, vm);
	else if (vm->state == VM_CRASHED)
		mon_error(m, "bench: the guest crashed: %s", vm->crash);
	else
		mon_error(m, "bench: the guest has not come to its end in %u s", BENCH_SECONDS);
	return true;
}

/* However it ends, by Ctrl-C too. Nobody else can have taken the VM away: the monitor was busy. */
static void bench_over(struct monitor *m)
{
	vm_destroy(m->host, host_find(m->host, BENCH_VM));
}

/* The operator's words are operations: the guest's command line is `only=NAME,NAME...`. */
static int bench_config(struct monitor *m, struct vm_config *config, int argc, char **argv)
{
	size_t len = 0;
	bool fits = true;

	conf_defaults(config);
	memcpy(config->name, BENCH_VM, sizeof(BENCH_VM));
	memcpy(config->kernel, BENCH_IMAGE, sizeof(BENCH_IMAGE));
	config->memory = BENCH_MEMORY;
	for (int i = 1; fits && i < argc; i++)
		fits = fmt_append(config->cmdline, sizeof(config->cmdline), &len, "%s%s", i == 1 ? "only=" : ",",
				  argv[i]);
	return fits ? 0 : mon_error(m, "these names are longer than %u characters", VM_CMDLINE_MAX - 1);
}

static int bench_begin(struct monitor *m, const struct vm_config *config)
{
	char why[LIFE_WHY] = "";
	struct vm *vm = NULL;

	if (vm_create(m->host, config, &vm, why) != 0)
		return mon_error(m, "%s", why);
	if (vm_start(m->host, vm, why) != 0) {
		vm_destroy(m->host, vm);
		return mon_error(m, "%s", why);
	}
	mon_wait(m, bench_waiter, BENCH_SECONDS);
	m->wait_over = bench_over;
	return 0;
}

int cmd_bench(struct monitor *m, int argc, char **argv)
{
	int err;

	if (images_find(&m->host->images, BENCH_IMAGE) == NULL)
		return mon_error(m, "there is no boot module " BENCH_IMAGE
				    ", which has the loops; `make iso` and `make run` put it on the ISO");
	err = bench_config(m, &m->config, argc, argv);
	return err != 0 ? err : bench_begin(m, &m->config);
}
