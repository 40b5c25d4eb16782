/* VT-x on the machine and on each CPU: probing, FEATURE_CONTROL, VMXON and VMXOFF. Privileged.
 * Follows SDM 3 "Discovering Support for VMX", "Enabling and Entering VMX Operation", "Restrictions on VMX Operation". */
#include "vmm/vmx/vmx.h"

#include "arch/x86/insn.h"
#include "arch/x86/msr_safe.h"
#include "arch/x86/regs.h"
#include "kernel/lib/errors.h"
#include "kernel/lib/string.h"
#include "kernel/log.h"
#include "kernel/panic.h"
#include "vmm/vmx/cpu_audit.h"
#include "vmm/vmx/ept_format.h"
#include "vmm/vmx/vmx_bits.h"
#include "vmm/vmx/vmx_insn.h"
#include "vmm/vmx/vmx_vcpu.h"
#include "vmm/vmx/vmx_words.h"
#include "vmm/vmx/xsave_area.h"

#define CPUID_1_ECX_XSAVE BIT32(26)
#define CPUID_D1_EAX_XSAVEOPT BIT32(0)
#define CPUID_D1_EAX_XSAVEC BIT32(1)
#define IO_BITMAPS_ORDER 1u

struct vmx_machine vmx_machine;

static void read_raw(struct vmx_raw_msrs *raw)
{
	raw->feature_control = rdmsr_or(MSR_FEATURE_CONTROL, 0);
	for (uint32_t msr = MSR_VMX_BASIC; msr < MSR_VMX_BASIC + VMX_RAW_MSRS; msr++) {
		if (vmx_raw_exists(raw, msr))
			raw->vmx[msr - MSR_VMX_BASIC] = rdmsr_or(msr, 0);
	}
}

void vmx_probe(struct vmx_probe *out)
{
	memset(out, 0, sizeof(*out));
	cpu_snapshot_take(cpuid, &out->cpu);
	if (cpu_snapshot_has_vmx(&out->cpu))
		read_raw(&out->raw);
}

static void choose_fpu(struct vmx_machine *m)
{
	const struct cpu_snapshot *cpu = &m->probe.cpu;
	/* AMX stays out: its tiles would make every switch move 8 KiB, and need IA32_XFD. */
	uint64_t known = XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_MPX | XCR0_AVX512 | XCR0_PKRU;

	m->has_xsave = (cpu->leaf1[2] & CPUID_1_ECX_XSAVE) != 0;
	m->has_xsaveopt = m->has_xsave && (cpu->leaf_d1[0] & CPUID_D1_EAX_XSAVEOPT) != 0;
	m->xcr0_allowed = XCR0_X87;
	m->fpu_area_bytes = XSAVE_LEGACY_BYTES;
	if (m->has_xsave) {
		uint64_t present = (uint64_t)cpu->leaf_d[3] << 32 | cpu->leaf_d[0];

		m->xcr0_allowed = xsave_described(cpuid, present & known);
		m->fpu_area_bytes = xsave_area_bytes(cpuid, m->xcr0_allowed);
	}
	m->has_xsavec = (cpu->leaf_d1[0] & CPUID_D1_EAX_XSAVEC) != 0 && (m->xcr0_allowed & XCR0_AVX) != 0;
}

static int make_io_bitmaps(struct vmx_machine *m)
{
	m->io_bitmaps = m->pages->alloc(m->pages->ctx, IO_BITMAPS_ORDER);
	if (!m->io_bitmaps)
		return ERR_NOMEM;
	memset(m->io_bitmaps, 0xff, PAGE_SIZE << IO_BITMAPS_ORDER);
	m->io_bitmaps_hpa = m->pages->hpa_of(m->pages->ctx, m->io_bitmaps);
	return 0;
}

static int make_msr_bitmaps(struct vmx_machine *m)
{
	for (unsigned kind = 0; kind < MSR_BITMAP_KINDS; kind++) {
		void *page = m->pages->alloc(m->pages->ctx, 0);

		if (!page)
			return ERR_NOMEM;
		msr_bitmap_fill(page, (enum msr_bitmap)kind, m->ctls.apic_help);
		m->msr_bitmap_hpa[kind] = m->pages->hpa_of(m->pages->ctx, page);
	}
	return 0;
}

/* What stands for the APIC's page in every guest's tables, and for a guest without one of its own as its registers. */
static int make_apic_access_page(struct vmx_machine *m)
{
	void *page;

	if (m->ctls.apic_help == VCPU_APIC_NONE)
		return 0;
	page = m->pages->alloc(m->pages->ctx, 0);
	if (!page)
		return ERR_NOMEM;
	memset(page, 0, PAGE_SIZE);
	m->apic_access_hpa = m->pages->hpa_of(m->pages->ctx, page);
	return 0;
}

int vmx_init(const struct vmx_probe *probe, const struct vmx_options *options, const struct page_source *pages)
{
	struct vmx_machine *m = &vmx_machine;
	struct vmx_cpu_features features;
	struct vmx_missing missing;

	m->probe = *probe;
	m->options = *options;
	m->pages = pages;
	if (!cpu_snapshot_has_vmx(&probe->cpu))
		return ERR_NOSUP;
	vmx_options_apply(options, &m->probe.raw);
	cpu_snapshot_apply(options, &m->probe.cpu);
	vmx_caps_parse(&m->probe.raw, &m->caps);
	cpu_snapshot_features(&probe->cpu, options, &features);
	if (vmx_ctls_choose(&m->caps, &features, &m->ctls, &missing) != 0)
		return ERR_NOSUP;
	m->cr0_allowed = vmx_guest_cr0_allowed(&m->caps);
	m->cr4_allowed = vmx_guest_cr4_allowed(&m->caps, options);
	m->has_tsc_aux = features.rdtscp;
	choose_fpu(m);
	if (make_apic_access_page(m) != 0 || make_msr_bitmaps(m) != 0)
		return ERR_NOMEM;
	return make_io_bitmaps(m);
}

int vmx_slpt_format(struct slpt_format *out)
{
	return ept_format_init(out, vmx_machine.caps.ept_vpid, cpu_snapshot_phys_bits(&vmx_machine.probe.cpu));
}

/* Firmware may have left VT-x unlocked (then it is ours to switch on and lock, on every CPU), locked on, or locked off. */
static int enable_feature_control(void)
{
	uint64_t v = vmx_machine.options.test_featurectl_locked ? FEATURE_CONTROL_LOCK
								: rdmsr_or(MSR_FEATURE_CONTROL, FEATURE_CONTROL_LOCK);

	if (v & FEATURE_CONTROL_LOCK)
		return v & FEATURE_CONTROL_VMX ? 0 : ERR_NOSUP;
	return wrmsr_safe(MSR_FEATURE_CONTROL, v | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK);
}

/* All CPUs must be able to take every vCPU: the capabilities that the controls were chosen from have to be the same. */
static int check_same_caps(void)
{
	struct vmx_probe here;

	vmx_probe(&here);
	vmx_options_apply(&vmx_machine.options, &here.raw);
	/* One CPU's FEATURE_CONTROL may be locked by now and another's not yet. */
	here.raw.feature_control = vmx_machine.probe.raw.feature_control;
	return memcmp(&here.raw, &vmx_machine.probe.raw, sizeof(here.raw)) == 0 ? 0 : ERR_INVAL;
}

static void set_control_registers(void)
{
	const struct vmx_machine *m = &vmx_machine;
	uint64_t cr4 = (read_cr4() | m->caps.cr4_fixed0 | CR4_VMXE | CR4_OSFXSR) & m->caps.cr4_fixed1;

	if (m->has_xsave)
		cr4 |= CR4_OSXSAVE; /* for moving the guests' state */
	write_cr0((read_cr0() | m->caps.cr0_fixed0) & m->caps.cr0_fixed1 & ~(CR0_TS | CR0_EM));
	write_cr4(cr4);
}

/* What CPUID claims is believed only when it was seen. */
static void try_xsavec(void)
{
	if (!vmx_machine.has_xsavec || xsavec_works())
		return;
	vmx_machine.has_xsavec = false;
	log_warn("XSAVEC stores vector registers where XRSTOR does not look: guests are not shown it");
}

/* A guest's XSAVES and XRSTORS use the processor's IA32_XSS, which guests cannot change: no supervisor state. */
static void clear_xss(void)
{
	if (vmx_machine.ctls.word[VMX_CTL_PROC2] & PROC2_XSAVES)
		(void)!wrmsr_safe(MSR_XSS, 0); /* an emulator may have the instructions without the MSR */
}

static int enter_vmx_operation(struct vmx_cpu *cpu)
{
	const struct page_source *pages = vmx_machine.pages;

	memset(cpu->vmxon, 0, PAGE_SIZE);
	*(uint32_t *)cpu->vmxon = vmx_machine.caps.revision;
	return vmxon(pages->hpa_of(pages->ctx, cpu->vmxon)) == VMX_OK ? 0 : ERR_FAULT;
}

/* One page for the CPU's own record, one for the VMXON region. */
static int make_cpu(struct vmx_cpu **out)
{
	const struct page_source *pages = vmx_machine.pages;
	uint8_t *block = pages->alloc(pages->ctx, 1);

	static_assert(sizeof(**out) <= PAGE_SIZE, "the CPU's own record");
	if (!block)
		return ERR_NOMEM;
	memset(block, 0, 2 * PAGE_SIZE);
	*out = (struct vmx_cpu *)block;
	(*out)->vmxon = block + PAGE_SIZE;
	this_cpu()->slot[PERCPU_VMX] = *out;
	return 0;
}

int vmx_cpu_init(void)
{
	struct vmx_cpu *cpu = this_vmx_cpu();
	int err = check_same_caps();

	if (err == 0)
		err = enable_feature_control();
	if (err == 0 && !cpu)
		err = make_cpu(&cpu);
	if (err != 0)
		return err;
	set_control_registers();
	try_xsavec();
	clear_xss();
	err = enter_vmx_operation(cpu);
	if (err != 0) {
		write_cr4(read_cr4() & ~CR4_VMXE);
		return err;
	}
	cpu->on = true;
	if (AVATAR_DEBUG)
		audit_begin(cpu);
	/* The manual asks for it before the first entry: other software may have left translations with our tags. */
	if (vmx_machine.caps.ept_vpid & EPT_CAP_INVEPT_ALL)
		invept(INVEPT_ALL, 0);
	if (vmx_machine.ctls.has_vpid && (vmx_machine.caps.ept_vpid & VPID_CAP_ALL))
		invvpid(INVVPID_ALL, 0, 0);
	return 0;
}

void vmx_cpu_exit(void)
{
	struct vmx_cpu *cpu = this_vmx_cpu();

	if (!cpu || !cpu->on)
		return;
	assert(cpu->live == NULL);
	if (cpu->current)
		vmcs_clear(cpu, cpu->current);
	vmxoff();
	cpu->on = false;
	write_cr4(read_cr4() & ~CR4_VMXE);
}

_Noreturn void vmx_insn_failed(const char *insn, uint32_t field)
{
	uint64_t error = 0;

	(void)vmread_try(VMCS_INSN_ERROR, &error);
	if (field != 0)
		panic("%s of %s (0x%x) failed: VM-instruction error %u, %s", insn, vmcs_field_name(field), field,
		      (unsigned)error, vmx_insn_error_text((uint32_t)error));
	panic("%s failed: VM-instruction error %u, %s", insn, (unsigned)error, vmx_insn_error_text((uint32_t)error));
}

void vmread_failed(enum vmcs_field field)
{
	vmx_insn_failed("VMREAD", field);
}

void vmwrite_failed(enum vmcs_field field)
{
	vmx_insn_failed("VMWRITE", field);
}
