/* Exits after which the VM cannot go on. Each says why in words; the post-mortem is printed by whoever stops the VM. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vm.h"

enum verdict exit_triple_fault(struct vcpu *v, const struct vm_exit *e)
{
	vm_set_crash(
		v->vm, v,
		"triple fault at RIP 0x%llx: an exception whose handler, and then the double-fault handler, could not be "
		"called",
		(unsigned long long)e->rip);
	return VERDICT_CRASH;
}

/* Hardware task switches are not emulated: no current system uses them outside of double-fault handling on 32-bit x86. */
enum verdict exit_task_switch(struct vcpu *v, const struct vm_exit *e)
{
	vm_set_crash(v->vm, v, "hardware task switch to selector 0x%llx, which is not emulated",
		     (unsigned long long)(e->qualification & 0xffff));
	return VERDICT_CRASH;
}

enum verdict exit_bad_entry(struct vcpu *v, const struct vm_exit *e)
{
	vm_set_crash(v->vm, v, "the processor refused to enter the guest: %s (qualification 0x%llx)",
		     exit_reason_name(e->reason), (unsigned long long)e->qualification);
	return VERDICT_CRASH;
}

/* An INIT for the physical CPU itself: nobody but firmware or a debugger sends one; the guest has no part in it. */
enum verdict exit_init_signal(struct vcpu *v, const struct vm_exit *e)
{
	(void)v;
	(void)e;
	return VERDICT_RESUME;
}
