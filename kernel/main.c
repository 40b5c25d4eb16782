/* The roof: boot, as a list. Each step stands on those before it; what a step finds and makes is in struct machine. */
#include "kernel/main.h"

#include "arch/x86/idt.h"
#include "arch/x86/insn.h"
#include "arch/x86/percpu.h"
#include "kernel/early_console.h"
#include "kernel/log.h"
#include "kernel/panic.h"

static struct machine machine;
static struct log_sink early_sink = {.write = early_console_write, .level = LOG_DEBUG};

void kernel_entry(uint32_t magic, uint64_t info_hpa, uint64_t load_hpa);

/* What GRUB tells: memory, modules, the boot line. Without it nothing can go on. */
static void read_loader(struct machine *m, uint64_t info_hpa)
{
	const void *info = hva_of(info_hpa);
	const char *level = NULL;
	enum log_level parsed;

	if (multiboot2_parse(info, multiboot2_info_bytes(info), &m->loader) != 0)
		panic("the boot loader's information is not usable: %s (0x%llx)", m->loader.why,
		      (unsigned long long)m->loader.why_value);
	if (bootline_parse(&m->bootline, m->loader.cmdline) != 0)
		log_error("the boot line cannot be read: '%s'", m->loader.cmdline);
	level = bootline_value(&m->bootline, "loglevel");
	if (level != NULL && log_level_parse(level, &parsed) == 0)
		log_set_level(parsed);
	else if (level != NULL)
		log_error("boot line: loglevel=%s is none of error, warn, info, debug", level);
}

/* A word that nobody knows was meant to do something: say that it does not. */
static void check_words(const struct bootline *bl)
{
	static const char *const words[] = {"loglevel",
					    "console",
					    "run",
					    "selftest",
					    "scrub",
					    "nox2apic",
					    "notscdeadline",
					    "cpus",
					    "apicv",
					    "test-cpu-dead",
					    "test-cpu-differs",
					    "test-tsc-skew",
					    "test-mtrr-differs",
					    NULL};

	for (size_t i = 0; i < bl->count; i++) {
		if (bootline_unknown(bl, words, i) == i && bootline_unknown(bl, vmx_option_words, i) == i)
			log_error("boot line: unknown word '%s'", bl->words[i].key);
	}
}

/* Weak: tests/selftest/ has another one, for the image with the self-tests. */
__attribute__((weak)) void boot_selftest(struct machine *m)
{
	if (bootline_value(&m->bootline, "selftest") != NULL)
		log_error("boot line: selftest= is for avatar-test.elf; this image has no self-tests");
}

/* Entered by boot/entry.asm on the boot stack, with the first page tables, IF = 0. */
void kernel_entry(uint32_t magic, uint64_t info_hpa, uint64_t load_hpa)
{
	struct machine *m = &machine;

	(void)magic; /* entry.asm has looked */
	m->boot_tsc = rdtsc();
	m->load_hpa = load_hpa;
	percpu_load(percpu_init_bsp());
	idt_init();
	idt_load();
	panic_init();
	early_console_init();
	log_add_sink(&early_sink);
	log_info("AvatarVt-x " AVATAR_VERSION ", image at 0x%llx", (unsigned long long)load_hpa);
	read_loader(m, info_hpa);
	boot_memory(m);
	boot_screen(m);
	boot_console(m);
	log_remove_sink(&early_sink);
	boot_acpi(m);
	boot_interrupts(m);
	boot_time(m);
	boot_serial_irq(m);
	boot_vmx(m);
	boot_smp(m);
	boot_selftest(m);
	check_words(&m->bootline);
	boot_runners(m);
	boot_guests(m);
	boot_run(m);
}
