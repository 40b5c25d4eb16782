/* Port I/O: IN and OUT to the VM's port bus. The string forms are in io_string.c. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"

/* A read replaces AL, AX or EAX; writing EAX clears the upper half of RAX (SDM 1 "General-Purpose Registers in 64-Bit Mode"). */
static inline void in_to_rax(struct vcpu *v, unsigned size, uint64_t value)
{
	uint64_t *rax = &v->gpr[GPR_RAX];

	if (likely(size == 1))
		*(uint8_t *)rax = (uint8_t)value;
	else if (size == 2)
		*(uint16_t *)rax = (uint16_t)value;
	else
		*rax = (uint32_t)value;
}

/* A device may have asked for something that ends this run: power-off, reset, debug exit. */
static enum verdict io_verdict(const struct vm *vm)
{
	if (unlikely(vm->request != VM_REQUEST_NONE))
		return VERDICT_STOP;
	return VERDICT_SKIP;
}

/* The guess was wrong, or the access is not wholly one device's. The VM's lock is held, and given back here. */
__attribute__((noinline)) static enum verdict io_looked_up(struct vcpu *v, const struct vm_exit *e)
{
	struct vm *vm = v->vm;
	uint64_t value;

	if (e->io.in) {
		bus_read(&vm->ports, e->io.port, e->io.size, &value);
		in_to_rax(v, e->io.size, value);
	} else {
		bus_write(&vm->ports, e->io.port, e->io.size, v->gpr[GPR_RAX]);
	}
	vm_unlock(vm);
	return io_verdict(vm);
}

/* A part may raise lines, move ranges and alarms, and write to the console: all of that is under the VM's lock. */
enum verdict exit_io(struct vcpu *v, const struct vm_exit *e)
{
	static const uint32_t low[] = {[1] = 0xff, [2] = 0xffff, [4] = 0xffffffff};
	struct bus_range *r;

	if (unlikely(e->io.string))
		return exit_io_string(v, e);
	vm_lock(v->vm);
	r = *bus_guess_at(&v->vm->ports, e->io.port);
	if (unlikely(!bus_range_takes(r, e->io.port, e->io.size)))
		return io_looked_up(v, e);
	if (e->io.in) {
		r->reads++;
		in_to_rax(v, e->io.size, r->ops->read(r->ctx, e->io.port - r->base, e->io.size));
	} else {
		r->writes++;
		r->ops->write(r->ctx, e->io.port - r->base, e->io.size, v->gpr[GPR_RAX] & low[e->io.size]);
	}
	vm_unlock(v->vm);
	return io_verdict(v->vm);
}
