/* Where RIP leads: through the guest's page tables and ours, to the bytes there and what they mean. */
#include "vmm/life/inspect.h"

#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "vmm/core/vcpu_hw.h"
#include "vmm/decode/disasm.h"
#include "vmm/exit/guest_access.h"

#define CODE_BYTES 16u

static void line(const struct text_lines *out, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void line(const struct text_lines *out, const char *fmt, ...)
{
	char text[160];
	va_list args;

	va_start(args, fmt);
	fmt_vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	out->line(out->ctx, text);
}

size_t inspect_read_gva(struct vcpu *v, uint64_t gva, void *buf, size_t len)
{
	struct guest_walk_cpu cpu = guest_walk_cpu_of(v);

	return guest_walk_read(&v->vm->mem, &cpu, gva, GUEST_ACCESS_ANY, buf, len);
}

static void print_walk(const struct guest_walk *walk, const struct text_lines *out)
{
	for (unsigned i = 0; i < walk->step_count; i++)
		line(out, "  %-6s at gpa %012llx: %016llx", walk->steps[i].name,
		     (unsigned long long)walk->steps[i].entry_gpa, (unsigned long long)walk->steps[i].value);
}

static void print_second_level(struct vcpu *v, uint64_t gpa, const struct text_lines *out)
{
	struct slpt_leaf leaf;

	if (slpt_lookup(&v->vm->slpt, gpa, &leaf) != 0)
		line(out, "  gpa %012llx is not mapped for the guest", (unsigned long long)gpa);
	else
		line(out, "  gpa %012llx -> hpa %012llx  (%llu KiB page, %s%s%s, %s)", (unsigned long long)gpa,
		     (unsigned long long)(leaf.hpa + (gpa - leaf.gpa)), (unsigned long long)(leaf.size / KIB),
		     leaf.prot & SLPT_R ? "r" : "-", leaf.prot & SLPT_W ? "w" : "-", leaf.prot & SLPT_X ? "x" : "-",
		     memtype_name(leaf.memtype));
}

static void print_code(struct vcpu *v, uint64_t gva, const struct text_lines *out)
{
	uint8_t code[CODE_BYTES];
	size_t got = inspect_read_gva(v, gva, code, sizeof(code));

	char text[DISASM_TEXT];

	if (got == 0)
		return;
	inspect_bytes(gva, code, got, out);
	insn_disassemble(code, got, guest_code_mode(v), vcpu_hw_get(v, VCPU_RIP), text);
	line(out, "  => %s", text);
}

void inspect_rip(struct vcpu *v, const struct text_lines *out)
{
	uint64_t gva = guest_linear_rip(v, vcpu_hw_get(v, VCPU_RIP));
	struct guest_walk walk;
	struct guest_walk_cpu cpu = guest_walk_cpu_of(v);
	int err = guest_walk(&v->vm->mem, &cpu, gva, GUEST_ACCESS_ANY, &walk);

	line(out, "code at linear %016llx:", (unsigned long long)gva);
	print_walk(&walk, out);
	if (err == ERR_FAULT) {
		line(out, "  not mapped by the guest's page tables (error code 0x%x)", walk.pf_error);
		return;
	}
	if (err != 0) {
		line(out, "  %s",
		     err == ERR_RANGE ? "the guest's page tables lie outside its RAM" : "not a canonical address");
		return;
	}
	print_second_level(v, walk.gpa, out);
	print_code(v, gva, out);
}
