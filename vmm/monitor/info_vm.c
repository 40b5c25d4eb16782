/* `info NAME`: a VM's configuration, where it stands, its devices. */
#include "kernel/lib/format.h"
#include "kernel/time.h"
#include "vmm/life/transitions.h"
#include "vmm/monitor/info.h"

static const char *const restart_words[] = {
	[RESTART_NO] = "no", [RESTART_ON_CRASH] = "on-crash", [RESTART_ALWAYS] = "always"};
static const char *const vcpu_states[] = {
	[VCPU_RUNNABLE] = "runnable", [VCPU_HALTED] = "halted", [VCPU_WAIT_SIPI] = "waits for SIPI"};

static uint64_t running_ns(const struct monitor *m, const struct vm *vm)
{
	return time_ns_from_ticks(vclock_now(&vm->clock), m->host->tsc_hz);
}

static void bus_json(struct reply *r, const char *key, const struct bus *bus)
{
	reply_open(r, key, '[');
	for (unsigned i = 0; i < bus->count; i++) {
		const struct bus_range *range = &bus->ranges[i];

		reply_open(r, NULL, '{');
		reply_string(r, "device", range->name);
		reply_number(r, "base", range->base);
		reply_number(r, "length", range->len);
		reply_number(r, "reads", range->reads);
		reply_number(r, "writes", range->writes);
		reply_close(r, '}');
	}
	reply_close(r, ']');
}

static void vcpus_json(struct reply *r, const struct vm *vm)
{
	reply_open(r, "vcpus", '[');
	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		reply_open(r, NULL, '{');
		reply_number(r, "index", i);
		reply_string(r, "state", vcpu_states[vm->vcpus[i]->state]);
		reply_number(r, "exits", vcpu_exits(vm->vcpus[i]));
		reply_close(r, '}');
	}
	reply_close(r, ']');
}

/* What the configuration said, key by key. */
static void config_json(struct reply *r, const struct vm_config *c)
{
	char pins[FMT_CPU_LIST_BYTES];

	reply_string(r, "kernel", c->kernel);
	reply_string(r, "initrd", c->initrd);
	reply_string(r, "cmdline", c->cmdline);
	reply_open(r, "modules", '[');
	for (unsigned i = 0; i < c->module_count; i++) {
		reply_open(r, NULL, '{');
		reply_string(r, "file", c->modules[i].file);
		reply_string(r, "args", c->modules[i].args);
		reply_close(r, '}');
	}
	reply_close(r, ']');
	reply_number(r, "memory_bytes", c->memory);
	reply_number(r, "cpus", c->cpus);
	reply_number(r, "weight", c->weight);
	reply_number(r, "cap", c->cap);
	reply_string(r, "pin", fmt_cpu_list(pins, c->pins));
	reply_flag(r, "autostart", c->autostart);
	reply_string(r, "restart", restart_words[c->restart]);
	reply_open(r, "cpuid_hidden", '[');
	for (unsigned i = 0; i < c->cpuid_hide_count; i++)
		reply_string(r, NULL, c->cpuid_hide[i]);
	reply_close(r, ']');
	reply_string(r, "unmapped", c->stray_stops ? "stop" : "ones");
	reply_flag(r, "debug_exit", c->debug_exit);
	reply_number(r, "load_address", c->load_address);
}

static void vm_json(struct monitor *m, const struct vm *vm)
{
	struct reply *r = &m->reply;

	reply_open(r, "vm", '{');
	reply_string(r, "name", vm->config.name);
	reply_string(r, "state", vm_state_name(vm->state));
	config_json(r, &vm->config);
	reply_number(r, "running_ns", running_ns(m, vm));
	reply_number(r, "restarts", vm->restarts);
	reply_number(r, "crashes", vm->crashes);
	reply_string(r, "crash", vm->crash);
	reply_number(r, "debug_exit_code", vm->debug_exit_code);
	vcpus_json(r, vm);
	bus_json(r, "ports", &vm->ports);
	bus_json(r, "mmio", &vm->mmio);
	reply_number(r, "unclaimed_port_reads", vm->ports.nobodys.reads);
	reply_number(r, "unclaimed_port_writes", vm->ports.nobodys.writes);
	reply_close(r, '}');
}

static void print_bus(struct monitor *m, const char *title, const struct bus *bus)
{
	mon_printf(m, "%s:\n", title);
	for (unsigned i = 0; i < bus->count; i++) {
		const struct bus_range *r = &bus->ranges[i];

		mon_printf(m, "  %8llx-%8llx  %-12s %llu reads, %llu writes\n", (unsigned long long)r->base,
			   (unsigned long long)(r->base + r->len - 1), r->name, (unsigned long long)r->reads,
			   (unsigned long long)r->writes);
	}
	mon_printf(m, "  nobody's: %llu reads, %llu writes\n", (unsigned long long)bus->nobodys.reads,
		   (unsigned long long)bus->nobodys.writes);
}

static void print_config(struct monitor *m, const struct vm_config *c)
{
	mon_printf(m, "kernel:       %s\n", c->kernel);
	if (c->initrd[0] != '\0')
		mon_printf(m, "initrd:       %s\n", c->initrd);
	for (unsigned i = 0; i < c->module_count; i++)
		mon_printf(m, "module:       %s %s\n", c->modules[i].file, c->modules[i].args);
	if (c->cmdline[0] != '\0')
		mon_printf(m, "command line: %s\n", c->cmdline);
	mon_printf(m, "restart:      %s\n", restart_words[c->restart]);
	if (c->cpuid_hide_count > 0)
		mon_printf(m, "hidden:      ");
	for (unsigned i = 0; i < c->cpuid_hide_count; i++)
		mon_printf(m, " %s%s", c->cpuid_hide[i], i + 1 < c->cpuid_hide_count ? "" : "\n");
	if (!c->stray_stops)
		mon_printf(m, "unmapped:     ones\n");
	if (c->debug_exit)
		mon_printf(m, "debug exit:   yes\n");
	if (c->load_address != 0)
		mon_printf(m, "load address: 0x%llx\n", (unsigned long long)c->load_address);
}

void info_vm(struct monitor *m, struct vm *vm)
{
	char size[FMT_QUANTITY_BYTES], time[FMT_QUANTITY_BYTES];

	if (m->reply.json) {
		vm_json(m, vm);
		return;
	}
	mon_printf(m, "%s: %s, %u CPU%s, %s\n", vm->config.name, vm_state_name(vm->state), vm->vcpu_count,
		   vm->vcpu_count == 1 ? "" : "s", fmt_size(size, vm->config.memory));
	print_config(m, &vm->config);
	mon_printf(m, "has run for:  %s; restarts: %llu, crashes: %llu\n", fmt_duration(time, running_ns(m, vm)),
		   (unsigned long long)vm->restarts, (unsigned long long)vm->crashes);
	if (vm->crash[0] != '\0')
		mon_printf(m, "crashed:      %s\n", vm->crash);
	if (vm->config.debug_exit && vm->state == VM_STOPPED)
		mon_printf(m, "exit code:    0x%x\n", vm->debug_exit_code);
	for (unsigned i = 0; i < vm->vcpu_count; i++)
		mon_printf(m, "vcpu %-8u %s, %llu exits\n", i, vcpu_states[vm->vcpus[i]->state],
			   (unsigned long long)vcpu_exits(vm->vcpus[i]));
	print_bus(m, "ports", &vm->ports);
	print_bus(m, "memory-mapped", &vm->mmio);
}
