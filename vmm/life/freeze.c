/* Freeze and thaw. The VM's own alarm, that of its devices, stands in the queue of the CPU that set it last. */
#include "vmm/life/freeze.h"

#include "arch/x86/insn.h"
#include "kernel/lib/assert.h"
#include "vmm/life/board.h"

static void remove_all(struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu_seat *seat = vm->vcpus[i]->seat;
		uint64_t kicks = 0;

		vcpu_request(vm->vcpus[i], VCPU_REQ_PAUSE);
		if (!__atomic_load_n(&seat->added, __ATOMIC_ACQUIRE))
			continue;
		(void)sched_remove(&seat->entity, &kicks);
		runner_kick_all(vm->host, kicks);
	}
}

static void wait_until_off(struct runner *r, struct vcpu *v)
{
	struct vcpu_seat *seat = v->seat;

	while (seat->added && !sched_is_off(&seat->entity)) {
		runner_serve(r);
		pause();
	}
	__atomic_store_n(&seat->added, false, __ATOMIC_RELEASE);
	runner_alarm_forget(r->host, &seat->alarm);
	runner_fetch(r, v);
	__atomic_and_fetch(&v->requests, ~(uint32_t)VCPU_REQ_PAUSE, __ATOMIC_SEQ_CST);
}

COLD void vm_freeze(struct vm *vm)
{
	struct runner *r = runner_here();

	/* Whom this CPU ran last still counts as running here. */
	runner_kick_all(r->host, sched_put(r->sched, rdtsc()));
	remove_all(vm);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		wait_until_off(r, vm->vcpus[i]);
}

COLD void vm_thaw(struct vm *vm)
{
	struct vmm_host *host = vm->host;

	/* Under the lock: an alarm of the board that wakes a vCPU finds it either unknown or known. */
	vm_lock(vm);
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu_seat *seat = vm->vcpus[i]->seat;
		int err = sched_add(host->sched, &seat->entity, &vm->platform->group, vm->config.pins);

		assert(err == 0); /* platform_create() has looked at the pins */
		__atomic_store_n(&seat->added, true, __ATOMIC_RELEASE);
	}
	vm_unlock(vm);
	/* What the VM's end and its new start have cost, the VM has cost. */
	if (vm->ended_at != 0)
		sched_charge(&vm->vcpus[0]->seat->entity, rdtsc() - vm->ended_at, rdtsc());
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		runner_kick_all(host, sched_wake(&vm->vcpus[i]->seat->entity, rdtsc()));
}

COLD void vm_end(struct vm *vm, enum run_end end)
{
	uint32_t none = RUN_YIELD;

	if (__atomic_compare_exchange_n(&vm->ended, &none, (uint32_t)end, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
		remove_all(vm);
		runner_call_home(vm->host);
	}
}

/* --- the alarms of the board --- */

static void arm(struct vm *vm)
{
	struct deadline *alarm = &vm->platform->alarm;
	uint64_t at = vclock_next(&vm->clock);

	if (at == VCLOCK_NEVER)
		runner_alarm_cancel(alarm);
	else
		runner_alarm_set(runner_here(), alarm, at - (uint64_t)vm->clock_offset);
}

void board_clock_changed(void *ctx)
{
	struct vm *vm = ctx;

	if (vm->state == VM_RUNNING)
		arm(vm);
}

/* It is at least as late as the alarm said that has brought us here, whatever this CPU's TSC shows; but one that has been set
 * anew meanwhile has its time still before it. */
void vm_clock_expire(struct vm *vm)
{
	const struct deadline *alarm = &vm->platform->alarm;
	uint64_t now, due;

	vm_lock(vm);
	if (vm->state == VM_RUNNING) {
		now = vclock_now(&vm->clock);
		due = deadline_armed(alarm) ? now : alarm->at_tsc + (uint64_t)vm->clock_offset;
		if (vclock_expire(&vm->clock, now > due ? now : due) == 0)
			arm(vm); /* else board_clock_changed() has */
	}
	vm_unlock(vm);
}

/* A VM's time is spent on its devices, and nobody else's: a timer that a guest has set to its quickest and never serves must
 * not take the CPU from others. Where no vCPU of the VM runs, its first one does it when it has its turn. */
void board_alarm_fire(void *ctx)
{
	struct vm *vm = ctx;
	const struct vcpu *current = runner_here()->current;

	if (current != NULL && current->vm == vm)
		vm_clock_expire(vm);
	else
		vcpu_notify(vm->vcpus[0], VCPU_REQ_CLOCK);
}

COLD void vm_alarms_stop(struct vm *vm)
{
	runner_alarm_forget(vm->host, &vm->platform->alarm);
}

COLD void vm_alarms_start(struct vm *vm)
{
	vm_lock(vm);
	arm(vm);
	vm_unlock(vm);
}
