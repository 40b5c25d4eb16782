/* The terminal as a guest's console. First what the guest has printed so far, then what it prints; what is typed goes to it.
 * Nothing of it is lost or altered: while the terminal has no room the bytes stay in the scrollback, and when that has none
 * either, the guest's UART waits; while the guest does not read the bytes stay on the line, and the log keeps silent until the
 * console is left. Only two things are said in between: that the guest crashed and was started again, and that it has ended,
 * which also leaves the console. */
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/life/console.h"
#include "vmm/life/platform.h"
#include "vmm/life/transitions.h"
#include "vmm/monitor/monitor.h"

#define CTRL_BRACKET 0x1d

static size_t room(const struct monitor *m)
{
	size_t n = m->term->room(m->term->ctx);

	return n > MONITOR_RESERVE ? n - MONITOR_RESERVE : 0;
}

static void notice(struct monitor *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* A line of the monitor's own, in brackets. */
static void notice(struct monitor *m, const char *fmt, ...)
{
	char text[VM_CRASH_TEXT + 64];
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	monitor_raw(m, "\r\n[");
	monitor_raw(m, m->vm_name);
	monitor_raw(m, text);
	monitor_raw(m, "]\r\n");
}

void attach_prepare(struct monitor *m, const struct vm *vm)
{
	(void)str_copy(m->vm_name, vm->config.name, sizeof(m->vm_name));
	m->attach_next = true;
}

static bool alive(const struct vm *vm)
{
	return vm->state == VM_RUNNING || vm->state == VM_PAUSED;
}

void attach_begin(struct monitor *m)
{
	struct vm *vm = host_find(m->host, m->vm_name);

	m->attach_next = false;
	if (vm == NULL)
		return;
	m->mode = MONITOR_ATTACHED;
	m->vm_ran = alive(vm);
	m->crashes_seen = vm->crashes;
	vm_lock(vm);
	console_attach(vm_console(vm));
	vm_unlock(vm);
}

/* What the guest has printed goes to the terminal, as far as that has room. True when there was nothing: its next byte calls.
 * As long as there is something, nobody calls for each byte: the next look comes by itself. */
static bool nothing_printed(struct monitor *m, struct vm *vm)
{
	uint8_t chunk[256];
	bool nothing = true;
	size_t want, got;

	do {
		want = room(m) < sizeof(chunk) ? room(m) : sizeof(chunk);
		if (want == 0)
			return false;
		vm_lock(vm);
		got = console_take(vm_console(vm), chunk, want);
		vm_unlock(vm);
		if (got > 0)
			terminal_write(m->term, chunk, got);
		nothing = nothing && got == 0;
	} while (got == want);
	return nothing;
}

static void leave(struct monitor *m, struct vm *vm)
{
	if (vm != NULL) {
		vm_lock(vm);
		console_detach(vm_console(vm));
		vm_unlock(vm);
	}
	m->mode = MONITOR_PROMPT;
}

static void leave_by_key(struct monitor *m, struct vm *vm)
{
	notice(m, ": left the console");
	leave(m, vm);
}

/* The guest has no room for more: keys are kept back, but Ctrl-] is heard, and what stands before it is of no use then. */
static bool keep_keys(struct monitor *m, struct vm *vm)
{
	uint8_t byte;

	while (ring_room(&m->ahead) > 0 && m->term->read(m->term->ctx, &byte, 1) == 1) {
		if (byte == CTRL_BRACKET) {
			ring_clear(&m->ahead);
			leave_by_key(m, vm);
			return false;
		}
		(void)ring_push(&m->ahead, byte);
	}
	return true;
}

/* Typed bytes go to the guest. False: the console is left. */
static bool take_keys(struct monitor *m, struct vm *vm)
{
	struct console *c = vm_console(vm);
	uint8_t byte;

	while (ring_room(&c->input) > 0 && monitor_next_byte(m, &byte)) {
		if (byte == CTRL_BRACKET) {
			leave_by_key(m, vm);
			return false;
		}
		vm_lock(vm);
		(void)console_type(c, &byte, 1);
		vm_unlock(vm);
	}
	return ring_room(&c->input) > 0 || keep_keys(m, vm);
}

bool attach_step(struct monitor *m)
{
	struct vm *vm = host_find(m->host, m->vm_name);
	bool all_out, quiet;

	if (vm == NULL) {
		leave(m, NULL);
		return true;
	}
	quiet = nothing_printed(m, vm);
	if (!take_keys(m, vm))
		return true;
	all_out = vm_console_poll(vm) && console_all_taken(vm_console(vm));
	m->vm_ran |= alive(vm);
	m->stalled = !quiet || !all_out;
	if (!all_out || !m->vm_ran)
		return false;
	if (alive(vm)) {
		if (vm->crashes != m->crashes_seen)
			notice(m, ": crashed and was started again; `dmesg` has the post-mortem");
		m->crashes_seen = vm->crashes;
		return false;
	}
	if (vm->state == VM_CRASHED)
		notice(m, ": crashed: %s", vm->crash);
	else
		notice(m, ": %s", vm_state_name(vm->state));
	leave(m, vm);
	return true;
}
