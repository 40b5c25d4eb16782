/* Boot: VT-x, the guests that avatar.conf describes, the monitor. */
#include "kernel/main.h"

#include "arch/x86/cpuid.h"
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/msr_safe.h"
#include "arch/x86/nmi.h"
#include "arch/x86/percpu.h"
#include "drivers/pci.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "vmm/core/conf.h"
#include "vmm/life/platform.h"
#include "vmm/life/run.h"
#include "vmm/life/runner.h"
#include "vmm/vmx/vmx_bits.h"

#define CONF_NAME "avatar.conf"

extern const char image_start[], image_end[];

static struct machine *the_machine;

static void log_line(void *ctx, const char *text)
{
	(void)ctx;
	log_info("%s", text);
}

const uint32_t mtrr_fixed_msrs[MTRR_FIXED_COUNT] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
						    0x26b, 0x26c, 0x26d, 0x26e, 0x26f};

/* On any CPU: for guests' mappings, and for the comparison of the CPUs. */
void read_mtrrs(struct mtrr_state *s, unsigned phys_bits)
{
	uint64_t cap = rdmsr_or(0xfe, 0);

	s->def_type = rdmsr_or(0x2ff, 0);
	s->has_fixed = (cap & BIT64(8)) != 0;
	for (unsigned i = 0; s->has_fixed && i < MTRR_FIXED_COUNT; i++)
		s->fixed[i] = rdmsr_or(mtrr_fixed_msrs[i], 0);
	s->variable_count = (unsigned)(cap & 0xff);
	for (unsigned i = 0; i < s->variable_count && i < MTRR_VARIABLE_MAX; i++) {
		s->variable[i].base = rdmsr_or(0x200 + 2 * i, 0);
		s->variable[i].mask = rdmsr_or(0x201 + 2 * i, 0);
	}
	s->maxphyaddr = phys_bits;
}

static uint64_t free_bytes(void)
{
	return page_alloc_free_bytes(&the_machine->pages);
}

static bool scrub_step(void)
{
	return page_scrub_step(&the_machine->pages);
}

static uint32_t *attention_word(uint32_t cpu)
{
	return &percpu_get(cpu)->attention;
}

/* A chipset of 1996 under a processor that offers what came in 2013, and nobody in between who would say so: Bochs. When an
 * interrupt of the host's comes while a virtual one waits for IF, Bochs 2.7 delivers the virtual one to the guest, which
 * may hold the very lock that the handler wants. */
static bool in_bochs(const struct machine *m)
{
	struct cpu_info cpu;

	cpu_info_read(cpuid, &cpu);
	return !cpu.hypervisor &&
	       (m->vmx.raw.vmx[MSR_VMX_PROCBASED_CTLS2 - MSR_VMX_BASIC] >> 32 & PROC2_VIRTUAL_INTERRUPTS) != 0 &&
	       pci_present(&hw_real) &&
	       pci_read32(&hw_real, (struct pci_address){0, 0, 0}, 0) ==
		       ((uint32_t)PCI_DEVICE_82441FX << 16 | PCI_VENDOR_INTEL);
}

void boot_vmx(struct machine *m)
{
	int err;

	the_machine = m;
	for (const char *const *word = vmx_option_words; *word != NULL; word++) {
		if (bootline_flag(&m->bootline, *word))
			(void)vmx_option_set(&m->vmx_options, *word);
	}
	vmx_probe(&m->vmx);
	if (!bootline_flag(&m->bootline, "apicv") && !m->vmx_options.no_apicv && in_bochs(m)) {
		log_warn(
			"this is Bochs, which delivers virtual interrupts past IF: APIC virtualization is off; `apicv` uses it");
		m->vmx_options.no_apicv = true;
	}
	preflight_evaluate(&m->vmx, &m->vmx_options, page_alloc_free_bytes(&m->pages), &m->preflight);
	preflight_print(&m->preflight, log_line, NULL);
	m->host.pages = page_alloc_source(&m->pages);
	m->host.heap = &m->heap;
	m->host.free_bytes = free_bytes;
	m->host.idle_work = scrub_step;
	read_mtrrs(&m->host.mtrr, cpu_snapshot_phys_bits(&m->vmx.cpu));
	if (m->preflight.missing != 0)
		return;
	err = vmx_init(&m->vmx, &m->vmx_options, &m->host.pages);
	if (err == 0)
		err = vmx_cpu_init();
	if (err == 0)
		err = vmx_slpt_format(&m->host.slpt_format);
	if (err != 0)
		log_error("VT-x cannot be used: %s", err_str(err));
	else
		platform_share_apic_page(&m->host);
	m->host.can_run = err == 0;
}

/* What a CPU but the first does from now on. */
static void run_vcpus(void)
{
	runner_loop(&the_machine->host.runners[this_cpu()->index]);
}

/* All CPUs that are up get a runner, and go to work. */
void boot_runners(struct machine *m)
{
	uint64_t present = m->cpus.running >= 64 ? UINT64_MAX : BIT64(m->cpus.running) - 1;

	m->host.attention = attention_word;
	m->host.kick = cpu_kick;
	m->host.kick_guest = cpu_kick_guest;
	if (runners_init(&m->host, present) != 0)
		panic("no memory for the scheduler");
	__atomic_store_n(&ap_main, run_vcpus, __ATOMIC_RELEASE);
	for (uint32_t i = 1; i < m->cpus.running; i++)
		cpu_kick(i);
}

static void add_images(struct machine *m)
{
	for (size_t i = 0; i < m->loader.module_count; i++) {
		const struct boot_module *module = &m->loader.modules[i];
		int err = images_add(&m->host.images, module->name, hva_of(module->start), module->end - module->start);

		if (err != 0)
			log_error("boot module '%s' is left out: %s", module->name, err_str(err));
	}
}

static void make_guest(struct machine *m, const struct vm_config *config)
{
	char why[LIFE_WHY];
	struct vm *vm;
	int err = vm_create(&m->host, config, &vm, why);

	if (err == 0 && config->autostart)
		err = vm_start(&m->host, vm, why);
	if (err != 0)
		log_error("%s", why);
}

/* The VMs of avatar.conf. A conf with an error makes none at all: a half-right set of guests helps nobody. */
void boot_guests(struct machine *m)
{
	const struct image *conf;
	struct vm_config *configs;
	char why[CONF_WHY_BYTES];
	unsigned count = 0;

	add_images(m);
	conf = images_find(&m->host.images, CONF_NAME);
	if (conf == NULL) {
		log_warn("no boot module named " CONF_NAME ": no guests; `create` makes one");
		return;
	}
	configs = heap_alloc_array(&m->heap, CONF_MAX_VMS, sizeof(*configs));
	if (configs == NULL) {
		log_error("no memory to read " CONF_NAME);
		return;
	}
	if (conf_parse(conf->bytes, conf->size, configs, CONF_MAX_VMS, &count, why, sizeof(why)) != 0)
		log_error("%s", why);
	else
		for (unsigned i = 0; i < count && m->host.can_run; i++)
			make_guest(m, &configs[i]);
	heap_free(&m->heap, configs);
}

/* Somebody types, or a script sends, faster than this CPU fetches: without a word he would look for the fault elsewhere. */
static void say_what_is_lost(const struct uart *u)
{
	static uint64_t said;

	if (likely(u->stats.overruns == said))
		return;
	said = u->stats.overruns;
	log_warn("serial port: what was sent to it has been lost in part (%llu times so far): its FIFO was full",
		 (unsigned long long)said);
}

/* A turn of the first CPU's own work. Lines that other CPUs have logged come first: the monitor may be about to read them. */
static uint64_t step(void *ctx)
{
	uint64_t next;

	log_catch_up();
	say_what_is_lost(&the_machine->uart);
	next = monitor_step(ctx);
	log_show();
	return next;
}

_Noreturn void boot_run(struct machine *m)
{
	const char *script = bootline_value(&m->bootline, "run");

	m->monitor_machine = (struct monitor_machine){
		.preflight = &m->preflight,
		.cpu = &m->vmx.cpu,
		.tsc = &m->tsc,
		.memmap = &m->memmap,
		.pages = &m->pages,
		.heap = &m->heap,
		.uart = &m->uart,
		.power = &m->power,
		.cpus = &m->cpus,
	};
	m->monitor_machine.image_bytes = (uint64_t)(image_end - image_start);
	m->monitor_machine.boot_ticks = rdtsc() - m->boot_tsc;
	monitor_init(&m->monitor, &m->terminal, &m->host, &m->monitor_machine, script == NULL ? "" : script);
	log_show_later();
	host_loop(&m->host, step, &m->monitor);
}
