/* Commands: the hypervisor and the machine it runs on. */
#include "vmm/monitor/commands.h"

#include "drivers/power.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "vmm/monitor/info.h"

static int help_one(struct monitor *m, const char *name)
{
	const struct command *c = monitor_command(name);

	if (c == NULL)
		return mon_error(m, "no command '%s'; `help` lists them", name);
	mon_printf(m, "%s%s%s: %s\n", c->name, c->args[0] == '\0' ? "" : " ", c->args, c->summary);
	if (c->details[0] != '\0')
		mon_printf(m, "%s\n", c->details);
	return 0;
}

int cmd_help(struct monitor *m, int argc, char **argv)
{
	char head[80];

	if (argc == 2)
		return help_one(m, argv[1]);
	for (const struct command *c = monitor_commands; c->name != NULL; c++) {
		fmt_snprintf(head, sizeof(head), "%s %s", c->name, c->args);
		mon_printf(m, "  %-30s %s\n", head, c->summary);
	}
	mon_printf(m, "help COMMAND says more. Tab completes, Up recalls; Ctrl-] leaves a guest's console.\n");
	return 0;
}

int cmd_echo(struct monitor *m, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		mon_printf(m, "%s%s", i > 1 ? " " : "", argv[i]);
	mon_printf(m, "\n");
	return 0;
}

/* The reply to it comes in the form it asks for. */
int cmd_json(struct monitor *m, int argc, char **argv)
{
	(void)argc;
	if (!str_eq(argv[1], "on") && !str_eq(argv[1], "off"))
		return mon_error(m, "'%s' is neither on nor off", argv[1]);
	m->json = str_eq(argv[1], "on");
	reply_begin(&m->reply, m->term, m->json ? "json on" : "json off", m->json);
	return 0;
}

int cmd_panic(struct monitor *m, int argc, char **argv)
{
	(void)m;
	(void)argc;
	(void)argv;
	panic("asked for by the operator");
}

/* Where the last `lines` lines of the log begin. */
static size_t log_tail(size_t end, uint64_t lines)
{
	size_t from = end;
	char c;

	for (uint64_t seen = 0; from > 0; from--) {
		if (log_read(from - 1, &c, 1) == 1 && c == '\n' && seen++ == lines)
			break;
	}
	return from;
}

int cmd_dmesg(struct monitor *m, int argc, char **argv)
{
	size_t end = log_bytes(), from = 0, got;
	char chunk[256];
	uint64_t lines;

	if (argc == 2) {
		if (parse_u64(argv[1], &lines) != 0)
			return mon_error(m, "'%s' is not a number of lines", argv[1]);
		from = log_tail(end, lines);
	}
	for (; from < end && (got = log_read(from, chunk, sizeof(chunk))) > 0; from += got)
		reply_text(&m->reply, chunk, got);
	return 0;
}

/* What was said must have left the chip: both ways out take the serial line with them. */
int cmd_poweroff(struct monitor *m, int argc, char **argv)
{
	(void)argc;
	mon_printf(m, "switching the machine off\n");
	mon_finish(m, argv[0]);
	(void)uart_drain(m->machine->uart);
	if (power_off(m->machine->power) == ERR_NOSUP)
		return mon_error(m, "the machine gives no way to switch it off");
	return mon_error(m, "the machine is still on, %s did nothing", power_off_way(m->machine->power));
}

int cmd_reboot(struct monitor *m, int argc, char **argv)
{
	(void)argc;
	mon_printf(m, "restarting the machine\n");
	mon_finish(m, argv[0]);
	(void)uart_drain(m->machine->uart);
	(void)power_reset(m->machine->power);
	return mon_error(m, "the machine does not restart: it has no working reset register");
}
