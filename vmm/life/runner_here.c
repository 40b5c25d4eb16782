/* This CPU's runner hangs at its per-CPU area. Privileged in so far as GS belongs to the hypervisor. */
#include "vmm/life/runner.h"

#include "arch/x86/percpu.h"

struct runner *runner_here(void)
{
	return this_cpu()->slot[PERCPU_SCHED];
}

void runner_set_here(struct runner *r)
{
	this_cpu()->slot[PERCPU_SCHED] = r;
}
