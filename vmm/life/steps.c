/* Start, pause, resume, reset, shutdown: the short steps. And what happens when a VM has ended by itself. */
#include "vmm/life/life.h"

#include "arch/x86/insn.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/log.h"
#include "vmm/life/clock.h"
#include "vmm/life/freeze.h"
#include "vmm/life/platform.h"
#include "vmm/life/transitions.h"

#define QUICK_ENDS_MAX 5u

int life_refuse(const struct vm *vm, const char *step, char why[LIFE_WHY])
{
	fmt_snprintf(why, LIFE_WHY, "%s is %s: it cannot %s", vm->config.name, vm_state_name(vm->state), step);
	return ERR_STATE;
}

/* Its clock runs from here on, and its vCPUs. */
static void go(struct vm *vm, enum vm_state running)
{
	vm->state = running;
	vm_alarms_start(vm);
	vm_thaw(vm);
}

/* Its clock stands still. vCPUs are frozen. */
static void stop(struct vm *vm, enum vm_state next)
{
	vm_lock(vm);
	vm->paused_at = vclock_now(&vm->clock);
	vm->state = next;
	vm_unlock(vm);
	vm_alarms_stop(vm);
}

/* Freeze it for a step. If a vCPU has ended the VM meanwhile, that comes first, and it may run again by its `restart`. Frozen
 * before the look: then no other vCPU can still say that it has ended what is running again. */
static void freeze_for_step(struct vmm_host *host, struct vm *vm)
{
	for (;;) {
		enum run_end end;

		vm_freeze(vm);
		end = (enum run_end)__atomic_exchange_n(&vm->ended, RUN_YIELD, __ATOMIC_ACQ_REL);
		if (end == RUN_YIELD)
			return;
		vm_ended(host, vm, end);
	}
}

/* The step is not legal: as if nothing had been. */
static int refuse(struct vm *vm, const char *step, char why[LIFE_WHY])
{
	int err = life_refuse(vm, step, why);

	if (vm->state == VM_RUNNING)
		vm_thaw(vm);
	return err;
}

static int start(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next;

	if (life_next(vm->state, LIFE_LOAD, &next) == 0) {
		int err = vm_load(host, vm, why);

		if (err != 0)
			return err;
	}
	if (life_next(vm->state, LIFE_START, &next) != 0)
		return refuse(vm, "start", why);
	/* The clock begins now, not when the images were loaded. */
	vm_clock_start(vm);
	go(vm, next);
	if (vm->quick_ends < QUICK_ENDS_MAX)
		log_info("%s: started", vm->config.name);
	return 0;
}

int vm_start(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	freeze_for_step(host, vm);
	if (vm->state != VM_RUNNING)
		vm->quick_ends = 0;
	return start(host, vm, why);
}

int vm_pause(struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next;

	freeze_for_step(vm->host, vm);
	if (life_next(vm->state, LIFE_PAUSE, &next) != 0)
		return refuse(vm, "pause", why);
	stop(vm, next);
	return 0;
}

int vm_resume(struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next;

	freeze_for_step(vm->host, vm);
	if (life_next(vm->state, LIFE_RESUME, &next) != 0)
		return refuse(vm, "resume", why);
	vm_clock_resume(vm);
	go(vm, next);
	return 0;
}

int vm_reset(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next, before;
	int err;

	freeze_for_step(host, vm);
	before = vm->state;
	if (life_next(vm->state, LIFE_RESET, &next) != 0)
		return refuse(vm, "reset", why);
	stop(vm, VM_STOPPED);
	vm->quick_ends = 0;
	err = start(host, vm, why);
	if (err == 0)
		return 0;
	if (before == VM_CRASHED)
		vm->state = VM_CRASHED;
	else
		log_error("%s: reset failed, the VM is stopped: %s", vm->config.name, why);
	return err;
}

int vm_shutdown(struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next;

	if (life_next(vm->state, LIFE_SHUTDOWN, &next) != 0)
		return life_refuse(vm, "shutdown", why);
	platform_power_button(vm);
	return 0;
}

static void restart(struct vmm_host *host, struct vm *vm)
{
	char why[LIFE_WHY];

	vm->restarts++;
	if (start(host, vm, why) != 0)
		log_error("%s", why);
}

/* How often it has now ended within a second of its start, one time after the other. */
static unsigned count_quick_end(struct vm *vm)
{
	vm->quick_ends = vclock_now(&vm->clock) < vm->clock.hz ? vm->quick_ends + 1 : 0;
	return vm->quick_ends;
}

/* By the configuration. A VM that ends as soon as it is started would do nothing but fill the log. */
static void restart_if_worth(struct vmm_host *host, struct vm *vm)
{
	if (count_quick_end(vm) >= QUICK_ENDS_MAX) {
		log_error("%s: ended %u times within a second of its start: it is not started again", vm->config.name,
			  vm->quick_ends);
		return;
	}
	restart(host, vm);
}

/* A reset is a guest's to ask for, as often as it likes; but the log is everybody's. */
static void reset_by_guest(struct vmm_host *host, struct vm *vm)
{
	unsigned quick = count_quick_end(vm);

	if (quick < QUICK_ENDS_MAX)
		log_info("%s: the guest asked for a reset", vm->config.name);
	else if (quick == QUICK_ENDS_MAX)
		log_warn("%s: the guest asks for one reset after the other: no more is said of those within a second",
			 vm->config.name);
	restart(host, vm);
}

static void log_line(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

static void ring_line(void *ctx, const char *text)
{
	(void)ctx;
	log_ring("%s", text);
}

/* The post-mortem takes half a second of a serial line. A VM that is started again may need one after the other, which must not
 * be at the cost of everybody else: its are kept for `dmesg`. */
static void ended_crashed(struct vmm_host *host, struct vm *vm)
{
	bool again = vm->config.restart != RESTART_NO;

	vm->crashes++;
	log_error("%s: CRASHED: %s", vm->config.name, vm->crash);
	vm_postmortem(vm, vm->vcpus[vm->crashed_vcpu], again ? ring_line : log_line, NULL);
	if (again)
		restart_if_worth(host, vm);
}

static void ended_by_itself(struct vmm_host *host, struct vm *vm)
{
	enum vm_request request = vm->request;

	vm->request = VM_REQUEST_NONE;
	switch (request) {
	case VM_REQUEST_RESET:
		reset_by_guest(host, vm);
		return;
	case VM_REQUEST_DEBUG_EXIT:
		log_info("%s: exited with code 0x%x", vm->config.name, vm->debug_exit_code);
		break;
	default:
		log_info("%s: powered off", vm->config.name);
		break;
	}
	if (vm->config.restart == RESTART_ALWAYS)
		restart_if_worth(host, vm);
}

void vm_ended(struct vmm_host *host, struct vm *vm, enum run_end end)
{
	switch (end) {
	case RUN_PAUSED:
		stop(vm, VM_PAUSED);
		break;
	case RUN_CRASHED:
		stop(vm, VM_CRASHED);
		ended_crashed(host, vm);
		break;
	default:
		stop(vm, VM_STOPPED);
		ended_by_itself(host, vm);
		break;
	}
}

void vm_see_to_end(struct vmm_host *host, struct vm *vm)
{
	vm->ended_at = rdtsc();
	freeze_for_step(host, vm);
	if (vm->state == VM_RUNNING)
		vm_thaw(vm);
	vm->ended_at = 0;
}
