/* The registers that stay in the processor while the host runs: FPU and vector state, XCR0, CR2, debug registers, and the
 * MSRs of SYSCALL, SWAPGS and RDTSCP. The image itself uses none of them, so they move only when another vCPU takes the
 * CPU. Of those that the guest cannot write without an exit memory has the values anyway. Privileged. Follows SDM 3 "System
 * Programming for Instruction Set Extensions and Processor Extended States". */
#include "arch/x86/insn.h"
#include "arch/x86/msr.h"
#include "arch/x86/regs.h"
#include "kernel/lib/bytes.h"
#include "kernel/lib/string.h"
#include "vmm/vmx/vmx_vcpu.h"

#define FXSAVE_FCW 0u
#define FXSAVE_FTW 4u
#define FXSAVE_MXCSR 24u
#define FCW_RESET 0x0040u
#define MXCSR_RESET 0x1f80u
#define XSAVE_HEADER 512u /* XSTATE_BV first */

static const uint32_t live_msrs[LIVE_MSR_COUNT] = {
	[LIVE_STAR] = MSR_STAR,
	[LIVE_LSTAR] = MSR_LSTAR,
	[LIVE_CSTAR] = MSR_CSTAR,
	[LIVE_FMASK] = MSR_FMASK,
	[LIVE_KERNEL_GS_BASE] = MSR_KERNEL_GS_BASE,
	[LIVE_TSC_AUX] = MSR_TSC_AUX,
};

/* The state after power-on. XSTATE_BV says that x87 and SSE are in the area, all else is in its initial state. */
static void fpu_reset(struct vcpu_hw *hw)
{
	memset(hw->fpu, 0, vmx_machine.fpu_area_bytes);
	store_le16(hw->fpu + FXSAVE_FCW, FCW_RESET);
	hw->fpu[FXSAVE_FTW] = 0xff; /* the abridged tag word: all registers in use, holding +0.0 */
	store_le32(hw->fpu + FXSAVE_MXCSR, MXCSR_RESET);
	if (vmx_machine.has_xsave)
		store_le64(hw->fpu + XSAVE_HEADER, XCR0_X87 | XCR0_SSE);
}

/* All components are moved, also those that the guest has not enabled: they keep their values while XCR0 hides them, and
 * must not show up in another VM. */
static inline void fpu_save(const struct vcpu_hw *hw)
{
	const uint64_t all = vmx_machine.xcr0_allowed;

	if (unlikely(!vmx_machine.has_xsave)) {
		fxsave64(hw->fpu);
		return;
	}
	if (hw->xcr0 != all)
		xsetbv(0, all);
	if (vmx_machine.has_xsaveopt)
		xsaveopt64(hw->fpu, all);
	else
		xsave64(hw->fpu, all);
}

/* XCR0 has all components, as after fpu_save(). */
static inline void fpu_restore(const struct vcpu_hw *hw)
{
	const uint64_t all = vmx_machine.xcr0_allowed;

	if (unlikely(!vmx_machine.has_xsave)) {
		fxrstor64(hw->fpu);
		return;
	}
	xrstor64(hw->fpu, all);
	if (hw->xcr0 != all)
		xsetbv(0, hw->xcr0);
}

/* A register of the processor goes into `old`, and has the value `in` then. */
#define SWAP(old, in, read, write)                                                                                     \
	do {                                                                                                           \
		uint64_t value_ = (read);                                                                              \
		(old) = value_;                                                                                        \
		if ((in) != value_)                                                                                    \
			write;                                                                                         \
	} while (0)

/* Put the live registers of whoever has this CPU back into memory. */
COLD void live_put_back(struct vmx_cpu *cpu)
{
	struct vcpu_hw *hw;

	if (!cpu->live)
		return;
	hw = cpu->live->hw;
	fpu_save(hw);
	hw->dr[0] = read_dr0();
	hw->dr[1] = read_dr1();
	hw->dr[2] = read_dr2();
	hw->dr[3] = read_dr3();
	hw->dr6 = read_dr6();
	hw->cr2 = read_cr2();
	hw->msr[LIVE_KERNEL_GS_BASE] = rdmsr(MSR_KERNEL_GS_BASE);
	cpu->live = NULL;
}

static inline void set_msr(unsigned i, uint64_t value)
{
	if (i != LIVE_TSC_AUX || vmx_machine.has_tsc_aux)
		wrmsr(live_msrs[i], value);
}

/* Nobody's registers are in this CPU. */
COLD static void load(const struct vcpu_hw *hw)
{
	if (vmx_machine.has_xsave)
		xsetbv(0, vmx_machine.xcr0_allowed);
	fpu_restore(hw);
	write_dr0(hw->dr[0]);
	write_dr1(hw->dr[1]);
	write_dr2(hw->dr[2]);
	write_dr3(hw->dr[3]);
	write_dr6(hw->dr6);
	write_cr2(hw->cr2);
	for (unsigned i = 0; i < LIVE_MSR_COUNT; i++)
		set_msr(i, hw->msr[i]);
}

/* Writing a register of these costs more than the comparison, and mostly it is the same for all vCPUs of a VM. */
static inline void exchange(struct vcpu_hw *old, const struct vcpu_hw *hw)
{
	fpu_save(old);
	fpu_restore(hw);
	SWAP(old->dr[0], hw->dr[0], read_dr0(), write_dr0(hw->dr[0]));
	SWAP(old->dr[1], hw->dr[1], read_dr1(), write_dr1(hw->dr[1]));
	SWAP(old->dr[2], hw->dr[2], read_dr2(), write_dr2(hw->dr[2]));
	SWAP(old->dr[3], hw->dr[3], read_dr3(), write_dr3(hw->dr[3]));
	SWAP(old->dr6, hw->dr6, read_dr6(), write_dr6(hw->dr6));
	old->cr2 = read_cr2();
	write_cr2(hw->cr2);
	old->msr[LIVE_KERNEL_GS_BASE] = rdmsr(MSR_KERNEL_GS_BASE);
#pragma GCC unroll 6
	for (unsigned i = 0; i < LIVE_MSR_COUNT; i++)
		if (hw->msr[i] != old->msr[i])
			set_msr(i, hw->msr[i]);
}

/* Make v, which is not, the one whose live registers are in this CPU. */
void live_take(struct vmx_cpu *cpu, struct vcpu *v)
{
	if (likely(cpu->live != NULL))
		exchange(cpu->live->hw, v->hw);
	else
		load(v->hw);
	cpu->live = v;
	cpu->live_takes++;
}

static_assert(VCPU_DR3 - VCPU_DR0 == 3, "debug registers in the order of struct vcpu_hw.dr");
static_assert(VCPU_LSTAR - VCPU_STAR == LIVE_LSTAR && VCPU_CSTAR - VCPU_STAR == LIVE_CSTAR &&
		      VCPU_FMASK - VCPU_STAR == LIVE_FMASK && VCPU_KERNEL_GS_BASE - VCPU_STAR == LIVE_KERNEL_GS_BASE &&
		      VCPU_TSC_AUX - VCPU_STAR == LIVE_TSC_AUX,
	      "MSRs in the order of struct vcpu_hw.msr");

/* Where a register's value is kept while v is not live; NULL: it is not one of the live registers. */
static uint64_t *live_slot(struct vcpu_hw *hw, enum vcpu_reg reg)
{
	if (reg >= VCPU_STAR && reg <= VCPU_TSC_AUX)
		return &hw->msr[reg - VCPU_STAR];
	if (reg >= VCPU_DR0 && reg <= VCPU_DR3)
		return &hw->dr[reg - VCPU_DR0];
	if (reg == VCPU_DR6)
		return &hw->dr6;
	if (reg == VCPU_XCR0)
		return &hw->xcr0;
	return reg == VCPU_CR2 ? &hw->cr2 : NULL;
}

bool live_register(enum vcpu_reg reg)
{
	struct vcpu_hw none;

	return live_slot(&none, reg) != NULL;
}

/* A live register of v, wherever it is now. The caller has checked live_register(). Like writing, this goes through memory; but
 * for XCR0, which a CPUID of the guest asks for, and which memory has. */
uint64_t live_get(struct vcpu *v, enum vcpu_reg reg)
{
	struct vmx_cpu *cpu = this_vmx_cpu();
	bool was_live = cpu && cpu->live == v;
	uint64_t value;

	if (reg == VCPU_XCR0)
		return v->hw->xcr0;
	if (was_live)
		live_put_back(cpu);
	value = *live_slot(v->hw, reg);
	if (was_live)
		live_take(cpu, v);
	return value;
}

/* XSETBV faults on a combination that SDM 1 "Enabling the XSAVE Feature Set and XSAVE-Enabled Features" forbids, and then
 * it would be the host that faults. */
static bool xcr0_valid(uint64_t xcr0)
{
	uint64_t avx512 = xcr0 & XCR0_AVX512, mpx = xcr0 & XCR0_MPX;

	return (xcr0 & XCR0_X87) && !(xcr0 & ~vmx_machine.xcr0_allowed) && (!(xcr0 & XCR0_AVX) || (xcr0 & XCR0_SSE)) &&
	       (avx512 == 0 || (avx512 == XCR0_AVX512 && (xcr0 & XCR0_AVX))) && (mpx == 0 || mpx == XCR0_MPX);
}

/* Writing is rare: it goes through memory, so that there is one list less. A value of XCR0 that the processor would refuse
 * changes nothing; of the others these are the caller's to catch (the handlers do, with the guest's #GP). */
COLD void live_set(struct vcpu *v, enum vcpu_reg reg, uint64_t value)
{
	struct vmx_cpu *cpu = this_vmx_cpu();
	bool was_live = cpu && cpu->live == v;

	if (reg == VCPU_XCR0 && !xcr0_valid(value))
		return;
	if (was_live)
		live_put_back(cpu);
	*live_slot(v->hw, reg) = value;
	if (was_live)
		live_take(cpu, v);
}

/* FPU state as after power-on; the registers follow through live_set(). INIT keeps it all. */
COLD void live_reset(struct vcpu *v, bool init)
{
	struct vmx_cpu *cpu = this_vmx_cpu();
	bool was_live = cpu && cpu->live == v;

	if (init)
		return;
	if (was_live)
		live_put_back(cpu);
	fpu_reset(v->hw);
	v->hw->xcr0 = XCR0_X87;
	if (was_live)
		live_take(cpu, v);
}
