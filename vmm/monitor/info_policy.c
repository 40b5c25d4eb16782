/* `info cpuid` and `info msr`: what guests are given, row by row, with the reasons. */
#include "kernel/lib/format.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/msr_policy.h"
#include "vmm/monitor/info.h"

void info_cpuid(struct monitor *m)
{
	static const char *const names[] = {"eax", "ebx", "ecx", "edx"};
	const struct cpuid_row *row;

	mon_printf(m, "%-8s  %-3s %-8s %-8s  %-8s  %s\n", "leaf", "sub", "register", "passes", "forces", "why");
	for (size_t i = 0; (row = cpuid_policy_row(i)) != NULL; i++) {
		mon_printf(m, "%08x  ", row->leaf);
		if (row->subleaf == CPUID_EACH)
			mon_printf(m, "%-3s", "any");
		else
			mon_printf(m, "%3u", row->subleaf);
		mon_printf(m, " %-8s %08x  %08x  %s\n", names[row->reg], row->pass, row->force, row->why);
	}
	mon_printf(m, "all other bits: 0\n");
}

void info_msr(struct monitor *m)
{
	static const char *const actions[] = {
		[MSR_DENY] = "#GP",           [MSR_VALUE] = "fixed value",   [MSR_IGNORE] = "writes ignored",
		[MSR_STORE] = "emulated",     [MSR_REGISTER] = "register",   [MSR_LAPIC] = "local APIC",
		[MSR_TIME_STAMP] = "the TSC", [MSR_TIME_ADJUST] = "the TSC",
	};
	const struct msr_row *row;

	mon_printf(m, "%-17s  %-51s  %-14s  %s\n", "MSR", "name", "what happens", "why");
	for (size_t i = 0; (row = msr_policy_row(i)) != NULL; i++) {
		char range[24];
		size_t len = 0;

		fmt_append(range, sizeof(range), &len, "%08x", row->first);
		if (row->last != row->first)
			fmt_append(range, sizeof(range), &len, "-%08x", row->last);
		mon_printf(m, "%-17s  %-51s  %-14s  %s\n", range, row->name, actions[row->action], row->why);
	}
	mon_printf(m, "all others: #GP\n");
}
