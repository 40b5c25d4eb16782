/* Port I/O: IN and OUT to the VM's port bus. The string forms are in io_string.c. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"

/* A device may have asked for something that ends this run: power-off, reset, debug exit. */
static inline enum verdict io_verdict(const struct vm *vm)
{
	return likely(vm->request == VM_REQUEST_NONE) ? VERDICT_SKIP : VERDICT_STOP;
}

/* A read replaces AL, AX or EAX; writing EAX clears the upper half of RAX (SDM 1 "General-Purpose Registers in 64-Bit Mode"). */
static inline void in_to_rax(struct vcpu *v, unsigned size, uint64_t value)
{
	uint64_t *rax = &v->gpr[GPR_RAX];

	if (size == 1)
		*(uint8_t *)rax = (uint8_t)value;
	else if (size == 2)
		*(uint16_t *)rax = (uint16_t)value;
	else
		*rax = (uint32_t)value;
}

/* Any access but the string forms. */
__attribute__((noinline)) static enum verdict io_any(struct vcpu *v, const struct vm_exit *e)
{
	const unsigned size = vm_exit_io_size(e);
	struct vm *vm = v->vm;
	uint64_t value;

	vm_lock(vm);
	if (vm_exit_io_in(e)) {
		bus_read(&vm->ports, e->io.port, size, &value);
		in_to_rax(v, size, value);
	} else {
		bus_write(&vm->ports, e->io.port, size, v->gpr[GPR_RAX]);
	}
	vm_unlock(vm);
	return io_verdict(vm);
}

/* From or to the device that had an access there before. False: it is another's, or not wholly one's. */
static inline bool in_known(struct vcpu *v, struct vm *vm, uint64_t port, unsigned size)
{
	struct bus_range *r = *bus_guess_at(&vm->ports, port);

	if (unlikely(!bus_range_takes(r, port, size)))
		return false;
	r->reads++;
	in_to_rax(v, size, r->ops->read(r->ctx, port - r->base, size));
	return true;
}

static inline bool out_known(struct vcpu *v, struct vm *vm, uint64_t port)
{
	struct bus_range *r = *bus_guess_at(&vm->ports, port);

	if (unlikely(!bus_range_takes(r, port, 1)))
		return false;
	r->writes++;
	r->ops->write(r->ctx, port - r->base, 1, (uint8_t)v->gpr[GPR_RAX]);
	return true;
}

/* A part may raise lines, move ranges and alarms, and write to the console: all of that is under the VM's lock. What guests
 * do most, bytes and reads of 32 bits, has a way of its own. */
enum verdict exit_io(struct vcpu *v, const struct vm_exit *e)
{
	const unsigned kind = e->io.access & EXIT_IO_KIND;
	struct vm *vm = v->vm;
	bool done = false;

	if (unlikely(kind & EXIT_IO_STRING))
		return exit_io_string(v, e);
	vm_lock(vm);
	if (kind == EXIT_IO_IN)
		done = in_known(v, vm, e->io.port, 1);
	else if (kind == 0)
		done = out_known(v, vm, e->io.port);
	else if (kind == (EXIT_IO_IN | 3))
		done = in_known(v, vm, e->io.port, 4);
	vm_unlock(vm);
	return likely(done) ? io_verdict(vm) : io_any(v, e);
}
