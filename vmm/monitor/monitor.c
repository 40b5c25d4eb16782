/* The monitor's modes: a prompt, a guest's console, waiting for a text. Commands are in cmd_*.c, listed in commands.c. */
#include "vmm/monitor/monitor.h"

#include "arch/x86/insn.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/life/console.h"
#include "vmm/life/platform.h"
#include "vmm/monitor/words.h"

#define CTRL_C 0x03
#define CTRL_BRACKET 0x1d

/* Room that is kept free on the terminal while a guest prints, so that the monitor's own words never wait for the line. */
#define TERMINAL_RESERVE 512u

static void raw(struct monitor *m, const char *s)
{
	terminal_write(m->term, s, strlen(s));
}

/* One character inside a JSON string. */
static void json_char(struct monitor *m, unsigned char c)
{
	char esc[8];

	if (c == '"' || c == '\\')
		fmt_snprintf(esc, sizeof(esc), "\\%c", c);
	else if (c < 0x20 || c >= 0x7f)
		fmt_snprintf(esc, sizeof(esc), "\\u%04x", c);
	else
		fmt_snprintf(esc, sizeof(esc), "%c", c);
	raw(m, esc);
}

static void json_string(struct monitor *m, const char *s, size_t len)
{
	raw(m, "\"");
	for (size_t i = 0; i < len; i++)
		json_char(m, (unsigned char)s[i]);
	raw(m, "\"");
}

static void pending_flush(struct monitor *m)
{
	if (m->reply_json) {
		if (m->json_lines++ > 0)
			raw(m, ",");
		json_string(m, m->pending, m->pending_len);
	} else {
		terminal_write(m->term, m->pending, m->pending_len);
		raw(m, "\r\n");
	}
	m->pending_len = 0;
}

static void reply_text(struct monitor *m, const char *text)
{
	for (; *text != '\0'; text++) {
		if (*text == '\n') {
			pending_flush(m);
			continue;
		}
		m->pending[m->pending_len++] = *text;
		if (m->pending_len == sizeof(m->pending))
			pending_flush(m);
	}
}

static void reply_format(struct monitor *m, const char *fmt, va_list args)
{
	char text[1024];

	fmt_vsnprintf(text, sizeof(text), fmt, args);
	reply_text(m, text);
}

void mon_printf(struct monitor *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	reply_format(m, fmt, args);
	va_end(args);
}

int mon_error(struct monitor *m, const char *fmt, ...)
{
	va_list args;

	m->failed = true;
	reply_text(m, "error: ");
	va_start(args, fmt);
	reply_format(m, fmt, args);
	va_end(args);
	reply_text(m, "\n");
	return ERR_INVAL;
}

struct vm *mon_vm(struct monitor *m, const char *name)
{
	struct vm *vm = host_find(m->host, name);

	if (vm == NULL)
		mon_error(m, "there is no VM '%s'; `list` shows those that are", name);
	return vm;
}

static const struct command *command_find(const char *name)
{
	for (const struct command *c = monitor_commands; c->name != NULL; c++) {
		if (str_eq(c->name, name))
			return c;
	}
	return NULL;
}

static void command_run(struct monitor *m, char *line)
{
	char *words[MONITOR_MAX_ARGS];
	int count = words_split(line, words, MONITOR_MAX_ARGS);
	const struct command *c;

	if (count == 0)
		return;
	if (count == ERR_FORMAT) {
		mon_error(m, "a quote is not closed");
		return;
	}
	if (count < 0) {
		mon_error(m, "more than %d words", MONITOR_MAX_ARGS);
		return;
	}
	c = command_find(words[0]);
	if (c == NULL)
		mon_error(m, "no command '%s'; `help` lists them", words[0]);
	else if (count - 1 < c->min_args || count - 1 > c->max_args)
		mon_error(m, "usage: %s%s%s", c->name, c->args[0] == '\0' ? "" : " ", c->args);
	else
		c->run(m, count, words);
}

static void reply_begin(struct monitor *m, const char *line)
{
	m->failed = false;
	m->json_lines = 0;
	m->reply_json = m->json;
	if (m->reply_json) {
		raw(m, "{\"command\":");
		json_string(m, line, strlen(line));
		raw(m, ",\"output\":[");
	}
}

static void reply_end(struct monitor *m)
{
	if (m->pending_len > 0)
		pending_flush(m);
	if (m->reply_json)
		raw(m, m->failed ? "],\"ok\":false}\r\n" : "],\"ok\":true}\r\n");
}

/* The reply to `wait` ends when the wait does. */
void monitor_run_line(struct monitor *m, char *line)
{
	reply_begin(m, line);
	command_run(m, line);
	if (m->mode != MONITOR_WAITING)
		reply_end(m);
}

static void complete_add_vms(struct monitor *m, void (*add)(void *ctx, const char *word), void *ctx)
{
	for (unsigned i = 0; i < m->host->vm_count; i++)
		add(ctx, m->host->vms[i]->config.name);
}

/* The first word is a command, every other one may be a VM. */
static void complete(void *ctx, const char *line, const char *prefix, void (*add)(void *ctx2, const char *word),
		     void *ctx2)
{
	struct monitor *m = ctx;

	(void)prefix;
	while (*line == ' ')
		line++;
	if (*line != '\0') {
		complete_add_vms(m, add, ctx2);
		return;
	}
	for (const struct command *c = monitor_commands; c->name != NULL; c++)
		add(ctx2, c->name);
}

static bool attached_put(void *monitor, uint8_t byte)
{
	struct monitor *m = monitor;

	if (m->term->room(m->term->ctx) <= TERMINAL_RESERVE)
		return false;
	terminal_write(m->term, &byte, 1);
	return true;
}

void monitor_init(struct monitor *m, const struct terminal *term, struct vmm_host *host,
		  const struct monitor_machine *machine, const char *script)
{
	memset(m, 0, sizeof(*m));
	m->term = term;
	m->host = host;
	m->machine = machine;
	m->sink.put = attached_put;
	m->sink.ctx = m;
	(void)str_copy(m->script, script, sizeof(m->script));
	line_edit_init(&m->edit, term, "avatar> ", complete, m);
}

static void prompt_show(struct monitor *m)
{
	m->mode = MONITOR_PROMPT;
	m->at_prompt = true;
	line_edit_begin(&m->edit);
}

/* Everything the guest has printed goes to the terminal first, then what it prints from now on. */
void monitor_attach(struct monitor *m, struct vm *vm)
{
	struct console *c = vm_console(vm);
	uint8_t chunk[256];
	size_t offset = 0, len;

	while ((len = console_read(c, offset, chunk, sizeof(chunk))) > 0) {
		terminal_write(m->term, chunk, len);
		offset += len;
	}
	console_attach(c, &m->sink);
	(void)str_copy(m->vm_name, vm->config.name, sizeof(m->vm_name));
	m->mode = MONITOR_ATTACHED;
}

void monitor_wait(struct monitor *m, struct vm *vm, const char *text, uint64_t seconds)
{
	(void)str_copy(m->vm_name, vm->config.name, sizeof(m->vm_name));
	(void)str_copy(m->wait_text, text, sizeof(m->wait_text));
	m->wait_deadline = rdtsc() + seconds * m->host->tsc_hz;
	m->mode = MONITOR_WAITING;
}

static void detach(struct monitor *m, struct vm *vm, const char *why)
{
	if (vm != NULL)
		console_attach(vm_console(vm), NULL);
	raw(m, "\r\n[");
	raw(m, m->vm_name);
	raw(m, why);
	prompt_show(m);
}

/* Typed bytes go to the guest; Ctrl-] leaves. What the guest's queue has no room for stays on the line. */
static void step_attached(struct monitor *m)
{
	struct vm *vm = host_find(m->host, m->vm_name);
	struct console *c;
	uint8_t byte;

	if (vm == NULL) {
		detach(m, NULL, ": destroyed]\r\n");
		return;
	}
	c = vm_console(vm);
	while (ring_room(&c->input) > 0 && m->term->read(m->term->ctx, &byte, 1) == 1) {
		if (byte == CTRL_BRACKET) {
			detach(m, vm, ": left the console]\r\n");
			return;
		}
		(void)console_type(c, &byte, 1);
	}
	vm_console_poll(vm);
}

static void wait_over(struct monitor *m, const char *error)
{
	if (error == NULL)
		mon_printf(m, "found\n");
	else
		mon_error(m, "wait: %s", error);
	reply_end(m);
	m->mode = MONITOR_PROMPT;
	m->at_prompt = false;
}

static void step_waiting(struct monitor *m)
{
	struct vm *vm = host_find(m->host, m->vm_name);
	uint8_t byte;

	if (vm == NULL)
		wait_over(m, "the VM is gone");
	else if (console_find(vm_console(vm), m->wait_text))
		wait_over(m, NULL);
	else if (rdtsc() >= m->wait_deadline)
		wait_over(m, "the text did not come in time");
	else if (m->term->read(m->term->ctx, &byte, 1) == 1 && byte == CTRL_C)
		wait_over(m, "interrupted");
}

/* The next command of run="..."; false when there is none. Shown as if typed, so that a transcript reads as a session. */
static bool script_step(struct monitor *m)
{
	char line[LINE_MAX];

	if (words_next_command(m->script, &m->script_at, line, sizeof(line)) == 0)
		return false;
	raw(m, "avatar> ");
	raw(m, line);
	raw(m, "\r\n");
	monitor_run_line(m, line);
	return true;
}

static void step_prompt(struct monitor *m)
{
	uint8_t byte;

	if (!m->at_prompt) {
		if (script_step(m))
			return;
		prompt_show(m);
	}
	while (m->mode == MONITOR_PROMPT && m->term->read(m->term->ctx, &byte, 1) == 1) {
		enum line_event event = line_edit_feed(&m->edit, byte);

		if (event == LINE_EDITING)
			continue;
		m->at_prompt = false;
		if (event == LINE_READY)
			monitor_run_line(m, m->edit.text);
		if (m->mode == MONITOR_PROMPT)
			prompt_show(m);
	}
}

uint64_t monitor_step(void *monitor)
{
	struct monitor *m = monitor;
	enum monitor_mode before;

	do {
		before = m->mode;
		if (m->mode == MONITOR_ATTACHED)
			step_attached(m);
		else if (m->mode == MONITOR_WAITING)
			step_waiting(m);
		else
			step_prompt(m);
		/* A script goes on at once; so does what a command has switched to. */
	} while (m->mode != before || (m->mode == MONITOR_PROMPT && !m->at_prompt));
	return m->mode == MONITOR_WAITING ? rdtsc() + m->host->tsc_hz / 100 : UINT64_MAX;
}

void monitor_log(void *monitor, const char *text, size_t len)
{
	struct monitor *m = monitor;

	if (m->at_prompt)
		line_edit_hide(&m->edit);
	for (size_t i = 0; i < len; i++) {
		if (text[i] == '\n')
			raw(m, "\r");
		terminal_write(m->term, &text[i], 1);
	}
	if (m->at_prompt)
		line_edit_show(&m->edit);
}
