/* The list of VMs, in order of creation and by name. The names are in a hash table, so that a command for one VM, and the
 * making of another, take no longer the more there are. */
#include "vmm/life/host.h"

#include "kernel/lib/string.h"
#include "vmm/core/vm.h"

/* FNV-1a (Fowler, Noll, Vo). */
static uint32_t chain(const char *name)
{
	uint32_t hash = 2166136261u;

	while (*name != '\0')
		hash = (hash ^ (uint8_t)*name++) * 16777619u;
	return hash % HOST_NAME_CHAINS;
}

void host_add(struct vmm_host *host, struct vm *vm)
{
	struct vm **head = &host->by_name[chain(vm->config.name)];

	vm->id = ++host->next_id;
	vm->next_in_chain = *head;
	*head = vm;
	host->vms[host->vm_count++] = vm;
}

void host_remove(struct vmm_host *host, struct vm *vm)
{
	struct vm **link = &host->by_name[chain(vm->config.name)];
	struct vm *moved = NULL;

	while (*link != vm)
		link = &(*link)->next_in_chain;
	*link = vm->next_in_chain;
	/* Those behind it move up by one, the last one first: a VM that was made lately is found at once. */
	for (unsigned i = host->vm_count--; moved != vm;) {
		struct vm *here = host->vms[--i];

		host->vms[i] = moved;
		moved = here;
	}
}

struct vm *host_find(const struct vmm_host *host, const char *name)
{
	struct vm *vm = host->by_name[chain(name)];

	while (vm != NULL && !str_eq(vm->config.name, name))
		vm = vm->next_in_chain;
	return vm;
}
