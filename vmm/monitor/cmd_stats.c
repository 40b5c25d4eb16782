/* Commands: exits by reason, since the VM was made. */
#include "vmm/monitor/commands.h"

#include "kernel/lib/errors.h"
#include "vmm/life/inspect.h"

static void stats_json(struct reply *r, const struct vm *vm)
{
	reply_open(r, NULL, '{');
	reply_string(r, "name", vm->config.name);
	reply_open(r, "vcpus", '[');
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		const struct vcpu *v = vm->vcpus[i];

		reply_open(r, NULL, '{');
		reply_number(r, "index", i);
		reply_number(r, "exits", vcpu_exits(v));
		reply_number(r, "interrupts", inspect_interrupts(v));
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
			   (unsigned long long)vcpu_exits(v), (unsigned long long)inspect_interrupts(v));
		for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++) {
			if (v->exit_counts[reason] != 0)
				mon_printf(m, "  %12llu  %s\n", (unsigned long long)v->exit_counts[reason],
					   exit_reason_name(reason));
		}
	}
	mon_printf(m, "nobody's ports: %llu reads, %llu writes", (unsigned long long)vm->ports.nobodys.reads,
		   (unsigned long long)vm->ports.nobodys.writes);
	if (vm->ports.nobodys.reads + vm->ports.nobodys.writes > 0)
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
