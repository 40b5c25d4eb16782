/* Guest memory by linear address. */
#include "vmm/exit/guest_access.h"

#include "arch/x86/msr.h"
#include "kernel/lib/errors.h"
#include "vmm/core/cpuid_policy.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/core/vm.h"

#define VECTOR_PAGE_FAULT 14

struct guest_walk_cpu guest_walk_cpu_of(struct vcpu *v)
{
	return (struct guest_walk_cpu){
		.cr0 = vcpu_hw_get(v, VCPU_CR0),
		.cr3 = vcpu_hw_get(v, VCPU_CR3),
		.cr4 = vcpu_hw_get(v, VCPU_CR4),
		.efer = vcpu_hw_get(v, VCPU_EFER),
		.rflags = vcpu_hw_get(v, VCPU_RFLAGS),
		.maxphyaddr = v->vm->cpuid->phys_bits,
	};
}

/* CPL is SS.DPL, in every mode (SDM 3 "Guest Register State"). */
unsigned guest_privilege(struct vcpu *v)
{
	struct segment ss;

	vcpu_hw_get_segment(v, SEG_SS, &ss);
	return (ss.access >> 5 & 3) == 3 ? GUEST_ACCESS_USER : 0;
}

enum insn_mode guest_code_mode(struct vcpu *v)
{
	struct segment cs;

	vcpu_hw_get_segment(v, SEG_CS, &cs);
	if ((vcpu_hw_get(v, VCPU_EFER) & EFER_LMA) && (cs.access & SEGMENT_LONG))
		return INSN_MODE_64;
	return (cs.access & SEGMENT_BIG) ? INSN_MODE_32 : INSN_MODE_16;
}

uint64_t guest_linear_rip(struct vcpu *v, uint64_t rip)
{
	struct segment cs;

	if (guest_code_mode(v) == INSN_MODE_64)
		return rip;
	vcpu_hw_get_segment(v, SEG_CS, &cs);
	return (cs.base + rip) & 0xffffffff;
}

int guest_translate(struct vcpu *v, uint64_t gva, unsigned access, uint64_t *gpa)
{
	struct guest_walk_cpu cpu = guest_walk_cpu_of(v);
	struct guest_walk walk;
	int err = guest_walk(&v->vm->mem, &cpu, gva, access | GUEST_ACCESS_SET_AD, &walk);

	if (err == ERR_INVAL) {
		vcpu_queue_gp(v);
		return ERR_FAULT;
	}
	if (err == ERR_FAULT) {
		vcpu_hw_set(v, VCPU_CR2, gva);
		vcpu_queue_exception(v, VECTOR_PAGE_FAULT, true, walk.pf_error);
	}
	*gpa = walk.gpa;
	/* Another CPU rewrites the tables all the time: the instruction is tried again, with interrupts in between. */
	return err == ERR_AGAIN ? ERR_FAULT : err;
}

static size_t in_page(uint64_t gva, size_t len)
{
	size_t room = PAGE_SIZE - (gva & (PAGE_SIZE - 1));

	return len < room ? len : room;
}

int guest_read_gva(struct vcpu *v, uint64_t gva, void *buf, size_t len, unsigned access)
{
	for (size_t done = 0; done < len;) {
		size_t n = in_page(gva + done, len - done);
		uint64_t gpa;
		int err = guest_translate(v, gva + done, access, &gpa);

		if (err == 0)
			err = guest_mem_read(&v->vm->mem, gpa, (char *)buf + done, n);
		if (err != 0)
			return err;
		done += n;
	}
	return 0;
}

int guest_write_gva(struct vcpu *v, uint64_t gva, const void *buf, size_t len, unsigned access)
{
	for (size_t done = 0; done < len;) {
		size_t n = in_page(gva + done, len - done);
		uint64_t gpa;
		int err = guest_translate(v, gva + done, access | GUEST_ACCESS_WRITE, &gpa);

		if (err == 0)
			err = guest_mem_write(&v->vm->mem, gpa, (const char *)buf + done, n);
		if (err != 0)
			return err;
		done += n;
	}
	return 0;
}
