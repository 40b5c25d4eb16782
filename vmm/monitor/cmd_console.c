/* Commands: a VM's console. */
#include "vmm/monitor/commands.h"

#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"
#include "vmm/life/console.h"
#include "vmm/life/platform.h"

#define WAIT_MAX_SECONDS 86400u

int cmd_console(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);

	(void)argc;
	if (vm == NULL)
		return ERR_NOENT;
	mon_printf(m, "[%s: attached, Ctrl-] leaves]\n", vm->config.name);
	monitor_attach(m, vm);
	return 0;
}

int cmd_wait(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	uint64_t seconds;

	(void)argc;
	if (vm == NULL)
		return ERR_NOENT;
	if (argv[2][0] == '\0' || strlen(argv[2]) >= sizeof(m->wait_text))
		return mon_error(m, "a text has 1 to %u characters", (unsigned)sizeof(m->wait_text) - 1);
	if (parse_u64(argv[3], &seconds) != 0 || seconds > WAIT_MAX_SECONDS)
		return mon_error(m, "'%s' is not a number of seconds up to %u", argv[3], WAIT_MAX_SECONDS);
	monitor_wait(m, vm, argv[2], seconds);
	return 0;
}

int cmd_send(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	struct console *c;

	(void)argc;
	if (vm == NULL)
		return ERR_NOENT;
	c = vm_console(vm);
	if (ring_room(&c->input) <= strlen(argv[2]))
		return mon_error(m, "%s has %u bytes of input that it has not read yet", vm->config.name,
				 (unsigned)ring_used(&c->input));
	(void)console_type(c, argv[2], strlen(argv[2]));
	(void)console_type(c, "\r", 1);
	vm_console_poll(vm);
	return 0;
}
