/* The seam's functions that speak: why an entry failed, what an exit was. Privileged: reads the whole VMCS. */
#include "kernel/lib/bitmap.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"
#include "vmm/vmx/vmx_words.h"

struct line_out {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

int vcpu_hw_describe(char *out, size_t size, uint32_t reason, uint64_t qualification, uint64_t value)
{
	return vmx_describe_exit(out, size, reason, qualification, value);
}

/* A copy of the current VMCS. Fields that the processor does not have are asked for once only: emulators log each try. */
void vmcs_take_snapshot(struct vmcs_snapshot *out)
{
	static uint64_t missing[BITMAP_WORDS(VMCS_FIELD_COUNT)];

	for (unsigned i = 0; i < VMCS_FIELD_COUNT; i++) {
		out->value[i] = 0;
		if (!bitmap_test(missing, i) && !vmread_try(vmcs_field_encoding(i), &out->value[i]))
			bitmap_set(missing, i);
	}
}

void vmcs_check_env(struct vmx_check_env *env)
{
	const struct cpu_snapshot *cpu = &vmx_machine.probe.cpu;

	*env = (struct vmx_check_env){
		.caps = &vmx_machine.caps,
		.phys_bits = cpu_snapshot_phys_bits(cpu),
		.linear_bits = cpu_snapshot_linear_bits(cpu),
		.has_sgx = bits_test(cpu->leaf7[1], 2),
		.has_rtm = bits_test(cpu->leaf7[1], 11),
	};
}

static void print_violation(void *ctx, const struct vmx_violation *v)
{
	const struct line_out *out = ctx;
	char text[256];

	fmt_snprintf(text, sizeof(text), "  %s = 0x%llx: %s (SDM 3 \"%s\")", vmcs_field_name(v->field),
		     (unsigned long long)v->value, v->rule, v->source);
	out->line(out->ctx, text);
}

static void print_cause(const struct vm_exit *e, const struct line_out *out)
{
	char text[160];

	if (e->reason < EXIT_REASON_COUNT)
		vmx_describe_entry_failure(text, sizeof(text), e->reason, e->qualification);
	else if (e->qualification != 0)
		fmt_snprintf(text, sizeof(text), "VM entry refused: VM-instruction error %u, %s",
			     (unsigned)e->qualification, vmx_insn_error_text((uint32_t)e->qualification));
	else
		fmt_snprintf(text, sizeof(text), "VM entry refused: there is no current VMCS");
	out->line(out->ctx, text);
}

void vcpu_hw_explain_failure(struct vcpu *v, const struct vm_exit *e, void (*line)(void *ctx, const char *text),
			     void *ctx)
{
	struct vmcs_window w = vmcs_open(v);
	struct line_out out = {line, ctx};
	struct vmcs_snapshot snapshot;
	struct vmx_check_env env;

	print_cause(e, &out);
	vmcs_take_snapshot(&snapshot);
	vmcs_check_env(&env);
	if (vmx_check(&snapshot, &env, print_violation, &out) == 0)
		line(ctx, "  our own checker finds no rule broken");
	vmcs_close(&w);
}
