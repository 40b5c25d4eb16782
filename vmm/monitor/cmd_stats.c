/* Commands: what VMs cost. `stats`: exits by reason since the VM was made. `top`: what happened in a second. */
#include "vmm/monitor/commands.h"

#include "arch/x86/insn.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/muldiv.h"
#include "kernel/lib/parse.h"
#include "vmm/life/transitions.h"

#define TOP_MAX_SECONDS 60u

/* --- stats --- */

static void stats_json(struct reply *r, const struct vm *vm)
{
	reply_open(r, NULL, '{');
	reply_string(r, "name", vm->config.name);
	reply_open(r, "vcpus", '[');
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *v = vm->vcpus[i];

		reply_open(r, NULL, '{');
		reply_number(r, "index", i);
		reply_number(r, "exits", v->ring.count);
		reply_number(r, "interrupts", v->injected_interrupts);
		reply_number(r, "ticks", v->guest_ticks);
		reply_open(r, "reasons", '{');
		for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
			if (v->exit_counts[reason] != 0)
				reply_number(r, exit_reason_name(reason), v->exit_counts[reason]);
		}
		reply_close(r, '}');
		reply_close(r, '}');
	}
	reply_close(r, ']');
	reply_close(r, '}');
}

static void stats_text(struct monitor *m, const struct vm *vm)
{
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *v = vm->vcpus[i];

		mon_printf(m, "%s vcpu %u: %llu exits, %llu interrupts\n", vm->config.name, i,
			   (unsigned long long)v->ring.count, (unsigned long long)v->injected_interrupts);
		for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
			if (v->exit_counts[reason] != 0)
				mon_printf(m, "  %12llu  %s\n", (unsigned long long)v->exit_counts[reason],
					   exit_reason_name(reason));
		}
	}
	mon_printf(m, "nobody's ports: %llu reads, %llu writes", (unsigned long long)vm->ports.unclaimed_reads,
		   (unsigned long long)vm->ports.unclaimed_writes);
	if (vm->ports.unclaimed_reads + vm->ports.unclaimed_writes > 0)
		mon_printf(m, ", the last 0x%llx", (unsigned long long)vm->ports.last_unclaimed);
	mon_printf(m, "\n");
}

static void stats_one(struct monitor *m, const struct vm *vm)
{
	if (m->reply.json)
		stats_json(&m->reply, vm);
	else
		stats_text(m, vm);
}

int cmd_stats(struct monitor *m, int argc, char **argv)
{
	const struct vm *vm = argc == 2 ? mon_vm(m, argv[1]) : NULL;

	if (argc == 2 && vm == NULL)
		return ERR_NOENT;
	if (m->reply.json)
		reply_open(&m->reply, "vms", '[');
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		if (vm == NULL || vm == m->host->vms[i])
			stats_one(m, m->host->vms[i]);
	}
	if (m->reply.json)
		reply_close(&m->reply, ']');
	return 0;
}

/* --- top --- */

static struct monitor_sample sample(const struct vm *vm)
{
	struct monitor_sample sum = {0, 0};

	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		sum.ticks += vm->vcpus[i]->guest_ticks;
		sum.exits += vm->vcpus[i]->ring.count;
	}
	return sum;
}

/* One VM's line. Nobody makes or destroys VMs while the monitor waits, so that the samples are still theirs. */
static void top_vm(struct monitor *m, const struct vm *vm, const struct monitor_sample *before, uint64_t ticks)
{
	struct monitor_sample now = sample(vm);
	uint64_t permille = muldiv_u64(now.ticks - before->ticks, 1000, ticks);
	uint64_t exits = muldiv_u64(now.exits - before->exits, m->host->tsc_hz, ticks);
	struct reply *r = &m->reply;

	if (!r->json) {
		mon_printf(m, "%-16s %-8s %4u  %5llu.%llu %%  %12llu\n", vm->config.name, vm_state_name(vm->state),
			   vm->vcpu_count, (unsigned long long)(permille / 10), (unsigned long long)(permille % 10),
			   (unsigned long long)exits);
		return;
	}
	reply_open(r, NULL, '{');
	reply_string(r, "name", vm->config.name);
	reply_string(r, "state", vm_state_name(vm->state));
	reply_number(r, "cpu_permille", permille);
	reply_number(r, "exits_per_second", exits);
	reply_close(r, '}');
}

static bool top_waiter(struct monitor *m)
{
	uint64_t now = rdtsc();

	if (now < m->wait_deadline)
		return false;
	if (m->reply.json)
		reply_open(&m->reply, "vms", '[');
	else
		mon_printf(m, "%-16s %-8s %4s  %9s  %12s\n", "NAME", "STATE", "CPUS", "CPU", "EXITS/s");
	for (unsigned i = 0; i < m->host->vm_count; i++)
		top_vm(m, m->host->vms[i], &m->samples[i], now - m->wait_begin);
	if (m->reply.json)
		reply_close(&m->reply, ']');
	return true;
}

int cmd_top(struct monitor *m, int argc, char **argv)
{
	uint64_t seconds = 1;

	if (argc == 2 && (parse_u64(argv[1], &seconds) != 0 || seconds == 0 || seconds > TOP_MAX_SECONDS))
		return mon_error(m, "'%s' is not a number of seconds from 1 to %u", argv[1], TOP_MAX_SECONDS);
	for (unsigned i = 0; i < m->host->vm_count; i++)
		m->samples[i] = sample(m->host->vms[i]);
	mon_wait(m, top_waiter, seconds);
	return 0;
}
