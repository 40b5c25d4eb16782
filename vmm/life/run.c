/* The vCPU loop: events in, enter, exit out, until a verdict says stop. This is the only place that moves RIP over an
 * instruction, and the only one that acts on a verdict. Above it, the loop of the CPU: one turn looks after every VM's
 * alarms, picks a vCPU, runs it for a slice, and takes the interrupts that came meanwhile. */
#include "vmm/life/run.h"

#include "arch/x86/insn.h"
#include "kernel/idle.h"
#include "kernel/log.h"
#include "vmm/core/inject.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/devices/vlapic.h"
#include "vmm/exit/dispatch.h"
#include "vmm/life/life.h"
#include "vmm/life/platform.h"

#define SLICE_MS 10u
#define RFLAGS_IF BIT64(9)

/* The VM's time in host time: when the next alarm of one of its clocks is due, by the host's TSC. */
static uint64_t next_alarm(const struct vm *vm, const struct vclock *clock)
{
	uint64_t at = vclock_next(clock);

	return at == VCLOCK_NEVER ? UINT64_MAX : at - (uint64_t)vm->clock_offset;
}

static void fire_alarms(struct vm *vm, struct vclock *clock, uint64_t now)
{
	if (unlikely(now >= next_alarm(vm, clock)))
		vclock_expire(clock, now + (uint64_t)vm->clock_offset);
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

bool vcpu_can_wake(struct vcpu *v)
{
	const struct irq_source *irqs = vcpu_irq_source(v);

	if (v->nmi_pending)
		return true;
	return irqs->peek(irqs->ctx) >= 0 && (vcpu_hw_get(v, VCPU_RFLAGS) & RFLAGS_IF) != 0;
}

static void log_line(void *ctx, const char *text)
{
	log_error("%s: %s", (const char *)ctx, text);
}

/* The processor would not enter: say why in words, then the VM is over. */
static enum run_end entry_refused(struct vcpu *v, const struct vm_exit *e)
{
	vm_set_crash(v->vm, v, "the processor refused the VM entry (%s, 0x%llx)", exit_reason_name(e->reason),
		     (unsigned long long)e->qualification);
	vcpu_hw_explain_failure(v, e, log_line, v->vm->config.name);
	return RUN_CRASHED;
}

/* INIT: the vCPU stops where it is and waits for a start-up IPI (SDM 3 "MP Initialization Protocol Algorithm"). The boot
 * CPU of a real machine would begin at the reset vector instead, where a guest without firmware has nothing: it waits too. */
static void take_init(struct vcpu *v)
{
	vcpu_hw_reset(v, true);
	vlapic_reset(v->lapic, true);
	v->inject.valid = false;
	v->nmi_pending = false;
	v->state = VCPU_WAIT_SIPI;
}

/* SIPI: real mode at vector * 4 KiB. One that comes while the vCPU does not wait for it is ignored. */
static void take_sipi(struct vcpu *v)
{
	struct segment cs = {(uint16_t)(v->sipi_vector << 8), SEGMENT_CODE16, false, 0xffff,
			     (uint64_t)v->sipi_vector << 12};

	if (v->state != VCPU_WAIT_SIPI)
		return;
	vcpu_hw_set_segment(v, SEG_CS, &cs);
	vcpu_hw_set(v, VCPU_RIP, 0);
	v->state = VCPU_RUNNABLE;
}

/* Before an entry: what others asked of this vCPU, and the events that are due. False: do not enter. */
static bool before_entry(struct vcpu *v, enum run_end *end)
{
	uint32_t requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_ACQUIRE);

	/* What is left undone here is still asked for when the loop comes back. */
	if (requests & VCPU_REQ_PAUSE) {
		vcpu_request(v, requests & ~(uint32_t)VCPU_REQ_PAUSE);
		*end = RUN_PAUSED;
		return false;
	}
	if (requests & VCPU_REQ_INIT)
		take_init(v);
	if (requests & VCPU_REQ_SIPI)
		take_sipi(v);
	if (v->state != VCPU_RUNNABLE) {
		vcpu_request(v, requests & (VCPU_REQ_EVENT | VCPU_REQ_FLUSH));
		*end = RUN_HALTED;
		return false;
	}
	if (requests & VCPU_REQ_FLUSH)
		vcpu_hw_flush(v);
	if (!vcpu_inject_pending(v, vcpu_irq_source(v))) {
		*end = RUN_CRASHED;
		return false;
	}
	if (requests & VCPU_REQ_YIELD) {
		*end = RUN_YIELD;
		return false;
	}
	return true;
}

/* Act on a verdict. False: leave the loop with *end. */
static bool obey(struct vcpu *v, const struct vm_exit *e, enum verdict verdict, enum run_end *end)
{
	switch (verdict) {
	case VERDICT_RESUME:
		return true;
	case VERDICT_SKIP:
		vcpu_hw_skip(v, e);
		return true;
	case VERDICT_WAIT:
		vcpu_hw_skip(v, e);
		if (vcpu_can_wake(v)) {
			vcpu_request(v, VCPU_REQ_EVENT);
			return true;
		}
		v->state = VCPU_HALTED;
		*end = RUN_HALTED;
		return false;
	case VERDICT_YIELD:
		*end = RUN_YIELD;
		return false;
	case VERDICT_PAUSE:
		*end = RUN_PAUSED;
		return false;
	case VERDICT_STOP:
		vcpu_hw_skip(v, e);
		*end = RUN_STOPPED;
		return false;
	case VERDICT_CRASH:
	default:
		*end = RUN_CRASHED;
		return false;
	}
}

enum run_end vcpu_run(struct vcpu *v, uint64_t slice_end)
{
	struct vm *vm = v->vm;
	struct vm_exit e;
	uint64_t now = rdtsc();
	enum run_end end = RUN_YIELD;
	const bool has_timer = vcpu_hw_has_timer();

	vcpu_hw_load(v);
	for (;;) {
		uint64_t alarm;

		fire_alarms(vm, &vm->clock, now);
		fire_alarms(vm, &v->clock, now);
		if (unlikely(now >= slice_end))
			return RUN_YIELD;
		if (unlikely(v->requests != 0 || v->inject.valid) && !before_entry(v, &end))
			return end;
		alarm = earlier(next_alarm(vm, &vm->clock), earlier(next_alarm(vm, &v->clock), slice_end));
		/* Without a preemption timer it is this CPU's own timer that leaves the guest, by its interrupt. */
		if (unlikely(!has_timer))
			idle_alarm(alarm);
		if (unlikely(vcpu_hw_enter(v, alarm, &e) != 0))
			return entry_refused(v, &e);
		now = e.tsc;
		/* An event that the exit cut off goes in again first; a fault of the handler's may join it as a double fault. */
		if (unlikely(e.vectoring.valid)) {
			v->inject = e.vectoring;
			vcpu_request(v, VCPU_REQ_EVENT);
		}
		if (unlikely(!obey(v, &e, exit_dispatch(v, &e), &end)))
			return end;
	}
}

/* A sleeper with a reason to go on. INIT and SIPI are taken even by one that waits for nothing else; a SIPI for one that
 * does not wait for it is ignored, here as in take_sipi(). */
static void wake_if_due(struct vcpu *v)
{
	const uint32_t restart = VCPU_REQ_INIT | VCPU_REQ_SIPI;
	uint32_t requests;

	if (v->state == VCPU_RUNNABLE || v->requests == 0)
		return;
	requests = __atomic_fetch_and(&v->requests, ~restart, __ATOMIC_ACQUIRE);
	if (requests & VCPU_REQ_INIT)
		take_init(v);
	if (requests & VCPU_REQ_SIPI)
		take_sipi(v);
	if (v->state == VCPU_HALTED && vcpu_can_wake(v))
		v->state = VCPU_RUNNABLE;
}

/* A look at one VM: alarms, and sleepers that have a reason to wake. Lowers *wake to its next alarm. */
static void vm_tick(struct vm *vm, uint64_t now, uint64_t *wake)
{
	if (vm->state != VM_RUNNING)
		return;
	fire_alarms(vm, &vm->clock, now);
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		struct vcpu *v = vm->vcpus[i];

		fire_alarms(vm, &v->clock, now);
		wake_if_due(v);
		*wake = earlier(*wake, next_alarm(vm, &v->clock));
	}
	*wake = earlier(*wake, next_alarm(vm, &vm->clock));
}

/* The next vCPU that can run, by turns; NULL when all sleep. */
static struct vcpu *pick(struct vmm_host *host)
{
	for (unsigned i = 0; i < host->vm_count; i++) {
		struct vm *vm = host->vms[(host->next_turn + i) % host->vm_count];

		for (unsigned k = 0; vm->state == VM_RUNNING && k < vm->vcpu_count; k++) {
			struct vcpu *v = vm->vcpus[(vm->next_vcpu + k) % vm->vcpu_count];

			if (v->state != VCPU_RUNNABLE)
				continue;
			vm->next_vcpu = v->index + 1;
			host->next_turn = (host->next_turn + i + 1) % host->vm_count;
			return v;
		}
	}
	return NULL;
}

static void run_slice(struct vmm_host *host, struct vcpu *v, uint64_t slice_end)
{
	uint64_t begin = rdtsc();
	enum run_end end = vcpu_run(v, slice_end);
	char why[LIFE_WHY];

	v->guest_ticks += rdtsc() - begin;
	if (end == RUN_STOPPED || end == RUN_CRASHED)
		vm_ended(host, v->vm, end == RUN_CRASHED);
	else if (end == RUN_PAUSED && vm_pause(v->vm, why) != 0)
		log_error("%s", why);
}

void host_turn(struct vmm_host *host, uint64_t step_deadline)
{
	uint64_t now = rdtsc(), wake = step_deadline;
	uint64_t slice_end = now + host->tsc_hz / 1000 * SLICE_MS;
	struct vcpu *v;

	for (unsigned i = 0; i < host->vm_count; i++)
		vm_tick(host->vms[i], now, &wake);
	v = pick(host);
	if (v != NULL)
		run_slice(host, v, slice_end < step_deadline ? slice_end : step_deadline);
	else if (wake > now && !(host->idle_work != NULL && host->idle_work()))
		idle_until(wake);
	/* In Bochs a guest that was entered with IF = 0 does not leave for an interrupt, and on real hardware one may have come
	 * since the exit: everything pending is handled here. */
	idle_window();
}

_Noreturn void host_loop(struct vmm_host *host, uint64_t (*step)(void *ctx), void *ctx)
{
	for (;;)
		host_turn(host, step(ctx));
}
