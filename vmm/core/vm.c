/* The little that every part of a VM may do to the VM as a whole. */
#include "vmm/core/vm.h"

#include "kernel/lib/format.h"

void vm_set_crash(struct vm *vm, const struct vcpu *v, const char *fmt, ...)
{
	va_list args;

	if (vm->crash[0] != '\0')
		return;
	va_start(args, fmt);
	fmt_vsnprintf(vm->crash, sizeof(vm->crash), fmt, args);
	va_end(args);
	vm->crashed_vcpu = v == NULL ? 0 : v->index;
}
