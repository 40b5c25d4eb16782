/* `info`: the machine, its memory, its boot modules. A VM is in info_vm.c, what guests are given in info_policy.c. */
#include "vmm/monitor/commands.h"

#include "arch/x86/paging.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/life/console.h"
#include "vmm/monitor/info.h"

#define PROTECTION_WORDS 32u

static const char *processor(const struct monitor_machine *k)
{
	return k->cpu->brand[0] != '\0' ? k->cpu->brand : k->cpu->vendor;
}

static const char *way_off(const struct monitor_machine *k)
{
	const char *way = power_off_way(k->power);

	return way == NULL ? "none" : way;
}

/* "WP NX SMEP": what of PROTECTION_* is on. */
static const char *protection_words(uint32_t protection, char *buf, size_t size)
{
	static const char *const names[PROTECTION_COUNT] = {"WP", "NX", "SMEP", "SMAP", "UMIP"};
	size_t len = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < PROTECTION_COUNT; i++) {
		if (protection & BIT32(i))
			fmt_append(buf, size, &len, "%s%s", len == 0 ? "" : " ", names[i]);
	}
	return buf;
}

/* What is on on all CPUs that run. */
static uint32_t common_protection(const struct cpu_table *t)
{
	uint32_t common = UINT32_MAX;

	for (unsigned i = 0; i < t->count; i++) {
		if (t->records[i].index != CPU_NO_INDEX)
			common &= t->records[i].protection;
	}
	return common;
}

static void cpus_json(struct reply *r, const struct cpu_table *t)
{
	char words[PROTECTION_WORDS];

	reply_number(r, "cpus_running", t->running);
	reply_open(r, "cpus", '[');
	for (unsigned i = 0; i < t->count; i++) {
		const struct cpu_record *cpu = &t->records[i];
		bool runs = cpu->index != CPU_NO_INDEX;

		reply_open(r, NULL, '{');
		reply_number(r, "apic_id", cpu->apic_id);
		reply_string(r, "state", runs ? "runs" : "left out");
		if (runs) {
			reply_number(r, "index", cpu->index);
			reply_signed(r, "tsc_delta", cpu->tsc_delta);
			reply_string(r, "protection", protection_words(cpu->protection, words, sizeof(words)));
		} else {
			reply_string(r, "why", cpu->why);
		}
		reply_close(r, '}');
	}
	reply_close(r, ']');
}

static void cpus_text(struct monitor *m, const struct cpu_table *t)
{
	mon_printf(m, "CPUs:      %u of %u run\n", t->running, t->count + t->missed);
	for (unsigned i = 0; i < t->count; i++) {
		const struct cpu_record *cpu = &t->records[i];

		if (cpu->index != CPU_NO_INDEX)
			mon_printf(m, "  CPU %-3u  APIC ID %u, TSC %+lld ticks\n", cpu->index, cpu->apic_id,
				   (long long)cpu->tsc_delta);
		else
			mon_printf(m, "  left out APIC ID %u: %s\n", cpu->apic_id, cpu->why);
	}
}

static void machine_json(struct monitor *m)
{
	const struct monitor_machine *k = m->machine;
	struct reply *r = &m->reply;

	reply_string(r, "version", AVATAR_VERSION);
	reply_string(r, "processor", processor(k));
	reply_number(r, "tsc_hz", k->tsc->hz);
	cpus_json(r, k->cpus);
	reply_number(r, "boot_ticks", k->boot_ticks);
	reply_number(r, "last_command_ticks", m->command_ticks);
	reply_number(r, "ram_bytes", k->memmap->ram_bytes);
	reply_number(r, "free_bytes", page_alloc_free_bytes(k->pages));
	reply_flag(r, "can_run_guests", m->host->can_run);
	reply_number(r, "vms", m->host->vm_count);
	reply_string(r, "power_off", way_off(k));
}

static void info_machine(struct monitor *m)
{
	const struct monitor_machine *k = m->machine;
	char a[FMT_QUANTITY_BYTES], b[FMT_QUANTITY_BYTES], text[128];

	if (m->reply.json) {
		machine_json(m);
		return;
	}
	mon_printf(m, "AvatarVt-x %s\n", AVATAR_VERSION);
	mon_printf(m, "processor: %s\n", processor(k));
	cpus_text(m, k->cpus);
	mon_printf(m, "protection: %s\n", protection_words(common_protection(k->cpus), text, sizeof(text)));
	mon_printf(m, "time:      %s\n", tsc_describe(k->tsc, text, sizeof(text)));
	mon_printf(m, "boot:      %llu ticks from the loader to the guests\n", (unsigned long long)k->boot_ticks);
	mon_printf(m, "memory:    %s, %s free\n", fmt_size(a, k->memmap->ram_bytes),
		   fmt_size(b, page_alloc_free_bytes(k->pages)));
	mon_printf(m, "guests:    %s\n", m->host->can_run ? "can run" : "cannot run, see `info preflight`");
	mon_printf(m, "VMs:       %u\n", m->host->vm_count);
	mon_printf(m, "power-off: %s\n", way_off(k));
}

/* --- memory --- */

static uint64_t table_bytes(const struct vm *vm)
{
	return vm->slpt.table_count * PAGE_SIZE;
}

static uint64_t vm_bytes(const struct vm *vm)
{
	return vm->mem.total_bytes + table_bytes(vm) + CONSOLE_SCROLLBACK_BYTES + vm->own_bytes;
}

/* Pages of the host's own that are neither heap nor a VM's: page tables, the CPUs' stacks and areas. */
static uint64_t host_page_bytes(const struct monitor *m)
{
	const struct monitor_machine *k = m->machine;
	uint64_t used = page_alloc_total_bytes(k->pages) - page_alloc_free_bytes(k->pages);

	for (unsigned i = 0; i < m->host->vm_count; i++)
		used -= vm_bytes(m->host->vms[i]);
	return used;
}

/* All that is ours and no VM's. */
static uint64_t hypervisor_bytes(const struct monitor *m)
{
	return m->machine->image_bytes + m->machine->pages->meta_bytes + host_page_bytes(m);
}

static void memory_cpus_json(struct reply *r, const struct cpu_table *t)
{
	reply_open(r, "cpus", '[');
	for (unsigned i = 0; i < t->count; i++) {
		if (t->records[i].index == CPU_NO_INDEX)
			continue;
		reply_open(r, NULL, '{');
		reply_number(r, "index", t->records[i].index);
		reply_number(r, "bytes", t->records[i].bytes);
		reply_close(r, '}');
	}
	reply_close(r, ']');
}

static void memory_json(struct monitor *m)
{
	const struct monitor_machine *k = m->machine;
	struct reply *r = &m->reply;

	reply_open(r, "memory", '{');
	reply_number(r, "ram_bytes", k->memmap->ram_bytes);
	reply_number(r, "usable_bytes", page_alloc_total_bytes(k->pages));
	reply_number(r, "free_bytes", page_alloc_free_bytes(k->pages));
	reply_number(r, "dirty_bytes", page_alloc_dirty_bytes(k->pages));
	reply_number(r, "image_bytes", k->image_bytes);
	reply_number(r, "metadata_bytes", k->pages->meta_bytes);
	reply_number(r, "host_page_bytes", host_page_bytes(m));
	reply_number(r, "heap_bytes", k->heap->bytes_used);
	reply_number(r, "heap_objects", k->heap->objects);
	reply_number(r, "heap_held_bytes", k->heap->pages_held * PAGE_SIZE);
	reply_number(r, "hypervisor_bytes", hypervisor_bytes(m));
	memory_cpus_json(r, k->cpus);
	reply_open(r, "vms", '[');
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		const struct vm *vm = m->host->vms[i];

		reply_open(r, NULL, '{');
		reply_string(r, "name", vm->config.name);
		reply_number(r, "ram_bytes", vm->mem.total_bytes);
		reply_number(r, "table_bytes", table_bytes(vm));
		reply_number(r, "console_bytes", CONSOLE_SCROLLBACK_BYTES);
		reply_number(r, "own_bytes", vm->own_bytes);
		reply_close(r, '}');
	}
	reply_close(r, ']');
	reply_close(r, '}');
}

static void memory_line(struct monitor *m, const char *what, uint64_t bytes, const char *more)
{
	char size[FMT_QUANTITY_BYTES];

	mon_printf(m, "%-20s %14llu  %s%s\n", what, (unsigned long long)bytes, fmt_size(size, bytes), more);
}

static void info_memory(struct monitor *m)
{
	const struct monitor_machine *k = m->machine;
	char text[80], size[FMT_QUANTITY_BYTES], own[FMT_QUANTITY_BYTES];

	if (m->reply.json) {
		memory_json(m);
		return;
	}
	memory_line(m, "RAM", k->memmap->ram_bytes, "");
	memory_line(m, "usable", page_alloc_total_bytes(k->pages), " without the image and the boot modules");
	memory_line(m, "free", page_alloc_free_bytes(k->pages), "");
	memory_line(m, "to be scrubbed", page_alloc_dirty_bytes(k->pages), " of what is free");
	memory_line(m, "image", k->image_bytes, "");
	memory_line(m, "page metadata", k->pages->meta_bytes, "");
	fmt_snprintf(text, sizeof(text), " in %llu objects", (unsigned long long)k->heap->objects);
	memory_line(m, "heap", k->heap->bytes_used, text);
	memory_line(m, "host's pages", host_page_bytes(m), " of page tables, CPUs, and of the heap what no VM has");
	memory_line(m, "hypervisor", hypervisor_bytes(m), " of image, metadata and host's pages");
	for (unsigned i = 1; i < k->cpus->count; i++) {
		const struct cpu_record *cpu = &k->cpus->records[i];
		char name[16];

		if (cpu->index == CPU_NO_INDEX)
			continue;
		fmt_snprintf(name, sizeof(name), "CPU %u", cpu->index);
		memory_line(m, name, cpu->bytes, " of the host's pages");
	}
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		const struct vm *vm = m->host->vms[i];
		char name[VM_NAME_MAX + 4];

		fmt_snprintf(name, sizeof(name), "VM %s", vm->config.name);
		fmt_snprintf(text, sizeof(text), ", second-level tables %s, scrollback %uK, own %s",
			     fmt_size(size, table_bytes(vm)), (unsigned)(CONSOLE_SCROLLBACK_BYTES / 1024),
			     fmt_size(own, vm->own_bytes));
		memory_line(m, name, vm->mem.total_bytes, text);
	}
}

/* --- boot modules --- */

static void info_images(struct monitor *m)
{
	const struct image_store *s = &m->host->images;
	char size[FMT_QUANTITY_BYTES];

	if (m->reply.json) {
		reply_open(&m->reply, "images", '[');
		for (unsigned i = 0; i < s->count; i++) {
			reply_open(&m->reply, NULL, '{');
			reply_string(&m->reply, "name", s->images[i].name);
			reply_number(&m->reply, "bytes", s->images[i].size);
			reply_close(&m->reply, '}');
		}
		reply_close(&m->reply, ']');
		return;
	}
	if (s->count == 0)
		mon_printf(m, "no boot modules\n");
	for (unsigned i = 0; i < s->count; i++)
		mon_printf(m, "%-24s %12llu  %s\n", s->images[i].name, (unsigned long long)s->images[i].size,
			   fmt_size(size, s->images[i].size));
}

/* --- pre-flight --- */

static void preflight_json(struct monitor *m)
{
	static const char *const needs[] = {
		[PREFLIGHT_INFO] = "info", [PREFLIGHT_WANTED] = "wanted", [PREFLIGHT_REQUIRED] = "required"};
	const struct preflight *p = m->machine->preflight;
	struct reply *r = &m->reply;

	reply_number(r, "missing", p->missing);
	reply_open(r, "items", '[');
	for (unsigned i = 0; i < p->count; i++) {
		const struct preflight_item *item = &p->items[i];

		reply_open(r, NULL, '{');
		reply_string(r, "name", item->name);
		reply_string(r, "need", needs[item->need]);
		reply_flag(r, "found", item->found);
		reply_string(r, "source", item->source);
		reply_string(r, "text", item->text);
		reply_close(r, '}');
	}
	reply_close(r, ']');
}

static void preflight_line(void *ctx, const char *text)
{
	mon_printf(ctx, "%s\n", text);
}

static void info_preflight(struct monitor *m)
{
	if (m->reply.json)
		preflight_json(m);
	else
		preflight_print(m->machine->preflight, preflight_line, m);
}

const struct info_subject info_subjects[] = {
	{"machine", info_machine},
	{"preflight", info_preflight},
	{"memory", info_memory},
	{"images", info_images},
	{"cpuid", info_cpuid},
	{"msr", info_msr},
	{NULL, NULL},
};

int cmd_info(struct monitor *m, int argc, char **argv)
{
	const char *what = argc == 1 ? "machine" : argv[1];
	struct vm *vm;

	for (const struct info_subject *s = info_subjects; s->name != NULL; s++) {
		if (str_eq(s->name, what)) {
			s->show(m);
			return 0;
		}
	}
	vm = host_find(m->host, what);
	if (vm == NULL)
		return mon_error(m, "'%s' is neither a subject nor a VM; `help info` lists the subjects", what);
	info_vm(m, vm);
	return 0;
}
