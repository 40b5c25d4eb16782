/* The checker's rules on the guest's control registers, debug registers, MSRs, and on RIP and RFLAGS. SDM 3 "Checks on Guest
 * Control Registers, Debug Registers, and MSRs", "Checks on Guest RIP, RFLAGS, and SSP". */
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "vmm/vmx/vmx_check_rules.h"

#define EFER_KNOWN (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)
#define DEBUGCTL_RESERVED (0xffffffffffff0000ull | 0x38)
#define BNDCFGS_RESERVED 0xffcull

#define RFLAGS_RESERVED (~0x3fffffull | BIT64(15) | BIT64(5) | BIT64(3))

static void check_control_registers(struct check *c)
{
	const struct vmx_caps *caps = c->env->caps;
	bool unrestricted = ctl(c, VMX_CTL_PROC2, PROC2_UNRESTRICTED_GUEST);
	uint64_t cr0 = field(c, VMCS_GUEST_CR0), cr4 = field(c, VMCS_GUEST_CR4);
	/* CD and NW are not loaded by an entry and not looked at. */
	uint64_t must = caps->cr0_fixed0 & ~(CR0_CD | CR0_NW | (unrestricted ? CR0_PE | CR0_PG : 0));
	uint64_t may = caps->cr0_fixed1 | CR0_CD | CR0_NW;
	bool ia32e = ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_IA32E_GUEST);

	check_that(c, !(must & ~cr0) && !(cr0 & ~may), VMCS_GUEST_CR0,
		   "bits fixed in VMX operation (IA32_VMX_CR0_FIXED0 and 1) must have their values");
	check_that(c, !(cr0 & CR0_PG) || (cr0 & CR0_PE), VMCS_GUEST_CR0, "PG needs PE");
	check_that(c, !(caps->cr4_fixed0 & ~cr4) && !(cr4 & ~caps->cr4_fixed1), VMCS_GUEST_CR4,
		   "bits fixed in VMX operation (IA32_VMX_CR4_FIXED0 and 1) must have their values");
	check_that(c, !(cr4 & CR4_CET) || (cr0 & CR0_WP), VMCS_GUEST_CR4, "CET needs CR0.WP");
	check_that(c, !ia32e || (cr0 & CR0_PG), VMCS_GUEST_CR0, "\"IA-32e mode guest\" needs PG");
	check_that(c, !ia32e || (cr4 & CR4_PAE), VMCS_GUEST_CR4, "\"IA-32e mode guest\" needs PAE");
	check_that(c, ia32e || !(cr4 & CR4_PCIDE), VMCS_GUEST_CR4, "PCIDE needs \"IA-32e mode guest\"");
	check_that(c, within_phys(c, field(c, VMCS_GUEST_CR3)), VMCS_GUEST_CR3,
		   "bits beyond the physical-address width must be 0");
}

static void check_debug(struct check *c)
{
	if (!ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_LOAD_DEBUG))
		return;
	check_that(c, !(field(c, VMCS_GUEST_DEBUGCTL) & DEBUGCTL_RESERVED), VMCS_GUEST_DEBUGCTL,
		   "reserved bits must be 0");
	check_zero(c, VMCS_GUEST_DR7, 63, 32);
}

static void check_efer(struct check *c)
{
	uint64_t efer = field(c, VMCS_GUEST_EFER);
	bool lma = (efer & EFER_LMA) != 0, lme = (efer & EFER_LME) != 0;

	if (!ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_LOAD_EFER))
		return;
	check_that(c, !(efer & ~EFER_KNOWN), VMCS_GUEST_EFER, "reserved bits must be 0");
	check_that(c, lma == ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_IA32E_GUEST), VMCS_GUEST_EFER,
		   "LMA must equal \"IA-32e mode guest\"");
	if (field(c, VMCS_GUEST_CR0) & CR0_PG)
		check_that(c, lma == lme, VMCS_GUEST_EFER, "LMA must equal LME while CR0.PG is 1");
}

static void check_msrs(struct check *c)
{
	uint64_t bndcfgs = field(c, VMCS_GUEST_BNDCFGS);

	check_canonical(c, VMCS_GUEST_SYSENTER_ESP);
	check_canonical(c, VMCS_GUEST_SYSENTER_EIP);
	if (ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_LOAD_PAT))
		check_that(c, pat_valid(field(c, VMCS_GUEST_PAT)), VMCS_GUEST_PAT,
			   "each byte must be a memory type: 0, 1, 4, 5, 6 or 7");
	check_efer(c);
	if (ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_LOAD_BNDCFGS))
		check_that(c, !(bndcfgs & BNDCFGS_RESERVED) && canonical(c, ALIGN_DOWN(bndcfgs, PAGE_SIZE)),
			   VMCS_GUEST_BNDCFGS, "bits 11:2 must be 0 and the address canonical");
	if (ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_LOAD_PKRS))
		check_zero(c, VMCS_GUEST_PKRS, 63, 32);
	if (ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_LOAD_CET)) {
		check_canonical(c, VMCS_GUEST_S_CET);
		check_canonical(c, VMCS_GUEST_INTERRUPT_SSP_TABLE);
		check_zero(c, VMCS_GUEST_SSP, 1, 0);
	}
}

static void check_rip_rflags(struct check *c)
{
	uint64_t rip = field(c, VMCS_GUEST_RIP), rflags = field(c, VMCS_GUEST_RFLAGS);
	bool ia32e = ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_IA32E_GUEST);

	if (ia32e && (field(c, VMCS_GUEST_CS_ACCESS) & SEG_ACCESS_L))
		check_canonical(c, VMCS_GUEST_RIP);
	else
		check_that(c, rip >> 32 == 0, VMCS_GUEST_RIP, "bits 63:32 must be 0 outside 64-bit mode");
	check_that(c, !(rflags & RFLAGS_RESERVED), VMCS_GUEST_RFLAGS, "reserved bits must be 0");
	check_that(c, rflags & RFLAGS_FIXED1, VMCS_GUEST_RFLAGS, "bit 1 must be 1");
	check_that(c, !(rflags & RFLAGS_VM) || (!ia32e && (field(c, VMCS_GUEST_CR0) & CR0_PE)), VMCS_GUEST_RFLAGS,
		   "VM must be 0 in IA-32e mode and in real mode");
	check_that(c, !injects_type(c, INTR_TYPE_EXTERNAL) || (rflags & RFLAGS_IF), VMCS_GUEST_RFLAGS,
		   "IF must be 1 when an external interrupt is injected");
}

void check_guest_registers(struct check *c)
{
	c->source = "Checks on Guest Control Registers, Debug Registers, and MSRs";
	check_control_registers(c);
	check_debug(c);
	check_msrs(c);
	c->source = "Checks on Guest RIP, RFLAGS, and SSP";
	check_rip_rflags(c);
}
