/* The guest's deadline in the processor's timer: when it may be there, that it is in one place at a time, and that of every order
 * of firing, exits and writes comes one interrupt, not none and not two. */
#include "tests/unit/vm_fixture.h"

#include "arch/x86/msr.h"
#include "vmm/exit/dispatch.h"
#include "vmm/exit/timer_pass.h"
#include "vmm/exit/tsc.h"

#define VECTOR 0x41u
#define LVT (LAPIC_LVT_TIMER_TSC_DEADLINE | VECTOR)
#define LATER (1000 * FX_TSC_HZ)

static struct vm *vm;
static struct vcpu *v;
static struct fake_machine *const cpu = &fake_machine;

static void lvt(uint32_t value)
{
	vlapic_mmio_write(v->lapic, LAPIC_LVT_TIMER, 4, value);
}

/* By an exit. */
static void arm(uint64_t deadline)
{
	assert_int_equal(vlapic_msr_write(v->lapic, MSR_TSC_DEADLINE, deadline), 0);
}

/* The vector in IRR: taken out of there, so that the next one shows. */
static bool came(void)
{
	if (vlapic_pending(v->lapic) != (int)VECTOR)
		return false;
	vlapic_take(v->lapic, VECTOR);
	vlapic_eoi(v->lapic);
	return true;
}

static int setup(void **state)
{
	(void)state;
	cpu->timer_can_pass = true;
	cpu->timer_deadline = 0;
	cpu->timer_came = cpu->timer_pending = false;
	cpu->on_timer_access = NULL;
	fx_host_init();
	fx_image();
	vm = fx_vm("a", "1");
	v = vm->vcpus[0];
	fx_runner->current = v;
	vlapic_mmio_write(v->lapic, LAPIC_SVR, 4, LAPIC_SVR_ENABLE | 0xff);
	lvt(LVT);
	vcpu_hw_load(v);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cpu->timer_can_pass = false;
	cpu->on_timer_access = NULL;
	fx_runner->current = NULL;
	fx_host_destroy();
	return 0;
}

/* A deadline far away is the guest's, in the MSR. */
static uint64_t begin(void)
{
	uint64_t at = rdtsc() + LATER;

	arm(at);
	timer_pass_try(v);
	assert_true(v->pass.on && v->pass.live && v->hw->passes_timer);
	assert_true(cpu->timer_deadline == at);
	assert_true(vclock_next(&v->clock) == VCLOCK_NEVER);
	return at;
}

/* The timer fires: SDM 3 "TSC-Deadline Mode". */
static void fires(void)
{
	cpu->timer_deadline = 0;
	cpu->timer_pending = true;
}

static void external_interrupt(enum verdict expected)
{
	struct vm_exit e = {.reason = EXIT_EXTERNAL_INTERRUPT};

	assert_int_equal(exit_dispatch(v, &e), expected);
}

/* --- when --- */

static void expect_off(void)
{
	arm(rdtsc() + LATER);
	timer_pass_try(v);
	assert_false(v->pass.on || v->hw->passes_timer);
	assert_true(cpu->timer_deadline == 0);
	assert_true(vclock_next(&v->clock) != VCLOCK_NEVER);
	arm(0);
}

static void test_it_waits_for_its_conditions(void **state)
{
	(void)state;
	timer_pass_try(v);
	assert_false(v->pass.on); /* nothing is set */
	lvt(LVT | LAPIC_LVT_MASKED);
	expect_off();
	lvt(LVT);
	v->tsc_adjust = 5;
	vcpu_tsc_changed(v);
	expect_off();
	v->tsc_adjust = 0;
	vcpu_tsc_changed(v);
	v->pass.possible = false;
	expect_off();
	v->pass.possible = true;
	begin();
}

static void test_one_shot_and_periodic_stay(void **state)
{
	(void)state;
	lvt(LAPIC_LVT_TIMER_PERIODIC | VECTOR);
	vlapic_mmio_write(v->lapic, LAPIC_TIMER_INITIAL, 4, 1000000000);
	timer_pass_try(v);
	assert_false(v->pass.on);
	assert_true(vclock_next(&v->clock) != VCLOCK_NEVER);
}

static void test_a_machine_without(void **state)
{
	struct vm_config c;
	struct vm *other;

	(void)state;
	cpu->timer_can_pass = false;
	fx_config(&c, "b");
	other = fx_create(&c);
	assert_false(other->vcpus[0]->pass.possible);
}

/* --- in one place --- */

static void test_parked_and_back(void **state)
{
	uint64_t at = begin();

	(void)state;
	timer_pass_out(v);
	assert_true(v->pass.on && !v->pass.live && cpu->timer_deadline == 0);
	assert_true(timer_pass_due(v) == at);
	timer_pass_out(v); /* nothing more to do */
	assert_true(timer_pass_due(v) == at);
	cpu->timer_deadline = 0;
	timer_pass_in(v);
	assert_true(cpu->timer_deadline == at && timer_pass_due(v) == UINT64_MAX);
	assert_false(came());
}

static void test_what_the_guest_writes_is_kept(void **state)
{
	uint64_t at = begin() + 77;

	(void)state;
	cpu->timer_deadline = at;
	timer_pass_out(v);
	assert_true(timer_pass_due(v) == at);
	timer_pass_in(v);
	cpu->timer_deadline = 0; /* disarmed by the guest */
	timer_pass_out(v);
	assert_true(timer_pass_due(v) == UINT64_MAX);
	timer_pass_in(v);
	assert_true(cpu->timer_deadline == 0);
	assert_false(came());
}

static void test_due_while_parked(void **state)
{
	(void)state;
	begin();
	cpu->timer_deadline = rdtsc() + 50000000; /* some 20 ms */
	timer_pass_out(v);
	assert_false(came());
	while (rdtsc() < timer_pass_due(v))
		;
	timer_pass_in(v);
	assert_true(cpu->timer_deadline == 0);
	assert_true(came());
	timer_pass_out(v);
	timer_pass_in(v);
	assert_false(came());
}

/* The note of the host's own sleep is not the guest's. */
static void test_the_hosts_alarm_is_not_the_guests(void **state)
{
	(void)state;
	begin();
	timer_pass_out(v);
	cpu->timer_came = true;
	timer_pass_in(v);
	external_interrupt(VERDICT_YIELD); /* of the serial port */
	assert_false(came());
	timer_pass_out(v);
	fires();
	external_interrupt(VERDICT_YIELD); /* nobody's who is live */
	assert_false(came());
}

/* --- it fires --- */

static void test_it_fires_in_the_guest(void **state)
{
	(void)state;
	begin();
	fires();
	external_interrupt(VERDICT_RESUME);
	assert_true(came());
	external_interrupt(VERDICT_YIELD);
	assert_false(came());
	timer_pass_out(v);
	assert_false(came());
	assert_int_equal(v->lapic->timer_fired, 1);
}

/* Something else made the exit: the interrupt waits. */
static void test_it_has_fired_at_another_exit(void **state)
{
	(void)state;
	begin();
	fires();
	v->requests = 0;
	timer_pass_out(v);
	assert_true(v->requests != 0); /* it must not go to sleep */
	assert_true(timer_pass_due(v) == UINT64_MAX);
	assert_true(came());
	assert_false(cpu->timer_pending);
}

/* The interrupt of one waits, and the guest has set the next. */
static void test_it_has_fired_and_is_set_again(void **state)
{
	uint64_t at = begin();

	(void)state;
	fires();
	cpu->timer_deadline = at;
	timer_pass_out(v);
	assert_true(came());
	assert_true(timer_pass_due(v) == at);
	timer_pass_in(v);
	assert_true(cpu->timer_deadline == at);
}

static unsigned accesses, fires_before;

static void fires_in_between(void)
{
	if (++accesses == fires_before)
		fires();
}

/* Between any two steps of the parking: window, read, write, settling. */
static void test_it_fires_while_it_is_taken_out(void **state)
{
	(void)state;
	for (fires_before = 1; fires_before <= 4; fires_before++) {
		cpu->timer_pending = false;
		if (!v->pass.live)
			begin();
		cpu->timer_deadline = rdtsc();
		accesses = 0;
		cpu->on_timer_access = fires_in_between;
		timer_pass_out(v);
		cpu->on_timer_access = NULL;
		assert_int_equal(accesses, fires_before <= 2 ? 3 : 4);
		assert_true(came());
		assert_true(timer_pass_due(v) == UINT64_MAX);
		timer_pass_in(v);
		assert_false(came());
	}
	/* Taken out before it could fire. */
	cpu->timer_deadline = rdtsc();
	timer_pass_out(v);
	assert_true(came());
	assert_true(timer_pass_due(v) == UINT64_MAX);
}

/* In Bochs 2.7 the MSR does not become 0 when it fires: neither the guest's own nor the host's alarm may be taken for one that
 * is still to come. */
static void test_the_msr_shows_what_has_fired(void **state)
{
	uint64_t at;

	(void)state;
	begin();
	v->exit.tsc = at = rdtsc();
	cpu->timer_deadline = at;
	cpu->timer_pending = true;
	external_interrupt(VERDICT_RESUME);
	assert_true(cpu->timer_deadline == 0);
	assert_true(came());
	timer_pass_out(v);
	assert_false(came());
	cpu->timer_deadline = rdtsc(); /* the host's */
	timer_pass_in(v);
	assert_true(cpu->timer_deadline == 0);
	cpu->timer_deadline = at;
	cpu->timer_pending = true;
	timer_pass_out(v);
	assert_true(came());
	assert_true(timer_pass_due(v) == UINT64_MAX);
}

/* --- and back to where it was --- */

static void expect_emulated(uint64_t at)
{
	assert_false(v->pass.on || v->hw->passes_timer);
	assert_true(cpu->timer_deadline == 0);
	assert_true(v->lapic->timer.deadline == at);
	assert_true(vclock_next(&v->clock) != VCLOCK_NEVER);
}

static void test_a_mask_takes_it_back(void **state)
{
	uint64_t at = begin();

	(void)state;
	lvt(LVT | LAPIC_LVT_MASKED);
	expect_emulated(at);
	timer_pass_try(v);
	expect_emulated(at);
	lvt(LVT);
	timer_pass_try(v);
	assert_true(v->pass.live && cpu->timer_deadline == at);
}

/* What has fired before the LVT is written is of the old vector. */
static void test_it_fired_before_the_lvt_changed(void **state)
{
	(void)state;
	begin();
	fires();
	lvt(LAPIC_LVT_TIMER_TSC_DEADLINE | 0x99 | LAPIC_LVT_MASKED);
	assert_false(v->pass.on);
	assert_true(came());
}

static void test_another_mode_disarms(void **state)
{
	(void)state;
	begin();
	lvt(LAPIC_LVT_TIMER_PERIODIC | VECTOR);
	assert_false(v->pass.on || v->hw->passes_timer);
	assert_true(cpu->timer_deadline == 0 && v->lapic->timer.deadline == 0);
	assert_true(vclock_next(&v->clock) == VCLOCK_NEVER);
}

static void test_another_tsc_takes_it_back(void **state)
{
	uint64_t at = begin();

	(void)state;
	vcpu_tsc_write(v, vcpu_tsc_read(v) + 100 * FX_TSC_HZ);
	expect_emulated(at);
	assert_true(vclock_next(&v->clock) + vm->tsc_base < at - 99 * FX_TSC_HZ);
	timer_pass_try(v);
	expect_emulated(at);
}

/* Time stands still meanwhile: as far as it was to the deadline, it is still. */
static void test_pause_and_resume(void **state)
{
	uint64_t at = begin(), before = at - vcpu_tsc_read(v), after;

	(void)state;
	timer_pass_out(v);
	fx_runner->current = NULL;
	assert_int_equal(vm_pause(vm, fx_why), 0);
	assert_int_equal(vm_resume(vm, fx_why), 0);
	expect_emulated(at);
	after = vclock_next(&v->clock) - vclock_now(&vm->clock);
	assert_true(after <= before && before - after < FX_TSC_HZ);
	vcpu_hw_load(v);
	timer_pass_try(v);
	expect_emulated(at);
}

static void test_init_and_reset_forget_it(void **state)
{
	(void)state;
	begin();
	vlapic_reset(v->lapic, true);
	assert_false(v->pass.on || v->hw->passes_timer);
	assert_true(cpu->timer_deadline == 0 && v->lapic->timer.deadline == 0);
	vlapic_mmio_write(v->lapic, LAPIC_SVR, 4, LAPIC_SVR_ENABLE | 0xff);
	lvt(LVT);
	begin();
	timer_pass_out(v);
	fx_runner->current = NULL;
	assert_int_equal(vm_reset(&fx_host, vm, fx_why), 0);
	assert_false(v->pass.on || v->hw->passes_timer);
	assert_true(timer_pass_due(v) == UINT64_MAX);
}

/* Switched off by its base address, and by SVR. */
static void test_no_apic_no_timer(void **state)
{
	(void)state;
	begin();
	vlapic_mmio_write(v->lapic, LAPIC_SVR, 4, 0xff);
	assert_false(v->pass.on);
	vlapic_mmio_write(v->lapic, LAPIC_SVR, 4, LAPIC_SVR_ENABLE | 0xff);
	lvt(LVT);
	arm(0);
	begin();
	assert_int_equal(vlapic_msr_write(v->lapic, MSR_APIC_BASE, 0xfee00100), 0);
	assert_false(v->pass.on || v->hw->passes_timer);
	assert_true(cpu->timer_deadline == 0);
}

/* --- in the loop --- */

/* The timer is lent, and the guest is between two stays, with interrupts on. */
static void outside(void)
{
	begin();
	timer_pass_out(v);
	fx_runner->current = NULL;
	vcpu_hw_set(v, VCPU_RFLAGS, 0x202);
}

static void will_halt(void)
{
	struct vm_exit halt = {.reason = EXIT_HLT, .rip = MIB, .tsc = rdtsc()};

	fake_vcpu_add_exit(v, &halt, 0);
}

static uint64_t guests_deadline;

static void guest_arms(struct vcpu *guest)
{
	(void)guest;
	assert_true(cpu->timer_deadline == guests_deadline || guests_deadline == 0);
	cpu->timer_deadline = guests_deadline = rdtsc() + LATER;
}

/* Halted, it sleeps until the deadline that it wrote without an exit; and then it is given its interrupt. */
static void test_a_halted_guest_wakes(void **state)
{
	(void)state;
	outside();
	v->hw->on_enter = guest_arms;
	guests_deadline = 0;
	will_halt();
	host_turn(&fx_host, UINT64_MAX);
	assert_int_equal(v->state, VCPU_HALTED);
	assert_true(cpu->timer_deadline == 0);
	assert_true(deadline_armed(&v->seat->alarm) && v->seat->alarm.at_tsc == guests_deadline);
	host_turn(&fx_host, UINT64_MAX);
	assert_int_equal(v->hw->enters, 1);
	/* Its time has come. */
	v->pass.deadline = 1;
	runner_alarm_set(fx_runner, &v->seat->alarm, 1);
	guests_deadline = 0;
	will_halt();
	host_turn(&fx_host, UINT64_MAX);
	assert_int_equal(v->hw->enters, 2);
	assert_int_equal(v->hw->last_inject.vector, VECTOR);
}

/* It fires after the guest has halted and before it is put away. */
static void guest_lets_it_fire(struct vcpu *guest)
{
	(void)guest;
	fires();
}

static void test_a_guest_that_halts_too_late(void **state)
{
	(void)state;
	outside();
	v->hw->on_enter = guest_lets_it_fire;
	will_halt();
	host_turn(&fx_host, UINT64_MAX);
	assert_false(deadline_armed(&v->seat->alarm));
	v->hw->on_enter = NULL;
	will_halt();
	host_turn(&fx_host, UINT64_MAX);
	assert_int_equal(v->hw->enters, 2);
	assert_int_equal(v->hw->last_inject.vector, VECTOR);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_it_waits_for_its_conditions),
		T(test_one_shot_and_periodic_stay),
		T(test_a_machine_without),
		T(test_parked_and_back),
		T(test_what_the_guest_writes_is_kept),
		T(test_due_while_parked),
		T(test_the_hosts_alarm_is_not_the_guests),
		T(test_it_fires_in_the_guest),
		T(test_it_has_fired_at_another_exit),
		T(test_it_has_fired_and_is_set_again),
		T(test_it_fires_while_it_is_taken_out),
		T(test_the_msr_shows_what_has_fired),
		T(test_a_mask_takes_it_back),
		T(test_it_fired_before_the_lvt_changed),
		T(test_another_mode_disarms),
		T(test_another_tsc_takes_it_back),
		T(test_pause_and_resume),
		T(test_init_and_reset_forget_it),
		T(test_no_apic_no_timer),
		T(test_a_halted_guest_wakes),
		T(test_a_guest_that_halts_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
