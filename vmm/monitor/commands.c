/* Every command, in the order `help` shows them. */
#include "vmm/monitor/commands.h"

const struct command monitor_commands[] = {
	{"help", "[COMMAND]", "list the commands, or explain one", "Without an argument: every command with one line.",
	 cmd_help, 0, 1, ARGS_COMMAND},
	{"list", "", "the VMs and their states",
	 "One line a VM: number, name, state, virtual CPUs, memory, exits so far, and why it crashed if it did.",
	 cmd_list, 0, 0, ARGS_NONE},
	{"create", "NAME [like OTHER] [KEY=VALUE...]", "make a VM from the boot modules",
	 "Keys as in avatar.conf: kernel= initrd= cmdline= memory= cpus= ...; `like OTHER` takes all else from another VM.\n"
	 "A value with blanks goes in quotes: cmdline=\"console=ttyS0 quiet\". With autostart=yes it is started at once.",
	 cmd_create, 2, MONITOR_MAX_ARGS, ARGS_CREATE},
	{"start", "NAME", "load it if need be, and let it run",
	 "Legal for a VM that is created, loaded, stopped or crashed. Its images are loaded afresh.", cmd_start, 1, 1,
	 ARGS_VM},
	{"pause", "NAME", "stop its CPUs and its time", "The guest's clock stands still until `resume`.", cmd_pause, 1,
	 1, ARGS_VM},
	{"resume", "NAME", "let a paused VM go on", "Its time goes on where it stood.", cmd_resume, 1, 1, ARGS_VM},
	{"reset", "NAME", "power-cycle it", "Devices and CPUs to power-on state, images loaded again, then started.",
	 cmd_reset, 1, 1, ARGS_VM},
	{"shutdown", "NAME", "press its power button", "The guest is asked by ACPI; `destroy` does not ask.",
	 cmd_shutdown, 1, 1, ARGS_VM},
	{"destroy", "NAME", "take it apart, whatever it does", "All its memory goes back to the hypervisor.",
	 cmd_destroy, 1, 1, ARGS_VM},
	{"console", "NAME", "talk to its serial port; Ctrl-] leaves",
	 "Shows what the guest has printed (the last 64 KiB), then attaches the terminal. Ctrl-] comes back here; so does\n"
	 "the guest's end. Log lines wait until then.",
	 cmd_console, 1, 1, ARGS_VM},
	{"wait", "NAME TEXT SECONDS", "wait until the guest has printed a text",
	 "Looks at what came since the last text that was found. For scripts: run=\"start a; wait a login: 60; ...\".\n"
	 "Ctrl-C ends it, and the script.",
	 cmd_wait, 3, 3, ARGS_VM},
	{"send", "NAME TEXT...", "type a line into its console", "The words and a carriage return, as if typed.",
	 cmd_send, 2, MONITOR_MAX_ARGS, ARGS_VM},
	{"info", "[SUBJECT|NAME]", "the machine, or one VM",
	 "info            version, processor, memory, time; also `info machine`\n"
	 "info preflight  what the hypervisor needs and would like, and what it found\n"
	 "info memory     where the machine's memory is\n"
	 "info images     the boot modules\n"
	 "info cpuid      the CPUID bits that guests are given, row by row, with the reason\n"
	 "info msr        the MSRs that guests may use, row by row, with the reason\n"
	 "info NAME       a VM: configuration, CPUs, devices",
	 cmd_info, 0, 1, ARGS_INFO},
	{"stats", "[NAME]", "exits by reason", "Of one VM or of all, since they were made.", cmd_stats, 0, 1, ARGS_VM},
	{"top", "[SECONDS]", "processor time, exits and interrupts, VM by VM",
	 "The busiest VMs, again and again until a key is typed, each second unless told, at most 60. In a script, and with\n"
	 "`json on`, one look at all VMs. CPU: 100 % is one physical CPU.",
	 cmd_top, 0, 1, ARGS_NONE},
	{"sched", "[NAME [weight=N] [cap=N] [pin=CPUS]]", "shares of the CPUs, also to change them",
	 "One line a virtual CPU: what it may use, on which CPU it is, what of the time that it wanted to run it did, how long\n"
	 "it ran, how long it waited while others ran, and the longest wait. The keys are those of avatar.conf, and change a\n"
	 "VM while it runs: `sched a weight=512 cap=50 pin=0,2-3`.",
	 cmd_sched, 0, 4, ARGS_VM},
	{"bench", "[OPERATION...]", "what a round trip out of a guest costs here",
	 "Runs the loops of the boot module bench.elf in a VM of their own: TSC ticks a turn, of the quickest batch and on\n"
	 "average. All operations, or those named: `bench cpuid vmcall`.",
	 cmd_bench, 0, MONITOR_MAX_ARGS - 1, ARGS_NONE},
	{"regs", "NAME [VCPU]", "its registers",
	 "General, control, segment and descriptor-table registers, and where RIP leads.", cmd_regs, 1, 2, ARGS_VM},
	{"x", "NAME ADDRESS [BYTES]", "dump memory at a virtual address",
	 "Through the guest's own page tables as its first CPU has them. BYTES: 64 unless told, at most 4096.", cmd_x,
	 2, 3, ARGS_VM},
	{"xp", "NAME ADDRESS [BYTES]", "dump memory at a guest-physical address",
	 "BYTES: 64 unless told, at most 4096.", cmd_xp, 2, 3, ARGS_VM},
	{"trace", "NAME [COUNT] [VCPU]", "its last exits, from the flight recorder",
	 "The newest last; 16 unless told, at most 1024. The recorder is always on.", cmd_trace, 1, 3, ARGS_VM},
	{"dmesg", "[LINES]", "the hypervisor's log", "The whole ring, or its last lines.", cmd_dmesg, 0, 1, ARGS_NONE},
	{"echo", "[TEXT...]", "print the words", "For scripts.", cmd_echo, 0, MONITOR_MAX_ARGS, ARGS_NONE},
	{"json", "on|off", "replies as one JSON object a line",
	 "{\"command\":..., members or \"output\":[lines...], \"ok\":true|false, \"error\":... when not ok}", cmd_json,
	 1, 1, ARGS_SWITCH},
	{"panic", "", "make the hypervisor panic, to see what that looks like", "Ends everything.", cmd_panic, 0, 0,
	 ARGS_NONE},
	{"poweroff", "", "switch the machine off", "Guests are not asked.", cmd_poweroff, 0, 0, ARGS_NONE},
	{"reboot", "", "restart the machine", "Guests are not asked.", cmd_reboot, 0, 0, ARGS_NONE},
	{NULL, NULL, NULL, NULL, NULL, 0, 0, ARGS_NONE},
};
