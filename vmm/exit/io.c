/* Port I/O: IN and OUT to the VM's port bus. The string forms are in io_string.c. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"

/* A read replaces AL, AX or EAX; writing EAX clears the upper half of RAX (SDM 1 "General-Purpose Registers in 64-Bit Mode"). */
static void io_in_to_rax(struct vcpu *v, unsigned size, uint64_t value)
{
	uint64_t *rax = &v->gpr[GPR_RAX];

	switch (size) {
	case 1:
		*rax = (*rax & ~0xffull) | (value & 0xff);
		break;
	case 2:
		*rax = (*rax & ~0xffffull) | (value & 0xffff);
		break;
	default:
		*rax = value & 0xffffffff;
		break;
	}
}

/* A device may have asked for something that ends this run: power-off, reset, debug exit. */
static enum verdict io_verdict(const struct vm *vm)
{
	return likely(vm->request == VM_REQUEST_NONE) ? VERDICT_SKIP : VERDICT_STOP;
}

enum verdict exit_io(struct vcpu *v, const struct vm_exit *e)
{
	struct bus *ports = &v->vm->ports;
	uint64_t value;

	if (unlikely(e->io.string))
		return exit_io_string(v, e);
	if (e->io.in) {
		bus_read(ports, e->io.port, e->io.size, &value);
		io_in_to_rax(v, e->io.size, value);
	} else {
		bus_write(ports, e->io.port, e->io.size, v->gpr[GPR_RAX] & (UINT64_MAX >> (64 - 8 * e->io.size)));
	}
	return io_verdict(v->vm);
}
