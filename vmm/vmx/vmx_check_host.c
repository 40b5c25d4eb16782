/* The checker's rules on the host state. SDM 3 "Checks on Host Control Registers, MSRs, and SSP", "Checks on Host Segment and
 * Descriptor-Table Registers", "Checks Related to Address-Space Size". */
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "vmm/vmx/vmx_check_rules.h"

#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

static void check_host_registers(struct check *c)
{
	const struct vmx_caps *caps = c->env->caps;
	uint64_t cr0 = field(c, VMCS_HOST_CR0), cr4 = field(c, VMCS_HOST_CR4);

	check_that(c, !(caps->cr0_fixed0 & ~cr0) && !(cr0 & ~caps->cr0_fixed1), VMCS_HOST_CR0,
		   "bits fixed in VMX operation (IA32_VMX_CR0_FIXED0 and 1) must have their values");
	check_that(c, !(caps->cr4_fixed0 & ~cr4) && !(cr4 & ~caps->cr4_fixed1), VMCS_HOST_CR4,
		   "bits fixed in VMX operation (IA32_VMX_CR4_FIXED0 and 1) must have their values");
	check_that(c, !(cr4 & CR4_CET) || (cr0 & CR0_WP), VMCS_HOST_CR4, "CET needs CR0.WP");
	check_that(c, within_phys(c, field(c, VMCS_HOST_CR3)), VMCS_HOST_CR3,
		   "bits beyond the physical-address width must be 0");
	check_canonical(c, VMCS_HOST_SYSENTER_ESP);
	check_canonical(c, VMCS_HOST_SYSENTER_EIP);
}

static void check_host_msrs(struct check *c)
{
	uint64_t efer = field(c, VMCS_HOST_EFER);
	uint64_t mode = ctl(c, VMX_CTL_EXIT, EXIT_CTL_HOST_64) ? EFER_LME | EFER_LMA : 0;

	if (ctl(c, VMX_CTL_EXIT, EXIT_CTL_LOAD_PAT))
		check_that(c, pat_valid(field(c, VMCS_HOST_PAT)), VMCS_HOST_PAT,
			   "each byte must be a memory type: 0, 1, 4, 5, 6 or 7");
	if (ctl(c, VMX_CTL_EXIT, EXIT_CTL_LOAD_EFER)) {
		check_that(c, !(efer & ~EFER_KNOWN), VMCS_HOST_EFER, "reserved bits must be 0");
		check_that(c, (efer & (EFER_LME | EFER_LMA)) == mode, VMCS_HOST_EFER,
			   "LMA and LME must both equal \"host address-space size\"");
	}
	if (ctl(c, VMX_CTL_EXIT, EXIT_CTL_LOAD_CET)) {
		check_canonical(c, VMCS_HOST_S_CET);
		check_canonical(c, VMCS_HOST_INTERRUPT_SSP_TABLE);
		check_canonical(c, VMCS_HOST_SSP);
		check_zero(c, VMCS_HOST_SSP, 1, 0);
	}
	if (ctl(c, VMX_CTL_EXIT, EXIT_CTL_LOAD_PKRS))
		check_zero(c, VMCS_HOST_PKRS, 63, 32);
}

static void check_host_segments(struct check *c)
{
	static const uint32_t selectors[] = {VMCS_HOST_ES_SELECTOR, VMCS_HOST_CS_SELECTOR, VMCS_HOST_SS_SELECTOR,
					     VMCS_HOST_DS_SELECTOR, VMCS_HOST_FS_SELECTOR, VMCS_HOST_GS_SELECTOR,
					     VMCS_HOST_TR_SELECTOR};
	static const uint32_t bases[] = {VMCS_HOST_FS_BASE, VMCS_HOST_GS_BASE, VMCS_HOST_GDTR_BASE, VMCS_HOST_IDTR_BASE,
					 VMCS_HOST_TR_BASE};

	for (size_t i = 0; i < ARRAY_LEN(selectors); i++)
		check_zero(c, selectors[i], 2, 0);
	check_nonzero(c, VMCS_HOST_CS_SELECTOR);
	check_nonzero(c, VMCS_HOST_TR_SELECTOR);
	if (!ctl(c, VMX_CTL_EXIT, EXIT_CTL_HOST_64))
		check_nonzero(c, VMCS_HOST_SS_SELECTOR);
	for (size_t i = 0; i < ARRAY_LEN(bases); i++)
		check_canonical(c, bases[i]);
}

/* An entry is always made from 64-bit mode here. */
static void check_host_size(struct check *c)
{
	check_that(c, ctl(c, VMX_CTL_EXIT, EXIT_CTL_HOST_64), VMCS_EXIT_CTLS,
		   "\"host address-space size\" must be 1 when the entry is made in IA-32e mode");
	check_that(c, field(c, VMCS_HOST_CR4) & CR4_PAE, VMCS_HOST_CR4, "PAE must be 1 for a host of 64 bits");
	check_canonical(c, VMCS_HOST_RIP);
}

void check_host(struct check *c)
{
	c->source = "Checks on Host Control Registers, MSRs, and SSP";
	check_host_registers(c);
	check_host_msrs(c);
	c->source = "Checks on Host Segment and Descriptor-Table Registers";
	check_host_segments(c);
	c->source = "Checks Related to Address-Space Size";
	check_host_size(c);
}
