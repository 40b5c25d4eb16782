/* The checker's rules on what a guest has beside registers. SDM 3 "Checks on Guest Non-Register State", "Checks on Guest
 * Page-Directory-Pointer-Table Entries". */
#include "arch/x86/regs.h"
#include "vmm/vmx/vmx_check_rules.h"

#define INTERRUPTIBILITY_RESERVED (~0x1full)
#define PENDING_DEBUG_KNOWN (0xfull | BIT64(11) | PENDING_DEBUG_ENABLED | PENDING_DEBUG_BS | PENDING_DEBUG_RTM)
#define DEBUGCTL_BTF BIT64(1)
#define PDPTE_PRESENT BIT64(0)
#define PDPTE_RESERVED 0x1e6ull /* bits 8:5 and 2:1 */

/* Which events wake an inactive processor, so that they may be injected into that state. */
static bool wakes(uint64_t activity, unsigned type, unsigned vector)
{
	bool machine_check = type == INTR_TYPE_HARDWARE_EXCEPTION && vector == VECTOR_MC;

	switch (activity) {
	case ACTIVITY_HLT:
		return type == INTR_TYPE_EXTERNAL || type == INTR_TYPE_NMI || machine_check ||
		       (type == INTR_TYPE_HARDWARE_EXCEPTION && vector == VECTOR_DB) ||
		       (type == INTR_TYPE_OTHER && vector == 0);
	case ACTIVITY_SHUTDOWN:
		return type == INTR_TYPE_NMI || machine_check;
	default:
		return false;
	}
}

static void check_activity(struct check *c)
{
	uint64_t activity = field(c, VMCS_GUEST_ACTIVITY);
	unsigned vector = (unsigned)field(c, VMCS_ENTRY_INTR_INFO) & INTR_VECTOR_MASK;
	bool known = activity <= ACTIVITY_WAIT_SIPI && (c->env->caps->activity >> activity & 1);

	check_that(c, known, VMCS_GUEST_ACTIVITY, "must be a state that the processor supports");
	if (!known || activity == ACTIVITY_ACTIVE)
		return;
	check_that(c, activity != ACTIVITY_HLT || (field(c, VMCS_GUEST_SS_ACCESS) >> SEG_ACCESS_DPL_SHIFT & 3) == 0,
		   VMCS_GUEST_ACTIVITY, "must not be HLT unless the DPL of SS is 0");
	check_that(c, !(field(c, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_SHADOWS), VMCS_GUEST_ACTIVITY,
		   "must be active while there is blocking by STI or by MOV SS");
	check_that(c, !injects(c) || wakes(activity, inject_type(c), vector), VMCS_GUEST_ACTIVITY,
		   "the event injected must be one that ends this state");
}

static void check_interruptibility(struct check *c)
{
	uint64_t blocking = field(c, VMCS_GUEST_INTERRUPTIBILITY);
	bool nmi = injects_type(c, INTR_TYPE_NMI);

	check_that(c, !(blocking & INTERRUPTIBILITY_RESERVED), VMCS_GUEST_INTERRUPTIBILITY,
		   "bits 31:5 are reserved and must be 0");
	check_that(c, (blocking & BLOCKING_SHADOWS) != BLOCKING_SHADOWS, VMCS_GUEST_INTERRUPTIBILITY,
		   "blocking by STI and by MOV SS exclude each other");
	check_that(c, !(blocking & BLOCKING_STI) || (field(c, VMCS_GUEST_RFLAGS) & RFLAGS_IF),
		   VMCS_GUEST_INTERRUPTIBILITY, "blocking by STI needs RFLAGS.IF");
	check_that(c, !(blocking & BLOCKING_SHADOWS) || !injects_type(c, INTR_TYPE_EXTERNAL),
		   VMCS_GUEST_INTERRUPTIBILITY, "blocking by STI or MOV SS must be 0 when an interrupt is injected");
	check_that(c, !(blocking & BLOCKING_SHADOWS) || !nmi, VMCS_GUEST_INTERRUPTIBILITY,
		   "blocking by STI or MOV SS must be 0 when an NMI is injected");
	check_that(c, !(blocking & BLOCKING_SMI), VMCS_GUEST_INTERRUPTIBILITY, "blocking by SMI must be 0 outside SMM");
	check_that(c, !(blocking & BLOCKING_NMI) || !nmi || !ctl(c, VMX_CTL_PIN, PIN_VIRTUAL_NMIS),
		   VMCS_GUEST_INTERRUPTIBILITY, "blocking by NMI must be 0 when an NMI is injected");
	check_that(c, !(blocking & BLOCKING_ENCLAVE) || (c->env->has_sgx && !(blocking & BLOCKING_MOV_SS)),
		   VMCS_GUEST_INTERRUPTIBILITY, "enclave interruption needs SGX and excludes blocking by MOV SS");
}

static void check_pending_debug(struct check *c)
{
	uint64_t pending = field(c, VMCS_GUEST_PENDING_DEBUG);
	bool held = (field(c, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_SHADOWS) ||
		    field(c, VMCS_GUEST_ACTIVITY) == ACTIVITY_HLT;
	bool steps = (field(c, VMCS_GUEST_RFLAGS) & RFLAGS_TF) && !(field(c, VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF);

	check_that(c, !(pending & ~PENDING_DEBUG_KNOWN), VMCS_GUEST_PENDING_DEBUG, "reserved bits must be 0");
	if (held)
		check_that(c, steps == ((pending & PENDING_DEBUG_BS) != 0), VMCS_GUEST_PENDING_DEBUG,
			   "BS (bit 14) must equal RFLAGS.TF (without BTF) in a shadow of STI or MOV SS and in HLT");
	if (pending & PENDING_DEBUG_RTM)
		check_that(c,
			   c->env->has_rtm && pending == (PENDING_DEBUG_RTM | PENDING_DEBUG_ENABLED) &&
				   !(field(c, VMCS_GUEST_INTERRUPTIBILITY) & BLOCKING_MOV_SS),
			   VMCS_GUEST_PENDING_DEBUG, "RTM (bit 16) needs bit 12 and excludes all others");
}

static void check_link(struct check *c)
{
	if (field(c, VMCS_LINK_POINTER) != UINT64_MAX)
		check_address(c, VMCS_LINK_POINTER, PAGE_SIZE);
}

/* Looked at with PAE paging only; without EPT the processor reads them from memory instead. */
static void check_pdptes(struct check *c)
{
	bool pae = (field(c, VMCS_GUEST_CR0) & CR0_PG) && (field(c, VMCS_GUEST_CR4) & CR4_PAE) &&
		   !ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_IA32E_GUEST);

	if (!pae || !ctl(c, VMX_CTL_PROC2, PROC2_EPT))
		return;
	for (uint32_t f = VMCS_GUEST_PDPTE0; f <= VMCS_GUEST_PDPTE3; f += 2) {
		uint64_t pdpte = field(c, f);

		if (pdpte & PDPTE_PRESENT)
			check_that(c, !(pdpte & PDPTE_RESERVED) && within_phys(c, pdpte), f,
				   "bits 2:1, 8:5 and those beyond the physical-address width must be 0");
	}
}

void check_guest_state(struct check *c)
{
	c->source = "Checks on Guest Non-Register State";
	check_activity(c);
	check_interruptibility(c);
	check_pending_debug(c);
	check_link(c);
	c->source = "Checks on Guest Page-Directory-Pointer-Table Entries";
	check_pdptes(c);
}
