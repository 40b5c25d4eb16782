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

/* The end of an access that was the device's. The VM is asked for anew: one register less to keep over the call of the device. */
static inline enum verdict io_done(const struct vcpu *v)
{
	struct vm *vm = v->vm;

	vm_unlock(vm);
	return io_verdict(vm);
}

/* The range of the device that had an access at that place before, with the VM locked; NULL, and it is not, when the access
 * is another's, or not wholly one's. A part may raise lines, move ranges and alarms, and write to the console: all of that is
 * under the VM's lock. */
static inline struct bus_range *lock_known(struct vm *vm, uint64_t port, unsigned size)
{
	struct bus_range *r;

	vm_lock(vm);
	r = *bus_guess_at(&vm->ports, port);
	if (likely(bus_range_takes(r, port, size)))
		return r;
	vm_unlock(vm);
	return NULL;
}

/* What guests do most has ways of its own. */
static inline enum verdict read_known(struct vcpu *v, const struct vm_exit *e, unsigned size)
{
	uint64_t port = e->io.port;
	struct bus_range *r = lock_known(v->vm, port, size);

	if (unlikely(r == NULL))
		return io_any(v, e);
	r->reads++;
	in_to_rax(v, size, r->ops->read(r->ctx, port - r->base, size));
	return io_done(v);
}

static enum verdict read_byte(struct vcpu *v, const struct vm_exit *e)
{
	return read_known(v, e, 1);
}

static enum verdict read_dword(struct vcpu *v, const struct vm_exit *e)
{
	return read_known(v, e, 4);
}

static enum verdict write_byte(struct vcpu *v, const struct vm_exit *e)
{
	uint64_t port = e->io.port;
	struct bus_range *r = lock_known(v->vm, port, 1);

	if (unlikely(r == NULL))
		return io_any(v, e);
	r->writes++;
	r->ops->write(r->ctx, port - r->base, 1, (uint8_t)v->gpr[GPR_RAX]);
	return io_done(v);
}

/* By EXIT_IO_KIND: bytes less 1, then EXIT_IO_IN, then EXIT_IO_STRING. */
static exit_handler *const io_ways[EXIT_IO_KIND + 1] = {
	[0] = write_byte,
	[1 ... EXIT_IO_SIZE] = io_any,
	[EXIT_IO_IN] = read_byte,
	[EXIT_IO_IN + 1 ... EXIT_IO_IN + 2] = io_any,
	[EXIT_IO_IN + 3] = read_dword,
	[EXIT_IO_IN + 4 ... EXIT_IO_STRING - 1] = io_any,
	[EXIT_IO_STRING... EXIT_IO_KIND] = exit_io_string,
};

enum verdict exit_io(struct vcpu *v, const struct vm_exit *e)
{
	return io_ways[e->io.access & EXIT_IO_KIND](v, e);
}
