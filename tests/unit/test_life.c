/* The life of a VM: each step does what it says or changes nothing, and everything comes back. */
#include "tests/unit/vm_fixture.h"

#include "kernel/log.h"
#include "vmm/life/transitions.h"

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_image();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static void expect_nothing_taken(void)
{
	assert_int_equal(fx_pages.pages_out, fx_pages_of_host);
	assert_int_equal(fx_heap.objects, fx_objects_of_host);
	assert_int_equal(fx_host.vm_count, 0);
}

/* Was this said in the log since `from`? */
static bool logged(const char *text)
{
	static char all[LOG_RING_BYTES + 1];

	all[log_read(0, all, sizeof(all) - 1)] = '\0';
	return strstr(all, text) != NULL;
}

/* --- create and destroy --- */

static void test_everything_comes_back(void **state)
{
	(void)state;
	for (unsigned round = 0; round < 3; round++) {
		struct vm *a = fx_vm("a", "4"), *b = fx_vm("b", "1");

		assert_true(fx_pages.pages_out >= 2 * 2 * MIB / PAGE_SIZE - 2 * 32);
		vm_destroy(&fx_host, a);
		assert_ptr_equal(host_find(&fx_host, "b"), b);
		assert_null(host_find(&fx_host, "a"));
		vm_destroy(&fx_host, b);
		expect_nothing_taken();
	}
}

/* What two VMs are told of CPUID is kept once as long as it is the same, and goes with the last of them. */
static void test_cpuid_is_shared(void **state)
{
	struct vm *a = fx_vm("a", "1"), *b = fx_vm("b", "1"), *c = fx_vm("c", "2"), *d, *e;
	struct vm_config config;

	(void)state;
	assert_ptr_equal(a->cpuid, b->cpuid);
	assert_ptr_not_equal(a->cpuid, c->cpuid);
	fx_config(&config, "d");
	fx_set(&config, "cpuid", "-fsrm");
	d = fx_create(&config);
	assert_ptr_not_equal(a->cpuid, d->cpuid);
	fx_config(&config, "e");
	fx_set(&config, "cpuid", "-fsrm");
	e = fx_create(&config);
	assert_ptr_equal(d->cpuid, e->cpuid);
	vm_destroy(&fx_host, a);
	vm_destroy(&fx_host, e);
	assert_int_equal(b->cpuid->entries[b->cpuid->basic[0]].out[0], c->cpuid->entries[c->cpuid->basic[0]].out[0]);
	vm_destroy(&fx_host, b);
	vm_destroy(&fx_host, c);
	vm_destroy(&fx_host, d);
	expect_nothing_taken();
}

static void test_destroy_in_every_state(void **state)
{
	(void)state;
	for (unsigned s = 0; s < VM_STATE_COUNT; s++) {
		struct vm *vm = fx_vm("a", "2");

		vm->state = (enum vm_state)s;
		vm_destroy(&fx_host, vm);
		expect_nothing_taken();
	}
}

static void test_every_failing_allocation_unwinds(void **state)
{
	struct vm_config c;
	struct vm *vm = NULL;
	unsigned n = 0;
	int err;

	(void)state;
	fx_config(&c, "a");
	fx_set(&c, "cpus", "3");
	do {
		fx_pages.fail_after = n++;
		fx_why[0] = '\0';
		err = vm_create(&fx_host, &c, &vm, fx_why);
		fx_pages.fail_after = FAKE_PAGES_NEVER;
		if (err != 0) {
			assert_int_equal(err, ERR_NOMEM);
			assert_string_equal(fx_why, "a: no memory for the VM's RAM and tables");
			expect_nothing_taken();
		}
	} while (err != 0);
	assert_true(n > 10);
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0);
}

static void test_a_failing_backend_unwinds(void **state)
{
	struct vm_config c;
	struct vm *vm = NULL;

	(void)state;
	fx_config(&c, "a");
	fake_machine.out_of_memory = true;
	assert_int_equal(vm_create(&fx_host, &c, &vm, fx_why), ERR_NOMEM);
	fake_machine.out_of_memory = false;
	expect_nothing_taken();
}

static void expect_refused(const struct vm_config *c, int err, const char *words)
{
	size_t pages = fx_pages.pages_out;
	unsigned count = fx_host.vm_count;
	struct vm *vm = NULL;

	assert_int_equal(vm_create(&fx_host, c, &vm, fx_why), err);
	assert_null(vm);
	if (strstr(fx_why, words) == NULL)
		fail_msg("'%s' lacks '%s'", fx_why, words);
	assert_int_equal(fx_pages.pages_out, pages);
	assert_int_equal(fx_host.vm_count, count);
}

static void test_create_says_why_not(void **state)
{
	struct vm_config c;

	(void)state;
	fx_vm("a", "1");
	fx_config(&c, "a");
	expect_refused(&c, ERR_EXIST, "there is a VM 'a' already");
	fx_config(&c, "b");
	fx_set(&c, "memory", "1G");
	expect_refused(&c, ERR_NOMEM, "asks for 1 GiB of memory, ");
	fx_config(&c, "b");
	fx_set(&c, "cpuid", "-avx,-nonsense");
	expect_refused(&c, ERR_NOENT, "'nonsense' is not the name of a CPUID feature");
	fx_config(&c, "b");
	fx_host.can_run = false;
	expect_refused(&c, ERR_STATE, "info preflight");
	fx_host.can_run = true;
	for (unsigned i = 1; i < HOST_MAX_VMS; i++)
		fx_host.vms[i] = fx_host.vms[0];
	fx_host.vm_count = HOST_MAX_VMS;
	expect_refused(&c, ERR_FULL, "256");
	fx_host.vm_count = 1;
}

/* --- load and start --- */

static void test_start_state(void **state)
{
	struct vm *vm = fx_vm("a", "2");
	struct vcpu *v = vm->vcpus[0];
	uint8_t code[sizeof(fx_code)];
	struct segment cs;

	(void)state;
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(v->state, VCPU_RUNNABLE);
	assert_int_equal(vm->vcpus[1]->state, VCPU_WAIT_SIPI);
	assert_int_equal(vcpu_hw_get(v, VCPU_RIP), MIB);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR0), CR0_PE | CR0_ET);
	vcpu_hw_get_segment(v, SEG_CS, &cs);
	assert_int_equal(cs.base, 0);
	assert_int_equal(cs.access, SEGMENT_CODE32);
	assert_int_equal(guest_mem_read(&vm->mem, MIB, code, sizeof(code)), 0);
	assert_memory_equal(code, fx_code, sizeof(code));
}

static void test_missing_files_are_named(void **state)
{
	struct vm_config c;
	struct vm *vm;

	(void)state;
	fx_config(&c, "a");
	fx_set(&c, "kernel", "gone.bin");
	vm = fx_create(&c);
	assert_int_equal(vm_start(&fx_host, vm, fx_why), ERR_NOENT);
	assert_non_null(strstr(fx_why, "kernel 'gone.bin'"));
	assert_int_equal(vm->state, VM_CREATED);
	fx_set(&vm->config, "kernel", "boot/flat.bin"); /* the ISO is flat */
	fx_set(&vm->config, "initrd", "gone.img");
	assert_int_equal(vm_start(&fx_host, vm, fx_why), ERR_NOENT);
	assert_non_null(strstr(fx_why, "initrd 'gone.img'"));
	fx_set(&vm->config, "initrd", "");
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0);
}

static void test_a_bad_image_is_refused_in_words(void **state)
{
	struct vm_config c;
	struct vm *vm;

	(void)state;
	fx_config(&c, "a");
	c.load_address = 0; /* then the bytes must be a format that we know */
	vm = fx_create(&c);
	assert_true(vm_start(&fx_host, vm, fx_why) != 0);
	assert_non_null(strstr(fx_why, "a: flat.bin: "));
	assert_int_equal(vm->state, VM_CREATED);
}

/* --- illegal steps --- */

typedef int step_fn(struct vm *vm);

static int do_start(struct vm *vm)
{
	return vm_start(&fx_host, vm, fx_why);
}

static int do_load(struct vm *vm)
{
	return vm_load(&fx_host, vm, fx_why);
}

static int do_pause(struct vm *vm)
{
	return vm_pause(vm, fx_why);
}

static int do_resume(struct vm *vm)
{
	return vm_resume(vm, fx_why);
}

static int do_reset(struct vm *vm)
{
	return vm_reset(&fx_host, vm, fx_why);
}

static int do_shutdown(struct vm *vm)
{
	return vm_shutdown(vm, fx_why);
}

static const struct {
	step_fn *step;
	const char *words;
	unsigned legal; /* bit n: in state n */
} steps[] = {
	{do_start, "cannot start", 1u << VM_CREATED | 1u << VM_LOADED | 1u << VM_STOPPED | 1u << VM_CRASHED},
	{do_load, "cannot load", 1u << VM_CREATED | 1u << VM_STOPPED | 1u << VM_CRASHED},
	{do_pause, "cannot pause", 1u << VM_RUNNING},
	{do_resume, "cannot resume", 1u << VM_PAUSED},
	{do_reset, "cannot reset", 1u << VM_RUNNING | 1u << VM_PAUSED | 1u << VM_STOPPED | 1u << VM_CRASHED},
	{do_shutdown, "cannot shutdown", 1u << VM_RUNNING},
};

static void test_an_illegal_step_changes_nothing(void **state)
{
	static struct vm before;
	static struct vcpu vcpu_before;
	struct vm *vm = fx_vm("a", "1");

	(void)state;
	for (unsigned s = 0; s < VM_STATE_COUNT; s++) {
		for (unsigned i = 0; i < ARRAY_LEN(steps); i++) {
			vm->state = (enum vm_state)s;
			if (steps[i].legal & 1u << s) {
				assert_int_equal(steps[i].step(vm), 0);
				continue;
			}
			before = *vm;
			vcpu_before = *vm->vcpus[0];
			fx_why[0] = '\0';
			assert_int_equal(steps[i].step(vm), ERR_STATE);
			if (strstr(fx_why, steps[i].words) == NULL || strstr(fx_why, vm_state_name(vm->state)) == NULL)
				fail_msg("'%s' lacks '%s' or the state", fx_why, steps[i].words);
			before.lock = vm->lock; /* its tickets may have gone on */
			assert_memory_equal(vm, &before, sizeof(before));
			assert_memory_equal(vm->vcpus[0], &vcpu_before, sizeof(vcpu_before));
		}
	}
}

/* --- time --- */

static void spin(uint64_t ticks)
{
	uint64_t begin = rdtsc();

	while (rdtsc() - begin < ticks)
		;
}

/* Until it is paused, and again after a reset: then the guest may have the processor's deadline timer. */
static void test_the_tsc_begins_as_the_hosts(void **state)
{
	struct vm *vm = fx_vm("a", "2");

	(void)state;
	assert_true(vm->vcpus[1]->tsc_offset == 0 && vm->vcpus[1]->hw->tsc_offset == 0);
	assert_int_equal(vm->vcpus[0]->tsc_adjust, 0);
	assert_int_equal(vm_pause(vm, fx_why), 0);
	assert_int_equal(vm_resume(vm, fx_why), 0);
	assert_true(vm->vcpus[1]->tsc_offset < 0);
	assert_int_equal(vm_reset(&fx_host, vm, fx_why), 0);
	assert_true(vm->vcpus[1]->tsc_offset == 0 && vm->vcpus[1]->hw->tsc_offset == 0);
	assert_true(vclock_now(&vm->clock) < FX_TSC_HZ);
}

static void test_time_stands_still_while_paused(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	uint64_t at, later;

	(void)state;
	assert_int_equal(vm_pause(vm, fx_why), 0);
	at = vclock_now(&vm->clock);
	spin(1000000);
	assert_true(vclock_now(&vm->clock) == at);
	assert_int_equal(vm_resume(vm, fx_why), 0);
	later = vclock_now(&vm->clock);
	assert_true(later >= at && later - at < FX_TSC_HZ);
	assert_true(vm->vcpus[0]->tsc_offset == vm->clock_offset + (int64_t)vm->tsc_base);
	assert_true(vm->vcpus[0]->hw->tsc_offset == vm->vcpus[0]->tsc_offset);
	assert_true(vm->vcpus[0]->tsc_offset < -1000000);
}

static uint64_t pm_timer(struct vm *vm)
{
	uint64_t value;

	bus_read(&vm->ports, VACPI_PM_TMR, 4, &value);
	return value;
}

/* Counts that the PM timer can have made since then at the most, however busy this machine is. */
static uint64_t most_counts(uint64_t begin)
{
	return muldiv_u64(rdtsc() - begin, ACPI_PM_TIMER_HZ, FX_TSC_HZ) + 1;
}

static void test_time_begins_at_the_start(void **state)
{
	struct vm_config c;
	struct vm *vm;
	uint64_t begin, counts;

	(void)state;
	fx_config(&c, "a");
	vm = fx_create(&c);
	spin(10000000); /* 10 ms by FX_TSC_HZ, 35,795 counts of the PM timer */
	assert_int_equal(vm_load(&fx_host, vm, fx_why), 0);
	spin(10000000);
	assert_int_equal(vclock_now(&vm->clock), 0);
	begin = rdtsc();
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0);
	counts = pm_timer(vm);
	assert_true(counts <= most_counts(begin)); /* and has not gone backwards, which would be huge */
	spin(10000000);
	assert_true(pm_timer(vm) > 30000);
	begin = rdtsc();
	assert_int_equal(vm_reset(&fx_host, vm, fx_why), 0);
	counts = pm_timer(vm);
	assert_true(counts <= most_counts(begin));
}

static uint64_t rtc_minutes(struct vm *vm)
{
	uint64_t value;

	bus_write(&vm->ports, RTC_PORT_INDEX, 1, RTC_MINUTES);
	bus_read(&vm->ports, RTC_PORT_DATA, 1, &value);
	return value;
}

/* Of each start, not of the day when the VM was made. */
static void test_the_date_is_that_of_the_start(void **state)
{
	struct vm *vm;

	(void)state;
	fx_wall = 1700000000; /* 22:13:20 */
	vm = fx_vm("a", "1");
	assert_int_equal(rtc_minutes(vm), 0x13);
	fx_wall += 25 * 60;
	assert_int_equal(vm_reset(&fx_host, vm, fx_why), 0);
	assert_int_equal(rtc_minutes(vm), 0x38);
}

static void test_time_ends_with_the_vm(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	uint64_t at;

	(void)state;
	spin(1000000);
	vm->request = VM_REQUEST_POWEROFF;
	fx_ended(vm, RUN_STOPPED);
	at = vclock_now(&vm->clock);
	assert_true(at >= 1000000);
	spin(100000);
	assert_true(vclock_now(&vm->clock) == at);
}

/* --- reset, and what guests ask for --- */

static void test_reset_is_a_power_cycle(void **state)
{
	struct vm *vm = fx_vm("a", "2");
	struct vcpu *v = vm->vcpus[0];
	uint8_t code[sizeof(fx_code)] = {0};
	uint64_t value;

	(void)state;
	bus_write(&vm->ports, 0x3fb, 1, 0x1b); /* the UART's line control */
	bus_write(&vm->ports, 0x3f8, 1, 'x');
	assert_int_equal(guest_mem_write(&vm->mem, MIB, code, sizeof(code)), 0);
	vcpu_hw_set(v, VCPU_RIP, 0x1234);
	vcpu_hw_set(v, VCPU_CR3, 0x5000);
	v->gpr[GPR_RBX] = 7;
	v->tsc_adjust = 99;
	v->nmi_pending = true;
	v->state = VCPU_HALTED;
	vm->vcpus[1]->state = VCPU_RUNNABLE;
	assert_int_equal(vm_reset(&fx_host, vm, fx_why), 0);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(v->state, VCPU_RUNNABLE);
	assert_int_equal(vm->vcpus[1]->state, VCPU_WAIT_SIPI);
	assert_int_equal(vcpu_hw_get(v, VCPU_RIP), MIB);
	assert_int_equal(vcpu_hw_get(v, VCPU_CR3), 0);
	assert_int_equal(v->gpr[GPR_RBX], 0);
	assert_int_equal(v->tsc_adjust, 0);
	assert_false(v->nmi_pending);
	bus_read(&vm->ports, 0x3fb, 1, &value);
	assert_int_equal(value, 0);
	assert_int_equal(guest_mem_read(&vm->mem, MIB, code, sizeof(code)), 0);
	assert_memory_equal(code, fx_code, sizeof(code));
	assert_int_equal(vm->restarts, 0);
	assert_int_equal(vm_console(vm)->written, 1); /* the operator still sees what it said */
}

static void test_power_button(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	uint64_t status;

	(void)state;
	bus_read(&vm->ports, VACPI_PM1_EVT, 2, &status);
	assert_false(status & BIT64(8));
	assert_int_equal(vm_shutdown(vm, fx_why), 0);
	bus_read(&vm->ports, VACPI_PM1_EVT, 2, &status);
	assert_true(status & BIT64(8)); /* PWRBTN_STS */
	assert_int_equal(vm->state, VM_RUNNING);
}

static struct vm *vm_with(const char *key, const char *value)
{
	struct vm_config c;
	struct vm *vm;

	fx_config(&c, "a");
	fx_set(&c, key, value);
	vm = fx_create(&c);
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0);
	return vm;
}

/* The guest writes a port; then the loop does what it does after VERDICT_STOP. */
static void guest_ends_by(struct vm *vm, uint64_t port, unsigned size, uint64_t value)
{
	bus_write(&vm->ports, port, size, value);
	assert_int_not_equal(vm->request, VM_REQUEST_NONE);
	fx_ended(vm, RUN_STOPPED);
	assert_int_equal(vm->request, VM_REQUEST_NONE);
}

static void guest_crashes(struct vm *vm)
{
	vm_set_crash(vm, vm->vcpus[0], "it tripped over %s", "a wire");
	fx_ended(vm, RUN_CRASHED);
}

static void test_guest_powers_off(void **state)
{
	struct vm *vm = vm_with("restart", "on-crash");

	(void)state;
	guest_ends_by(vm, VACPI_PM1_CNT, 2, 0x2000 | VACPI_S5_TYPE << 10);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_true(logged("a: powered off"));
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0);
	assert_int_equal(vcpu_hw_get(vm->vcpus[0], VCPU_RIP), MIB);
}

static void test_guest_resets_itself(void **state)
{
	struct vm *vm = vm_with("restart", "no");

	(void)state;
	guest_ends_by(vm, 0xcf9, 1, 0x06);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->restarts, 1);
	guest_ends_by(vm, 0x64, 1, 0xfe); /* the keyboard controller's reset pulse */
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->restarts, 2);
}

static void test_guest_exits_with_a_code(void **state)
{
	struct vm *vm = vm_with("debug-exit", "yes");

	(void)state;
	guest_ends_by(vm, 0xf4, 4, 0x2a);
	assert_int_equal(vm->state, VM_STOPPED);
	assert_int_equal(vm->debug_exit_code, 0x2a);
	assert_true(logged("a: exited with code 0x2a"));
}

static void test_no_debug_exit_unless_told(void **state)
{
	struct vm *vm = fx_vm("a", "1");

	(void)state;
	bus_write(&vm->ports, 0xf4, 4, 1);
	assert_int_equal(vm->request, VM_REQUEST_NONE);
}

static void test_crash_and_restart_policies(void **state)
{
	struct vm *vm = vm_with("restart", "no");

	(void)state;
	guest_crashes(vm);
	assert_int_equal(vm->state, VM_CRASHED);
	assert_string_equal(vm->crash, "it tripped over a wire");
	assert_true(logged("error: a: CRASHED: it tripped over a wire"));
	assert_true(logged("post-mortem of a"));
	assert_true(logged("rip=0000000000100000"));
	assert_true(logged("end of post-mortem"));
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0);
	assert_string_equal(vm->crash, "");
	vm_destroy(&fx_host, vm);

	vm = vm_with("restart", "on-crash");
	guest_crashes(vm);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->restarts, 1);
	assert_int_equal(vm->crashes, 1);
	vm_destroy(&fx_host, vm);

	vm = vm_with("restart", "always");
	guest_ends_by(vm, VACPI_PM1_CNT, 2, 0x2000 | VACPI_S5_TYPE << 10);
	assert_int_equal(vm->state, VM_RUNNING);
	guest_crashes(vm);
	assert_int_equal(vm->state, VM_RUNNING);
	assert_int_equal(vm->restarts, 2);
}

static void test_a_vm_that_only_crashes_is_left_alone(void **state)
{
	struct vm *vm = vm_with("restart", "on-crash");
	unsigned n;

	(void)state;
	for (n = 0; vm->state == VM_RUNNING && n < 100; n++)
		guest_crashes(vm);
	assert_int_equal(n, 5);
	assert_int_equal(vm->state, VM_CRASHED);
	assert_true(logged("a: ended 5 times within a second of its start"));
	assert_int_equal(vm_start(&fx_host, vm, fx_why), 0); /* the operator may try again */
	guest_crashes(vm);
	assert_int_equal(vm->state, VM_RUNNING);
	vm->clock_offset += (int64_t)(2 * FX_TSC_HZ); /* after a while it is no quick end any more */
	for (n = 0; n < 10; n++) {
		guest_crashes(vm);
		assert_int_equal(vm->state, VM_RUNNING);
		vm->clock_offset += (int64_t)(2 * FX_TSC_HZ);
	}
}

/* The log is everybody's: one guest cannot fill it. */
static void test_a_guest_that_only_resets_is_not_heard(void **state)
{
	struct vm *vm = vm_with("restart", "no");
	size_t before;

	(void)state;
	for (unsigned n = 0; n < 10; n++)
		guest_ends_by(vm, 0xcf9, 1, 6);
	assert_true(logged("a: the guest asks for one reset after the other"));
	before = log_bytes();
	for (unsigned n = 0; n < 100; n++) {
		guest_ends_by(vm, 0xcf9, 1, 6);
		assert_int_equal(vm->state, VM_RUNNING); /* it goes on all the same */
	}
	assert_int_equal(log_bytes(), before);
	assert_int_equal(vm->restarts, 110);
	vm->clock_offset += (int64_t)(2 * FX_TSC_HZ);
	guest_ends_by(vm, 0xcf9, 1, 6);
	assert_true(log_bytes() > before);
	before = log_bytes();
	assert_int_equal(vm_reset(&fx_host, vm, fx_why), 0);
	assert_true(log_bytes() > before);
}

/* --- the console's two directions --- */

/* A kernel that has no serial driver yet is heard. */
static void test_console_through_the_debug_port(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	uint64_t value;
	char said[3] = "";

	(void)state;
	bus_read(&vm->ports, 0xe9, 1, &value);
	assert_int_equal(value, 0xe9);
	bus_write(&vm->ports, 0xe9, 1, 'o');
	bus_write(&vm->ports, 0xe9, 1, 'k');
	assert_int_equal(console_read(vm_console(vm), 0, said, sizeof(said)), 2);
	assert_string_equal(said, "ok");
}

static void test_console_through_the_uart(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	char back[8] = "";
	uint64_t byte;

	(void)state;
	for (const char *s = "hello"; *s != '\0'; s++)
		bus_write(&vm->ports, 0x3f8, 1, (uint8_t)*s);
	assert_int_equal(console_read(vm_console(vm), 0, back, sizeof(back)), 5);
	assert_memory_equal(back, "hello", 5);
	assert_int_equal(console_type(vm_console(vm), "ok", 2), 2);
	vm_console_poll(vm);
	bus_read(&vm->ports, 0x3f8, 1, &byte);
	assert_int_equal(byte, 'o');
	vm_console_poll(vm);
	bus_read(&vm->ports, 0x3f8, 1, &byte);
	assert_int_equal(byte, 'k');
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_everything_comes_back),
		T(test_cpuid_is_shared),
		T(test_destroy_in_every_state),
		T(test_every_failing_allocation_unwinds),
		T(test_a_failing_backend_unwinds),
		T(test_create_says_why_not),
		T(test_start_state),
		T(test_missing_files_are_named),
		T(test_a_bad_image_is_refused_in_words),
		T(test_an_illegal_step_changes_nothing),
		T(test_the_tsc_begins_as_the_hosts),
		T(test_time_stands_still_while_paused),
		T(test_time_begins_at_the_start),
		T(test_the_date_is_that_of_the_start),
		T(test_time_ends_with_the_vm),
		T(test_reset_is_a_power_cycle),
		T(test_power_button),
		T(test_guest_powers_off),
		T(test_guest_resets_itself),
		T(test_guest_exits_with_a_code),
		T(test_no_debug_exit_unless_told),
		T(test_crash_and_restart_policies),
		T(test_a_vm_that_only_crashes_is_left_alone),
		T(test_a_guest_that_only_resets_is_not_heard),
		T(test_console_through_the_debug_port),
		T(test_console_through_the_uart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
