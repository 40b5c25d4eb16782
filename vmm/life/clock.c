/* The VM's clock. It runs while the VM does; else it shows the reading it stopped at, so that devices that are set up before
 * the start, or looked at after the end, never see time go backwards. */
#include "vmm/life/clock.h"

#include "arch/x86/insn.h"
#include "vmm/exit/tsc.h"

static uint64_t clock_now(void *ctx)
{
	const struct vm *vm = ctx;

	if (unlikely(vm->state != VM_RUNNING))
		return vm->paused_at;
	return rdtsc() + (uint64_t)vm->clock_offset;
}

void vm_clock_init(struct vm *vm, uint64_t tsc_hz)
{
	const struct vclock clock = {.now = clock_now, .ctx = vm, .hz = tsc_hz};

	vm->clock = clock;
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vm->vcpus[i]->clock = clock;
}

void vm_clock_set(struct vm *vm, uint64_t ticks)
{
	vm->clock_offset = (int64_t)(ticks - rdtsc());
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vcpu_tsc_changed(vm->vcpus[i]);
}
