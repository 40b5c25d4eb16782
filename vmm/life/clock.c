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

static uint64_t own_clock_now(void *ctx)
{
	return clock_now(((struct vcpu *)ctx)->vm);
}

/* Whoever touches a vCPU's own clock runs the vCPU, or has it frozen. */
static void own_clock_changed(void *ctx)
{
	vcpu_request(ctx, VCPU_REQ_TIMER);
}

COLD void vm_clock_init(struct vm *vm, uint64_t tsc_hz, void (*changed)(void *vm))
{
	vm->clock = (struct vclock){.now = clock_now, .changed = changed, .ctx = vm, .hz = tsc_hz};
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = vm->vcpus[i];

		v->clock = (struct vclock){.now = own_clock_now, .changed = own_clock_changed, .ctx = v, .hz = tsc_hz};
	}
}

static void set(struct vm *vm, uint64_t ticks, uint64_t now)
{
	vm->clock_offset = (int64_t)(ticks - now);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		vcpu_tsc_changed(vm->vcpus[i]);
}

COLD void vm_clock_start(struct vm *vm)
{
	uint64_t now = rdtsc();

	vm->tsc_base = now;
	set(vm, 0, now);
}

COLD void vm_clock_resume(struct vm *vm)
{
	set(vm, vm->paused_at, rdtsc());
}
