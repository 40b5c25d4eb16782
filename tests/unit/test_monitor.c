/* The monitor against a terminal that is two buffers: every command with right and wrong arguments, the contract of prompt and
 * errors, JSON, scripts, consoles, and what happens when the terminal is slow. */
#include "tests/unit/vm_fixture.h"

#include "kernel/lib/format.h"
#include "kernel/lib/ring.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "vmm/monitor/info.h"
#include "vmm/monitor/monitor.h"

#define SCREEN_BYTES (512u * 1024u)
#define PROMPT "avatar> "

static struct monitor mon;
static char screen[SCREEN_BYTES];
static size_t screen_len, screen_room; /* room: what the terminal takes without waiting */
static char keys[8192];
static size_t keys_len, keys_at;
static jmp_buf panicked;

/* --- the terminal, and the rest of a machine --- */

static size_t term_read(void *ctx, void *buf, size_t len)
{
	size_t n = keys_len - keys_at < len ? keys_len - keys_at : len;

	(void)ctx;
	memcpy(buf, keys + keys_at, n);
	keys_at += n;
	return n;
}

static void term_write(void *ctx, const void *data, size_t len)
{
	(void)ctx;
	assert_true(screen_len + len < SCREEN_BYTES);
	memcpy(screen + screen_len, data, len);
	screen_len += len;
	screen[screen_len] = '\0';
	screen_room = screen_room > len ? screen_room - len : 0;
}

static size_t term_room(void *ctx)
{
	(void)ctx;
	return screen_room;
}

static const struct terminal term = {term_read, term_write, term_room, NULL};

void panic(const char *fmt, ...)
{
	(void)fmt;
	longjmp(panicked, 1);
}

static unsigned port_writes;

static uint8_t in8(void *ctx, uint16_t port)
{
	(void)ctx;
	return port == 0x64 ? 0 : 0xff;
}

static uint16_t in16(void *ctx, uint16_t port)
{
	(void)ctx;
	(void)port;
	return 0xffff;
}

static uint32_t in32(void *ctx, uint16_t port)
{
	(void)ctx;
	(void)port;
	return UINT32_MAX;
}

static void out8(void *ctx, uint16_t port, uint8_t value)
{
	(void)ctx;
	(void)port;
	(void)value;
	port_writes++;
}

static void out16(void *ctx, uint16_t port, uint16_t value)
{
	out8(ctx, port, (uint8_t)value);
}

static void out32(void *ctx, uint16_t port, uint32_t value)
{
	out8(ctx, port, (uint8_t)value);
}

static void relax(void *ctx)
{
	(void)ctx;
}

static uint64_t read_tsc(void *ctx)
{
	(void)ctx;
	return rdtsc();
}

static const struct hw_io hw = {.in8 = in8,
				.in16 = in16,
				.in32 = in32,
				.out8 = out8,
				.out16 = out16,
				.out32 = out32,
				.rdtsc = read_tsc,
				.relax = relax};

static struct preflight preflight;
static struct cpu_snapshot cpu;
static struct tsc_result tsc = {.hz = FX_TSC_HZ, .measured_hz = FX_TSC_HZ, .source = "PIT"};
static struct memmap memmap;
static struct page_alloc pages;
static struct uart uart;
static struct power power;
static const struct cpu_table cpus = {
	.records = {{.apic_id = 4, .protection = 0x1f},
		    {.apic_id = 6, .index = 1, .tsc_delta = -12, .protection = 0x17},
		    {.apic_id = 7, .index = CPU_NO_INDEX, .why = "it sulks"}},
	.count = 3,
	.running = 2,
	.missed = 1,
};
static struct monitor_machine machine = {&preflight, &cpu,   &tsc,  &memmap, &pages,  &fx_heap,
					 &uart,      &power, &cpus, 1 << 20, 30000000};

/* --- helpers --- */

static void screen_clear(void)
{
	screen_len = 0;
	screen[0] = '\0';
}

static void begin(const char *script)
{
	monitor_init(&mon, &term, &fx_host, &machine, script);
	screen_clear();
	screen_room = SIZE_MAX;
	keys_len = keys_at = 0;
}

static int setup(void **state)
{
	(void)state;
	fx_host_init();
	fx_image();
	preflight.count = 1;
	preflight.items[0] =
		(struct preflight_item){.name = "VMX", .need = PREFLIGHT_REQUIRED, .found = true, .without = ""};
	strcpy(cpu.brand, "A \"Brand\" of 1 GHz");
	memmap.ram_bytes = 64 * MIB;
	pages.free_pages[PAGE_CLEAN] = 4096 - 16;
	pages.free_pages[PAGE_DIRTY] = 16;
	pages.total_pages = 8192;
	uart.hw = &hw;
	power_init(&power, &hw, NULL, NULL);
	begin("");
	(void)monitor_step(&mon);
	assert_string_equal(screen, PROMPT);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fx_host_destroy();
	return 0;
}

static void type(const char *text)
{
	size_t len = strlen(text);

	if (keys_at == keys_len)
		keys_at = keys_len = 0;
	assert_true(keys_len + len <= sizeof(keys));
	memcpy(keys + keys_len, text, len);
	keys_len += len;
}

/* Run a command as the operator would; returns its reply, without echo, carriage returns and the prompt, which must be there. */
static const char *run(const char *line)
{
	static char reply[SCREEN_BYTES];
	size_t n = 0, prompt = strlen("\r\n" PROMPT);
	const char *from;

	screen_clear();
	type(line);
	type("\r");
	(void)monitor_step(&mon);
	for (unsigned i = 0; i < 1000 && mon.mode == MONITOR_WAITING; i++)
		(void)monitor_step(&mon);
	if (screen_len < prompt || !str_eq(screen + screen_len - strlen(PROMPT), PROMPT) ||
	    screen[screen_len - strlen(PROMPT) - 1] != '\n')
		fail_msg("'%s' does not end with the prompt: '%s'", line, screen);
	from = strchr(screen, '\n');
	for (from++; from < screen + screen_len - strlen(PROMPT); from++) {
		if (*from != '\r')
			reply[n++] = *from;
	}
	reply[n] = '\0';
	return reply;
}

static void expect(const char *line, const char *reply)
{
	assert_string_equal(run(line), reply);
}

/* The reply has this in it, and is no error. */
static void has(const char *line, const char *words)
{
	const char *reply = run(line);

	if (strstr(reply, words) == NULL || strstr(reply, "error: ") != NULL)
		fail_msg("'%s' gives '%s' without '%s'", line, reply, words);
}

/* The reply is one error line with this in it. */
static void fails(const char *line, const char *words)
{
	const char *reply = run(line);

	if (!str_starts(reply, "error: ") || strstr(reply, words) == NULL)
		fail_msg("'%s' gives '%s', not an error with '%s'", line, reply, words);
	assert_ptr_equal(strchr(reply, '\n') + 1, reply + strlen(reply));
}

/* --- a JSON checker: RFC 8259, no more --- */

static const char *json_value(const char *p);

static const char *json_string(const char *p)
{
	if (*p++ != '"')
		return NULL;
	for (; *p != '"'; p++) {
		if ((unsigned char)*p < 0x20)
			return NULL;
		if (*p != '\\')
			continue;
		p++;
		if (*p == 'u') {
			for (unsigned i = 0; i < 4; i++)
				if (strchr("0123456789abcdef", *++p) == NULL)
					return NULL;
		} else if (strchr("\"\\/bfnrt", *p) == NULL) {
			return NULL;
		}
	}
	return p + 1;
}

static const char *json_list(const char *p, char end, bool members)
{
	if (*p == end)
		return p + 1;
	for (;;) {
		if (members) {
			p = json_string(p);
			if (p == NULL || *p++ != ':')
				return NULL;
		}
		p = json_value(p);
		if (p == NULL)
			return NULL;
		if (*p == end)
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static const char *json_value(const char *p)
{
	if (*p == '{')
		return json_list(p + 1, '}', true);
	if (*p == '[')
		return json_list(p + 1, ']', false);
	if (*p == '"')
		return json_string(p);
	if (str_starts(p, "true"))
		return p + 4;
	if (str_starts(p, "false"))
		return p + 5;
	if (*p == '0')
		return p + 1;
	if (*p == '-')
		p++;
	if (*p < '1' || *p > '9')
		return NULL;
	while (*p >= '0' && *p <= '9')
		p++;
	return p;
}

/* One object, one line. */
static const char *json(const char *line)
{
	const char *reply = run(line), *end = *reply == '{' ? json_value(reply) : NULL;

	if (end == NULL || !str_eq(end, "\n"))
		fail_msg("'%s' gives '%s', which is not one JSON object", line, reply);
	return reply;
}

static void json_has(const char *line, const char *words)
{
	const char *reply = json(line);

	if (strstr(reply, words) == NULL)
		fail_msg("'%s' gives '%s' without '%s'", line, reply, words);
}

/* --- the contract --- */

static void test_prompt_and_errors(void **state)
{
	(void)state;
	expect("", "");
	expect("    ", "");
	expect("echo", "\n");
	expect("echo a  \"b  c\" \\\"d", "a b  c \"d\n");
	fails("nonsense", "no command 'nonsense'; `help` lists them");
	fails("echo \"a", "a quote is not closed");
	fails("echo 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31 32",
	      "32 words");
	fails("start", "usage: start NAME");
	fails("start a b", "usage: start NAME");
	fails("list x", "usage: list");
}

static void test_every_command_refuses_wrong_arguments(void **state)
{
	(void)state;
	for (const struct command *c = monitor_commands; c->name != NULL; c++) {
		char line[512], usage[128];
		size_t len = 0;

		fmt_snprintf(usage, sizeof(usage), "usage: %s", c->name);
		if (c->min_args > 0)
			fails(c->name, usage);
		if (c->max_args < 30) {
			fmt_append(line, sizeof(line), &len, "%s", c->name);
			for (int i = 0; i <= c->max_args; i++)
				fmt_append(line, sizeof(line), &len, " x");
			fails(line, usage);
		}
		/* And no VM is there to be named. */
		if (c->complete == ARGS_VM && c->min_args >= 1) {
			fmt_snprintf(line, sizeof(line), "%s nobody%s", c->name,
				     c->min_args == 2   ? " 1"
				     : c->min_args == 3 ? " 1 1"
							: "");
			fails(line, "there is no VM 'nobody'");
		}
	}
}

static void test_help(void **state)
{
	char line[64];

	(void)state;
	for (const struct command *c = monitor_commands; c->name != NULL; c++) {
		has("help", c->name);
		fmt_snprintf(line, sizeof(line), "help %s", c->name);
		has(line, c->summary);
	}
	fails("help nonsense", "no command 'nonsense'");
}

static void test_log_lines_stand_around_the_line(void **state)
{
	(void)state;
	type("ec");
	(void)monitor_step(&mon);
	screen_clear();
	monitor_log(&mon, "[1] hello\n", 10);
	assert_string_equal(screen, "\r\x1b[K[1] hello\r\n\r" PROMPT "ec\x1b[K");
	screen_clear();
	type("ho x\r");
	(void)monitor_step(&mon);
	assert_string_equal(screen, "ho x\r\nx\r\n" PROMPT);
}

/* --- the life of a VM --- */

static void test_life_by_commands(void **state)
{
	(void)state;
	expect("list", "no VMs\n");
	expect("create a kernel=flat.bin load-address=1M memory=2M", "a: created\n");
	has("list", "1  a                created     1      2 MiB");
	fails("pause a", "a is created: it cannot pause");
	expect("start a", "a: running\n");
	fails("start a", "a is running: it cannot start");
	fails("resume a", "a is running: it cannot resume");
	expect("pause a", "a: paused\n");
	fails("shutdown a", "a is paused");
	expect("resume a", "a: running\n");
	expect("reset a", "a: running\n");
	expect("shutdown a", "a: power button pressed\n");
	expect("create b like=a memory=1M load-address=512K", "b: created\n");
	expect("create c memory=3M like a", "c: created\n"); /* wherever it stands */
	has("list", "c                created     1      3 MiB");
	expect("destroy a", "a: destroyed\n");
	fails("destroy a", "no VM 'a'");
	has("list", "b  ");
	assert_int_equal(fx_host.vm_count, 2);
}

static void test_create_starts_when_told(void **state)
{
	(void)state;
	expect("create a kernel=flat.bin load-address=1M memory=2M autostart=yes", "a: running\n");
	expect("create b like a", "b: created\n"); /* a's wish is not b's */
	expect("create c like=a autostart=yes", "c: running\n");
	fails("create d kernel=gone memory=2M autostart=yes", "kernel 'gone' is not among the boot modules");
	has("list", "d                created"); /* made it is */
}

static void test_create_errors(void **state)
{
	size_t before = fx_pages.pages_out;

	(void)state;
	fails("create a", "usage: create NAME [like OTHER] [KEY=VALUE...]");
	fails("create a like", "no VM ''");
	fails("create a like nobody", "no VM 'nobody'");
	fails("create like like", "no VM ''"); /* a VM may have the name */
	fails("create a kernel=flat.bin load-address=1M memory=2M pin=63",
	      "a: pin: none of these CPUs runs; there are 0");
	fails("create a memory", "'memory' is not KEY=VALUE");
	fails("create a memory=2M", "kernel is missing");
	fails("create a kernel=x memory=13", "memory = 13: 1M to 512G are allowed");
	fails("create a kernel=x colour=red", "unknown key 'colour'; known are kernel, initrd");
	fails("create a/b kernel=x", "a VM's name has 1 to 31 letters");
	fails("create aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa kernel=x", "31 characters");
	fails("create a kernel=x memory=1G", "asks for 1 GiB of memory");
	fails("create a like=nobody", "no VM 'nobody'");
	fails("create a kernel=x cpuid=-nonsense memory=2M", "'nonsense' is not the name of a CPUID feature");
	fails("create a kernel=x cpus=0", "a number from 1 to 16");
	assert_int_equal(fx_host.vm_count, 0);
	assert_int_equal(fx_pages.pages_out, before);
	expect("create a kernel=flat.bin load-address=1M memory=2M", "a: created\n");
	fails("create a kernel=x", "there is a VM 'a' already");
}

/* --- looking into things --- */

static void test_info(void **state)
{
	(void)state;
	fx_vm("a", "2");
	has("info", "processor: A \"Brand\" of 1 GHz\n");
	has("info machine", "memory:    64 MiB, 16 MiB free\n");
	has("info", "CPUs:      2 of 4 run\n  CPU 0    APIC ID 4, TSC +0 ticks\n  CPU 1    APIC ID 6, TSC -12 ticks\n"
		    "  left out APIC ID 7: it sulks\nprotection: WP NX SMEP UMIP\n"); /* what both have */
	has("info memory", "VM a ");
	has("info memory", "own ");
	has("info memory", "host's pages");
	has("info memory", "  67108864  64 MiB\n");
	has("info images", "flat.bin ");
	has("info preflight", "VMX");
	has("info cpuid", "00000001");
	has("info msr", "IA32_EFER");
	has("info a", "a: running, 2 CPUs, 2 MiB\n");
	has("info a", "com1");
	has("info a", "vcpu 1        waits for SIPI");
	/* What is out of the ordinary in a configuration is shown, the rest is not. */
	assert_null(strstr(run("info a"), "unmapped:"));
	has("create odd kernel=flat.bin memory=2M load-address=1M unmapped=ones debug-exit=yes cpuid=-fsrm,-avx2",
	    "created");
	has("info odd", "hidden:       fsrm avx2\nunmapped:     ones\ndebug exit:   yes\nload address: 0x100000\n");
	fails("info nonsense", "'nonsense' is neither a subject nor a VM");
}

static void test_inspecting(void **state)
{
	struct vm *vm = fx_vm("a", "2");
	struct vm_exit e = {.reason = EXIT_CPUID, .rip = 0x1234, .tsc = 1000};

	(void)state;
	exit_ring_add(&vm->vcpus[0]->ring, &e);
	vm->vcpus[0]->exit_counts[EXIT_CPUID] = 1;
	has("regs a", "rip=0000000000100000");
	has("regs a 1", "vcpu 1: waits for SIPI");
	fails("regs a 2", "'2' is not a number up to 1");
	fails("regs a x", "'x' is not a number up to 1");
	has("xp a 0x100000 3", "0000000000100000  f4 eb fd ");
	fails("xp a 0x200000", "not all of it is RAM of a");
	fails("xp a 0x1ffff0 17", "not all of it is RAM of a");
	fails("xp a 0xffffffffffffffff 2", "not all of it is RAM of a");
	fails("xp a here", "'here' is not an address");
	fails("xp a 0 4097", "'4097' is not a number up to 4096");
	has("x a 0x100000 3", "f4 eb fd");
	fails("x a 0xfffff000", "0xfffff000 is not mapped to RAM");
	has("trace a", "rip 0000000000001234");
	expect("trace a 16 1", "");
	fails("trace a 1025", "up to 1024");
	fails("trace a 1 2", "up to 1");
	has("stats a", "1  CPUID");
	has("stats", "a vcpu 1: 0 exits");
	fails("stats b", "no VM 'b'");
}

static void test_dmesg(void **state)
{
	const char *reply;

	(void)state;
	log_info("first of two");
	log_info("second of two");
	has("dmesg", "first of two\n");
	reply = run("dmesg 1");
	assert_null(strstr(reply, "first of two"));
	assert_non_null(strstr(reply, "second of two\n"));
	expect("dmesg 0", "");
	fails("dmesg x", "'x' is not a number of lines");
}

/* As run(), with what the terminal gets besides. */
static const char *run_top(const char *keys_after)
{
	screen_clear();
	type("top\r");
	for (unsigned i = 0; i < 20; i++)
		(void)monitor_step(&mon);
	assert_int_equal(mon.mode, MONITOR_WAITING);
	type(keys_after);
	for (unsigned i = 0; i < 20; i++)
		(void)monitor_step(&mon);
	assert_int_equal(mon.mode, MONITOR_PROMPT);
	return screen;
}

static void test_top(void **state)
{
	struct vm *vm = fx_vm("a", "2");
	const char *frame;

	(void)state;
	fx_host.tsc_hz = 1000; /* a second is over at once */
	fails("top 0", "'0' is not a number of seconds from 1 to 60");
	run_top("q");
	frame = strstr(
		screen,
		"\x1b[2J\x1b[H\x1b[HNAME             STATE    CPUS        CPU     MEMORY     EXITS/s      INTR/s");
	assert_non_null(frame);
	assert_non_null(strstr(
		frame, "a                running     2      0.0 %      2 MiB           0           0\x1b[K\r\n"));
	assert_non_null(strstr(frame + 8, "\x1b[HNAME")); /* once more */
	assert_non_null(strstr(screen, "1 VMs\x1b[J\r\n" PROMPT));
	assert_int_equal(vm->vcpus[0]->guest_ticks, 0);
	/* Any other key is the begin of the next command. */
	run_top("echo x\r");
	assert_non_null(strstr(screen, PROMPT "echo x\r\nx\r\n" PROMPT));
}

/* What was pasted together is carried out one after the other. */
static void test_top_pasted(void **state)
{
	(void)state;
	fx_vm("a", "1");
	fx_host.tsc_hz = 1000;
	screen_clear();
	type("top\recho x\r");
	for (unsigned i = 0; i < 20; i++)
		(void)monitor_step(&mon);
	assert_non_null(strstr(screen, "a                running     1"));
	assert_non_null(strstr(screen, PROMPT "echo x\r\nx\r\n" PROMPT));
}

/* The busiest come first; the terminal's speed is no reason to wait for it. */
static void test_top_of_many(void **state)
{
	static const char *const some[] = {"v03", "v17", "v22"};
	static struct vm vms[24];
	static struct vcpu cpus_of_vms[24];
	static struct vcpu_seat seats[24];
	static struct vlapic lapic;
	const char *at;

	(void)state;
	for (unsigned i = 0; i < 24; i++) {
		memset(&vms[i], 0, sizeof(vms[i]));
		memset(&cpus_of_vms[i], 0, sizeof(cpus_of_vms[i]));
		fmt_snprintf(vms[i].config.name, VM_NAME_MAX, "v%02u", i);
		vms[i].vcpus[vms[i].vcpu_count++] = &cpus_of_vms[i];
		memset(&seats[i], 0, sizeof(seats[i]));
		seats[i].entity.cpu = &fx_host.sched->cpu[0];
		cpus_of_vms[i].seat = &seats[i];
		cpus_of_vms[i].lapic = &lapic;
		host_add(&fx_host, &vms[i]);
	}
	screen_clear();
	type("top\r");
	(void)monitor_step(&mon);
	for (unsigned i = 0; i < ARRAY_LEN(some); i++)
		host_find(&fx_host, some[i])->vcpus[0]->seat->entity.stats.run_ticks += 1000 * (i + 1);
	screen_room = MONITOR_RESERVE + 10;
	mon.wait_deadline = rdtsc();
	for (unsigned i = 0; i < 10; i++)
		(void)monitor_step(&mon);
	assert_true(screen_len < 100 && mon.mode == MONITOR_WAITING);
	screen_room = SIZE_MAX;
	(void)monitor_step(&mon);
	at = strstr(screen, "v22");
	assert_non_null(at);
	assert_true(strstr(at, "v17") > at && strstr(at, "v03") > strstr(at, "v17"));
	assert_null(strstr(screen, "v19"));
	assert_non_null(strstr(screen, "24 VMs, the busiest 20 are shown"));
	type("q");
	(void)monitor_step(&mon);
	while (fx_host.vm_count > 0)
		host_remove(&fx_host, fx_host.vms[0]);
	assert_int_equal(mon.mode, MONITOR_PROMPT);
}

static void test_top_in_a_script(void **state)
{
	(void)state;
	fx_vm("a", "1");
	fx_host.tsc_hz = 1000;
	begin("top; echo over");
	for (unsigned i = 0; i < 20; i++)
		(void)monitor_step(&mon);
	assert_non_null(strstr(screen, PROMPT "top\r\nNAME "));
	assert_non_null(
		strstr(screen, "0.0 %      2 MiB           0           0\r\n" PROMPT "echo over\r\nover\r\n" PROMPT));
}

static void test_sched(void **state)
{
	struct vm *vm = fx_vm("a", "2");
	struct sched_entity *e = &vm->vcpus[1]->seat->entity;

	(void)state;
	has("sched",
	    "NAME             WEIGHT     CAP  PIN       VCPU  CPU  STATE      GOT             RAN     WAITED    LONGEST\n"
	    "a                   256       -  all          0    0  ");
	has("pause a", "paused");
	e->stats.run_ticks = FX_TSC_HZ * 3 / 2;
	e->stats.wait_ticks = 0;
	e->stats.parked_ticks = FX_TSC_HZ / 2;
	e->stats.max_wait_ticks = FX_TSC_HZ / 50;
	has("sched a",
	    "a                   256       -  all          1    0  off       75 %           1.5 s       0 ns      20 ms\n");
	has("sched a weight=512 cap=50 pin=0,2-3",
	    "a                   512    50 %  0,2-3        1    0  off       75 %           1.5 s       0 ns      20 ms\n");
	assert_int_equal(vm->config.weight, 512);
	assert_int_equal(vm->platform->group.weight, 512);
	assert_int_equal(vm->platform->group.cap_percent, 50);
	assert_true(vm->config.pins == 0xd && e->pins == 0xd);
	has("sched a pin=all cap=0", "a                   512       -  all          1 ");
	assert_true(e->pins == SCHED_ANY_CPU && vm->platform->group.cap_percent == SCHED_CAP_NONE);
	/* All of it or nothing. */
	fails("sched a weight=7 cap=6401", "cap = 6401: percent of one CPU are needed");
	fails("sched a weight=7 pin=63", "a: pin: none of these CPUs runs; there are 0");
	fails("sched a weight=7 memory=1M", "'memory' is none of weight=, cap= and pin=");
	fails("sched a weight", "'weight' is none of");
	fails("sched b", "no VM 'b'");
	assert_true(vm->config.weight == 512 && vm->platform->group.weight == 512 && vm->config.memory == 2 * MIB);
	/* One that does not run yet is the same. */
	has("create c kernel=flat.bin load-address=1M memory=2M weight=1 cap=25 pin=0", "c: created");
	has("sched c",
	    "c                     1    25 %  0            0    0  off      100 %            0 ns       0 ns       0 ns\n");
	has("sched c weight=2", "c                     2 ");
	has("start c", "c: running");
	assert_int_equal(host_find(&fx_host, "c")->platform->group.weight, 2);
	json("json on");
	json_has("sched c cap=30",
		 "\"vms\":[{\"name\":\"c\",\"weight\":2,\"cap\":30,\"pin\":\"0\",\"vcpus\":[{\"index\":0,\"state\":\"");
	json_has("sched", "\"run_ns\":1500000000,\"wait_ns\":");
}

static void test_long_names_keep_the_columns(void **state)
{
	(void)state;
	fx_vm("a", "1");
	fx_vm("a-name-of-thirty-one-characters", "1");
	has("list", "1  a                               running     1 ");
	has("list", "2  a-name-of-thirty-one-characters running     1 ");
}

/* --- JSON --- */

static void test_json(void **state)
{
	struct vm *vm;

	(void)state;
	json("json on");
	expect("list", "{\"command\":\"list\",\"vms\":[],\"ok\":true}\n");
	json_has("create a kernel=flat.bin load-address=1M memory=2M", "\"output\":[\"a: created\"],\"ok\":true}");
	json_has("list",
		 "{\"id\":1,\"name\":\"a\",\"state\":\"created\",\"cpus\":1,\"memory_bytes\":2097152,\"exits\":0");
	json_has("start b", "\"ok\":false,\"error\":\"there is no VM 'b'; `list` shows those that are\"}");
	json_has("start a", "\"ok\":true");
	json_has("info", "\"processor\":\"A \\\"Brand\\\" of 1 GHz\"");
	json_has("info",
		 "\"cpus_running\":2,\"cpus\":[{\"apic_id\":4,\"state\":\"runs\",\"index\":0,\"tsc_delta\":0,"
		 "\"protection\":\"WP NX SMEP SMAP UMIP\"},"
		 "{\"apic_id\":6,\"state\":\"runs\",\"index\":1,\"tsc_delta\":-12,\"protection\":\"WP NX SMEP UMIP\"},"
		 "{\"apic_id\":7,\"state\":\"left out\",\"why\":\"it sulks\"}]");
	json_has("info memory",
		 "\"ram_bytes\":67108864,\"usable_bytes\":33554432,\"free_bytes\":16777216,\"dirty_bytes\":65536");
	json_has("info memory", "\"image_bytes\":1048576,\"metadata_bytes\":");
	json_has("info memory", "\"vms\":[{\"name\":\"a\",\"ram_bytes\":");
	json_has("info images", "{\"name\":\"flat.bin\",\"bytes\":3}");
	json_has("info preflight", "{\"name\":\"VMX\",\"need\":\"required\",\"found\":true");
	json("info cpuid");
	json("info msr");
	json_has("info a", "\"state\":\"running\"");
	json_has("info a",
		 "\"modules\":[],\"memory_bytes\":2097152,\"cpus\":1,\"weight\":256,\"cap\":0,\"pin\":\"all\","
		 "\"autostart\":false,\"restart\":\"no\",\"cpuid_hidden\":[],\"unmapped\":\"stop\","
		 "\"debug_exit\":false,\"load_address\":1048576,");
	json("create m kernel=flat.bin memory=2M module=\"a.bin \\\"b\\\" c\" cpuid=-fsrm,-avx2");
	json_has("info m", "\"modules\":[{\"file\":\"a.bin\",\"args\":\"\\\"b\\\" c\"}]");
	json_has("info m", "\"cpuid_hidden\":[\"fsrm\",\"avx2\"]");
	json("destroy m");
	json_has("info a", "{\"device\":\"com1\",\"base\":1016,\"length\":8,");
	json("regs a");
	json("xp a 0 100");
	json("xp a 0x300000 100");
	json("x a 0 256");
	json("trace a");
	json_has("stats", "\"vms\":[{\"name\":\"a\",\"vcpus\":[{\"index\":0,\"exits\":0,");
	json("dmesg");
	json("help");
	json("help start");
	json("echo \"a\\\"b\" \\\\ \xc3\xbc \x80");
	json("nonsense");
	json("start");
	json("\"");
	json("wait a x 0");
	json_has("send a hello", "\"ok\":true");
	vm = host_find(&fx_host, "a");
	vm_set_crash(vm, vm->vcpus[0], "a \"quoted\" reason");
	fx_ended(vm, RUN_CRASHED);
	json_has("list", "\"crash\":\"a \\\"quoted\\\" reason\"");
	expect("json off", "");
	has("list", "crashed");
	fails("json maybe", "'maybe' is neither on nor off");
}

static void test_json_passes_utf8_and_nothing_else(void **state)
{
	(void)state;
	json("json on");
	json_has("echo h\xc3\xbcx\xe2\x82\xac", "\"output\":[\"h\xc3\xbcx\xe2\x82\xac\"]");
	json_has("echo \xc3 \xed\xa0\x80 \xc0\xaf", "[\"\\u00c3 \\u00ed\\u00a0\\u0080 \\u00c0\\u00af\"]");
}

static void test_json_top(void **state)
{
	(void)state;
	fx_vm("a", "1");
	json("json on");
	fx_host.tsc_hz = 1000;
	json_has("top", "{\"name\":\"a\",\"state\":\"running\",\"cpus\":1,\"cpu_permille\":0,\"memory_bytes\":2097152,"
			"\"exits_per_second\":0,\"interrupts_per_second\":0}");
}

/* --- scripts --- */

static void guest_prints(struct vm *vm, const char *text)
{
	for (; *text != '\0'; text++)
		bus_write(&vm->ports, 0x3f8, 1, (uint8_t)*text);
}

static void test_script_runs_before_the_prompt(void **state)
{
	(void)state;
	begin("echo one; nonsense;; echo \"two; three\"");
	type("echo typed\r");
	(void)monitor_step(&mon);
	assert_string_equal(screen, PROMPT "echo one\r\none\r\n" PROMPT "nonsense\r\nerror: no command 'nonsense'; "
					   "`help` lists them\r\n" PROMPT "echo \"two; three\"\r\ntwo; three\r\n" PROMPT
					   "echo typed\r\ntyped\r\n" PROMPT);
}

static void test_script_waits(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	uint64_t before, again;

	(void)state;
	begin("wait a \"login: \" 60; echo done");
	before = rdtsc();
	again = monitor_step(&mon);
	assert_true(again != UINT64_MAX && again > before);
	assert_string_equal(screen, PROMPT "wait a \"login: \" 60\r\n");
	guest_prints(vm, "log");
	type("echo ty"); /* what is typed meanwhile is kept for the prompt */
	(void)monitor_step(&mon);
	guest_prints(vm, "in: ");
	monitor_log(&mon, "[2] news\n", 9);
	(void)monitor_step(&mon);
	type("ped\r");
	(void)monitor_step(&mon);
	assert_string_equal(screen, PROMPT "wait a \"login: \" 60\r\n[2] news\r\nfound\r\n" PROMPT
					   "echo done\r\ndone\r\n" PROMPT "echo typed\r\ntyped\r\n" PROMPT);
}

static void test_wait_ends(void **state)
{
	struct vm *vm = fx_vm("a", "1");

	(void)state;
	fails("wait a x 0", "a did not print 'x' in time");
	guest_prints(vm, "abcabc");
	expect("wait a bc 0", "found\n");
	expect("wait a bc 0", "found\n");
	fails("wait a bc 0", "in time"); /* found is found */
	fails("wait a x 86401", "'86401' is not a number of seconds up to 86400");
	fails("wait a x soon", "'soon'");
	fails("wait a \"\" 1", "a text has 1 to 127 characters");
	vm->request = VM_REQUEST_POWEROFF;
	fx_ended(vm, RUN_STOPPED);
	fails("wait a x 60", "a is stopped, and has not printed 'x'");
}

static void test_ctrl_c_ends_a_wait_and_its_script(void **state)
{
	(void)state;
	fx_vm("a", "1");
	begin("wait a x 60; echo done");
	(void)monitor_step(&mon);
	type("list\r\x03");
	(void)monitor_step(&mon);
	assert_string_equal(screen, PROMPT "wait a x 60\r\nerror: interrupted\r\n" PROMPT);
	expect("echo on", "on\n");
}

/* --- bench --- */

/* Multiboot 1 with address fields: the least that the loader takes. */
static const uint32_t bench_image[] = {0x1badb002, 0x10000, 0u - 0x1badb002 - 0x10000, 0x100000, 0x100000, 0,
				       0,          0x100000};

static struct vm *bench_begins(const char *line)
{
	if (images_find(&fx_host.images, "bench.elf") == NULL)
		assert_int_equal(images_add(&fx_host.images, "bench.elf", bench_image, sizeof(bench_image)), 0);
	screen_clear();
	type(line);
	type("\r");
	(void)monitor_step(&mon);
	if (mon.mode != MONITOR_WAITING || host_find(&fx_host, "bench") == NULL)
		fail_msg("'%s' does not begin: '%s'", line, screen);
	return host_find(&fx_host, "bench");
}

static void bench_ends(struct vm *vm, enum run_end end)
{
	if (end == RUN_STOPPED)
		vm->request = VM_REQUEST_POWEROFF;
	if (end == RUN_CRASHED)
		vm_set_crash(vm, vm->vcpus[0], "it fell");
	fx_ended(vm, end);
	(void)monitor_step(&mon);
}

/* What the operator saw, and that nothing is left of the VM. */
static void bench_said(const char *words)
{
	if (strstr(screen, words) == NULL)
		fail_msg("no '%s' in '%s'", words, screen);
	assert_int_equal(mon.mode, MONITOR_PROMPT);
	assert_int_equal(fx_host.vm_count, 0);
	assert_int_equal(fx_pages.pages_out, fx_pages_of_host);
	assert_int_equal(fx_heap.objects, fx_objects_of_host);
}

static void test_bench(void **state)
{
	static const char said[] = "bench: begin\r\nbench cpuid 221 240\r\n....bench serial_write 518 520\r\n"
				   "skip deadline not offered\r\nbench: done\r\n";
	struct vm *vm;

	(void)state;
	fails("bench cpuid", "there is no boot module bench.elf");
	vm = bench_begins("bench");
	assert_string_equal(vm->config.cmdline, "");
	guest_prints(vm, said);
	bench_ends(vm, RUN_STOPPED);
	bench_said("OPERATION                     TICKS       MEAN  (TSC: ");
	bench_said("\ncpuid                           221        240\r\n"
		   "serial_write                    518        520\r\n"
		   "deadline                          -          -  not offered\r\n" PROMPT);
	run("json on");
	vm = bench_begins("bench cpuid vmcall");
	assert_string_equal(vm->config.cmdline, "only=cpuid,vmcall");
	guest_prints(vm, said);
	bench_ends(vm, RUN_STOPPED);
	bench_said(
		",\"operations\":[{\"name\":\"cpuid\",\"ticks\":221,\"mean\":240},{\"name\":\"serial_write\",\"ticks\":518,"
		"\"mean\":520},{\"name\":\"deadline\",\"skipped\":\"not offered\"}],\"ok\":true}\r\n");
}

static void test_bench_that_fails(void **state)
{
	struct vm *vm = bench_begins("bench");

	(void)state;
	bench_ends(vm, RUN_CRASHED);
	bench_said("error: bench: the guest crashed: it fell\r\n");
	(void)bench_begins("bench");
	mon.wait_deadline = rdtsc();
	(void)monitor_step(&mon);
	bench_said("error: bench: the guest has not come to its end in 120 s\r\n");
	(void)bench_begins("bench");
	type("\x03");
	(void)monitor_step(&mon);
	bench_said("error: interrupted\r\n");
	vm = fx_vm("bench", "1");
	fails("bench", "there is a VM 'bench' already");
	assert_ptr_equal(host_find(&fx_host, "bench"), vm);
}

static void test_a_command_that_is_too_long(void **state)
{
	char script[LINE_MAX + 100];

	(void)state;
	memset(script, 'x', sizeof(script));
	memcpy(script, "echo ", 5);
	strcpy(script + LINE_MAX, "; echo short");
	begin(script);
	(void)monitor_step(&mon);
	assert_non_null(strstr(screen, "error: the command is longer than 1279 characters\r\n"));
	assert_non_null(strstr(screen, "\r\nshort\r\n" PROMPT));
	/* Pasted, it is not carried out with its end missing either. */
	script[LINE_MAX] = '\0';
	assert_string_equal(run(script), "error: the command is longer than 1279 characters\n");
	script[LINE_MAX - 1] = '\0';
	assert_int_equal(strlen(run(script)), LINE_MAX - 1 - strlen("echo ") + 1);
	json("json on");
	script[LINE_MAX - 1] = 'x';
	assert_non_null(strstr(run(script), "\"ok\":false,\"error\":\"the command is longer than 1279 characters\"}"));
}

static void test_pasted_commands_leave_the_guests_a_turn(void **state)
{
	unsigned steps = 0;

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		type("echo x\r");
	screen_clear();
	while (keys_at < keys_len) {
		(void)monitor_step(&mon);
		steps++;
	}
	assert_true(steps >= 20);
}

/* --- consoles --- */

static void attach(const char *name)
{
	char line[64];

	fmt_snprintf(line, sizeof(line), "console %s\r", name);
	type(line);
	(void)monitor_step(&mon);
	assert_int_equal(mon.mode, MONITOR_ATTACHED);
}

static void test_console(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	uint64_t byte;

	(void)state;
	guest_prints(vm, "before ");
	screen_clear();
	attach("a");
	guest_prints(vm, "after");
	assert_true(monitor_step(&mon) != UINT64_MAX); /* there may be more */
	assert_string_equal(screen, "console a\r\n[a: attached, Ctrl-] leaves]\r\nbefore after");
	type("xy");
	assert_true(monitor_step(&mon) == UINT64_MAX); /* nothing to do but when somebody does something */
	bus_read(&vm->ports, 0x3f8, 1, &byte);
	assert_int_equal(byte, 'x');
	bus_read(&vm->ports, 0x3f8, 1, &byte);
	assert_int_equal(byte, 'y');
	screen_clear();
	type("\x1d"
	     "echo z\r");
	(void)monitor_step(&mon);
	assert_string_equal(screen, "\r\n[a: left the console]\r\n" PROMPT "echo z\r\nz\r\n" PROMPT);
	screen_clear();
	guest_prints(vm, "unseen");
	assert_string_equal(screen, "");
	attach("a");
	assert_non_null(strstr(screen, "before afterunseen"));
}

/* The guest reads slower than somebody types: what has no room comes later, though nobody calls the monitor for it. */
static void test_keys_kept_back_reach_the_guest(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	unsigned typed = CONSOLE_INPUT_BYTES + 100, got = 0;
	uint64_t byte, lsr;

	(void)state;
	attach("a");
	for (unsigned i = 0; i < typed; i++)
		type(i % 2 == 0 ? "x" : "y");
	for (unsigned rounds = 0; rounds < 20; rounds++) {
		uint64_t again = monitor_step(&mon);

		while (bus_read(&vm->ports, 0x3fd, 1, &lsr), (lsr & 1) != 0) {
			bus_read(&vm->ports, 0x3f8, 1, &byte);
			assert_int_equal(byte, got % 2 == 0 ? 'x' : 'y');
			got++;
		}
		if (again == UINT64_MAX)
			break;
	}
	assert_int_equal(got, typed);
}

static void test_log_waits_while_attached(void **state)
{
	(void)state;
	fx_vm("a", "1");
	attach("a");
	screen_clear();
	monitor_log(&mon, "[3] news\n", 9);
	(void)monitor_step(&mon);
	assert_string_equal(screen, "");
	type("\x1d");
	(void)monitor_step(&mon);
	assert_string_equal(screen, "\r\n[a: left the console]\r\n[3] news\r\n" PROMPT);
}

static void test_log_that_is_too_much_is_not_hidden(void **state)
{
	(void)state;
	fx_vm("a", "1");
	attach("a");
	for (unsigned i = 0; i < 4000; i++)
		monitor_log(&mon, "[4] news\n", 9);
	screen_clear();
	type("\x1d");
	(void)monitor_step(&mon);
	assert_non_null(strstr(screen, "[earlier lines: `dmesg`]"));
	assert_non_null(strstr(screen, "[4] news\r\n" PROMPT));
}

static void test_the_guests_end_leaves_the_console(void **state)
{
	struct vm *vm = fx_vm("a", "1");

	(void)state;
	attach("a");
	screen_clear();
	guest_prints(vm, "bye");
	vm->request = VM_REQUEST_POWEROFF;
	fx_ended(vm, RUN_STOPPED);
	monitor_log(&mon, "[5] a: powered off\n", 19);
	(void)monitor_step(&mon);
	assert_string_equal(screen, "bye\r\n[a: stopped]\r\n[5] a: powered off\r\n" PROMPT);
	/* One that has ended before can be looked at. */
	screen_clear();
	attach("a");
	assert_string_equal(screen, "console a\r\n[a is stopped: attached, Ctrl-] leaves]\r\nbye");
	type("\x1d");
	(void)monitor_step(&mon);
	assert_int_equal(mon.mode, MONITOR_PROMPT);
}

static void test_a_crash_and_restart_is_said(void **state)
{
	struct vm *vm = fx_vm("a", "1");

	(void)state;
	vm->config.restart = RESTART_ON_CRASH;
	attach("a");
	screen_clear();
	vm_set_crash(vm, vm->vcpus[0], "why not");
	fx_ended(vm, RUN_CRASHED);
	(void)monitor_step(&mon);
	(void)monitor_step(&mon);
	assert_string_equal(screen, "\r\n[a: crashed and was started again; `dmesg` has the post-mortem]\r\n");
	assert_int_equal(mon.mode, MONITOR_ATTACHED);
	screen_clear();
	vm->config.restart = RESTART_NO;
	vm_set_crash(vm, vm->vcpus[0], "why not");
	fx_ended(vm, RUN_CRASHED);
	(void)monitor_step(&mon);
	assert_true(str_starts(screen, "\r\n[a: crashed: why not]\r\n"));
}

static void test_a_script_goes_on_after_a_console(void **state)
{
	struct vm *vm = fx_vm("a", "1");

	(void)state;
	begin("console a; echo over");
	(void)monitor_step(&mon);
	assert_int_equal(mon.mode, MONITOR_ATTACHED);
	assert_null(strstr(screen, "over\r\n"));
	vm->request = VM_REQUEST_POWEROFF;
	fx_ended(vm, RUN_STOPPED);
	(void)monitor_step(&mon);
	assert_non_null(strstr(screen, "[a: stopped]\r\n" PROMPT "echo over\r\nover\r\n" PROMPT));
}

/* --- a slow terminal --- */

static void test_a_guest_waits_for_a_slow_terminal(void **state)
{
	static char sent[200000], got[200000];
	struct vm *vm = fx_vm("a", "1");
	size_t at = 0, first;

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)('!' + (i * 7 + i / 93) % 90);
	/* The FIFO is on, so that what the terminal does not take stays in it. */
	bus_write(&vm->ports, 0x3fa, 1, 1);
	attach("a");
	first = screen_len;
	screen_room = MONITOR_RESERVE + 3;
	while (at < sizeof(sent)) {
		uint64_t lsr;

		bus_read(&vm->ports, 0x3fd, 1, &lsr);
		if (lsr & 0x20) {
			bus_write(&vm->ports, 0x3f8, 1, (uint8_t)sent[at++]);
			continue;
		}
		screen_room += 100; /* the line has sent something */
		(void)monitor_step(&mon);
	}
	screen_room = SIZE_MAX;
	(void)monitor_step(&mon);
	assert_int_equal(screen_len - first, sizeof(sent));
	memcpy(got, screen + first, sizeof(got));
	assert_memory_equal(got, sent, sizeof(sent));
}

static void test_replay_on_a_slow_terminal_loses_nothing(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	char text[8];
	size_t first, more;
	uint64_t lsr = 0x20;

	(void)state;
	for (unsigned i = 0; i < 15000; i++) {
		fmt_snprintf(text, sizeof(text), "%05u\n", i);
		guest_prints(vm, text);
	}
	bus_write(&vm->ports, 0x3fa, 1, 1);
	screen_clear();
	screen_room = MONITOR_RESERVE + 1000;
	attach("a");
	first = (size_t)(strstr(screen, "leaves]\r\n") + 9 - screen);
	for (more = 0; lsr & 0x20; more++) { /* in the place of what has been shown; the last one stays in the UART, */
		bus_write(&vm->ports, 0x3f8, 1, '+');
		bus_read(&vm->ports, 0x3fd, 1, &lsr);
	}
	guest_prints(vm, "live"); /* and these do */
	for (unsigned i = 0; i < 1000; i++) {
		screen_room = MONITOR_RESERVE + 100;
		assert_true(monitor_step(&mon) != 0);
	}
	assert_int_equal(screen_len - first, CONSOLE_SCROLLBACK_BYTES + more + 4);
	assert_true(str_eq(screen + screen_len - 6, "++live"));
}

static void test_typing_faster_than_the_guest_reads(void **state)
{
	static char sent[6000], got[6000];
	struct vm *vm = fx_vm("a", "1");
	size_t n = 0;
	uint64_t value;

	(void)state;
	attach("a");
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)('a' + i % 26);
	memcpy(keys, sent, sizeof(sent));
	keys_at = 0;
	keys_len = sizeof(sent);
	for (unsigned i = 0; i < 20000 && n < sizeof(got); i++) {
		(void)monitor_step(&mon);
		bus_read(&vm->ports, 0x3fd, 1, &value);
		if ((value & 1) == 0)
			continue;
		bus_read(&vm->ports, 0x3f8, 1, &value);
		got[n++] = (char)value;
	}
	assert_int_equal(n, sizeof(sent));
	assert_memory_equal(got, sent, sizeof(sent));
}

/* A guest that reads nothing does not keep the operator in its console, and what he typed there is no command. */
static void test_a_deaf_guest_can_be_left(void **state)
{
	(void)state;
	(void)fx_vm("a", "1");
	attach("a");
	for (size_t i = 0; i < CONSOLE_INPUT_BYTES + 500; i += 10)
		type("list\rlist\r");
	type("\x1d");
	for (unsigned i = 0; i < 10 && mon.mode == MONITOR_ATTACHED; i++)
		(void)monitor_step(&mon);
	assert_int_equal(mon.mode, MONITOR_PROMPT);
	screen_clear();
	for (unsigned i = 0; i < 10; i++)
		(void)monitor_step(&mon);
	assert_null(strstr(screen, "MEMORY"));
	assert_non_null(strstr(run("list"), "MEMORY"));
}

static void test_a_long_reply_goes_out_in_steps(void **state)
{
	size_t before, steps = 0;

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		log_info("line %u of many", i);
	screen_clear();
	screen_room = MONITOR_RESERVE + 1000;
	type("dmesg\recho next\r");
	assert_true(monitor_step(&mon) != UINT64_MAX);
	assert_int_equal(mon.mode, MONITOR_REPLYING);
	while (mon.mode == MONITOR_REPLYING) {
		before = screen_len;
		screen_room = MONITOR_RESERVE + 1000;
		monitor_log(&mon, "[6] news\n", 9); /* must not tear it apart */
		(void)monitor_step(&mon);
		assert_true(strstr(screen + before, PROMPT) != NULL || screen_len - before <= 1000);
		steps++;
	}
	assert_true(steps > 50);
	assert_non_null(strstr(screen, "line 1998 of many\r\n["));
	before = (size_t)(strstr(screen, "[6] news") - screen);
	assert_null(strstr(screen + before, "of many"));
	screen_room = SIZE_MAX;
	(void)monitor_step(&mon);
	assert_non_null(strstr(screen, "echo next\r\nnext\r\n"));
}

static void test_ctrl_c_ends_a_long_reply(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		log_info("line %u of many", i);
	screen_clear();
	screen_room = MONITOR_RESERVE + 1000;
	type("dmesg\r");
	(void)monitor_step(&mon);
	type("\x03");
	screen_room = MONITOR_RESERVE + 10;
	(void)monitor_step(&mon);
	assert_true(screen_len < 5000);
	assert_true(str_eq(screen + screen_len - strlen("\r\nerror: interrupted\r\n" PROMPT),
			   "\r\nerror: interrupted\r\n" PROMPT));
	screen_room = SIZE_MAX;
	expect("echo on", "on\n");
}

static void test_a_long_json_reply_is_whole(void **state)
{
	(void)state;
	json("json on");
	for (unsigned i = 0; i < 2000; i++)
		log_info("line \"%u\" of many", i);
	screen_clear();
	screen_room = MONITOR_RESERVE + 1000;
	type("dmesg\r");
	(void)monitor_step(&mon);
	type("\x03"); /* an object is not cut */
	while (mon.mode == MONITOR_REPLYING) {
		screen_room = MONITOR_RESERVE + 5000;
		(void)monitor_step(&mon);
	}
	screen_room = SIZE_MAX;
	assert_non_null(strstr(screen, "],\"ok\":true}\r\n" PROMPT));
	assert_true(str_starts(json_value(strchr(screen, '{')), "\r\n" PROMPT));
}

static void test_more_than_a_reply_holds(void **state)
{
	struct vm *vm = fx_vm("a", "1");
	struct vm_exit e = {.reason = EXIT_CPUID, .rip = 0x1234, .value = UINT64_MAX, .qualification = UINT64_MAX};
	const char *reply;
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < EXIT_RING_ENTRIES; i++)
		exit_ring_add(&vm->vcpus[0]->ring, &e);
	reply = run("trace a 1024");
	for (; (reply = strchr(reply, '\n')) != NULL; reply++)
		lines++;
	assert_int_equal(lines, 1024);
	/* The buffer itself, when it is too small. */
	reply_begin(&mon.reply, &term, "x", true);
	screen_clear();
	for (unsigned i = 0; i < 5000; i++)
		mon_printf(&mon, "%040u\n", i);
	reply_end(&mon.reply);
	assert_true(reply_drain(&mon.reply, 0));
	assert_true(str_eq(json_value(screen), "\r\n"));
}

/* --- the end --- */

static void test_panic_command(void **state)
{
	(void)state;
	type("panic\r");
	if (setjmp(panicked) == 0) {
		(void)monitor_step(&mon);
		fail_msg("panic() was not called");
	}
}

static void test_poweroff_and_reboot(void **state)
{
	const char *reply;

	(void)state;
	port_writes = 0;
	reply = run("poweroff");
	assert_string_equal(reply, "switching the machine off\nerror: the machine gives no way to switch it off\n");
	power.emulator = true;
	reply = run("poweroff");
	assert_true(port_writes > 0);
	assert_non_null(strstr(reply, "error: the machine is still on, Bochs shutdown port did nothing\n"));
	port_writes = 0;
	reply = run("reboot");
	assert_true(port_writes > 0);
	assert_true(str_starts(reply, "restarting the machine\nerror: the machine does not restart"));
}

/* --- completion --- */

static void completes(const char *keys_typed, const char *line)
{
	screen_clear();
	type("\x15"); /* a new line */
	type(keys_typed);
	type("\t");
	(void)monitor_step(&mon);
	assert_string_equal(mon.edit.text, line);
}

static void test_completion(void **state)
{
	(void)state;
	fx_vm("linux", "1");
	fx_vm("other", "1");
	completes("cons", "console ");
	completes("console l", "console linux ");
	completes("console linux l", "console linux l"); /* it takes one */
	completes("help cons", "help console ");
	completes("info pre", "info preflight ");
	completes("info oth", "info other ");
	completes("json of", "json off ");
	completes("create x ker", "create x kernel=");
	completes("create x kernel=fl", "create x kernel=flat.bin ");
	completes("create x like=li", "create x like=linux ");
	completes("create x lik", "create x like ");
	completes("create x like li", "create x like linux ");
	completes("create like ker", "create like kernel=");
	completes("create li", "create li");
	completes("nonsense l", "nonsense l");
	completes("regs ", "regs ");
	assert_non_null(strstr(screen, "linux"));
	assert_non_null(strstr(screen, "other"));
}

/* --- anything at all --- */

static uint32_t random_state = 1;

static uint32_t random_below(uint32_t n)
{
	random_state = random_state * 1664525 + 1013904223;
	return (random_state >> 8) % n;
}

/* Words that mean something, in any order, keys among them, on a terminal that is slow at times: whatever is typed, nothing
 * breaks, and everything comes back. */
static void test_random_typing(void **state)
{
	static const char *const words[] = {"\x03"
					    "create a kernel=flat.bin memory=1M load-address=64K autostart=yes\r",
					    "\x03"
					    "create b like=a restart=always\r",
					    "\x03"
					    "start b\r",
					    "\x03"
					    "destroy a\r",
					    "\x03"
					    "console a\r",
					    "\x03"
					    "console b\r",
					    "\x1d",
					    "\x03"
					    "reset a\r",
					    "\x03"
					    "dmesg\r",
					    "\x03"
					    "trace a 1024\r",
					    "\x03"
					    "regs a\r",
					    "\x03"
					    "x b 0 4096\r",
					    "\x03"
					    "json on\r",
					    "\x03"
					    "json off\r",
					    "\x03"
					    "top\r",
					    "\x03"
					    "info a\r",
					    "a",
					    "b",
					    "nobody",
					    "kernel=flat.bin",
					    "memory=1M",
					    "load-address=64K",
					    "like=a",
					    "cpus=2",
					    "memory",
					    "0x1000",
					    "1",
					    "4096",
					    "99999999",
					    "on",
					    "off",
					    "\"",
					    "\\",
					    "\t",
					    "\x03",
					    "\x1d",
					    "\x1b[A",
					    "\x1b[B",
					    "\x1b[D",
					    "\x1b[3~",
					    "\x01",
					    "\x05",
					    "\x0b",
					    "\x15",
					    "\x17",
					    "\x0c",
					    "\x7f",
					    "\xc3\xbc",
					    "\xff",
					    "\x1b",
					    "autostart=yes",
					    "restart=always",
					    "\r",
					    "\r",
					    "\r",
					    "\r",
					    "\r",
					    "\r"};

	unsigned count = 0;

	(void)state;
	while (monitor_commands[count].name != NULL)
		count++;
	for (unsigned i = 0; i < 30000; i++) {
		const struct command *c = &monitor_commands[random_below(count)];

		if (random_below(3) != 0)
			type(words[random_below(ARRAY_LEN(words))]);
		else if (!str_eq(c->name, "panic") && !str_eq(c->name, "wait"))
			type(c->name);
		if (random_below(3) != 0)
			type(" ");
		if (keys_len > sizeof(keys) - 64 || random_below(8) == 0) {
			screen_room = random_below(4) != 0 ? SIZE_MAX : MONITOR_RESERVE + random_below(2000);
			(void)monitor_step(&mon);
			if (screen_len > SCREEN_BYTES / 2)
				screen_clear();
		}
		if (keys_len > sizeof(keys) - 64) {
			memmove(keys, keys + keys_at, keys_len - keys_at);
			keys_len -= keys_at;
			keys_at = 0;
			if (keys_len > sizeof(keys) - 64)
				keys_len = 0;
		}
		if (mon.mode == MONITOR_ATTACHED && random_below(4) == 0)
			guest_prints(host_find(&fx_host, mon.vm_name), "something\r\n");
	}
	assert_true(fx_host.next_id > 5); /* it has done something */
	while (fx_host.vm_count > 0)
		vm_destroy(&fx_host, fx_host.vms[0]);
	assert_int_equal(fx_pages.pages_out, fx_pages_of_host);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(test_prompt_and_errors),
		T(test_every_command_refuses_wrong_arguments),
		T(test_help),
		T(test_log_lines_stand_around_the_line),
		T(test_life_by_commands),
		T(test_create_starts_when_told),
		T(test_create_errors),
		T(test_info),
		T(test_inspecting),
		T(test_dmesg),
		T(test_top),
		T(test_top_pasted),
		T(test_top_of_many),
		T(test_top_in_a_script),
		T(test_sched),
		T(test_long_names_keep_the_columns),
		T(test_json),
		T(test_json_passes_utf8_and_nothing_else),
		T(test_json_top),
		T(test_script_runs_before_the_prompt),
		T(test_script_waits),
		T(test_wait_ends),
		T(test_ctrl_c_ends_a_wait_and_its_script),
		T(test_bench),
		T(test_bench_that_fails),
		T(test_a_command_that_is_too_long),
		T(test_pasted_commands_leave_the_guests_a_turn),
		T(test_console),
		T(test_keys_kept_back_reach_the_guest),
		T(test_log_waits_while_attached),
		T(test_log_that_is_too_much_is_not_hidden),
		T(test_the_guests_end_leaves_the_console),
		T(test_a_crash_and_restart_is_said),
		T(test_a_script_goes_on_after_a_console),
		T(test_a_guest_waits_for_a_slow_terminal),
		T(test_replay_on_a_slow_terminal_loses_nothing),
		T(test_typing_faster_than_the_guest_reads),
		T(test_a_deaf_guest_can_be_left),
		T(test_a_long_reply_goes_out_in_steps),
		T(test_ctrl_c_ends_a_long_reply),
		T(test_a_long_json_reply_is_whole),
		T(test_more_than_a_reply_holds),
		T(test_panic_command),
		T(test_poweroff_and_reboot),
		T(test_completion),
		T(test_random_typing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
