/* The self-test of the entry checker on the processor itself: a good VMCS enters; then each way of breaking a field
 * (doctor_cases.c) must be named by the checker, and refused by the processor. A case where the two disagree is a mistake
 * in the checker, or in the processor. Privileged. */
#include "tests/selftest/selftest.h"

#include "arch/x86/insn.h"
#include "arch/x86/regs.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "tests/selftest/doctor_cases.h"
#include "vmm/core/inject.h"
#include "vmm/core/vm.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"

#define RUN_TICKS 1000000u
#define INSN_HLT 0xf4
#define NAMES_MAX 4u

struct patient {
	struct vm vm;
	struct vcpu vcpu;
	struct slpt_format format;
	struct vmcs_snapshot good; /* the VMCS to start each case from */
	struct vmcs_snapshot now;
};

/* What the checker said of one case. */
struct verdicts {
	uint32_t fields[NAMES_MAX];
	unsigned count;
};

static void note(void *ctx, const struct vmx_violation *v)
{
	struct verdicts *seen = ctx;

	if (seen->count < NAMES_MAX)
		seen->fields[seen->count] = v->field;
	seen->count++;
}

static void diagnose(struct patient *p, struct verdicts *seen)
{
	struct vmx_check_env env;

	memset(seen, 0, sizeof(*seen));
	vmcs_check_env(&env);
	vmcs_take_snapshot(&p->now);
	vmx_check(&p->now, &env, note, seen);
}

static bool named(const struct verdicts *seen, uint32_t field)
{
	for (unsigned i = 0; i < seen->count && i < NAMES_MAX; i++) {
		if (seen->fields[i] == field)
			return true;
	}
	return false;
}

/* Back to the good VMCS. Fields that the processor does not have are 0 in both copies. */
static void heal(struct patient *p)
{
	vmcs_take_snapshot(&p->now);
	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		uint32_t field = vmcs_field_encoding(i);

		if (p->now.value[i] != p->good.value[i] && vmcs_field_type(field) != VMCS_TYPE_READ_ONLY)
			vmwrite(field, p->good.value[i]);
	}
	p->vcpu.hw->host_rsp = vmread(VMCS_HOST_RSP); /* the stub writes it only when it differs */
}

static bool change(const struct doctor_change *c)
{
	uint64_t value;

	return vmread_try(c->field, &value) && vmwrite_try(c->field, doctor_new_value(c, value));
}

/* A guest in flat 32-bit protected mode, at a HLT. */
static void set_guest(struct vcpu *v)
{
	static const struct segment code = {0x08, SEGMENT_CODE32, false, UINT32_MAX, 0};
	static const struct segment data = {0x10, SEGMENT_DATA32, false, UINT32_MAX, 0};

	vcpu_hw_set_segment(v, SEG_CS, &code);
	for (unsigned seg = SEG_ES; seg <= SEG_GS; seg++) {
		if (seg != SEG_CS)
			vcpu_hw_set_segment(v, (enum vcpu_seg)seg, &data);
	}
	vcpu_hw_set(v, VCPU_CR0, CR0_PE | CR0_ET | CR0_NE);
	vcpu_hw_set(v, VCPU_RIP, 0);
}

static enum irq_waits none_waits(void *ctx)
{
	(void)ctx;
	return IRQ_NONE;
}

static int no_vector(void *ctx)
{
	(void)ctx;
	return -1;
}

static const struct irq_source no_irqs = {.peek = none_waits, .next = no_vector, .accept = no_vector};

static int make_patient(struct patient *p)
{
	const struct page_source *pages = vmx_machine.pages;
	uint8_t *ram;
	int err = vmx_slpt_format(&p->format);

	if (err == 0)
		err = slpt_init(&p->vm.slpt, &p->format, pages);
	if (err != 0)
		return err;
	p->vcpu.vm = &p->vm;
	p->vcpu.irqs = &no_irqs;
	ram = pages->alloc(pages->ctx, 0);
	if (!ram) {
		err = ERR_NOMEM;
		goto no_ram;
	}
	memset(ram, INSN_HLT, PAGE_SIZE);
	err = slpt_map_range(&p->vm.slpt, 0, pages->hpa_of(pages->ctx, ram), PAGE_SIZE, SLPT_RWX, MEMTYPE_WB);
	if (err == 0)
		err = vcpu_hw_create(&p->vcpu);
	if (err != 0)
		goto no_vcpu;
	vcpu_hw_reset(&p->vcpu, false);
	vcpu_hw_load(&p->vcpu);
	set_guest(&p->vcpu);
	return 0;
no_vcpu:
	pages->free(pages->ctx, ram, 0);
no_ram:
	slpt_destroy(&p->vm.slpt);
	return err;
}

static void unmake_patient(struct patient *p)
{
	const struct page_source *pages = vmx_machine.pages;
	struct slpt_leaf leaf;
	int found = slpt_lookup(&p->vm.slpt, 0, &leaf);

	vcpu_hw_destroy(&p->vcpu);
	slpt_destroy(&p->vm.slpt);
	if (found == 0)
		pages->free(pages->ctx, pages->hva_of(pages->ctx, leaf.hpa), 0);
}

/* The good VMCS: nothing to say, and it runs. */
static int examine_healthy(struct patient *p)
{
	struct verdicts seen;
	const struct vm_exit *e = &p->vcpu.exit;
	enum verdict verdict;
	bool ok;

	diagnose(p, &seen);
	ok = vcpu_hw_run(&p->vcpu, rdtsc() + RUN_TICKS, &verdict) == 0 && e->reason == EXIT_HLT && seen.count == 0;
	log_info("doctor: the good VMCS -> %u complaints, %s: %s", seen.count, exit_reason_name(e->reason),
		 ok ? "ok" : "WRONG");
	/* Only now: the entry has put the host's stack pointer where enter.asm believes it to be. */
	vmcs_take_snapshot(&p->good);
	return ok ? 0 : 1;
}

static void report(const struct doctor_change *dc, const struct verdicts *seen, bool refused, const struct vm_exit *e,
		   bool ok)
{
	char text[200];
	size_t len = 0;
	uint64_t value = 0;

	(void)vmread_try(dc->field, &value);
	fmt_append(text, sizeof(text), &len, "doctor: %s 0x%llx -> named", vmcs_field_name(dc->field),
		   (unsigned long long)value);
	if (seen->count == 0)
		fmt_append(text, sizeof(text), &len, " nothing");
	for (unsigned i = 0; i < seen->count && i < NAMES_MAX; i++)
		fmt_append(text, sizeof(text), &len, "%s %s", i ? "," : "", vmcs_field_name(seen->fields[i]));
	if (!refused)
		fmt_append(text, sizeof(text), &len, ", ENTERED (%s)", exit_reason_name(e->reason));
	else if (e->reason == EXIT_REASON_COUNT)
		fmt_append(text, sizeof(text), &len, ", refused with error %u", (unsigned)e->qualification);
	else
		fmt_append(text, sizeof(text), &len, ", refused with reason %u", e->reason);
	log_info("%s: %s", text, ok ? "ok" : "WRONG");
}

/* 1 when checker and processor do not both refuse it (or the setup alone is refused already), else 0. */
static int examine(struct patient *p, const struct doctor_change *dc)
{
	struct verdicts before, after;
	enum verdict verdict;
	bool refused, ok;

	if (!doctor_case_possible(dc, &vmx_machine.caps))
		return 0;
	heal(p);
	for (; dc->kind & DOCTOR_SETUP; dc++) {
		if (change(dc))
			continue;
		log_error("doctor: a field that the case needs does not exist: WRONG");
		return 1;
	}
	diagnose(p, &before);
	if (!change(dc))
		return 0; /* the field does not exist here */
	diagnose(p, &after);
	refused = vcpu_hw_run(&p->vcpu, rdtsc() + RUN_TICKS, &verdict) != 0;
	ok = before.count == 0 && refused && named(&after, dc->field);
	report(dc, &after, refused, &p->vcpu.exit, ok);
	return ok ? 0 : 1;
}

static void examine_all(struct patient *p)
{
	int wrong = examine_healthy(p);
	unsigned cases = 0;
	bool begins = true;

	for (unsigned i = 0; i < doctor_change_count; i++) {
		if (begins) {
			wrong += examine(p, &doctor_changes[i]);
			cases++;
		}
		begins = !(doctor_changes[i].kind & DOCTOR_SETUP);
	}
	heal(p);
	log_info("doctor: %u cases, %d disagreements", cases, wrong);
}

void selftest_doctor(struct machine *m)
{
	struct patient *p;
	int err;

	if (!m->host.can_run) {
		log_error("selftest: doctor: VT-x cannot be used");
		return;
	}
	p = heap_alloc(&m->heap, sizeof(*p));
	err = p ? make_patient(p) : ERR_NOMEM;
	if (err == 0) {
		examine_all(p);
		unmake_patient(p);
	} else {
		log_error("selftest: doctor: %s", err_str(err));
	}
	heap_free(&m->heap, p);
}
