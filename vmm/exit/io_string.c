/* INS and OUTS, with and without REP. One exit moves a bounded number of elements, the registers then say how far it came;
 * the instruction is left behind only when its count is used up, so that interrupts come in between as on hardware. */
#include "vmm/exit/handlers.h"

#include "arch/x86/regs.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"
#include "vmm/exit/guest_access.h"

/* What a single exit does at the most, in elements made one by one: bounded, and enough for a sector. Of those that a device
 * takes as a run, so many cost as one. */
#define ELEMENTS_MAX 1024u
#define RUN_PER_ELEMENT 16u

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

static uint64_t cut(uint64_t value, unsigned bytes)
{
	return value & (UINT64_MAX >> (64 - 8 * bytes));
}

/* Elements that lie one after the other in RAM, `at` being the first. Returns how many were moved, at least one: a device
 * may have asked for something that ends the run of the VM. */
static size_t move_packed(struct vm *vm, const struct vm_exit *e, uint8_t *at, size_t count)
{
	struct bus *ports = &vm->ports;
	size_t done = 0;

	do {
		uint64_t value = 0;

		if (vm_exit_io_in(e)) {
			bus_read(ports, e->io.port, vm_exit_io_size(e), &value);
			memcpy(at, &value, vm_exit_io_size(e));
		} else {
			memcpy(&value, at, vm_exit_io_size(e));
			bus_write(ports, e->io.port, vm_exit_io_size(e), value);
		}
		at += vm_exit_io_size(e);
		done++;
	} while (done < count && vm->request == VM_REQUEST_NONE);
	return done;
}

/* One instruction under way. */
struct string_io {
	struct vcpu *v;
	const struct vm_exit *e;
	unsigned privilege;
	bool down;       /* RFLAGS.DF */
	uint64_t base;   /* of the segment */
	uint64_t *index; /* RSI or RDI */
	unsigned spent;  /* of ELEMENTS_MAX */
};

/* The index wraps within the address size. */
static uint64_t gva_of(const struct string_io *s)
{
	return s->base + cut(*s->index, s->e->io.addr_size);
}

/* How many elements there are before the page's end, and before the index wraps. 0: not one as a whole. */
static size_t elements_in_page(const struct string_io *s)
{
	size_t bytes = PAGE_SIZE - gva_of(s) % PAGE_SIZE;
	uint64_t to_wrap = cut(-*s->index, s->e->io.addr_size);

	if (to_wrap != 0 && to_wrap < bytes)
		bytes = (size_t)to_wrap;
	return bytes / vm_exit_io_size(s->e);
}

static unsigned rights(const struct string_io *s)
{
	return s->privilege | (vm_exit_io_in(s->e) ? GUEST_ACCESS_WRITE : GUEST_ACCESS_READ);
}

/* An element that goes over a page's end. The pages first: an input whose data have nowhere to go must not happen. */
static int move_crossing(struct string_io *s)
{
	struct vcpu *v = s->v;
	unsigned size = vm_exit_io_size(s->e);
	uint64_t gva = gva_of(s), value = 0, gpa;
	int err;

	if (!vm_exit_io_in(s->e)) {
		err = guest_read_gva(v, gva, &value, size, s->privilege);
		if (err != 0)
			return err;
		vm_lock(v->vm);
		bus_write(&v->vm->ports, s->e->io.port, size, value);
		vm_unlock(v->vm);
		return 0;
	}
	err = guest_translate(v, gva, rights(s), &gpa);
	if (err == 0)
		err = guest_translate(v, gva + size - 1, rights(s), &gpa);
	if (err != 0)
		return err;
	vm_lock(v->vm);
	bus_read(&v->vm->ports, s->e->io.port, size, &value);
	vm_unlock(v->vm);
	return guest_write_gva(v, gva, &value, size, s->privilege);
}

/* `fit` elements in one page, or fewer. *moved: how many, at least one. */
static int move_in_page(struct string_io *s, size_t fit, size_t *moved)
{
	const struct vm_exit *e = s->e;
	struct vm *vm = s->v->vm;
	uint64_t gpa;
	uint8_t *at;
	int err = guest_translate(s->v, gva_of(s), rights(s), &gpa);

	if (err != 0)
		return err;
	at = guest_mem_ptr(&vm->mem, gpa, fit * vm_exit_io_size(e));
	if (at == NULL)
		return ERR_RANGE;
	vm_lock(vm);
	if (vm_exit_io_in(e) ? bus_read_run(&vm->ports, e->io.port, vm_exit_io_size(e), at, fit)
			     : bus_write_run(&vm->ports, e->io.port, vm_exit_io_size(e), at, fit)) {
		s->spent += (unsigned)fit / RUN_PER_ELEMENT;
		*moved = fit;
	} else {
		*moved = move_packed(vm, e, at, fit < ELEMENTS_MAX - s->spent ? fit : ELEMENTS_MAX - s->spent);
		s->spent += (unsigned)*moved - 1;
	}
	vm_unlock(vm);
	return 0;
}

/* Some of the next `count` elements. *moved: how many. Returns 0, or what guest_translate() says: then nothing was moved. */
static int move_some(struct string_io *s, uint64_t count, size_t *moved)
{
	size_t fit = elements_in_page(s);

	s->spent++;
	if (fit == 0) {
		*moved = 1;
		return move_crossing(s);
	}
	if (s->down)
		fit = 1;
	return move_in_page(s, fit < count ? fit : (size_t)count, moved);
}

static enum verdict failed(const struct string_io *s, int err)
{
	if (err == ERR_FAULT)
		return VERDICT_RESUME; /* the guest handles its page fault and comes back */
	vm_set_crash(s->v->vm, s->v, "string I/O on port 0x%x with memory at 0x%llx, which is not RAM", s->e->io.port,
		     (unsigned long long)gva_of(s));
	return VERDICT_CRASH;
}

__attribute__((noinline)) enum verdict exit_io_string(struct vcpu *v, const struct vm_exit *e)
{
	struct string_io s = {.v = v,
			      .e = e,
			      .privilege = guest_privilege(v),
			      .down = (vcpu_hw_get(v, VCPU_RFLAGS) & RFLAGS_DF) != 0,
			      .index = &v->gpr[vm_exit_io_in(e) ? GPR_RDI : GPR_RSI]};
	unsigned width = e->io.addr_size;
	uint64_t left = e->io.access & EXIT_IO_REP ? cut(v->gpr[GPR_RCX], width) : 1;

	s.base = e->io.gva - cut(*s.index, width);
	while (left > 0 && s.spent < ELEMENTS_MAX) {
		size_t moved;
		int err = move_some(&s, left, &moved);
		int64_t bytes = (int64_t)moved * vm_exit_io_size(e);

		if (err != 0)
			return failed(&s, err);
		left -= moved;
		add_to_index(s.index, s.down ? -bytes : bytes, width);
		if (e->io.access & EXIT_IO_REP)
			add_to_index(&v->gpr[GPR_RCX], -(int64_t)moved, width);
		if (v->vm->request != VM_REQUEST_NONE)
			return VERDICT_STOP;
	}
	vcpu_request(v, VCPU_REQ_TIMER); /* it may have taken a while */
	return left == 0 ? VERDICT_SKIP : VERDICT_RESUME;
}
