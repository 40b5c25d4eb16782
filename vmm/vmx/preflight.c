/* What the hypervisor needs of a machine and what it would like: evaluated from raw values and printed. Pure.
 * Bits after SDM 2 "CPUID" and SDM 3 appendix A. */
#include "vmm/vmx/preflight.h"

#include "arch/x86/msr.h"
#include "kernel/lib/bits.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/format.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/vmx_bits.h"

#define VTX_SETTING "Intel Virtualization Technology, VT-x, Vanderpool, VMX"

/* Where a feature is announced. */
enum place {
	PLACE_1_ECX,
	PLACE_EXT1_EDX,
	PLACE_EXT7_EDX,
	PLACE_PIN, /* allowed-1 halves of the controls */
	PLACE_PROC,
	PLACE_PROC2,
	PLACE_EPT_VPID,
	PLACE_CUSTOM
};

struct facts {
	const struct vmx_probe *probe; /* as read */
	struct vmx_probe effective;    /* less what the boot line takes away */
	struct vmx_caps caps;          /* of that */
	const struct vmx_options *options;
	uint64_t memory_bytes;
};

struct row {
	const char *name;
	enum place place;
	unsigned bit;
	enum preflight_need need;
	const char *firmware;
	const char *without;
	/* PLACE_CUSTOM: sets found, source and text. */
	void (*custom)(const struct facts *f, struct preflight_item *item);
};

static void processor(const struct facts *f, struct preflight_item *item)
{
	const struct cpu_snapshot *cpu = &f->probe->cpu;

	item->found = true;
	fmt_snprintf(item->source, sizeof(item->source), "CPUID.0, .80000002H");
	fmt_snprintf(item->text, sizeof(item->text), "%s", cpu->brand[0] ? cpu->brand : cpu->vendor);
}

static void feature_control(const struct facts *f, struct preflight_item *item)
{
	uint64_t v = f->effective.raw.feature_control;
	bool locked = (v & FEATURE_CONTROL_LOCK) != 0, on = (v & FEATURE_CONTROL_VMX) != 0;

	item->found = cpu_snapshot_has_vmx(&f->probe->cpu) && (!locked || on);
	fmt_snprintf(item->source, sizeof(item->source), "MSR 0x3a = 0x%llx", (unsigned long long)v);
	if (!locked)
		fmt_snprintf(item->text, sizeof(item->text), "unlocked: switched on and locked by us");
	else
		fmt_snprintf(item->text, sizeof(item->text),
			     on ? "switched on by firmware" : "firmware has locked VT-x off");
}

/* All controls without a row of their own that vmx_ctls.c cannot do without. */
static void other_controls(const struct facts *f, struct preflight_item *item)
{
	struct vmx_cpu_features features;
	struct vmx_missing missing;
	struct vmx_ctls ctls;

	cpu_snapshot_features(&f->probe->cpu, f->options, &features);
	item->found = true;
	fmt_snprintf(item->source, sizeof(item->source), "MSR 0x481 to 0x490");
	if (vmx_ctls_choose(&f->caps, &features, &ctls, &missing) == 0)
		return;
	if (missing.word == VMX_CTL_PROC2)
		return; /* EPT and unrestricted guest have their rows */
	item->found = false;
	fmt_snprintf(item->text, sizeof(item->text), "no \"%s\" (%s)",
		     vmx_ctl_name(missing.word, bits_ffs(missing.bits)), vmx_ctl_word_name(missing.word));
}

static void memory(const struct facts *f, struct preflight_item *item)
{
	char size[FMT_QUANTITY_BYTES];

	item->found = f->memory_bytes >= PREFLIGHT_MIN_MEMORY;
	fmt_snprintf(item->source, sizeof(item->source), "firmware's memory map");
	fmt_snprintf(item->text, sizeof(item->text), "%s free", fmt_size(size, f->memory_bytes));
}

static const struct row rows[] = {
	{"processor", PLACE_CUSTOM, 0, PREFLIGHT_INFO, NULL, "", processor},
	{"long mode", PLACE_EXT1_EDX, 29, PREFLIGHT_REQUIRED, NULL, "this program is 64-bit code", NULL},
	{"VT-x", PLACE_1_ECX, 5, PREFLIGHT_REQUIRED, VTX_SETTING, "there is no other way to run a guest here", NULL},
	{"VT-x switched on", PLACE_CUSTOM, 0, PREFLIGHT_REQUIRED, VTX_SETTING,
	 "the processor refuses VMXON until the next reset", feature_control},
	{"EPT", PLACE_PROC2, 1, PREFLIGHT_REQUIRED, NULL, "guests get their memory through EPT only", NULL},
	{"EPT, four levels", PLACE_EPT_VPID, 6, PREFLIGHT_REQUIRED, NULL, "our tables have four levels", NULL},
	{"unrestricted guest", PLACE_PROC2, 7, PREFLIGHT_REQUIRED, NULL, "guests start in real mode", NULL},
	{"other VT-x controls", PLACE_CUSTOM, 0, PREFLIGHT_REQUIRED, NULL, "each guest needs them", other_controls},
	{"memory", PLACE_CUSTOM, 0, PREFLIGHT_REQUIRED, NULL, "64 MiB is the least that is of any use", memory},
	{"EPT 2 MiB pages", PLACE_EPT_VPID, 16, PREFLIGHT_WANTED, NULL, "guests are mapped by 4 KiB pages", NULL},
	{"EPT 1 GiB pages", PLACE_EPT_VPID, 17, PREFLIGHT_WANTED, NULL, "guests are mapped by 2 MiB pages", NULL},
	{"EPT accessed/dirty", PLACE_EPT_VPID, 21, PREFLIGHT_WANTED, NULL, "no record of pages used", NULL},
	{"VPID", PLACE_PROC2, 5, PREFLIGHT_WANTED, NULL, "each exit drops cached translations", NULL},
	{"preemption timer", PLACE_PIN, 6, PREFLIGHT_WANTED, NULL, "deadlines by local APIC timer", NULL},
	{"TPR shadow", PLACE_PROC, 21, PREFLIGHT_WANTED, NULL, "each use of CR8 is an exit", NULL},
	{"APIC-register virtualization", PLACE_PROC2, 8, PREFLIGHT_WANTED, NULL, "APIC reads are exits", NULL},
	{"virtual-interrupt delivery", PLACE_PROC2, 9, PREFLIGHT_WANTED, NULL, "each EOI is an exit", NULL},
	{"posted interrupts", PLACE_PIN, 7, PREFLIGHT_INFO, NULL, "another CPU is kicked by NMI", NULL},
	{"x2APIC", PLACE_1_ECX, 21, PREFLIGHT_WANTED, "x2APIC Mode, Extended APIC", "at most 255 CPUs", NULL},
	{"invariant TSC", PLACE_EXT7_EDX, 8, PREFLIGHT_WANTED, NULL, "time drifts when the clock rate changes", NULL},
	{"TSC deadline", PLACE_1_ECX, 24, PREFLIGHT_WANTED, NULL, "timers in APIC ticks", NULL},
	{"TSC scaling", PLACE_PROC2, 25, PREFLIGHT_INFO, NULL, "guests see this machine's TSC rate", NULL},
	{"XSAVE", PLACE_1_ECX, 26, PREFLIGHT_WANTED, NULL, "guests have no AVX", NULL},
};

static_assert(ARRAY_LEN(rows) <= PREFLIGHT_ITEMS_MAX, "struct preflight holds all rows");

static bool bit_at(const struct vmx_probe *p, const struct vmx_caps *caps, const struct row *r)
{
	switch (r->place) {
	case PLACE_1_ECX:
		return bits_test(p->cpu.leaf1[2], r->bit);
	case PLACE_EXT1_EDX:
		return bits_test(p->cpu.ext1[3], r->bit);
	case PLACE_EXT7_EDX:
		return bits_test(p->cpu.ext7[3], r->bit);
	case PLACE_PIN:
		return bits_test(caps->ctl[VMX_CTL_PIN].may, r->bit);
	case PLACE_PROC:
		return bits_test(caps->ctl[VMX_CTL_PROC].may, r->bit);
	case PLACE_PROC2:
		return bits_test(caps->ctl[VMX_CTL_PROC2].may, r->bit);
	case PLACE_EPT_VPID:
		return bits_test(caps->ept_vpid, r->bit);
	default:
		return false;
	}
}

static void write_source(const struct row *r, char *out, size_t size)
{
	static const struct {
		const char *before, *after;
		unsigned shift; /* controls: the allowed-1 bits are the MSR's high half */
	} places[] = {
		[PLACE_1_ECX] = {"CPUID.1:ECX[", "]", 0},
		[PLACE_EXT1_EDX] = {"CPUID.80000001H:EDX[", "]", 0},
		[PLACE_EXT7_EDX] = {"CPUID.80000007H:EDX[", "]", 0},
		[PLACE_PIN] = {"MSR 0x481 bit ", "", 32},
		[PLACE_PROC] = {"MSR 0x482 bit ", "", 32},
		[PLACE_PROC2] = {"MSR 0x48b bit ", "", 32},
		[PLACE_EPT_VPID] = {"MSR 0x48c bit ", "", 0},
	};

	fmt_snprintf(out, size, "%s%u%s", places[r->place].before, r->bit + places[r->place].shift,
		     places[r->place].after);
}

static bool needs_vmx(enum place place)
{
	return place == PLACE_PIN || place == PLACE_PROC || place == PLACE_PROC2 || place == PLACE_EPT_VPID;
}

static void evaluate_row(const struct facts *f, const struct vmx_caps *as_read, const struct row *r,
			 struct preflight_item *item)
{
	*item = (struct preflight_item){
		.name = r->name, .firmware = r->firmware, .without = r->without, .need = r->need};
	if (r->place == PLACE_CUSTOM) {
		r->custom(f, item);
	} else {
		write_source(r, item->source, sizeof(item->source));
		item->found = bit_at(&f->effective, &f->caps, r);
		if (!item->found && bit_at(f->probe, as_read, r))
			fmt_snprintf(item->text, sizeof(item->text), "taken away by the boot line");
	}
	item->follows = !item->found && !cpu_snapshot_has_vmx(&f->probe->cpu) &&
			(needs_vmx(r->place) || r->custom == feature_control || r->custom == other_controls);
	if (item->follows)
		fmt_snprintf(item->text, sizeof(item->text), "needs VT-x");
}

void preflight_evaluate(const struct vmx_probe *probe, const struct vmx_options *options, uint64_t memory_bytes,
			struct preflight *out)
{
	struct facts f = {.probe = probe, .effective = *probe, .options = options, .memory_bytes = memory_bytes};
	struct vmx_caps as_read;

	vmx_options_apply(options, &f.effective.raw);
	vmx_caps_parse(&f.effective.raw, &f.caps);
	vmx_caps_parse(&probe->raw, &as_read);
	cpu_snapshot_apply(options, &f.effective.cpu);
	memset(out, 0, sizeof(*out));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		evaluate_row(&f, &as_read, &rows[i], &out->items[i]);
		if (!out->items[i].found && rows[i].need == PREFLIGHT_REQUIRED)
			out->missing++;
	}
	out->count = ARRAY_LEN(rows);
}

static const char *status(const struct preflight_item *item)
{
	static const char *const missing[] = {"no", "missing", "MISSING"};

	return item->need == PREFLIGHT_INFO && item->text[0] && item->found ? ""
	       : item->found                                                ? "found"
									    : missing[item->need];
}

static void print_item(const struct preflight_item *item, void (*line)(void *ctx, const char *text), void *ctx)
{
	char text[200];
	size_t len = 0;

	fmt_append(text, sizeof(text), &len, "%-8s %-29s %-24s", status(item), item->name, item->source);
	if (item->text[0])
		fmt_append(text, sizeof(text), &len, " %s", item->text);
	if (!item->found && !item->follows)
		fmt_append(text, sizeof(text), &len, "%s %s", item->text[0] ? ";" : "", item->without);
	while (len > 0 && text[len - 1] == ' ')
		text[--len] = '\0';
	line(ctx, text);
}

/* What follows from another missing item needs no words of its own. */
static void print_refusal(const struct preflight_item *item, void (*line)(void *ctx, const char *text), void *ctx)
{
	char text[240];
	size_t len = 0;

	if (item->need != PREFLIGHT_REQUIRED || item->found || item->follows)
		return;
	fmt_append(text, sizeof(text), &len, "No guest can run: %s is required and missing (%s%s%s): %s.", item->name,
		   item->source, item->text[0] ? ": " : "", item->text, item->without);
	line(ctx, text);
	if (item->firmware) {
		len = 0;
		fmt_append(text, sizeof(text), &len, "Firmware may have a switch for it, usually called: %s.",
			   item->firmware);
		line(ctx, text);
	}
}

void preflight_print(const struct preflight *p, void (*line)(void *ctx, const char *text), void *ctx)
{
	for (unsigned i = 0; i < p->count; i++)
		print_item(&p->items[i], line, ctx);
	for (unsigned i = 0; i < p->count; i++)
		print_refusal(&p->items[i], line, ctx);
}
