/* The registers of a virtual CPU after power-on, RESET or INIT, written through the seam: the same for every backend.
 * Follows SDM 3 "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT" (10.1.1, table 10-1). */
#include "vmm/core/vcpu_reset.h"

#include "arch/x86/regs.h"
#include "vmm/core/vcpu_hw.h"

#define PAT_POWER_ON 0x0007040600070406ull
#define RESET_VECTOR 0xfff0ull

static const struct segment code_segment = {0xf000, SEGMENT_CODE16, false, 0xffff, 0xffff0000};
static const struct segment data_segment = {0, SEGMENT_DATA16, false, 0xffff, 0};
static const struct segment ldt_segment = {0, SEGMENT_LDT, false, 0xffff, 0};
/* The manual gives a TSS of type "read/write"; the entry checks of VMX want a busy one, which no guest can tell apart. */
static const struct segment task_segment = {0, SEGMENT_TSS32_BUSY, false, 0xffff, 0};
static const struct segment table_register = {0, 0, false, 0xffff, 0};

static void reset_segments(struct vcpu *v)
{
	static const enum vcpu_seg data[] = {SEG_ES, SEG_SS, SEG_DS, SEG_FS, SEG_GS};

	vcpu_hw_set_segment(v, SEG_CS, &code_segment);
	for (size_t i = 0; i < ARRAY_LEN(data); i++)
		vcpu_hw_set_segment(v, data[i], &data_segment);
	vcpu_hw_set_segment(v, SEG_LDTR, &ldt_segment);
	vcpu_hw_set_segment(v, SEG_TR, &task_segment);
	vcpu_hw_set_segment(v, SEG_GDTR, &table_register);
	vcpu_hw_set_segment(v, SEG_IDTR, &table_register);
}

/* INIT leaves the caches as they are: the two bits of CR0 that say so stay. */
static uint64_t reset_cr0(struct vcpu *v, bool init)
{
	uint64_t cache = init ? vcpu_hw_get(v, VCPU_CR0) & (CR0_CD | CR0_NW) : CR0_CD | CR0_NW;

	return cache | CR0_ET;
}

static void reset_power_on_only(struct vcpu *v)
{
	static const enum vcpu_reg zero[] = {
		VCPU_SYSENTER_CS, VCPU_SYSENTER_ESP, VCPU_SYSENTER_EIP,   VCPU_STAR,    VCPU_LSTAR,
		VCPU_CSTAR,       VCPU_FMASK,        VCPU_KERNEL_GS_BASE, VCPU_TSC_AUX, VCPU_DEBUGCTL};

	for (size_t i = 0; i < ARRAY_LEN(zero); i++)
		vcpu_hw_set(v, zero[i], 0);
	vcpu_hw_set(v, VCPU_PAT, PAT_POWER_ON);
	vcpu_hw_set(v, VCPU_XCR0, XCR0_X87);
}

/* Put the registers of v into the state after power-on, or after INIT when `init`: real mode at F000:FFF0, CS based at
 * 0xffff0000. INIT keeps FPU, MSRs and the cache bits of CR0; EFER it clears, since long mode ends. */
void vcpu_reset_registers(struct vcpu *v, bool init)
{
	static const enum vcpu_reg zero[] = {VCPU_CR2, VCPU_CR3, VCPU_CR4, VCPU_DR0, VCPU_DR1, VCPU_DR2, VCPU_DR3};
	uint32_t signature[4];

	vcpu_forget_sites(v);
	vcpu_hw_set(v, VCPU_CR0, reset_cr0(v, init));
	vcpu_hw_set(v, VCPU_EFER, 0);
	for (size_t i = 0; i < ARRAY_LEN(zero); i++)
		vcpu_hw_set(v, zero[i], 0);
	vcpu_hw_set(v, VCPU_DR6, DR6_INIT);
	vcpu_hw_set(v, VCPU_DR7, DR7_INIT);
	reset_segments(v);
	if (!init)
		reset_power_on_only(v);
	for (unsigned i = 0; i < GPR_COUNT; i++)
		vcpu_set_gpr(v, i, 0);
	vcpu_hw_cpuid(1, 0, signature);
	vcpu_set_gpr(v, GPR_RDX, signature[0]);
	vcpu_hw_set(v, VCPU_RFLAGS, RFLAGS_FIXED1);
	vcpu_hw_set(v, VCPU_RIP, RESET_VECTOR);
}
