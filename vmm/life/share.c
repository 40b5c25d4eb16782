/* Shares: what the operator's words mean to the scheduler. */
#include "vmm/life/share.h"

#include "arch/x86/insn.h"
#include "kernel/lib/assert.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "vmm/life/board.h"

static_assert(VM_WEIGHT_MAX == SCHED_WEIGHT_MAX && VM_WEIGHT_DEFAULT == SCHED_WEIGHT_DEFAULT,
	      "what a configuration says of weights is what the scheduler takes");
static_assert(VM_CAP_MAX == SCHED_CAP_MAX && VM_PINS_ALL == SCHED_ANY_CPU, "the same of caps and pins");

int vm_share_check(const struct vmm_host *host, const struct vm_config *wanted, char why[LIFE_WHY])
{
	char there[FMT_CPU_LIST_BYTES];

	if ((wanted->pins & host->sched->present) != 0)
		return 0;
	fmt_snprintf(why, LIFE_WHY, "%s: pin: none of these CPUs runs; there are %s", wanted->name,
		     fmt_cpu_list(there, host->sched->present));
	return ERR_RANGE;
}

int vm_share_set(struct vm *vm, const struct vm_config *wanted, char why[LIFE_WHY])
{
	struct vmm_host *host = vm->host;
	uint64_t kicks;
	int err = vm_share_check(host, wanted, why);

	if (err != 0)
		return err;
	err = sched_group_set(&vm->platform->group, wanted->weight, wanted->cap);
	assert(err == 0);
	vm->config.weight = wanted->weight;
	vm->config.cap = wanted->cap;
	vm->config.pins = wanted->pins;
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		err = sched_set_pins(&vm->vcpus[i]->seat->entity, wanted->pins, &kicks);
		assert(err == 0);
		runner_kick_all(host, kicks);
	}
	return 0;
}

void vcpu_share_stats(const struct vcpu *v, struct sched_stats *out)
{
	sched_read_stats(&v->seat->entity, rdtsc(), out);
}
