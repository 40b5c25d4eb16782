/* The vCPU loop: events in, enter, exit out, until a verdict says stop. This is the only place that moves RIP over an
 * instruction, and the only one that acts on a verdict. Above it, the loop of a CPU: one turn fires alarms, lets the
 * scheduler choose a vCPU, runs it for a slice, and takes the interrupts that came meanwhile. */
#include "vmm/life/run.h"

#include "arch/x86/insn.h"
#include "kernel/idle.h"
#include "kernel/lib/errors.h"
#include "kernel/log.h"
#include "vmm/core/inject.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/devices/vlapic.h"
#include "vmm/exit/timer_pass.h"
#include "vmm/life/freeze.h"
#include "vmm/life/life.h"
#include "vmm/life/platform.h"

#define RFLAGS_IF BIT64(9)

/* When the next alarm of the vCPU's own clock is due, by the host's TSC. */
static uint64_t own_alarm(const struct vcpu *v)
{
	uint64_t at = vclock_next(&v->clock);

	return at == VCLOCK_NEVER ? UINT64_MAX : at - (uint64_t)v->vm->clock_offset;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static void log_line(void *ctx, const char *text)
{
	log_error("%s: %s", (const char *)ctx, text);
}

/* The processor would not enter: say why in words, then the VM is over. */
COLD static enum run_end entry_refused(struct vcpu *v, const struct vm_exit *e)
{
	vm_set_crash(v->vm, v, "the processor refused the VM entry (%s, 0x%llx)", exit_reason_name(e->reason),
		     (unsigned long long)e->qualification);
	vcpu_hw_explain_failure(v, e, log_line, v->vm->config.name);
	return RUN_CRASHED;
}

/* INIT: the vCPU stops where it is and waits for a start-up IPI (SDM 3 "MP Initialization Protocol Algorithm"). The boot
 * CPU of a real machine would begin at the reset vector instead, where a guest without firmware has nothing: it waits too. */
COLD static void take_init(struct vcpu *v)
{
	vcpu_hw_reset(v, true);
	vlapic_reset(v->lapic, true);
	v->inject.valid = false;
	v->nmi_pending = false;
	v->state = VCPU_WAIT_SIPI;
}

/* SIPI: real mode at vector * 4 KiB. One that comes while the vCPU does not wait for it is ignored. */
COLD static void take_sipi(struct vcpu *v)
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
	uint32_t requests = __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);

	/* What is left undone here is still asked for when the loop comes back. */
	if (requests & VCPU_REQ_PAUSE) {
		vcpu_request(v, requests);
		*end = RUN_YIELD;
		return false;
	}
	if (requests & VCPU_REQ_CLOCK) {
		vm_clock_expire(v->vm);
		requests |= __atomic_exchange_n(&v->requests, 0, __ATOMIC_SEQ_CST);
	}
	if (requests & VCPU_REQ_INIT)
		take_init(v);
	if (requests & VCPU_REQ_SIPI)
		take_sipi(v);
	if (v->state == VCPU_HALTED && vcpu_waking_event(v) != IRQ_NONE)
		v->state = VCPU_RUNNABLE;
	if (v->state != VCPU_RUNNABLE) {
		*end = RUN_HALTED;
		return false;
	}
	/* Another deadline is no event. What came of the old one is one, or the processor has been told. */
	if (requests != VCPU_REQ_TIMER && !vcpu_inject_pending(v, v->irqs)) {
		*end = RUN_CRASHED;
		return false;
	}
	return true;
}

/* Is the boot CPU's own loop wanted, and r the boot CPU? */
static bool is_called_home(const struct runner *r)
{
	return r->cpu == 0 && __atomic_load_n(&r->host->called, __ATOMIC_ACQUIRE) != 0;
}

/* Take the attention word off, and see to what it may be for. What the scheduler wants is its own to find. Returns whether the
 * loop at home is wanted. */
static inline bool serve_attention(struct runner *r)
{
	__atomic_exchange_n(r->attention, 0, __ATOMIC_SEQ_CST);
	runner_serve(r);
	return is_called_home(r);
}

/* Somebody called this CPU, or an interrupt came: is there anything that wants it out of the loop? A call home stays one, for
 * the turn that comes next. */
static bool called_away(struct runner *r, uint64_t now)
{
	if (serve_attention(r)) {
		__atomic_store_n(r->attention, 1, __ATOMIC_RELAXED);
		return true;
	}
	return sched_due(r->sched, now);
}

/* A verdict YIELD. False: leave the loop. */
static bool goes_on(struct runner *r, const struct vm_exit *e)
{
	switch (e->reason) {
	case EXIT_PAUSE:
		sched_yield_to(r->sched, NULL);
		return false;
	case EXIT_EXTERNAL_INTERRUPT:
		return !called_away(r, e->tsc) && r->cpu != 0;
	default:
		return !called_away(r, e->tsc);
	}
}

/* Act on a verdict. False: leave the loop with *end. */
__attribute__((always_inline)) static inline bool obey(struct runner *r, const struct vm_exit *e, enum verdict verdict,
						       enum run_end *end)
{
	struct vcpu *v = r->current;

	switch (verdict) {
	case VERDICT_RESUME:
	case VERDICT_SKIP: /* vcpu_hw_run() has done so */
		return true;
	case VERDICT_WAIT:
		vcpu_hw_skip_to_sleep(v);
		v->state = VCPU_HALTED;
		*end = RUN_HALTED;
		return false;
	case VERDICT_YIELD:
		*end = RUN_YIELD;
		return goes_on(r, e);
	case VERDICT_PAUSE:
		*end = RUN_PAUSED;
		return false;
	case VERDICT_STOP:
		vcpu_hw_skip(v);
		*end = RUN_STOPPED;
		return false;
	case VERDICT_CRASH:
	default:
		*end = RUN_CRASHED;
		return false;
	}
}

/* Until when the guest may run: there is an alarm, somebody else wants to run, or *look has come. */
static uint64_t next_deadline(const struct runner *r, struct vcpu *v, uint64_t slice_end, uint64_t now, uint64_t *look)
{
	uint64_t at = earlier(slice_end, earlier(own_alarm(v), deadline_next(&r->alarms)));

	if (likely(at <= *look))
		return at;
	/* An interrupt would have come in, or does before the next look: not into a guest that its own timer leaves no time. Asked
	 * when half of the time is over. */
	if (*look < now + r->look_ticks / 2 && at > now + r->look_ticks / 16 &&
	    (vcpu_hw_get(v, VCPU_RFLAGS) & RFLAGS_IF))
		*look = now + r->look_ticks;
	return earlier(at, *look);
}

/* A deadline has come: what is due happens. False: the stay is over. */
static bool time_passes(struct runner *r, struct vcpu *v, uint64_t now, uint64_t stay_end)
{
	if (now >= own_alarm(v))
		vclock_expire(&v->clock, now + (uint64_t)v->vm->clock_offset);
	if (now >= deadline_next(&r->alarms))
		runner_alarms_expire(r, now);
	if (now >= stay_end || sched_due(r->sched, now))
		return false;
	vcpu_request(v, VCPU_REQ_TIMER);
	return true;
}

__attribute__((always_inline)) static inline enum run_end stay(struct runner *r, struct vcpu *v, uint64_t now,
							       uint64_t slice_end)
{
	const bool has_timer = vcpu_hw_has_timer();
	uint64_t look = r->cpu == 0 ? now + r->look_ticks : UINT64_MAX;
	uint64_t deadline = earlier(earlier(slice_end, look), earlier(own_alarm(v), deadline_next(&r->alarms)));
	enum run_end end = RUN_YIELD;
	enum verdict verdict;
	int err;

	/* What it waits for may have come. Of one that waits for nothing the deadline has just been reckoned. */
	if (v->state != VCPU_RUNNABLE)
		vcpu_request(v, VCPU_REQ_TIMER);
	else
		__atomic_and_fetch(&v->requests, ~(uint32_t)VCPU_REQ_TIMER, __ATOMIC_RELAXED);
	for (;;) {
		if (unlikely(now >= deadline) && !time_passes(r, v, now, earlier(slice_end, look)))
			return RUN_YIELD;
		if (unlikely(v->requests != 0)) {
			timer_pass_try(v);
			if (!before_entry(v, &end))
				return end;
			deadline = next_deadline(r, v, slice_end, now, &look);
		}
		/* Without a preemption timer it is this CPU's own timer that leaves the guest, by its interrupt. */
		if (unlikely(!has_timer))
			idle_alarm(deadline);
		err = vcpu_hw_run(v, deadline, &verdict);
		now = v->exit.tsc;
		if (unlikely(err == ERR_AGAIN)) {
			if (called_away(r, now))
				return RUN_YIELD;
			continue;
		}
		if (unlikely(err != 0))
			return entry_refused(v, &v->exit);
		if (unlikely(!obey(r, &v->exit, verdict, &end)))
			return end;
	}
}

/* Has one caller here, and is a part of it. */
__attribute__((always_inline)) inline enum run_end vcpu_run(struct runner *r, struct vcpu *v, uint64_t now,
							    uint64_t slice_end)
{
	enum run_end end;

	/* A guest that is left by its own timer now and then need not be left for a look besides. */
	v->loop.renew_ticks = r->renew_ticks;
	vcpu_hw_load(v);
	timer_pass_in(v);
	end = stay(r, v, now, slice_end);
	timer_pass_out(v);
	return end;
}

/* The vCPU has nothing to do. From on_cpu on, others wake it through the scheduler; what they asked before that is seen by
 * the look at its requests, so that no order of the two loses anything. After the next sched_pick() it may be running
 * elsewhere. */
static void block(struct runner *r, struct vcpu *v)
{
	struct vcpu_seat *seat = v->seat;
	uint64_t alarm = earlier(own_alarm(v), timer_pass_due(v));

	r->current = NULL;
	if (alarm != UINT64_MAX)
		runner_alarm_put(r, &seat->alarm, alarm);
	__atomic_store_n(&seat->on_cpu, SEAT_NOWHERE, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&v->requests, __ATOMIC_SEQ_CST) == 0)
		sched_block(r->sched);
}

static inline void run_slice(struct runner *r, struct vcpu *v, uint64_t begin, uint64_t slice_end)
{
	struct vcpu_seat *seat = v->seat;
	enum run_end end;

	runner_alarm_cancel(&seat->alarm);
	runner_fetch(r, v);
	r->current = v;
	__atomic_store_n(&seat->on_cpu, r->cpu, __ATOMIC_SEQ_CST);
	end = vcpu_run(r, v, begin, slice_end);
	v->guest_ticks += rdtsc() - begin;
	if (end == RUN_HALTED) {
		block(r, v);
		return;
	}
	r->current = NULL;
	__atomic_store_n(&seat->on_cpu, SEAT_NOWHERE, __ATOMIC_SEQ_CST);
	if (end != RUN_YIELD)
		vm_end(v->vm, end);
}

/* Nobody wants to run until then. What wakes this CPU mostly is the timer of the one that ran here last: it goes on without
 * the way through queues and the monitor, unless there is more to see to.  Returns it, with *now and *slice, or NULL. */
static struct vcpu *idle(struct runner *r, uint64_t until, uint64_t *now, struct sched_slice *slice)
{
	uint64_t wake = earlier(until, deadline_next(&r->alarms));

	if (wake <= rdtsc() || (r->host->idle_work != NULL && r->host->idle_work()))
		return NULL;
	idle_until(wake);
	/* A monitor that waits says anew until when it can: else that time would end the guest's stay. */
	if (until != UINT64_MAX)
		return NULL;
	*now = rdtsc();
	if (*now < deadline_next(&r->alarms) || __atomic_load_n(r->attention, __ATOMIC_RELAXED) != 0 ||
	    is_called_home(r))
		return NULL;
	return runner_resume_sleeper(r, *now, slice);
}

COLD static bool attend(struct runner *r)
{
	return !serve_attention(r);
}

/* Returns false, with nothing done, when the loop at home is wanted. */
static inline bool runner_turn(struct runner *r, uint64_t until)
{
	struct sched_entity *next;
	struct sched_slice slice;
	struct vcpu *v;
	uint64_t now;

	if (unlikely(__atomic_load_n(r->attention, __ATOMIC_ACQUIRE) != 0) && !attend(r))
		return false;
	now = rdtsc();
	if (unlikely(now >= deadline_next(&r->alarms)))
		runner_alarms_expire(r, now);
	next = sched_pick(r->sched, now, &slice);
	runner_kick_all(r->host, slice.kicks);
	if (likely(next != NULL))
		v = container_of(next, struct vcpu_seat, entity)->vcpu;
	else
		v = idle(r, earlier(until, slice.until), &now, &slice);
	if (v != NULL)
		run_slice(r, v, now, earlier(until, slice.until));
	/* In Bochs a guest that was entered with IF = 0 does not leave for an interrupt, and on real hardware one may have come
	 * since the exit: everything pending is handled here. */
	idle_window();
	return true;
}

/* Take the call home, and see to the VMs whose vCPUs have ended them. */
COLD static void take_call(struct vmm_host *host)
{
	__atomic_store_n(&host->called, 0, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < host->vm_count; i++) {
		struct vm *vm = host->vms[i];

		if (__atomic_load_n(&vm->ended, __ATOMIC_ACQUIRE) != RUN_YIELD)
			vm_see_to_end(host, vm);
	}
}

/* Turns of a CPU: one, or as many as there are before the loop at home is wanted. */
__attribute__((noinline)) static void turns(struct runner *r, uint64_t until, bool one)
{
	while (runner_turn(r, until) && !one && until == UINT64_MAX)
		;
}

/* The step follows, and may take long: who has halted sleeps meanwhile, and can wake on another CPU. */
static bool prepare_step(struct vmm_host *host, struct runner *r)
{
	bool called = is_called_home(r);

	if (r->sched->blocking)
		runner_kick_all(host, sched_put(r->sched, rdtsc()));
	if (called)
		take_call(host);
	return called;
}

bool host_turn(struct vmm_host *host, uint64_t step_deadline)
{
	struct runner *r = &host->runners[0];

	turns(r, step_deadline, true);
	return (is_called_home(r) || step_deadline != UINT64_MAX) && prepare_step(host, r);
}

/* The step follows the call, and so finds whatever it was for. One that asks to be called by a certain time has something
 * to look at. */
_Noreturn void host_loop(struct vmm_host *host, uint64_t (*step)(void *ctx), void *ctx)
{
	struct runner *r = &host->runners[0];

	for (;;) {
		turns(r, step(ctx), false);
		(void)prepare_step(host, r);
	}
}

_Noreturn void runner_loop(struct runner *r)
{
	runner_set_here(r);
	for (;;)
		turns(r, UINT64_MAX, false);
}
