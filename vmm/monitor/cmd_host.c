/* Commands: the hypervisor and the machine it runs on. */
#include "vmm/monitor/commands.h"

#include "drivers/power.h"
#include "kernel/lib/format.h"
#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "vmm/monitor/info.h"

static int help_one(struct monitor *m, const char *name)
{
	for (const struct command *c = monitor_commands; c->name != NULL; c++) {
		if (!str_eq(c->name, name))
			continue;
		mon_printf(m, "%s%s%s: %s\n", c->name, c->args[0] == '\0' ? "" : " ", c->args, c->summary);
		if (c->details[0] != '\0')
			mon_printf(m, "%s\n", c->details);
		return 0;
	}
	return mon_error(m, "no command '%s'; `help` lists them", name);
}

int cmd_help(struct monitor *m, int argc, char **argv)
{
	char head[64];

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

int cmd_json(struct monitor *m, int argc, char **argv)
{
	(void)argc;
	if (str_eq(argv[1], "on"))
		m->json = true;
	else if (str_eq(argv[1], "off"))
		m->json = false;
	else
		return mon_error(m, "'%s' is neither on nor off", argv[1]);
	return 0;
}

int cmd_panic(struct monitor *m, int argc, char **argv)
{
	(void)m;
	(void)argc;
	(void)argv;
	panic("asked for by the operator");
}

/* The whole ring, or its last lines. */
int cmd_dmesg(struct monitor *m, int argc, char **argv)
{
	size_t end = log_bytes(), from = 0, lines = 0;
	uint64_t want = UINT64_MAX;
	char c[2] = "";

	if (argc == 2 && parse_u64(argv[1], &want) != 0)
		return mon_error(m, "'%s' is not a number of lines", argv[1]);
	for (from = end; want != UINT64_MAX && from > 0; from--) {
		(void)log_read(from - 1, c, 1);
		if (c[0] == '\n' && lines++ == want)
			break;
	}
	if (want == UINT64_MAX)
		from = 0;
	for (; from < end && log_read(from, c, 1) == 1; from++)
		mon_printf(m, "%s", c);
	return 0;
}

/* What was said must have left the chip: both ways out take the serial line with them. */
int cmd_poweroff(struct monitor *m, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	mon_printf(m, "switching the machine off\n");
	(void)uart_drain(m->machine->uart);
	(void)power_off(m->machine->power);
	return mon_error(m, "the machine cannot be switched off: %s", power_off_way(m->machine->power));
}

int cmd_reboot(struct monitor *m, int argc, char **argv)
{
	(void)argc;
	(void)argv;
	mon_printf(m, "restarting the machine\n");
	(void)uart_drain(m->machine->uart);
	(void)power_reset(m->machine->power);
	return mon_error(m, "the machine does not restart: it has no working reset register");
}
