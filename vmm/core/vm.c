/* The little that every part of a VM may do to the VM as a whole. */
#include "vmm/core/vm.h"

#include "kernel/lib/format.h"

void vm_set_crash(struct vm *vm, struct vcpu *v, const char *fmt, ...)
{
	va_list args;

	if (v != NULL)
		vcpu_request(v, VCPU_REQ_EVENT | VCPU_REQ_ENTRY); /* it must not be entered again */
	/* Of several vCPUs that crash at once the first one is heard. */
	if (__atomic_exchange_n(&vm->crash_noted, true, __ATOMIC_ACQ_REL))
		return;
	va_start(args, fmt);
	fmt_vsnprintf(vm->crash, sizeof(vm->crash), fmt, args);
	va_end(args);
	vm->crashed_vcpu = v == NULL ? 0 : v->index;
}

uint64_t vcpu_exits(const struct vcpu *v)
{
	uint64_t sum = v->unknown_exits;

	for (unsigned reason = 0; reason < EXIT_REASON_COUNT; reason++)
		sum += v->exit_counts[reason];
	return sum;
}
