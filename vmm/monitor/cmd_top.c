/* Command `top`: what VMs use of the machine, from second to second. At the prompt the busiest are shown, over and over at
 * the same place of the screen, until a key is typed; a script, or who reads JSON, gets one look at all of them. */
#include "vmm/monitor/commands.h"

#include "arch/x86/insn.h"
#include "kernel/lib/format.h"
#include "kernel/lib/muldiv.h"
#include "kernel/lib/parse.h"
#include "vmm/life/inspect.h"
#include "vmm/life/share.h"
#include "vmm/life/transitions.h"

#define TOP_MAX_SECONDS 60u
/* What a screen of 24 lines takes. */
#define TOP_ROWS 20u

#define ANSI_HOME "\x1b[H"
#define ANSI_CLEAR_SCREEN "\x1b[2J"
#define ANSI_CLEAR_LINE "\x1b[K"
#define ANSI_CLEAR_BELOW "\x1b[J"
#define ESC 0x1b

static struct vm_use used_so_far(const struct vm *vm)
{
	struct vm_use sum = {0, 0, 0};
	struct sched_stats stats;

	for (unsigned i = 0; i < vm->vcpu_count; i++) {
		vcpu_share_stats(vm->vcpus[i], &stats);
		sum.ticks += stats.run_ticks;
		sum.exits += vcpu_exits(vm->vcpus[i]);
		sum.interrupts += inspect_interrupts(vm->vcpus[i]);
	}
	return sum;
}

/* Nobody makes or destroys VMs while the monitor waits, so that the samples stay theirs. */
static void look(struct monitor *m)
{
	for (unsigned i = 0; i < m->host->vm_count; i++) {
		struct monitor_sample *s = &m->samples[i];
		struct vm_use now = used_so_far(m->host->vms[i]);

		s->use.ticks = now.ticks - s->before.ticks;
		s->use.exits = now.exits - s->before.exits;
		s->use.interrupts = now.interrupts - s->before.interrupts;
		s->before = now;
		s->shown = false;
	}
}

static void show(struct monitor *m, unsigned i, uint64_t ticks, const char *line_end)
{
	const struct vm *vm = m->host->vms[i];
	struct monitor_sample *s = &m->samples[i];
	uint64_t permille = muldiv_u64(s->use.ticks, 1000, ticks);
	uint64_t exits = muldiv_u64(s->use.exits, m->host->tsc_hz, ticks);
	uint64_t interrupts = muldiv_u64(s->use.interrupts, m->host->tsc_hz, ticks);
	char size[FMT_QUANTITY_BYTES];
	struct reply *r = &m->reply;

	s->shown = true;
	if (!r->json) {
		mon_printf(m, "%-*s %-8s %4u  %5llu.%llu %%  %9s  %10llu  %10llu%s\n", mon_name_width(m),
			   vm->config.name, vm_state_name(vm->state), vm->vcpu_count,
			   (unsigned long long)(permille / 10), (unsigned long long)(permille % 10),
			   fmt_size(size, vm->config.memory), (unsigned long long)exits, (unsigned long long)interrupts,
			   line_end);
		return;
	}
	reply_open(r, NULL, '{');
	reply_string(r, "name", vm->config.name);
	reply_string(r, "state", vm_state_name(vm->state));
	reply_number(r, "cpus", vm->vcpu_count);
	reply_number(r, "cpu_permille", permille);
	reply_number(r, "memory_bytes", vm->config.memory);
	reply_number(r, "exits_per_second", exits);
	reply_number(r, "interrupts_per_second", interrupts);
	reply_close(r, '}');
}

static void show_header(struct monitor *m, const char *line_end)
{
	mon_printf(m, "%-*s %-8s %4s  %9s  %9s  %10s  %10s%s\n", mon_name_width(m), "NAME", "STATE", "CPUS", "CPU",
		   "MEMORY", "EXITS/s", "INTR/s", line_end);
}

/* The interval that ends now. */
static uint64_t interval(struct monitor *m)
{
	uint64_t now = rdtsc(), ticks = now - m->wait_begin;

	m->wait_begin = now;
	m->wait_deadline = now + m->top_period;
	return ticks;
}

static bool once_waiter(struct monitor *m)
{
	uint64_t ticks;

	if (rdtsc() < m->wait_deadline)
		return false;
	ticks = interval(m);
	look(m);
	if (m->reply.json)
		reply_open(&m->reply, "vms", '[');
	else
		show_header(m, "");
	for (unsigned i = 0; i < m->host->vm_count; i++)
		show(m, i, ticks, "");
	if (m->reply.json)
		reply_close(&m->reply, ']');
	return true;
}

/* The one that used most of those not shown yet. */
static unsigned busiest(const struct monitor *m)
{
	unsigned best = 0;

	for (unsigned i = 0; i < m->host->vm_count; i++)
		if (!m->samples[i].shown &&
		    (m->samples[best].shown || m->samples[i].use.ticks > m->samples[best].use.ticks))
			best = i;
	return best;
}

static void show_screen(struct monitor *m, uint64_t ticks)
{
	unsigned rows = 0;

	mon_printf(m, ANSI_HOME);
	show_header(m, ANSI_CLEAR_LINE);
	for (; rows < TOP_ROWS && rows < m->host->vm_count; rows++)
		show(m, busiest(m), ticks, ANSI_CLEAR_LINE);
	mon_printf(m, "%u VMs", m->host->vm_count);
	if (rows < m->host->vm_count)
		mon_printf(m, ", the busiest %u are shown", rows);
	mon_printf(m, ANSI_CLEAR_BELOW "\n");
}

/* Has a key been typed? One that means "enough" is taken away, any other begins the next command. */
static bool key_typed(struct monitor *m)
{
	uint8_t key;

	if (!ring_peek(&m->ahead, 0, &key))
		return false;
	if (key == 'q' || key == ' ' || key == '\r')
		(void)ring_drop(&m->ahead, 1);
	else if (key == ESC)
		ring_clear(&m->ahead);
	return true;
}

/* What is pasted behind `top` ends it, but not before it has said something. */
static bool screen_waiter(struct monitor *m)
{
	if (!reply_drain(&m->reply, MONITOR_RESERVE))
		return false;
	if (m->reply.len != 0 && key_typed(m))
		return true;
	if (rdtsc() >= m->wait_deadline) {
		uint64_t ticks = interval(m);

		m->reply.len = m->reply.sent = 0;
		look(m);
		show_screen(m, ticks);
	}
	return false;
}

int cmd_top(struct monitor *m, int argc, char **argv)
{
	uint64_t seconds = 1;
	bool once = m->reply.json || m->in_script;

	if (argc == 2 && (parse_u64(argv[1], &seconds) != 0 || seconds == 0 || seconds > TOP_MAX_SECONDS))
		return mon_error(m, "'%s' is not a number of seconds from 1 to %u", argv[1], TOP_MAX_SECONDS);
	look(m);
	if (!once)
		monitor_raw(m, ANSI_CLEAR_SCREEN ANSI_HOME);
	mon_wait(m, once ? once_waiter : screen_waiter, seconds);
	m->top_period = m->wait_deadline - m->wait_begin;
	return 0;
}
