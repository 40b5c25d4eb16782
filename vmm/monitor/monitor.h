/* The monitor: the operator's command line on the serial console, and his window to a guest's console. It never waits in
 * a loop of its own: monitor_step() does what there is to do and returns, and the guests run in between. */
#pragma once

#include "kernel/lib/byte_sink.h"
#include "vmm/life/life.h"
#include "vmm/monitor/line_edit.h"
#include "vmm/monitor/terminal.h"

#define MONITOR_MAX_ARGS 32
#define MONITOR_SCRIPT_MAX 1024u

enum monitor_mode {
	MONITOR_PROMPT,
	MONITOR_ATTACHED, /* the terminal is a guest's console */
	MONITOR_WAITING   /* `wait`: for a text on a console */
};

struct monitor_machine;

struct monitor {
	const struct terminal *term;
	const struct monitor_machine *machine; /* info.h */
	struct vmm_host *host;
	struct line_editor edit;
	enum monitor_mode mode;
	bool json;           /* the replies to come */
	bool reply_json;     /* the reply that is being printed */
	bool at_prompt;      /* prompt and line stand on the screen */
	bool failed;         /* the command that runs has printed an error */
	unsigned json_lines; /* lines of the reply so far */
	char pending[512];   /* the line being put together, for JSON */
	size_t pending_len;
	char vm_name[VM_NAME_MAX]; /* of the attached VM, or the one waited for */
	struct byte_sink sink;     /* what an attached console prints to */
	char wait_text[128];
	uint64_t wait_deadline;          /* host TSC */
	char script[MONITOR_SCRIPT_MAX]; /* the boot line's run="..." */
	size_t script_at;
};

typedef int command_fn(struct monitor *m, int argc, char **argv);

struct command {
	const char *name;
	const char *args;       /* "NAME [COUNT]", for help */
	const char *summary;    /* one line */
	const char *details;    /* help CMD */
	command_fn *run;        /* 0, or not after mon_error() */
	int min_args, max_args; /* behind the name */
};

void monitor_init(struct monitor *m, const struct terminal *term, struct vmm_host *host,
		  const struct monitor_machine *machine, const char *script);

/* Input, output, waiting: all that is due now. Returns the host TSC at which to be called again at the latest. */
uint64_t monitor_step(void *monitor);

/* A log line for the operator's terminal: around the line he is typing. */
void monitor_log(void *monitor, const char *text, size_t len);

/* For commands. Lines end with "\n". */
void mon_printf(struct monitor *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
int mon_error(struct monitor *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The VM an argument names, or NULL after mon_error(). */
struct vm *mon_vm(struct monitor *m, const char *name);

/* The table, for help and completion: ends with a NULL name. */
extern const struct command monitor_commands[];

/* Run one line; prints its reply. */
void monitor_run_line(struct monitor *m, char *line);

/* Attach the terminal to a VM's console; wait for a text on it. For the commands. */
void monitor_attach(struct monitor *m, struct vm *vm);
void monitor_wait(struct monitor *m, struct vm *vm, const char *text, uint64_t seconds);
