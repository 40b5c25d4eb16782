/* Into the guest and out again: what has to be in place before an entry, the handling of an exit, and stepping over the
 * instruction that caused it. Every instruction of vmx_exit() is paid at every exit. Privileged. Follows SDM 3 "VM Entries"
 * and "Event Injection". */
#include "arch/x86/insn.h"
#include "arch/x86/nmi.h"
#include "arch/x86/regs.h"
#include "arch/x86/traps.h"
#include "kernel/lib/errors.h"
#include "vmm/core/inject.h"
#include "vmm/core/vm.h"
#include "vmm/devices/vlapic.h"
#include "vmm/exit/dispatch.h"
#include "vmm/vmx/cpu_audit.h"
#include "vmm/vmx/ept_format.h"
#include "vmm/vmx/exit_read.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"

/* See set_timer(). */
#define TIMER_SLACK_TICKS 16384u
/* A stay is not shorter: a guest whose timer comes faster than it can be handled would never execute an instruction, and
 * since the preemption timer's exit comes before an external interrupt's (SDM 3 "VMX-Preemption Timer"), the host would
 * never get one. */
#define STAY_TICKS 512u

static_assert(offsetof(struct vcpu_hw, host_rsp) == 0, "HW_HOST_RSP in enter.asm");
static_assert(offsetof(struct vcpu_hw, launched) == 8, "HW_LAUNCHED in enter.asm");
static_assert(VMX_ATTENTION == 1 && VMX_FAILED_INVALID == VMX_FAIL_INVALID << 29 &&
		      VMX_FAILED_VALID == VMX_FAIL_VALID << 29,
	      "VMX_ATTENTION and VMX_FAILED_SHIFT in enter.asm");
static_assert(VCPU_REQ_EVENT == 2, "VCPU_REQ_EVENT in enter.asm");

/* The processor may have cached translations through the second-level tables, alone (guest-physical mappings, tagged with
 * the EPT pointer) or combined with the guest's own (tagged with the VPID too). INVEPT drops both kinds; INVVPID the
 * combined and the linear ones of one VPID. Without VPID every entry and exit drops the latter by itself.
 * SDM 3 "Caching Translation Information". */
COLD static void invalidate(struct vcpu *v)
{
	const uint64_t caps = vmx_machine.caps.ept_vpid;
	struct vcpu_hw *hw = v->hw;
	uint64_t generation = slpt_generation(&v->vm->slpt);
	uint32_t stale;

	/* In this order: what others ask for meanwhile is seen now or at the next entry, never lost. */
	__atomic_store_n(&hw->slpt_generation, generation, __ATOMIC_SEQ_CST);
	stale = __atomic_exchange_n(&hw->stale, 0, __ATOMIC_SEQ_CST);
	if (hw->invalidated_at != generation)
		stale |= STALE_EPT;
	hw->invalidated_at = generation;
	if (stale & STALE_EPT) {
		if (caps & EPT_CAP_INVEPT_SINGLE)
			invept(INVEPT_SINGLE, hw->eptp);
		else
			invept(INVEPT_ALL, 0);
	}
	if ((stale & STALE_VPID) && hw->vpid != 0) {
		if (caps & VPID_CAP_SINGLE)
			invvpid(INVVPID_SINGLE, hw->vpid, 0);
		else
			invvpid(INVVPID_ALL, 0, 0);
	}
}

/* Nothing that the processor cached before may be used by the next entry. what: STALE_*. Any CPU may ask. */
void vcpu_invalidate_later(struct vcpu *v, uint32_t what)
{
	__atomic_or_fetch(&v->hw->stale, what, __ATOMIC_SEQ_CST);
	/* enter() looks at one thing only. */
	__atomic_store_n(&v->hw->slpt_generation, VMX_GENERATION_NONE, __ATOMIC_SEQ_CST);
	vcpu_request(v, VCPU_REQ_ENTRY);
}

/* Ticks of the preemption timer until the deadline. It counts the TSC's bit `timer_shift`; never 0, which would leave the
 * guest before its first instruction. */
static uint32_t timer_value(uint64_t deadline, uint64_t now)
{
	uint64_t ticks = deadline > now + STAY_TICKS ? deadline - now : STAY_TICKS;

	ticks = (ticks >> vmx_machine.caps.timer_shift) + 1;
	return ticks > UINT32_MAX ? UINT32_MAX : (uint32_t)ticks;
}

/* Only exceptions in protected mode push an error code; an entry that claims one in real mode fails. (The information that
 * comes with a cut-off event is not to be trusted there: some implementations report a code in real mode.) */
static bool pushes_error_code(const struct event *ev)
{
	return ev->has_error && ev->type == EVENT_EXCEPTION && (vmread(VMCS_GUEST_CR0) & CR0_PE) != 0;
}

COLD static void inject(struct vcpu *v)
{
	struct event *ev = &v->inject;
	uint32_t info = INTR_VALID | (uint32_t)ev->type << INTR_TYPE_SHIFT | ev->vector;

	vcpu_settle_shadows(v);
	if (pushes_error_code(ev)) {
		info |= INTR_ERROR_CODE;
		vmwrite(VMCS_ENTRY_EXCEPTION_ERROR, ev->error);
	}
	if (ev->type >= EVENT_SOFTWARE_INTERRUPT)
		vmwrite(VMCS_ENTRY_INSN_LEN, ev->insn_len);
	if (ev->type == EVENT_NMI)
		v->hw->nmi_free = false;
	vmwrite(VMCS_ENTRY_INTR_INFO, info);
	ev->valid = false;
}

/* An entry that the processor refused. After VMfail nothing has changed; a failure at the guest state is an exit of its own
 * kind (SDM 3 "VM-Entry Failures During or After Loading Guest State"). */
COLD static int refused(struct vcpu *v, uint32_t why)
{
	struct vm_exit *e = &v->exit;

	e->vectoring.valid = false;
	e->value = 0;
	e->tsc = rdtsc();
	e->rip = vmread(VMCS_GUEST_RIP);
	if (why & VMX_ENTRY_FAILED) {
		e->reason = vmread32(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;
		e->qualification = vmread(VMCS_EXIT_QUALIFICATION);
	} else {
		e->reason = EXIT_REASON_COUNT;
		e->qualification = why & VMX_FAILED_VALID ? vmread(VMCS_INSN_ERROR) : 0;
	}
	exit_ring_add(&v->ring, e);
	return ERR_FAULT;
}

/* Not entered: what was to be injected is taken out of the VMCS again, since the loop may have something else next time. */
COLD static int turned_back(struct vcpu *v)
{
	if (vmread32(VMCS_ENTRY_INTR_INFO) & INTR_VALID) {
		vmwrite(VMCS_ENTRY_INTR_INFO, 0);
		v->inject.valid = true;
	}
	v->exit.tsc = rdtsc();
	return ERR_AGAIN;
}

/* RIP at vmx_window_begin: the word has been looked at, and the jump is still to come. It is looked at again, and is set
 * now. Behind that, EAX may be the guest's already. */
void vmx_nmi_window(struct trap_frame *frame)
{
	if (frame->rip == (uintptr_t)vmx_window_begin)
		frame->rip = (uintptr_t)vmx_window_look;
	else if (frame->rip > (uintptr_t)vmx_window_begin && frame->rip <= (uintptr_t)vmx_window_end)
		frame->rip = (uintptr_t)vmx_window_out;
}

static inline void end_shadows(void)
{
	uint32_t blocking = vmread32(VMCS_GUEST_INTERRUPTIBILITY);

	if (unlikely(blocking & BLOCKING_SHADOWS))
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~BLOCKING_SHADOWS);
}

/* RIP is not where it was at the exit: an instruction was stepped over, and the shadows that the VMCS has are out of date. (So
 * each way of reading an exit fills in v->exit.rip.) */
void vcpu_settle_shadows(struct vcpu *v)
{
	if (vmread(VMCS_GUEST_RIP) != v->exit.rip)
		end_shadows();
}

/* A guest comes to be blocked by an NMI alone, and each of its NMIs is injected: with none since NMIs were last seen free, what
 * says that they are blocked is not the guest's. Bochs 2.7 leaves a blocking on that another vCPU was switched away with. */
static inline void settle_nmi_blocking(struct vcpu_hw *hw)
{
	uint32_t blocking = vmread32(VMCS_GUEST_INTERRUPTIBILITY);

	if ((blocking & BLOCKING_NMI) == 0)
		hw->nmi_free = true;
	else if (hw->nmi_free)
		vmwrite(VMCS_GUEST_INTERRUPTIBILITY, blocking & ~BLOCKING_NMI);
}

static bool in_64bit_code(void)
{
	return (vmread(VMCS_GUEST_EFER) & EFER_LMA) != 0 && (vmread32(VMCS_GUEST_CS_ACCESS) & SEG_ACCESS_L) != 0;
}

/* The trap that RFLAGS.TF asks for after each instruction comes after this one too, unless branches alone are traced. */
static void make_step_pending(void)
{
	const uint64_t debugctl_btf = BIT64(1);

	if (!(vmread(VMCS_GUEST_DEBUGCTL) & debugctl_btf))
		vmwrite(VMCS_GUEST_PENDING_DEBUG, vmread(VMCS_GUEST_PENDING_DEBUG) | PENDING_DEBUG_BS);
}

COLD static uint64_t wrapped(uint64_t rip)
{
	return in_64bit_code() ? rip : (uint32_t)rip;
}

COLD static void finish_flags(uint64_t rflags)
{
	if (rflags & RFLAGS_RF)
		vmwrite(VMCS_GUEST_RFLAGS, rflags & ~RFLAGS_RF);
	if (rflags & RFLAGS_TF)
		make_step_pending();
}

/* RFLAGS is such that more may end with the instruction than a glance tells. */
__attribute__((noinline)) static void finish_step(const struct vcpu_hw *hw)
{
	const uint64_t rflags = vmread_known(VMCS_GUEST_RFLAGS);

	if (!(rflags & (RFLAGS_TF | RFLAGS_RF)) && !(hw->proc_ctls & (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW)) &&
	    !apic_irq_waits(hw))
		return;
	end_shadows();
	if (unlikely(rflags & (RFLAGS_TF | RFLAGS_RF)))
		finish_flags(rflags);
}

/* A window always has a look, by the bit of RFLAGS that is always 1. An interrupt that the processor delivers by itself
 * waits for IF, too. */
void vcpu_watch_steps(struct vcpu *v)
{
	const struct vcpu_hw *hw = v->hw;

	v->loop.step_watch = RFLAGS_TF | RFLAGS_RF;
	if (hw->proc_ctls & (PROC_INTERRUPT_WINDOW | PROC_NMI_WINDOW))
		v->loop.step_watch |= RFLAGS_FIXED1;
	if (hw->apic_irr != NULL)
		v->loop.step_watch |= RFLAGS_IF;
}

__attribute__((noinline)) static void change_proc_ctl(struct vcpu *v, uint32_t bit, bool on)
{
	struct vmcs_window w = vmcs_open(v);

	v->hw->proc_ctls ^= bit;
	vmwrite(VMCS_PROC_CTLS, v->hw->proc_ctls);
	vcpu_watch_steps(v);
	if (on)
		vcpu_settle_shadows(v); /* somebody waits for their end now */
	vmcs_close(&w);
}

/* Shadows end with the instruction too. As long as nobody looks at them and no event waits for their end, they may stay
 * in the VMCS: then nothing can tell, and two VMCS accesses are saved. unwatched: bits of RFLAGS that need no look. */
static inline void step_over_but(struct vcpu *v, uint64_t rip, uint64_t insn_len, uint64_t unwatched)
{
	uint64_t next = rip + insn_len;

	/* The lower half has wrapped, or stands so low that it may have: an instruction has at most 15 bytes. */
	if (unlikely(((uint32_t)next & ~15u) == 0))
		next = wrapped(next);
	vmwrite_known(VMCS_GUEST_RIP, next);
	if (unlikely(vmread_known(VMCS_GUEST_RFLAGS) & v->loop.step_watch & ~unwatched))
		finish_step(v->hw);
}

static inline void step_over(struct vcpu *v, uint64_t rip, uint64_t insn_len)
{
	step_over_but(v, rip, insn_len, 0);
}

void vcpu_hw_step_over(struct vcpu *v, uint64_t rip, uint32_t insn_len)
{
	step_over(v, rip, insn_len);
}

__attribute__((noinline)) static void skip_but(struct vcpu *v, uint64_t unwatched)
{
	step_over_but(v, v->exit.rip, vmread(VMCS_EXIT_INSN_LEN), unwatched);
}

void vcpu_hw_skip(struct vcpu *v)
{
	skip_but(v, 0);
}

/* IF says that an interrupt might wait, and none does. */
void vcpu_hw_skip_to_sleep(struct vcpu *v)
{
	skip_but(v, RFLAGS_IF);
}

/* --- after an exit --- */

/* Something is left for the loops outside of the turn. */
COLD static uint32_t leave(struct vcpu *v, enum verdict verdict)
{
	v->exit.reason = vmread32(VMCS_EXIT_REASON) & EXIT_REASON_BASIC;
	v->loop.verdict = verdict;
	return v->requests | VMX_LEAVE;
}

static inline uint32_t handle(struct vcpu *v, uint64_t reason)
{
	const struct vm_exit *e = &v->exit;
	enum verdict verdict = exit_dispatch_known(v, e, reason);

	if (likely(verdict == VERDICT_SKIP))
		step_over(v, e->rip, vmread_known(VMCS_EXIT_INSN_LEN));
	else if (unlikely(verdict != VERDICT_RESUME))
		return leave(v, verdict);
	if (AVATAR_DEBUG)
		audit_before_entry(v);
	return v->requests;
}

/* Not caused by an instruction that carries all it has in registers. */
__attribute__((noinline)) static uint32_t other_exit(struct vcpu *v, uint32_t reason, uint64_t tsc)
{
	v->exit.reason = reason;
	exit_read_other(v, exit_needs[reason], tsc);
	return handle(v, reason);
}

static inline uint32_t io_exit(struct vcpu *v, uint64_t tsc)
{
	const uint64_t qualification = vmread_known(VMCS_EXIT_QUALIFICATION);

	if (unlikely(qualification & QUAL_IO_STRING))
		return other_exit(v, EXIT_IO, tsc);
	exit_read_port(v, qualification, tsc);
	return handle(v, EXIT_IO);
}

__attribute__((noinline)) static uint32_t interrupt_exit(struct vcpu *v, uint64_t tsc)
{
	exit_read_irq(v, tsc);
	return handle(v, EXIT_EXTERNAL_INTERRUPT);
}

__attribute__((noinline)) static uint32_t memory_exit(struct vcpu *v, uint64_t tsc)
{
	if (unlikely(!exit_read_memory(v, tsc)))
		return other_exit(v, EXIT_EPT_VIOLATION, tsc);
	return handle(v, EXIT_EPT_VIOLATION);
}

/* Another CPU has an interrupt for the guest, which is where it was: nothing has been stepped over, and no time has come. The
 * request goes first: what arrives later makes a new one. False: this is not all. */
static bool take_posted(struct vcpu *v)
{
	int vector;

	__atomic_and_fetch(&v->requests, ~(uint32_t)VCPU_REQ_EVENT, __ATOMIC_SEQ_CST);
	if (unlikely(__atomic_load_n(&v->nmi_pending, __ATOMIC_ACQUIRE)))
		return false;
	vector = vlapic_take_posted(v->lapic);
	if (unlikely(vector < 0))
		return false;
	raise_rvi((uint8_t)vector);
	return true;
}

/* Mostly another CPU's kick. What it wants stands in v->requests, and in the CPU's attention word, which is looked at before
 * the entry: one kick may be for several things. The flag that nmi_take_kick() clears was set after all of them, so that
 * these looks see them; a kick from then on is another NMI, which sets the attention word when it comes before the entry, and
 * else leaves the guest. (An NMI does not come while another event is being delivered.) */
__attribute__((noinline)) static uint32_t exception_exit(struct vcpu *v, uint64_t tsc)
{
	const uint32_t nmi = INTR_VALID | INTR_TYPE_NMI << INTR_TYPE_SHIFT;

	if (unlikely(((uint32_t)vmread_known(VMCS_EXIT_INTR_INFO) & (INTR_VALID | INTR_TYPE_MASK)) != nmi) ||
	    unlikely(!nmi_take_kick()))
		return other_exit(v, EXIT_EXCEPTION_NMI, tsc);
	nmi_unblock();
	/* As every exit: or vcpu_settle_shadows() would take the guest's own steps since the last one for a step over. */
	v->exit.rip = vmread_known(VMCS_GUEST_RIP);
	exit_ring_put_insn(&v->ring, tsc, v->exit.rip, EXIT_EXCEPTION_NMI, VECTOR_NMI);
	v->exit_counts[EXIT_EXCEPTION_NMI]++;
	if (likely(v->requests == VCPU_REQ_EVENT && v->hw->apic_irr != NULL) && unlikely(!take_posted(v)))
		vcpu_request(v, VCPU_REQ_EVENT);
	if (AVATAR_DEBUG)
		audit_before_entry(v);
	return v->requests;
}

/* The upper half of the reason says something, or the reason is one that nobody knows. */
COLD static uint32_t odd_exit(struct vcpu *v, uint32_t reason, uint64_t tsc)
{
	if (reason & EXIT_REASON_ENTRY_FAILURE)
		return VMX_ENTRY_FAILED;
	reason &= EXIT_REASON_BASIC;
	if (reason < EXIT_REASON_COUNT)
		return exit_needs[reason] == NEEDS_IRQ ? interrupt_exit(v, tsc) : other_exit(v, reason, tsc);
	v->exit.reason = reason;
	exit_read_details(v, tsc);
	return leave(v, exit_dispatch(v, &v->exit));
}

/* See vmx_vcpu.h. All that can make the guest wait is one word: what others ask for, and what is to be done before the next
 * entry (VCPU_REQ_ENTRY). */
uint32_t vmx_exit(struct vcpu *v)
{
	const uint64_t tsc = rdtsc();
	const uint64_t reason = vmread_known(VMCS_EXIT_REASON); /* 32 bits, but an index is 64 */
	uint64_t needs;

	if (AVATAR_DEBUG)
		audit_after_exit(v);
	v->exit.tsc = tsc;
	if (unlikely(tsc >= v->loop.look_at))
		vcpu_request(v, VCPU_REQ_ENTRY);
	if (unlikely(reason >= EXIT_REASON_COUNT))
		return odd_exit(v, (uint32_t)reason, tsc);
	needs = exit_needs[reason];
	if (likely(needs >= NEEDS_VALUE)) {
		exit_read_insn(v, needs, reason, tsc);
		return handle(v, reason);
	}
	if (needs == NEEDS_IO)
		return io_exit(v, tsc);
	if (needs == NEEDS_EPT)
		return memory_exit(v, tsc);
	if (reason == EXIT_EXCEPTION_NMI)
		return exception_exit(v, tsc);
	if (needs == NEEDS_IRQ)
		return interrupt_exit(v, tsc);
	return other_exit(v, (uint32_t)reason, tsc);
}

/* The guest takes an interrupt with the next entry, and there is nothing else to decide. (A crash asks for VCPU_REQ_ENTRY
 * too; of single steps see step_is_due().) Shadows are as the exit left them: they may have ended with an instruction that
 * was stepped over, but that is found out there. */
static inline bool takes_interrupt(const struct vcpu *v)
{
	return !v->inject.valid && !__atomic_load_n(&v->nmi_pending, __ATOMIC_ACQUIRE) &&
	       !(v->hw->proc_ctls & PROC_NMI_WINDOW) && v->hw->tpr_threshold == 0 &&
	       (vmread_known(VMCS_GUEST_RFLAGS) & (RFLAGS_IF | RFLAGS_TF)) == RFLAGS_IF &&
	       !(vmread_known(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_SHADOWS);
}

/* What the loop outside would do. When that is wanted all the same, it finds in v->inject what goes in. */
__attribute__((noinline)) static uint32_t other_event(struct vcpu *v)
{
	if (unlikely(!vcpu_inject_pending(v, v->irqs)))
		vcpu_request(v, VCPU_REQ_EVENT);
	if (unlikely(v->requests != 0))
		return v->requests;
	if (v->inject.valid)
		inject(v);
	if (AVATAR_DEBUG)
		audit_before_entry(v);
	return 0;
}

/* The request goes first: who comes later asks anew, and is heard. */
uint32_t vmx_event(struct vcpu *v)
{
	const struct irq_source *irqs = v->irqs;
	int vector;

	__atomic_and_fetch(&v->requests, ~(uint32_t)VCPU_REQ_EVENT, __ATOMIC_SEQ_CST);
	vector = takes_interrupt(v) ? irqs->accept(irqs->ctx) : -1;
	if (unlikely(vector < 0))
		return other_event(v);
	if (unlikely(v->hw->proc_ctls & PROC_INTERRUPT_WINDOW))
		change_proc_ctl(v, PROC_INTERRUPT_WINDOW, false);
	v->inject = (struct event){.vector = (uint8_t)vector, .type = EVENT_EXTERNAL_INTERRUPT};
	/* With the vector something else has arrived, an NMI perhaps. */
	if (unlikely(v->requests != 0)) {
		v->inject.valid = true;
		return v->requests;
	}
	vmwrite_known(VMCS_ENTRY_INTR_INFO, INTR_VALID | (uint32_t)vector); /* the type is 0 */
	if (AVATAR_DEBUG)
		audit_before_entry(v);
	return 0;
}

static_assert(EVENT_EXTERNAL_INTERRUPT == 0, "vmx_event()");

/* --- into the guest --- */

/* Take v for this CPU: its VMCS becomes current and its live registers move in. Whoever had the CPU before stays active
 * here, with its live registers in memory, and may be loaded again cheaply. Context: IF = 0. */
void vcpu_hw_load(struct vcpu *v)
{
	const struct percpu *here = this_cpu();
	struct vmx_cpu *cpu = here->slot[PERCPU_VMX];
	struct vcpu_hw *hw = v->hw;

	v->loop.look_at = 0; /* the timer is to be set */
	if (cpu->live == v && cpu->current == hw)
		return;
	vmcs_make_current(cpu, hw);
	if (unlikely(hw->cpu != (int)here->index))
		vmcs_activate(v, (int)here->index);
	if (cpu->live == v)
		return;
	settle_nmi_blocking(hw);
	live_take(cpu, v);
}

/* Set the preemption timer for the deadline. Where the processor keeps what is left of it, it counts the guest's time only,
 * and would come late by the host's time since it was set. Each exit compares its TSC with the deadline, so late is only
 * the exit of a guest that has stopped to make them; and an exit that comes TIMER_SLACK_TICKS later sets the timer anew,
 * so that it is late by no more than that. (A handler that takes long asks for VCPU_REQ_TIMER.) Where it is not kept, an
 * entry starts with what was written last: it is written for each. */
static void set_timer(struct vcpu *v)
{
	const uint64_t deadline = v->loop.deadline, now = rdtsc();

	v->loop.look_at = deadline;
	if (!vmx_machine.ctls.has_timer)
		return;
	vmwrite(VMCS_GUEST_PREEMPTION_TIMER, timer_value(deadline, now));
	if (!vmx_machine.ctls.keeps_timer)
		v->loop.look_at = 0;
	else if (deadline > now && deadline - now > TIMER_SLACK_TICKS)
		v->loop.look_at = now + TIMER_SLACK_TICKS;
}

/* The first time. Where it has left a guest, it has entered one. */
COLD static uint32_t launch(struct vcpu *v, struct vcpu_hw *hw)
{
	const uint64_t before = exit_ring_count(&v->ring);
	uint32_t why = vmx_run_asm(v, hw);

	if (exit_ring_count(&v->ring) != before)
		hw->launched = true;
	return why;
}

/* In, and turn by turn until something is to be done here or outside. Returns VMX_* and VCPU_REQ_*. */
static uint32_t enter(struct vcpu *v, struct vcpu_hw *hw)
{
	uint32_t why;

	if (unlikely(hw->slpt_generation != slpt_generation(&v->vm->slpt)))
		invalidate(v);
	if (unlikely(v->inject.valid))
		inject(v);
	if (AVATAR_DEBUG)
		audit_before_entry(v);
	why = likely(hw->launched) ? vmx_run_asm(v, hw) : launch(v, hw);
	if (why & VCPU_REQ_ENTRY)
		__atomic_and_fetch(&v->requests, ~(uint32_t)VCPU_REQ_ENTRY, __ATOMIC_RELAXED);
	return why;
}

int vcpu_hw_run(struct vcpu *v, uint64_t deadline, enum verdict *verdict)
{
	struct vcpu_hw *hw = v->hw;
	uint32_t why;

	assert(this_vmx_cpu()->current == hw);
	v->loop.verdict = VERDICT_RESUME;
	/* Within a stay the timer goes on by itself towards the same deadline. */
	if (deadline != v->loop.deadline || rdtsc() >= v->loop.look_at) {
		v->loop.deadline = deadline;
		set_timer(v);
	}
	while ((why = enter(v, hw)) == VCPU_REQ_ENTRY && v->exit.tsc < deadline) {
		if (v->exit.tsc >= v->loop.look_at)
			set_timer(v);
	}
	if (unlikely(why & (VMX_FAILED_INVALID | VMX_FAILED_VALID | VMX_ENTRY_FAILED)))
		return refused(v, why);
	if (unlikely(why == VMX_ATTENTION))
		return turned_back(v);
	*verdict = v->loop.verdict;
	return 0;
}

bool vcpu_hw_has_timer(void)
{
	return vmx_machine.ctls.has_timer;
}

/* The exit acknowledged an interrupt (its vector is known, the local APIC has it in service), or took an NMI or a machine
 * check: the host's handler runs now. */
void vcpu_hw_host_event(const struct vm_exit *e)
{
	if (e->reason == EXIT_EXTERNAL_INTERRUPT) {
		struct trap_frame frame; /* of an interrupt's nobody reads more than this */

		frame.vector = e->event.vector;
		frame.rip = (uint64_t)&vmx_exit_point;
		trap_dispatch(&frame);
	} else if (e->reason == EXIT_EXCEPTION_NMI && e->event.type == EVENT_NMI) {
		vmx_raise_nmi();
	} else if (e->reason == EXIT_EXCEPTION_NMI && e->event.vector == VECTOR_MC) {
		vmx_raise_machine_check();
	}
}

/* The trap of a single step over an instruction that has left comes with the next entry, unless that one injects: then it
 * would be lost (SDM 3 "Delivery of Pending Debug Exceptions after VM Entry"). What opens its window comes behind it. */
static bool step_is_due(uint64_t rflags)
{
	return unlikely((rflags & RFLAGS_TF) != 0) && (vmread(VMCS_GUEST_PENDING_DEBUG) & PENDING_DEBUG_BS) != 0;
}

bool vcpu_hw_irq_allowed(struct vcpu *v)
{
	struct vmcs_window w = vmcs_open(v);
	uint64_t rflags = vmread(VMCS_GUEST_RFLAGS);
	bool allowed = !v->inject.valid && (rflags & RFLAGS_IF) != 0 && !step_is_due(rflags);

	if (allowed) {
		vcpu_settle_shadows(v);
		allowed = (vmread32(VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_SHADOWS) == 0;
	}
	vmcs_close(&w);
	return allowed;
}

/* Blocking by STI holds off NMIs as well: a processor may insist on it (SDM 3 "Checks on Guest Non-Register State"). */
bool vcpu_hw_nmi_allowed(struct vcpu *v)
{
	struct vmcs_window w = vmcs_open(v);
	bool allowed = !v->inject.valid && !step_is_due(vmread(VMCS_GUEST_RFLAGS));

	if (allowed) {
		vcpu_settle_shadows(v);
		settle_nmi_blocking(v->hw);
		allowed = (vmread32(VMCS_GUEST_INTERRUPTIBILITY) & (BLOCKING_SHADOWS | BLOCKING_NMI)) == 0;
	}
	vmcs_close(&w);
	return allowed;
}

static inline void set_proc_ctl(struct vcpu *v, uint32_t bit, bool on)
{
	if (((v->hw->proc_ctls & bit) != 0) != on)
		change_proc_ctl(v, bit, on);
}

void vcpu_hw_irq_window(struct vcpu *v, bool on)
{
	set_proc_ctl(v, PROC_INTERRUPT_WINDOW, on);
}

void vcpu_hw_nmi_window(struct vcpu *v, bool on)
{
	set_proc_ctl(v, PROC_NMI_WINDOW, on);
}
