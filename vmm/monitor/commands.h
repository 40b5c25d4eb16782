/* The commands' functions, one group a file. */
#pragma once

#include "vmm/monitor/monitor.h"

/* cmd_host.c: the hypervisor and the machine. */
command_fn cmd_help, cmd_dmesg, cmd_echo, cmd_json, cmd_panic, cmd_poweroff, cmd_reboot;
/* cmd_info.c */
command_fn cmd_info;
/* cmd_vm.c: the life of a VM. */
command_fn cmd_list, cmd_create, cmd_start, cmd_pause, cmd_resume, cmd_reset, cmd_shutdown, cmd_destroy;
/* cmd_console.c: its console. */
command_fn cmd_console, cmd_wait, cmd_send;
/* cmd_inspect.c: its inside. */
command_fn cmd_regs, cmd_x, cmd_xp, cmd_trace;
/* cmd_stats.c, cmd_top.c, cmd_sched.c: what it costs, and may cost. */
command_fn cmd_stats, cmd_top, cmd_sched;
/* cmd_bench.c: what an exit costs. */
command_fn cmd_bench;
