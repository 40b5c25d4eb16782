/* The monitor's modes: a prompt, a command that waits, a reply on its way, a guest's console (attach.c). Commands are in
 * cmd_*.c, listed in commands.c. */
#include "vmm/monitor/monitor.h"

#include "arch/x86/insn.h"
#include "kernel/lib/string.h"
#include "vmm/monitor/words.h"

#define CTRL_C 0x03
#define PROMPT "avatar> "

/* Then the guests have a turn, whatever has been pasted. */
#define COMMANDS_PER_STEP 8u

void monitor_raw(struct monitor *m, const char *s)
{
	terminal_write(m->term, s, strlen(s));
}

/* --- for commands --- */

void mon_printf(struct monitor *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	reply_format(&m->reply, fmt, args);
	va_end(args);
}

int mon_error(struct monitor *m, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	reply_error(&m->reply, fmt, args);
	va_end(args);
	return ERR_INVAL;
}

struct vm *mon_vm(struct monitor *m, const char *name)
{
	struct vm *vm = host_find(m->host, name);

	if (vm == NULL)
		mon_error(m, "there is no VM '%s'; `list` shows those that are", name);
	return vm;
}

int mon_name_width(const struct monitor *m)
{
	size_t width = 16;

	for (unsigned i = 0; i < m->host->vm_count; i++) {
		size_t len = strlen(m->host->vms[i]->config.name);

		width = len > width ? len : width;
	}
	return (int)width;
}

void mon_finish(struct monitor *m, const char *command)
{
	reply_end(&m->reply);
	reply_flush(&m->reply);
	reply_begin(&m->reply, m->term, command, m->json);
}

void mon_wait(struct monitor *m, waiter_fn *waiter, uint64_t seconds)
{
	m->wait_begin = rdtsc();
	m->wait_deadline = m->wait_begin + seconds * m->host->tsc_hz;
	m->waiter = waiter;
}

/* --- one command --- */

const struct command *monitor_command(const char *name)
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
	c = monitor_command(words[0]);
	if (c == NULL)
		mon_error(m, "no command '%s'; `help` lists them", words[0]);
	else if (count - 1 < c->min_args || count - 1 > c->max_args)
		mon_error(m, "usage: %s%s%s", c->name, c->args[0] == '\0' ? "" : " ", c->args);
	else
		c->run(m, count, words);
}

static bool blank(const char *line)
{
	while (*line == ' ')
		line++;
	return *line == '\0';
}

/* The command's reply is complete; it goes out next. */
static void command_over(struct monitor *m)
{
	if (m->wait_over != NULL)
		m->wait_over(m);
	m->wait_over = NULL;
	m->waiter = NULL;
	m->command_ticks = rdtsc() - m->command_begin;
	reply_end(&m->reply);
	m->mode = MONITOR_REPLYING;
}

static void run_line(struct monitor *m, char *line)
{
	if (blank(line))
		return;
	m->command_begin = rdtsc();
	reply_begin(&m->reply, m->term, line, m->json);
	command_run(m, line);
	if (m->waiter != NULL)
		m->mode = MONITOR_WAITING;
	else
		command_over(m);
}

/* --- input --- */

bool monitor_next_byte(struct monitor *m, uint8_t *byte)
{
	return ring_pop(&m->ahead, byte) || m->term->read(m->term->ctx, byte, 1) == 1;
}

/* While a command is busy: Ctrl-C ends it, and the script it stands in; all else is kept for later. What there is no room
 * for stays on the line. */
static bool interrupted(struct monitor *m)
{
	uint8_t byte;

	while (ring_room(&m->ahead) > 0 && m->term->read(m->term->ctx, &byte, 1) == 1) {
		if (byte == CTRL_C) {
			ring_clear(&m->ahead);
			m->script = NULL;
			return true;
		}
		(void)ring_push(&m->ahead, byte);
	}
	return false;
}

/* --- log lines --- */

static void log_text(struct monitor *m, const char *text, size_t len)
{
	while (len > 0) {
		const char *feed = memchr(text, '\n', len);
		size_t line = feed == NULL ? len : (size_t)(feed - text);

		terminal_write(m->term, text, line);
		if (feed == NULL)
			return;
		terminal_write(m->term, "\r\n", 2);
		text += line + 1;
		len -= line + 1;
	}
}

/* Would a line here tear a reply or a guest's output apart? */
static bool terminal_taken(const struct monitor *m)
{
	return m->mode == MONITOR_ATTACHED || m->mode == MONITOR_REPLYING || m->reply.begun;
}

void monitor_log(void *monitor, const char *text, size_t len)
{
	struct monitor *m = monitor;

	if (terminal_taken(m)) {
		m->held_lost |= ring_overwrite(&m->held, text, len) > 0;
		return;
	}
	if (m->at_prompt)
		line_edit_hide(&m->edit);
	log_text(m, text, len);
	if (m->at_prompt)
		line_edit_show(&m->edit);
}

static void held_show(struct monitor *m)
{
	char chunk[128];
	size_t n;
	bool cut = m->held_lost;

	m->held_lost = false;
	if (cut)
		monitor_raw(m, "[earlier lines: `dmesg`] ...");
	while ((n = ring_read(&m->held, chunk, sizeof(chunk))) > 0)
		log_text(m, chunk, n);
}

/* --- the modes --- */

static void prompt_show(struct monitor *m)
{
	m->at_prompt = true;
	line_edit_begin(&m->edit);
}

/* Nothing of it is carried out: what is missing may be the half that matters. */
static void refuse_line(struct monitor *m, const char *line)
{
	reply_begin(&m->reply, m->term, line, m->json);
	mon_error(m, "the command is longer than %u characters", LINE_MAX - 1);
	command_over(m);
}

/* The next command of run="..."; false when there is none. Shown as if typed, so that a transcript reads as a session. */
static bool script_step(struct monitor *m)
{
	char line[LINE_MAX];
	size_t len = m->script == NULL ? 0 : words_next_command(m->script, &m->script_at, line, sizeof(line));

	if (len == 0)
		return false;
	monitor_raw(m, PROMPT);
	monitor_raw(m, line);
	monitor_raw(m, "\r\n");
	if (len < sizeof(line))
		run_line(m, line);
	else
		refuse_line(m, line);
	return true;
}

static bool step_prompt(struct monitor *m)
{
	uint8_t byte;

	if (!m->at_prompt) {
		held_show(m);
		m->in_script = true;
		if (script_step(m))
			return true;
		m->in_script = false;
		prompt_show(m);
	}
	while (monitor_next_byte(m, &byte)) {
		enum line_event event = line_edit_feed(&m->edit, byte);

		if (event == LINE_EDITING)
			continue;
		m->at_prompt = false;
		if (event == LINE_READY)
			run_line(m, m->edit.text);
		else if (event == LINE_TOO_LONG)
			refuse_line(m, m->edit.text);
		return true;
	}
	return false;
}

static bool step_waiting(struct monitor *m)
{
	if (interrupted(m))
		mon_error(m, "interrupted");
	else if (!m->waiter(m))
		return false;
	command_over(m);
	return true;
}

static bool step_replying(struct monitor *m)
{
	bool out = reply_drain(&m->reply, MONITOR_RESERVE);

	/* Half a JSON object would help nobody: it is not cut. */
	if (!out && !m->reply.json && interrupted(m)) {
		monitor_raw(m, "\r\nerror: interrupted\r\n");
		m->attach_next = false;
		out = true;
	}
	if (!out)
		return false;
	m->reply.begun = false;
	m->mode = MONITOR_PROMPT;
	if (m->attach_next)
		attach_begin(m);
	return true;
}

static bool step(struct monitor *m)
{
	switch (m->mode) {
	case MONITOR_WAITING:
		return step_waiting(m);
	case MONITOR_REPLYING:
		return step_replying(m);
	case MONITOR_ATTACHED:
		return attach_step(m);
	case MONITOR_PROMPT:
	default:
		return step_prompt(m);
	}
}

/* Without a key or a guest's end? Then the time may come, the terminal have room, or the guest for keys that are kept back. */
static bool must_look_again(const struct monitor *m)
{
	return m->mode == MONITOR_WAITING || m->mode == MONITOR_REPLYING ||
	       (m->mode == MONITOR_ATTACHED && (m->stalled || !ring_empty(&m->ahead)));
}

uint64_t monitor_step(void *monitor)
{
	struct monitor *m = monitor;
	uint64_t ms = m->host->tsc_hz / 1000;

	for (unsigned n = 0; n < 2 * COMMANDS_PER_STEP; n++) {
		if (step(m))
			continue;
		return must_look_again(m) ? rdtsc() + 10 * ms : UINT64_MAX;
	}
	return rdtsc() + ms;
}

void monitor_init(struct monitor *m, const struct terminal *term, struct vmm_host *host,
		  const struct monitor_machine *machine, const char *script)
{
	memset(m, 0, sizeof(*m));
	m->term = term;
	m->host = host;
	m->machine = machine;
	m->script = script;
	ring_init(&m->ahead, m->ahead_bytes, sizeof(m->ahead_bytes));
	ring_init(&m->held, m->held_bytes, sizeof(m->held_bytes));
	line_edit_init(&m->edit, term, PROMPT, monitor_complete, m);
}
