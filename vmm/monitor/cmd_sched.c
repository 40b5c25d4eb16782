/* Command `sched`: who may have how much of the CPUs, what he got, and changing that while he runs. */
#include "vmm/monitor/commands.h"

#include "kernel/lib/format.h"
#include "kernel/lib/muldiv.h"
#include "kernel/lib/string.h"
#include "vmm/core/conf.h"
#include "vmm/life/share.h"

static const char *state_name(enum sched_state state)
{
	static const char *const names[] = {[SCHED_OFF] = "off",
					    [SCHED_BLOCKED] = "idle",
					    [SCHED_PARKED] = "capped",
					    [SCHED_WAITING] = "waiting",
					    [SCHED_RUNNING] = "running"};

	return names[state];
}

static void row_json(struct monitor *m, unsigned index, const struct sched_stats *st)
{
	uint64_t hz = m->host->tsc_hz;
	struct reply *r = &m->reply;

	reply_open(r, NULL, '{');
	reply_number(r, "index", index);
	reply_string(r, "state", state_name(st->state));
	reply_number(r, "cpu", st->cpu);
	reply_number(r, "run_ns", time_ns_from_ticks(st->run_ticks, hz));
	reply_number(r, "wait_ns", time_ns_from_ticks(st->wait_ticks, hz));
	reply_number(r, "capped_ns", time_ns_from_ticks(st->parked_ticks, hz));
	reply_number(r, "longest_wait_ns", time_ns_from_ticks(st->max_wait_ticks, hz));
	reply_number(r, "switches", st->switches);
	reply_number(r, "moves", st->migrations);
	reply_close(r, '}');
}

static void vm_json(struct monitor *m, const struct vm *vm)
{
	char pins[FMT_CPU_LIST_BYTES];
	struct reply *r = &m->reply;
	struct sched_stats st;

	reply_open(r, NULL, '{');
	reply_string(r, "name", vm->config.name);
	reply_number(r, "weight", vm->config.weight);
	reply_number(r, "cap", vm->config.cap);
	reply_string(r, "pin", fmt_cpu_list(pins, vm->config.pins));
	reply_open(r, "vcpus", '[');
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		vcpu_share_stats(vm->vcpus[i], &st);
		row_json(m, i, &st);
	}
	reply_close(r, ']');
	reply_close(r, '}');
}

/* What of the time that it wanted to run it did. */
static unsigned got_percent(const struct sched_stats *st)
{
	uint64_t wanted = st->run_ticks + st->wait_ticks + st->parked_ticks;

	return wanted != 0 ? (unsigned)muldiv_u64(st->run_ticks, 100, wanted) : 100;
}

static const char *duration(struct monitor *m, char *buf, uint64_t ticks)
{
	return fmt_duration(buf, time_ns_from_ticks(ticks, m->host->tsc_hz));
}

static void vm_text(struct monitor *m, const struct vm *vm)
{
	char pins[FMT_CPU_LIST_BYTES], cap[FMT_QUANTITY_BYTES] = "-", ran[FMT_QUANTITY_BYTES],
				       waited[FMT_QUANTITY_BYTES], longest[FMT_QUANTITY_BYTES];
	struct sched_stats st;

	if (vm->config.cap != SCHED_CAP_NONE)
		fmt_snprintf(cap, sizeof(cap), "%u %%", vm->config.cap);
	(void)fmt_cpu_list(pins, vm->config.pins);
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		vcpu_share_stats(vm->vcpus[i], &st);
		mon_printf(m, "%-*s %6u  %6s  %-8s  %4u  %3u  %-7s  %3u %%  %14s  %9s  %9s\n", mon_name_width(m),
			   vm->config.name, vm->config.weight, cap, pins, i, st.cpu, state_name(st.state),
			   got_percent(&st), duration(m, ran, st.run_ticks), duration(m, waited, st.wait_ticks),
			   duration(m, longest, st.max_wait_ticks));
	}
}

static void show(struct monitor *m, const struct vm *only)
{
	if (m->reply.json)
		reply_open(&m->reply, "vms", '[');
	else
		mon_printf(m, "%-*s %6s  %6s  %-8s  %4s  %3s  %-7s  %5s  %14s  %9s  %9s\n", mon_name_width(m), "NAME",
			   "WEIGHT", "CAP", "PIN", "VCPU", "CPU", "STATE", "GOT", "RAN", "WAITED", "LONGEST");
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		if (only != NULL && only != m->host->vms[i])
			continue;
		if (m->reply.json)
			vm_json(m, m->host->vms[i]);
		else
			vm_text(m, m->host->vms[i]);
	}
	if (m->reply.json)
		reply_close(&m->reply, ']');
}

/* Of a configuration's keys those that may change while a VM lives. */
static int read_keys(struct monitor *m, struct vm_config *config, int argc, char **argv)
{
	char why[CONF_WHY_BYTES];

	for (int i = 2; i < argc; i++) {
		char *value = strchr(argv[i], '=');

		if (value != NULL)
			*value++ = '\0';
		if (value == NULL || (!str_eq(argv[i], "weight") && !str_eq(argv[i], "cap") && !str_eq(argv[i], "pin")))
			return mon_error(m, "'%s' is none of weight=, cap= and pin=", argv[i]);
		if (conf_set(config, argv[i], value, why, sizeof(why)) != 0)
			return mon_error(m, "%s", why);
	}
	return 0;
}

/* All of it or nothing. */
static int change(struct monitor *m, struct vm *vm, int argc, char **argv)
{
	char why[LIFE_WHY];
	int err;

	conf_copy(&m->config, &vm->config);
	err = read_keys(m, &m->config, argc, argv);
	if (err == 0 && vm_share_set(vm, &m->config, why) != 0)
		err = mon_error(m, "%s", why);
	return err;
}

int cmd_sched(struct monitor *m, int argc, char **argv)
{
	struct vm *vm = argc > 1 ? mon_vm(m, argv[1]) : NULL;
	int err;

	if (argc > 1 && vm == NULL)
		return ERR_NOENT;
	err = argc > 2 ? change(m, vm, argc, argv) : 0;
	if (err == 0)
		show(m, vm);
	return err;
}
