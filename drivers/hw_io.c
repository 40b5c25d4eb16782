/* The machine's own ports, registers, MSRs and clock behind struct hw_io. The only file of drivers/ with privileged
 * instructions; it decides nothing. */
#include "drivers/hw_io.h"
#include "arch/x86/barrier.h"
#include "arch/x86/insn.h"

static uint8_t real_in8(void *ctx, uint16_t port)
{
	(void)ctx;
	return inb(port);
}

static uint16_t real_in16(void *ctx, uint16_t port)
{
	(void)ctx;
	return inw(port);
}

static uint32_t real_in32(void *ctx, uint16_t port)
{
	(void)ctx;
	return inl(port);
}

static void real_out8(void *ctx, uint16_t port, uint8_t value)
{
	(void)ctx;
	outb(port, value);
}

static void real_out8_run(void *ctx, uint16_t port, const void *bytes, size_t count)
{
	(void)ctx;
	outsb(port, bytes, count);
}

static void real_out16(void *ctx, uint16_t port, uint16_t value)
{
	(void)ctx;
	outw(port, value);
}

static void real_out32(void *ctx, uint16_t port, uint32_t value)
{
	(void)ctx;
	outl(port, value);
}

static uint32_t real_read32(void *ctx, uintptr_t reg)
{
	(void)ctx;
	return *(const volatile uint32_t *)reg;
}

static void real_write32(void *ctx, uintptr_t reg, uint32_t value)
{
	(void)ctx;
	*(volatile uint32_t *)reg = value;
}

static void real_write8(void *ctx, uintptr_t reg, uint8_t value)
{
	(void)ctx;
	*(volatile uint8_t *)reg = value;
}

static uint64_t real_rdmsr(void *ctx, uint32_t msr)
{
	(void)ctx;
	return rdmsr(msr);
}

static void real_wrmsr(void *ctx, uint32_t msr, uint64_t value)
{
	(void)ctx;
	wrmsr(msr, value);
}

static uint64_t real_rdtsc(void *ctx)
{
	(void)ctx;
	return rdtsc_ordered();
}

/* SDM 3 "x2APIC Register Address Space" gives this pair for writes of the APIC's MSRs, which do not serialise. */
static void real_fence(void *ctx)
{
	(void)ctx;
	mb();
	rmb();
}

static void real_relax(void *ctx)
{
	(void)ctx;
	pause();
}

const struct hw_io hw_real = {
	.in8 = real_in8,
	.in16 = real_in16,
	.in32 = real_in32,
	.out8 = real_out8,
	.out8_run = real_out8_run,
	.out16 = real_out16,
	.out32 = real_out32,
	.read32 = real_read32,
	.write32 = real_write32,
	.write8 = real_write8,
	.rdmsr = real_rdmsr,
	.wrmsr = real_wrmsr,
	.rdtsc = real_rdtsc,
	.fence = real_fence,
	.relax = real_relax,
};
