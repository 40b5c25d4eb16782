/* What is left to say about a VM that has crashed: the reason, where its CPU stood, how it came there. */
#include "vmm/life/inspect.h"
#include "vmm/life/life.h"

#include "kernel/lib/format.h"

#define POSTMORTEM_EXITS 32u

struct indented {
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

static void indent(void *ctx, const char *text)
{
	const struct indented *i = ctx;
	char with_margin[192];

	fmt_snprintf(with_margin, sizeof(with_margin), "  %s", text);
	i->line(i->ctx, with_margin);
}

void vm_postmortem(struct vm *vm, struct vcpu *v, void (*line)(void *ctx, const char *text), void *ctx)
{
	struct indented margin = {line, ctx};
	struct text_lines out = {indent, &margin};
	char text[VM_CRASH_TEXT + 64];
	uint64_t count = exit_ring_count(&v->ring);

	fmt_snprintf(text, sizeof(text), "post-mortem of %s: %s", vm->config.name, vm->crash);
	line(ctx, text);
	inspect_regs(v, &out);
	inspect_rip(v, &out);
	fmt_snprintf(text, sizeof(text),
		     "last %u of %llu exits:", count < POSTMORTEM_EXITS ? (unsigned)count : POSTMORTEM_EXITS,
		     (unsigned long long)count);
	line(ctx, text);
	inspect_trace(v, POSTMORTEM_EXITS, vm->host->tsc_hz, &out);
	line(ctx, "end of post-mortem");
}
