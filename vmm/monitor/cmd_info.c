/* `info`: the machine, its memory, what guests are given, one VM. */
#include "vmm/monitor/commands.h"

#include "arch/x86/insn.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/time.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/msr_policy.h"
#include "vmm/life/transitions.h"
#include "vmm/monitor/info.h"

static void line(void *ctx, const char *text)
{
	mon_printf(ctx, "%s\n", text);
}

static void info_machine(struct monitor *m)
{
	const struct monitor_machine *k = m->machine;
	char a[FMT_QUANTITY_BYTES], b[FMT_QUANTITY_BYTES], text[128];

	mon_printf(m, "AvatarVt-x %s\n", AVATAR_VERSION);
	mon_printf(m, "processor: %s\n", k->cpu->brand[0] != '\0' ? k->cpu->brand : k->cpu->vendor);
	mon_printf(m, "time:      %s\n", tsc_describe(k->tsc, text, sizeof(text)));
	mon_printf(m, "memory:    %s, %s free\n", fmt_size(a, k->memmap->ram_bytes),
		   fmt_size(b, page_alloc_free_bytes(k->pages)));
	mon_printf(m, "guests:    %s\n", m->host->can_run ? "can run" : "cannot run, see `info preflight`");
	mon_printf(m, "VMs:       %u\n", m->host->vm_count);
	mon_printf(m, "power-off: %s\n", power_off_way(k->power));
}

static void info_memory(struct monitor *m)
{
	const struct monitor_machine *k = m->machine;
	char a[FMT_QUANTITY_BYTES];

	mon_printf(m, "RAM            %12llu  %s\n", (unsigned long long)k->memmap->ram_bytes,
		   fmt_size(a, k->memmap->ram_bytes));
	mon_printf(m, "free           %12llu  %s\n", (unsigned long long)page_alloc_free_bytes(k->pages),
		   fmt_size(a, page_alloc_free_bytes(k->pages)));
	mon_printf(m, "page metadata  %12llu  %s\n", (unsigned long long)k->pages->meta_bytes,
		   fmt_size(a, k->pages->meta_bytes));
	mon_printf(m, "heap           %12llu  %s in %llu objects\n", (unsigned long long)k->heap->bytes_used,
		   fmt_size(a, k->heap->bytes_used), (unsigned long long)k->heap->objects);
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		const struct vm *vm = m->host->vms[i];

		mon_printf(m, "VM %-12s%12llu  %s, second-level tables %s\n", vm->config.name,
			   (unsigned long long)vm->mem.total_bytes, fmt_size(a, vm->mem.total_bytes),
			   fmt_size((char[FMT_QUANTITY_BYTES]){0}, vm->slpt.table_count * PAGE_SIZE));
	}
}

static void info_images(struct monitor *m)
{
	char size[FMT_QUANTITY_BYTES];

	if (m->host->images.count == 0)
		mon_printf(m, "no boot modules\n");
	for (unsigned i = 0; i < m->host->images.count; i++) {
		const struct image *image = &m->host->images.images[i];

		mon_printf(m, "%-24s %12llu  %s\n", image->name, (unsigned long long)image->size,
			   fmt_size(size, image->size));
	}
}

static void info_bus(struct monitor *m, const char *title, const struct bus *bus)
{
	mon_printf(m, "%s:\n", title);
	for (unsigned i = 0; i < bus->count; i++) {
		const struct bus_range *r = &bus->ranges[i];

		mon_printf(m, "  %8llx-%8llx  %-10s %llu reads, %llu writes\n", (unsigned long long)r->base,
			   (unsigned long long)(r->base + r->len - 1), r->name, (unsigned long long)r->reads,
			   (unsigned long long)r->writes);
	}
	mon_printf(m, "  nobody's: %llu reads, %llu writes\n", (unsigned long long)bus->unclaimed_reads,
		   (unsigned long long)bus->unclaimed_writes);
}

static void info_vm(struct monitor *m, struct vm *vm)
{
	char size[FMT_QUANTITY_BYTES], time[FMT_QUANTITY_BYTES];

	mon_printf(m, "%s: %s, %u CPUs, %s, kernel %s\n", vm->config.name, vm_state_name(vm->state), vm->vcpu_count,
		   fmt_size(size, vm->config.memory), vm->config.kernel);
	if (vm->config.cmdline[0] != '\0')
		mon_printf(m, "command line: %s\n", vm->config.cmdline);
	mon_printf(m, "running for %s, restarts: %llu\n",
		   fmt_duration(time, time_ns_from_ticks(vclock_now(&vm->clock), m->host->tsc_hz)),
		   (unsigned long long)vm->restarts);
	if (vm->crash[0] != '\0')
		mon_printf(m, "crashed: %s\n", vm->crash);
	info_bus(m, "ports", &vm->ports);
	info_bus(m, "memory-mapped", &vm->mmio);
}

static int info_cpuid(struct monitor *m)
{
	static const char *const names[] = {"eax", "ebx", "ecx", "edx"};
	const struct cpuid_row *row;

	mon_printf(m, "leaf     sub register passes   forces\n");
	for (size_t i = 0; (row = cpuid_policy_row(i)) != NULL; i++)
		mon_printf(m, "%08x %3d %-8s %08x %08x %s\n", row->leaf,
			   row->subleaf == CPUID_EACH ? -1 : (int)row->subleaf, names[row->reg], row->pass, row->force,
			   row->why);
	return 0;
}

static int info_msr(struct monitor *m)
{
	static const char *const actions[] = {
		[MSR_DENY] = "#GP",           [MSR_VALUE] = "fixed value",   [MSR_IGNORE] = "writes ignored",
		[MSR_STORE] = "emulated",     [MSR_REGISTER] = "register",   [MSR_LAPIC] = "local APIC",
		[MSR_TIME_STAMP] = "the TSC", [MSR_TIME_ADJUST] = "the TSC",
	};
	const struct msr_row *row;

	for (size_t i = 0; (row = msr_policy_row(i)) != NULL; i++)
		mon_printf(m, "%08x-%08x %-24s %-14s %s\n", row->first, row->last, row->name, actions[row->action],
			   row->why);
	mon_printf(m, "all others: #GP\n");
	return 0;
}

int cmd_info(struct monitor *m, int argc, char **argv)
{
	struct vm *vm;

	if (argc == 1)
		info_machine(m);
	else if (str_eq(argv[1], "preflight"))
		preflight_print(m->machine->preflight, line, m);
	else if (str_eq(argv[1], "memory"))
		info_memory(m);
	else if (str_eq(argv[1], "images"))
		info_images(m);
	else if (str_eq(argv[1], "cpuid"))
		return info_cpuid(m);
	else if (str_eq(argv[1], "msr"))
		return info_msr(m);
	else if ((vm = mon_vm(m, argv[1])) != NULL)
		info_vm(m, vm);
	return 0;
}
