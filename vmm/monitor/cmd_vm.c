/* Commands: the life of a VM. */
#include "vmm/monitor/commands.h"

#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/core/conf.h"
#include "vmm/life/transitions.h"

static uint64_t vm_exits(const struct vm *vm)
{
	uint64_t sum = 0;

	for (unsigned i = 0; i < vm->vcpu_count; i++)
		sum += vcpu_exits(vm->vcpus[i]);
	return sum;
}

static void list_json(struct monitor *m)
{
	struct reply *r = &m->reply;

	reply_open(r, "vms", '[');
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		const struct vm *vm = m->host->vms[i];

		reply_open(r, NULL, '{');
		reply_number(r, "id", vm->id);
		reply_string(r, "name", vm->config.name);
		reply_string(r, "state", vm_state_name(vm->state));
		reply_number(r, "cpus", vm->vcpu_count);
		reply_number(r, "memory_bytes", vm->config.memory);
		reply_number(r, "exits", vm_exits(vm));
		reply_number(r, "restarts", vm->restarts);
		reply_number(r, "crashes", vm->crashes);
		reply_string(r, "crash", vm->crash);
		reply_close(r, '}');
	}
	reply_close(r, ']');
}

int cmd_list(struct monitor *m, int argc, char **argv)
{
	char size[FMT_QUANTITY_BYTES];
	int width = mon_name_width(m);

	(void)argc;
	(void)argv;
	if (m->reply.json) {
		list_json(m);
		return 0;
	}
	if (m->host->vm_count == 0) {
		mon_printf(m, "no VMs\n");
		return 0;
	}
	mon_printf(m, "%3s  %-*s %-8s %4s  %9s  %12s\n", "ID", width, "NAME", "STATE", "CPUS", "MEMORY", "EXITS");
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		const struct vm *vm = m->host->vms[i];

		mon_printf(m, "%3u  %-*s %-8s %4u  %9s  %12llu%s%s\n", vm->id, width, vm->config.name,
			   vm_state_name(vm->state), vm->vcpu_count, fmt_size(size, vm->config.memory),
			   (unsigned long long)vm_exits(vm), vm->crash[0] == '\0' ? "" : "  ", vm->crash);
	}
	return 0;
}

/* A step that is allowed to fail with a reason. */
static int step_result(struct monitor *m, struct vm *vm, int err, const char *why)
{
	if (err != 0)
		return mon_error(m, "%s", why);
	mon_printf(m, "%s: %s\n", vm->config.name, vm_state_name(vm->state));
	return 0;
}

/* `like OTHER`, or as a key, `like=OTHER`. Returns the name, and *i is at its word; NULL: word *i is something else. */
static const char *like(int argc, char **argv, int *i)
{
	if (str_starts(argv[*i], "like="))
		return argv[*i] + strlen("like=");
	if (!str_eq(argv[*i], "like"))
		return NULL;
	return *i + 1 < argc ? argv[++*i] : "";
}

/* `like OTHER` first, wherever it stands: all keys change what it gave. Another VM's autostart is not a wish to start this one
 * too. */
static int config_begin(struct monitor *m, struct vm_config *config, int argc, char **argv)
{
	conf_defaults(config);
	for (int i = 2; i < argc; i++) {
		const char *name = like(argc, argv, &i);
		const struct vm *other;

		if (name == NULL)
			continue;
		other = mon_vm(m, name);
		if (other == NULL)
			return ERR_NOENT;
		conf_copy(config, &other->config);
		config->autostart = false;
	}
	if (str_copy(config->name, argv[1], sizeof(config->name)) != 0)
		return mon_error(m, "a name has at most %u characters", VM_NAME_MAX - 1);
	return 0;
}

static int config_read(struct monitor *m, struct vm_config *config, int argc, char **argv)
{
	char why[CONF_WHY_BYTES];
	int err = config_begin(m, config, argc, argv);

	for (int i = 2; err == 0 && i < argc; i++) {
		char *value;

		if (like(argc, argv, &i) != NULL)
			continue;
		value = strchr(argv[i], '=');
		if (value == NULL)
			return mon_error(m, "'%s' is not KEY=VALUE", argv[i]);
		*value++ = '\0';
		if (conf_set(config, argv[i], value, why, sizeof(why)) != 0)
			return mon_error(m, "%s", why);
	}
	if (err == 0 && conf_check(config, why, sizeof(why)) != 0)
		return mon_error(m, "%s", why);
	return err;
}

static int create(struct monitor *m, const struct vm_config *config)
{
	char why[LIFE_WHY] = "";
	struct vm *vm = NULL;
	int err = vm_create(m->host, config, &vm, why);

	if (err != 0)
		return mon_error(m, "%s", why);
	if (config->autostart)
		err = vm_start(m->host, vm, why);
	return step_result(m, vm, err, why);
}

int cmd_create(struct monitor *m, int argc, char **argv)
{
	int err = config_read(m, &m->config, argc, argv);

	return err != 0 ? err : create(m, &m->config);
}

int cmd_start(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	char why[LIFE_WHY];

	(void)argc;
	return vm == NULL ? ERR_NOENT : step_result(m, vm, vm_start(m->host, vm, why), why);
}

int cmd_pause(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	char why[LIFE_WHY];

	(void)argc;
	return vm == NULL ? ERR_NOENT : step_result(m, vm, vm_pause(vm, why), why);
}

int cmd_resume(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	char why[LIFE_WHY];

	(void)argc;
	return vm == NULL ? ERR_NOENT : step_result(m, vm, vm_resume(vm, why), why);
}

int cmd_reset(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	char why[LIFE_WHY];

	(void)argc;
	return vm == NULL ? ERR_NOENT : step_result(m, vm, vm_reset(m->host, vm, why), why);
}

int cmd_shutdown(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);
	char why[LIFE_WHY];

	(void)argc;
	if (vm == NULL)
		return ERR_NOENT;
	if (vm_shutdown(vm, why) != 0)
		return mon_error(m, "%s", why);
	mon_printf(m, "%s: power button pressed\n", vm->config.name);
	return 0;
}

int cmd_destroy(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = mon_vm(m, argv[1]);

	(void)argc;
	if (vm == NULL)
		return ERR_NOENT;
	vm_destroy(m->host, vm);
	mon_printf(m, "%s: destroyed\n", argv[1]);
	return 0;
}
