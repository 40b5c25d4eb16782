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
		sum += vm->vcpus[i]->ring.count;
	return sum;
}

int cmd_list(struct monitor *m, int argc, char **argv)
{
	char size[FMT_QUANTITY_BYTES];

	(void)argc;
	(void)argv;
	if (m->host->vm_count == 0) {
		mon_printf(m, "no VMs\n");
		return 0;
	}
	mon_printf(m, "%3s  %-16s %-8s %4s  %9s  %12s\n", "ID", "NAME", "STATE", "CPUS", "MEMORY", "EXITS");
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		const struct vm *vm = m->host->vms[i];

		mon_printf(m, "%3u  %-16s %-8s %4u  %9s  %12llu%s%s\n", vm->id, vm->config.name,
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

int cmd_create(struct monitor *m, int argc, char **argv)
{
	char why[LIFE_WHY];
	struct vm_config *config = heap_alloc(m->host->heap, sizeof(*config));
	struct vm *vm = NULL;
	int err = 0;

	if (config == NULL)
		return mon_error(m, "no memory");
	conf_defaults(config);
	if (str_copy(config->name, argv[1], sizeof(config->name)) != 0)
		err = mon_error(m, "a name has at most %u characters", VM_NAME_MAX - 1);
	for (int i = 2; err == 0 && i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value == NULL) {
			err = mon_error(m, "'%s' is not KEY=VALUE", argv[i]);
			break;
		}
		*value++ = '\0';
		if (str_eq(argv[i], "like")) {
			struct vm *other = mon_vm(m, value);

			if (other == NULL) {
				err = ERR_NOENT;
				break;
			}
			*config = other->config;
			(void)str_copy(config->name, argv[1], sizeof(config->name));
		} else if (conf_set(config, argv[i], value, why, sizeof(why)) != 0) {
			err = mon_error(m, "%s", why);
		}
	}
	if (err == 0 && conf_check(config, why, sizeof(why)) != 0)
		err = mon_error(m, "%s", why);
	if (err == 0) {
		err = vm_create(m->host, config, &vm, why);
		err = err != 0 ? mon_error(m, "%s", why) : step_result(m, vm, 0, why);
	}
	heap_free(m->host->heap, config);
	return err;
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
