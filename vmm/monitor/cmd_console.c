/* Commands: a VM's console. */
#include "vmm/monitor/commands.h"

#include "arch/x86/insn.h"
#include "kernel/lib/parse.h"
#include "kernel/lib/string.h"
#include "vmm/life/console.h"
#include "vmm/life/platform.h"
#include "vmm/life/transitions.h"

#define WAIT_MAX_SECONDS 86400u

int cmd_console(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);

	(void)argc;
	if (vm == NULL)
		return ERR_NOENT;
	if (vm->state == VM_RUNNING)
		mon_printf(m, "[%s: attached, Ctrl-] leaves]\n", vm->config.name);
	else
		mon_printf(m, "[%s is %s: attached, Ctrl-] leaves]\n", vm->config.name, vm_state_name(vm->state));
	attach_prepare(m, vm);
	return 0;
}

static bool printed(struct vm *vm, const char *text)
{
	bool found;

	vm_lock(vm);
	found = console_find(vm_console(vm), text);
	vm_unlock(vm);
	return found;
}

static bool text_waiter(struct monitor *m)
{
	struct vm *vm = host_find(m->host, m->vm_name);

	if (vm == NULL)
		mon_error(m, "wait: the VM is gone");
	else if (printed(vm, m->wait_text))
		mon_printf(m, "found\n");
	else if (vm->state != VM_RUNNING)
		mon_error(m, "wait: %s is %s, and has not printed '%s'", m->vm_name, vm_state_name(vm->state),
			  m->wait_text);
	else if (rdtsc() >= m->wait_deadline)
		mon_error(m, "wait: %s did not print '%s' in time", m->vm_name, m->wait_text);
	else
		return false;
	return true;
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
	(void)str_copy(m->vm_name, vm->config.name, sizeof(m->vm_name));
	(void)str_copy(m->wait_text, argv[2], sizeof(m->wait_text));
	mon_wait(m, text_waiter, seconds);
	return 0;
}

/* All or nothing: half a line typed would be worse than none. */
int cmd_send(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	struct console *c;
	size_t len = 0;

	if (vm == NULL)
		return ERR_NOENT;
	c = vm_console(vm);
	for (int i = 2; i < argc; i++)
		len += strlen(argv[i]) + 1;
	if (ring_room(&c->input) < len)
		return mon_error(m, "%s has %u bytes of input that it has not read yet", vm->config.name,
				 (unsigned)ring_used(&c->input));
	vm_lock(vm);
	for (int i = 2; i < argc; i++) {
		(void)console_type(c, argv[i], strlen(argv[i]));
		(void)console_type(c, i + 1 < argc ? " " : "\r", 1);
	}
	vm_unlock(vm);
	(void)vm_console_poll(vm);
	return 0;
}
