/* The seam vmm/core/vcpu_hw.h in plain memory: see the header. */
#include "tests/fake/fake_vcpu_hw.h"

#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/core/inject.h"
#include "vmm/core/vcpu_reset.h"
#include "vmm/exit/dispatch.h"

#include <stdlib.h>

struct fake_machine fake_machine = {.has_timer = true, .cr0_allowed = 0xffffffff, .cr4_allowed = 0x3707ff};

int vcpu_hw_create(struct vcpu *v)
{
	if (fake_machine.out_of_memory)
		return ERR_NOMEM;
	v->hw = calloc(1, sizeof(*v->hw));
	assert(v->hw != NULL);
	vcpu_reset_registers(v, false);
	return 0;
}

void vcpu_hw_destroy(struct vcpu *v)
{
	free(v->hw);
	v->hw = NULL;
}

struct vcpu_access vcpu_hw_access_begin(struct vcpu *v)
{
	(void)v;
	return (struct vcpu_access){NULL, NULL};
}

void vcpu_hw_access_end(const struct vcpu_access *a)
{
	(void)a;
}

void vcpu_hw_reset(struct vcpu *v, bool init)
{
	vcpu_reset_registers(v, init);
	v->hw->shadow = v->hw->nmi_blocked = v->hw->single_step_pending = false;
	v->hw->irq_window = v->hw->nmi_window = false;
	if (init)
		v->hw->inits++;
	else
		v->hw->resets++;
}

void vcpu_hw_load(struct vcpu *v)
{
	v->hw->loaded = true;
	v->hw->loads++;
}

void vcpu_hw_unload(struct vcpu *v)
{
	v->hw->loaded = false;
	v->hw->unloads++;
}

int vcpu_hw_holder(const struct vcpu *v)
{
	return v->hw->loaded ? 0 : -1;
}

static int enter(struct vcpu *v, uint64_t deadline, struct vm_exit *e)
{
	struct vcpu_hw *hw = v->hw;
	unsigned n = hw->exit_next;

	assert(hw->loaded);
	hw->enters++;
	hw->last_deadline = deadline;
	hw->last_inject = v->inject;
	if (v->inject.valid && v->inject.type == EVENT_NMI)
		hw->nmi_blocked = true;
	v->inject.valid = false;
	hw->shadow = false;
	if (hw->on_enter)
		hw->on_enter(v);
	assert(n < hw->exit_count);
	*e = hw->exits[n];
	hw->exit_next++;
	exit_ring_add(&v->ring, e);
	return hw->exit_results[n];
}

int vcpu_hw_run(struct vcpu *v, uint64_t deadline, enum verdict *verdict)
{
	struct vm_exit *e = &v->exit;

	do {
		int err = enter(v, deadline, e);

		if (err != 0)
			return err;
		if (e->vectoring.valid)
			vcpu_requeue(v, &e->vectoring);
		*verdict = exit_dispatch(v, e);
		if (*verdict == VERDICT_SKIP) {
			vcpu_hw_skip(v);
			*verdict = VERDICT_RESUME;
		}
		v->requests &= ~(uint32_t)VCPU_REQ_ENTRY;
	} while (*verdict == VERDICT_RESUME && v->requests == 0 && e->tsc < deadline);
	return 0;
}

bool vcpu_hw_has_timer(void)
{
	return fake_machine.has_timer;
}

void vcpu_hw_host_event(const struct vm_exit *e)
{
	fake_machine.host_events++;
	if (e->reason == EXIT_EXTERNAL_INTERRUPT) {
		fake_machine.timer_came |= fake_machine.timer_pending;
		fake_machine.timer_pending = false;
	}
}

void vcpu_hw_explain_failure(struct vcpu *v, const struct vm_exit *e, void (*line)(void *ctx, const char *text),
			     void *ctx)
{
	(void)v;
	(void)e;
	line(ctx, "the fake processor refused");
}

int vcpu_hw_describe(char *out, size_t size, uint32_t reason, uint64_t qualification, uint64_t value)
{
	return (int)fmt_snprintf(out, size, "reason %u, qualification 0x%llx, value 0x%llx", reason,
				 (unsigned long long)qualification, (unsigned long long)value);
}

uint64_t vcpu_hw_get(struct vcpu *v, enum vcpu_reg reg)
{
	assert(reg < VCPU_REG_COUNT);
	return v->hw->regs[reg];
}

void vcpu_hw_set(struct vcpu *v, enum vcpu_reg reg, uint64_t value)
{
	assert(reg < VCPU_REG_COUNT);
	v->hw->regs[reg] = value;
}

void vcpu_hw_get_segment(struct vcpu *v, enum vcpu_seg seg, struct segment *out)
{
	assert(seg < FAKE_SEGMENTS);
	*out = v->hw->segs[seg];
}

void vcpu_hw_set_segment(struct vcpu *v, enum vcpu_seg seg, const struct segment *in)
{
	assert(seg < FAKE_SEGMENTS);
	v->hw->segs[seg] = *in;
}

uint64_t vcpu_hw_segment_base(struct vcpu *v, enum vcpu_seg seg)
{
	assert(seg <= SEG_TR);
	return v->hw->segs[seg].base;
}

void vcpu_hw_code_view(struct vcpu *v, struct code_view *out)
{
	bool is_long = (v->hw->regs[VCPU_EFER] & EFER_LMA) != 0;
	const struct segment *cs = &v->hw->segs[SEG_CS];
	bool code64 = is_long && (cs->access & SEGMENT_LONG);

	out->cr3 = v->hw->regs[VCPU_CR3];
	out->cs_base = code64 ? 0 : cs->base;
	out->how = (cs->access & (SEGMENT_LONG | SEGMENT_BIG)) | (is_long ? CODE_VIEW_LONG : 0);
	if (!is_long)
		out->how |= (v->hw->regs[VCPU_CR0] & CR0_PG) | (v->hw->regs[VCPU_CR4] & (CR4_PSE | CR4_PAE));
}

bool vcpu_hw_is_code_view(struct vcpu *v, const struct code_view *view)
{
	struct code_view now;

	vcpu_hw_code_view(v, &now);
	return now.cr3 == view->cr3 && now.cs_base == view->cs_base && now.how == view->how;
}

void vcpu_hw_set_pdptes(struct vcpu *v, const uint64_t pdptes[4])
{
	memcpy(v->hw->pdptes, pdptes, sizeof(v->hw->pdptes));
}

uint64_t vcpu_gpr(struct vcpu *v, unsigned gpr)
{
	assert(gpr < GPR_COUNT);
	return gpr == GPR_RSP ? v->hw->regs[VCPU_RSP] : v->gpr[gpr];
}

void vcpu_set_gpr(struct vcpu *v, unsigned gpr, uint64_t value)
{
	assert(gpr < GPR_COUNT);
	if (gpr == GPR_RSP)
		v->hw->regs[VCPU_RSP] = value;
	else
		v->gpr[gpr] = value;
}

void vcpu_hw_step_over(struct vcpu *v, uint64_t rip, uint32_t insn_len)
{
	uint64_t *rflags = &v->hw->regs[VCPU_RFLAGS];

	v->hw->regs[VCPU_RIP] = rip + insn_len;
	v->hw->single_step_pending = (*rflags & RFLAGS_TF) != 0;
	*rflags &= ~RFLAGS_RF;
	v->hw->shadow = false;
	v->hw->skips++;
}

void vcpu_hw_skip(struct vcpu *v)
{
	vcpu_hw_step_over(v, v->exit.rip, FAKE_INSN_BYTES);
}

void vcpu_hw_skip_to_sleep(struct vcpu *v)
{
	vcpu_hw_skip(v);
}

bool vcpu_hw_irq_allowed(struct vcpu *v)
{
	return (v->hw->regs[VCPU_RFLAGS] & RFLAGS_IF) != 0 && !v->hw->shadow && !v->inject.valid;
}

bool vcpu_hw_nmi_allowed(struct vcpu *v)
{
	return !v->hw->nmi_blocked && !v->hw->shadow && !v->inject.valid;
}

void vcpu_hw_irq_window(struct vcpu *v, bool on)
{
	v->hw->irq_window = on;
}

void vcpu_hw_nmi_window(struct vcpu *v, bool on)
{
	v->hw->nmi_window = on;
}

void vcpu_hw_set_tsc_offset(struct vcpu *v, int64_t offset)
{
	v->hw->tsc_offset = offset;
}

static void timer_access(void)
{
	if (fake_machine.on_timer_access)
		fake_machine.on_timer_access();
}

bool vcpu_hw_timer_can_pass(void)
{
	return fake_machine.timer_can_pass;
}

void vcpu_hw_timer_pass(struct vcpu *v, bool on)
{
	v->hw->passes_timer = on;
}

uint64_t vcpu_hw_timer_get(void)
{
	timer_access();
	return fake_machine.timer_deadline;
}

void vcpu_hw_timer_set(uint64_t deadline)
{
	timer_access();
	fake_machine.timer_deadline = deadline;
}

bool vcpu_hw_timer_came(void)
{
	bool came = fake_machine.timer_came;

	fake_machine.timer_came = false;
	return came;
}

void vcpu_hw_let_interrupts_in(void)
{
	timer_access();
	fake_machine.timer_came |= fake_machine.timer_pending;
	fake_machine.timer_pending = false;
}

void vcpu_hw_timer_settle(void)
{
	vcpu_hw_let_interrupts_in();
}

enum vcpu_apic_help vcpu_hw_apic_help(void)
{
	return fake_machine.apic_help;
}

uint64_t vcpu_hw_apic_access_page(void)
{
	return fake_machine.apic_access_page;
}

void vcpu_hw_apic_attach(struct vcpu *v, void *page)
{
	v->hw->apic_page = page;
}

void vcpu_hw_apic_mode(struct vcpu *v, bool x2apic)
{
	v->hw->x2apic = x2apic;
}

void vcpu_hw_apic_vectors(struct vcpu *v, uint8_t requested, uint8_t in_service)
{
	v->hw->apic_requested = requested;
	v->hw->apic_in_service = in_service;
}

void vcpu_hw_apic_request(struct vcpu *v, uint8_t vector)
{
	if (vector > v->hw->apic_requested)
		v->hw->apic_requested = vector;
}

void vcpu_hw_apic_eoi_exits(struct vcpu *v, unsigned quarter, uint64_t vectors)
{
	assert(quarter < 4);
	v->hw->apic_eoi_exits[quarter] = vectors;
}

/* An entry that asks for more than TPR has is refused. */
void vcpu_hw_apic_threshold(struct vcpu *v, unsigned class)
{
	const uint8_t *page = v->hw->apic_page;

	assert(class <= page[0x80] >> 4);
	v->hw->tpr_threshold = class;
}

void vcpu_hw_cpuid(uint32_t leaf, uint32_t subleaf, uint32_t out[4])
{
	memset(out, 0, 4 * sizeof(out[0]));
	if (fake_machine.cpuid)
		fake_machine.cpuid(leaf, subleaf, out);
}

uint64_t vcpu_hw_cr0_allowed(void)
{
	return fake_machine.cr0_allowed;
}

uint64_t vcpu_hw_cr4_allowed(void)
{
	return fake_machine.cr4_allowed;
}

uint64_t vcpu_hw_xcr0_allowed(void)
{
	return fake_machine.xcr0_allowed;
}

void fake_vcpu_add_exit(struct vcpu *v, const struct vm_exit *e, int result)
{
	assert(v->hw->exit_count < FAKE_MAX_EXITS);
	v->hw->exits[v->hw->exit_count] = *e;
	v->hw->exit_results[v->hw->exit_count] = result;
	v->hw->exit_count++;
}
