/* The checker's rules on controls. SDM 3 "Checks on VMX Controls": "VM-Execution Control Fields", "VM-Exit Control Fields",
 * "VM-Entry Control Fields". */
#include "arch/x86/regs.h"
#include "kernel/lib/format.h"
#include "vmm/vmx/ept_format.h"
#include "vmm/vmx/vmx_check_rules.h"

#define EPTP_MEMTYPE 7ull
#define EPTP_WALK(eptp) ((eptp) >> 3 & 7)
#define EPTP_SUPERVISOR_SHADOW BIT64(7)
#define EPTP_RESERVED 0xf00ull
#define EPT_CAP_WALK_5 BIT64(7)
#define EPT_CAP_SUPERVISOR_SHADOW BIT64(23)
#define VM_FUNCTION_EPTP_SWITCHING BIT64(0)
#define MSR_ENTRY_BYTES 16u

/* Each bit must be 1 where the capability MSR says so, and may be 1 only where it allows it. */
static void check_word(struct check *c, enum vmx_ctl_word word, uint32_t encoding)
{
	const struct vmx_ctl_range *range = &c->env->caps->ctl[word];

	for (unsigned bit = 0; bit < 32; bit++) {
		bool set = (c->word[word] >> bit & 1) != 0, must = (range->must >> bit & 1) != 0,
		     may = (range->may >> bit & 1) != 0;
		char rule[96];

		if (set ? may : !must)
			continue;
		fmt_snprintf(rule, sizeof(rule), "bit %u (%s) %s on this processor", bit, vmx_ctl_name(word, bit),
			     set ? "must be 0" : "must be 1");
		check_that(c, false, encoding, rule);
	}
}

/* Rules of the form: this control needs (or excludes) that one. */
struct ctl_need {
	uint8_t word, needed_word; /* enum vmx_ctl_word */
	bool excludes;
	uint32_t bits;   /* for each of these that is 1 */
	uint32_t needed; /* this must be 1 (or 0) */
};

static const struct ctl_need needs[] = {
	{VMX_CTL_PIN, VMX_CTL_PIN, false, PIN_VIRTUAL_NMIS, PIN_NMI},
	{VMX_CTL_PROC, VMX_CTL_PIN, false, PROC_NMI_WINDOW, PIN_VIRTUAL_NMIS},
	{VMX_CTL_PROC2, VMX_CTL_PROC, false, PROC2_VIRTUALIZE_X2APIC | PROC2_APIC_REGISTERS | PROC2_VIRTUAL_INTERRUPTS,
	 PROC_TPR_SHADOW},
	{VMX_CTL_PROC2, VMX_CTL_PROC2, true, PROC2_VIRTUALIZE_X2APIC, PROC2_VIRTUALIZE_APIC_ACCESSES},
	{VMX_CTL_PROC2, VMX_CTL_PIN, false, PROC2_VIRTUAL_INTERRUPTS, PIN_EXTERNAL_INTERRUPT},
	{VMX_CTL_PIN, VMX_CTL_PROC2, false, PIN_POSTED_INTERRUPTS, PROC2_VIRTUAL_INTERRUPTS},
	{VMX_CTL_PIN, VMX_CTL_EXIT, false, PIN_POSTED_INTERRUPTS, EXIT_CTL_ACK_INTERRUPT},
	{VMX_CTL_PROC2, VMX_CTL_PROC2, false,
	 PROC2_UNRESTRICTED_GUEST | PROC2_PML | PROC2_MODE_BASED_EXECUTE | PROC2_SUB_PAGE_WRITE | PROC2_PT_GPA,
	 PROC2_EPT},
	{VMX_CTL_PROC2, VMX_CTL_ENTRY, false, PROC2_PT_GPA, ENTRY_CTL_LOAD_RTIT},
	{VMX_CTL_PROC2, VMX_CTL_EXIT, false, PROC2_PT_GPA, EXIT_CTL_CLEAR_RTIT},
	{VMX_CTL_EXIT, VMX_CTL_PIN, false, EXIT_CTL_SAVE_PREEMPTION_TIMER, PIN_PREEMPTION_TIMER},
};

static void check_need(struct check *c, const struct ctl_need *n, unsigned bit, uint32_t encoding)
{
	char rule[112];

	fmt_snprintf(rule, sizeof(rule), "\"%s\" %s \"%s\"", vmx_ctl_name(n->word, bit),
		     n->excludes ? "excludes" : "needs", vmx_ctl_name(n->needed_word, log2_floor(n->needed)));
	check_that(c, ctl(c, n->needed_word, n->needed) != n->excludes, encoding, rule);
}

static void check_needs(struct check *c, enum vmx_ctl_word word, uint32_t encoding)
{
	for (size_t i = 0; i < ARRAY_LEN(needs); i++)
		for (unsigned bit = 0; bit < 32; bit++)
			if (needs[i].word == word && (needs[i].bits & c->word[word] & BIT32(bit)))
				check_need(c, &needs[i], bit, encoding);
}

/* Addresses of structures that a control puts to use. */
static void check_structures(struct check *c)
{
	static const struct {
		enum vmx_ctl_word word;
		uint32_t bit;
		uint32_t field;
		uint32_t alignment;
	} structures[] = {
		{VMX_CTL_PROC, PROC_IO_BITMAPS, VMCS_IO_BITMAP_A, 4096},
		{VMX_CTL_PROC, PROC_IO_BITMAPS, VMCS_IO_BITMAP_B, 4096},
		{VMX_CTL_PROC, PROC_MSR_BITMAPS, VMCS_MSR_BITMAP, 4096},
		{VMX_CTL_PROC, PROC_TPR_SHADOW, VMCS_VIRTUAL_APIC_ADDR, 4096},
		{VMX_CTL_PROC2, PROC2_VIRTUALIZE_APIC_ACCESSES, VMCS_APIC_ACCESS_ADDR, 4096},
		{VMX_CTL_PIN, PIN_POSTED_INTERRUPTS, VMCS_POSTED_INTERRUPT_DESC, 64},
		{VMX_CTL_PROC2, PROC2_PML, VMCS_PML_ADDR, 4096},
		{VMX_CTL_PROC2, PROC2_VMCS_SHADOWING, VMCS_VMREAD_BITMAP, 4096},
		{VMX_CTL_PROC2, PROC2_VMCS_SHADOWING, VMCS_VMWRITE_BITMAP, 4096},
		{VMX_CTL_PROC2, PROC2_VIRTUAL_EXCEPTION, VMCS_VIRT_EXCEPTION_INFO_ADDR, 4096},
		{VMX_CTL_PROC2, PROC2_SUB_PAGE_WRITE, VMCS_SPP_TABLE_POINTER, 4096},
	};

	for (size_t i = 0; i < ARRAY_LEN(structures); i++) {
		if (ctl(c, structures[i].word, structures[i].bit))
			check_address(c, structures[i].field, structures[i].alignment);
	}
}

static void check_ept_pointer(struct check *c)
{
	uint64_t eptp = field(c, VMCS_EPT_POINTER), caps = c->env->caps->ept_vpid;
	bool memtype = ((eptp & EPTP_MEMTYPE) == 0 && (caps & EPT_CAP_STRUCT_UC)) ||
		       ((eptp & EPTP_MEMTYPE) == 6 && (caps & EPT_CAP_STRUCT_WB));
	bool walk =
		(EPTP_WALK(eptp) == 3 && (caps & EPT_CAP_WALK_4)) || (EPTP_WALK(eptp) == 4 && (caps & EPT_CAP_WALK_5));

	if (!ctl(c, VMX_CTL_PROC2, PROC2_EPT))
		return;
	check_that(c, memtype, VMCS_EPT_POINTER, "bits 2:0 must be a memory type that the processor supports here");
	check_that(c, walk, VMCS_EPT_POINTER, "bits 5:3 must be 3 (or 4 where there are five levels)");
	check_that(c, !(eptp & EPTP_ACCESSED_DIRTY) || (caps & EPT_CAP_ACCESSED_DIRTY), VMCS_EPT_POINTER,
		   "bit 6 must be 0 on a processor without accessed and dirty flags");
	check_that(c, !(eptp & EPTP_SUPERVISOR_SHADOW) || (caps & EPT_CAP_SUPERVISOR_SHADOW), VMCS_EPT_POINTER,
		   "bit 7 must be 0 on a processor without supervisor shadow-stack control");
	check_that(c, !(eptp & EPTP_RESERVED) && within_phys(c, eptp), VMCS_EPT_POINTER,
		   "bits 11:8 and those beyond the physical-address width must be 0");
}

static void check_vm_functions(struct check *c)
{
	uint64_t functions = field(c, VMCS_VM_FUNCTION_CTLS);

	if (!ctl(c, VMX_CTL_PROC2, PROC2_VM_FUNCTIONS))
		return;
	check_that(c, !(functions & ~c->env->caps->vm_functions), VMCS_VM_FUNCTION_CTLS,
		   "functions that the processor does not have must be 0");
	if (!(functions & VM_FUNCTION_EPTP_SWITCHING))
		return;
	check_that(c, ctl(c, VMX_CTL_PROC2, PROC2_EPT), VMCS_VM_FUNCTION_CTLS, "EPTP switching needs \"enable EPT\"");
	check_address(c, VMCS_EPTP_LIST_ADDR, 4096);
}

static void check_small_fields(struct check *c)
{
	bool vid = ctl(c, VMX_CTL_PROC2, PROC2_VIRTUAL_INTERRUPTS);

	check_that(c, field(c, VMCS_CR3_TARGET_COUNT) <= c->env->caps->cr3_targets, VMCS_CR3_TARGET_COUNT,
		   "must not exceed what the processor supports");
	if (ctl(c, VMX_CTL_PROC, PROC_TPR_SHADOW) && !vid)
		check_zero(c, VMCS_TPR_THRESHOLD, 31, 4);
	if (ctl(c, VMX_CTL_PIN, PIN_POSTED_INTERRUPTS))
		check_zero(c, VMCS_POSTED_INTERRUPT_VECTOR, 15, 8);
	if (ctl(c, VMX_CTL_PROC2, PROC2_VPID))
		check_nonzero(c, VMCS_VPID);
	if (ctl(c, VMX_CTL_PROC2, PROC2_TSC_SCALING))
		check_nonzero(c, VMCS_TSC_MULTIPLIER);
	if (ctl(c, VMX_CTL_PROC, PROC_TERTIARY))
		check_that(c, !(field(c, VMCS_PROC_CTLS3) & ~c->env->caps->proc3_may), VMCS_PROC_CTLS3,
			   "controls that the processor does not have must be 0");
}

void check_execution_controls(struct check *c)
{
	c->source = "VM-Execution Control Fields";
	check_word(c, VMX_CTL_PIN, VMCS_PIN_CTLS);
	check_word(c, VMX_CTL_PROC, VMCS_PROC_CTLS);
	if (ctl(c, VMX_CTL_PROC, PROC_SECONDARY))
		check_word(c, VMX_CTL_PROC2, VMCS_PROC_CTLS2);
	check_needs(c, VMX_CTL_PIN, VMCS_PIN_CTLS);
	check_needs(c, VMX_CTL_PROC, VMCS_PROC_CTLS);
	check_needs(c, VMX_CTL_PROC2, VMCS_PROC_CTLS2);
	check_structures(c);
	check_ept_pointer(c);
	check_vm_functions(c);
	check_small_fields(c);
}

static void check_msr_area(struct check *c, uint32_t count_field, uint32_t addr_field)
{
	uint64_t count = field(c, count_field), addr = field(c, addr_field);

	if (count == 0)
		return;
	check_address(c, addr_field, MSR_ENTRY_BYTES);
	check_that(c, within_phys(c, addr + count * MSR_ENTRY_BYTES - 1), addr_field,
		   "the last byte of the area must not exceed the physical-address width");
}

void check_exit_controls(struct check *c)
{
	c->source = "VM-Exit Control Fields";
	check_word(c, VMX_CTL_EXIT, VMCS_EXIT_CTLS);
	check_needs(c, VMX_CTL_EXIT, VMCS_EXIT_CTLS);
	check_msr_area(c, VMCS_EXIT_MSR_STORE_COUNT, VMCS_EXIT_MSR_STORE_ADDR);
	check_msr_area(c, VMCS_EXIT_MSR_LOAD_COUNT, VMCS_EXIT_MSR_LOAD_ADDR);
}

static bool vector_pushes_error(unsigned vector)
{
	return vector == VECTOR_DF || (vector >= VECTOR_TS && vector <= VECTOR_PF) || vector == VECTOR_AC;
}

static void check_error_code(struct check *c, uint32_t info)
{
	bool deliver = (info & INTR_ERROR_CODE) != 0;
	bool protected_mode = !ctl(c, VMX_CTL_PROC2, PROC2_UNRESTRICTED_GUEST) || (field(c, VMCS_GUEST_CR0) & CR0_PE);
	bool possible = protected_mode && inject_type(c) == INTR_TYPE_HARDWARE_EXCEPTION;

	check_that(c, !deliver || possible, VMCS_ENTRY_INTR_INFO,
		   "only a hardware exception in protected mode delivers an error code (bit 11)");
	if (possible && !c->env->caps->any_error_code)
		check_that(c, deliver == vector_pushes_error(info & INTR_VECTOR_MASK), VMCS_ENTRY_INTR_INFO,
			   "an error code (bit 11) is delivered exactly with the vectors 8, 10 to 14 and 17");
	if (deliver)
		check_zero(c, VMCS_ENTRY_EXCEPTION_ERROR, 31, 16);
}

static void check_injection(struct check *c)
{
	uint32_t info = (uint32_t)field(c, VMCS_ENTRY_INTR_INFO);
	unsigned type = inject_type(c), vector = info & INTR_VECTOR_MASK;
	uint64_t len = field(c, VMCS_ENTRY_INSN_LEN);

	check_that(c, type != INTR_TYPE_RESERVED, VMCS_ENTRY_INTR_INFO, "type 1 is reserved");
	check_that(c, type != INTR_TYPE_OTHER || vmx_caps_may(c->env->caps, VMX_CTL_PROC, PROC_MONITOR_TRAP),
		   VMCS_ENTRY_INTR_INFO, "type 7 needs a processor that has the monitor trap flag");
	check_that(c, type != INTR_TYPE_NMI || vector == VECTOR_NMI, VMCS_ENTRY_INTR_INFO, "an NMI has vector 2");
	check_that(c, type != INTR_TYPE_HARDWARE_EXCEPTION || vector < VECTOR_EXCEPTIONS, VMCS_ENTRY_INTR_INFO,
		   "a hardware exception has a vector from 0 to 31");
	check_that(c, type != INTR_TYPE_OTHER || vector == 0, VMCS_ENTRY_INTR_INFO, "type 7 has vector 0");
	check_that(c, !(info & 0x7ffff000u), VMCS_ENTRY_INTR_INFO, "bits 30:12 are reserved and must be 0");
	check_error_code(c, info);
	if (type >= INTR_TYPE_SOFTWARE_INTERRUPT && type <= INTR_TYPE_SOFTWARE_EXCEPTION)
		check_that(c, len <= 15 && (len > 0 || c->env->caps->inject_zero_len), VMCS_ENTRY_INSN_LEN,
			   "a software event needs the length of its instruction, 1 to 15 bytes");
}

void check_entry_controls(struct check *c)
{
	c->source = "VM-Entry Control Fields";
	check_word(c, VMX_CTL_ENTRY, VMCS_ENTRY_CTLS);
	if (injects(c))
		check_injection(c);
	check_msr_area(c, VMCS_ENTRY_MSR_LOAD_COUNT, VMCS_ENTRY_MSR_LOAD_ADDR);
	check_that(c, !ctl(c, VMX_CTL_ENTRY, ENTRY_CTL_TO_SMM | ENTRY_CTL_END_DUAL_MONITOR), VMCS_ENTRY_CTLS,
		   "\"entry to SMM\" and \"deactivate dual-monitor treatment\" must be 0 outside SMM");
}
