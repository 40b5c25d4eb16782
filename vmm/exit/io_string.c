/* INS and OUTS, with and without REP. One exit moves a bounded number of elements, the registers then say how far it came;
 * the instruction is left behind only when its count is used up, so that interrupts come in between as on hardware. */
#include "vmm/exit/handlers.h"

#include "arch/x86/regs.h"
#include "kernel/lib/errors.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/exit/guest_access.h"

/* Elements a single exit moves at the most: bounded, and enough for a sector. */
#define ELEMENTS_MAX 1024u

/* RCX, RSI and RDI count with the width of the address size; a 32-bit result clears the upper half. */
static void add_to_index(uint64_t *reg, int64_t delta, unsigned addr_size)
{
	uint64_t value = *reg + (uint64_t)delta;

	if (addr_size == 8)
		*reg = value;
	else if (addr_size == 4)
		*reg = value & 0xffffffff;
	else
		*reg = (*reg & ~0xffffull) | (value & 0xffff);
}

static uint64_t count_of(const struct vcpu *v, unsigned addr_size)
{
	return v->gpr[GPR_RCX] & (UINT64_MAX >> (64 - 8 * addr_size));
}

static int move_element(struct vcpu *v, const struct vm_exit *e, uint64_t gva, unsigned privilege)
{
	uint64_t value = 0;
	int err;

	if (e->io.in) {
		/* The page first: an input whose data have nowhere to go must not happen. */
		uint64_t gpa;

		err = guest_translate(v, gva, privilege | GUEST_ACCESS_WRITE, &gpa);
		if (err != 0)
			return err;
		bus_read(&v->vm->ports, e->io.port, e->io.size, &value);
		return guest_write_gva(v, gva, &value, e->io.size, privilege);
	}
	err = guest_read_gva(v, gva, &value, e->io.size, privilege);
	if (err == 0)
		bus_write(&v->vm->ports, e->io.port, e->io.size, value);
	return err;
}

static enum verdict failed(struct vcpu *v, const struct vm_exit *e, uint64_t gva, int err)
{
	if (err == ERR_FAULT)
		return VERDICT_RESUME; /* the guest handles its page fault and comes back */
	vm_set_crash(v->vm, v, "string I/O on port 0x%x with memory at 0x%llx, which is not RAM", e->io.port,
		     (unsigned long long)gva);
	return VERDICT_CRASH;
}

enum verdict exit_io_string(struct vcpu *v, const struct vm_exit *e)
{
	unsigned privilege = guest_privilege(v);
	bool down = (vcpu_hw_get(v, VCPU_RFLAGS) & RFLAGS_DF) != 0;
	int64_t step = down ? -(int64_t)e->io.size : (int64_t)e->io.size;
	uint64_t gva = e->io.gva, left = e->io.rep ? count_of(v, e->io.addr_size) : 1;
	uint64_t *index = &v->gpr[e->io.in ? GPR_RDI : GPR_RSI];

	for (unsigned n = 0; left > 0 && n < ELEMENTS_MAX; n++, left--) {
		int err = move_element(v, e, gva, privilege);

		if (err != 0)
			return failed(v, e, gva, err);
		gva += (uint64_t)step;
		add_to_index(index, step, e->io.addr_size);
		if (e->io.rep)
			add_to_index(&v->gpr[GPR_RCX], -1, e->io.addr_size);
		if (v->vm->request != VM_REQUEST_NONE)
			return VERDICT_STOP;
	}
	return left == 0 ? VERDICT_SKIP : VERDICT_RESUME;
}
