/* Start, pause, resume, reset, shutdown: the short steps. And what happens when a VM has ended by itself. */
#include "vmm/life/life.h"

#include "arch/x86/insn.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/log.h"
#include "vmm/life/clock.h"
#include "vmm/life/platform.h"
#include "vmm/life/transitions.h"

#define QUICK_ENDS_MAX 5u

int life_refuse(const struct vm *vm, const char *step, char why[LIFE_WHY])
{
	fmt_snprintf(why, LIFE_WHY, "%s is %s: it cannot %s", vm->config.name, vm_state_name(vm->state), step);
	return ERR_STATE;
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
		return life_refuse(vm, "start", why);
	/* The clock begins now, not when the images were loaded. */
	vm_clock_set(vm, 0);
	vm->state = next;
	log_info("%s: started", vm->config.name);
	return 0;
}

int vm_start(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	int err = start(host, vm, why);

	if (err == 0)
		vm->quick_ends = 0;
	return err;
}

int vm_pause(struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next;

	if (life_next(vm->state, LIFE_PAUSE, &next) != 0)
		return life_refuse(vm, "pause", why);
	vm->paused_at = rdtsc() + (uint64_t)vm->clock_offset;
	vm->state = next;
	return 0;
}

int vm_resume(struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next;

	if (life_next(vm->state, LIFE_RESUME, &next) != 0)
		return life_refuse(vm, "resume", why);
	vm_clock_set(vm, vm->paused_at);
	vm->state = next;
	return 0;
}

int vm_reset(struct vmm_host *host, struct vm *vm, char why[LIFE_WHY])
{
	enum vm_state next, before = vm->state;
	int err;

	if (life_next(vm->state, LIFE_RESET, &next) != 0)
		return life_refuse(vm, "reset", why);
	vm->state = VM_STOPPED;
	err = vm_start(host, vm, why);
	if (err != 0 && before == VM_CRASHED)
		vm->state = VM_CRASHED;
	else if (err != 0)
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

/* By the configuration. A VM that ends as soon as it is started would do nothing but fill the log. */
static void restart_if_worth(struct vmm_host *host, struct vm *vm)
{
	if (vclock_now(&vm->clock) >= vm->clock.hz)
		vm->quick_ends = 0;
	else if (++vm->quick_ends >= QUICK_ENDS_MAX) {
		log_error("%s: ended %u times within a second of its start: it is not started again", vm->config.name,
			  vm->quick_ends);
		return;
	}
	restart(host, vm);
}

static void log_line(void *ctx, const char *text)
{
	(void)ctx;
	log_error("%s", text);
}

static void ended_crashed(struct vmm_host *host, struct vm *vm)
{
	vm->state = VM_CRASHED;
	vm->crashes++;
	log_error("%s: CRASHED: %s", vm->config.name, vm->crash);
	vm_postmortem(vm, vm->vcpus[vm->crashed_vcpu], log_line, NULL);
	if (vm->config.restart != RESTART_NO)
		restart_if_worth(host, vm);
}

void vm_ended(struct vmm_host *host, struct vm *vm, bool crashed)
{
	enum vm_request request = vm->request;

	vm->paused_at = vclock_now(&vm->clock);
	if (crashed) {
		ended_crashed(host, vm);
		return;
	}
	vm->state = VM_STOPPED;
	vm->request = VM_REQUEST_NONE;
	switch (request) {
	case VM_REQUEST_RESET:
		log_info("%s: the guest asked for a reset", vm->config.name);
		restart(host, vm);
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
