/* The monitor: the operator's command line on the serial console, and his window to a guest's console. It never waits in
 * a loop of its own: monitor_step() does what there is to do and returns, and the guests run in between. */
#pragma once

#include "kernel/lib/ring.h"
#include "vmm/life/life.h"
#include "vmm/monitor/line_edit.h"
#include "vmm/monitor/reply.h"
#include "vmm/monitor/terminal.h"

#define MONITOR_MAX_ARGS 32
#define MONITOR_AHEAD_BYTES 1024u
#define MONITOR_HELD_BYTES (16u * 1024u)

/* Room that is kept free on the terminal while a guest or a long reply prints, so that the next words of the monitor do
 * not wait for the line. */
#define MONITOR_RESERVE 512u

enum monitor_mode {
	MONITOR_PROMPT,
	MONITOR_WAITING,  /* a command goes on until its waiter says so */
	MONITOR_REPLYING, /* a reply is longer than the terminal has room */
	MONITOR_ATTACHED  /* the terminal is a guest's console */
};

struct monitor_machine;
struct monitor;

/* Called every few milliseconds. True when the command is over; its reply has been printed by mon_printf() then. */
typedef bool waiter_fn(struct monitor *m);

/* What `top` sees of a VM. */
struct vm_use {
	uint64_t ticks, exits, interrupts;
};

struct monitor_sample {
	struct vm_use before, use; /* until the last look; between the last two */
	bool shown;
};

struct monitor {
	const struct terminal *term;
	const struct monitor_machine *machine; /* info.h */
	struct vmm_host *host;
	enum monitor_mode mode;
	bool json;          /* the replies to come */
	bool at_prompt;     /* prompt and line stand on the screen */
	const char *script; /* the boot line's run="..."; NULL: over */
	size_t script_at;
	bool in_script; /* the command comes from there */

	struct ring ahead; /* typed while a command was busy */
	struct ring held;  /* log lines that came at a bad moment */
	bool held_lost;    /* more than fitted; the log has them */

	/* MONITOR_WAITING */
	waiter_fn *waiter;
	void (*wait_over)(struct monitor *m); /* what is due then, however it ends; or NULL */
	uint64_t command_begin;               /* host TSC */
	uint64_t command_ticks;               /* that the last command took */
	uint64_t wait_begin, wait_deadline;   /* host TSC */
	uint64_t top_period;                  /* ticks */
	char wait_text[128];

	/* The VM that is waited for, or attached. */
	char vm_name[VM_NAME_MAX];

	/* MONITOR_ATTACHED */
	bool attach_next;      /* as soon as the reply is out */
	bool stalled;          /* there may be more to show, without a call */
	bool vm_ran;           /* it was seen alive, so that its end is news */
	uint64_t crashes_seen; /* of its crashes */

	/* What is large comes last. */
	struct line_editor edit;
	struct reply reply;
	struct vm_config config;                     /* that the command puts together */
	struct monitor_sample samples[HOST_MAX_VMS]; /* of `top` */
	uint8_t ahead_bytes[MONITOR_AHEAD_BYTES];
	uint8_t held_bytes[MONITOR_HELD_BYTES];
};

typedef int command_fn(struct monitor *m, int argc, char **argv);

/* What a command's arguments are, for completion. */
enum command_args { ARGS_NONE, ARGS_VM, ARGS_COMMAND, ARGS_INFO, ARGS_SWITCH, ARGS_CREATE };

struct command {
	const char *name;
	const char *args;    /* "NAME [COUNT]", for help */
	const char *summary; /* one line */
	const char *details; /* help CMD */
	command_fn *run;
	uint8_t min_args, max_args; /* behind the name */
	uint8_t complete;           /* enum command_args */
};

/* script: commands to run first, separated by ";"; outlives the monitor. */
void monitor_init(struct monitor *m, const struct terminal *term, struct vmm_host *host,
		  const struct monitor_machine *machine, const char *script);

/* Input, output, waiting: all that is due now. Returns the host TSC at which to be called again at the latest. */
uint64_t monitor_step(void *monitor);

/* A log line for the operator's terminal: around the line he is typing. While the terminal belongs to a guest or to a
 * reply, it waits. */
void monitor_log(void *monitor, const char *text, size_t len);

/* For commands. Lines end with "\n". mon_error() returns ERR_INVAL. */
void mon_printf(struct monitor *m, const char *fmt, ...) PRINTF_LIKE(2, 3);
int mon_error(struct monitor *m, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* The VM an argument names, or NULL after mon_error(). */
struct vm *mon_vm(struct monitor *m, const char *name);

/* Columns that VMs' names take in a table. */
int mon_name_width(const struct monitor *m);

/* The reply so far is finished and sent, before something that may not come back; what is printed after is a reply anew. */
void mon_finish(struct monitor *m, const char *command);

/* The command goes on: waiter is asked until it says that it is over. Ctrl-C ends it too. */
void mon_wait(struct monitor *m, waiter_fn *waiter, uint64_t seconds);

/* The table, for help and completion: ends with a NULL name. */
extern const struct command monitor_commands[];
const struct command *monitor_command(const char *name);

/* complete.c: what Tab offers. */
line_complete_fn monitor_complete;

/* attach.c: the terminal as a guest's console. */
void attach_prepare(struct monitor *m, const struct vm *vm);
void attach_begin(struct monitor *m);
/* False when there is nothing to do until something comes; true when the console has been left. */
bool attach_step(struct monitor *m);

/* For the other files here: raw bytes to the terminal, a typed byte. */
void monitor_raw(struct monitor *m, const char *s);
bool monitor_next_byte(struct monitor *m, uint8_t *byte);
