/* The run loop with scripted exits: verdicts, what goes in again, sleeping and waking, time, and who runs next. */
#include "tests/unit/vm_fixture.h"

#include "vmm/life/inspect.h"
#include "vmm/life/transitions.h"

#define FOREVER UINT64_MAX
#define FAR (UINT64_MAX / 4)

static struct vm *vm;
static struct vcpu *v;
static uint64_t look_ticks;

/* One stay of a vCPU in its loop, as a turn of the CPU would have it, but until a time of the test's choice. */
static enum run_end run(struct vcpu *cpu, uint64_t until)
{
	struct sched_slice slice;
	enum run_end end;

	(void)sched_wake(&cpu->seat->entity, rdtsc());
	while (sched_pick(fx_runner->sched, rdtsc(), &slice) != &cpu->seat->entity)
		sched_block(fx_runner->sched);
	fx_runner->sched->until = until;
	fx_runner->look_ticks = look_ticks;
	fx_runner->renew_ticks = look_ticks / 2;
	fx_runner->current = cpu;
	cpu->seat->on_cpu = 0;
	end = vcpu_run(fx_runner, cpu, rdtsc(), until);
	cpu->seat->on_cpu = SEAT_NOWHERE;
	fx_runner->current = NULL;
	if (end == RUN_HALTED) {
		sched_block(fx_runner->sched);
		assert_int_equal(sched_put(fx_runner->sched, rdtsc()), 0);
	}
	return end;
}

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_on_idle = NULL;
	look_ticks = UINT64_MAX / 2;
	fx_image();
	vm = fx_vm("a", "2");
	v = vm->vcpus[0];
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_ET);
	/* The second CPU waits to be started. */
	if (run(vm->vcpus[1], UINT64_MAX) != RUN_HALTED)
		return -1;
	(void)sched_wake(&v->seat->entity, rdtsc());
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static void turns(unsigned n)
{
	while (n-- > 0)
		host_turn(&fx_host, FOREVER);
}

static void will_exit(struct vcpu *cpu, const struct vm_exit *e)
{
	fake_vcpu_add_exit(cpu, e, 0);
}

static void will_exit_for(struct vcpu *cpu, uint32_t reason)
{
	struct vm_exit e = {.reason = reason, .rip = 0x100000, .tsc = rdtsc()};

	will_exit(cpu, &e);
}

static void will_halt(struct vcpu *cpu)
{
	will_exit_for(cpu, EXIT_HLT);
}

/* Device time: an alarm that delivers a vector. */
static void deliver_40(void *ctx)
{
	assert_true(vlapic_deliver(ctx, 0, 0x40, false));
}

static struct valarm alarm_40;

static void arm_40_on(struct vclock *clock, uint64_t from_now)
{
	alarm_40 = (struct valarm){.fire = deliver_40, .ctx = v->lapic};
	vclock_arm(clock, &alarm_40, vclock_now(clock) + from_now);
}

static void arm_40(uint64_t from_now)
{
	arm_40_on(&vm->clock, from_now);
}

/* --- verdicts --- */

static void test_skip_moves_rip_and_goes_on(void **state)
{
	(void)state;
	will_exit_for(v, EXIT_CPUID);
	will_halt(v);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	assert_int_equal(v->hw->enters, 2);
	assert_int_equal(v->hw->skips, 2);
	assert_int_equal(vcpu_hw_get(v, VCPU_RIP), 0x100002);
	assert_int_equal(v->state, VCPU_HALTED);
	assert_int_equal(v->exit_counts[EXIT_CPUID], 1);
}

static void test_a_fault_leaves_rip_and_goes_in(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RIP, 0x100000);
	will_exit_for(v, EXIT_VMXON);
	will_exit_for(v, EXIT_EXTERNAL_INTERRUPT);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(vcpu_hw_get(v, VCPU_RIP), 0x100000);
	assert_true(v->hw->last_inject.valid);
	assert_int_equal(v->hw->last_inject.vector, 6);
	assert_int_equal(fake_machine.host_events, 1);
}

static void test_yielding_exits(void **state)
{
	(void)state;
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->skips, 0);
}

static void test_slice_end(void **state)
{
	struct vm_exit e = {.reason = EXIT_CPUID, .rip = 0x100000};

	(void)state;
	assert_int_equal(run(v, 1), RUN_YIELD); /* it is over already */
	assert_int_equal(v->hw->enters, 0);
	e.tsc = FAR;
	will_exit(v, &e);
	assert_int_equal(run(v, FAR), RUN_YIELD);
	assert_int_equal(v->hw->enters, 1);
	assert_true(v->hw->last_deadline == FAR);
	assert_int_equal(vcpu_hw_get(v, VCPU_RIP), 0x100002); /* the exit was handled all the same */
}

static void test_power_off_stops(void **state)
{
	struct vm_exit e = {.reason = EXIT_IO, .rip = 0x100000};

	(void)state;
	e.io.port = VACPI_PM1_CNT;
	e.io.access = 1;                                /* two bytes, out */
	v->gpr[GPR_RAX] = 0x2000 | VACPI_S5_TYPE << 10; /* SLP_EN */
	will_exit(v, &e);
	assert_int_equal(run(v, FOREVER), RUN_STOPPED);
	assert_int_equal(vm->request, VM_REQUEST_POWEROFF);
}

static void test_crash(void **state)
{
	(void)state;
	will_exit_for(v, EXIT_TRIPLE_FAULT);
	assert_int_equal(run(v, FOREVER), RUN_CRASHED);
	assert_non_null(strstr(vm->crash, "triple fault"));
}

static void test_refused_entry_is_a_crash(void **state)
{
	struct vm_exit e = {.reason = EXIT_BAD_GUEST_STATE, .qualification = 4};

	(void)state;
	fake_vcpu_add_exit(v, &e, ERR_FAULT);
	assert_int_equal(run(v, FOREVER), RUN_CRASHED);
	assert_non_null(strstr(vm->crash, "refused"));
}

/* --- events that were cut off --- */

static struct vm_exit cut_off(uint32_t reason, uint8_t type, uint8_t vector)
{
	struct vm_exit e = {.reason = reason, .rip = 0x100000, .tsc = rdtsc()};

	e.vectoring = (struct event){.valid = true, .vector = vector, .type = type};
	return e;
}

static void test_a_cut_off_event_goes_in_again(void **state)
{
	struct vm_exit e = cut_off(EXIT_PREEMPTION_TIMER, EVENT_SOFTWARE_INTERRUPT, 0x80);

	(void)state;
	e.vectoring.insn_len = 2;
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 2);
	assert_true(v->hw->last_inject.valid);
	assert_int_equal(v->hw->last_inject.vector, 0x80);
	assert_int_equal(v->hw->last_inject.type, EVENT_SOFTWARE_INTERRUPT);
	assert_int_equal(v->hw->last_inject.insn_len, 2);
}

static void test_it_survives_a_yield(void **state)
{
	struct vm_exit e = cut_off(EXIT_EXTERNAL_INTERRUPT, EVENT_EXCEPTION, 14);

	(void)state;
	e.vectoring.has_error = true;
	e.vectoring.error = 2;
	will_exit(v, &e);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->last_inject.vector, 14);
	assert_int_equal(v->hw->last_inject.error, 2);
}

static void test_it_goes_before_an_interrupt(void **state)
{
	struct vm_exit e = cut_off(EXIT_PREEMPTION_TIMER, EVENT_EXTERNAL_INTERRUPT, 0x31);

	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	will_exit(v, &e);
	will_exit_for(v, EXIT_INTERRUPT_WINDOW);
	will_exit_for(v, EXIT_PAUSE);
	arm_40(0); /* fires before the first entry, but must not be the one that is lost */
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 3);
	/* 40H went in at the first entry, 31H (cut off) at the second, nothing at the third. */
	assert_int_equal(inspect_interrupts(v), 1);
	assert_false(v->hw->last_inject.valid);
}

static void test_fault_on_fault(void **state)
{
	struct vm_exit e = cut_off(EXIT_RDMSR, EVENT_EXCEPTION, 14);

	(void)state;
	v->gpr[GPR_RCX] = 0xdead; /* #GP while #PF was delivered: a double fault */
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->last_inject.vector, 8);
	e = cut_off(EXIT_RDMSR, EVENT_EXCEPTION, 8); /* and one more is the end */
	will_exit(v, &e);
	assert_int_equal(run(v, FOREVER), RUN_CRASHED);
	assert_non_null(strstr(vm->crash, "triple fault"));
}

/* --- sleeping and waking --- */

static void interrupt_arrives(struct vcpu *cpu)
{
	cpu->hw->on_enter = NULL;
	deliver_40(cpu->lapic);
}

static void test_halt_with_an_interrupt_due(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	v->hw->on_enter = interrupt_arrives;
	will_halt(v);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD); /* did not sleep */
	assert_int_equal(v->state, VCPU_RUNNABLE);
	assert_int_equal(v->hw->last_inject.vector, 0x40);
	assert_int_equal(vcpu_hw_get(v, VCPU_RIP), 0x100002); /* the handler returns behind HLT */
}

static void test_halted_wakes_by_an_alarm(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	will_halt(v);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	arm_40(0);
	will_exit_for(v, EXIT_PAUSE);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(v->hw->enters, 2);
	assert_int_equal(v->hw->last_inject.vector, 0x40);
	assert_int_equal(fx_idles, 0);
	assert_int_equal(fx_windows, 1);
}

static void test_halted_with_interrupts_off_sleeps_on(void **state)
{
	uint64_t at;

	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 2);
	will_halt(v);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	deliver_40(v->lapic);
	arm_40(100 * FX_TSC_HZ);
	at = alarm_40.at - (uint64_t)vm->clock_offset;
	turns(2); /* it is woken, and sleeps on */
	assert_int_equal(v->hw->enters, 1);
	assert_int_equal(fx_idles, 1);
	assert_true(fx_idle_until == at); /* the VM's clock in host time */
	host_turn(&fx_host, at - 5);
	assert_true(fx_idle_until == at - 5); /* the step's wish comes first */
	v->nmi_pending = true;
	vcpu_notify(v, VCPU_REQ_EVENT);
	will_exit_for(v, EXIT_PAUSE);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(v->hw->last_inject.type, EVENT_NMI);
}

/* A processor without preemption timer leaves its guest by the interrupt of the CPU's own timer. */
static void test_without_a_timer_the_cpus_own_is_armed(void **state)
{
	(void)state;
	fx_idle_alarm = 0;
	will_halt(v);
	assert_int_equal(run(v, FOREVER - 7), RUN_HALTED);
	assert_true(fx_idle_alarm == 0);
	fake_machine.has_timer = false;
	v->state = VCPU_RUNNABLE;
	will_halt(v);
	assert_int_equal(run(v, FOREVER - 7), RUN_HALTED);
	fake_machine.has_timer = true;
	assert_true(fx_idle_alarm == v->hw->last_deadline && fx_idle_alarm != 0);
}

static unsigned work_left;

static bool idle_work(void)
{
	return work_left > 0 && work_left-- > 0;
}

/* One piece a turn, so that whoever wakes up meanwhile does not wait for all of it; then sleep. */
static void test_an_idle_cpu_works(void **state)
{
	(void)state;
	will_halt(v);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	fx_host.idle_work = idle_work;
	work_left = 2;
	host_turn(&fx_host, FOREVER);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(work_left, 0);
	assert_int_equal(fx_idles, 0);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(fx_idles, 1);
}

static void test_nobody_can_run_and_nothing_is_due(void **state)
{
	(void)state;
	will_halt(v);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	host_turn(&fx_host, FOREVER);
	assert_true(fx_idle_until == FOREVER);
	host_turn(&fx_host, 1); /* a deadline that has passed: no sleep at all */
	assert_int_equal(fx_idles, 1);
}

/* --- alarms while running --- */

static void test_alarm_bounds_the_entry_and_fires(void **state)
{
	struct vm_exit e = {.reason = EXIT_PREEMPTION_TIMER, .rip = 0x100000};
	uint64_t at;

	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	arm_40(1000 * FX_TSC_HZ);
	at = alarm_40.at - (uint64_t)vm->clock_offset;
	e.tsc = at; /* so late it is, says the exit */
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 2);
	assert_int_equal(v->hw->last_inject.vector, 0x40);
	assert_true(v->hw->last_deadline > at); /* no alarm is left */
}

static void test_alarm_not_a_tick_early(void **state)
{
	struct vm_exit e = {.reason = EXIT_PREEMPTION_TIMER, .rip = 0x100000};

	(void)state;
	arm_40(1000 * FX_TSC_HZ);
	e.tsc = alarm_40.at - (uint64_t)vm->clock_offset - 1;
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_true(alarm_40.armed);
	assert_true(v->hw->last_deadline == e.tsc + 1);
}

/* One that has been taken out of the queue as due fires, even if this CPU's clock shows an earlier time; one that somebody
 * has set anew before we had the lock does not, and stays armed. */
static void test_a_board_alarm_fires_when_its_time_has_come(void **state)
{
	struct deadline *alarm = &vm->platform->alarm;

	(void)state;
	arm_40(1000 * FX_TSC_HZ);
	assert_true(deadline_armed(alarm));
	vm_clock_expire(vm);
	assert_true(alarm_40.armed);
	assert_true(deadline_armed(alarm));
	runner_alarm_cancel(alarm);
	vm_clock_expire(vm);
	assert_false(alarm_40.armed);
	assert_false(deadline_armed(alarm));
}

/* A deadline that is another one makes nobody ask the interrupt controllers. */
static void test_another_deadline_is_no_event(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	will_exit_for(v, EXIT_PREEMPTION_TIMER);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	v->hw->irq_window = true; /* whoever asks them closes it */
	will_exit_for(v, EXIT_PREEMPTION_TIMER);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_true(v->hw->irq_window);
	vcpu_request(v, VCPU_REQ_TIMER | VCPU_REQ_EVENT);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_false(v->hw->irq_window);
}

/* The vCPU's own clock (its APIC timer's) counts like the VM's. */
static void test_own_alarm_bounds_the_entry_and_fires(void **state)
{
	struct vm_exit e = {.reason = EXIT_PREEMPTION_TIMER, .rip = 0x100000};

	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	arm_40_on(&v->clock, 1000 * FX_TSC_HZ);
	e.tsc = alarm_40.at - (uint64_t)vm->clock_offset;
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 2);
	assert_false(alarm_40.armed);
	assert_int_equal(v->hw->last_inject.vector, 0x40);
}

static void test_own_alarm_wakes_and_bounds_the_idle_time(void **state)
{
	uint64_t at;

	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	arm_40_on(&v->clock, FX_TSC_HZ / 20);
	at = alarm_40.at - (uint64_t)vm->clock_offset;
	will_halt(v);
	turns(1);
	assert_int_equal(v->state, VCPU_HALTED);
	turns(1);
	if (fx_idles == 1)
		assert_true(fx_idle_until == at);
	while (rdtsc() < at)
		;
	will_exit_for(v, EXIT_PAUSE);
	turns(1);
	assert_int_equal(v->hw->enters, 2);
	assert_int_equal(v->hw->last_inject.vector, 0x40);
	assert_false(deadline_armed(&v->seat->alarm));
}

/* All-ones is how some say "never": it must not come out as a deadline that has passed. */
static void test_a_deadline_of_never_leaves_the_slice_alone(void **state)
{
	uint64_t begin = rdtsc();

	(void)state;
	vlapic_mmio_write(v->lapic, LAPIC_SVR, 4, LAPIC_SVR_ENABLE | 0xff);
	vlapic_mmio_write(v->lapic, LAPIC_LVT_TIMER, 4, LAPIC_LVT_TIMER_TSC_DEADLINE | 0x40);
	assert_int_equal(vlapic_msr_write(v->lapic, MSR_IA32_TSC_DEADLINE_INDEX, UINT64_MAX), 0);
	will_exit_for(v, EXIT_PAUSE);
	turns(1);
	assert_int_equal(v->hw->enters, 1);
	assert_true(v->hw->last_deadline > begin);
}

static void guest_sti(struct vcpu *cpu)
{
	vcpu_hw_set(cpu, VCPU_RFLAGS, 0x202);
}

/* Alone, with its interrupts off, the guest leaves the boot CPU for its look at the monitor; as long as IF is seen set in
 * between it does not, and on another CPU it never does. */
static void test_the_boot_cpu_looks(void **state)
{
	struct vm_exit e = {.reason = EXIT_PREEMPTION_TIMER, .rip = 0x100000};
	uint64_t first;

	(void)state;
	look_ticks = 100 * FX_TSC_HZ;
	vcpu_hw_set(v, VCPU_RFLAGS, 2);
	will_exit_for(v, EXIT_PREEMPTION_TIMER);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_true(v->hw->last_deadline <= rdtsc() + look_ticks);
	will_exit_for(v, EXIT_PREEMPTION_TIMER);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	first = v->hw->last_deadline;
	e.tsc = first; /* it has come */
	will_exit(v, &e);
	assert_int_equal(run(v, first), RUN_YIELD);
	e.tsc = rdtsc() + look_ticks / 2 + FX_TSC_HZ; /* asked when half of the time is over, not before */
	v->hw->on_enter = guest_sti;
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_true(v->hw->last_deadline == e.tsc + look_ticks);
	fx_runner->cpu = 1;
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	fx_runner->cpu = 0;
	assert_true(v->hw->last_deadline == FOREVER);
}

static void guest_sti_and_arm(struct vcpu *cpu)
{
	guest_sti(cpu);
	vcpu_request(cpu, VCPU_REQ_TIMER);
}

/* IF says little of a guest whose own timer comes before it has executed anything: the look stays where it was. */
static void test_the_boot_cpu_looks_at_a_guest_that_its_timer_holds(void **state)
{
	struct vm_exit e = {.reason = EXIT_PREEMPTION_TIMER, .rip = 0x100000};

	(void)state;
	look_ticks = 100 * FX_TSC_HZ;
	vcpu_hw_set(v, VCPU_RFLAGS, 2);
	arm_40_on(&v->clock, 101 * FX_TSC_HZ);
	e.tsc = alarm_40.at - (uint64_t)vm->clock_offset - 3 * FX_TSC_HZ;
	v->hw->on_enter = guest_sti_and_arm;
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 2);
	assert_true(v->hw->last_deadline <= rdtsc() + look_ticks);
}

static void guest_calls_home(struct vcpu *cpu)
{
	__atomic_store_n(&cpu->vm->host->called, 1, __ATOMIC_SEQ_CST);
}

static void sleep_until(uint64_t tsc)
{
	while (rdtsc() < tsc)
		;
}

static void sleep_and_be_called(uint64_t tsc)
{
	sleep_until(tsc);
	fx_attention[0] = 1;
}

/* Alone on its CPU, a vCPU that its timer wakes goes on in the very turn that it slept through; beside somebody else, or when
 * the CPU is called meanwhile, it takes the long way. */
static void test_a_sleeper_goes_on_where_it_slept(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	fx_on_idle = sleep_until;
	for (unsigned i = 0; i < 3; i++) {
		arm_40_on(&v->clock, FX_TSC_HZ / 100);
		will_halt(v);
		turns(1);
		assert_int_equal(v->state, VCPU_HALTED);
		assert_true(fx_runner->sched->blocking);
		fx_on_idle = i == 1 ? sleep_and_be_called : sleep_until;
		if (i == 2)
			assert_int_equal(sched_group_set(&vm->platform->group, 256, 50), 0);
		will_exit_for(v, EXIT_PAUSE);
		turns(1);
		if (i > 0) {
			assert_int_equal(v->hw->enters, 2 * i + 1);
			turns(1);
		}
		assert_int_equal(v->hw->enters, 2 * i + 2);
		assert_int_equal(v->hw->last_inject.vector, 0x40);
		assert_int_equal(v->seat->entity.state, SCHED_RUNNING);
		assert_false(deadline_armed(&v->seat->alarm));
		(void)vlapic_reset(v->lapic, false);
		vlapic_set_virtual_wire(v->lapic);
	}
	fx_on_idle = NULL;
}

/* A monitor that waits is asked first, so that its time does not end the stay of a guest that has just woken. */
static void test_a_waiting_monitor_comes_first(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	fx_on_idle = sleep_until;
	arm_40_on(&v->clock, FX_TSC_HZ / 100);
	will_halt(v);
	turns(1);
	will_exit_for(v, EXIT_PAUSE);
	host_turn(&fx_host, rdtsc() + FX_TSC_HZ);
	assert_int_equal(v->hw->enters, 1);
	host_turn(&fx_host, rdtsc() + FX_TSC_HZ);
	assert_int_equal(v->hw->enters, 2);
	fx_on_idle = NULL;
}

/* Who halts in the turn before the monitor's step sleeps during that: the step is not its time, and it can wake elsewhere. */
static void test_a_step_is_nobodys_time(void **state)
{
	(void)state;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
	for (unsigned called = 0; called < 2; called++) {
		vcpu_notify(v, VCPU_REQ_TIMER);
		v->state = VCPU_RUNNABLE;
		will_halt(v);
		if (called)
			v->hw->on_enter = guest_calls_home;
		assert_int_equal(host_turn(&fx_host, called ? FOREVER : rdtsc() + FX_TSC_HZ), called);
		assert_int_equal(v->state, VCPU_HALTED);
		assert_int_equal(v->seat->entity.state, SCHED_BLOCKED);
		assert_null(fx_runner->sched->current);
	}
}

/* --- requests --- */

static void test_pause_request_keeps_the_others(void **state)
{
	(void)state;
	v->nmi_pending = true;
	vcpu_request(v, VCPU_REQ_PAUSE | VCPU_REQ_EVENT);
	turns(4);
	assert_int_equal(v->hw->enters, 0);
	assert_true(v->requests & VCPU_REQ_EVENT);
	assert_int_equal(vm_pause(vm, fx_why), 0);
	turns(4);
	assert_int_equal(v->hw->enters, 0);
	assert_int_equal(vm_resume(vm, fx_why), 0);
	will_exit_for(v, EXIT_PAUSE);
	turns(2);
	assert_int_equal(v->hw->last_inject.type, EVENT_NMI);
}

/* The word is looked at in the last moment before an entry; the entry then turns back. */
static void test_a_call_makes_the_entry_turn_back(void **state)
{
	struct vm_exit e = {.reason = EXIT_CPUID, .tsc = rdtsc()};

	(void)state;
	fake_vcpu_add_exit(v, &e, ERR_AGAIN); /* for nothing: goes on */
	fake_vcpu_add_exit(v, &e, ERR_AGAIN);
	fx_attention[0] = 1;
	v->hw->on_enter = NULL;
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 3);
	assert_int_equal(v->exit_counts[EXIT_CPUID], 0);
	assert_int_equal(fx_attention[0], 0);
}

static void want_the_cpu(struct vcpu *cpu)
{
	cpu->hw->on_enter = NULL;
	fx_runner->sched->kicked = 1;
}

static void test_a_call_of_the_scheduler_ends_the_stay(void **state)
{
	struct vm_exit e = {.reason = EXIT_EXCEPTION_NMI, .tsc = rdtsc()};

	(void)state;
	e.event = (struct event){.valid = true, .vector = 2, .type = EVENT_NMI};
	will_exit(v, &e); /* a kick with nothing behind it */
	will_exit_for(v, EXIT_CPUID);
	v->hw->on_enter = NULL;
	will_exit(v, &e);
	will_exit_for(v, EXIT_PAUSE);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 4);
	v->hw->on_enter = want_the_cpu;
	will_exit(v, &e);
	assert_int_equal(run(v, FOREVER), RUN_YIELD);
	assert_int_equal(v->hw->enters, 5);
}

/* Who runs elsewhere is called out of its guest, once for the same wish; that CPU is left to look for nothing else. */
static void test_a_notice_goes_where_the_vcpu_runs(void **state)
{
	(void)state;
	memset(fx_attention, 0, sizeof(fx_attention));
	v->requests = 0;
	v->seat->on_cpu = 1;
	vcpu_notify(v, VCPU_REQ_EVENT);
	vcpu_notify(v, VCPU_REQ_EVENT);
	assert_int_equal(v->requests, VCPU_REQ_EVENT);
	assert_int_equal(fx_guest_kicks[1], 1);
	vcpu_notify(v, VCPU_REQ_EVENT | VCPU_REQ_CLOCK);
	assert_int_equal(fx_guest_kicks[1], 2);
	assert_int_equal(fx_attention[1], 0);
	/* This CPU is on its way out of it, or into it. */
	v->seat->on_cpu = 0;
	vcpu_notify(v, VCPU_REQ_TIMER);
	assert_int_equal(fx_attention[0], 1);
	/* It is run here: nothing but the request is needed. */
	fx_attention[0] = 0;
	fx_runner->current = v;
	vcpu_notify(v, VCPU_REQ_SIPI);
	fx_runner->current = NULL;
	v->seat->on_cpu = SEAT_NOWHERE;
	assert_true(v->requests & VCPU_REQ_SIPI);
	assert_int_equal(fx_attention[0], 0);
	assert_int_equal(fx_guest_kicks[0] + fx_kicks[0] + fx_kicks[1], 0);
	/* Nobody runs it, and the scheduler does not know it: the bits alone are left. */
	v->requests = 0;
	v->seat->added = false;
	vcpu_notify(v, VCPU_REQ_EVENT);
	v->seat->added = true;
	assert_int_equal(v->requests, VCPU_REQ_EVENT);
	assert_int_equal(fx_guest_kicks[0] + fx_kicks[0] + fx_attention[0], 0);
	v->requests = 0;
}

/* --- INIT and SIPI --- */

static void test_sipi_starts_a_waiting_cpu(void **state)
{
	struct vcpu *ap = vm->vcpus[1];
	struct segment cs;

	(void)state;
	will_halt(v);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	assert_int_equal(ap->state, VCPU_WAIT_SIPI);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(ap->hw->enters, 0);
	ap->sipi_vector = 0x9a;
	vcpu_notify(ap, VCPU_REQ_INIT | VCPU_REQ_SIPI);
	will_exit_for(ap, EXIT_PAUSE);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(ap->hw->enters, 1);
	assert_int_equal(ap->hw->inits, 1);
	vcpu_hw_get_segment(ap, SEG_CS, &cs);
	assert_int_equal(cs.selector, 0x9a00);
	assert_int_equal(cs.base, 0x9a000);
	assert_int_equal(vcpu_hw_get(ap, VCPU_RIP), 0);
	/* A second SIPI, as Linux sends it, changes nothing. */
	vcpu_notify(ap, VCPU_REQ_SIPI);
	vcpu_hw_set(ap, VCPU_RIP, 0x77);
	will_exit_for(ap, EXIT_PAUSE);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(ap->hw->enters, 2);
	assert_int_equal(vcpu_hw_get(ap, VCPU_RIP), 0x77);
}

static void test_init_takes_a_running_cpu_away(void **state)
{
	(void)state;
	v->inject = (struct event){.valid = true, .vector = 13, .type = EVENT_EXCEPTION};
	vcpu_request(v, VCPU_REQ_INIT);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	assert_int_equal(v->state, VCPU_WAIT_SIPI);
	assert_false(v->inject.valid);
	v->sipi_vector = 1;
	vcpu_notify(v, VCPU_REQ_SIPI);
	will_exit_for(v, EXIT_PAUSE);
	host_turn(&fx_host, FOREVER);
	assert_int_equal(v->hw->enters, 1);
}

static void test_a_stray_sipi_is_not_kept(void **state)
{
	(void)state;
	will_halt(v);
	assert_int_equal(run(v, FOREVER), RUN_HALTED);
	vcpu_notify(v, VCPU_REQ_SIPI);
	turns(3);
	assert_int_equal(v->state, VCPU_HALTED);
	vcpu_notify(v, VCPU_REQ_INIT);
	turns(3);
	assert_int_equal(v->state, VCPU_WAIT_SIPI); /* the SIPI from before does not start it */
	turns(3);
	assert_int_equal(v->hw->enters, 1);
}

/* --- several VMs --- */

static void test_turns_go_round(void **state)
{
	struct vm *b = fx_vm("b", "1"), *c = fx_vm("c", "1");
	struct vcpu *all[] = {v, b->vcpus[0], c->vcpus[0]};

	(void)state;
	for (unsigned i = 0; i < 3; i++)
		for (unsigned k = 0; k < 13; k++)
			will_exit_for(all[i], EXIT_PAUSE);
	turns(12);
	for (unsigned i = 0; i < 3; i++)
		assert_in_range(all[i]->hw->enters, 3, 5);
}

static void test_cpus_of_a_vm_go_round(void **state)
{
	struct vcpu *ap = vm->vcpus[1];

	(void)state;
	ap->state = VCPU_RUNNABLE;
	(void)sched_wake(&ap->seat->entity, rdtsc());
	for (unsigned k = 0; k < 9; k++) {
		will_exit_for(v, EXIT_PAUSE);
		will_exit_for(ap, EXIT_PAUSE);
	}
	turns(8);
	assert_in_range(v->hw->enters, 3, 5);
	assert_int_equal(v->hw->enters + ap->hw->enters, 8);
}

static void test_a_crash_is_its_own(void **state)
{
	struct vm *b = fx_vm("b", "1");

	(void)state;
	will_exit_for(v, EXIT_TRIPLE_FAULT);
	for (unsigned i = 0; i < 4; i++)
		will_exit_for(b->vcpus[0], EXIT_PAUSE);
	turns(3);
	assert_int_equal(vm->state, VM_CRASHED);
	assert_int_equal(vm->crashes, 1);
	assert_int_equal(b->state, VM_RUNNING);
	assert_int_equal(b->vcpus[0]->hw->enters, 2);
}

static void test_time_in_the_guest_is_counted(void **state)
{
	(void)state;
	will_exit_for(v, EXIT_PAUSE);
	host_turn(&fx_host, FOREVER);
	assert_true(v->guest_ticks > 0);
	assert_true(v->guest_ticks < 100 * FX_TSC_HZ);
}

static void test_slice_ends_at_the_steps_wish(void **state)
{
	uint64_t wish = rdtsc() + FX_TSC_HZ / 1000000;

	(void)state;
	will_exit_for(v, EXIT_PAUSE);
	host_turn(&fx_host, FOREVER);
	assert_true(v->hw->last_deadline > rdtsc() + 100 * FX_TSC_HZ); /* it is alone */
	wish = rdtsc() + FX_TSC_HZ / 200;
	will_exit_for(v, EXIT_PAUSE);
	host_turn(&fx_host, wish);
	assert_true(v->hw->last_deadline == wish);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_skip_moves_rip_and_goes_on),
		T(test_a_fault_leaves_rip_and_goes_in),
		T(test_yielding_exits),
		T(test_slice_end),
		T(test_power_off_stops),
		T(test_crash),
		T(test_refused_entry_is_a_crash),
		T(test_a_cut_off_event_goes_in_again),
		T(test_it_survives_a_yield),
		T(test_it_goes_before_an_interrupt),
		T(test_fault_on_fault),
		T(test_halt_with_an_interrupt_due),
		T(test_halted_wakes_by_an_alarm),
		T(test_halted_with_interrupts_off_sleeps_on),
		T(test_nobody_can_run_and_nothing_is_due),
		T(test_an_idle_cpu_works),
		T(test_without_a_timer_the_cpus_own_is_armed),
		T(test_alarm_bounds_the_entry_and_fires),
		T(test_alarm_not_a_tick_early),
		T(test_a_board_alarm_fires_when_its_time_has_come),
		T(test_another_deadline_is_no_event),
		T(test_own_alarm_bounds_the_entry_and_fires),
		T(test_own_alarm_wakes_and_bounds_the_idle_time),
		T(test_a_deadline_of_never_leaves_the_slice_alone),
		T(test_the_boot_cpu_looks),
		T(test_the_boot_cpu_looks_at_a_guest_that_its_timer_holds),
		T(test_a_sleeper_goes_on_where_it_slept),
		T(test_a_waiting_monitor_comes_first),
		T(test_a_step_is_nobodys_time),
		T(test_pause_request_keeps_the_others),
		T(test_a_call_makes_the_entry_turn_back),
		T(test_a_call_of_the_scheduler_ends_the_stay),
		T(test_a_notice_goes_where_the_vcpu_runs),
		T(test_sipi_starts_a_waiting_cpu),
		T(test_init_takes_a_running_cpu_away),
		T(test_a_stray_sipi_is_not_kept),
		T(test_turns_go_round),
		T(test_cpus_of_a_vm_go_round),
		T(test_a_crash_is_its_own),
		T(test_time_in_the_guest_is_counted),
		T(test_slice_ends_at_the_steps_wish),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
