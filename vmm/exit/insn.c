/* Instructions that leave the guest and need little: HLT, WBINVD, PAUSE, and those that the guest's CPUID says it has not. */
#include "vmm/exit/handlers.h"

#include "vmm/core/vcpu_hw.h"
#include "vmm/core/inject.h"
#include "vmm/core/vm.h"

/* Sleep until an interrupt; not at all with one that waits already. */
enum verdict exit_hlt(struct vcpu *v, const struct vm_exit *e)
{
	enum irq_waits event = vcpu_waking_event(v);

	(void)e;
	if (event == IRQ_NONE)
		return VERDICT_WAIT;
	if (event == IRQ_TO_INJECT)
		vcpu_request(v, VCPU_REQ_EVENT);
	return VERDICT_SKIP;
}

/* VMX, SMX, SGX and MONITOR are not in the guest's CPUID: to it they are invalid opcodes. */
enum verdict exit_invalid_opcode(struct vcpu *v, const struct vm_exit *e)
{
	(void)e;
	vcpu_queue_ud(v);
	return VERDICT_RESUME;
}

/* No performance counters are offered: any index is out of range (SDM 2 "RDPMC"). */
enum verdict exit_rdpmc(struct vcpu *v, const struct vm_exit *e)
{
	(void)e;
	vcpu_queue_gp(v);
	return VERDICT_RESUME;
}

/* WBINVD and INVD. Guest memory is write-back and coherent with every CPU and there are no devices of the guest's own that
 * read memory past the caches, so there is nothing to write back. INVD would throw other people's data away: never. */
enum verdict exit_wbinvd(struct vcpu *v, const struct vm_exit *e)
{
	(void)v;
	(void)e;
	return VERDICT_SKIP;
}

/* A spin loop went on for so long that the processor said so: somebody else may use the CPU better. */
enum verdict exit_pause(struct vcpu *v, const struct vm_exit *e)
{
	(void)v;
	(void)e;
	return VERDICT_YIELD;
}

/* No hypercalls are offered. Every number gets the answer that guests know from KVM's interface for one that does not
 * exist, so that a kernel which probes goes on. */
enum verdict exit_vmcall(struct vcpu *v, const struct vm_exit *e)
{
	(void)e;
	v->gpr[GPR_RAX] = (uint64_t)-1000; /* KVM_ENOSYS: kvm_para.h */
	return VERDICT_SKIP;
}
