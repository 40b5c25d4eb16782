/* Create: memory, second-level tables, devices, vCPUs; undone in reverse when one of them fails. */
#include "vmm/life/life.h"

#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "vmm/core/conf.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/life/freeze.h"
#include "vmm/life/platform.h"

/* Before anything is taken: what can be said from the configuration alone. */
static int create_check(const struct vmm_host *host, const struct vm_config *config, char why[LIFE_WHY])
{
	char want[FMT_QUANTITY_BYTES], have[FMT_QUANTITY_BYTES];

	if (!host->can_run) {
		fmt_snprintf(why, LIFE_WHY, "this machine cannot run VMs: see `info preflight`");
		return ERR_STATE;
	}
	if (host_find(host, config->name) != NULL) {
		fmt_snprintf(why, LIFE_WHY, "there is a VM '%s' already", config->name);
		return ERR_EXIST;
	}
	if (host->vm_count == HOST_MAX_VMS) {
		fmt_snprintf(why, LIFE_WHY, "there are %u VMs, and no more are possible", HOST_MAX_VMS);
		return ERR_FULL;
	}
	if (config->memory > host->free_bytes()) {
		fmt_snprintf(why, LIFE_WHY, "%s: asks for %s of memory, %s are free", config->name,
			     fmt_size(want, config->memory), fmt_size(have, host->free_bytes()));
		return ERR_NOMEM;
	}
	return 0;
}

/* Whoever runs a vCPU compares the generation before it enters, and goes on entering as long as nothing is asked of it. */
static void tables_changed(void *ctx)
{
	struct vm *vm = ctx;

	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vcpu_request(vm->vcpus[i], VCPU_REQ_ENTRY);
}

static int create_memory(struct vmm_host *host, struct vm *vm)
{
	struct guest_range ranges[PLATFORM_MAX_RANGES];
	size_t count = platform_ram_ranges(vm->config.memory, ranges);
	int err;

	err = guest_mem_create(&vm->mem, &host->pages, ranges, count, GUEST_MEM_CLEAN);
	if (err != 0)
		return err;
	err = slpt_init(&vm->slpt, &host->slpt_format, &host->pages);
	if (err != 0)
		goto free_memory;
	vm->slpt.changed = tables_changed;
	vm->slpt.ctx = vm;
	err = guest_mem_map_into(&vm->mem, &vm->slpt, &host->mtrr);
	if (err != 0)
		goto free_tables;
	return 0;
free_tables:
	slpt_destroy(&vm->slpt);
free_memory:
	guest_mem_destroy(&vm->mem);
	return err;
}

static void destroy_memory(struct vm *vm)
{
	slpt_destroy(&vm->slpt);
	guest_mem_destroy(&vm->mem);
}

static void destroy_vcpus(struct vmm_host *host, struct vm *vm)
{
	while (vm->vcpu_count > 0) {
		struct vcpu *v = vm->vcpus[--vm->vcpu_count];

		vcpu_hw_destroy(v);
		heap_free(host->heap, v);
	}
}

static int create_vcpus(struct vmm_host *host, struct vm *vm)
{
	for (unsigned i = 0; i < vm->config.cpus; i++) {
		struct vcpu *v = heap_alloc_raw(host->heap, sizeof(*v));
		int err = ERR_NOMEM;

		if (v != NULL) {
			memset(v, 0, offsetof(struct vcpu, sites));
			memset(&v->ring, 0, offsetof(struct exit_ring, entries));
			vcpu_forget_sites(v);
			v->vm = vm;
			v->index = i;
			err = vcpu_hw_create(v);
		}
		if (err != 0) {
			heap_free(host->heap, v);
			destroy_vcpus(host, vm);
			return err;
		}
		vm->vcpus[vm->vcpu_count++] = v;
	}
	return 0;
}

int vm_create(struct vmm_host *host, const struct vm_config *config, struct vm **out, char why[LIFE_WHY])
{
	struct vm *vm;
	uint64_t free_before = host->free_bytes();
	int err = create_check(host, config, why);

	if (err != 0)
		return err;
	vm = heap_alloc_raw(host->heap, sizeof(*vm));
	if (vm == NULL) {
		err = ERR_NOMEM;
		goto failed;
	}
	memset(vm, 0, offsetof(struct vm, config));
	spin_init(&vm->lock, LOCK_RANK_VM, "vm");
	conf_copy(&vm->config, config);
	vm->host = host;
	err = create_memory(host, vm);
	if (err != 0)
		goto free_vm;
	err = create_vcpus(host, vm);
	if (err != 0)
		goto free_memory;
	err = platform_create(host, vm, why);
	if (err != 0)
		goto free_vcpus;
	vm->state = VM_CREATED;
	vm->own_bytes = free_before - host->free_bytes() - vm->mem.total_bytes - vm->slpt.table_count * PAGE_SIZE -
			CONSOLE_SCROLLBACK_BYTES;
	host_add(host, vm);
	*out = vm;
	log_info("%s: created, %u CPU%s", config->name, config->cpus, config->cpus == 1 ? "" : "s");
	return 0;

free_vcpus:
	destroy_vcpus(host, vm);
free_memory:
	destroy_memory(vm);
free_vm:
	heap_free(host->heap, vm);
failed:
	if (err == ERR_NOMEM)
		fmt_snprintf(why, LIFE_WHY, "%s: no memory for the VM's RAM and tables", config->name);
	return err;
}

void vm_destroy(struct vmm_host *host, struct vm *vm)
{
	vm_freeze(vm);
	vm_alarms_stop(vm);
	host_remove(host, vm);
	log_info("%s: destroyed", vm->config.name);
	platform_destroy(host, vm);
	destroy_vcpus(host, vm);
	destroy_memory(vm);
	heap_free(host->heap, vm);
}
